//! WebSocket frames as a client reads and writes them: headers parsed by tungstenite, payloads
//! borrowed from the receive buffer.
//!
//! ```text
//! 81 05 42["x"]          < unmasked, from the server
//! 81 82 aa bb cc dd ..   > masked, to the server
//! ```

use std::io::Cursor;

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::OpCode;

use super::Ending;

/// One frame at the begin of the input.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) opcode: OpCode,
    pub(crate) is_final: bool,
    pub(crate) payload: &'a [u8],
    /// Header and payload.
    pub(crate) bytes: usize,
}

/// The frame that `input` begins with; `None` while a part of it is missing.
pub(crate) fn next_frame(input: &[u8]) -> Result<Option<Frame<'_>>, Ending> {
    let mut cursor = Cursor::new(input);
    let parsed = FrameHeader::parse(&mut cursor).map_err(|_| Ending::BadFrame)?;
    let Some((header, length)) = parsed else { return Ok(None) };
    if header.mask.is_some() || header.rsv1 || header.rsv2 || header.rsv3 {
        return Err(Ending::BadFrame);
    }
    // What is longer would make each ping a long answer.
    if matches!(header.opcode, OpCode::Control(_))
        && (length > CONTROL_BYTES_MAX || !header.is_final)
    {
        return Err(Ending::BadFrame);
    }
    let begin = usize::try_from(cursor.position()).map_err(|_| Ending::BadFrame)?;
    let length = usize::try_from(length).map_err(|_| Ending::TooLarge)?;
    if length > MESSAGE_BYTES_MAX {
        return Err(Ending::TooLarge);
    }
    let Some(payload) = input.get(begin..begin + length) else { return Ok(None) };
    let frame =
        Frame { opcode: header.opcode, is_final: header.is_final, payload, bytes: begin + length };
    Ok(Some(frame))
}

/// Appends a whole message as one masked frame.
pub(crate) fn push_frame(out: &mut Vec<u8>, opcode: OpCode, mask: [u8; 4], payload: &[u8]) {
    let header = FrameHeader { opcode, mask: Some(mask), ..FrameHeader::default() };
    let length = u64::try_from(payload.len()).unwrap_or(u64::MAX);
    // Writing to memory doesn't fail.
    let _ = header.format(length, out);
    out.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

/// The most that the protocol allows in a control frame.
const CONTROL_BYTES_MAX: u64 = 125;
/// What a client of a benchmark accepts in one message.
pub(crate) const MESSAGE_BYTES_MAX: usize = 64 * 1_024 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_frame_is_short_and_whole() {
        let ping = [&[0x89, 125][..], &[b'x'; 125]].concat();
        assert!(next_frame(&ping).is_ok_and(|frame| frame.is_some()));
        assert_eq!(next_frame(&[0x89, 126, 0, 126]).err(), Some(Ending::BadFrame));
        assert_eq!(next_frame(&[0x09, 0]).err(), Some(Ending::BadFrame));
    }
}
