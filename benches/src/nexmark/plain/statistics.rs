//! Queries that keep a row for every key, for ever.

use arrow::temporal_conversions::timestamp_us_to_datetime;

use super::super::answer::Cells;
use super::super::columns::Events;
use super::super::rows::Bid;
use super::{DAY, MINUTE, Map, Set, start_of};

/// The places of counts of all bids and of those of a price: below a hundred, below ten thousand, and above.
const ALL: usize = 0;

fn rank(price: i64) -> usize {
    match price {
        ..10_000 => 1,
        10_000..1_000_000 => 2,
        1_000_000.. => 3,
    }
}

/// How a time is written.
fn written(micros: i64, format: &str) -> String {
    timestamp_us_to_datetime(micros).map_or_else(String::new, |time| time.format(format).to_string())
}

fn day(micros: i64) -> String {
    written(micros, "%Y-%m-%d")
}

#[derive(Default)]
struct Participation {
    bids: [i64; 4],
    bidders: [Set<i64>; 4],
    auctions: [Set<i64>; 4],
    /// The latest minute of the day.
    minute: i64,
}

impl Participation {
    fn add(&mut self, bid: &Bid<&str>) {
        for place in [ALL, rank(bid.price)] {
            self.bids[place] += 1;
            self.bidders[place].insert(bid.bidder);
            self.auctions[place].insert(bid.auction);
        }
        self.minute = self.minute.max(start_of(bid.date_time, MINUTE));
    }

    fn counts(&self) -> impl Cells + use<> {
        let distinct = |sets: &[Set<i64>; 4]| sets.each_ref().map(|set| set.len() as i64);
        [self.bids, distinct(&self.bidders), distinct(&self.auctions)]
    }
}

pub(crate) fn q15(events: &Events) -> Vec<impl Cells> {
    let mut days: Map<i64, Participation> = Map::default();
    for bid in events.bids() {
        days.entry(start_of(bid.date_time, DAY)).or_default().add(&bid);
    }
    days.into_iter().map(|(start, of_day)| (day(start), of_day.counts())).collect::<Vec<_>>()
}

pub(crate) fn q16(events: &Events) -> Vec<impl Cells> {
    let mut channels: Map<(&str, i64), Participation> = Map::default();
    for bid in events.bids() {
        channels.entry((bid.channel, start_of(bid.date_time, DAY))).or_default().add(&bid);
    }
    let row = |((channel, start), of_channel): ((_, i64), Participation)| {
        (channel, day(start), written(of_channel.minute, "%H:%M"), of_channel.counts())
    };
    channels.into_iter().map(row).collect::<Vec<_>>()
}

#[derive(Default)]
struct Prices {
    bids: [i64; 4],
    sum: i64,
    /// The least and the most.
    range: Option<(i64, i64)>,
}

pub(crate) fn q17(events: &Events) -> Vec<impl Cells> {
    let mut auctions: Map<(i64, i64), Prices> = Map::default();
    for bid in events.bids() {
        let prices = auctions.entry((bid.auction, start_of(bid.date_time, DAY))).or_default();
        prices.bids[ALL] += 1;
        prices.bids[rank(bid.price)] += 1;
        prices.sum += bid.price;
        let (least, most) = prices.range.unwrap_or((bid.price, bid.price));
        prices.range = Some((least.min(bid.price), most.max(bid.price)));
    }
    let row = |((auction, start), Prices { bids, sum, range }): ((i64, i64), Prices)| {
        let (least, most) = range.unwrap_or_default();
        (auction, day(start), bids, least, most, sum / bids[ALL], sum)
    };
    auctions.into_iter().map(row).collect::<Vec<_>>()
}

pub(crate) fn q18(events: &Events) -> Vec<impl Cells> {
    // Bids come in the order of their time, so the last to come is the last.
    let last: Map<(i64, i64), Bid<&str>> = events.bids().map(|bid| ((bid.bidder, bid.auction), bid)).collect();
    last.into_values().collect::<Vec<_>>()
}

pub(crate) fn q19(events: &Events) -> Vec<impl Cells> {
    const PLACES: usize = 10;
    let mut auctions: Map<i64, Vec<Bid<&str>>> = Map::default();
    for bid in events.bids() {
        let highest = auctions.entry(bid.auction).or_default();
        // Of bids alike, the first to come is ahead.
        let place = highest.partition_point(|other| other.price >= bid.price);
        if place < PLACES {
            highest.insert(place, bid);
            highest.truncate(PLACES);
        }
    }
    let ranked = |bids: Vec<Bid<_>>| bids.into_iter().zip(1_i64..);
    auctions.into_values().flat_map(ranked).collect::<Vec<(Bid<&str>, _)>>()
}
