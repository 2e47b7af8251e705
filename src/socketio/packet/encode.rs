//! Packets on their way out, each written once into the buffer it is sent from.
//!
//! Nothing is checked here: the caller knows the namespace and refuses reserved event names. User
//! code (`Serialize`) runs inside, so nothing is locked or borrowed either.
//!
//! ```text
//! 2/admin,7["chat","hi"]
//! 51-["upload",{"_placeholder":true,"num":0}]
//! ```

use std::rc::Rc;

use super::{AckId, MAIN_NAMESPACE};
use crate::message::{Message, TextBuilder};
use crate::socketio::payload::{ArgsWriter, EncodeError, IntoArgs};

/// `0`, with a JSON object: to a client `{"sid":"..."}`, to a server its credentials.
pub(crate) fn encode_connect(namespace: &str, payload_json: &str) -> Rc<Message> {
    let mut builder = head("0", namespace, None, payload_json.len());
    builder.push(payload_json);
    builder.finish()
}

/// `1`.
pub(crate) fn encode_disconnect(namespace: &str) -> Rc<Message> {
    head("1", namespace, None, 0).finish()
}

/// `4`, with the reason and, if there is any, more about it in JSON.
pub(crate) fn encode_connect_error(
    namespace: &str,
    message: &str,
    data_json: Option<&str>,
) -> Rc<Message> {
    let mut builder = head("4", namespace, None, message.len());
    builder.push("{\"message\":");
    builder.push(&serde_json::Value::from(message).to_string());
    if let Some(data) = data_json {
        builder.push(",\"data\":");
        builder.push(data);
    }
    builder.push("}");
    builder.finish()
}

/// `2`, or `5` if there are bytes among the arguments.
///
/// The result wants [`TextBuilder::finish`], and may be told before not to be compressed.
pub(crate) fn encode_event(
    namespace: &str,
    name: &str,
    id: Option<AckId>,
    args: impl IntoArgs,
) -> Result<TextBuilder, EncodeError> {
    encode_array("2", "5", namespace, id, Some(name), args)
}

/// `3`, or `6` if there are bytes among the arguments; see [`encode_event`].
pub(crate) fn encode_ack(
    namespace: &str,
    id: AckId,
    args: impl IntoArgs,
) -> Result<TextBuilder, EncodeError> {
    encode_array("3", "6", namespace, Some(id), None, args)
}

fn encode_array(
    packet_type: &str,
    binary_type: &str,
    namespace: &str,
    id: Option<AckId>,
    name: Option<&str>,
    args: impl IntoArgs,
) -> Result<TextBuilder, EncodeError> {
    let name_bytes = name.map_or(0, str::len).saturating_add(ARRAY_BYTES);
    let array_bytes = args.bytes_expected().saturating_add(name_bytes);
    let mut builder = head(packet_type, namespace, id, array_bytes);
    builder.push("[");
    let mut writer = ArgsWriter::new(builder.buffer());
    if let Some(name) = name {
        writer.push(name)?;
    }
    writer.extend(args)?;
    let attachments = writer.into_attachments();
    builder.push("]");
    if !attachments.is_empty() {
        builder.replace_first(&format!("{binary_type}{}-", attachments.len()));
        builder.set_attachments(attachments);
    }
    Ok(builder)
}

/// What comes before the JSON, in a buffer with room for it.
fn head(
    packet_type: &str,
    namespace: &str,
    id: Option<AckId>,
    payload_bytes: usize,
) -> TextBuilder {
    let head_bytes = namespace.len().saturating_add(HEAD_BYTES_EXPECTED);
    let mut builder = TextBuilder::with_capacity(head_bytes.saturating_add(payload_bytes));
    builder.push(packet_type);
    if namespace != MAIN_NAMESPACE {
        builder.push(namespace);
        builder.push(",");
    }
    if let Some(id) = id {
        match id.as_u64() {
            Some(id) => builder.push(itoa::Buffer::new().format(id)),
            None => builder.push(&id.to_string()),
        }
    }
    builder
}

/// The type, a comma and an ack id of the usual length.
const HEAD_BYTES_EXPECTED: usize = 10;
/// The brackets, and the quotes and the comma of a name.
const ARRAY_BYTES: usize = 5;
