//! Event time and processing time: instants, lengths of time, watermarks and clocks.
//!
//! All instants are UTC microseconds since 1970-01-01T00:00:00Z and may be negative.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::atomic::{AtomicI64, Ordering};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An instant: microseconds since the epoch, UTC. By default it is the beginning of 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest instant.
    pub const MIN: Self = Self(i64::MIN);
    /// Later than every instant that a row or a watermark can have.
    pub const MAX: Self = Self(i64::MAX);
    /// The end of time: what [`AtEnd::Flush`](crate::plan::AtEnd) moves watermarks to.
    pub const END: Self = Self(i64::MAX - 1);

    /// The instant `micros` microseconds after 1970.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This instant cut down to a whole millisecond, as watermarks are.
    #[must_use]
    pub const fn floor_to_millis(self) -> Self {
        Self(self.0.div_euclid(1000).saturating_mul(1000))
    }

    /// This instant moved back by `span`; stops at the ends of time.
    #[must_use]
    pub const fn minus(self, span: TimeSpan) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// This instant moved on by `span`; stops at the ends of time.
    #[must_use]
    pub const fn plus(self, span: TimeSpan) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    /// How long after `earlier` this instant is; negative, if it is before.
    #[must_use]
    pub const fn since(self, earlier: Self) -> TimeSpan {
        TimeSpan(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(instant) => write!(f, "{instant}"),
            Err(_) if *self >= Self::END => f.write_str("the end of time"),
            Err(_) => write!(f, "{} µs", self.0),
        }
    }
}

impl FromStr for Timestamp {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let instant: jiff::Timestamp =
            text.parse().map_err(|_| format!("bad instant `{text}`: write it as `2015-02-24T10:00:00Z`"))?;
        Ok(Self(instant.as_microsecond()))
    }
}

/// As RFC 3339 text where a calendar has the instant, else as microseconds.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match jiff::Timestamp::from_microsecond(self.0) {
            Ok(instant) => serializer.collect_str(&instant),
            Err(_) => serializer.serialize_i64(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextOrMicros;
        impl de::Visitor<'_> for TextOrMicros {
            type Value = Timestamp;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an instant such as \"2015-02-24T10:00:00Z\", or microseconds")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Timestamp, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_i64<E: de::Error>(self, micros: i64) -> Result<Timestamp, E> {
                Ok(Timestamp(micros))
            }

            fn visit_u64<E: de::Error>(self, micros: u64) -> Result<Timestamp, E> {
                i64::try_from(micros).map(Timestamp).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(TextOrMicros)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "description": "An instant such as \"2015-02-24T10:00:00Z\", or microseconds since 1970." })
    }
}

/// A length of time in microseconds, written as `"10 minutes"`, `"1.5s"` or `"2 hours 30 minutes"`; offsets may be
/// negative (`"-3 seconds"`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeSpan(i64);

impl TimeSpan {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of `micros` microseconds.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// A span of `millis` milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis * 1_000)
    }

    /// A span of `seconds` seconds.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds * 1_000_000)
    }

    /// A span of `minutes` minutes.
    pub const fn from_minutes(minutes: i64) -> Self {
        Self::from_seconds(minutes * 60)
    }

    /// A span of `hours` hours.
    pub const fn from_hours(hours: i64) -> Self {
        Self::from_minutes(hours * 60)
    }

    /// A span of `days` times 24 hours.
    pub const fn from_days(days: i64) -> Self {
        Self::from_hours(days * 24)
    }

    /// Its length in microseconds.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// This span as a standard duration; a negative one is zero.
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_micros(self.0.max(0).unsigned_abs())
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 0 {
            f.write_str("-")?;
        }
        write!(f, "{}", humantime::format_duration(std::time::Duration::from_micros(self.0.unsigned_abs())))
    }
}

impl FromStr for TimeSpan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (sign, length) = match text.trim().strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, text.trim()),
        };
        let duration = humantime::parse_duration(length).map_err(|cause| {
            format!("bad duration `{text}`: {cause}; write it as `10 minutes`, `1.5s` or `2 hours 30 minutes`")
        })?;
        let micros = i64::try_from(duration.as_micros())
            .map_err(|_| format!("bad duration `{text}`: longer than 292,000 years"))?;
        Ok(Self(sign * micros))
    }
}

impl Serialize for TimeSpan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for TimeSpan {
    fn schema_name() -> Cow<'static, str> {
        "Duration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "duration", "description": "A duration such as \"10 minutes\" or \"1.5s\"." })
    }
}

/// How far event time has come: no row at or before it is expected any more. Before the first row there is none, and
/// nothing is late; that state is less than every other, so the least of several watermarks is `min`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Watermark(pub Option<Timestamp>);

impl Watermark {
    /// Before any row was seen.
    pub const NONE: Self = Self(None);

    /// Whether `time` is at or before this watermark: late for a row, due for a window's end or a deadline.
    pub fn has_passed(self, time: Timestamp) -> bool {
        self.0.is_some_and(|watermark| time <= watermark)
    }
}

impl fmt::Display for Watermark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(time) => time.fmt(f),
            None => f.write_str("none yet"),
        }
    }
}

/// Where processing time comes from. The engine asks it once per epoch; operators never do.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The present instant.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_microsecond())
    }
}

/// A clock that moves only when told to: for tests and replays.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at `time`.
    pub fn at(time: Timestamp) -> Self {
        Self(AtomicI64::new(time.micros()))
    }

    /// Moves the clock to `time`.
    pub fn set(&self, time: Timestamp) {
        self.0.store(time.micros(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_write_them() {
        for (text, micros) in [
            ("10 minutes", 600_000_000),
            ("1.5s", 1_500_000),
            ("2 hours 30 minutes", 9_000_000_000),
            ("-3 seconds", -3_000_000),
            ("0 seconds", 0),
        ] {
            assert_eq!(text.parse::<TimeSpan>(), Ok(TimeSpan::from_micros(micros)), "{text}");
        }
        let error = "10 minuts".parse::<TimeSpan>().expect_err("not a unit");
        assert!(error.contains("minuts"), "{error}");
    }

    #[test]
    fn spans_and_instants_add_up() {
        assert_eq!(TimeSpan::from_days(1), "24 hours".parse().expect("a duration"));
        assert_eq!(TimeSpan::from_minutes(3), TimeSpan::from_millis(180_000));
        let (noon, later) = (Timestamp::default(), Timestamp::default().plus(TimeSpan::from_hours(2)));
        assert_eq!((later.since(noon), noon.since(later)), (TimeSpan::from_hours(2), TimeSpan::from_hours(-2)));
        assert_eq!(Timestamp::MAX.since(Timestamp::MIN).micros(), i64::MAX, "it stops at the ends of time");
    }

    #[test]
    fn a_duration_prints_as_it_reads() {
        for text in ["10m", "-3s", "1h 30m", "1s 500ms"] {
            let span: TimeSpan = text.parse().expect("a duration");
            assert_eq!(span.to_string(), text);
        }
    }

    #[test]
    fn every_instant_survives_being_written_and_read() {
        for micros in [0, -1, 1_424_686_733_090_638, i64::MIN, i64::MAX - 1] {
            let time = Timestamp::from_micros(micros);
            let text = serde_json::to_string(&time).expect("an instant can be written");
            assert_eq!(serde_json::from_str::<Timestamp>(&text).expect(&text), time, "{text}");
        }
    }

    #[test]
    fn milliseconds_are_cut_downwards_also_before_1970() {
        assert_eq!(Timestamp::from_micros(1_999).floor_to_millis().micros(), 1_000);
        assert_eq!(Timestamp::from_micros(-1).floor_to_millis().micros(), -1_000);
    }

    #[test]
    fn before_the_first_row_nothing_has_passed() {
        assert!(!Watermark::NONE.has_passed(Timestamp::MIN));
        let one = Watermark(Some(Timestamp::from_micros(5)));
        assert!(one.has_passed(Timestamp::from_micros(5)));
        assert_eq!(one.min(Watermark::NONE), Watermark::NONE);
    }
}
