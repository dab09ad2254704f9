//! Rows as Arrow batches, and batches read as rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef, TimestampMicrosecondType};
use watershed::core::schema::TIMESTAMP;

use super::generator::{Generator, kind_of};
use super::rows::{Auction, Bid, EventKind, Person};

/// The columns of rows of a kind.
pub fn schema(kind: EventKind) -> SchemaRef {
    let (long, text, time) = (DataType::Int64, DataType::Utf8, TIMESTAMP);
    let fields: &[(&str, &DataType)] = match kind {
        EventKind::Person => &[
            ("id", &long),
            ("name", &text),
            ("email_address", &text),
            ("credit_card", &text),
            ("city", &text),
            ("state", &text),
            ("date_time", &time),
            ("extra", &text),
        ],
        EventKind::Auction => &[
            ("id", &long),
            ("item_name", &text),
            ("description", &text),
            ("initial_bid", &long),
            ("reserve", &long),
            ("date_time", &time),
            ("expires", &time),
            ("seller", &long),
            ("category", &long),
            ("extra", &text),
        ],
        EventKind::Bid => &[
            ("auction", &long),
            ("bidder", &long),
            ("price", &long),
            ("channel", &text),
            ("url", &text),
            ("date_time", &time),
            ("extra", &text),
        ],
    };
    let fields = fields.iter().map(|&(name, kind)| Field::new(name, kind.clone(), false));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// The rows of the events with these numbers, all of which are of this kind.
pub(crate) fn batch(generator: Generator, kind: EventKind, events: &[u64]) -> RecordBatch {
    let columns = match kind {
        EventKind::Person => people(&made(events, |event| generator.person(event))),
        EventKind::Auction => auctions(&made(events, |event| generator.auction(event))),
        EventKind::Bid => bids(&made(events, |event| generator.bid(event))),
    };
    RecordBatch::try_new(schema(kind), columns).expect("the columns are made to the schema")
}

fn made<R>(events: &[u64], row: impl Fn(u64) -> R) -> Vec<R> {
    events.iter().map(|&event| row(event)).collect()
}

fn longs<R>(rows: &[R], value: impl Fn(&R) -> i64) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(rows.iter().map(value)))
}

fn times<R>(rows: &[R], value: impl Fn(&R) -> i64) -> ArrayRef {
    Arc::new(TimestampMicrosecondArray::from_iter_values(rows.iter().map(value)))
}

fn texts<R>(rows: &[R], value: impl Fn(&R) -> &String) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(rows.iter().map(value)))
}

fn people(rows: &[Person<String>]) -> Vec<ArrayRef> {
    vec![
        longs(rows, |row| row.id),
        texts(rows, |row| &row.name),
        texts(rows, |row| &row.email_address),
        texts(rows, |row| &row.credit_card),
        texts(rows, |row| &row.city),
        texts(rows, |row| &row.state),
        times(rows, |row| row.date_time),
        texts(rows, |row| &row.extra),
    ]
}

fn auctions(rows: &[Auction<String>]) -> Vec<ArrayRef> {
    vec![
        longs(rows, |row| row.id),
        texts(rows, |row| &row.item_name),
        texts(rows, |row| &row.description),
        longs(rows, |row| row.initial_bid),
        longs(rows, |row| row.reserve),
        times(rows, |row| row.date_time),
        times(rows, |row| row.expires),
        longs(rows, |row| row.seller),
        longs(rows, |row| row.category),
        texts(rows, |row| &row.extra),
    ]
}

fn bids(rows: &[Bid<String>]) -> Vec<ArrayRef> {
    vec![
        longs(rows, |row| row.auction),
        longs(rows, |row| row.bidder),
        longs(rows, |row| row.price),
        texts(rows, |row| &row.channel),
        texts(rows, |row| &row.url),
        times(rows, |row| row.date_time),
        texts(rows, |row| &row.extra),
    ]
}

/// Events in memory, a list of batches for each kind. The batches at the same place of each list are of the same stretch of events.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    people: Arc<[RecordBatch]>,
    auctions: Arc<[RecordBatch]>,
    bids: Arc<[RecordBatch]>,
}

impl Events {
    /// The first `events` events, in stretches of `stretch` events.
    pub(crate) fn generate(generator: Generator, events: u64, stretch: u64) -> Self {
        let of_kind = |kind| {
            let starts = (0..events).step_by(stretch as usize);
            let batches = starts.map(|start| {
                let numbers = start..events.min(start + stretch);
                batch(generator, kind, &numbers.filter(|&event| kind_of(event) == kind).collect::<Vec<_>>())
            });
            batches.collect()
        };
        Self {
            people: of_kind(EventKind::Person),
            auctions: of_kind(EventKind::Auction),
            bids: of_kind(EventKind::Bid),
        }
    }

    /// All rows of a kind.
    pub(crate) fn batches(&self, kind: EventKind) -> &Arc<[RecordBatch]> {
        match kind {
            EventKind::Person => &self.people,
            EventKind::Auction => &self.auctions,
            EventKind::Bid => &self.bids,
        }
    }

    /// All people, in the order of their time.
    pub(crate) fn people(&self) -> impl Iterator<Item = Person<&str>> {
        self.people.iter().flat_map(|batch| {
            let [id] = [0].map(|column| values::<Int64Type>(batch, column));
            let [date_time] = [6].map(|column| values::<TimestampMicrosecondType>(batch, column));
            let [name, email_address, credit_card, city, state, extra] =
                [1, 2, 3, 4, 5, 7].map(|column| text(batch, column));
            (0..batch.num_rows()).map(move |row| Person {
                id: id[row],
                name: name.value(row),
                email_address: email_address.value(row),
                credit_card: credit_card.value(row),
                city: city.value(row),
                state: state.value(row),
                date_time: date_time[row],
                extra: extra.value(row),
            })
        })
    }

    /// All auctions, in the order of their time.
    pub(crate) fn auctions(&self) -> impl Iterator<Item = Auction<&str>> {
        self.auctions.iter().flat_map(|batch| {
            let [id, initial_bid, reserve, seller, category] =
                [0, 3, 4, 7, 8].map(|column| values::<Int64Type>(batch, column));
            let [date_time, expires] = [5, 6].map(|column| values::<TimestampMicrosecondType>(batch, column));
            let [item_name, description, extra] = [1, 2, 9].map(|column| text(batch, column));
            (0..batch.num_rows()).map(move |row| Auction {
                id: id[row],
                item_name: item_name.value(row),
                description: description.value(row),
                initial_bid: initial_bid[row],
                reserve: reserve[row],
                date_time: date_time[row],
                expires: expires[row],
                seller: seller[row],
                category: category[row],
                extra: extra.value(row),
            })
        })
    }

    /// All bids, in the order of their time.
    pub(crate) fn bids(&self) -> impl Iterator<Item = Bid<&str>> {
        self.bids.iter().flat_map(|batch| {
            let [auction, bidder, price] = [0, 1, 2].map(|column| values::<Int64Type>(batch, column));
            let [date_time] = [5].map(|column| values::<TimestampMicrosecondType>(batch, column));
            let [channel, url, extra] = [3, 4, 6].map(|column| text(batch, column));
            (0..batch.num_rows()).map(move |row| Bid {
                auction: auction[row],
                bidder: bidder[row],
                price: price[row],
                channel: channel.value(row),
                url: url.value(row),
                date_time: date_time[row],
                extra: extra.value(row),
            })
        })
    }
}

fn values<T: arrow::datatypes::ArrowPrimitiveType<Native = i64>>(batch: &RecordBatch, column: usize) -> &[i64] {
    batch.column(column).as_primitive::<T>().values()
}

fn text(batch: &RecordBatch, column: usize) -> &StringArray {
    batch.column(column).as_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENERATOR: Generator = Generator { seed: 3, events_per_second: 1_000 };

    #[test]
    fn what_is_read_from_batches_is_what_was_made() {
        let events = Events::generate(GENERATOR, 2_107, 700);
        assert_eq!(events.batches(EventKind::Bid).len(), 4);
        let of_kind = |kind| (0..2_107).filter(move |&event| kind_of(event) == kind);
        let people: Vec<String> = events.people().map(|row| format!("{row:?}")).collect();
        assert_eq!(
            people,
            of_kind(EventKind::Person).map(|event| format!("{:?}", GENERATOR.person(event))).collect::<Vec<_>>()
        );
        let auctions: Vec<String> = events.auctions().map(|row| format!("{row:?}")).collect();
        assert_eq!(
            auctions,
            of_kind(EventKind::Auction).map(|event| format!("{:?}", GENERATOR.auction(event))).collect::<Vec<_>>()
        );
        let bids: Vec<String> = events.bids().map(|row| format!("{row:?}")).collect();
        assert_eq!(
            bids,
            of_kind(EventKind::Bid).map(|event| format!("{:?}", GENERATOR.bid(event))).collect::<Vec<_>>()
        );
    }
}
