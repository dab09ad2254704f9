//! Where a record ends: at the end of its line, or, in CSV, at the end of a line outside of quotes.

use memchr::{memchr, memchr2, memrchr};

/// How text is cut into records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// A record is a line.
    Lines,
    /// A record is a line, but line breaks within quoted fields belong to it. A quote opens only at a field's start.
    Quoted {
        /// What stands between fields.
        delimiter: u8,
        /// What encloses a field.
        quote: u8,
    },
}

/// What [`Framing::scan`] found.
enum Scan {
    /// The record ends before this byte, its newline included.
    Ends(usize),
    /// The text ends within the record, outside of quotes.
    Open,
    /// The text ends within quotes.
    OpenQuote,
}

impl Framing {
    /// How many bytes of `text` are whole records. `new_from` is where text begins that was not there when the last answer
    /// was 0; at the end of the input, the last line needs no newline.
    pub(crate) fn whole(self, text: &[u8], new_from: usize, at_end: bool) -> usize {
        if at_end {
            return text.len();
        }
        match self {
            Self::Lines => memrchr(b'\n', &text[new_from..]).map_or(0, |newline| new_from + newline + 1),
            Self::Quoted { quote, .. } => {
                if new_from > 0 && memchr2(b'\n', quote, &text[new_from..]).is_none() {
                    return 0;
                }
                let mut whole = 0;
                while let Scan::Ends(length) = self.scan(&text[whole..]) {
                    whole += length;
                }
                whole
            }
        }
    }

    /// The length of the first record of `text`, which holds whole records only, its newline included. A quote that is
    /// never closed spoils its own line and no other.
    pub(crate) fn record(self, text: &[u8]) -> usize {
        let first_line = |text| memchr(b'\n', text).map_or(text.len(), |newline| newline + 1);
        match self {
            Self::Lines => first_line(text),
            Self::Quoted { .. } => match self.scan(text) {
                Scan::Ends(length) => length,
                Scan::Open => text.len(),
                Scan::OpenQuote => first_line(text),
            },
        }
    }

    /// The first line break of `text`, for a record that would not end.
    pub(crate) fn first_line(text: &[u8]) -> Option<usize> {
        memchr(b'\n', text).map(|newline| newline + 1)
    }

    fn scan(self, text: &[u8]) -> Scan {
        let Self::Quoted { delimiter, quote } = self else {
            return Self::first_line(text).map_or(Scan::Open, Scan::Ends);
        };
        let mut at = 0;
        while let Some(found) = memchr2(b'\n', quote, &text[at..]) {
            at += found + 1;
            if text[at - 1] == b'\n' {
                return Scan::Ends(at);
            }
            let opens = at == 1 || text[at - 2] == delimiter;
            if opens {
                loop {
                    let Some(closing) = memchr(quote, &text[at..]) else { return Scan::OpenQuote };
                    at += closing + 1;
                    if text.get(at) != Some(&quote) {
                        break;
                    }
                    at += 1;
                }
            }
        }
        Scan::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CSV: Framing = Framing::Quoted { delimiter: b',', quote: b'"' };

    fn records(framing: Framing, text: &str) -> Vec<&str> {
        let mut records = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let (record, after) = rest.split_at(framing.record(rest.as_bytes()));
            records.push(record);
            rest = after;
        }
        records
    }

    #[test]
    fn records_end_at_line_breaks_outside_of_quotes() {
        assert_eq!(records(Framing::Lines, "a\n\"b\nc"), ["a\n", "\"b\n", "c"]);
        assert_eq!(records(CSV, "a,\"b\n\"\"c\"\nd\n"), ["a,\"b\n\"\"c\"\n", "d\n"]);
        assert_eq!(records(CSV, "5\" pipe,x\ny\n"), ["5\" pipe,x\n", "y\n"], "a quote within a field opens nothing");
    }

    #[test]
    fn a_quote_that_is_never_closed_spoils_one_line() {
        assert_eq!(records(CSV, "a,\"b\nc,d\ne,f"), ["a,\"b\n", "c,d\n", "e,f"]);
    }

    #[test]
    fn only_whole_records_are_whole() {
        assert_eq!(CSV.whole(b"a\n\"b\nc", 0, false), 2);
        assert_eq!(CSV.whole(b"\"b\nc\"", 3, false), 0);
        assert_eq!(CSV.whole(b"\"b\nc\"\n", 5, false), 6);
        assert_eq!(Framing::Lines.whole(b"ab\ncd", 0, false), 3);
        assert_eq!(Framing::Lines.whole(b"ab\ncd", 0, true), 5);
    }
}
