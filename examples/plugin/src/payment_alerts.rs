//! `PaymentAlerts`: a small payment, then a large one.

use watershed::prelude::*;

/// Per card, an alert when a large payment follows a small one: so are stolen cards tried out before they are used.
///
/// An alert tells what the card was tried with, which payments came before, and how often the card has paid at this merchant.
/// Payments of nothing, or of less, leave by the port `refused`.
#[operator(KeyedOperator, example: r#"PaymentAlerts(small: 1.0, large: 500.0, within: "1 minute")"#)]
pub struct PaymentAlerts {
    /// A payment below it is a trial.
    pub small: f64,
    /// A payment of so much, or of more, after a trial is alarming.
    pub large: f64,
    /// How long after the trial, in event time.
    pub within: TimeSpan,
    /// For how long after an alert, in processing time, there is no other for the card.
    #[serde(default = "one_hour")]
    pub quiet: TimeSpan,
}

fn one_hour() -> TimeSpan {
    TimeSpan::from_hours(1)
}

/// How many payments before an alarming one are told.
const TOLD: usize = 3;

/// Whose rows belong together.
#[derive(Row)]
pub struct Card<'a> {
    card: &'a str,
}

/// What is read of a row.
#[derive(Row)]
pub struct Payment<'a> {
    at: Timestamp,
    merchant: &'a str,
    amount: f64,
}

/// What is put out.
#[derive(Row)]
pub struct Alert<'a> {
    #[row(event_time)]
    at: Timestamp,
    card: &'a str,
    merchant: &'a str,
    amount: f64,
    trial: f64,
    before: Vec<f64>,
    visits: i64,
}

/// What leaves by the port `refused`.
#[derive(Row)]
struct Refused<'a> {
    at: Timestamp,
    card: &'a str,
    merchant: &'a str,
    amount: f64,
}

/// The payment that a card was tried with.
#[derive(Clone, Row)]
struct Trial {
    at: Timestamp,
    amount: f64,
}

/// What is kept of a card, and the port for what is not.
pub struct Kept {
    /// The last trial, until a timer forgets it.
    trial: ValueState<Trial>,
    /// The last payments, the newest at the end.
    latest: ListState<f64>,
    /// By merchant, how often the card has paid there.
    visits: MapState<String, i64>,
    /// There while an alert is fresh.
    alerted: ValueState<bool>,
    refused: SideOutput<Refused<'static>>,
}

impl KeyedOperator for PaymentAlerts {
    type Key = Card<'static>;
    type Input = Payment<'static>;
    type State = Kept;
    type Output = Alert<'static>;

    fn declare(&self, declare: &mut Declare) -> Kept {
        Kept {
            trial: declare.value("trial"),
            latest: declare.list("latest"),
            // A merchant that was not seen for a month of processing time is new again.
            visits: declare.ttl(TimeSpan::from_days(30)).map("visits"),
            alerted: declare.ttl(self.quiet).value("alerted"),
            refused: declare.side_output("refused"),
        }
    }

    fn time_mode(&self) -> TimeMode {
        TimeMode::EventTime
    }

    fn order(&self) -> RowOrder {
        RowOrder::EventTime
    }

    /// An alert has the time of a payment, which is later than the watermark, since older ones are late: the stream can be windowed further on.
    fn hold_back(&self) -> Option<TimeSpan> {
        Some(TimeSpan::ZERO)
    }

    fn free_fields(&self) -> &'static [&'static str] {
        &["small", "large", "within", "quiet"]
    }

    fn process(
        &self,
        Card { card }: Card,
        payments: Rows<Payment>,
        kept: &Kept,
        cx: &mut KeyContext,
        out: &mut Emitter<Alert>,
    ) -> Result<()> {
        for Payment { at, merchant, amount } in payments {
            if amount <= 0.0 {
                kept.refused.emit(cx, Refused { at, card, merchant, amount });
                continue;
            }
            let visits = kept.visits.get(cx, merchant).copied().unwrap_or(0);
            let trial = kept.trial.get(cx).cloned();
            if amount < self.small {
                if let Some(earlier) = trial {
                    cx.delete_timer(Timer::Event(earlier.at.plus(self.within)));
                }
                cx.register_timer(Timer::Event(at.plus(self.within)))?;
                kept.trial.set(cx, Trial { at, amount });
            } else if amount >= self.large
                && let Some(trial) = trial.filter(|trial| at <= trial.at.plus(self.within))
                && !kept.alerted.exists(cx)
            {
                let before = kept.latest.get(cx).to_vec();
                out.emit(Alert { at, card, merchant, amount, trial: trial.amount, before, visits });
                kept.alerted.set(cx, true);
            }
            kept.visits.insert(cx, merchant.to_owned(), visits + 1);
            let latest: Vec<f64> = kept.latest.get(cx).iter().copied().chain([amount]).collect();
            kept.latest.set(cx, latest[latest.len().saturating_sub(TOLD)..].to_vec());
        }
        Ok(())
    }

    /// No payment can be within the trial's reach any more.
    fn on_timer(&self, _: Card, _: Timer, kept: &Kept, cx: &mut KeyContext, _: &mut Emitter<Alert>) -> Result<()> {
        kept.trial.clear(cx);
        Ok(())
    }
}
