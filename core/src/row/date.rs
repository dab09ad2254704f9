//! A day of the calendar, as DATE columns hold it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use jiff::{Span, civil};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A day: so many days after 1970-01-01. Written as `2015-02-24`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i32);

const FIRST: civil::Date = civil::date(1970, 1, 1);

impl Date {
    /// The day `days` days after 1970-01-01.
    pub const fn from_days(days: i32) -> Self {
        Self(days)
    }

    /// Days since 1970-01-01.
    pub const fn days(self) -> i32 {
        self.0
    }

    /// The day in the calendar, which ends in the year 9999.
    fn in_calendar(self) -> Option<civil::Date> {
        FIRST.checked_add(Span::new().try_days(self.0).ok()?).ok()
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.in_calendar() {
            Some(day) => day.fmt(f),
            None => write!(f, "day {}", self.0),
        }
    }
}

impl FromStr for Date {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = |_| format!("bad date `{text}`: write it as `2015-02-24`");
        let day: civil::Date = text.parse().map_err(bad)?;
        let since = FIRST.until(day).map_err(bad)?;
        Ok(Self(since.get_days()))
    }
}

/// As text where a calendar has the day, else as days since 1970.
impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.in_calendar() {
            Some(day) => serializer.collect_str(&day),
            None => serializer.serialize_i32(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrDays;
        impl de::Visitor<'_> for TextOrDays {
            type Value = Date;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a date such as \"2015-02-24\", or days since 1970")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Date, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, days: i64) -> Result<Date, E> {
                i32::try_from(days).map(Date).map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, days: u64) -> Result<Date, E> {
                i32::try_from(days).map(Date).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(TextOrDays)
    }
}

impl JsonSchema for Date {
    fn schema_name() -> Cow<'static, str> {
        "Date".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "description": "A day such as \"2015-02-24\", or days since 1970." })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_survives_being_written_and_read() {
        for (days, text) in
            [(0, "\"1970-01-01\""), (16_490, "\"2015-02-24\""), (-1, "\"1969-12-31\""), (i32::MAX, "2147483647")]
        {
            let day = Date::from_days(days);
            assert_eq!(serde_json::to_string(&day).expect("a day can be written"), text);
            assert_eq!(serde_json::from_str::<Date>(text).expect(text), day);
        }
        let error = "24.2.2015".parse::<Date>().expect_err("not how dates are written");
        assert!(error.contains("`24.2.2015`"), "{error}");
    }
}
