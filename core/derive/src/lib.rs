//! The macros of Watershed: `#[derive(Row)]` makes a struct a row of columns, `#[operator]` a node of graph files, `#[record]` a value
//! that serde reads and writes.
//!
//! What they generate names nothing but `::watershed::private`, so a crate that uses them needs no dependency but `watershed`.

mod attributes;
mod derives;
mod lifetimes;
mod operator;
mod row;

use proc_macro::TokenStream;

use crate::derives::Derive;

/// Makes a struct a row: each field a column of its name, read as the field's type.
///
/// The struct has named fields and at most one lifetime, that of the batch its strings and lists are borrowed from. On a field:
///
/// * `#[row(name = "gt")]`: the column has another name;
/// * `#[row(default)]`: the column may be missing; then the field has its type's default, or that of `#[row(default = "path")]`;
/// * `#[row(event_time)]`: the column is event time in what an operator puts out.
///
/// `#[serde(rename = "…")]` and `#[serde(default)]` say the same.
#[proc_macro_derive(Row, attributes(row))]
pub fn derive_row(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    row::expand(&input).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Makes a struct that implements one of the operator author's traits a node of graph files, as in
/// `#[operator(StatefulOperator, example: r#"Sessions(gap: "5 seconds")"#)]`.
///
/// The struct's fields are the node's, read by serde; its doc comments are what `watershed describe` shows. The attribute derives
/// `Clone`, `Debug`, `Serialize`, `Deserialize` and `JsonSchema` where `#[derive(…)]` below it does not, refuses fields that the
/// struct does not have, and enters the node under the struct's name. Without an example it is `Name()`.
#[proc_macro_attribute]
pub fn operator(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let arguments = syn::parse_macro_input!(arguments as operator::Arguments);
    let item = syn::parse_macro_input!(item as syn::ItemStruct);
    operator::expand(&arguments, &item).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// Derives serde's `Serialize` and `Deserialize` for a type that stands in rows as `Json<T>` or is read as `Serde<T>`, so that the
/// crate needs no dependency on serde.
#[proc_macro_attribute]
pub fn record(_: TokenStream, item: TokenStream) -> TokenStream {
    with_derives(&[Derive::Serialize, Derive::Deserialize], false, item)
}

/// Derives what the type of an operator's field needs, an enum of choices for example: `Clone`, `Debug`, `Serialize`,
/// `Deserialize` and `JsonSchema`, where `#[derive(…)]` below it does not. Unknown fields are refused.
#[proc_macro_attribute]
pub fn setting(_: TokenStream, item: TokenStream) -> TokenStream {
    with_derives(&derives::OF_SETTINGS, true, item)
}

fn with_derives(wanted: &[Derive], only_known_fields: bool, item: TokenStream) -> TokenStream {
    let item = syn::parse_macro_input!(item as syn::DeriveInput);
    let derives = derives::derives(wanted, only_known_fields, &item.attrs);
    derives.map_or_else(syn::Error::into_compile_error, |derives| quote::quote!(#derives #item)).into()
}
