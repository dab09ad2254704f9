//! Queries that look at each bid alone.

use super::super::answer::{Cells, Thousandths};
use super::super::columns::Events;
use super::super::rows::Bid;
use super::{DAY, HOUR};

pub(crate) fn q0(events: &Events) -> Vec<impl Cells> {
    events.bids().map(|bid| (bid.auction, bid.bidder, bid.price, bid.date_time, bid.extra)).collect::<Vec<_>>()
}

pub(crate) fn q1(events: &Events) -> Vec<impl Cells> {
    let row = |bid: Bid<_>| (bid.auction, bid.bidder, Thousandths(908 * bid.price), bid.date_time, bid.extra);
    events.bids().map(row).collect::<Vec<_>>()
}

pub(crate) fn q2(events: &Events) -> Vec<impl Cells> {
    events.bids().filter(|bid| bid.auction % 123 == 0).map(|bid| (bid.auction, bid.price)).collect::<Vec<_>>()
}

pub(crate) fn q14(events: &Events) -> Vec<impl Cells> {
    let mut answer = Vec::new();
    for bid in events.bids() {
        let price = Thousandths(908 * bid.price);
        if price.0 <= 1_000_000_000 || price.0 >= 50_000_000_000 {
            continue;
        }
        let time = match bid.date_time.rem_euclid(DAY) / HOUR {
            8..=18 => "dayTime",
            ..=6 | 20.. => "nightTime",
            _ => "otherTime",
        };
        let letters = bid.extra.bytes().filter(|letter| *letter == b'c').count();
        answer.push((bid.auction, bid.bidder, price, time, bid.date_time, bid.extra, letters as i64));
    }
    answer
}

pub(crate) fn q21(events: &Events) -> Vec<impl Cells> {
    let mut answer = Vec::new();
    for bid in events.bids() {
        let number = match bid.channel.to_lowercase().as_str() {
            "apple" => Some("0"),
            "google" => Some("1"),
            "facebook" => Some("2"),
            "baidu" => Some("3"),
            _ => bid.url.split('&').find_map(|part| part.strip_prefix("channel_id=")),
        };
        if let Some(number) = number {
            answer.push((bid.auction, bid.bidder, bid.price, bid.channel, number));
        }
    }
    answer
}

pub(crate) fn q22(events: &Events) -> Vec<impl Cells> {
    let mut answer = Vec::new();
    for bid in events.bids() {
        let mut folders = bid.url.split('/').skip(3);
        let folders = [(); 3].map(|()| folders.next().unwrap_or_default());
        answer.push((bid.auction, bid.bidder, bid.price, bid.channel, folders));
    }
    answer
}
