//! Text to syntax tree, with the bytes of every token, so that a fault can point into the text.

use std::ops::{ControlFlow, Range};

use datafusion_sql::sqlparser::ast::{Expr, Function, FunctionArguments, ObjectNamePart, Spanned, Visit, Visitor};
use datafusion_sql::sqlparser::dialect::GenericDialect;
use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::parser::{Parser, ParserError};
use datafusion_sql::sqlparser::tokenizer::{Location, Span, Token, TokenWithSpan, Tokenizer};
use watershed_core::fault::Fault;

use super::distinct;

/// The most tokens an expression may have. Deeper trees than any person writes would only exhaust the stack.
const MOST_TOKENS: usize = 20_000;
/// The most binary operators in one expression, so that looking for its depth is safe.
const MOST_OPERATORS: usize = 500;
/// The most levels of a tree: `a + b + c` has three. A thread with a stack of two megabytes can take them.
const MOST_LEVELS: usize = 100;

/// An expression as it was written.
#[derive(Clone, Debug)]
pub(crate) struct Parsed {
    /// The whole text.
    pub(crate) text: String,
    /// The syntax tree.
    pub(crate) tree: Expr,
    /// The text without its alias.
    pub(crate) body: String,
    /// The name after `AS`.
    pub(crate) alias: Option<String>,
    tokens: Vec<(Range<usize>, Token)>,
}

impl Parsed {
    /// Reads an expression, or with `aliased` one that may end in `AS name`.
    pub(crate) fn read(text: &str, aliased: bool) -> Result<Self, Fault> {
        let dialect = GenericDialect {};
        let spanned = Tokenizer::new(&dialect, text).tokenize_with_location().map_err(|error| {
            let start = byte_at(text, error.location);
            bad_syntax(&error.message).within(start..text.len())
        })?;
        refuse_giants(&spanned)?;
        let tokens: Vec<_> = spanned
            .iter()
            .filter(|token| !matches!(token.token, Token::Whitespace(_) | Token::EOF))
            .map(|token| (byte_at(text, token.span.start)..byte_at(text, token.span.end), token.token.clone()))
            .collect();
        let mut parser = Parser::new(&dialect).with_tokens_with_locations(distinct::as_operators(spanned));
        let parsed = parser.parse_expr_with_alias();
        let (mut tree, alias) = match parsed {
            Ok(parsed) => (parsed.expr, parsed.alias),
            Err(error) => return Err(syntax_fault(text, &tokens, &error)),
        };
        refuse_trailing(text, &parser)?;
        refuse_depth(&tree)?;
        distinct::restore(&mut tree);
        let body = match (&alias, tokens.len().checked_sub(2).and_then(|at| tokens.get(at))) {
            (Some(_), Some((place, _))) => &text[..place.start],
            _ => text,
        };
        if let (Some(alias), false) = (&alias, aliased) {
            let place = body.len()..text.len();
            let message = format!("an expression has no name here, but `AS {}` gives it one", alias.value);
            return Err(Fault::new("bad_expression", message).within(place).label("not allowed here"));
        }
        let alias = alias.map(|alias| alias.value);
        Ok(Self { text: text.to_owned(), tree, body: body.trim().to_owned(), alias, tokens })
    }

    /// The name, if the expression is nothing else. A word that SQL has other plans for, such as `User`, is parsed as a call
    /// without brackets.
    pub(crate) fn as_name(&self) -> Option<&str> {
        let mut tree = &self.tree;
        while let Expr::Nested(inner) = tree {
            tree = inner;
        }
        match tree {
            Expr::Identifier(name) => Some(&name.value),
            Expr::Function(Function { name, args: FunctionArguments::None, .. }) => match name.0.as_slice() {
                [ObjectNamePart::Identifier(name)] => Some(&name.value),
                _ => None,
            },
            _ => None,
        }
    }

    /// The bytes of a part of the tree. The parser's spans leave out some words and closing brackets; these are put back.
    pub(crate) fn place(&self, span: Span) -> Range<usize> {
        if span.start.line == 0 {
            return 0..self.body.len();
        }
        let start = byte_at(&self.text, span.start);
        let end = byte_at(&self.text, span.end).max(start);
        self.closed(start, end)
    }

    /// The bytes of a sub-expression, with the word before the bracket where that is part of its syntax.
    pub(crate) fn place_of(&self, part: &Expr) -> Range<usize> {
        if *part == self.tree {
            return 0..self.body.len();
        }
        let place = self.place(part.span());
        let has_word_before = matches!(
            part,
            Expr::Cast { .. }
                | Expr::Extract { .. }
                | Expr::Substring { .. }
                | Expr::Trim { .. }
                | Expr::Position { .. }
                | Expr::Ceil { .. }
                | Expr::Floor { .. }
        );
        let before = self.tokens.iter().take_while(|(token, _)| token.start < place.start).collect::<Vec<_>>();
        match before.as_slice() {
            [.., (word, Token::Word(_)), (_, Token::LParen)] if has_word_before => self.closed(word.start, place.end),
            _ => place,
        }
    }

    /// From `start` to `end`, and on to the brackets that close what was opened between.
    fn closed(&self, start: usize, mut end: usize) -> Range<usize> {
        let mut open = 0_u32;
        for (place, token) in self.tokens.iter().filter(|(place, _)| place.start >= start) {
            if place.start >= end && open == 0 {
                break;
            }
            match token {
                Token::LParen => open += 1,
                Token::RParen if open > 0 => {
                    open -= 1;
                    end = end.max(place.end);
                }
                _ => {}
            }
        }
        start..end
    }
}

/// A fault about the grammar.
fn bad_syntax(message: &str) -> Fault {
    let message = message.replace("Expected:", "expected").replace("EOF", "the end");
    let mut letters = message.chars();
    let message: String = letters.next().into_iter().flat_map(char::to_lowercase).chain(letters).collect();
    Fault::new("bad_expression", format!("bad expression: {}", message.trim()))
}

/// The parser puts the place at the end of its message, or leaves it out where the text ends too early.
fn syntax_fault(text: &str, tokens: &[(Range<usize>, Token)], error: &ParserError) -> Fault {
    let (ParserError::ParserError(message) | ParserError::TokenizerError(message)) = error else {
        return bad_syntax("brackets are nested too deeply").within(0..text.len());
    };
    let end = text.trim_end().len();
    let Some((message, place)) = message.rsplit_once(" at Line: ") else {
        return bad_syntax(message).within(end..end).label("something is missing here");
    };
    let numbers: Vec<u64> = place.split(", Column: ").filter_map(|number| number.trim().parse().ok()).collect();
    let [line, column] = numbers[..] else { return bad_syntax(message).within(0..text.len()) };
    let start = byte_at(text, Location { line, column });
    let place =
        tokens.iter().find(|(place, _)| place.start == start).map_or(start..end.max(start), |(place, _)| place.clone());
    bad_syntax(message).within(place).label("not expected here")
}

fn refuse_trailing(text: &str, parser: &Parser<'_>) -> Result<(), Fault> {
    let TokenWithSpan { token, span } = parser.peek_token();
    if token == Token::EOF {
        return Ok(());
    }
    let start = byte_at(text, span.start);
    let rest = text[start..].trim_end();
    let fault = bad_syntax(&format!("the expression ends before `{rest}`"))
        .within(start..start + rest.len())
        .label("not part of it");
    Err(match token {
        Token::Word(word) if word.keyword == Keyword::NoKeyword => {
            fault.help(format!("a name is given with `AS {}`", word.value))
        }
        Token::Comma => fault.help("write each expression as a string of its own"),
        _ => fault,
    })
}

fn refuse_giants(tokens: &[TokenWithSpan]) -> Result<(), Fault> {
    let is_operator = |token: &Token| match token {
        Token::Word(word) => matches!(word.keyword, Keyword::AND | Keyword::OR | Keyword::NOT | Keyword::IS),
        Token::Plus
        | Token::Minus
        | Token::Mul
        | Token::Div
        | Token::Mod
        | Token::StringConcat
        | Token::Eq
        | Token::DoubleColon => true,
        _ => false,
    };
    let operators = tokens.iter().filter(|token| is_operator(&token.token)).count();
    if tokens.len() <= MOST_TOKENS && operators <= MOST_OPERATORS {
        return Ok(());
    }
    let message = format!(
        "the expression is too long: it has {} words, signs and blanks, {operators} of them operators",
        tokens.len()
    );
    let help = format!(
        "at most {MOST_OPERATORS} operators are allowed; split it over several `Select` nodes, or use `IN (…)`"
    );
    Err(Fault::new("bad_expression", message).help(help))
}

fn refuse_depth(tree: &Expr) -> Result<(), Fault> {
    struct Depth(usize);
    impl Visitor for Depth {
        type Break = ();

        fn pre_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
            self.0 += 1;
            if self.0 > MOST_LEVELS { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }

        fn post_visit_expr(&mut self, _: &Expr) -> ControlFlow<()> {
            self.0 -= 1;
            ControlFlow::Continue(())
        }
    }
    if tree.visit(&mut Depth(0)).is_continue() {
        return Ok(());
    }
    let message = format!(
        "the expression is nested too deeply: `a + b + c` has three levels, and at most {MOST_LEVELS} are allowed"
    );
    Err(Fault::new("bad_expression", message)
        .help("split it with brackets or over several `Select` nodes, or use `IN (…)`"))
}

/// The byte offset of a place that counts lines and characters from one.
fn byte_at(text: &str, place: Location) -> usize {
    let (line, column) = (place.line.saturating_sub(1) as usize, place.column.saturating_sub(1) as usize);
    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
    let rest = &text[start..];
    start + rest.char_indices().nth(column).map_or(rest.len(), |(offset, _)| offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_syntax_error_is_placed_in_the_text() {
        for (text, place, words) in [
            ("x +", 3..3, "expected an expression"),
            ("y + 1; drop", 5..11, "ends before `; drop`"),
            ("x y", 2..3, "ends before `y`"),
            ("(x + 1", 6..6, "expected )"),
            ("'open", 0..5, "unterminated string"),
            ("é + ) + 1", 5..6, "expected an expression"),
            ("", 0..0, "expected an expression"),
            ("a\n  + *", 6..7, "expected an expression"),
        ] {
            let fault = Parsed::read(text, true).expect_err(text);
            assert_eq!(fault.within, Some(place), "{text}: {}", fault.message);
            assert!(fault.message.contains(words), "{text}: {}", fault.message);
        }
    }

    #[test]
    fn an_alias_is_split_off() {
        let parsed = Parsed::read("x + 1  AS \"the sum\"", true).expect("an expression");
        assert_eq!((parsed.body.as_str(), parsed.alias.as_deref()), ("x + 1", Some("the sum")));
        let fault = Parsed::read("x AS y", false).expect_err("no alias here");
        assert_eq!(fault.within, Some(2..6));
    }

    #[test]
    fn an_endless_chain_is_refused_before_it_exhausts_the_stack() {
        let text = vec!["x"; 100_000].join(" + ");
        assert!(Parsed::read(&text, false).expect_err("too long").message.contains("too long"));
        let text = format!("{}x{}", "(".repeat(5_000), ")".repeat(5_000));
        assert!(Parsed::read(&text, false).expect_err("too deep").message.contains("nested too deeply"));
    }
}
