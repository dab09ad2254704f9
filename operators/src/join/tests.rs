//! Tables: texts of `on` and `select` to what becomes of them, or to faults and their places.

use std::ops::Range;

use watershed_core::fault::Fault;
use watershed_core::node::{OperatorSpec, OutputWatermark, Signature, StateNeed};
use watershed_core::schema::to_ddl;
use watershed_core::stream::{EventTimeKind, Mode, OutputMode, Stream};
use watershed_core::time::TimeSpan;

use super::condition::{Condition, Kept};
use super::scope::Side;
use super::words::note;
use super::{Join, JoinKind};
use crate::testing::{complete, stream, tag, tagged, update};

fn left() -> Stream {
    tagged(stream("k BIGINT, t TIMESTAMP, a BIGINT NOT NULL, User STRING, p STRUCT<m: INT>, `odd name` BIGINT"), "t")
}

fn right() -> Stream {
    let mut right = stream("k INT, u TIMESTAMP, b BIGINT NOT NULL, User STRING, day DATE");
    right.event_times.push(tag("u", EventTimeKind::Instant));
    right.watermarks.insert("other".to_owned());
    right
}

/// The same stream below no watermark.
fn untagged(mut stream: Stream) -> Stream {
    stream.event_times.clear();
    stream.watermarks.clear();
    stream
}

fn windowed(ddl: &str) -> Stream {
    let mut stream = stream(ddl);
    stream.event_times.push(tag("window_end", EventTimeKind::WindowEnd));
    stream.watermarks.insert("marked".to_owned());
    stream
}

fn join(kind: JoinKind, on: &str, select: &[&str]) -> Join {
    let select = select.iter().map(|text| (*text).to_owned()).collect();
    Join { kind, on: on.to_owned(), select, output_mode: OutputMode::Append }
}

fn signature(spec: &Join, left: &Stream, right: &Stream) -> Result<Signature, Vec<Fault>> {
    spec.signature(&[vec![left.clone()], vec![right.clone()]])
}

fn bound(on: &str, left: &Stream, right: &Stream) -> Condition {
    Condition::bind(on, left, right).unwrap_or_else(|faults| panic!("{on}: {faults:#?}"))
}

/// The bytes of `part` in `text`.
fn place(text: &str, part: &str) -> Range<usize> {
    let start = text.find(part).expect("the part is in the text");
    start..start + part.len()
}

#[test]
fn a_condition_is_taken_apart() {
    let keys = |condition: &Condition| -> Vec<String> {
        let shown = |pair: &super::condition::KeyPair| {
            format!(
                "{} {} {} {}",
                pair.left.text(),
                if pair.null_safe { "<=>" } else { "=" },
                pair.right.text(),
                pair.left.data_type()
            )
        };
        condition.keys.iter().map(shown).collect()
    };
    for (on, wanted, left_only, right_only, rest) in [
        ("left.User = right.User", &["left.User = right.User Utf8"][..], None, None, None),
        ("right.b = left.a", &["left.a = right.b Int64"], None, None, None),
        ("left.a IS NOT DISTINCT FROM right.b", &["left.a <=> right.b Int64"], None, None, None),
        ("left.k = right.k", &["left.k = CAST(right.k AS Int64) Int64"], None, None, None),
        ("left.a % 5 = right.b", &["left.a % Int64(5) = right.b Int64"], None, None, None),
        ("(left.`odd name` = right.b)", &["left.odd name = right.b Int64"], None, None, None),
        ("left.p.m = right.k", &["get_field(left.p, Utf8(\"m\")) = right.k Int32"], None, None, None),
        (
            "left.a = right.b AND (left.User = right.User AND left.a > 3) AND right.b < 9 AND left.k <> right.b AND 1 = 1",
            &["left.a = right.b Int64", "left.User = right.User Utf8"],
            Some("left.a > 3"),
            Some("right.b < 9"),
            Some("left.k <> right.b AND 1 = 1"),
        ),
        (
            "left.a = right.b AND left.User = 'x' AND left.k = left.a AND now() < left.t AND (left.a = 1 OR right.b = 2)",
            &["left.a = right.b Int64"],
            Some("left.User = 'x' AND left.k = left.a AND now() < left.t"),
            None,
            Some("left.a = 1 OR right.b = 2"),
        ),
        (
            "left.a = right.b AND left.a + right.b = 4 AND left(right.User, 1) = 'x'",
            &["left.a = right.b Int64"],
            None,
            Some("left(right.User, 1) = 'x'"),
            Some("left.a + right.b = 4"),
        ),
    ] {
        let condition = bound(on, &left(), &right());
        let text = |part: &Option<crate::sql::Expression>| part.as_ref().map(|part| part.text().to_owned());
        assert_eq!(keys(&condition), wanted, "{on}");
        assert_eq!(text(&condition.left_only).as_deref(), left_only, "{on}");
        assert_eq!(text(&condition.right_only).as_deref(), right_only, "{on}");
        assert_eq!(text(&condition.rest).as_deref(), rest, "{on}");
    }
}

#[test]
fn a_bad_condition_is_placed_in_its_text() {
    for (on, part, code, words) in [
        ("k = right.k", "k", "unqualified_column", "`left.k` or `right.k`"),
        ("a = right.k", "a", "unqualified_column", "write `left.a`"),
        ("left.k = User", "User", "unqualified_column", "`left.User` or `right.User`"),
        ("p.m = right.k", "p", "unqualified_column", "write `left.p`"),
        ("left.k = right.kk", "kk", "unknown_column", "did you mean `k`?"),
        ("left.k = right.a", "a", "unknown_column", "columns are `k`, `u`, `b`, `User` and `day`"),
        ("left.k = right.k AND left.p.n = 1", "n", "unknown_column", "its fields are `m`"),
        ("left.k = right.k AND zzz > 1", "zzz", "unknown_column", "`left.k`, `left.t`"),
        ("left.User = \"x\"", "\"x\"", "unknown_column", "text is written 'x'"),
        ("left.k = right.k AND left.a", "left.a", "not_a_condition", "compare it"),
        ("left.k + right.k", "left.k + right.k", "not_a_condition", "compare it"),
        ("left.k = right.k AND left.p > 1", "left.p > 1", "bad_expression", ""),
        ("left.k = right.k AND random() < 0.5", "random", "unrepeatable_function", ""),
        ("left.k = right.k AND count(left.a) > 1", "count", "aggregate", ""),
        ("left.k = right.k AND nope(left.a)", "nope", "unknown_function", ""),
        ("left.k = (SELECT 1)", "left.k = (SELECT 1)", "subquery", ""),
        ("left.k = ", "", "bad_expression", ""),
        ("left.k > right.k", "", "no_join_key", "`left.key = right.key`"),
        ("left.k = right.k OR left.a = right.b", "", "no_join_key", "inside of `OR`"),
        ("left.k = 3", "", "no_join_key", ""),
    ] {
        let found = signature(&join(JoinKind::Inner, on, &["left.k"]), &left(), &right()).expect_err(on);
        assert_eq!(found.len(), 1, "{on}: {found:#?}");
        let fault = &found[0];
        let wanted = match part {
            "" if code == "no_join_key" => None,
            "" => Some(on.trim_end().len()..on.trim_end().len()),
            part => Some(place(on, part)),
        };
        assert_eq!((fault.code, fault.within.clone(), &fault.path), (code, wanted, &vec!["on".into()]), "{fault:?}");
        assert!(fault.help.clone().unwrap_or_default().contains(words), "{on}: {fault:?}");
    }
    let found = signature(
        &join(JoinKind::Inner, "k = right.kk AND nope(left.a)", &["t", "left.*", "left.t"]),
        &left(),
        &right(),
    )
    .expect_err("all at once");
    let codes: Vec<_> = found.iter().map(|fault| (fault.code, fault.path.len())).collect();
    let wanted = [
        ("unqualified_column", 1),
        ("unknown_column", 1),
        ("unknown_function", 1),
        ("unqualified_column", 2),
        ("duplicate_column", 2),
    ];
    assert_eq!(codes, wanted);
}

#[test]
fn bounds_are_those_of_the_table_in_semantics() {
    let for_ever = "for ever";
    for (on, lefts, rights) in [
        // `right` may be older at will, or younger at will.
        ("left.t > right.u - INTERVAL '8 minutes'", "`t` + 8m", for_ever),
        ("left.t >= right.u - INTERVAL '8 minutes'", "`t` + 8m 1ms", for_ever),
        ("left.t < right.u - INTERVAL '5 seconds'", for_ever, "`u` - 5s"),
        ("left.t <= right.u - INTERVAL '5 seconds'", for_ever, "`u` - 4s 999ms"),
        ("right.u < left.t + INTERVAL '8 minutes'", "`t` + 8m", for_ever),
        ("right.u - INTERVAL '8 minutes' < left.t", "`t` + 8m", for_ever),
        ("left.t > right.u", "`t`", for_ever),
        ("left.t >= right.u", "`t` + 1ms", for_ever),
        (
            "left.t BETWEEN right.u - INTERVAL '5 seconds' AND right.u + INTERVAL '3 seconds'",
            "`t` + 5s 1ms",
            "`u` + 3s 1ms",
        ),
        ("right.u BETWEEN left.t AND left.t + INTERVAL '1 day'", "`t` + 1day 1ms", "`u` + 1ms"),
        ("left.t - right.u <= INTERVAL '5 seconds'", for_ever, "`u` + 5s 1ms"),
        ("left.t - right.u <= INTERVAL '2 days'", for_ever, "`u` + 2days 1ms"),
        ("left.t - right.u > -INTERVAL '5 seconds'", "`t` + 5s", for_ever),
        ("left.t + INTERVAL '1 minute' > right.u + INTERVAL '90 seconds'", "`t` - 30s", for_ever),
        (
            "INTERVAL '1 minute' + left.t > right.u - (INTERVAL '1 minute' + INTERVAL '60 seconds')",
            "`t` + 3m",
            for_ever,
        ),
        ("left.t + INTERVAL '1 minute' = right.u - INTERVAL '1 minute'", "`t` + 2m 1ms", "`u` - 1m 59s 999ms"),
        ("left.t + (right.u - left.t) > left.t", for_ever, "`u`"),
        // The tightest counts.
        ("left.t > right.u - INTERVAL '8 minutes' AND left.t > right.u - INTERVAL '7 minutes'", "`t` + 7m", for_ever),
        // A key is enough for both sides.
        ("left.t = right.u", "their key `left.t`", "their key `right.u`"),
        ("left.t = right.u + INTERVAL '5 seconds'", "their key `left.t`", "their key `right.u + "),
        ("date_trunc('day', left.t) = right.u", "their key `date_trunc(", "their key `right.u`"),
        ("left.t = right.u AND left.t > right.u - INTERVAL '5 seconds'", "their key `left.t`", "their key `right.u`"),
        // These prove nothing.
        ("left.t > right.u - INTERVAL '1 month'", for_ever, for_ever),
        ("left.t <> right.u", for_ever, for_ever),
        ("left.t > right.u - (right.u - right.day)", for_ever, for_ever),
        ("(left.t > right.u OR left.a = 1)", for_ever, for_ever),
        ("NOT left.t BETWEEN right.u AND right.u + INTERVAL '1 second'", for_ever, for_ever),
        ("date_trunc('day', left.t) >= right.u", for_ever, for_ever),
        ("date_trunc('day', left.t) = date_trunc('day', right.u)", for_ever, for_ever),
        ("left.t > TIMESTAMP '2020-01-01T00:00:00Z'", for_ever, for_ever),
    ] {
        let condition = bound(&format!("left.k = right.k AND {on}"), &left(), &right());
        for (side, wanted) in [(Side::Left, lefts), (Side::Right, rights)] {
            let seen = note(&condition, side);
            let wanted = match wanted {
                "for ever" => format!("{} rows are kept for ever: ", side.name()),
                wanted => format!("{} rows are kept until the watermark passes {wanted}", side.name()),
            };
            let fits = if wanted.ends_with('`') || wanted.ends_with(['s', 'm']) {
                seen == wanted
            } else {
                seen.starts_with(&wanted)
            };
            assert!(fits, "{on}\n  seen   {seen}\n  wanted {wanted}");
        }
    }
}

#[test]
fn a_bound_takes_event_time_where_it_is_needed() {
    let (range, key) = ("left.k = right.k AND left.t > right.u - INTERVAL '5 seconds'", "left.t = right.u");
    for (left, right, on, is_bounded, words) in [
        (
            left(),
            right(),
            "left.k = right.k",
            [false, false],
            ["a partner's `right.u` may be", "a partner's `left.t` may be"],
        ),
        (
            untagged(left()),
            untagged(right()),
            range,
            [false, false],
            ["no watermark is above", "no watermark is above"],
        ),
        (untagged(left()), right(), range, [false, false], ["left rows have no age", "above the left, so left rows"]),
        (left(), untagged(right()), range, [false, false], ["so right rows may come", "right rows have no age"]),
        // The window of the one side that has a watermark bounds both.
        (untagged(left()), right(), key, [true, true], ["", ""]),
        (left(), untagged(right()), key, [true, true], ["", ""]),
        (untagged(left()), untagged(right()), key, [false, false], ["no watermark is above", "no watermark is above"]),
        (
            left(),
            right(),
            "left.k = right.k AND left.t > right.u - INTERVAL '2 months'",
            [false, false],
            ["counts in months", "months"],
        ),
    ] {
        let condition = bound(on, &left, &right);
        for side in Side::BOTH {
            assert_eq!(condition.kept(side) != Kept::ForEver, is_bounded[side.place()], "{on}: {condition:#?}");
            assert!(note(&condition, side).contains(words[side.place()]), "{on}: {}", note(&condition, side));
        }
    }
}

#[test]
fn the_end_of_a_window_is_its_own_time() {
    let (left, right) = (windowed("k BIGINT, window_end TIMESTAMP"), windowed("k BIGINT, window_end TIMESTAMP"));
    let condition = bound("left.k = right.k AND left.window_end = right.window_end", &left, &untagged(right.clone()));
    for side in Side::BOTH {
        let Kept::Until { time, kind, extra } = condition.kept(side) else { panic!("{condition:?}") };
        assert_eq!((time, kind, extra), (super::condition::Moment::Key(1), EventTimeKind::WindowEnd, TimeSpan::ZERO));
    }
    let condition =
        bound("left.k = right.k AND left.window_end > right.window_end - INTERVAL '1 minute'", &left, &right);
    assert_eq!(note(&condition, Side::Left), "left rows are kept until the watermark passes `window_end` + 1m");
}

#[test]
fn of_several_event_times_the_condition_names_one() {
    let left = tagged(left(), "t2");
    let left = Stream { schema: stream("k BIGINT, t TIMESTAMP, t2 TIMESTAMP").schema, ..left };
    let named = bound("left.k = right.k AND left.t2 >= right.u", &left, &right());
    assert_eq!(named.left_time.map(|time| time.name).as_deref(), Some("t2"));
    for on in ["left.k = right.k", "left.k = right.k AND left.t > left.t2"] {
        let found = Condition::bind(on, &left, &right()).expect_err(on);
        assert_eq!(found.iter().map(|fault| fault.code).collect::<Vec<_>>(), ["several_event_times"]);
        assert!(found[0].message.contains("`left.t` and `left.t2`"), "{found:?}");
    }
}

const RANGE: &str =
    "left.k = right.k AND left.t BETWEEN right.u - INTERVAL '5 seconds' AND right.u + INTERVAL '3 seconds'";

#[test]
fn what_comes_out_is_typed() {
    for (kind, select, wanted, tags) in [
        (
            JoinKind::Inner,
            &["left.a", "right.u AS clicked", "left.a + right.b AS sum", "left.t"][..],
            "a BIGINT NOT NULL, clicked TIMESTAMP, sum BIGINT NOT NULL, t TIMESTAMP",
            &["clicked", "t"][..],
        ),
        (JoinKind::LeftOuter, &["left.a", "right.b", "right.u"], "a BIGINT NOT NULL, b BIGINT, u TIMESTAMP", &["u"]),
        (JoinKind::RightOuter, &["left.a", "right.b"], "a BIGINT, b BIGINT NOT NULL", &[]),
        (
            JoinKind::FullOuter,
            &["left.a", "right.b", "right.b IS NULL AS alone"],
            "a BIGINT, b BIGINT, alone BOOLEAN NOT NULL",
            &[],
        ),
        (JoinKind::LeftSemi, &["left.a + 1", "left.t AS at"], "`left.a + 1` BIGINT NOT NULL, at TIMESTAMP", &["at"]),
        (
            JoinKind::Inner,
            &["right.*", "left.a"],
            "k INT, u TIMESTAMP, b BIGINT NOT NULL, User STRING, day DATE, a BIGINT NOT NULL",
            &["u"],
        ),
        (
            JoinKind::LeftSemi,
            &[],
            "k BIGINT, t TIMESTAMP, a BIGINT NOT NULL, User STRING, p STRUCT<m: INT>, `odd name` BIGINT",
            &["t"],
        ),
        (JoinKind::Inner, &["left.t + INTERVAL '1 second' AS t"], "t TIMESTAMP", &[]),
    ] {
        let found =
            signature(&join(kind, RANGE, select), &left(), &right()).unwrap_or_else(|faults| panic!("{faults:#?}"));
        let output = &found.outputs[0];
        assert_eq!(to_ddl(&output.schema), wanted);
        assert_eq!(output.event_times.iter().map(|tag| tag.column.as_str()).collect::<Vec<_>>(), tags);
        assert_eq!(output.watermarks.iter().map(String::as_str).collect::<Vec<_>>(), ["marked", "other"]);
        assert_eq!((&output.mode, found.state, found.wakes), (&Mode::Append, StateNeed::Bounded, true));
        assert_eq!(found.watermark, OutputWatermark::HeldBack(TimeSpan::from_millis(5_001)));
        assert_eq!(found.outputs[1..], [left(), right()]);
    }
}

#[test]
fn a_bad_select_is_placed() {
    for (kind, select, index, part, code) in [
        (JoinKind::Inner, &["left.a", "a"][..], 1, Some("a"), "unqualified_column"),
        (JoinKind::Inner, &["left.a + right.zz AS x"], 0, Some("zz"), "unknown_column"),
        (JoinKind::Inner, &["left.k", "right.k"], 1, None, "duplicate_column"),
        (JoinKind::LeftSemi, &["left.k", "right.b"], 1, Some("right.b"), "no_such_side"),
        (JoinKind::LeftSemi, &["left.a + right.b AS x"], 0, Some("left.a + right.b"), "no_such_side"),
    ] {
        let found = signature(&join(kind, RANGE, select), &left(), &right()).expect_err("a bad select");
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!((found[0].code, &found[0].path), (code, &vec!["select".into(), index.into()]));
        assert_eq!(found[0].within, part.map(|part| place(select[index], part)), "{found:?}");
    }
    let found = signature(&join(JoinKind::Inner, RANGE, &[]), &left(), &right()).expect_err("names clash");
    let names: Vec<_> = found.iter().map(|fault| (fault.code, fault.path.is_empty())).collect();
    assert_eq!(names, [("duplicate_column", true), ("duplicate_column", true)]);
    assert!(found[0].help.as_deref().is_some_and(|help| help.contains("\"left.k AS left_k\", \"right.k AS right_k\"")));
}

#[test]
fn the_watermark_is_held_back_by_what_is_kept_longest() {
    let held_back = |micros| OutputWatermark::HeldBack(TimeSpan::from_micros(micros));
    for (on, wanted) in [
        ("left.k = right.k", OutputWatermark::Input),
        ("left.t = right.u", OutputWatermark::Input),
        ("left.k = right.k AND left.t < right.u - INTERVAL '5 seconds'", OutputWatermark::Input),
        ("left.k = right.k AND left.t > right.u - INTERVAL '5 seconds'", held_back(5_000_000)),
        (RANGE, held_back(5_001_000)),
    ] {
        let found = signature(&join(JoinKind::Inner, on, &["left.k"]), &left(), &right()).expect("an inner join");
        assert_eq!(found.watermark, wanted, "{on}");
    }
}

#[test]
fn a_side_that_nothing_bounds_is_a_warning() {
    let found = signature(&join(JoinKind::Inner, "left.k = right.k", &["left.k"]), &left(), &right()).expect("a join");
    let messages: Vec<&str> = found.warnings.iter().map(|fault| fault.message.as_str()).collect();
    assert_eq!((found.state, found.wakes), (StateNeed::Unbounded, false));
    assert!(messages[0].starts_with("left rows are kept for ever: "), "{messages:?}");
    assert!(messages[1].starts_with("right rows are kept for ever: "), "{messages:?}");
    let one_sided = "left.k = right.k AND left.t > right.u - INTERVAL '5 seconds'";
    let found = signature(&join(JoinKind::FullOuter, one_sided, &["left.k"]), &left(), &right()).expect("a join");
    assert_eq!(found.warnings.len(), 1);
    assert!(found.warnings[0].message.contains("those without a partner never come out"), "{:?}", found.warnings);
    assert!(found.wakes);
}

#[test]
fn what_cannot_be_joined_is_refused_once() {
    let plain = "left.k = right.k";
    let earlier = "left.k = right.k AND left.t < right.u";
    for (kind, on, left, right, code, words) in [
        (JoinKind::LeftOuter, plain, left(), right(), "unbounded_outer_join", "how much later than `left.t`"),
        (JoinKind::LeftOuter, earlier, left(), right(), "unbounded_outer_join", "a left row can find no partner"),
        (
            JoinKind::LeftSemi,
            plain,
            untagged(left()),
            untagged(right()),
            "unbounded_outer_join",
            "no watermark is above",
        ),
        (
            JoinKind::LeftOuter,
            RANGE,
            left(),
            untagged(right()),
            "unbounded_outer_join",
            "no watermark is above the right",
        ),
        (JoinKind::RightOuter, plain, left(), right(), "unbounded_outer_join", "a right row can find no partner"),
        (JoinKind::FullOuter, plain, left(), right(), "unbounded_outer_join", "`FullOuter` needs a time"),
        (JoinKind::LeftAnti, RANGE, left(), right(), "anti_join_of_streams", "`LeftAnti` is for tables"),
        (JoinKind::Inner, RANGE, update(left(), &["k"]), right(), "mode_not_accepted", "`Join` takes facts"),
        (JoinKind::Inner, RANGE, complete(left(), &["k"]), right(), "mode_not_accepted", "mode `Complete`"),
        (JoinKind::Inner, RANGE, left(), update(right(), &["k"]), "mode_not_accepted", "mode `Update`"),
        (
            JoinKind::RightOuter,
            plain,
            left(),
            complete(right(), &["k"]),
            "outer_join_of_table",
            "`RightOuter` cannot be",
        ),
        (JoinKind::FullOuter, plain, left(), complete(right(), &["k"]), "outer_join_of_table", "`FullOuter` cannot be"),
    ] {
        let found = signature(&join(kind, on, &["left.k"]), &left, &right).expect_err(on);
        assert_eq!(found.iter().map(|fault| fault.code).collect::<Vec<_>>(), [code], "{kind:?} {on}: {found:#?}");
        assert!(found[0].message.contains(words), "{found:?}");
        assert!(found[0].help.is_some(), "{found:?}");
    }
    for (kind, mode, is_refused) in [
        (JoinKind::Inner, OutputMode::Update, false),
        (JoinKind::Inner, OutputMode::Complete, true),
        (JoinKind::LeftOuter, OutputMode::Update, true),
        (JoinKind::LeftSemi, OutputMode::Complete, true),
    ] {
        let spec = Join { output_mode: mode, ..join(kind, RANGE, &["left.k"]) };
        let codes: Vec<_> =
            signature(&spec, &left(), &right()).err().into_iter().flatten().map(|fault| fault.code).collect();
        assert_eq!(codes, if is_refused { vec!["bad_output_mode"] } else { vec![] }, "{spec:?}");
    }
}

#[test]
fn a_table_on_the_right_needs_no_bound_and_gives_no_event_time() {
    let table = complete(right(), &["k"]);
    for kind in [JoinKind::Inner, JoinKind::LeftOuter, JoinKind::LeftSemi, JoinKind::LeftAnti] {
        let found =
            signature(&join(kind, "left.k = right.k", &["left.k", "left.t"]), &left(), &table).expect("a look-up");
        assert_eq!((found.state, found.watermark), (StateNeed::Bounded, OutputWatermark::Input));
        assert_eq!((found.outputs[0].watermarks.clone(), found.warnings.len()), (left().watermarks, 0));
        assert_eq!(found.outputs[0].event_times, left().event_times);
    }
}

#[test]
fn a_node_that_says_only_what_it_must_is_read() {
    let read: Join = serde_json::from_str(r#"{"kind": "LeftSemi", "on": "left.k = right.k"}"#).expect("a join");
    assert_eq!(read, join(JoinKind::LeftSemi, "left.k = right.k", &[]));
    assert_eq!(serde_json::to_string(&read).expect("writes"), r#"{"kind":"LeftSemi","on":"left.k = right.k"}"#);
}
