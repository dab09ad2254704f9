//! What an operator or a graph is fed in a run, as data: so that it can be fed again in another way.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, SchemaRef};

use super::cell::Cell;
use super::columns::batch_of;
use super::compare::CellRow;
use super::error::{Result, TestError};
use super::given::Given;
use super::moment::Moment;
use super::same_answer::Testable;
use crate::dice::Dice;
use crate::error::Error;
use crate::time::{TimeSpan, Timestamp};

/// The rows, watermarks and clock of a run, epoch by epoch.
///
/// ```
/// use watershed_core::testing::Feed;
///
/// let feed = Feed::new()
///     .rows("in", "user | at \n ann | 2015-02-24T10:00:00Z")
///     .end_epoch()
///     .watermark("2015-02-24T09:59:50Z")
///     .rows("in", "user | at \n bob | 2015-02-24T10:00:03Z \n ann | 2015-02-24T09:59:40Z");
/// assert_eq!(feed.epochs(), 2);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Feed {
    pub(super) ended: Vec<FedEpoch>,
    open: FedEpoch,
    wrong: Option<String>,
}

/// An epoch of a feed.
#[derive(Clone, Debug, Default)]
pub(super) struct FedEpoch {
    pub(super) rows: Vec<(String, Given)>,
    /// In force from this epoch on.
    pub(super) watermark: Option<Timestamp>,
    pub(super) clock: Option<Timestamp>,
}

impl FedEpoch {
    fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.watermark.is_none() && self.clock.is_none()
    }
}

impl Feed {
    /// Nothing so far.
    pub fn new() -> Self {
        Self::default()
    }

    /// Rows for an input, or for a source, in this epoch.
    #[must_use]
    pub fn rows(mut self, input: &str, rows: impl Into<Given>) -> Self {
        self.open.rows.push((input.to_owned(), rows.into()));
        self
    }

    /// Moves the watermark on: as [`OperatorHarness::set_watermark`](super::OperatorHarness::set_watermark). That of a graph follows
    /// from its rows.
    #[must_use]
    pub fn watermark(mut self, to: impl Moment) -> Self {
        self.open.watermark = self.moment(to);
        self
    }

    /// Sets the processing time from this epoch on.
    #[must_use]
    pub fn clock(mut self, time: impl Moment) -> Self {
        self.open.clock = self.moment(time);
        self
    }

    /// Ends the epoch. After the last it can be left out.
    #[must_use]
    pub fn end_epoch(mut self) -> Self {
        self.ended.push(std::mem::take(&mut self.open));
        self
    }

    /// The number of epochs.
    pub fn epochs(&self) -> usize {
        self.ended.len() + usize::from(!self.open.is_empty())
    }

    fn moment(&mut self, time: impl Moment) -> Option<Timestamp> {
        time.moment().map_err(|error| self.wrong.get_or_insert(error.to_string()).clone()).ok()
    }

    pub(super) fn into_epochs(self) -> Result<Vec<FedEpoch>> {
        match self.wrong {
            Some(wrong) => Err(TestError::Given(wrong)),
            None if self.open.is_empty() => Ok(self.ended),
            None => Ok(self.end_epoch().ended),
        }
    }

    /// A feed that looks random and is the same for the same seed: a few epochs of a few rows for every input, with few different
    /// values, so that keys meet again, nulls where they may be, and event times that go up and sometimes come late. Where there is
    /// event time, and for one operator, the watermark moves on with them; the clock always does.
    ///
    /// In a property test the seed is what is random: `any::<u64>()`.
    pub fn random(seed: u64, tested: &impl Testable) -> Result<Self> {
        let mut dice = Dice::new(seed);
        let inputs = tested.inputs()?;
        let mut feed = Self::new();
        for epoch in 0..2 + dice.throw(5) {
            let now = START.plus(TimeSpan::from_micros(epoch as i64 * PACE));
            for (input, schema) in &inputs {
                let rows = (0..dice.throw(MOST_ROWS)).map(|_| random_row(schema, now, &mut dice)).collect::<Vec<_>>();
                feed = feed.rows(input, batch_of(schema, &rows).map_err(Error::from)?);
            }
            if tested.moves_watermark() && dice.throw(3) > 0 {
                feed = feed.watermark(now.minus(TimeSpan::from_micros(PACE)).floor_to_millis());
            }
            feed = feed.clock(now).end_epoch();
        }
        Ok(feed)
    }
}

/// 2020-01-01T00:00:00Z.
const START: Timestamp = Timestamp::from_micros(1_577_836_800_000_000);

/// How far event time moves in an epoch of a random feed: ten seconds.
const PACE: i64 = 10_000_000;

/// The most rows of an input in an epoch of a random feed, plus one.
const MOST_ROWS: u64 = 12;

/// The number of different values.
const VALUES: u64 = 5;

fn random_row(schema: &SchemaRef, now: Timestamp, dice: &mut Dice) -> CellRow {
    schema.fields().iter().map(|field| random_cell(field, now, dice)).collect()
}

fn random_cell(field: &Arc<Field>, now: Timestamp, dice: &mut Dice) -> Cell {
    if field.is_nullable() && dice.throw(8) == 0 {
        return Cell::Null;
    }
    let value = dice.throw(VALUES);
    match field.data_type() {
        DataType::Boolean => Cell::Bool(value.is_multiple_of(2)),
        DataType::Float32 | DataType::Float64 => Cell::Float(value as f64 / 4.0),
        &DataType::Decimal128(_, scale) => Cell::Decimal { units: value.into(), scale },
        DataType::Utf8 => Cell::Text(["a", "b", "c", "d", "e"][value as usize].to_owned()),
        DataType::Binary => Cell::Bytes(vec![value as u8]),
        DataType::Date32 => Cell::Date(18_262 + value as i32),
        DataType::Timestamp(..) => {
            // Up to half an epoch ahead, and up to three behind.
            let away = PACE / 2 - (dice.throw(3_500) as i64) * (PACE / 1000);
            Cell::Instant(now.plus(TimeSpan::from_micros(away)))
        }
        DataType::List(item) => Cell::List((0..dice.throw(3)).map(|_| random_cell(item, now, dice)).collect()),
        DataType::Struct(fields) => {
            Cell::Struct(fields.iter().map(|field| (field.name().clone(), random_cell(field, now, dice))).collect())
        }
        data_type if data_type.is_integer() => Cell::Int(value.into()),
        _ => Cell::Null,
    }
}
