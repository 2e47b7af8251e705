//! Packets on their way out, each written once into the buffer it is sent from.
//!
//! Nothing is checked here: the caller knows the namespace and refuses reserved event names. User
//! code (`Serialize`) runs inside, so nothing is locked or borrowed either.
//!
//! ```text
//! 2/admin,7["chat","hi"]
//! 51-["upload",{"_placeholder":true,"num":0}]
//! ```

use std::borrow::Cow;
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

/// `0` with what it says in JSON, in pieces.
pub(crate) fn encode_connect(namespace: &str, payload_json: &[&[u8]]) -> Rc<Message> {
    let payload_bytes = payload_json.iter().map(|piece| piece.len()).sum();
    let mut builder = head(PacketKind::Connect, namespace, None, payload_bytes);
    for piece in payload_json {
        builder.buffer().extend_from_slice(piece);
    }
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
    let array_bytes = args.bytes_expected().saturating_add(BRACKETS_BYTES);
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

/// What comes before the JSON, in a buffer with room for it. Where the JSON takes as many bytes as
/// it said, nothing is left over that would have to be given back.
fn head(kind: PacketKind, namespace: &str, id: Option<AckId>, payload_bytes: usize) -> TextBuilder {
    let mut digits = itoa::Buffer::new();
    let id = match id.map(|id| (id, id.as_u64())) {
        Some((_, Some(id))) => Cow::Borrowed(digits.format(id)),
        Some((id, None)) => Cow::Owned(id.to_string()),
        None => Cow::Borrowed(""),
    };
    let [namespace, comma] = if namespace == MAIN_NAMESPACE { [""; 2] } else { [namespace, ","] };
    let head_bytes = TYPE_BYTES + namespace.len() + comma.len() + id.len();
    let mut builder = TextBuilder::with_capacity(payload_bytes.saturating_add(head_bytes));
    builder.push(itoa::Buffer::new().format(kind.number()));
    builder.push(namespace);
    builder.push(comma);
    builder.push(&id);
    builder
}

const TYPE_BYTES: usize = 1;
const BRACKETS_BYTES: usize = 2;
/// The brackets, and the quotes and the comma of a name.
const ARRAY_BYTES: usize = BRACKETS_BYTES + 3;
