//! Dates as text, as JavaScript's `Date.prototype.toString` writes them (ECMA-262, section 21.4.4.41), in UTC.

use plugin_api::value::Date;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// 1970 began with a Thursday.
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Tue Nov 14 2023 22:13:20 GMT+0000 (Coordinated Universal Time)`; `Invalid Date` for one that JavaScript doesn't have.
pub(crate) fn text(date: Date) -> String {
    let Some(iso) = date.to_iso().map(|iso| iso.to_string()) else { return "Invalid Date".to_owned() };
    let weekday = DAYS[date.0.div_euclid(DAY_MS).rem_euclid(7) as usize];
    // `2023-11-14T22:13:20.000Z`, or a sign and six digits for the year.
    let (year, rest) = iso.split_at(iso.len() - "-11-14T22:13:20.000Z".len());
    let month = MONTHS[rest[1..3].parse::<usize>().expect("ISO 8601 has a month here") - 1];
    let (day, time) = (&rest[4..6], &rest[7..15]);
    let sign = if year.starts_with('-') { "-" } else { "" };
    let year: u32 = year.trim_start_matches(['+', '-']).parse().expect("ISO 8601 begins with the year");
    format!("{weekday} {month} {day} {sign}{year:04} {time} GMT+0000 (Coordinated Universal Time)")
}
