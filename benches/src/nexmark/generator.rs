//! The events of the benchmark: people who come, auctions that they open, and bids.
//!
//! What is drawn, and how often, is what the generator of <https://github.com/nexmark/nexmark> draws: of fifty events one is a
//! person, three are auctions and the rest are bids; half of the bids are for one hot auction, and three quarters of them
//! by one hot bidder. The numbers are this project's own: an event is a function of the seed and its number, so any range of events
//! can be made alone, on every machine the same. Events come in the order of their time.

use super::rows::{Auction, Bid, EventKind, Person};
use crate::random::Random;

/// The first moment, 2024-02-28T23:59:40Z: a day ends after twenty seconds.
pub(crate) const START_MICROS: i64 = 1_709_164_780_000_000;

/// Of so many events the first is a person, and the next ones are auctions.
const CYCLE: u64 = 50;
const AUCTIONS_PER_CYCLE: u64 = 3;

/// The smallest number of a person and of an auction.
const FIRST_PERSON: u64 = 1_000;
const FIRST_AUCTION: u64 = 1_000;
const FIRST_CATEGORY: u64 = 10;
const CATEGORIES: u64 = 5;

/// So many people at the most bid and sell at a time, and so many auctions are open.
const ACTIVE_PEOPLE: u64 = 1_000;
const OPEN_AUCTIONS: u64 = 100;
/// So many people and auctions are named before they come.
const PEOPLE_AHEAD: u64 = 10;
const AUCTIONS_AHEAD: u64 = 10;
/// A hot auction, seller or bidder is one of so many.
const HOT: u64 = 100;

/// The average sizes of a row in bytes, which `extra` fills up.
const PERSON_BYTES: u64 = 200;
const AUCTION_BYTES: u64 = 500;
const BID_BYTES: u64 = 100;

const FIRST_NAMES: [&str; 11] =
    ["Peter", "Paul", "Luke", "John", "Saul", "Vicky", "Kate", "Julie", "Sarah", "Deiter", "Walter"];
const LAST_NAMES: [&str; 9] = ["Shultz", "Abrams", "Spencer", "White", "Bartels", "Walton", "Smith", "Jones", "Noris"];
const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];
const CITIES: [&str; 10] =
    ["Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"];
const HOT_CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];
const CHANNELS: u64 = 10_000;

/// Makes events by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Generator {
    /// Chooses one of many sets alike.
    pub seed: u64,
    /// How many events happen in a second of event time.
    pub events_per_second: u64,
}

/// What the event with this number is.
pub fn kind_of(event: u64) -> EventKind {
    match event % CYCLE {
        0 => EventKind::Person,
        1..=AUCTIONS_PER_CYCLE => EventKind::Auction,
        _ => EventKind::Bid,
    }
}

impl Generator {
    /// When an event happens, in microseconds; the benchmark knows whole milliseconds.
    fn micros_of(&self, event: u64) -> i64 {
        START_MICROS + (u128::from(event) * 1_000 / u128::from(self.events_per_second.max(1))) as i64 * 1_000
    }

    /// The person that is event number `event`.
    pub fn person(&self, event: u64) -> Person<String> {
        let random = &mut Random::of(self.seed, event);
        let name = format!("{} {}", one_of(&FIRST_NAMES, random), one_of(&LAST_NAMES, random));
        let email_address = format!("{}@{}.com", letters(7, random), letters(5, random));
        let credit_card = [(); 4].map(|()| format!("{:04}", random.below(10_000))).join(" ");
        let (city, state) = (one_of(&CITIES, random).to_owned(), one_of(&STATES, random).to_owned());
        let bytes = 8 + name.len() + email_address.len() + credit_card.len() + city.len() + state.len();
        let extra = extra(bytes as u64, PERSON_BYTES, random);
        let id = (FIRST_PERSON + newest_person(event)) as i64;
        Person { id, name, email_address, credit_card, city, state, date_time: self.micros_of(event), extra }
    }

    /// The auction that is event number `event`.
    pub fn auction(&self, event: u64) -> Auction<String> {
        let random = &mut Random::of(self.seed, event);
        let (item_name, description) = (letters(20, random), letters(100, random));
        let initial_bid = price(random);
        let reserve = initial_bid + price(random);
        let date_time = self.micros_of(event);
        let seller = match random.below(4) {
            0 => active_person(event, random),
            _ => newest_person(event) / HOT * HOT,
        };
        let category = FIRST_CATEGORY + random.below(CATEGORIES);
        let bytes = 8 + item_name.len() + description.len() + 5 * 8;
        Auction {
            id: (FIRST_AUCTION + newest_auction(event)) as i64,
            expires: date_time + self.open_micros(event, random),
            extra: extra(bytes as u64, AUCTION_BYTES, random),
            seller: (FIRST_PERSON + seller) as i64,
            category: category as i64,
            item_name,
            description,
            initial_bid,
            reserve,
            date_time,
        }
    }

    /// The bid that is event number `event`.
    pub fn bid(&self, event: u64) -> Bid<String> {
        let random = &mut Random::of(self.seed, event);
        let auction = match random.below(2) {
            0 => open_auction(event, random),
            _ => newest_auction(event) / HOT * HOT,
        };
        // The second of a hundred, so that hot bidders are no hot sellers.
        let bidder = match random.below(4) {
            0 => active_person(event, random),
            _ => newest_person(event) / HOT * HOT + 1,
        };
        let price = price(random);
        let (channel, url) = match random.below(2) {
            0 => self.channel(random.below(CHANNELS)),
            _ => self.hot_channel(random.below(HOT_CHANNELS.len() as u64)),
        };
        Bid {
            auction: (FIRST_AUCTION + auction) as i64,
            bidder: (FIRST_PERSON + bidder) as i64,
            price,
            channel,
            url,
            date_time: self.micros_of(event),
            extra: extra(4 * 8, BID_BYTES, random),
        }
    }

    /// How long an auction is open: on average until [`OPEN_AUCTIONS`] more have begun.
    fn open_micros(&self, event: u64, random: &mut Random) -> i64 {
        let later = event + OPEN_AUCTIONS * CYCLE / AUCTIONS_PER_CYCLE;
        let millis = (self.micros_of(later) - self.micros_of(event)) as u64 / 1_000;
        (1 + random.below((2 * millis).max(1))) as i64 * 1_000
    }

    fn hot_channel(&self, number: u64) -> (String, String) {
        (HOT_CHANNELS[number as usize].to_owned(), self.url(CHANNELS + number))
    }

    /// One of the many channels. Nine of ten have their number in the address.
    fn channel(&self, number: u64) -> (String, String) {
        let url = self.url(number);
        let url = match number % 10 {
            0 => url,
            _ => format!("{url}&channel_id={}", u32::reverse_bits(number as u32)),
        };
        (format!("channel-{number}"), url)
    }

    fn url(&self, channel: u64) -> String {
        let random = &mut Random::of(self.seed ^ 0x0075_726c, channel);
        let folders = [(); 3].map(|()| {
            let length = 3 + random.below(3);
            letters(length, random)
        });
        format!("https://www.nexmark.com/{}/item.htm?query=1", folders.join("/"))
    }
}

/// The newest person at the time of an event, from 0; the person itself where the event is one.
fn newest_person(event: u64) -> u64 {
    event / CYCLE
}

/// The newest auction at the time of an event that is no person, from 0.
fn newest_auction(event: u64) -> u64 {
    let place = (event % CYCLE).saturating_sub(1).min(AUCTIONS_PER_CYCLE - 1);
    event / CYCLE * AUCTIONS_PER_CYCLE + place
}

fn active_person(event: u64, random: &mut Random) -> u64 {
    let people = newest_person(event) + 1;
    let active = people.min(ACTIVE_PEOPLE);
    people - active + random.below(active + PEOPLE_AHEAD)
}

fn open_auction(event: u64, random: &mut Random) -> u64 {
    let newest = newest_auction(event);
    let oldest = newest.saturating_sub(OPEN_AUCTIONS);
    oldest + random.below(newest - oldest + 1 + AUCTIONS_AHEAD)
}

/// A price in cents from a dollar to a million, its logarithm evenly spread.
fn price(random: &mut Random) -> i64 {
    // The root of a number, unlike its logarithm, is the same on every machine. Each bit decides over the next root of a million.
    let (mut root, mut dollars, bits) = (1e6_f64, 1.0_f64, random.next());
    for bit in 0..24 {
        root = root.sqrt();
        if bits >> bit & 1 == 1 {
            dollars *= root;
        }
    }
    (dollars * 100.0).round() as i64
}

/// What fills a row of `bytes` up to `average` bytes, more or less a fifth.
fn extra(bytes: u64, average: u64, random: &mut Random) -> String {
    let missing = average.saturating_sub(bytes);
    let fifth = (missing + 2) / 5;
    letters(missing - fifth + random.below((2 * fifth).max(1)), random)
}

fn letters(length: u64, random: &mut Random) -> String {
    let mut text = String::with_capacity(length as usize);
    while (text.len() as u64) < length {
        let mut drawn = random.next();
        // Twelve letters fit into 64 bits with room to spare.
        for _ in 0..(length - text.len() as u64).min(12) {
            text.push(char::from(b'a' + (drawn % 26) as u8));
            drawn /= 26;
        }
    }
    text
}

fn one_of(names: &[&'static str], random: &mut Random) -> &'static str {
    names[random.below(names.len() as u64) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENERATOR: Generator = Generator { seed: 1, events_per_second: 1_000 };

    fn bids(events: u64) -> Vec<Bid<String>> {
        (0..events).filter(|&event| kind_of(event) == EventKind::Bid).map(|event| GENERATOR.bid(event)).collect()
    }

    fn auctions(events: u64) -> Vec<Auction<String>> {
        let numbers = (0..events).filter(|&event| kind_of(event) == EventKind::Auction);
        numbers.map(|event| GENERATOR.auction(event)).collect()
    }

    #[test]
    fn an_event_depends_on_the_seed_and_its_number_alone() {
        let other = Generator { seed: 2, ..GENERATOR };
        assert_eq!(GENERATOR.bid(4_321), GENERATOR.bid(4_321));
        assert_ne!(GENERATOR.bid(4_321).extra, other.bid(4_321).extra);
        assert_ne!(GENERATOR.person(50).name, GENERATOR.person(100).name);
        assert_ne!(GENERATOR.auction(51).description, GENERATOR.auction(52).description);
    }

    #[test]
    fn of_fifty_events_one_is_a_person_and_three_are_auctions() {
        let of_kind = |kind| (0..5_000).filter(|&event| kind_of(event) == kind).count();
        assert_eq!([EventKind::Person, EventKind::Auction, EventKind::Bid].map(of_kind), [100, 300, 4_600]);
    }

    #[test]
    fn people_and_auctions_are_numbered_without_a_gap_and_time_never_goes_back() {
        let ids: Vec<i64> = auctions(1_000).iter().map(|auction| auction.id).collect();
        assert_eq!(ids, (1_000..1_060).collect::<Vec<i64>>());
        let ids: Vec<i64> = (0..20).map(|cycle| GENERATOR.person(cycle * 50).id).collect();
        assert_eq!(ids, (1_000..1_020).collect::<Vec<i64>>());
        assert!(bids(5_000).is_sorted_by_key(|bid| bid.date_time));
        assert_eq!(GENERATOR.bid(4_999).date_time, START_MICROS + 4_999_000);
    }

    #[test]
    fn half_of_the_bids_are_for_hot_auctions_and_three_quarters_by_hot_bidders() {
        let bids = bids(50_000);
        let share = |hot: fn(&Bid<String>) -> bool| 100 * bids.iter().filter(|bid| hot(bid)).count() / bids.len();
        assert!((49..53).contains(&share(|bid| bid.auction % 100 == 0)));
        assert!((74..78).contains(&share(|bid| bid.bidder % 100 == 1)));
        assert!((49..52).contains(&share(|bid| !bid.channel.starts_with("channel-"))));
        assert!((44..46).contains(&share(|bid| bid.url.contains("&channel_id="))));
    }

    #[test]
    fn prices_spread_evenly_over_six_orders_of_magnitude() {
        let bids = bids(50_000);
        for power in 2..8 {
            let (least, most) = (10_i64.pow(power), 10_i64.pow(power + 1));
            let share = 1_000 * bids.iter().filter(|bid| (least..most).contains(&bid.price)).count() / bids.len();
            assert!((155..178).contains(&share), "{share} in a thousand cost from {least} to {most} cents");
        }
    }

    #[test]
    fn auctions_are_open_for_as_long_as_it_takes_others_to_begin() {
        let auctions = auctions(50_000);
        let millis: Vec<i64> = auctions.iter().map(|auction| (auction.expires - auction.date_time) / 1_000).collect();
        assert!(millis.iter().all(|millis| (1..=3_334).contains(millis)));
        let mean = millis.iter().sum::<i64>() / millis.len() as i64;
        assert!((1_600..1_730).contains(&mean), "{mean} ms on average");
    }

    #[test]
    fn rows_have_the_size_that_the_benchmark_asks_for() {
        let extra = |texts: Vec<usize>| texts.iter().sum::<usize>() / texts.len();
        assert!((66..70).contains(&extra(bids(20_000).iter().map(|bid| bid.extra.len()).collect())));
        assert!((325..340).contains(&extra(auctions(20_000).iter().map(|auction| auction.extra.len()).collect())));
    }

    #[test]
    fn the_events_of_a_seed_never_change() {
        let bid = GENERATOR.bid(4);
        let seen = (bid.auction, bid.bidder, bid.price, bid.channel.as_str());
        assert_eq!(
            seen,
            (1_011, 1_001, 3_463_969, "channel-3048"),
            "a change here changes every figure that was measured"
        );
    }
}
