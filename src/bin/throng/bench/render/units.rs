//! Figures as people read them: three digits and a unit, never a guess where there is no figure.
//!
//! ```text
//! 87 µs     1.24 ms     2.1 s     12,345     41.2 MB     –
//! ```
//!
//! A figure and its unit stand on one line: the space between them is a no-break space.

/// Nanoseconds in the unit that leaves three digits, such as `1.24 ms`.
pub(crate) fn time(nanoseconds: f64) -> String {
    scaled(nanoseconds, &["ns", "µs", "ms", "s"])
}

/// The same figures in a sentence, which breaks its lines where it likes and is found by whoever
/// looks for its words.
pub(crate) mod words {
    use super::{SPACE, real};

    pub(crate) fn time(nanoseconds: u64) -> String {
        plain(&super::time(real(nanoseconds)))
    }

    pub(crate) fn percent(share: f64) -> String {
        plain(&super::percent(share))
    }

    pub(crate) fn bytes(bytes: u64) -> String {
        plain(&super::bytes(real(bytes)))
    }

    pub(crate) fn seconds(value: f64) -> String {
        plain(&super::seconds(value))
    }

    fn plain(shown: &str) -> String {
        shown.replace(SPACE, " ")
    }
}

/// A percentile, or the dash of one that too few samples stand behind.
pub(crate) fn time_or_dash(nanoseconds: Option<u64>) -> String {
    nanoseconds.map_or_else(|| DASH.to_owned(), |value| time(real(value)))
}

/// Bytes in decimal units, such as `41.2 MB`.
pub(crate) fn bytes(bytes: f64) -> String {
    scaled(bytes, &["B", "KB", "MB", "GB", "TB"])
}

/// A share of one core, such as `41 % of a core`.
pub(crate) fn core_share(share: f64) -> String {
    format!("{} of a core", percent(share))
}

/// A share of a whole, such as `41.2 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{}{SPACE}%", digits(share * 100.0))
}

/// Microseconds in three digits, such as `6.11 µs`.
pub(crate) fn microseconds(value: f64) -> String {
    time(value * 1_000.0)
}

/// Seconds in three digits, such as `30 s`.
pub(crate) fn seconds(value: f64) -> String {
    format!("{}{SPACE}s", digits(value))
}

/// A whole number in groups of three, such as `1,500,000`.
pub(crate) fn count(value: u64) -> String {
    let plain = value.to_string();
    let mut grouped = String::with_capacity(plain.len().saturating_mul(4) / 3);
    for (index, digit) in plain.chars().enumerate() {
        if index > 0 && plain.len().saturating_sub(index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A rate: in groups of three where it is large, else in three digits.
pub(crate) fn rate(value: f64) -> String {
    if value < 999.5 { digits(value) } else { count(whole(value)) }
}

/// How many times a figure is another, such as `1.08 ×`.
pub(crate) fn ratio(value: f64) -> String {
    format!("{value:.2}{SPACE}×")
}

/// A shown figure without its unit, and the unit.
pub(crate) fn cut(shown: &str) -> (&str, &str) {
    shown.split_once(SPACE).unwrap_or((shown, ""))
}

/// Three significant digits without trailing zeros; all digits of what is a thousand and more.
pub(crate) fn digits(value: f64) -> String {
    let magnitude = value.abs();
    let decimals = if magnitude >= 99.95 {
        0
    } else if magnitude >= 9.995 {
        1
    } else if magnitude >= 0.095 || magnitude == 0.0 {
        2
    } else {
        4
    };
    let text = format!("{value:.decimals$}");
    if decimals == 0 {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A count as a number to calculate with.
#[expect(clippy::cast_precision_loss, reason = "figures of a run are far below 2^52")]
pub(crate) fn real(value: u64) -> f64 {
    value as f64
}

/// The nearest whole number; what is none counts as zero.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the conversion saturates, and no figure is below zero"
)]
pub(crate) fn whole(value: f64) -> u64 {
    value.round() as u64
}

fn scaled(value: f64, units: &[&str]) -> String {
    let mut value = value;
    let mut units = units.iter();
    let mut unit = units.next().copied().unwrap_or_default();
    for larger in units {
        // What would round to a thousand is one of the next unit.
        if value.abs() < 999.5 {
            break;
        }
        value /= 1_000.0;
        unit = larger;
    }
    format!("{}{SPACE}{unit}", digits(value))
}

/// Stands where there is no figure.
pub(crate) const DASH: &str = "–";

/// Stands between a figure and its unit.
pub(crate) const SPACE: char = '\u{a0}';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_and_a_unit() {
        assert_eq!(time(0.0), spaced("0 ns"));
        assert_eq!(time(87_000.0), spaced("87 µs"));
        assert_eq!(time(1_236_000.0), spaced("1.24 ms"));
        assert_eq!(time(12_360_000.0), spaced("12.4 ms"));
        assert_eq!(time(123_600_000.0), spaced("124 ms"));
        assert_eq!(time(2_100_000_000.0), spaced("2.1 s"));
        assert_eq!(time(999_600.0), spaced("1 ms"));
        assert_eq!(time(60_000_000_000.0), spaced("60 s"));
        assert_eq!(bytes(712.0), spaced("712 B"));
        assert_eq!(bytes(41_234_567.0), spaced("41.2 MB"));
    }

    #[test]
    fn shares_counts_and_rates() {
        assert_eq!(percent(0.412), spaced("41.2 %"));
        assert_eq!(percent(0.000_5), spaced("0.05 %"));
        assert_eq!(count(0), "0");
        assert_eq!(count(999), "999");
        assert_eq!(count(1_500_000), "1,500,000");
        assert_eq!(rate(5.0), "5");
        assert_eq!(rate(49_999.7), "50,000");
        assert_eq!(ratio(1.084), spaced("1.08 ×"));
    }

    #[test]
    fn what_is_no_number_does_not_panic() {
        assert_eq!(whole(f64::NAN), 0);
        assert_eq!(whole(f64::INFINITY), u64::MAX);
        assert_eq!(whole(-1.0), 0);
        assert_eq!(time_or_dash(None), DASH);
    }

    fn spaced(text: &str) -> String {
        text.replace(' ', "\u{a0}")
    }
}
