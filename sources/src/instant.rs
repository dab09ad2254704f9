//! Instants and dates as text: RFC 3339, and the looser forms that people and databases write.
//!
//! `2015-02-24T10:00:00.5+01:00`, with a blank for the `T`, without seconds, without a zone (then UTC), or a date alone
//! (its midnight, UTC). Digits beyond the microsecond are cut off. Years are 0000 to 9999.

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// Reads an instant as microseconds since 1970, UTC.
pub(crate) fn parse_timestamp(text: &[u8]) -> Option<i64> {
    let (days, rest) = split_date(text)?;
    let midnight = i64::from(days) * MICROS_PER_DAY;
    match rest {
        [] => Some(midnight),
        [b'T' | b't' | b' ', time @ ..] => Some(midnight + parse_time(time)?),
        _ => None,
    }
}

/// Reads a date as days since 1970.
pub(crate) fn parse_date(text: &[u8]) -> Option<i32> {
    match split_date(text)? {
        (days, []) => Some(days),
        _ => None,
    }
}

/// Whether `text` is an instant with date and time: what is taken for a timestamp when nobody says what a column holds.
pub(crate) fn is_date_and_time(text: &[u8]) -> bool {
    text.len() > 10 && parse_timestamp(text).is_some()
}

fn two_digits(tens: u8, ones: u8) -> Option<i64> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| i64::from(tens - b'0') * 10 + i64::from(ones - b'0'))
}

fn split_date(text: &[u8]) -> Option<(i32, &[u8])> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, rest @ ..] = text else { return None };
    let year = two_digits(*y1, *y2)? * 100 + two_digits(*y3, *y4)?;
    let (month, day) = (two_digits(*m1, *m2)?, two_digits(*d1, *d2)?);
    ((1..=12).contains(&month) && day >= 1 && day <= days_of_month(year, month))
        .then(|| (days_since_1970(year, month, day), rest))
}

fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Howard Hinnant's `days_from_civil`: years begin in March, so that the leap day is the last of a year.
fn days_since_1970(year: i64, month: i64, day: i64) -> i32 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era - 719_468) as i32
}

/// The time of a day with its zone, as microseconds after midnight UTC; negative where the zone is ahead.
fn parse_time(text: &[u8]) -> Option<i64> {
    let [h1, h2, b':', m1, m2, rest @ ..] = text else { return None };
    let (hour, minute) = (two_digits(*h1, *h2)?, two_digits(*m1, *m2)?);
    let (second, rest) = match rest {
        [b':', s1, s2, rest @ ..] => (two_digits(*s1, *s2)?, rest),
        _ => (0, rest),
    };
    let (fraction, zone) = match rest {
        [b'.', digits @ ..] => parse_fraction(digits)?,
        _ => (0, rest),
    };
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = hour * 3600 + minute * 60 + second - parse_zone(zone)?;
    Some(seconds * MICROS_PER_SECOND + fraction)
}

fn parse_fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (digits, rest) = text.split_at(length);
    let micros =
        (0..6).fold(0, |micros, place| micros * 10 + digits.get(place).map_or(0, |digit| i64::from(digit - b'0')));
    (length > 0).then_some((micros, rest))
}

/// How many seconds the zone is ahead of UTC.
fn parse_zone(text: &[u8]) -> Option<i64> {
    let (sign, hours, minutes) = match text {
        [] | [b'Z' | b'z'] => return Some(0),
        [sign, h1, h2] => (sign, two_digits(*h1, *h2)?, 0),
        [sign, h1, h2, b':', m1, m2] | [sign, h1, h2, m1, m2] => (sign, two_digits(*h1, *h2)?, two_digits(*m1, *m2)?),
        _ => return None,
    };
    let seconds = hours * 3600 + minutes * 60;
    match sign {
        b'+' if hours <= 23 && minutes <= 59 => Some(seconds),
        b'-' if hours <= 23 && minutes <= 59 => Some(-seconds),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn instants_read_as_people_write_them() {
        for (text, micros) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("1970-01-01", Some(0)),
            ("1970-01-01 00:00", Some(0)),
            ("1970-01-01 00:00:01", Some(1_000_000)),
            ("1970-01-01t00:00:00.000001z", Some(1)),
            ("1970-01-01T00:00:00.1234567Z", Some(123_456)),
            ("1970-01-01T01:00:00+01:00", Some(0)),
            ("1970-01-01T01:00+01", Some(0)),
            ("1970-01-01T00:00:00-0130", Some(5_400_000_000)),
            ("1969-12-31T23:59:59.5Z", Some(-500_000)),
            ("2000-02-29", Some(951_782_400_000_000)),
            ("1900-02-29", None),
            ("2015-13-01", None),
            ("2015-00-01", None),
            ("2015-01-00", None),
            ("2015-01-01T24:00:00Z", None),
            ("2015-01-01T23:59:60Z", None),
            ("2015-01-01T10:00:00.Z", None),
            ("2015-01-01T10", None),
            ("2015-01-01T10:00:00 UTC", None),
            ("2015-01-01T10:00:00+24:00", None),
            (" 2015-01-01", None),
            ("15-01-01", None),
            ("1424686735090", None),
            ("", None),
        ] {
            assert_eq!(parse_timestamp(text.as_bytes()), micros, "{text}");
        }
    }

    #[test]
    fn a_date_stands_alone() {
        assert_eq!(parse_date(b"1970-01-02"), Some(1));
        assert_eq!(parse_date(b"1970-01-02T00:00:00Z"), None);
        assert!(is_date_and_time(b"1970-01-02T00:00:00Z") && !is_date_and_time(b"1970-01-02"));
    }

    proptest! {
        #[test]
        fn every_instant_is_read_as_jiff_writes_it(micros in -62_135_596_800_000_000_i64..253_402_207_200_000_000) {
            let instant = jiff::Timestamp::from_microsecond(micros).expect("in jiff's range");
            prop_assert_eq!(parse_timestamp(instant.to_string().as_bytes()), Some(micros));
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<Vec<u8>>()) {
            let _ = parse_timestamp(&text);
        }
    }
}
