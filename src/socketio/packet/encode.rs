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

use super::draft::JsonDraft;
use super::{AckId, EventDraft, MAIN_NAMESPACE, PacketKind};
use crate::message::{Message, TextBuilder};
use crate::socketio::payload::{ArgsWriter, EncodeError, IntoArgs};

/// `0`, `1` or `4`: a packet without arguments, with what it says in JSON.
pub(crate) fn encode_control(
    kind: PacketKind,
    namespace: &str,
    payload_json: Option<&str>,
) -> Rc<Message> {
    let payload_json = payload_json.unwrap_or_default();
    let mut builder = head(kind, namespace, None, payload_json.len());
    builder.push(payload_json);
    builder.finish()
}

/// `2`, or `5` if there are bytes among the arguments; still open at its end.
pub(crate) fn encode_event(
    namespace: &str,
    name: &str,
    id: Option<AckId>,
    args: impl IntoArgs,
) -> Result<EventDraft, EncodeError> {
    let array_bytes = args.bytes_expected().saturating_add(name.len());
    let mut builder =
        head(PacketKind::Event, namespace, id, array_bytes.saturating_add(ARRAY_BYTES));
    builder.push("[");
    let name_start = builder.len();
    let mut writer = ArgsWriter::new(builder.buffer());
    writer.push(name)?;
    let name_end = writer.bytes();
    writer.extend(args)?;
    let len = writer.elements().saturating_sub(1);
    let attachments = writer.into_attachments();
    builder.set_attachments(attachments);
    Ok(JsonDraft { builder, name: name_start..name_end, len }.into())
}

/// `3`, or `6` if there are bytes among the arguments.
pub(crate) fn encode_ack(
    namespace: &str,
    id: AckId,
    args: impl IntoArgs,
) -> Result<Rc<Message>, EncodeError> {
    let array_bytes = args.bytes_expected().saturating_add(ARRAY_BYTES);
    let mut builder = head(PacketKind::Ack, namespace, Some(id), array_bytes);
    builder.push("[");
    let mut writer = ArgsWriter::new(builder.buffer());
    writer.extend(args)?;
    let attachments = writer.into_attachments();
    builder.set_attachments(attachments);
    builder.push("]");
    declare_attachments(&mut builder, "6");
    Ok(builder.finish())
}

/// Puts the binary type and the count of attachments in front, if there are any.
pub(super) fn declare_attachments(builder: &mut TextBuilder, binary_type: &str) {
    let attachments = builder.attachments().len();
    if attachments > 0 {
        builder.replace_first(&format!("{binary_type}{attachments}-"));
    }
}

/// What comes before the JSON, in a buffer with room for it.
fn head(kind: PacketKind, namespace: &str, id: Option<AckId>, payload_bytes: usize) -> TextBuilder {
    let head_bytes = namespace.len().saturating_add(HEAD_BYTES_EXPECTED);
    let mut builder = TextBuilder::with_capacity(head_bytes.saturating_add(payload_bytes));
    builder.push(itoa::Buffer::new().format(kind.number()));
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
