//! From tokens to a tree, going on after a mistake: a value that cannot be read is left out and its neighbours are read.

use super::lexer::{Token, TokenKind};
use super::{Body, Name, Span, SyntaxFault, Tree, Value, Variables, string};

/// As deep as `ron` goes; brackets that nest deeper are an error, not an overflow of the stack.
const DEEPEST: usize = 120;

/// Reads the one value in the bytes `range` of `text`. What could not be read is `Broken` in the tree; without any value
/// there is no tree.
pub fn parse(text: &str, range: Span, variables: Variables<'_>) -> (Option<Tree>, Vec<SyntaxFault>) {
    let tokens = match super::tokens(text, range.clone()) {
        Ok(tokens) => tokens,
        Err(fault) => return (None, vec![fault]),
    };
    let mut parser = Parser { text, end: range.end, tokens: &tokens, at: 0, variables, faults: Vec::new() };
    if let Some(fault) = parser.brackets() {
        return (None, vec![fault]);
    }
    if tokens.is_empty() {
        return (None, vec![SyntaxFault::new("there is nothing in this file", range.start..range.start, "empty")]);
    }
    let tree = parser.value();
    if let (Some(rest), true) = (parser.peek(), parser.faults.is_empty()) {
        let span = rest.span.clone();
        parser.faults.push(SyntaxFault::new("there is more text after the end", span, "should be the end"));
    }
    (Some(tree), parser.faults)
}

struct Parser<'a> {
    text: &'a str,
    end: usize,
    tokens: &'a [Token],
    at: usize,
    variables: Variables<'a>,
    faults: Vec<SyntaxFault>,
}

fn closing(open: char) -> char {
    match open {
        '(' => ')',
        '[' => ']',
        _ => '}',
    }
}

impl<'a> Parser<'a> {
    /// Whether all brackets are closed by their like: without that, nobody can tell what belongs where.
    fn brackets(&self) -> Option<SyntaxFault> {
        let mut open: Vec<(char, &Span)> = Vec::new();
        for Token { kind, span } in self.tokens {
            match *kind {
                TokenKind::Open(_) if open.len() == DEEPEST => {
                    let message = format!("brackets are nested deeper than {DEEPEST} times");
                    return Some(SyntaxFault::new(message, span.clone(), "too deep"));
                }
                TokenKind::Open(bracket) => open.push((bracket, span)),
                TokenKind::Close(bracket) => match open.pop() {
                    None => {
                        let message = format!("`{bracket}` closes nothing");
                        return Some(SyntaxFault::new(message, span.clone(), "nothing is open here"));
                    }
                    Some((opening, at)) if closing(opening) != bracket => {
                        let wanted = closing(opening);
                        let mut fault = SyntaxFault::new(
                            format!("`{opening}` is closed by `{bracket}`"),
                            span.clone(),
                            format!("should be `{wanted}`"),
                        );
                        fault.related = Some((at.clone(), format!("this `{opening}` is open")));
                        return Some(fault);
                    }
                    Some(_) => {}
                },
                _ => {}
            }
        }
        let (opening, at) = open.pop()?;
        let wanted = closing(opening);
        Some(SyntaxFault::new(format!("`{opening}` is never closed"), at.clone(), format!("no `{wanted}` for it")))
    }

    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at)
    }

    fn peek_kind(&self, ahead: usize) -> Option<TokenKind> {
        self.tokens.get(self.at + ahead).map(|token| token.kind)
    }

    fn shown(&self) -> (Span, String) {
        match self.peek() {
            Some(token) => (token.span.clone(), format!("`{}`", &self.text[token.span.clone()])),
            None => (self.end..self.end, "the end".to_owned()),
        }
    }

    fn expected(&mut self, what: &str) {
        let (span, seen) = self.shown();
        let fault = SyntaxFault::new(format!("expected {what} but found {seen}"), span, format!("expected {what}"));
        self.faults.push(fault);
    }

    /// Skips to the next comma or closing bracket of the brackets that are open now.
    fn recover(&mut self) {
        let mut depth = 0_usize;
        while let Some(token) = self.peek() {
            match token.kind {
                TokenKind::Open(_) => depth += 1,
                TokenKind::Close(_) | TokenKind::Comma if depth == 0 => return,
                TokenKind::Close(_) => depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
    }

    fn value(&mut self) -> Tree {
        let Some(token) = self.peek() else {
            self.expected("a value");
            return Tree { span: self.end..self.end, value: Value::Broken };
        };
        let span = token.span.clone();
        match token.kind {
            TokenKind::Text | TokenKind::RawText(_) => {
                self.at += 1;
                let value = Value::Text(self.string(token));
                Tree { span, value }
            }
            TokenKind::Number => {
                self.at += 1;
                Tree { span, value: Value::Number }
            }
            TokenKind::Other => {
                self.at += 1;
                Tree { span, value: Value::Other }
            }
            TokenKind::Name => {
                let name = self.name(token);
                if self.peek_kind(0) == Some(TokenKind::Open('(')) {
                    return self.structure(Some(name));
                }
                Tree { span, value: Value::Name(name.text) }
            }
            TokenKind::Open('(') => self.structure(None),
            TokenKind::Open('[') => {
                let (items, span) = self.bracketed(Self::value);
                Tree { span, value: Value::List(items) }
            }
            TokenKind::Open(_) => {
                let (entries, span) = self.bracketed(Self::entry);
                Tree { span, value: Value::Map(entries) }
            }
            TokenKind::Close(_) | TokenKind::Comma | TokenKind::Colon | TokenKind::Stray => {
                self.expected("a value");
                self.recover();
                Tree { span, value: Value::Broken }
            }
        }
    }

    fn string(&mut self, token: &Token) -> super::Text {
        let (raw, hashes) = match token.kind {
            TokenKind::RawText(hashes) => (true, hashes),
            _ => (false, 0),
        };
        let content = token.span.start + 1 + usize::from(raw) + hashes..token.span.end - 1 - hashes;
        string::read(self.text, content, raw, self.variables, &mut self.faults)
    }

    fn name(&mut self, token: &Token) -> Name {
        self.at += 1;
        let text = &self.text[token.span.clone()];
        Name { span: token.span.clone(), text: text.strip_prefix("r#").unwrap_or(text).to_owned() }
    }

    /// The elements between the bracket that comes next and its like.
    fn bracketed<T>(&mut self, mut element: impl FnMut(&mut Self) -> T) -> (Vec<T>, Span) {
        let start = self.peek().map_or(self.end, |token| token.span.start);
        self.at += 1;
        let mut elements = Vec::new();
        loop {
            match self.peek() {
                None => return (elements, start..self.end),
                Some(token) if matches!(token.kind, TokenKind::Close(_)) => {
                    self.at += 1;
                    return (elements, start..token.span.end);
                }
                Some(_) => {}
            }
            elements.push(element(self));
            match self.peek_kind(0) {
                Some(TokenKind::Comma) => self.at += 1,
                Some(TokenKind::Close(_)) | None => {}
                Some(_) => {
                    self.missing_comma();
                }
            }
        }
    }

    /// Two values side by side: most often a forgotten comma, so reading goes on as if it were there.
    fn missing_comma(&mut self) {
        let before = self.tokens[self.at - 1].span.end;
        let (_, seen) = self.shown();
        let fault = SyntaxFault::new(format!("expected `,` before {seen}"), before..before, "a comma is missing here");
        self.faults.push(fault);
        if matches!(self.peek_kind(0), Some(TokenKind::Colon | TokenKind::Stray)) {
            self.recover();
            if self.peek_kind(0) == Some(TokenKind::Comma) {
                self.at += 1;
            }
        }
    }

    fn entry(&mut self) -> (Tree, Tree) {
        let key = self.value();
        if matches!(key.value, Value::Broken) {
            let span = key.span.clone();
            return (key, Tree { span, value: Value::Broken });
        }
        if self.peek_kind(0) != Some(TokenKind::Colon) {
            self.expected("`:` and a value");
            self.recover();
            let span = key.span.clone();
            return (key, Tree { span, value: Value::Broken });
        }
        self.at += 1;
        let value = self.value();
        (key, value)
    }

    fn structure(&mut self, name: Option<Name>) -> Tree {
        let named = self.has_named_fields();
        let start = name.as_ref().map(|name| name.span.start);
        let (body, span) = if named {
            let (fields, span) = self.bracketed(Self::struct_field);
            (Body::Fields(fields.into_iter().flatten().collect()), span)
        } else {
            let (values, span) = self.bracketed(Self::value);
            (Body::Values(values), span)
        };
        Tree { span: start.unwrap_or(span.start)..span.end, value: Value::Struct(name, body) }
    }

    /// Whether the round brackets that come next hold a `name:` of their own.
    fn has_named_fields(&self) -> bool {
        let mut depth = 0_usize;
        for (index, token) in self.tokens[self.at..].iter().enumerate() {
            match token.kind {
                TokenKind::Open(_) => depth += 1,
                TokenKind::Close(_) if depth == 1 => return false,
                TokenKind::Close(_) => depth -= 1,
                TokenKind::Name if depth == 1 && self.peek_kind(index + 1) == Some(TokenKind::Colon) => return true,
                _ => {}
            }
        }
        false
    }

    fn struct_field(&mut self) -> Option<(Name, Tree)> {
        let Some(token) = self.peek().filter(|token| token.kind == TokenKind::Name) else {
            self.expected("a field's name and `:`");
            // A comma here is what follows the thing that is missing.
            self.recover();
            return None;
        };
        let field = self.name(token);
        if self.peek_kind(0) != Some(TokenKind::Colon) {
            self.expected(&format!("`:` after `{}`", field.text));
            self.recover();
            let span = field.span.clone();
            return Some((field, Tree { span, value: Value::Broken }));
        }
        self.at += 1;
        let value = self.value();
        Some((field, value))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use ron::value::RawValue;

    use super::*;

    const VALID: &str = r##"Graph(
    a: [1, -2.5e+3, 0xff, +1_0, .5, inf, 'x', '\'', '"', b'y', b"bytes", br#"raw"#, r#"a "quoted" text"#,],
    r#type: {"k": Some(()), 1: None, (1, "x",): {}, [2]: Name},
    b: Window(size: "1m\u{e9}\x41\\\n\"", inner: (x: true, y: (1, 2)), empty: Console(), bare: Console), // comment
    /* a /* nested */ one */
    c: (), d: (()), e: "",
)"##;

    fn accepts(text: &str) -> bool {
        let (tree, faults) = parse(text, 0..text.len(), None);
        tree.is_some() && faults.is_empty()
    }

    #[test]
    fn all_of_ron_is_read() {
        assert!(RawValue::from_ron(VALID).is_ok());
        let (tree, faults) = parse(VALID, 0..VALID.len(), None);
        assert!(faults.is_empty(), "{faults:?}");
        let tree = tree.expect("a tree");
        assert_eq!(tree.span, 0..VALID.len());
        let (name, value) = tree.field("type").expect("a field");
        assert_eq!(&VALID[name.span.clone()], "r#type");
        assert_eq!(&VALID[value.span.clone()], r#"{"k": Some(()), 1: None, (1, "x",): {}, [2]: Name}"#);
    }

    #[test]
    fn reading_goes_on_after_a_mistake() {
        for (text, faults, fields) in [
            ("(a: 1 b: 2)", 1, 2),
            ("(a: , b: 2)", 1, 2),
            ("(a 1, b: 2)", 1, 2),
            ("(a: [1 2, *], b: {\"x\" 1, : , \"y\": 2}, 5, c: 3)", 5, 3),
            ("(a: x y z, b: 2)", 2, 3),
            ("(a: 1,, b: 2)", 1, 2),
        ] {
            let (tree, found) = parse(text, 0..text.len(), None);
            assert_eq!(found.len(), faults, "{text}: {found:?}");
            match tree.map(|tree| tree.value) {
                Some(Value::Struct(None, Body::Fields(read))) => assert_eq!(read.len(), fields, "{text}: {read:?}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

        #[test]
        fn what_ron_accepts_is_accepted(at in 0..VALID.len(), length in 0..8_usize, piece in "(\\(|\\)|\\[|\\]|\\{|\\}|,|:|\"|'|a|1|//|/\\*|\\*/|r#|b|\n|\\\\|\\.|-| ){0,3}") {
            let end = (at + length).min(VALID.len());
            let text = format!("{}{piece}{}", &VALID[..at], &VALID[end..]);
            // Ranges such as `1..=5` are RON too, but no field of a graph is one, and the parser does not know them.
            if !text.contains("..") && RawValue::from_ron(&text).is_ok() {
                let (_, faults) = parse(&text, 0..text.len(), None);
                prop_assert!(accepts(&text), "{text}\n{faults:?}");
            }
        }
    }
}
