//! How instants and dates read: RFC 3339 in UTC with no more fraction than there is, `2015-02-24T10:00:00Z`.
//!
//! The same text as [`Timestamp`](watershed_core::time::Timestamp) prints, written without a formatter because a file of
//! events holds several per row. Years outside 0–9999 have a sign and six digits, so every value has a text.

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// The text of one instant or date. It needs no allocation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TimeText {
    bytes: [u8; Self::LONGEST],
    length: usize,
}

impl TimeText {
    /// `+294247-01-10T04:00:54.775807Z` has 30 bytes; a 32-bit date has up to seven digits in its year.
    const LONGEST: usize = 32;

    /// The instant `micros` microseconds after 1970.
    pub(crate) fn of_instant(micros: i64) -> Self {
        let mut text = Self::of_days(micros.div_euclid(MICROS_PER_DAY));
        let within_day = micros.rem_euclid(MICROS_PER_DAY);
        let seconds = within_day / MICROS_PER_SECOND;
        text.push(b'T');
        text.push_digits(seconds / 3600, 2);
        text.push(b':');
        text.push_digits(seconds / 60 % 60, 2);
        text.push(b':');
        text.push_digits(seconds % 60, 2);
        text.push_fraction(within_day % MICROS_PER_SECOND);
        text.push(b'Z');
        text
    }

    /// The day `days` days after 1970-01-01.
    pub(crate) fn of_date(days: i32) -> Self {
        Self::of_days(i64::from(days))
    }

    /// The text as bytes, all of them ASCII.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// The text.
    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("digits and signs are ASCII")
    }

    fn of_days(days: i64) -> Self {
        let mut text = Self { bytes: [0; Self::LONGEST], length: 0 };
        let (year, month, day) = civil_date(days);
        if (0..=9999).contains(&year) {
            text.push_digits(year, 4);
        } else {
            text.push(if year < 0 { b'-' } else { b'+' });
            let year = year.abs();
            text.push_digits(year, if year > 999_999 { 7 } else { 6 });
        }
        text.push(b'-');
        text.push_digits(month, 2);
        text.push(b'-');
        text.push_digits(day, 2);
        text
    }

    fn push(&mut self, byte: u8) {
        self.bytes[self.length] = byte;
        self.length += 1;
    }

    fn push_digits(&mut self, mut value: i64, width: usize) {
        for place in (self.length..self.length + width).rev() {
            self.bytes[place] = b'0' + (value % 10) as u8;
            value /= 10;
        }
        self.length += width;
    }

    fn push_fraction(&mut self, micros: i64) {
        if micros == 0 {
            return;
        }
        self.push(b'.');
        self.push_digits(micros, 6);
        while self.bytes[self.length - 1] == b'0' {
            self.length -= 1;
        }
    }
}

/// Year, month and day of a day number in the proleptic Gregorian calendar, after Howard Hinnant's `civil_from_days`:
/// years are counted from March, so that the leap day is the last of its year.
fn civil_date(days: i64) -> (i64, i64, i64) {
    const DAYS_PER_ERA: i64 = 146_097;
    const FROM_MARCH_OF_YEAR_ZERO: i64 = 719_468;
    let shifted = days + FROM_MARCH_OF_YEAR_ZERO;
    let era = shifted.div_euclid(DAYS_PER_ERA);
    let day_of_era = shifted.rem_euclid(DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use watershed_core::time::Timestamp;

    use super::*;

    #[test]
    fn an_instant_has_no_more_fraction_than_it_needs() {
        for (micros, text) in [
            (1_424_772_000_000_000, "2015-02-24T10:00:00Z"),
            (1_424_772_000_500_000, "2015-02-24T10:00:00.5Z"),
            (1_424_772_000_000_001, "2015-02-24T10:00:00.000001Z"),
            (0, "1970-01-01T00:00:00Z"),
            (-1, "1969-12-31T23:59:59.999999Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00Z"),
            (i64::MAX, "+294247-01-10T04:00:54.775807Z"),
            (i64::MIN, "-290308-12-21T19:59:05.224192Z"),
        ] {
            assert_eq!(TimeText::of_instant(micros).as_str(), text);
        }
    }

    #[test]
    fn a_date_reads_as_a_date() {
        for (days, text) in
            [(0, "1970-01-01"), (16_490, "2015-02-24"), (-719_529, "-000001-12-31"), (i32::MAX, "+5881580-07-11")]
        {
            assert_eq!(TimeText::of_date(days).as_str(), text);
        }
    }

    proptest! {
        #[test]
        fn every_instant_reads_as_the_core_prints_it(micros in -377_705_023_201_000_000_i64..=253_402_207_200_999_999) {
            let text = TimeText::of_instant(micros);
            prop_assert_eq!(text.as_str(), Timestamp::from_micros(micros).to_string());
        }
    }
}
