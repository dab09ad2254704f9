//! An operator of the test's own, with event time of its own: what follows it goes by the watermark that it holds back.

use watershed::prelude::*;

use super::graph::{Row as Values, passed};
use super::nodes::{Running, counted};
use crate::oracle::Micros;

/// Rows per key and instant, as `n` and the sum of `v`, some seconds later.
#[operator(KeyedOperator, example: "HeldRows(seconds: 5)")]
struct HeldRows {
    seconds: i64,
}

#[derive(Row)]
struct ByKey {
    k: Option<i64>,
}

#[derive(Row)]
struct Timed {
    t: Option<Timestamp>,
    v: Option<i64>,
}

#[derive(Row, Clone, Copy, Default)]
struct Sum {
    n: i64,
    total: Option<i64>,
}

#[derive(Row)]
struct Released {
    k: Option<i64>,
    #[row(event_time)]
    t: Timestamp,
    n: i64,
    total: Option<i64>,
}

impl HeldRows {
    fn span(&self) -> TimeSpan {
        TimeSpan::from_seconds(self.seconds)
    }
}

impl KeyedOperator for HeldRows {
    type Key = ByKey;
    type Input = Timed;
    type State = MapState<Timestamp, Sum>;
    type Output = Released;

    fn declare(&self, declare: &mut Declare) -> Self::State {
        declare.map("sums")
    }

    fn time_mode(&self) -> TimeMode {
        TimeMode::EventTime
    }

    fn hold_back(&self) -> Option<TimeSpan> {
        Some(self.span())
    }

    fn process(
        &self,
        _: ByKey,
        rows: Rows<Timed>,
        sums: &Self::State,
        cx: &mut KeyContext,
        _: &mut Emitter<Released>,
    ) -> Result<()> {
        for row in rows {
            let Some(t) = row.t else { continue };
            let Sum { n, total } = sums.get(cx, &t).copied().unwrap_or_default();
            let total = [total, row.v].into_iter().flatten().reduce(|one, other| one + other);
            sums.insert(cx, t, Sum { n: n + 1, total });
            cx.register_timer(Timer::Event(t.plus(self.span())))?;
        }
        Ok(())
    }

    fn on_timer(
        &self,
        key: ByKey,
        timer: Timer,
        sums: &Self::State,
        cx: &mut KeyContext,
        out: &mut Emitter<Released>,
    ) -> Result<()> {
        let t = timer.time().minus(self.span());
        if let Some(Sum { n, total }) = sums.remove(cx, &t) {
            out.emit(Released { k: key.k, t, n, total });
        }
        Ok(())
    }
}

/// The same by loops.
pub(super) struct Held {
    pub(super) by: Micros,
    /// Key, instant, and the values that came for it.
    pub(super) groups: Vec<(Option<i64>, Micros, Vec<Option<i64>>)>,
}

impl Running for Held {
    fn run(&mut self, inputs: &[Vec<Values>], late: Option<Micros>, evict: Option<Micros>) -> Vec<Vec<Values>> {
        let mut dropped = Vec::new();
        for row in &inputs[0] {
            let [k, t, v] = row[..] else { unreachable!("a source has three columns") };
            if passed(late, t) {
                dropped.push(row.clone());
            } else if let Some(t) = t {
                match self.groups.iter_mut().find(|group| (group.0, group.1) == (k, t)) {
                    Some(group) => group.2.push(v),
                    None => self.groups.push((k, t, vec![v])),
                }
            }
        }
        let by = self.by;
        let is_due = |group: &(Option<i64>, Micros, Vec<Option<i64>>)| passed(evict, Some(group.1 + by));
        let (due, held) = std::mem::take(&mut self.groups).into_iter().partition(is_due);
        self.groups = held;
        let due: Vec<_> = due;
        let row =
            |(k, t, values): &(Option<i64>, Micros, Vec<Option<i64>>)| [&[*k, Some(*t)][..], &counted(values)].concat();
        vec![due.iter().map(row).collect(), dropped]
    }
}
