//! The queries: what they ask, how a graph file asks it, and the plain loop that answers it.

use clap::ValueEnum;

use super::answer::Answer;
use super::columns::Events;
use super::plain;
use super::rows::EventKind;

/// A query of the benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "`asks` says what each is")]
pub enum Query {
    Q0,
    Q1,
    Q2,
    Q3,
    Q4,
    Q5,
    Q7,
    Q8,
    Q9,
    Q11,
    Q12,
    Q13,
    Q14,
    Q15,
    Q16,
    Q17,
    Q18,
    Q19,
    Q20,
    Q21,
    Q22,
}

/// What the graph files call the sources of the three kinds.
pub(crate) const SOURCES: [(&str, EventKind); 3] =
    [("people", EventKind::Person), ("auctions", EventKind::Auction), ("bids", EventKind::Bid)];

impl Query {
    /// As the benchmark and the command name it.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// What it asks.
    pub fn asks(self) -> &'static str {
        match self {
            Self::Q0 => "all bids",
            Self::Q1 => "prices in euros",
            Self::Q2 => "bids for some auctions",
            Self::Q3 => "what people of three states sell",
            Self::Q4 => "average winning price per category",
            Self::Q5 => "auctions with the most bids",
            Self::Q7 => "highest bids of ten seconds",
            Self::Q8 => "people who sell as they come",
            Self::Q9 => "winning bid per auction",
            Self::Q11 => "bids per session of a bidder",
            Self::Q12 => "bids per bidder and processing time",
            Self::Q13 => "bids with a value from a file",
            Self::Q14 => "prices of a kind, and more of each",
            Self::Q15 => "bids, bidders, auctions per day",
            Self::Q16 => "the same per channel and day",
            Self::Q17 => "prices per auction and day",
            Self::Q18 => "last bid per bidder and auction",
            Self::Q19 => "ten highest bids per auction",
            Self::Q20 => "bids with their auctions",
            Self::Q21 => "a number for each channel",
            Self::Q22 => "folders of addresses",
        }
    }

    /// The graph file.
    pub fn text(self) -> &'static str {
        match self {
            Self::Q0 => include_str!("../../../graphs/nexmark/q0.ron"),
            Self::Q1 => include_str!("../../../graphs/nexmark/q1.ron"),
            Self::Q2 => include_str!("../../../graphs/nexmark/q2.ron"),
            Self::Q3 => include_str!("../../../graphs/nexmark/q3.ron"),
            Self::Q4 => include_str!("../../../graphs/nexmark/q4.ron"),
            Self::Q5 => include_str!("../../../graphs/nexmark/q5.ron"),
            Self::Q7 => include_str!("../../../graphs/nexmark/q7.ron"),
            Self::Q8 => include_str!("../../../graphs/nexmark/q8.ron"),
            Self::Q9 => include_str!("../../../graphs/nexmark/q9.ron"),
            Self::Q11 => include_str!("../../../graphs/nexmark/q11.ron"),
            Self::Q12 => include_str!("../../../graphs/nexmark/q12.ron"),
            Self::Q13 => include_str!("../../../graphs/nexmark/q13.ron"),
            Self::Q14 => include_str!("../../../graphs/nexmark/q14.ron"),
            Self::Q15 => include_str!("../../../graphs/nexmark/q15.ron"),
            Self::Q16 => include_str!("../../../graphs/nexmark/q16.ron"),
            Self::Q17 => include_str!("../../../graphs/nexmark/q17.ron"),
            Self::Q18 => include_str!("../../../graphs/nexmark/q18.ron"),
            Self::Q19 => include_str!("../../../graphs/nexmark/q19.ron"),
            Self::Q20 => include_str!("../../../graphs/nexmark/q20.ron"),
            Self::Q21 => include_str!("../../../graphs/nexmark/q21.ron"),
            Self::Q22 => include_str!("../../../graphs/nexmark/q22.ron"),
        }
    }

    /// The answer as a plain loop over all events finds it.
    pub(crate) fn plain(self, events: &Events) -> Box<dyn Answer + '_> {
        match self {
            Self::Q0 => Box::new(plain::rows::q0(events)),
            Self::Q1 => Box::new(plain::rows::q1(events)),
            Self::Q2 => Box::new(plain::rows::q2(events)),
            Self::Q3 => Box::new(plain::joins::q3(events)),
            Self::Q4 => Box::new(plain::joins::q4(events)),
            Self::Q5 => Box::new(plain::windows::q5(events)),
            Self::Q7 => Box::new(plain::windows::q7(events)),
            Self::Q8 => Box::new(plain::windows::q8(events)),
            Self::Q9 => Box::new(plain::joins::q9(events)),
            Self::Q11 => Box::new(plain::windows::q11(events)),
            Self::Q12 => Box::new(plain::windows::q12(events)),
            Self::Q13 => Box::new(plain::joins::q13(events)),
            Self::Q14 => Box::new(plain::rows::q14(events)),
            Self::Q15 => Box::new(plain::statistics::q15(events)),
            Self::Q16 => Box::new(plain::statistics::q16(events)),
            Self::Q17 => Box::new(plain::statistics::q17(events)),
            Self::Q18 => Box::new(plain::statistics::q18(events)),
            Self::Q19 => Box::new(plain::statistics::q19(events)),
            Self::Q20 => Box::new(plain::joins::q20(events)),
            Self::Q21 => Box::new(plain::rows::q21(events)),
            Self::Q22 => Box::new(plain::rows::q22(events)),
        }
    }
}
