//! Numbers as people read them, and lines that fit.
//!
//! ```text
//! 20000: 20,000      1073741824 bytes: 1.0 GiB      1234567 ns: 1.23 ms
//! ```

/// Digits in groups of three.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A size in the largest unit that it fills.
pub(super) fn bytes(number: u64) -> String {
    let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (unit, size) in units {
        if number >= size {
            let tenths = u128::from(number) * 10 / u128::from(size);
            return format!("{}.{} {unit}", tenths / 10, tenths % 10);
        }
    }
    format!("{number} bytes")
}

/// A time in the largest unit that it fills, three digits of it.
pub(super) fn nanos(number: u64) -> String {
    let units = [("s", 1_000_000_000_u64), ("ms", 1_000_000), ("µs", 1_000)];
    for (unit, size) in units {
        if number >= size {
            let thousandths = u128::from(number) * 1_000 / u128::from(size);
            let (whole, rest) = (thousandths / 1_000, thousandths % 1_000);
            return match whole {
                100.. => format!("{whole} {unit}"),
                10.. => format!("{whole}.{} {unit}", rest / 100),
                _ => format!("{whole}.{:02} {unit}", rest / 10),
            };
        }
    }
    format!("{number} ns")
}

/// Breaks a text between words; a word that is too long stands alone.
pub(super) fn wrap(text: &str, columns_max: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        let columns = line.chars().count() + 1 + word.chars().count();
        if !line.is_empty() && columns > columns_max {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_in_threes() {
        let pairs = [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")];
        for (number, text) in pairs {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn sizes_take_their_largest_unit() {
        assert_eq!(bytes(1_023), "1023 bytes");
        assert_eq!(bytes(1_536), "1.5 KiB");
        assert_eq!(bytes(1_073_741_824), "1.0 GiB");
        assert_eq!(bytes(u64::MAX), "17179869183.9 GiB");
    }

    #[test]
    fn times_have_three_digits() {
        assert_eq!(nanos(999), "999 ns");
        assert_eq!(nanos(1_234), "1.23 µs");
        assert_eq!(nanos(56_780), "56.7 µs");
        assert_eq!(nanos(123_456_789), "123 ms");
        assert_eq!(nanos(2_000_000_000), "2.00 s");
    }

    #[test]
    fn lines_break_between_words() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("unbreakable a", 4), ["unbreakable", "a"]);
        assert_eq!(wrap("", 4), [""; 0]);
    }
}
