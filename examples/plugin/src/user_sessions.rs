//! `UserSessions`: sessions that end by a timeout, or by their length.

use watershed::prelude::*;

/// Per user, sessions of undetermined length: the activities seen, the number of readings and their mean.
///
/// A session ends when the watermark is further than `gap` past the user's last reading, or with as many readings as it may have
/// at most.
#[operator(StatefulOperator, example: r#"UserSessions(gap: "5 seconds", most: 1000)"#)]
pub struct UserSessions {
    /// How long a user may be silent within a session.
    pub gap: TimeSpan,
    /// How many readings a session has at most.
    pub most: u32,
}

/// Whose rows belong together.
#[derive(Row)]
pub struct User<'a> {
    user: Option<&'a str>,
}

/// What is read of a row.
#[derive(Row)]
pub struct Reading<'a> {
    event_time: Option<Timestamp>,
    activity: Option<&'a str>,
    x: f64,
}

/// What is remembered of a user: the session that goes on.
#[derive(Default, Row)]
pub struct Session {
    newest: Option<Timestamp>,
    /// Each once, in their order.
    activities: Vec<String>,
    readings: u32,
    sum: f64,
}

/// What is put out.
#[derive(Row)]
pub struct Ended<'a> {
    user: Option<&'a str>,
    activities: Vec<String>,
    readings: i64,
    mean_x: f64,
}

impl Session {
    fn add(&mut self, Reading { event_time, activity, x }: Reading) {
        self.newest = self.newest.max(event_time);
        self.readings += 1;
        self.sum += x;
        if let Some(activity) = activity
            && let Err(place) = self.activities.binary_search_by(|known| known.as_str().cmp(activity))
        {
            self.activities.insert(place, activity.to_owned());
        }
    }

    fn end(self, user: Option<&str>) -> Ended<'_> {
        let Self { activities, readings, sum, .. } = self;
        Ended { user, activities, readings: i64::from(readings), mean_x: sum / f64::from(readings) }
    }
}

impl StatefulOperator for UserSessions {
    type Key = User<'static>;
    type Input = Reading<'static>;
    type State = Session;
    type Output = Ended<'static>;

    fn timeout(&self) -> Timeout {
        Timeout::EventTime
    }

    fn order(&self) -> RowOrder {
        RowOrder::EventTime
    }

    fn check(&self) -> Result<(), Faults> {
        let mut faults = Faults::new();
        if self.gap <= TimeSpan::ZERO {
            faults.push(Fault::new("bad_duration", "`gap` must be longer than no time at all").at("gap"));
        }
        if self.most == 0 {
            faults
                .push(Fault::new("bad_value", "`most` is the length of a session, and must be at least 1").at("most"));
        }
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    fn process(
        &self,
        User { user }: User,
        readings: Rows<Reading>,
        state: &mut GroupState<Session>,
        out: &mut Emitter<Ended>,
    ) -> Result<()> {
        let mut session = state.take_or_default();
        for reading in readings {
            session.add(reading);
            if session.readings >= self.most {
                out.emit(std::mem::take(&mut session).end(user));
            }
        }
        if session.readings == 0 {
            return Ok(());
        }
        if let Some(newest) = session.newest {
            // A reading may be in time and yet further than the gap behind the watermark that this epoch closes by.
            let watermark = state.current_watermark()?.0.unwrap_or(Timestamp::MIN);
            state.set_timeout_timestamp(newest.plus(self.gap).max(watermark))?;
        }
        state.update(session);
        Ok(())
    }

    fn timed_out(&self, User { user }: User, state: &mut GroupState<Session>, out: &mut Emitter<Ended>) -> Result<()> {
        out.emit(state.take_or_default().end(user));
        Ok(())
    }
}
