//! Operators that the tests run.

use watershed_core::error::Result;
use watershed_core::row::Row;
use watershed_core::stream::OutputMode;
use watershed_core::time::{TimeSpan, Timestamp};
use watershed_core::typed::{Emitter, GroupState, MapGroups, RowOrder, Rows, StatefulOperator, Timeout};
use watershed_derive::operator;

/// The columns of a key.
#[derive(Row)]
pub(crate) struct ByUser<'a> {
    pub(crate) user: &'a str,
}

/// Rows counted by key.
#[derive(Row)]
pub(crate) struct Nothing {}

/// A count.
#[derive(Row, Default, Debug, PartialEq)]
pub(crate) struct Count {
    pub(crate) count: i64,
}

/// A count that is put out.
#[derive(Row)]
pub(crate) struct UserCount<'a> {
    pub(crate) user: &'a str,
    pub(crate) count: i64,
}

/// Counts the rows of a user, and forgets the user at a number.
#[operator(StatefulOperator, example: "CountTo(limit: 3)")]
pub(crate) struct CountTo {
    pub(crate) limit: i64,
}

impl StatefulOperator for CountTo {
    type Key = ByUser<'static>;
    type Input = Nothing;
    type State = Count;
    type Output = UserCount<'static>;

    fn process(
        &self,
        key: ByUser,
        rows: Rows<Nothing>,
        state: &mut GroupState<Count>,
        out: &mut Emitter<UserCount>,
    ) -> Result<()> {
        let count = state.get().map_or(0, |state| state.count) + rows.len() as i64;
        if count == self.limit {
            state.remove();
        } else {
            state.update(Count { count });
            out.emit(UserCount { user: key.user, count });
        }
        Ok(())
    }
}

/// A row with borrowed text.
#[derive(Row)]
pub(crate) struct Activity<'a> {
    #[row(name = "gt")]
    pub(crate) activity: Option<&'a str>,
    pub(crate) at: Timestamp,
}

/// The activity a user is at.
#[derive(Row, Default)]
pub(crate) struct Current {
    pub(crate) activity: String,
    pub(crate) since: Option<Timestamp>,
}

/// What is told of a user.
#[derive(Row)]
pub(crate) struct Seen<'a> {
    pub(crate) user: &'a str,
    pub(crate) activity: String,
    pub(crate) since: Option<Timestamp>,
    pub(crate) timed_out: bool,
}

/// Per user, the current activity and since when.
#[operator(MapGroups)]
pub(crate) struct CurrentActivity {
    /// How long without rows until a user is idle.
    #[serde(default)]
    pub(crate) idle: Option<TimeSpan>,
}

impl MapGroups for CurrentActivity {
    type Key = ByUser<'static>;
    type Input = Activity<'static>;
    type State = Current;
    type Output = Seen<'static>;

    fn timeout(&self) -> Timeout {
        if self.idle.is_some() { Timeout::EventTime } else { Timeout::None }
    }

    fn order(&self) -> RowOrder {
        RowOrder::EventTime
    }

    fn map<'a>(&self, key: ByUser<'a>, rows: Rows<'a, Activity>, state: &mut GroupState<Current>) -> Result<Seen<'a>> {
        let mut current = state.take_or_default();
        let mut last = None;
        for row in rows {
            last = last.max(Some(row.at));
            if let Some(activity) = row.activity.filter(|activity| *activity != current.activity) {
                current = Current { activity: activity.to_owned(), since: Some(row.at) };
            }
        }
        let timed_out = state.has_timed_out();
        let seen = Seen { user: key.user, activity: current.activity.clone(), since: current.since, timed_out };
        if !timed_out {
            state.update(current);
            if let (Some(idle), Some(last)) = (self.idle, last) {
                state.set_timeout_timestamp(last.plus(idle))?;
            }
        }
        Ok(seen)
    }
}

/// Counts in mode update, with a key that may be null and a state that is no row.
#[operator(StatefulOperator)]
pub(crate) struct CountNullable {}

/// A key that may be null.
#[derive(Row)]
pub(crate) struct ByMaybe<'a> {
    pub(crate) user: Option<&'a str>,
    pub(crate) n: f64,
}

/// The count of such a key.
#[derive(Row)]
pub(crate) struct MaybeCount<'a> {
    pub(crate) count: i64,
    pub(crate) n: f64,
    pub(crate) user: Option<&'a str>,
}

impl StatefulOperator for CountNullable {
    type Key = ByMaybe<'static>;
    type Input = Nothing;
    type State = i64;
    type Output = MaybeCount<'static>;

    fn output_mode(&self) -> OutputMode {
        OutputMode::Update
    }

    fn process(
        &self,
        key: ByMaybe,
        rows: Rows<Nothing>,
        state: &mut GroupState<i64>,
        out: &mut Emitter<MaybeCount>,
    ) -> Result<()> {
        let count = state.get().copied().unwrap_or(0) + rows.len() as i64;
        state.update(count);
        out.emit(MaybeCount { count, n: key.n, user: key.user });
        Ok(())
    }
}
