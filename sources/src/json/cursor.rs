//! A place in a line of JSON, and the moves that need no column: blanks, strings, numbers, values to be skipped.
//!
//! The line is UTF-8; whoever makes a cursor has checked it.
#![expect(
    clippy::inline_always,
    reason = "one loop over the line, whose place stays in a register: half as fast otherwise"
)]

use std::borrow::Cow;

use crate::records::{Number, Problem, ProblemKind};

/// How deep values may be nested that nobody reads.
const DEEPEST: u32 = 128;

/// A place in a line. The loop over a line's values works on a copy that it lends to nobody but [`Cursor::lent`], so that the
/// place stays in a register.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a> {
    line: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(line: &'a [u8]) -> Self {
        Self { line, at: 0 }
    }

    #[inline]
    pub(crate) fn at(&self) -> usize {
        self.at
    }

    /// What has not been read yet.
    #[inline(always)]
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    #[inline(always)]
    pub(crate) fn step(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// Lends a copy to a function that is not inlined, and goes on where that stopped.
    #[inline(always)]
    pub(crate) fn lent<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let mut copy = *self;
        let result = read(&mut copy);
        *self = copy;
        result
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at >= self.line.len()
    }

    /// The text from `start` to here.
    #[inline]
    pub(crate) fn since(&self, start: usize) -> &'a [u8] {
        &self.line[start..self.at]
    }

    #[cold]
    pub(crate) fn expected(&self, what: &'static str) -> Problem {
        Problem::new(ProblemKind::Expected(what), self.at)
    }

    /// The next byte; 0, which is no JSON, at the end.
    #[inline(always)]
    pub(crate) fn peek(&self) -> u8 {
        self.line.get(self.at).copied().unwrap_or(0)
    }

    #[inline(always)]
    pub(crate) fn skip_blank(&mut self) {
        if self.peek() <= b' ' {
            self.lent(Self::skip_blanks);
        }
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\r' | b'\n') {
            self.at += 1;
        }
    }

    #[inline(always)]
    pub(crate) fn accept(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte;
        self.at += usize::from(found);
        found
    }

    #[inline(always)]
    pub(crate) fn accept_all(&mut self, text: &[u8]) -> bool {
        let found = self.line[self.at..].starts_with(text);
        self.at += if found { text.len() } else { 0 };
        found
    }

    /// The colon behind a key, with the blanks around it.
    #[inline]
    pub(crate) fn colon(&mut self) -> Result<(), Problem> {
        self.skip_blank();
        if !self.accept(b':') {
            return Err(self.expected("`:` after the key"));
        }
        self.skip_blank();
        Ok(())
    }

    /// What stands behind an element: true for a comma, false for `end`.
    #[inline]
    pub(crate) fn more(&mut self, end: u8) -> Result<bool, Problem> {
        self.skip_blank();
        if self.accept(b',') {
            self.skip_blank();
            return Ok(true);
        }
        if self.accept(end) {
            return Ok(false);
        }
        Err(self.expected(if end == b'}' { "`,` or `}`" } else { "`,` or `]`" }))
    }

    /// Whether `null` stands here; if so, steps over it.
    #[inline(always)]
    pub(crate) fn accept_null(&mut self) -> bool {
        self.peek() == b'n' && self.accept_all(b"null")
    }

    // Strings. The opening quote has been read already.

    /// Moves to the next quote, backslash or control character.
    #[inline]
    fn skip_plain(&mut self) {
        while let Some(eight) = self.rest().first_chunk::<8>() {
            if let Some(length) = plain_length(*eight) {
                self.at += length;
                return;
            }
            self.at += 8;
        }
        while let Some(byte) = self.line.get(self.at) {
            if *byte < 0x20 || matches!(byte, b'"' | b'\\') {
                return;
            }
            self.at += 1;
        }
    }

    /// Appends the string's characters to `text`, and steps over the closing quote.
    #[inline(always)]
    pub(crate) fn string_into(&mut self, text: &mut Vec<u8>) -> Result<(), Problem> {
        // Eight bytes are copied at once and those too many cut off: shorter than finding out first how many there are.
        while let Some(eight) = self.rest().first_chunk::<8>() {
            text.extend_from_slice(eight);
            let Some(length) = plain_length(*eight) else {
                self.at += 8;
                continue;
            };
            text.truncate(text.len() - 8 + length);
            self.at += length;
            break;
        }
        if self.accept(b'"') { Ok(()) } else { self.lent(|cursor| cursor.rest_of_string_into(text)) }
    }

    #[inline(never)]
    fn rest_of_string_into(&mut self, text: &mut Vec<u8>) -> Result<(), Problem> {
        loop {
            let start = self.at;
            self.skip_plain();
            text.extend_from_slice(&self.line[start..self.at]);
            if self.accept(b'"') {
                return Ok(());
            }
            if !self.accept(b'\\') {
                return Err(self.expected("the string to go on and close with `\"`"));
            }
            self.escape_into(text)?;
        }
    }

    /// The string's characters; borrowed where nothing is escaped.
    pub(crate) fn string(&mut self) -> Result<Cow<'a, [u8]>, Problem> {
        let start = self.at;
        self.skip_plain();
        let plain = &self.line[start..self.at];
        if self.accept(b'"') {
            return Ok(Cow::Borrowed(plain));
        }
        let mut text = plain.to_vec();
        self.rest_of_string_into(&mut text)?;
        Ok(Cow::Owned(text))
    }

    fn escape_into(&mut self, text: &mut Vec<u8>) -> Result<(), Problem> {
        let start = self.at - 1;
        let escape = self.peek();
        self.at += 1;
        let byte = match escape {
            b'"' | b'\\' | b'/' => escape,
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let character = self.unicode_escape().ok_or(Problem::new(
                    ProblemKind::Expected("a character as `\\uXXXX` (or two of them, a surrogate pair)"),
                    start,
                ))?;
                text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                return Ok(());
            }
            _ => return Err(Problem::new(ProblemKind::Expected("one of the escapes of JSON"), start)),
        };
        text.push(byte);
        Ok(())
    }

    fn unicode_escape(&mut self) -> Option<char> {
        let first = self.four_hex_digits()?;
        if !(0xD800..0xDC00).contains(&first) {
            return char::from_u32(first);
        }
        if !self.accept_all(b"\\u") {
            return None;
        }
        let second = self.four_hex_digits().filter(|second| (0xDC00..0xE000).contains(second))?;
        char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
    }

    fn four_hex_digits(&mut self) -> Option<u32> {
        let digits = self.line[self.at.min(self.line.len())..].first_chunk::<4>()?;
        self.at += 4;
        digits.iter().try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?))
    }

    // Numbers.

    /// Reads a number.
    #[inline(always)]
    pub(crate) fn number(&mut self) -> Result<Number<'a>, Problem> {
        let start = self.at;
        let negative = self.accept(b'-');
        let first_digit = self.at;
        let leading_zero = self.peek() == b'0';
        let mut mantissa = self.digits(0);
        let mut digits = self.at - first_digit;
        let mut well_formed = digits > 0 && !(leading_zero && digits > 1);
        let mut exponent = 0;
        let mut whole = true;
        if self.accept(b'.') {
            whole = false;
            let point = self.at;
            mantissa = self.digits(mantissa);
            let fraction = self.at - point;
            well_formed &= fraction > 0;
            digits += fraction;
            // Where there are more digits than that, the number is read from its text.
            exponent = -(fraction.min(1 << 24) as i32);
        }
        if matches!(self.peek(), b'e' | b'E') {
            whole = false;
            let written = self.lent(Self::exponent);
            well_formed &= written.is_some();
            exponent += written.unwrap_or(0);
        }
        if !well_formed {
            return Err(Problem::new(ProblemKind::Expected("a number"), start));
        }
        Ok(Number { negative, mantissa, exponent, digits, whole, text: &self.line[start..self.at] })
    }

    /// Reads the `e` and what stands behind it.
    fn exponent(&mut self) -> Option<i32> {
        self.at += 1;
        let negative = self.peek() == b'-';
        self.at += usize::from(matches!(self.peek(), b'-' | b'+'));
        let start = self.at;
        let mut exponent = 0;
        while self.peek().is_ascii_digit() {
            // What is larger is out of every range; it need only stay large.
            exponent = (exponent * 10 + i32::from(self.peek() - b'0')).min(1 << 24);
            self.at += 1;
        }
        (self.at > start).then_some(if negative { -exponent } else { exponent })
    }

    /// Reads digits behind those of `mantissa`, eight at a time.
    #[inline(always)]
    fn digits(&mut self, mut mantissa: u64) -> u64 {
        const POWERS: [u64; 9] = [1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000];
        while let Some(eight) = self.rest().first_chunk::<8>() {
            let values = u64::from_le_bytes(*eight) ^ 0x3030_3030_3030_3030;
            // The high bit of each byte that is above 9. A carry out of such a byte spoils only those behind it.
            let others = (values.wrapping_add(0x7676_7676_7676_7676) | values) & 0x8080_8080_8080_8080;
            if others == 0 {
                mantissa = mantissa.wrapping_mul(POWERS[8]).wrapping_add(eight_digits(values));
                self.at += 8;
                continue;
            }
            let length = others.trailing_zeros() / 8;
            if length > 0 {
                // The digits move to the end, with zeros before them.
                let value = eight_digits(values << (64 - 8 * length));
                mantissa = mantissa.wrapping_mul(POWERS[length as usize]).wrapping_add(value);
                self.at += length as usize;
            }
            return mantissa;
        }
        while let Some(byte) = self.line.get(self.at).filter(|byte| byte.is_ascii_digit()) {
            mantissa = mantissa.wrapping_mul(10).wrapping_add(u64::from(byte - b'0'));
            self.at += 1;
        }
        mantissa
    }

    // Values that nobody reads.

    /// Steps over a value of any kind, checking its form.
    pub(crate) fn skip_value(&mut self) -> Result<(), Problem> {
        // One bit per open bracket: whether it is an object's.
        let mut objects: u128 = 0;
        let mut depth = 0;
        loop {
            let opened = match self.peek() {
                b'{' => Some(true),
                b'[' => Some(false),
                _ => None,
            };
            if let Some(object) = opened {
                if depth == DEEPEST {
                    return Err(self.expected("no more than 128 levels of nesting"));
                }
                self.at += 1;
                self.skip_blank();
                if !self.accept(if object { b'}' } else { b']' }) {
                    depth += 1;
                    objects = objects << 1 | u128::from(object);
                    if object {
                        self.skip_key()?;
                    }
                    continue;
                }
            } else {
                self.skip_scalar()?;
            }
            // The value is done: on to the next element, or out of the brackets that end here.
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let in_object = objects & 1 == 1;
                if self.more(if in_object { b'}' } else { b']' })? {
                    if in_object {
                        self.skip_key()?;
                    }
                    break;
                }
                depth -= 1;
                objects >>= 1;
            }
        }
    }

    fn skip_key(&mut self) -> Result<(), Problem> {
        if !self.accept(b'"') {
            return Err(self.expected("a key in double quotes"));
        }
        self.skip_string()?;
        self.colon()
    }

    fn skip_scalar(&mut self) -> Result<(), Problem> {
        let skipped = match self.peek() {
            b'"' => {
                self.at += 1;
                return self.skip_string();
            }
            b'-' | b'0'..=b'9' => return self.number().map(|_| ()),
            b't' => self.accept_all(b"true"),
            b'f' => self.accept_all(b"false"),
            b'n' => self.accept_all(b"null"),
            _ => false,
        };
        if skipped { Ok(()) } else { Err(self.expected("a value")) }
    }

    fn skip_string(&mut self) -> Result<(), Problem> {
        loop {
            self.skip_plain();
            if self.accept(b'"') {
                return Ok(());
            }
            let start = self.at;
            if !self.accept(b'\\') {
                return Err(self.expected("the string to go on and close with `\"`"));
            }
            let escape = self.peek();
            self.at += 1;
            let known = match escape {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => true,
                b'u' => self.four_hex_digits().is_some(),
                _ => false,
            };
            if !known {
                return Err(Problem::new(ProblemKind::Expected("one of the escapes of JSON"), start));
            }
        }
    }
}

/// How many of these bytes come before the first quote, backslash or control character; `None` when there is none.
#[inline]
fn plain_length(eight: [u8; 8]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = ONES << 7;
    const QUOTES: u64 = 0x2222_2222_2222_2222;
    const BACKSLASHES: u64 = 0x5C5C_5C5C_5C5C_5C5C;
    let word = u64::from_le_bytes(eight);
    let quote = word ^ QUOTES;
    let backslash = word ^ BACKSLASHES;
    // A byte's high bit is set where it is below 32, or zero after the xor. Borrows can set it wrongly only behind a byte
    // where it is set rightly, and the first one is taken.
    let below = word.wrapping_sub(ONES * 0x20) & !word;
    let found = (below | (quote.wrapping_sub(ONES) & !quote) | (backslash.wrapping_sub(ONES) & !backslash)) & HIGH;
    (found != 0).then_some((found.trailing_zeros() / 8) as usize)
}

/// Eight digits as a number, the first in the lowest byte (Daniel Lemire, "Quickly parsing eight digits").
#[inline]
fn eight_digits(values: u64) -> u64 {
    const MASK: u64 = 0x0000_00FF_0000_00FF;
    let pairs = values.wrapping_mul(10).wrapping_add(values >> 8);
    let high = (pairs & MASK).wrapping_mul(0x000F_4240_0000_0064);
    let low = ((pairs >> 16) & MASK).wrapping_mul(0x0000_2710_0000_0001);
    high.wrapping_add(low) >> 32
}
