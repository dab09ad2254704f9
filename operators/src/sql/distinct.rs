//! `IS [NOT] DISTINCT FROM`, which the parser reads as if all that follows were compared with: `a IS DISTINCT FROM b AND c` became
//! `a IS DISTINCT FROM (b AND c)`.
//!
//! So for the parser it is one operator of two values, as binding as a custom one is: less than `=`, more than `NOT`.

use std::ops::ControlFlow;

use datafusion_sql::sqlparser::ast::{BinaryOperator, Expr, VisitMut, VisitorMut};
use datafusion_sql::sqlparser::keywords::Keyword;
use datafusion_sql::sqlparser::tokenizer::{Token, TokenWithSpan};

// No operator that is written has blanks in it.
const DISTINCT: &str = "IS DISTINCT FROM";
const NOT_DISTINCT: &str = "IS NOT DISTINCT FROM";

/// The same tokens with these words as one.
pub(super) fn as_operators(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut joined: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for token in tokens {
        joined.push(token);
        if let Some((start, operator)) = ends_with_operator(&joined) {
            let span = joined[start].span.union(&joined[joined.len() - 1].span);
            joined.truncate(start);
            joined.push(TokenWithSpan { token: Token::CustomBinaryOperator(operator.to_owned()), span });
        }
    }
    joined
}

/// Where the words begin with which the tokens end, and what they are.
fn ends_with_operator(tokens: &[TokenWithSpan]) -> Option<(usize, &'static str)> {
    let mut words = tokens.iter().enumerate().rev().filter(|(_, token)| !matches!(token.token, Token::Whitespace(_)));
    let mut next = || match words.next()? {
        (at, TokenWithSpan { token: Token::Word(word), .. }) if at > 0 => Some((at, word.keyword)),
        _ => None,
    };
    let is = |(_, keyword): &(usize, Keyword), wanted| *keyword == wanted;
    // The last token is no blank, or this was looked at before.
    if !matches!(tokens.last()?.token, Token::Word(_)) {
        return None;
    }
    next().filter(|word| is(word, Keyword::FROM))?;
    next().filter(|word| is(word, Keyword::DISTINCT))?;
    match next()? {
        (start, Keyword::IS) => Some((start, DISTINCT)),
        (_, Keyword::NOT) => next().filter(|word| is(word, Keyword::IS)).map(|(start, _)| (start, NOT_DISTINCT)),
        _ => None,
    }
}

/// Makes these operators of a tree what they stand for.
pub(super) fn restore(tree: &mut Expr) {
    let _ = VisitMut::visit(tree, &mut Restorer);
}

struct Restorer;

impl VisitorMut for Restorer {
    type Break = ();

    fn post_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<()> {
        if let Expr::BinaryOp { left, op: BinaryOperator::Custom(operator), right } = expression {
            let restored = match operator.as_str() {
                DISTINCT => Expr::IsDistinctFrom,
                NOT_DISTINCT => Expr::IsNotDistinctFrom,
                _ => return ControlFlow::Continue(()),
            };
            *expression = restored(left.clone(), right.clone());
        }
        ControlFlow::Continue(())
    }
}
