//! From text to tokens: brackets, names, literals. Comments and blanks fall away here.

use super::{Span, SyntaxFault};

/// A token and its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    pub(crate) span: Span,
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenKind {
    /// `(`, `[` or `{`.
    Open(char),
    /// `)`, `]` or `}`.
    Close(char),
    Comma,
    Colon,
    Name,
    /// `"…"`, with the number of bytes before and after the text.
    Text,
    /// `r#"…"#` with this many hashes.
    RawText(usize),
    Number,
    /// A character, a byte, a byte string.
    Other,
    /// A character that begins nothing.
    Stray,
}

/// Cuts the bytes `range` of `text` into tokens. A literal that has no end makes the rest meaningless: it is the only
/// fault this gives.
pub(crate) fn tokens(text: &str, range: Span) -> Result<Vec<Token>, SyntaxFault> {
    let mut lexer = Lexer { text: &text[..range.end], at: range.start };
    let mut tokens = Vec::new();
    while let Some(token) = lexer.next()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

/// What `ron` takes for a blank.
fn is_blank(c: char) -> bool {
    matches!(
        c,
        // The last is the mark that some editors put at the head of a file.
        ' ' | '\t'
            | '\n'
            | '\r'
            | '\x0B'
            | '\x0C'
            | '\u{85}'
            | '\u{200E}'
            | '\u{200F}'
            | '\u{2028}'
            | '\u{2029}'
            | '\u{FEFF}'
    )
}

fn is_name_start(c: char) -> bool {
    c == '_' || c.is_alphabetic()
}

fn is_name_part(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

fn is_raw_name_part(c: char) -> bool {
    matches!(c, '.' | '+' | '-') || is_name_part(c)
}

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn length_while(&self, start: usize, accepts: impl Fn(char) -> bool) -> usize {
        let rest = &self.text[start..];
        rest.find(|c| !accepts(c)).unwrap_or(rest.len())
    }

    fn token(&mut self, kind: TokenKind, length: usize) -> Token {
        let start = self.at;
        self.at += length;
        Token { kind, span: start..self.at }
    }

    fn unclosed(&self, what: &str, start: usize, opening: usize, help: &str) -> SyntaxFault {
        SyntaxFault::new(
            format!("{what} is never closed"),
            start..(start + opening).min(self.text.len()),
            "opened here",
        )
        .help(help)
    }

    fn skip_blanks_and_comments(&mut self) -> Result<(), SyntaxFault> {
        loop {
            self.at += self.length_while(self.at, is_blank);
            let rest = self.rest();
            if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with("/*") {
                let start = self.at;
                let mut depth = 0_usize;
                loop {
                    let rest = self.rest();
                    if rest.starts_with("/*") {
                        depth += 1;
                        self.at += 2;
                    } else if rest.starts_with("*/") {
                        depth -= 1;
                        self.at += 2;
                        if depth == 0 {
                            break;
                        }
                    } else if let Some(c) = rest.chars().next() {
                        self.at += c.len_utf8();
                    } else {
                        return Err(self.unclosed("the comment", start, 2, "close it with `*/`"));
                    }
                }
            } else {
                return Ok(());
            }
        }
    }

    fn next(&mut self) -> Result<Option<Token>, SyntaxFault> {
        self.skip_blanks_and_comments()?;
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(None) };
        let second = rest[first.len_utf8()..].chars().next();
        let token = match first {
            '(' | '[' | '{' => self.token(TokenKind::Open(first), 1),
            ')' | ']' | '}' => self.token(TokenKind::Close(first), 1),
            ',' => self.token(TokenKind::Comma, 1),
            ':' => self.token(TokenKind::Colon, 1),
            '"' => self.quoted(0, TokenKind::Text)?,
            '\'' => self.character(0)?,
            'b' if second == Some('\'') => self.character(1)?,
            'b' if second == Some('"') => self.quoted(1, TokenKind::Other)?,
            'b' if rest[1..].starts_with("r\"") || rest[1..].starts_with("r#") => self.raw(2, |_| TokenKind::Other)?,
            'r' if second == Some('"')
                || (second == Some('#') && rest[1..].trim_start_matches('#').starts_with('"')) =>
            {
                self.raw(1, TokenKind::RawText)?
            }
            'r' if second == Some('#') => {
                let length = self.length_while(self.at + 2, is_raw_name_part);
                self.token(TokenKind::Name, 2 + length)
            }
            '0'..='9' | '+' | '-' | '.' => self.number(),
            _ if is_name_start(first) => {
                let length = self.length_while(self.at, is_name_part);
                self.token(TokenKind::Name, length)
            }
            '#' if second == Some('!') => {
                let end = self.at + self.length_while(self.at, |c| c != '\n');
                return Err(SyntaxFault::new(
                    "a graph file takes no `#![…]` attribute",
                    self.at..end,
                    "not allowed here",
                )
                .help("remove it: `implicit_some` is always on, and no other extension is"));
            }
            _ => self.token(TokenKind::Stray, first.len_utf8()),
        };
        Ok(Some(token))
    }

    fn quoted(&mut self, prefix: usize, kind: TokenKind) -> Result<Token, SyntaxFault> {
        let start = self.at;
        let mut at = start + prefix + 1;
        loop {
            match self.text[at..].find(['"', '\\']) {
                Some(found) if self.text.as_bytes()[at + found] == b'"' => {
                    return Ok(self.token(kind, at + found + 1 - start));
                }
                Some(found) => {
                    at += found + 1;
                    at += self.text[at..].chars().next().map_or(0, char::len_utf8);
                }
                None => {
                    let line = self.length_while(start, |c| c != '\n');
                    return Err(self.unclosed("the string", start, line, "close it with `\"`"));
                }
            }
        }
    }

    fn raw(&mut self, prefix: usize, kind: impl Fn(usize) -> TokenKind) -> Result<Token, SyntaxFault> {
        let start = self.at;
        let hashes = self.length_while(start + prefix, |c| c == '#');
        let content = start + prefix + hashes + 1;
        let ending = format!("\"{}", "#".repeat(hashes));
        match self.text.get(content..).and_then(|rest| rest.find(&ending)) {
            Some(length) if self.text.as_bytes()[content - 1] == b'"' => {
                Ok(self.token(kind(hashes), content + length + ending.len() - start))
            }
            _ => {
                let line = self.length_while(start, |c| c != '\n');
                Err(self.unclosed("the raw string", start, line, &format!("close it with `{ending}`")))
            }
        }
    }

    fn character(&mut self, prefix: usize) -> Result<Token, SyntaxFault> {
        let rest = &self.rest()[prefix + 1..];
        let first = rest.chars().next();
        // `'''` is the quote itself; after a backslash one character more belongs to it.
        let skipped = match first {
            Some('\\') => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            Some(c) => c.len_utf8(),
            None => 0,
        };
        match rest[skipped..].find('\'') {
            Some(length) if first.is_some() && length <= 12 => {
                Ok(self.token(TokenKind::Other, prefix + skipped + length + 2))
            }
            _ => Err(self.unclosed("the character", self.at, prefix + 1, "strings stand in double quotes: `\"…\"`")),
        }
    }

    /// All that a number may be made of, as `ron` cuts it; whether it is one, `ron` says when it is read.
    fn number(&mut self) -> Token {
        let bytes = self.rest().as_bytes();
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'+' | b'-');
        let more = bytes[1..].iter().take_while(|byte| is_part(byte)).count();
        self.token(TokenKind::Number, 1 + more)
    }
}
