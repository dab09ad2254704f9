//! Queries that put rows of two kinds together.

use super::super::answer::Cells;
use super::super::columns::Events;
use super::super::rows::{Auction, Bid, Person};
use super::super::side::{KEYS, value};
use super::Map;

pub(crate) fn q3(events: &Events) -> Vec<impl Cells> {
    let people: Map<i64, Person<&str>> = events.people().map(|person| (person.id, person)).collect();
    let mut answer = Vec::new();
    for auction in events.auctions().filter(|auction| auction.category == 10) {
        if let Some(person) = people.get(&auction.seller).filter(|person| ["OR", "ID", "CA"].contains(&person.state)) {
            answer.push((person.name, person.city, person.state, auction.id));
        }
    }
    answer
}

/// The winning bid of each auction that has one: the highest, of equal ones the earliest, while the auction is open.
fn winners(events: &Events) -> Vec<(Auction<&str>, Bid<&str>)> {
    let mut auctions: Map<i64, (Auction<&str>, Option<Bid<&str>>)> =
        events.auctions().map(|auction| (auction.id, (auction, None))).collect();
    for bid in events.bids() {
        if let Some((auction, best)) = auctions.get_mut(&bid.auction)
            && (auction.date_time..=auction.expires).contains(&bid.date_time)
            && best.is_none_or(|best| bid.price > best.price)
        {
            *best = Some(bid);
        }
    }
    auctions.into_values().filter_map(|(auction, best)| Some((auction, best?))).collect()
}

pub(crate) fn q4(events: &Events) -> Vec<impl Cells> {
    let mut categories: Map<i64, (i64, i64)> = Map::default();
    for (auction, bid) in winners(events) {
        let (sum, count) = categories.entry(auction.category).or_default();
        *sum += bid.price;
        *count += 1;
    }
    categories.into_iter().map(|(category, (sum, count))| (category, sum / count)).collect::<Vec<_>>()
}

pub(crate) fn q9(events: &Events) -> Vec<impl Cells> {
    let row = |(auction, bid): (_, Bid<_>)| (auction, bid.auction, bid.bidder, bid.price, bid.date_time, bid.extra);
    winners(events).into_iter().map(row).collect::<Vec<(Auction<&str>, _, _, _, _, &str)>>()
}

pub(crate) fn q13(events: &Events) -> Vec<impl Cells> {
    let values: Map<i64, String> = (0..KEYS).map(|key| (key, value(key))).collect();
    let mut answer = Vec::new();
    for bid in events.bids() {
        if let Some(value) = values.get(&(bid.auction % KEYS)) {
            answer.push((bid.auction, bid.bidder, bid.price, bid.date_time, value.clone()));
        }
    }
    answer
}

pub(crate) fn q20(events: &Events) -> Vec<impl Cells> {
    let auctions: Map<i64, Auction<&str>> =
        events.auctions().filter(|auction| auction.category == 10).map(|auction| (auction.id, auction)).collect();
    let mut answer = Vec::new();
    for bid in events.bids() {
        if let Some(auction) = auctions.get(&bid.auction) {
            let Auction {
                item_name,
                description,
                initial_bid,
                reserve,
                date_time,
                expires,
                seller,
                category,
                extra,
                ..
            } = *auction;
            let of_auction = (item_name, description, initial_bid, reserve, date_time, expires);
            answer.push((bid, of_auction, (seller, category, extra)));
        }
    }
    answer
}
