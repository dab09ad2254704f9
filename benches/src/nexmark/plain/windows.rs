//! Queries about windows of time.

use super::super::answer::Cells;
use super::super::columns::Events;
use super::super::generator::START_MICROS;
use super::super::rows::Bid;
use super::{Map, SECOND, Set, start_of};

const SIZE: i64 = 10 * SECOND;
const SLIDE: i64 = 2 * SECOND;

pub(crate) fn q5(events: &Events) -> Vec<impl Cells> {
    let mut counts: Map<(i64, i64), i64> = Map::default();
    for bid in events.bids() {
        let last = start_of(bid.date_time, SLIDE);
        for start in (0..SIZE / SLIDE).map(|back| last - back * SLIDE) {
            *counts.entry((start, bid.auction)).or_default() += 1;
        }
    }
    let mut most: Map<i64, i64> = Map::default();
    for (&(start, _), &count) in &counts {
        let most = most.entry(start).or_default();
        *most = count.max(*most);
    }
    let hot = counts.into_iter().filter(|((start, _), count)| most[start] == *count);
    hot.map(|((_, auction), count)| (auction, count)).collect::<Vec<_>>()
}

pub(crate) fn q7(events: &Events) -> Vec<impl Cells> {
    let mut highest: Map<i64, i64> = Map::default();
    for bid in events.bids() {
        let highest = highest.entry(start_of(bid.date_time, SIZE)).or_default();
        *highest = bid.price.max(*highest);
    }
    let mut answer = Vec::new();
    for bid in events.bids() {
        let start = start_of(bid.date_time, SIZE);
        // The benchmark's condition takes in the very end of a window, which is the start of the next.
        let before = (bid.date_time == start).then_some(start - SIZE);
        for start in [Some(start), before].into_iter().flatten() {
            if highest.get(&start) == Some(&bid.price) {
                answer.push((bid.auction, bid.bidder, bid.price, bid.date_time, bid.extra));
            }
        }
    }
    answer
}

pub(crate) fn q8(events: &Events) -> Vec<impl Cells> {
    let sellers: Set<(i64, i64)> =
        events.auctions().map(|auction| (auction.seller, start_of(auction.date_time, SIZE))).collect();
    let mut answer = Vec::new();
    for person in events.people() {
        let start = start_of(person.date_time, SIZE);
        if sellers.contains(&(person.id, start)) {
            answer.push((person.id, person.name, start));
        }
    }
    answer
}

/// A stretch in which a person bids, again and again within the gap.
struct Session {
    start: i64,
    last: i64,
    bids: i64,
}

pub(crate) fn q11(events: &Events) -> Vec<impl Cells> {
    const GAP: i64 = 10 * SECOND;
    let row = |bidder, session: &Session| (bidder, session.bids, session.start, session.last + GAP);
    let mut open: Map<i64, Session> = Map::default();
    let mut answer = Vec::new();
    for Bid { bidder, date_time, .. } in events.bids() {
        let session = open.entry(bidder).or_insert(Session { start: date_time, last: date_time, bids: 0 });
        if date_time > session.last + GAP {
            answer.push(row(bidder, session));
            *session = Session { start: date_time, last: date_time, bids: 0 };
        }
        session.last = date_time;
        session.bids += 1;
    }
    answer.extend(open.iter().map(|(&bidder, session)| row(bidder, session)));
    answer
}

/// The clock stands still while the answers are compared, so all bids are in one window.
pub(crate) fn q12(events: &Events) -> Vec<impl Cells> {
    let mut counts: Map<i64, i64> = Map::default();
    for bid in events.bids() {
        *counts.entry(bid.bidder).or_default() += 1;
    }
    let start = start_of(START_MICROS, SIZE);
    counts.into_iter().map(|(bidder, count)| (bidder, count, start, start + SIZE)).collect::<Vec<_>>()
}
