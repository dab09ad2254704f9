//! `#[derive(Row)]`: the impls of `Value` and `Row`, with a struct of bound columns and one of builders.

use std::collections::BTreeSet;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Fields, GenericParam, Ident, Lifetime, Result};

use crate::attributes::{self, FieldAttributes};
use crate::lifetimes;

/// A field of the row, ready to be written out.
struct RowField<'a> {
    ident: &'a Ident,
    /// What it is called among the bound columns and among the builders.
    slot: Ident,
    /// The column's name.
    name: String,
    attributes: FieldAttributes,
    /// Its type as read from a batch that lives for `'__row`.
    field_type: TokenStream,
    /// Its type for ever.
    static_type: TokenStream,
    span: Span,
}

/// The code for a struct.
pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    attributes::check_container(&input.attrs)?;
    let lifetime = only_lifetime(input)?;
    let fields = row_fields(input, lifetime)?;

    let columns = columns_struct(input, &fields);
    let builders = builders_struct(input, &fields);
    let value = value_impl(input, lifetime, &fields);
    let row = row_impl(input, lifetime, &fields);
    Ok(quote! {
        const _: () = {
            use ::watershed::private::row as __row;
            #columns
            #builders
            #value
            #row
        };
    })
}

/// The struct's lifetime, if it has one.
fn only_lifetime(input: &DeriveInput) -> Result<Option<&Lifetime>> {
    let mut lifetimes = Vec::new();
    for parameter in &input.generics.params {
        match parameter {
            GenericParam::Lifetime(lifetime) => lifetimes.push(&lifetime.lifetime),
            other => {
                return Err(Error::new_spanned(
                    other,
                    "a row has no type parameters, for its columns are known: write out the types, one struct for each",
                ));
            }
        }
    }
    match lifetimes.as_slice() {
        [] => Ok(None),
        [one] => Ok(Some(one)),
        [_, second, ..] => Err(Error::new_spanned(
            second,
            "a row has one lifetime, that of the batch it is read from: use the first one for all fields",
        )),
    }
}

fn row_fields<'a>(input: &'a DeriveInput, lifetime: Option<&Lifetime>) -> Result<Vec<RowField<'a>>> {
    let named = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => &fields.named,
            _ => {
                return Err(Error::new_spanned(
                    &input.ident,
                    "a row's columns have names: write the struct with named fields, `struct Name { column: Type }`",
                ));
            }
        },
        Data::Enum(_) | Data::Union(_) => {
            return Err(Error::new_spanned(
                &input.ident,
                "only a struct is a row: keep an enum in a column as `Json<…>`, or read it with `Serde<…>`",
            ));
        }
    };
    let mut names = BTreeSet::new();
    let mut event_times = 0;
    let mut fields = Vec::new();
    let mut errors: Option<Error> = None;
    let mut refuse = |error: Error| match &mut errors {
        Some(errors) => errors.combine(error),
        None => errors = Some(error),
    };
    for (place, field) in named.iter().enumerate() {
        let ident = field.ident.as_ref().expect("the fields are named");
        let attributes = match FieldAttributes::of(field) {
            Ok(attributes) => attributes,
            Err(error) => {
                refuse(error);
                continue;
            }
        };
        let name = attributes::column_name(ident, &attributes);
        if !names.insert(name.clone()) {
            refuse(Error::new_spanned(ident, format!("column `{name}` is another field's already")));
        }
        event_times += usize::from(attributes.event_time);
        if attributes.event_time && event_times > 1 {
            refuse(Error::new_spanned(ident, "another field is `event_time` already: a row has one"));
        }
        let written = field.ty.to_token_stream();
        if let Some(place) = lifetimes::found(written.clone(), "static") {
            let message = "a row is borrowed from its batch: give the struct a lifetime, `struct Name<'a>`, and use it here, or own the value (`String`)";
            refuse(Error::new(place, message));
        }
        let at = |to: &Lifetime| match lifetime {
            Some(from) => lifetimes::replaced(written.clone(), from, to),
            None => written.clone(),
        };
        fields.push(RowField {
            ident,
            slot: format_ident!("field_{place}"),
            name,
            attributes,
            field_type: at(&row_lifetime()),
            static_type: at(&Lifetime::new("'static", Span::call_site())),
            span: field.ty.span(),
        });
    }
    errors.map_or(Ok(fields), Err)
}

/// The lifetime of the batch that a row is read from.
fn row_lifetime() -> Lifetime {
    Lifetime::new("'__row", Span::call_site())
}

/// The bound columns.
fn columns_struct(input: &DeriveInput, fields: &[RowField]) -> TokenStream {
    let visibility = &input.vis;
    let slots = fields.iter().map(|field| &field.slot);
    let types = fields.iter().map(|RowField { field_type, attributes, span, .. }| {
        let column = quote_spanned!(*span=> <#field_type as __row::Value>::Column<'__row>);
        if attributes.default.is_some() { quote!(::core::option::Option<#column>) } else { column }
    });
    quote! {
        #[derive(::core::clone::Clone, ::core::marker::Copy)]
        #visibility struct __Columns<'__row> {
            #(#slots: #types,)*
            __batch: ::core::marker::PhantomData<&'__row ()>,
        }
    }
}

/// What rows are collected in.
fn builders_struct(input: &DeriveInput, fields: &[RowField]) -> TokenStream {
    let visibility = &input.vis;
    let slots = fields.iter().map(|field| &field.slot);
    let types = fields.iter().map(|field| &field.static_type);
    quote! {
        #visibility struct __Builders {
            #(#slots: <#types as __row::Value>::Builder,)*
            __nulls: ::watershed::private::NullBufferBuilder,
        }
    }
}

/// The struct's type in a header: with its own lifetime, and with that of a batch.
fn types(input: &DeriveInput, lifetime: Option<&Lifetime>) -> (TokenStream, TokenStream) {
    let name = &input.ident;
    match lifetime {
        Some(lifetime) => (quote!(#name<#lifetime>), quote!(#name<'__row>)),
        None => (quote!(#name), quote!(#name)),
    }
}

fn value_impl(input: &DeriveInput, lifetime: Option<&Lifetime>, fields: &[RowField]) -> TokenStream {
    let (this, of_batch) = types(input, lifetime);
    let name = &input.ident;
    let generics = &input.generics;
    let idents: Vec<_> = fields.iter().map(|field| field.ident).collect();
    let slots: Vec<_> = fields.iter().map(|field| &field.slot).collect();
    let types: Vec<_> = fields.iter().map(|field| &field.field_type).collect();
    let static_types: Vec<_> = fields.iter().map(|field| &field.static_type).collect();
    let gets = fields.iter().map(|RowField { slot, field_type, attributes, .. }| match &attributes.default {
        None => quote!(<#field_type as __row::Value>::get(&columns.#slot, row)),
        Some(default) => {
            let default = default.value(field_type);
            quote!(match &columns.#slot {
                ::core::option::Option::Some(column) => <#field_type as __row::Value>::get(column, row),
                ::core::option::Option::None => #default,
            })
        }
    });
    quote! {
        #[automatically_derived]
        impl #generics __row::Value for #this {
            type Of<'__row> = #of_batch;
            type Column<'__row> = __Columns<'__row>;
            type Builder = __Builders;

            fn data_type() -> ::watershed::private::DataType {
                __row::struct_type::<Self>()
            }

            fn misfits(seen: &::watershed::private::DataType) -> ::std::vec::Vec<__row::Misfit> {
                __row::struct_misfits::<Self>(seen)
            }

            fn bind<'__row>(
                column: &'__row dyn ::watershed::private::Array,
                present: &__row::Present,
            ) -> ::core::result::Result<__Columns<'__row>, __row::Misfit> {
                __row::bind_struct::<Self>(column, present)
            }

            #[inline]
            fn get<'__row>(columns: &Self::Column<'__row>, row: usize) -> Self::Of<'__row> {
                #name { #(#idents: #gets,)* }
            }

            fn builder() -> __Builders {
                __Builders {
                    #(#slots: <#static_types as __row::Value>::builder(),)*
                    __nulls: ::watershed::private::NullBufferBuilder::new(0),
                }
            }

            #[inline]
            fn push<'__row>(builders: &mut __Builders, row: Self::Of<'__row>) {
                #(<#types as __row::Value>::push(&mut builders.#slots, row.#idents);)*
                builders.__nulls.append_non_null();
            }

            fn push_null(builders: &mut __Builders) {
                #(<#static_types as __row::Value>::push_null(&mut builders.#slots);)*
                builders.__nulls.append_null();
            }

            fn finish(builders: &mut __Builders) -> ::watershed::private::ArrayRef {
                let columns = ::std::vec![#(<#static_types as __row::Value>::finish(&mut builders.#slots),)*];
                __row::finish_struct::<Self>(&mut builders.__nulls, columns)
            }
        }
    }
}

fn row_impl(input: &DeriveInput, lifetime: Option<&Lifetime>, fields: &[RowField]) -> TokenStream {
    let (this, _) = types(input, lifetime);
    let generics = &input.generics;
    let slots: Vec<_> = fields.iter().map(|field| &field.slot).collect();
    let static_types: Vec<_> = fields.iter().map(|field| &field.static_type).collect();
    let described = fields.iter().map(|RowField { name, static_type, attributes, span, .. }| {
        let has_default = attributes.default.is_some();
        if attributes.event_time {
            quote_spanned!(*span=> __row::event_time_field::<#static_type>(#name, #has_default))
        } else {
            quote!(__row::row_field::<#static_type>(#name, #has_default))
        }
    });
    let binds = fields.iter().map(|RowField { name, field_type, attributes, .. }| {
        let bind = if attributes.default.is_some() { quote!(bind_if_there) } else { quote!(bind) };
        quote!(columns.#bind::<#field_type>(#name)?)
    });
    quote! {
        #[automatically_derived]
        impl #generics __row::Row for #this {
            fn fields() -> ::std::vec::Vec<__row::RowField> {
                ::std::vec![#(#described,)*]
            }

            fn bind_fields<'__row>(
                columns: &__row::Columns<'__row>,
            ) -> ::core::result::Result<__Columns<'__row>, __row::Misfit> {
                ::core::result::Result::Ok(__Columns {
                    #(#slots: #binds,)*
                    __batch: ::core::marker::PhantomData,
                })
            }

            fn finish_columns(builders: &mut __Builders) -> ::std::vec::Vec<::watershed::private::ArrayRef> {
                builders.__nulls.finish();
                ::std::vec![#(<#static_types as __row::Value>::finish(&mut builders.#slots),)*]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_row_is_refused_with_what_to_write_instead() {
        for (written, words) in [
            ("enum E { A, B }", "only a struct is a row: keep an enum in a column as `Json<…>`"),
            ("struct S(i64);", "write the struct with named fields"),
            ("struct S<T> { a: T }", "a row has no type parameters"),
            ("struct S<const N: usize> { a: i64 }", "a row has no type parameters"),
            ("struct S<'a, 'b> { a: &'a str, b: &'b str }", "a row has one lifetime"),
            ("struct S { a: &'static str }", "give the struct a lifetime, `struct Name<'a>`"),
            ("struct S { a: i64, #[row(name = \"a\")] b: i64 }", "column `a` is another field's already"),
            ("struct S { #[row(event_time)] a: T, #[row(event_time)] b: T }", "another field is `event_time` already"),
            (
                "struct S { #[row(nmae = \"x\")] a: i64 }",
                "a row's field has `name = \"…\"`, `default` and `event_time`",
            ),
            ("struct S { #[row(name)] a: i64 }", "expected `=`"),
            ("#[row(default)] struct S { a: i64 }", "`#[row(…)]` stands on fields"),
            (
                "#[serde(rename_all = \"camelCase\")] struct S { a: i64 }",
                "`derive(Row)` reads `rename` and `default` on fields",
            ),
            ("struct S { #[serde(flatten)] a: i64 }", "every field is a column"),
            ("struct S { #[serde(rename(serialize = \"x\"))] a: i64 }", "a row's column has one name"),
        ] {
            let error = expand(&syn::parse_str(written).expect(written)).expect_err(written).to_string();
            assert!(error.contains(words), "{written}: {error}");
        }
    }

    #[test]
    fn all_fields_that_are_refused_are_named_at_once() {
        let written = "struct S { #[serde(skip)] a: i64, b: &'static str, #[row(name = \"b\")] c: i64 }";
        let error = expand(&syn::parse_str(written).expect(written)).expect_err("three faults");
        assert_eq!(error.into_iter().count(), 3);
    }

    #[test]
    fn what_else_serde_is_told_is_passed_over() {
        let written = "#[serde(deny_unknown_fields, bound(serialize = \"\"), crate = \"x\")] struct S { #[serde(with = \"m\", alias = \"q\")] a: i64 }";
        assert!(expand(&syn::parse_str(written).expect(written)).is_ok());
    }
}
