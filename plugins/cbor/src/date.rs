//! Dates as CBOR has them: text (RFC 8949, section 3.4.1; RFC 3339), or seconds since the epoch (section 3.4.2).

use plugin_api::value::Date;
use tokens::date_from_ms;

pub(crate) const TEXT_TAG: u64 = 0;

pub(crate) const SECONDS_TAG: u64 = 1;

/// To the nearest millisecond; `None` for a date that JavaScript doesn't have.
pub(crate) fn from_seconds(seconds: f64) -> Option<Date> {
    date_from_ms((seconds * 1000.0).round())
}

/// `2013-03-21T20:04:00Z`, with a fraction of the second or an offset where there is one. What is finer than milliseconds is cut off.
pub(crate) fn from_rfc3339(text: &str) -> Option<Date> {
    let number = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit()).then(|| text.parse::<i64>().ok())?;
    let separator = |at: usize, allowed: &[u8]| text.as_bytes().get(at).is_some_and(|found| allowed.contains(found));
    let part = |from: usize, to: usize, most: i64| text.get(from..to).and_then(number).filter(|number| *number <= most);
    if !(separator(4, b"-") && separator(7, b"-") && separator(10, b"Tt ") && separator(13, b":") && separator(16, b":")) {
        return None;
    }
    let (year, month, day) = (part(0, 4, 9999)?, part(5, 7, 12)?, part(8, 10, 31)?);
    let (hour, minute, second) = (part(11, 13, 23)?, part(14, 16, 59)?, part(17, 19, 60)?);
    let (fraction, zone) = match text.get(19..)?.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count()),
        None => ("0", text.get(19..)?),
    };
    let ms = number(&format!("{fraction:0<3}")[..3]).filter(|_| !fraction.is_empty())?;
    let offset_minutes = match zone.as_bytes() {
        b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), _, _, b':', _, _] => {
            let minutes = number(&zone[1..3])?.checked_mul(60)? + number(&zone[4..6])?;
            if *sign == b'+' { minutes } else { -minutes }
        }
        _ => return None,
    };
    if month == 0 || day == 0 || day > days_in(year, month) {
        return None;
    }
    let seconds = ((days_from_civil(year, month, day) * 24 + hour) * 60 + minute - offset_minutes) * 60 + second;
    Some(Date(seconds * 1000 + ms))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since the epoch of a date of the Gregorian calendar; the year is counted from March on, so that the leap day is its last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let months_since_march = (month + 9) % 12;
    let day_of_year = (153 * months_since_march + 2) / 5 + day - 1;
    /// From the first of March of the year 0 to the first of January 1970.
    const EPOCH: i64 = 719_468;
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - EPOCH
}
