//! `CurrentActivity`: what each user is doing now, and since when.

use watershed::prelude::*;

/// Per user, the current activity with its first and last time: a row per user and epoch in which the user has rows.
///
/// A reading of another activity takes over if it is later than all before; an earlier one changes nothing. A reading without a time
/// or an activity says nothing.
#[operator(MapGroups)]
pub struct CurrentActivity {}

/// Whose rows belong together.
#[derive(Row)]
pub struct User<'a> {
    user: Option<&'a str>,
}

/// What is read of a row.
#[derive(Row)]
pub struct Reading<'a> {
    activity: Option<&'a str>,
    event_time: Option<Timestamp>,
}

/// What is remembered of a user.
#[derive(Clone, Default, Row)]
pub struct Current {
    activity: String,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

/// What is put out.
#[derive(Row)]
pub struct Doing<'a> {
    user: Option<&'a str>,
    activity: String,
    start: Option<Timestamp>,
    end: Option<Timestamp>,
}

impl MapGroups for CurrentActivity {
    type Key = User<'static>;
    type Input = Reading<'static>;
    type State = Current;
    type Output = Doing<'static>;

    fn map<'a>(
        &self,
        User { user }: User<'a>,
        readings: Rows<'a, Reading<'static>>,
        state: &mut GroupState<Current>,
    ) -> Result<Doing<'a>> {
        let mut current = state.take_or_default();
        for Reading { activity, event_time } in readings {
            let (Some(activity), Some(time)) = (activity, event_time) else { continue };
            if current.end.is_some() && activity == current.activity {
                current.start = current.start.min(Some(time));
                current.end = current.end.max(Some(time));
            } else if current.end.is_none_or(|end| time > end) {
                current = Current { activity: activity.to_owned(), start: Some(time), end: Some(time) };
            }
        }
        state.update(current.clone());
        let Current { activity, start, end } = current;
        Ok(Doing { user, activity, start, end })
    }
}
