//! Strings: escapes undone, `${VARIABLES}` replaced, and every byte of the result traced to its place in the file.

use super::{Span, SyntaxFault, Variables};

/// The value of a string and where its bytes come from.
#[derive(Clone, Debug)]
pub struct Text {
    /// The text meant.
    pub value: String,
    /// Whether a part of it could not be read.
    pub broken: bool,
    pieces: Vec<Piece>,
    end: usize,
}

/// A run of bytes of the value with a common origin; it lasts to the start of the next.
#[derive(Clone, Debug)]
struct Piece {
    /// Where it starts in the value.
    start: usize,
    /// The bytes of the file it comes from.
    source: Span,
    /// Whether the bytes are the file's own; otherwise all of them come from all of `source`.
    verbatim: bool,
}

impl Text {
    /// The bytes of the file that `within` (bytes of the value) comes from. An empty range is the place before a byte.
    pub fn locate(&self, within: &Span) -> Span {
        let start = self.source(within.start, false);
        let end = if within.end > within.start { self.source(within.end - 1, true) } else { start };
        start..end.max(start)
    }

    fn source(&self, byte: usize, end: bool) -> usize {
        if byte >= self.value.len() {
            return self.end;
        }
        let index = self.pieces.partition_point(|piece| piece.start <= byte);
        let Some(piece) = index.checked_sub(1).and_then(|index| self.pieces.get(index)) else { return self.end };
        match (piece.verbatim, end) {
            (true, false) => piece.source.start + (byte - piece.start),
            (true, true) => {
                // The end of the character that the byte belongs to.
                let mut next = byte + 1;
                while !self.value.is_char_boundary(next) {
                    next += 1;
                }
                piece.source.start + (next - piece.start)
            }
            (false, false) => piece.source.start,
            (false, true) => piece.source.end,
        }
    }
}

/// Reads the string whose text stands in the bytes `content` of `file`, without quotes and hashes.
pub(crate) fn read(
    file: &str,
    content: Span,
    raw: bool,
    variables: Variables<'_>,
    faults: &mut Vec<SyntaxFault>,
) -> Text {
    let text =
        Text { value: String::with_capacity(content.len()), broken: false, pieces: Vec::new(), end: content.end };
    let mut reader = Reader { file, at: content.start, end: content.end, raw, variables, text, faults };
    while reader.at < reader.end {
        reader.step();
    }
    reader.text
}

struct Reader<'a> {
    file: &'a str,
    at: usize,
    end: usize,
    raw: bool,
    variables: Variables<'a>,
    text: Text,
    faults: &'a mut Vec<SyntaxFault>,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.file[self.at..self.end]
    }

    /// Adds `value`, which all of the next `length` bytes stand for.
    fn replace(&mut self, value: &str, length: usize) {
        let source = self.at..self.at + length;
        self.at = source.end;
        if !value.is_empty() {
            self.text.pieces.push(Piece { start: self.text.value.len(), source, verbatim: false });
            self.text.value.push_str(value);
        }
    }

    /// Adds the next `length` bytes as they are.
    fn copy(&mut self, length: usize) {
        let source = self.at..self.at + length;
        self.at = source.end;
        let start = self.text.value.len();
        match self.text.pieces.last_mut() {
            Some(last) if last.verbatim && last.source.end == source.start => last.source.end = source.end,
            _ => self.text.pieces.push(Piece { start, source: source.clone(), verbatim: true }),
        }
        self.text.value.push_str(&self.file[source]);
    }

    fn fault(&mut self, code: &'static str, message: String, length: usize, label: &str, help: &str) {
        self.text.broken = true;
        let mut fault = SyntaxFault::new(message, self.at..self.at + length, label).help(help);
        fault.code = code;
        self.faults.push(fault);
        self.at += length;
    }

    fn step(&mut self) {
        let rest = self.rest();
        match rest.find(|c| (c == '$' && self.variables.is_some()) || (c == '\\' && !self.raw)) {
            None => self.copy(rest.len()),
            Some(0) if rest.starts_with('\\') => self.escape(),
            Some(0) => match self.variables {
                Some(variables) => self.variable(variables),
                None => self.copy(1),
            },
            Some(length) => self.copy(length),
        }
    }

    fn escape(&mut self) {
        let rest = self.rest();
        let simple = match rest[1..].chars().next() {
            Some('\'') => Some("'"),
            Some('"') => Some("\""),
            Some('\\') => Some("\\"),
            Some('n') => Some("\n"),
            Some('r') => Some("\r"),
            Some('t') => Some("\t"),
            Some('0') => Some("\0"),
            _ => None,
        };
        if let Some(value) = simple {
            return self.replace(value, 2);
        }
        // A backslash at the end of a line joins it with the next.
        let continued = rest[1..].strip_prefix("\r\n").or_else(|| rest[1..].strip_prefix('\n'));
        if let Some(next) = continued {
            let next = next.trim_start_matches([' ', '\t', '\n', '\r']);
            return self.replace("", rest.len() - next.len());
        }
        let read = match rest[1..].chars().next() {
            Some('x') => bytes(rest),
            Some('u') => unicode(rest),
            _ => None,
        };
        if let Some((c, length)) = read {
            return self.replace(c.encode_utf8(&mut [0; 4]), length);
        }
        let length = 1 + rest[1..].chars().next().map_or(0, char::len_utf8);
        let message = format!("`{}` is not an escape", &rest[..length]);
        self.fault("syntax", message, length, "not an escape", "escapes are `\\\\`, `\\\"`, `\\n`, `\\r`, `\\t`, `\\0`, `\\x41` and `\\u{41}`; write a backslash as `\\\\`, or the string as r\"…\"");
    }

    fn variable(&mut self, variables: &dyn Fn(&str) -> Option<String>) {
        const FORMS: &str = "write `${NAME}` or `${NAME:-default}`; `$${` stands for `${` itself";
        let rest = self.rest();
        if rest.strip_prefix("$${").is_some_and(|after| name_length(after) > 0) {
            // `$${NAME` is the text `${NAME`.
            self.replace("$", 2);
            return self.copy(1);
        }
        let Some(after) = rest.strip_prefix("${").filter(|after| name_length(after) > 0) else { return self.copy(1) };
        let (name, after) = after.split_at(name_length(after));
        let name = name.to_owned();
        let (default, length) = if after.starts_with('}') {
            (None, rest.len() - after.len() + 1)
        } else if let Some((default, _)) = after.strip_prefix(":-").and_then(|after| after.split_once('}')) {
            (Some(2 + name.len() + 2..2 + name.len() + 2 + default.len()), 2 + name.len() + 2 + default.len() + 1)
        } else {
            let message = format!("`${{{name}` is not a variable");
            return self.fault("bad_variable", message, 2 + name.len(), "not closed", FORMS);
        };
        match (variables(&name), default) {
            (Some(value), None) => self.replace(&value, length),
            (Some(value), Some(_)) if !value.is_empty() => self.replace(&value, length),
            (_, Some(default)) => {
                let content = self.at + default.start..self.at + default.end;
                let text = read(self.file, content, self.raw, Some(&|_| None), self.faults);
                self.text.broken |= text.broken;
                self.replace(&text.value, length);
            }
            (None, None) => {
                let message = format!("the variable `{name}` is not set");
                let help = format!("set it in the environment, or give a default: `${{{name}:-…}}`");
                self.fault("unset_variable", message, length, "not set", &help);
            }
        }
    }
}

fn name_length(text: &str) -> usize {
    match text.chars().next() {
        Some(c) if c == '_' || c.is_ascii_alphabetic() => {
            text.find(|c: char| !(c == '_' || c.is_ascii_alphanumeric())).unwrap_or(text.len())
        }
        _ => 0,
    }
}

/// `\x41`, or as many of them as make up one character.
fn bytes(text: &str) -> Option<(char, usize)> {
    let mut bytes = Vec::with_capacity(4);
    while bytes.len() < 4 {
        let at = bytes.len() * 4;
        let digits =
            text.get(at..at + 4)?.strip_prefix("\\x").filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        if let Some(c) = std::str::from_utf8(&bytes).ok().and_then(|text| text.chars().next()) {
            return Some((c, at + 4));
        }
    }
    None
}

/// `\u{41}`
fn unicode(text: &str) -> Option<(char, usize)> {
    let digits = text.strip_prefix("\\u{")?;
    let digits = &digits[..digits.find('}')?];
    let valid = (1..=6).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    let number = u32::from_str_radix(digits, 16).ok().filter(|_| valid)?;
    Some((char::from_u32(number)?, "\\u{}".len() + digits.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(file: &str, raw: bool) -> (Text, Vec<SyntaxFault>) {
        let mut faults = Vec::new();
        let variables = |name: &str| match name {
            "USER" => Some("anna \"a\"".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        };
        (read(file, 0..file.len(), raw, Some(&variables), &mut faults), faults)
    }

    #[test]
    fn variables_and_escapes_are_replaced() {
        for (file, raw, value) in [
            ("data/${USER}/x", false, "data/anna \"a\"/x"),
            ("${NOWHERE:-a\\tb}${EMPTY:-c}", false, "a\tbc"),
            ("${EMPTY}", false, ""),
            ("$${USER} $1 ${1} $ ${", false, "${USER} $1 ${1} $ ${"),
            ("$$${USER}", false, "$${USER}"),
            ("\\d${USER}", true, "\\danna \"a\""),
            ("a\\\n   b", false, "ab"),
            ("\\xe2\\x82\\xac \\u{20AC}", false, "€ €"),
        ] {
            let (text, faults) = text(file, raw);
            assert_eq!(text.value, value, "{file}");
            assert!(faults.is_empty(), "{file}: {faults:?}");
        }
    }

    #[test]
    fn bytes_of_the_value_are_traced_to_the_file() {
        let file = "a\\tb${USER}céd";
        let (text, _) = text(file, false);
        assert_eq!(text.value, "a\tbanna \"a\"céd");
        for (within, source) in [
            (0..1, 0..1),
            (1..2, 1..3),
            (2..3, 3..4),
            (3..5, 4..11),
            (2..12, 3..12),
            (12..14, 12..14),
            (12..13, 12..14),
            (14..15, 14..15),
            (15..15, 15..15),
            (99..120, 15..15),
        ] {
            assert_eq!(text.locate(&within), source, "{within:?}");
        }
    }

    #[test]
    fn faults_in_strings_are_placed() {
        for (file, code, place) in [
            ("a ${NOWHERE} b", "unset_variable", 2..12),
            ("a ${USER b", "bad_variable", 2..8),
            ("a \\d", "syntax", 2..4),
            ("\\u{110000}", "syntax", 0..2),
            ("\\xff", "syntax", 0..2),
            ("\\é", "syntax", 0..3),
        ] {
            let (_, faults) = text(file, false);
            assert_eq!(
                faults.iter().map(|fault| (fault.code, fault.span.clone())).collect::<Vec<_>>(),
                [(code, place)],
                "{file}"
            );
        }
    }
}
