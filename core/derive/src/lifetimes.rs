//! The same type with another lifetime.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::ToTokens;
use syn::Lifetime;

/// `tokens` with `to` wherever `from` stands.
pub(crate) fn replaced(tokens: TokenStream, from: &Lifetime, to: &Lifetime) -> TokenStream {
    let mut replaced_tokens = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(quote) if quote.as_char() == '\'' => match tokens.next() {
                Some(TokenTree::Ident(name)) if name == from.ident => to.to_tokens(&mut replaced_tokens),
                name => {
                    replaced_tokens.extend([TokenTree::Punct(quote)]);
                    replaced_tokens.extend(name);
                }
            },
            TokenTree::Group(group) => {
                let mut inner = Group::new(group.delimiter(), replaced(group.stream(), from, to));
                inner.set_span(group.span());
                replaced_tokens.extend([TokenTree::Group(inner)]);
            }
            other => replaced_tokens.extend([other]),
        }
    }
    replaced_tokens
}

/// The place where a type names a lifetime.
pub(crate) fn found(tokens: TokenStream, name: &str) -> Option<proc_macro2::Span> {
    let mut after_quote = false;
    for token in tokens {
        match &token {
            TokenTree::Ident(ident) if after_quote && ident == name => return Some(ident.span()),
            TokenTree::Group(group) => {
                if let Some(place) = found(group.stream(), name) {
                    return Some(place);
                }
            }
            _ => {}
        }
        after_quote = matches!(&token, TokenTree::Punct(quote) if quote.as_char() == '\'');
    }
    None
}
