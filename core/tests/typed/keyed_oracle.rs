//! Variables, timers and time to live against plain maps that compute the same anew.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use watershed_core::testing::{Epochs, Feed, OperatorHarness, Table, same_answer};
use watershed_core::typed::Timer;

use crate::keyed::{EXPIRE_AFTER, Shown, seconds, tested};

const ORDERS: [&str; 12] =
    ["add", "double", "forget", "append", "list", "empty", "put", "remove", "event", "processing", "delete", "look"];

/// What a user has, with the second at which each part expires.
#[derive(Clone, Debug, Default)]
struct Model {
    value: Option<(i64, i64)>,
    list: Vec<(i64, i64)>,
    map: BTreeMap<String, (i64, i64)>,
    event: BTreeSet<i64>,
    processing: BTreeSet<i64>,
}

/// The seconds at which what is set now expires: value, list, map.
fn expiries(expire: bool, now: i64) -> [i64; 3] {
    if expire { EXPIRE_AFTER.map(|after| now + after) } else { [i64::MAX; 3] }
}

impl Model {
    fn forget_expired(&mut self, now: i64) {
        self.value = self.value.filter(|(_, expires)| *expires > now);
        self.list.retain(|(_, expires)| *expires > now);
        self.map.retain(|_, (_, expires)| *expires > now);
    }

    fn order(&mut self, what: &str, n: i64, [value, list, map]: [i64; 3]) {
        match what {
            "add" => self.value = Some((self.value.map_or(0, |(value, _)| value) + n, value)),
            "double" => self.value = self.value.map(|(kept, _)| (kept * 2, value)),
            "forget" => self.value = None,
            "append" => self.list.push((n, list)),
            "list" => self.list = vec![(n, list), (n + 1, list)],
            "empty" => self.list.clear(),
            "put" => {
                self.map.insert((n % 3).to_string(), (n, map));
            }
            "remove" => {
                self.map.remove(&(n % 3).to_string());
            }
            "event" => {
                self.event.insert(n);
            }
            "processing" => {
                self.processing.insert(n);
            }
            "delete" => {
                self.event.remove(&n);
            }
            _ => {}
        }
    }

    fn shown(&self, user: &str, call: &str) -> String {
        let list: Vec<i64> = self.list.iter().map(|(n, _)| *n).collect();
        let map: Vec<(&String, &i64)> = self.map.iter().map(|(key, (n, _))| (key, n)).collect();
        let timers =
            |clock: &str, times: &BTreeSet<i64>| times.iter().map(|time| format!("{clock}{time}")).collect::<Vec<_>>();
        let timers = [timers("e", &self.event), timers("p", &self.processing)].concat().join(" ");
        let value = self.value.map(|(value, _)| value);
        format!("{user} {call} {value:?} {list:?} {map:?} {timers}")
    }

    fn is_empty(&self) -> bool {
        self.value.is_none()
            && self.list.is_empty()
            && self.map.is_empty()
            && self.event.is_empty()
            && self.processing.is_empty()
    }
}

#[derive(Clone, Debug)]
struct FedEpoch {
    orders: Vec<(u8, usize, i64)>,
    watermark: i64,
    clock: i64,
}

fn epochs() -> impl Strategy<Value = Vec<FedEpoch>> {
    let order = (0_u8..4, 0..ORDERS.len(), -3_i64..14);
    let epoch = (prop::collection::vec(order, 0..10), 0_i64..5, 0_i64..5);
    prop::collection::vec(epoch, 1..12).prop_map(|epochs| {
        let (mut watermark, mut clock) = (0, 100);
        let fed = epochs.into_iter().map(|(orders, event, processing)| {
            watermark += event;
            clock += processing;
            // Around the present, and more often in the time to come.
            let at = |what: usize, n| match ORDERS[what] {
                "event" | "delete" => watermark + n,
                "processing" => clock + n,
                _ => n,
            };
            let orders = orders.into_iter().map(|(user, what, n)| (user, what, at(what, n))).collect();
            FedEpoch { orders, watermark, clock }
        });
        fed.collect()
    })
}

/// What an epoch puts out, in order of the calls of a single partition, and what it leaves.
fn run_model(models: &mut BTreeMap<String, Model>, epoch: &FedEpoch, expire: bool) -> Vec<String> {
    let expiries = expiries(expire, epoch.clock);
    for model in models.values_mut() {
        model.forget_expired(epoch.clock);
    }
    let mut out = Vec::new();
    let mut called: Vec<String> = Vec::new();
    for (user, what, n) in &epoch.orders {
        let user = user.to_string();
        models.entry(user.clone()).or_default().order(ORDERS[*what], *n, expiries);
        if !called.contains(&user) {
            called.push(user);
        }
    }
    out.extend(called.iter().map(|user| models[user].shown(user, "rows")));
    let due = |times: fn(&Model) -> &BTreeSet<i64>, models: &BTreeMap<String, Model>, now: i64| {
        let of = |(user, model): (&String, &Model)| {
            times(model).range(..=now).map(|time| (*time, user.clone())).collect::<Vec<_>>()
        };
        models.iter().flat_map(of).collect::<BTreeSet<_>>()
    };
    for (time, user) in due(|model| &model.event, models, epoch.watermark) {
        let model = models.get_mut(&user).expect("it has a timer");
        if !model.event.contains(&time) {
            continue;
        }
        out.push(model.shown(&user, &Timer::Event(seconds(time)).to_string()));
        if time % 5 == 0 {
            model.event.insert(time - 2);
            model.event.remove(&(time + 1));
            model.list.push((time, expiries[1]));
        }
        model.event.remove(&time);
    }
    for (time, user) in due(|model| &model.processing, models, epoch.clock) {
        let model = models.get_mut(&user).expect("it has a timer");
        out.push(model.shown(&user, &Timer::Processing(seconds(time)).to_string()));
        model.processing.remove(&time);
    }
    models.retain(|_, model| !model.is_empty());
    out
}

fn seen(out: &Table) -> Vec<String> {
    let rows = out.rows::<Shown>().expect("rows of the output");
    let shown = rows
        .iter()
        .map(|row| format!("{} {} {:?} {} {} {}", row.user, row.call, row.value, row.list, row.map, row.timers));
    shown.collect()
}

/// The users that a table keeps something for.
fn users(harness: &mut OperatorHarness, table: &str) -> BTreeSet<String> {
    let rows = harness.state().expect("the state").table(table).expect("the table");
    let users = rows.select(&["user"]).expect("the key");
    users.rows::<User>().expect("a key").into_iter().map(|row| row.user).collect()
}

#[derive(watershed_core::row::Row)]
struct User {
    user: String,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn everything_is_as_maps_compute_it(
        epochs in epochs(),
        partitions in 1_usize..4,
        expire in any::<bool>(),
        restarts in any::<bool>(),
    ) {
        let mut harness = tested(expire, false).partitions(partitions).harness().expect("it opens");
        let mut models = BTreeMap::new();
        for (number, epoch) in epochs.iter().enumerate() {
            let lines = epoch.orders.iter().map(|(user, what, n)| format!("\n{user} | {} | {n}", ORDERS[*what]));
            harness.feed("in", format!("user | what | n{}", lines.collect::<String>())).expect("rows");
            harness.set_clock(seconds(epoch.clock)).expect("a time");
            if epoch.watermark > 0 {
                harness.set_watermark(seconds(epoch.watermark)).expect("it goes on");
            }
            let output = harness.end_epoch().expect("it runs");
            let before_the_first = FedEpoch { watermark: i64::MIN / 2, ..epoch.clone() };
            let epoch = if epoch.watermark > 0 { epoch } else { &before_the_first };
            let (mut seen, mut expected) = (seen(&output["out"]), run_model(&mut models, epoch, expire));
            if partitions > 1 {
                seen.sort();
                expected.sort();
            }
            prop_assert_eq!(seen, expected, "epoch {}", number);
            let of = |has: fn(&Model) -> bool| {
                models.iter().filter(|(_, model)| has(model)).map(|(user, _)| user.clone()).collect::<BTreeSet<_>>()
            };
            prop_assert_eq!(users(&mut harness, "value"), of(|model| model.value.is_some()));
            prop_assert_eq!(users(&mut harness, "list"), of(|model| !model.list.is_empty()));
            prop_assert_eq!(users(&mut harness, "map"), of(|model| !model.map.is_empty()));
            prop_assert_eq!(
                users(&mut harness, "timers"),
                of(|model| !model.event.is_empty() || !model.processing.is_empty())
            );
            if restarts {
                harness.crash().expect("the epoch is run again and puts out the same");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_answer_does_not_depend_on_how_it_is_computed(epochs in epochs(), expire in any::<bool>()) {
        let mut feed = Feed::new();
        for epoch in epochs {
            let lines = epoch.orders.iter().map(|(user, what, n)| format!("\n{user} | {} | {n}", ORDERS[*what]));
            feed = feed
                .rows("in", format!("user | what | n{}", lines.collect::<String>()))
                .watermark(seconds(epoch.watermark))
                .clock(seconds(epoch.clock))
                .end_epoch();
        }
        same_answer(&tested(expire, false), [feed], Epochs::Same).expect("the same");
    }
}
