//! Derives by way of `watershed`, so that a crate needs neither serde nor schemars of its own.

use std::collections::BTreeSet;

use proc_macro2::TokenStream;
use quote::quote;
use syn::punctuated::Punctuated;
use syn::{Attribute, Meta, Path, Result, Token};

/// A trait that is derived.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Derive {
    Clone,
    Debug,
    Serialize,
    Deserialize,
    JsonSchema,
}

/// What every part of a node of graph files derives.
pub(crate) const OF_SETTINGS: [Derive; 5] =
    [Derive::Clone, Derive::Debug, Derive::Serialize, Derive::Deserialize, Derive::JsonSchema];

impl Derive {
    fn name(self) -> &'static str {
        match self {
            Self::Clone => "Clone",
            Self::Debug => "Debug",
            Self::Serialize => "Serialize",
            Self::Deserialize => "Deserialize",
            Self::JsonSchema => "JsonSchema",
        }
    }

    fn path(self) -> TokenStream {
        match self {
            Self::Clone => quote!(::core::clone::Clone),
            Self::Debug => quote!(::core::fmt::Debug),
            Self::Serialize => quote!(::watershed::private::serde::Serialize),
            Self::Deserialize => quote!(::watershed::private::serde::Deserialize),
            Self::JsonSchema => quote!(::watershed::private::schemars::JsonSchema),
        }
    }
}

/// The attributes that derive `wanted`, less what the type derives already, and say where serde is to be found. They stand before
/// the type's own attributes.
pub(crate) fn derives(wanted: &[Derive], only_known_fields: bool, attributes: &[Attribute]) -> Result<TokenStream> {
    let derived = derived(attributes)?;
    let missing = wanted.iter().filter(|derive| !derived.contains(derive.name())).map(|derive| derive.path());
    let said = said_to("serde", attributes)?;
    let serde_crate = (!said.contains("crate")).then(|| quote!(crate = "::watershed::private::serde"));
    let deny = (only_known_fields && !said.contains("deny_unknown_fields")).then(|| quote!(deny_unknown_fields));
    let serde = serde_crate.into_iter().chain(deny);
    let schemars = (wanted.contains(&Derive::JsonSchema) && !said_to("schemars", attributes)?.contains("crate"))
        .then(|| quote!(#[schemars(crate = "::watershed::private::schemars")]));
    Ok(quote! {
        #[derive(#(#missing),*)]
        #[serde(#(#serde),*)]
        #schemars
    })
}

/// The last words of the traits that `#[derive(…)]` names.
fn derived(attributes: &[Attribute]) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident("derive")) {
        let paths = attribute.parse_args_with(Punctuated::<Path, Token![,]>::parse_terminated)?;
        names.extend(paths.iter().filter_map(|path| Some(path.segments.last()?.ident.to_string())));
    }
    Ok(names)
}

/// What the type says to such an attribute: the first words of `#[serde(word, word = …)]`.
pub(crate) fn said_to(name: &str, attributes: &[Attribute]) -> Result<BTreeSet<String>> {
    let mut words = BTreeSet::new();
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident(name)) {
        let said = attribute.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated)?;
        words.extend(said.iter().filter_map(|meta| Some(meta.path().get_ident()?.to_string())));
    }
    Ok(words)
}
