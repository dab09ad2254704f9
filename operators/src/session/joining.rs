//! Spans of time that become sessions: sorted by key and start, each joins the one before it if it does not begin after its end.

/// A stretch of time of a key, from `start` to `end`, which is at or after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// The number of its key.
    pub(super) key: u32,
    pub(super) start: i64,
    /// Exclusive; but a span that starts here touches this one, and joins it.
    pub(super) end: i64,
}

/// What has become of sessions that were kept and of spans that are new.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Joined {
    /// The sessions that a new span is part of, in the order of the first of these spans.
    pub(super) sessions: Vec<Span>,
    /// The kept sessions that are part of one of `sessions` now, and of which, in the order of key and time. The others stay as they
    /// are.
    pub(super) met: Vec<(u32, usize)>,
    /// For each new span, which of `sessions` it is part of.
    pub(super) of_new: Vec<usize>,
    /// For each of `sessions`, the first new span in it.
    pub(super) first_new: Vec<u32>,
}

/// Joins what overlaps or touches.
pub(super) fn join(kept: &[Span], new: &[Span]) -> Joined {
    let span = |index: u32| {
        let index = index as usize;
        kept.get(index).unwrap_or_else(|| &new[index - kept.len()])
    };
    let mut order: Vec<u32> = (0..(kept.len() + new.len()) as u32).collect();
    order.sort_unstable_by_key(|&index| (span(index).key, span(index).start, index));
    let mut joined: Vec<Span> = Vec::new();
    let mut joined_of = vec![0; order.len()];
    for &index in &order {
        let next = span(index);
        match joined.last_mut() {
            Some(last) if last.key == next.key && next.start <= last.end => last.end = last.end.max(next.end),
            _ => joined.push(*next),
        }
        joined_of[index as usize] = joined.len() - 1;
    }
    let joined_of_new = &joined_of[kept.len()..];
    let mut number_of: Vec<Option<usize>> = vec![None; joined.len()];
    let (mut sessions, mut first_new) = (Vec::new(), Vec::new());
    let of_new = joined_of_new.iter().zip(0..).map(|(&place, row)| {
        *number_of[place].get_or_insert_with(|| {
            sessions.push(joined[place]);
            first_new.push(row);
            sessions.len() - 1
        })
    });
    let of_new = of_new.collect();
    let is_kept = |index: &u32| (*index as usize) < kept.len();
    let met = |index: u32| number_of[joined_of[index as usize]].map(|session| (index, session));
    let met = order.into_iter().filter(is_kept).filter_map(met).collect();
    Joined { sessions, met, of_new, first_new }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn span(key: u32, start: i64, end: i64) -> Span {
        Span { key, start, end }
    }

    #[test]
    fn what_overlaps_or_touches_is_one_session() {
        for (what, kept, new, sessions, met, of_new) in [
            ("alone", vec![], vec![(10, 15)], vec![(10, 15)], vec![], vec![0]),
            ("touching", vec![], vec![(10, 15), (15, 20)], vec![(10, 20)], vec![], vec![0, 0]),
            ("a moment apart", vec![], vec![(10, 15), (16, 20)], vec![(10, 15), (16, 20)], vec![], vec![0, 1]),
            (
                "out of order",
                vec![],
                vec![(30, 35), (10, 15), (34, 39)],
                vec![(30, 39), (10, 15)],
                vec![],
                vec![0, 1, 0],
            ),
            ("within", vec![], vec![(10, 40), (20, 25), (41, 46)], vec![(10, 40), (41, 46)], vec![], vec![0, 0, 1]),
            ("grown", vec![(10, 15)], vec![(12, 17)], vec![(10, 17)], vec![(0, 0)], vec![0]),
            ("grown backwards", vec![(10, 15)], vec![(5, 10)], vec![(5, 15)], vec![(0, 0)], vec![0]),
            ("not met", vec![(10, 15)], vec![(30, 35)], vec![(30, 35)], vec![], vec![0]),
            ("bridged", vec![(10, 15), (20, 25)], vec![(15, 20)], vec![(10, 25)], vec![(0, 0), (1, 0)], vec![0]),
        ] {
            let spans = |pairs: Vec<(i64, i64)>| -> Vec<Span> {
                pairs.into_iter().map(|(start, end)| span(7, start, end)).collect()
            };
            let joined = join(&spans(kept), &spans(new));
            assert_eq!((joined.sessions, joined.met, joined.of_new), (spans(sessions), met, of_new), "{what}");
        }
    }

    #[test]
    fn keys_do_not_meet() {
        let joined = join(&[span(0, 0, 10), span(1, 0, 10)], &[span(1, 10, 20), span(2, 5, 15)]);
        assert_eq!(joined.sessions, [span(1, 0, 20), span(2, 5, 15)]);
        assert_eq!((joined.met, joined.of_new, joined.first_new), (vec![(1, 0)], vec![0, 1], vec![0, 1]));
    }

    proptest! {
        /// A session is a stretch of time throughout which spans go on, as long as there is any.
        #[test]
        fn sessions_are_the_stretches_that_spans_cover(pairs in vec((0_u32..3, 0_i64..60, 0_i64..6), 1..20), kept in 0_usize..20) {
            let spans: Vec<Span> = pairs.into_iter().map(|(key, start, gap)| span(key, start, start + gap)).collect();
            let (earlier, new) = spans.split_at(kept.min(spans.len() - 1));
            // What is kept has been joined before.
            let kept = join(&[], earlier).sessions;
            let joined = join(&kept, new);
            let goes_on = |key: u32, moment: i64| {
                spans.iter().any(|span| span.key == key && span.start <= moment && moment < span.end)
            };
            for session in &joined.sessions {
                prop_assert!(!goes_on(session.key, session.start - 1) && !goes_on(session.key, session.end));
                prop_assert!((session.start..session.end).all(|moment| goes_on(session.key, moment)));
            }
            for (span, session) in new.iter().zip(&joined.of_new) {
                let session = joined.sessions[*session];
                prop_assert!(session.key == span.key && session.start <= span.start && span.end <= session.end);
            }
            // Whatever was kept, all at once gives the same.
            let is_met = |place: u32| joined.met.iter().any(|(met, _)| *met == place);
            let untouched = kept.iter().zip(0..).filter(|(_, place)| !is_met(*place));
            let mut step_by_step: Vec<Span> = joined.sessions.iter().chain(untouched.map(|(kept, _)| kept)).copied().collect();
            let mut at_once = join(&[], &spans).sessions;
            for sessions in [&mut step_by_step, &mut at_once] {
                sessions.sort_by_key(|session| (session.key, session.start));
            }
            prop_assert_eq!(step_by_step, at_once);
        }
    }
}
