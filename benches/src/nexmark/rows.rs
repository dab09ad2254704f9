//! The three kinds of rows. A text is a `String` where a row is made, and borrowed where a row is read from a batch.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum EventKind {
    /// Somebody new, who may bid and sell.
    Person,
    /// Something is put up for auction.
    Auction,
    /// Somebody bids for it.
    Bid,
}

/// Somebody who bids and sells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Person<Text> {
    /// The person's number.
    pub id: i64,
    /// First and last name.
    pub name: Text,
    /// Where mail goes.
    pub email_address: Text,
    /// Four times four digits.
    pub credit_card: Text,
    /// A city of the United States.
    pub city: Text,
    /// A state in two letters, not always that of the city.
    pub state: Text,
    /// When the person came, in microseconds.
    pub date_time: i64,
    /// Letters that make the row as long as it is to be.
    pub extra: Text,
}

/// A thing that is sold to whom bids most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Auction<Text> {
    /// The auction's number.
    pub id: i64,
    /// The thing.
    pub item_name: Text,
    /// More about it.
    pub description: Text,
    /// The first price, in cents.
    pub initial_bid: i64,
    /// The price below which it is not sold.
    pub reserve: i64,
    /// When the auction began, in microseconds.
    pub date_time: i64,
    /// When it ends.
    pub expires: i64,
    /// The person who sells.
    pub seller: i64,
    /// The kind of thing.
    pub category: i64,
    /// Letters that make the row as long as it is to be.
    pub extra: Text,
}

/// An offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bid<Text> {
    /// For which auction.
    pub auction: i64,
    /// By whom.
    pub bidder: i64,
    /// How much, in cents.
    pub price: i64,
    /// The way it came.
    pub channel: Text,
    /// The page that it came from.
    pub url: Text,
    /// When, in microseconds.
    pub date_time: i64,
    /// Letters that make the row as long as it is to be.
    pub extra: Text,
}
