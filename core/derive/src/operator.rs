//! `#[operator(Trait, example: "…")]`: a struct that implements one of the operator author's traits becomes a node of graph files.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Field, Fields, Ident, ItemStruct, LitStr, Result, Token, Type};

use crate::derives::{OF_SETTINGS, derives, said_to};

/// The traits, each with the module of `watershed::private::typed` that makes a node of what implements it.
const TRAITS: [(&str, &str); 7] = [
    ("StatefulOperator", "stateful_operator"),
    ("MapGroups", "map_groups"),
    ("KeyedOperator", "keyed_operator"),
    ("MapRows", "map_rows"),
    ("FlatMapRows", "flat_map_rows"),
    ("FilterRows", "filter_rows"),
    ("MapBatches", "map_batches"),
];

/// What stands in the attribute's parentheses.
pub(crate) struct Arguments {
    module: Ident,
    example: Option<LitStr>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream) -> Result<Self> {
        let names = TRAITS.map(|(name, _)| format!("`{name}`")).join(", ");
        if input.is_empty() {
            return Err(input.error(format!("say which trait the struct implements, one of {names}")));
        }
        let name: Ident = input.parse()?;
        let Some((_, module)) = TRAITS.iter().find(|(known, _)| name == known) else {
            return Err(Error::new(name.span(), format!("`{name}` is not a trait of operators; they are {names}")));
        };
        let module = Ident::new(module, name.span());
        let mut example = None;
        if !input.is_empty() {
            input.parse::<Token![,]>()?;
        }
        if !input.is_empty() {
            let word = input.call(Ident::parse_any)?;
            if word != "example" {
                return Err(Error::new(
                    word.span(),
                    "behind the trait stands `example: \"…\"`, the node as a graph file writes it",
                ));
            }
            input.parse::<Token![:]>()?;
            example = Some(input.parse()?);
            input.parse::<Option<Token![,]>>()?;
        }
        if !input.is_empty() {
            return Err(input.error("nothing stands behind the example"));
        }
        Ok(Self { module, example })
    }
}

/// The struct with its derives, its registration, and its `impl OperatorSpec`.
pub(crate) fn expand(arguments: &Arguments, item: &ItemStruct) -> Result<TokenStream> {
    let name = &item.ident;
    if !item.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &item.generics,
            "a graph file names an operator by its type's name alone, so the type has no parameters",
        ));
    }
    if matches!(item.fields, Fields::Unit) {
        return Err(Error::new_spanned(
            name,
            format!("a graph file writes `{name}()`: write the struct with braces, `struct {name} {{}}`"),
        ));
    }
    let example = example(arguments, item)?;
    let derives = derives(&OF_SETTINGS, true, &item.attrs)?;
    let spec = spec_impl(name, &arguments.module);
    Ok(quote! {
        #derives
        #item
        #spec
        ::watershed::private::register_operator!(#name, example: #example);
    })
}

/// `impl OperatorSpec`: every method is the adapter's function of the same name.
fn spec_impl(name: &Ident, module: &Ident) -> TokenStream {
    let adapter = quote!(::watershed::private::typed::#module);
    quote! {
        const _: () = {
            // The attribute below names `typetag` as if the crate depended on it.
            use ::watershed::private::typetag;

            #[typetag::serde]
            impl ::watershed::private::OperatorSpec for #name {
                fn ports(&self) -> ::watershed::private::Ports {
                    #adapter::ports::<Self>(self)
                }

                fn signature(
                    &self,
                    inputs: &[::std::vec::Vec<::watershed::private::Stream>],
                ) -> ::core::result::Result<::watershed::private::Signature, ::watershed::private::Faults> {
                    #adapter::signature::<Self>(self, inputs)
                }

                fn free_fields(&self) -> &'static [&'static str] {
                    #adapter::free_fields::<Self>(self)
                }

                fn state_version(&self) -> u32 {
                    #adapter::state_version::<Self>(self)
                }

                fn build(
                    &self,
                    inputs: &[::std::vec::Vec<::watershed::private::Stream>],
                    cx: &::watershed::private::BuildContext,
                ) -> ::core::result::Result<::watershed::private::Operator, ::watershed::private::Faults> {
                    #adapter::build::<Self>(self, inputs, cx)
                }
            }
        };
    }
}

/// The example given, or `Name()` where a graph file may write that.
fn example(arguments: &Arguments, item: &ItemStruct) -> Result<LitStr> {
    if let Some(example) = &arguments.example {
        return Ok(example.clone());
    }
    let name = &item.ident;
    let all_default = said_to("serde", &item.attrs)?.contains("default");
    for field in &item.fields {
        if !all_default && !may_be_left_out(field)? {
            return Err(Error::new_spanned(
                field,
                format!(
                    "`{name}()` is no example of a node that must have this field: give one, `#[operator(…, example: \"{name}(…)\")]`, or make the field `#[serde(default)]`"
                ),
            ));
        }
    }
    Ok(LitStr::new(&format!("{name}()"), name.span()))
}

/// Whether serde reads the struct without the field.
fn may_be_left_out(field: &Field) -> Result<bool> {
    let said = said_to("serde", &field.attrs)?;
    let is_option = match &field.ty {
        Type::Path(path) => path.path.segments.last().is_some_and(|last| last.ident == format_ident!("Option")),
        _ => false,
    };
    Ok(is_option || ["default", "skip", "skip_deserializing"].iter().any(|word| said.contains(*word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(arguments: &str, item: &str) -> Result<String> {
        let arguments: Arguments = syn::parse_str(arguments)?;
        let item: ItemStruct = syn::parse_str(item)?;
        Ok(expand(&arguments, &item)?.to_string())
    }

    #[test]
    fn what_is_no_operator_is_refused_with_what_to_write_instead() {
        for (arguments, item, words) in [
            ("", "struct S {}", "say which trait the struct implements, one of `StatefulOperator`"),
            ("FilterRow", "struct S {}", "`FilterRow` is not a trait of operators; they are `StatefulOperator`"),
            ("FilterRows, sample: \"S()\"", "struct S {}", "behind the trait stands `example: \"…\"`"),
            ("FilterRows, example: \"S()\", 3", "struct S {}", "nothing stands behind the example"),
            ("FilterRows", "struct S<T> { a: T }", "the type has no parameters"),
            ("FilterRows", "struct S;", "write the struct with braces, `struct S {}`"),
            ("FilterRows", "struct S { a: u32 }", "`S()` is no example of a node that must have this field"),
            ("FilterRows", "struct S(u32);", "`S()` is no example of a node that must have this field"),
        ] {
            let error = expanded(arguments, item).expect_err(item).to_string();
            assert!(error.contains(words), "{arguments} {item}: {error}");
        }
    }

    #[test]
    fn the_example_is_the_name_where_every_field_may_be_left_out() {
        for item in [
            "struct S {}",
            "struct S { a: Option<u32> }",
            "struct S { #[serde(default)] a: u32, #[serde(skip)] b: u32 }",
            "#[serde(default)] struct S { a: u32 }",
        ] {
            let code = expanded("MapRows", item).expect(item);
            assert!(code.contains("example : \"S()\""), "{code}");
        }
    }

    #[test]
    fn what_the_struct_says_itself_is_not_said_again() {
        let item = "#[derive(Debug, serde::Serialize)] #[serde(deny_unknown_fields)] struct S {}";
        let code = expanded("MapRows,", item).expect(item);
        for (words, count) in
            [("fmt :: Debug", 0), ("Clone", 1), ("Serialize", 1), ("Deserialize", 1), ("deny_unknown_fields", 1)]
        {
            assert_eq!(code.matches(words).count(), count, "{words}: {code}");
        }
    }

    #[test]
    fn every_trait_has_an_adapter() {
        for (name, module) in TRAITS {
            let code = expanded(name, "struct S {}").expect(name);
            assert!(code.contains(&format!("typed :: {module} :: build")), "{code}");
        }
    }
}
