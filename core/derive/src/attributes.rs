//! What attributes say of a row's field.

use proc_macro2::TokenStream;
use quote::quote;
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::{Error, Field, Ident, LitStr, Path, Result, Token, parenthesized};

/// What is known of a field from its attributes.
#[derive(Default)]
pub(crate) struct FieldAttributes {
    /// The column's name, if it is not the field's.
    pub(crate) name: Option<LitStr>,
    /// Makes the value of a column that is not there; without it the column must be there.
    pub(crate) default: Option<Default>,
    /// Whether the column is event time.
    pub(crate) event_time: bool,
}

/// Where a value comes from if its column is not there.
pub(crate) enum Default {
    /// The type's own.
    OfType,
    /// That function.
    Function(Path),
}

impl FieldAttributes {
    /// Reads the attributes `row` and `serde`; where both speak, `row` has the word.
    pub(crate) fn of(field: &Field) -> Result<Self> {
        let mut by_row = Self::default();
        let mut by_serde = Self::default();
        for attribute in &field.attrs {
            if attribute.path().is_ident("row") {
                attribute.parse_nested_meta(|meta| by_row.read_row(&meta))?;
            } else if attribute.path().is_ident("serde") {
                attribute.parse_nested_meta(|meta| by_serde.read_serde(&meta))?;
            }
        }
        Ok(Self {
            name: by_row.name.or(by_serde.name),
            default: by_row.default.or(by_serde.default),
            event_time: by_row.event_time,
        })
    }

    fn read_row(&mut self, meta: &ParseNestedMeta) -> Result<()> {
        if meta.path.is_ident("name") {
            self.name = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("default") {
            self.default = Some(default(meta)?);
        } else if meta.path.is_ident("event_time") {
            self.event_time = true;
        } else {
            return Err(meta.error("a row's field has `name = \"…\"`, `default` and `event_time`"));
        }
        Ok(())
    }

    fn read_serde(&mut self, meta: &ParseNestedMeta) -> Result<()> {
        if meta.path.is_ident("rename") && meta.input.peek(Token![=]) {
            self.name = Some(meta.value()?.parse()?);
        } else if meta.path.is_ident("default") {
            self.default = Some(default(meta)?);
        } else if ["rename", "flatten", "skip", "skip_serializing", "skip_deserializing"]
            .iter()
            .any(|name| meta.path.is_ident(name))
        {
            return Err(meta.error(
                "a row's column has one name, and every field is a column: read such a struct with `Serde<…>` or `Json<…>`",
            ));
        } else {
            pass_over(meta)?;
        }
        Ok(())
    }
}

/// `default` or `default = "path"`.
fn default(meta: &ParseNestedMeta) -> Result<Default> {
    if !meta.input.peek(Token![=]) {
        return Ok(Default::OfType);
    }
    Ok(Default::Function(meta.value()?.parse::<LitStr>()?.parse()?))
}

/// Passes over what else serde knows: `with = "…"`, `bound(…)`.
fn pass_over(meta: &ParseNestedMeta) -> Result<()> {
    if meta.input.peek(Token![=]) {
        meta.value()?.parse::<LitStr>()?;
    } else if meta.input.peek(syn::token::Paren) {
        let inner;
        parenthesized!(inner in meta.input);
        inner.parse::<TokenStream>()?;
    }
    Ok(())
}

/// Refuses what serde is told of the whole struct that would give columns other names or values than the fields say.
pub(crate) fn check_container(attributes: &[syn::Attribute]) -> Result<()> {
    for attribute in attributes {
        if attribute.path().is_ident("row") {
            return Err(Error::new_spanned(attribute, "`#[row(…)]` stands on fields"));
        }
        if !attribute.path().is_ident("serde") {
            continue;
        }
        attribute.parse_nested_meta(|meta| {
            if ["rename_all", "default", "transparent", "from", "try_from", "into"]
                .iter()
                .any(|name| meta.path.is_ident(name))
            {
                return Err(meta.error("`derive(Row)` reads `rename` and `default` on fields, not this on the struct"));
            }
            pass_over(&meta)
        })?;
    }
    Ok(())
}

/// The column's name.
pub(crate) fn column_name(field: &Ident, attributes: &FieldAttributes) -> String {
    attributes.name.as_ref().map_or_else(|| field.unraw().to_string(), LitStr::value)
}

impl Default {
    /// The expression for a value of `field_type`.
    pub(crate) fn value(&self, field_type: &TokenStream) -> TokenStream {
        match self {
            Self::OfType => quote!(<#field_type as ::core::default::Default>::default()),
            Self::Function(path) => quote!(#path()),
        }
    }
}
