//! Dates as JavaScript writes them into JSON: `2024-02-29T12:34:56.789Z`.

/// `Date.prototype.toISOString` (ECMA-262); `None` beyond the range of a `Date`.
pub(super) fn iso_string(milliseconds: i64) -> Option<String> {
    if milliseconds.unsigned_abs() > MILLISECONDS_MAX {
        return None;
    }
    let (year, month, day) = civil(milliseconds.div_euclid(MILLISECONDS_PER_DAY));
    let time = milliseconds.rem_euclid(MILLISECONDS_PER_DAY);
    let (seconds, milliseconds) = (time / 1_000, time % 1_000);
    let (minutes, seconds) = (seconds / 60, seconds % 60);
    let (hours, minutes) = (minutes / 60, minutes % 60);
    let year = match year {
        0..=9_999 => format!("{year:04}"),
        _ => format!("{year:+07}"),
    };
    Some(format!(
        "{year}-{month:02}-{day:02}T{hours:02}:{minutes:02}:{seconds:02}.{milliseconds:03}Z"
    ))
}

/// Year, month and day of the proleptic Gregorian calendar, by days since 1970.
///
/// Counted in eras of 400 years that begin on the first of March, so that the leap day is the last
/// day of a year.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + DAYS_BEFORE_1970;
    let (era, day) = (days.div_euclid(DAYS_PER_ERA), days.rem_euclid(DAYS_PER_ERA));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // March is 0; five months of 31, 30, 31, 30, 31 days are 153.
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    (era * 400 + year + next_year, month, day)
}

const MILLISECONDS_PER_DAY: i64 = 86_400_000;
/// A hundred million days, on either side of 1970.
const MILLISECONDS_MAX: u64 = 8_640_000_000_000_000;
/// From the first of March of the year 0.
const DAYS_BEFORE_1970: i64 = 719_468;
const DAYS_PER_ERA: i64 = 146_097;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_javascript_writes_them() {
        for (milliseconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (951_827_696_789, "2000-02-29T12:34:56.789Z"),
            (1_709_210_096_001, "2024-02-29T12:34:56.001Z"),
            (1_735_689_599_999, "2024-12-31T23:59:59.999Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
            (-2_203_891_200_000, "1900-03-01T00:00:00.000Z"),
            (-62_167_219_200_000, "0000-01-01T00:00:00.000Z"),
            (-62_167_219_200_001, "-000001-12-31T23:59:59.999Z"),
            (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
            (253_402_300_800_000, "+010000-01-01T00:00:00.000Z"),
            (8_640_000_000_000_000, "+275760-09-13T00:00:00.000Z"),
            (-8_640_000_000_000_000, "-271821-04-20T00:00:00.000Z"),
        ] {
            assert_eq!(iso_string(milliseconds).as_deref(), Some(expected));
        }
        assert_eq!(iso_string(8_640_000_000_000_001), None);
        assert_eq!(iso_string(i64::MIN), None);
    }
}
