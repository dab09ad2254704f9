//! `RunningTotals`: how much each user has paid.

use watershed::prelude::*;

/// Per user, the number of payments and their sum, anew in each epoch that brings some.
///
/// A user without a payment for `idle` of event time is forgotten, and begins at zero when the next one comes.
#[operator(StatefulOperator, example: r#"RunningTotals(idle: "1 hour")"#)]
pub struct RunningTotals {
    /// How long a user may pay nothing and not be forgotten.
    #[serde(default = "one_hour")]
    pub idle: TimeSpan,
}

fn one_hour() -> TimeSpan {
    TimeSpan::from_hours(1)
}

/// Whose rows belong together.
#[derive(Row)]
pub struct User<'a> {
    user: &'a str,
}

/// What is read of a row; other columns may be there and are passed over.
#[derive(Row)]
pub struct Payment {
    at: Timestamp,
    amount: f64,
}

/// What is remembered of a user.
#[derive(Row, Default)]
pub struct Paid {
    payments: i64,
    total: f64,
    last: Timestamp,
}

/// What is put out.
#[derive(Row)]
pub struct Totals<'a> {
    user: &'a str,
    payments: i64,
    total: f64,
}

impl StatefulOperator for RunningTotals {
    type Key = User<'static>;
    type Input = Payment;
    type State = Paid;
    type Output = Totals<'static>;

    fn timeout(&self) -> Timeout {
        Timeout::EventTime
    }

    fn output_mode(&self) -> OutputMode {
        OutputMode::Update
    }

    fn check(&self) -> Result<(), Faults> {
        if self.idle <= TimeSpan::ZERO {
            return Err(Fault::new("bad_duration", "`idle` must be longer than no time at all").at("idle").into());
        }
        Ok(())
    }

    fn process(
        &self,
        User { user }: User,
        payments: Rows<Payment>,
        state: &mut GroupState<Paid>,
        out: &mut Emitter<Totals>,
    ) -> Result<()> {
        let mut paid = state.take_or_default();
        for Payment { at, amount } in payments {
            paid.payments += 1;
            paid.total += amount;
            paid.last = paid.last.max(at);
        }
        // A payment may have been on its way for so long that its user is due to be forgotten at once.
        let now = state.current_watermark()?.0.unwrap_or(Timestamp::MIN);
        state.set_timeout_timestamp(paid.last.plus(self.idle).max(now))?;
        out.emit(Totals { user, payments: paid.payments, total: paid.total });
        state.update(paid);
        Ok(())
    }

    fn timed_out(&self, _: User, state: &mut GroupState<Paid>, _: &mut Emitter<Totals>) -> Result<()> {
        state.remove();
        Ok(())
    }
}
