//! The mark that every event of a run begins its payload with, so that a receiver knows which
//! event it holds without parsing JSON: text of fixed width that survives any server's encoder.
//!
//! ```text
//! ~tb1 9f0c22aa 0003 0000002a 18a1b2c3d4e5f607 18a1b2c3d4e5f707 5c1d ....
//! tag  run      strm sequence intended, ns     sent, ns         sum  filled up with dots
//! (without the spaces)
//! ```

/// What is known of one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Told apart from what an earlier run left behind, and in questions from other clients'.
    pub(crate) run: u32,
    /// The publisher or the room whose sequence it is; one number for all questions.
    pub(crate) stream: u16,
    pub(crate) sequence: u32,
    /// Nanoseconds of the wall clock, as the kernel stamps receipts.
    pub(crate) intended_ns: u64,
    pub(crate) sent_ns: u64,
}

/// Why bytes are no event of this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unmarked {
    /// There is no mark: an event of somebody else.
    Absent,
    /// There is one, and its sum, length or digits are wrong.
    Corrupted,
}

impl Mark {
    /// Writes the payload of an event, filled up to `length` bytes; at least [`MARK_BYTES`].
    pub(crate) fn write(&self, length: usize, out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend_from_slice(TAG);
        push_hex(out, u64::from(self.run), 8);
        push_hex(out, u64::from(self.stream), 4);
        push_hex(out, u64::from(self.sequence), 8);
        push_hex(out, self.intended_ns, 16);
        push_hex(out, self.sent_ns, 16);
        let length = length.max(MARK_BYTES);
        let sum = checksum(out.get(begin..).unwrap_or_default(), length);
        push_hex(out, u64::from(sum), 4);
        out.resize(begin + length, FILL);
    }

    /// Reads the payload that begins at the tag in `bytes` and is `length` bytes long in all.
    pub(crate) fn read(bytes: &[u8], length: usize) -> Result<Self, Unmarked> {
        let length = length.max(MARK_BYTES);
        if !bytes.starts_with(TAG) {
            return Err(Unmarked::Absent);
        }
        let mark = bytes.get(..MARK_BYTES).ok_or(Unmarked::Corrupted)?;
        let (body, sum) = mark.split_at(MARK_BYTES - 4);
        if read_hex(sum) != Some(u64::from(checksum(body, length))) {
            return Err(Unmarked::Corrupted);
        }
        let fill = bytes.get(MARK_BYTES..length).ok_or(Unmarked::Corrupted)?;
        if fill.first().is_some_and(|byte| *byte != FILL)
            || fill.last().is_some_and(|byte| *byte != FILL)
        {
            return Err(Unmarked::Corrupted);
        }
        let field = |from: usize, width: usize| {
            body.get(from..from + width).and_then(read_hex).ok_or(Unmarked::Corrupted)
        };
        let narrow = |value: u64| u32::try_from(value).map_err(|_| Unmarked::Corrupted);
        Ok(Self {
            run: narrow(field(4, 8)?)?,
            stream: u16::try_from(field(12, 4)?).map_err(|_| Unmarked::Corrupted)?,
            sequence: narrow(field(16, 8)?)?,
            intended_ns: field(24, 16)?,
            sent_ns: field(40, 16)?,
        })
    }
}

/// Where a payload begins in a message; most servers put it at the same place each time.
pub(crate) fn find(message: &[u8], expected_at: usize) -> Option<usize> {
    if message.get(expected_at..).is_some_and(|rest| rest.starts_with(TAG)) {
        return Some(expected_at);
    }
    message.windows(TAG.len()).position(|window| window == TAG)
}

/// FNV-1a over the mark and the length that the payload has, folded to 16 bits.
fn checksum(body: &[u8], length: usize) -> u16 {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(16_777_619);
    let hash = body.iter().fold(2_166_136_261, |hash, byte| step(hash, *byte));
    let hash = length.to_le_bytes().into_iter().fold(hash, step);
    let [low, high, more, most] = hash.to_le_bytes();
    u16::from_le_bytes([low ^ more, high ^ most])
}

fn push_hex(out: &mut Vec<u8>, value: u64, width: u32) {
    for digit in (0..width).rev() {
        let nibble = (value >> (4 * digit)) & 0xf;
        out.push(DIGITS.get(usize::try_from(nibble).unwrap_or(0)).copied().unwrap_or(b'0'));
    }
}

fn read_hex(bytes: &[u8]) -> Option<u64> {
    bytes.iter().try_fold(0_u64, |value, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u64::from(digit))
    })
}

/// Bytes of a mark: the least that a payload has.
pub(crate) const MARK_BYTES: usize = 60;
const TAG: &[u8] = b"~tb1";
const FILL: u8 = b'.';
const DIGITS: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    const MARK: Mark = Mark {
        run: 0x9f0c_22aa,
        stream: 3,
        sequence: 42,
        intended_ns: 0x18a1_b2c3_d4e5_f607,
        sent_ns: 0x18a1_b2c3_d4e5_f707,
    };

    fn written(length: usize) -> Vec<u8> {
        let mut out = Vec::new();
        MARK.write(length, &mut out);
        out
    }

    #[test]
    fn a_mark_is_read_as_it_was_written() {
        for length in [0, 60, 61, 64, 4_096] {
            let payload = written(length);
            assert_eq!(payload.len(), length.max(MARK_BYTES));
            assert_eq!(Mark::read(&payload, length), Ok(MARK));
        }
    }

    #[test]
    fn a_changed_byte_of_the_mark_is_noticed() {
        for at in TAG.len()..MARK_BYTES {
            let mut payload = written(64);
            payload[at] = if payload[at] == b'1' { b'2' } else { b'1' };
            assert_eq!(Mark::read(&payload, 64), Err(Unmarked::Corrupted), "byte {at}");
        }
    }

    #[test]
    fn a_payload_cut_short_or_of_another_length_is_corrupted() {
        let payload = written(100);
        assert_eq!(Mark::read(&payload[..99], 100), Err(Unmarked::Corrupted));
        assert_eq!(Mark::read(&payload, 99), Err(Unmarked::Corrupted));
        assert_eq!(Mark::read(&payload[..20], 100), Err(Unmarked::Corrupted));
    }

    #[test]
    fn a_payload_is_found_wherever_the_server_puts_it() {
        let mut message = b"42[\"chat\",\"".to_vec();
        MARK.write(64, &mut message);
        message.extend_from_slice(b"\"]");
        assert_eq!(find(&message, 11), Some(11));
        assert_eq!(find(&message, 3), Some(11));
        assert_eq!(find(b"42[\"chat\",\"hello\"]", 11), None);
    }
}
