//! What stands inside a value: the brackets after a name, elements, fields and entries, as serde asks for them.

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
    value::StrDeserializer,
};

use super::{At, Error, Reading};
use crate::syntax::{Body, Name, Tree};

/// What follows a name: brackets, or nothing. The type decides what it wants there.
#[derive(Clone, Copy)]
pub(super) struct Payload<'r, 'de> {
    pub(super) at: At<'r, 'de>,
    pub(super) body: Option<&'de Body>,
}

impl<'de> Payload<'_, 'de> {
    pub(super) fn values(self) -> Result<&'de [Tree], Error> {
        match self.body {
            None => Ok(&[]),
            Some(Body::Values(values)) => Ok(values),
            Some(Body::Fields(_)) => Err(Error("expected values without names but found fields".to_owned())),
        }
    }

    pub(super) fn only(self) -> Result<&'de Tree, Error> {
        match self.values()? {
            [value] => Ok(value),
            values => Err(Error(format!("expected one value in the brackets but found {}", values.len()))),
        }
    }

    pub(super) fn unit_struct<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.values()? {
            [] => visitor.visit_unit(),
            _ => Err(Error("expected nothing in the brackets".to_owned())),
        }
    }

    pub(super) fn tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        let values = self.values()?;
        if values.len() != length {
            return Err(Error(format!("expected {length} values in the brackets but found {}", values.len())));
        }
        visitor.visit_seq(self.at.values(values))
    }

    pub(super) fn structure<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if std::ptr::eq(self.at.tree, self.at.reading.root) {
            self.at.reading.outermost.set(Some(fields));
        }
        self.at.reading.fields.borrow_mut().push(fields);
        match self.body {
            Some(Body::Fields(written)) => visitor.visit_map(self.at.fields(written)),
            None => visitor.visit_map(self.at.fields(&[])),
            Some(Body::Values(values)) if values.is_empty() => visitor.visit_map(self.at.fields(&[])),
            Some(Body::Values(_)) => Err(Error("expected fields by name, `field: value`".to_owned())),
        }
    }

    pub(super) fn newtype<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let value = self.only()?;
        visitor.visit_newtype_struct(self.at.with(value))
    }
}

/// A payload as typetag hands it to the type that the name stands for.
impl<'de> Deserializer<'de> for Payload<'_, 'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.at.placed(|at| match self.body {
            Some(Body::Fields(fields)) => visitor.visit_map(at.fields(fields)),
            Some(Body::Values(values)) if values.len() > 1 => visitor.visit_seq(at.values(values)),
            Some(Body::Values(values)) if values.len() == 1 => at.with(&values[0]).deserialize_any(visitor),
            _ => visitor.visit_unit(),
        })
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.at.placed(|_| self.unit_struct(visitor))
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        self.at.placed(|_| self.unit_struct(visitor))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Error> {
        self.at.placed(|_| self.newtype(visitor))
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        self.at.placed(|_| self.tuple(length, visitor))
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        length: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.at.placed(|_| self.tuple(length, visitor))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.at.placed(|_| self.structure(fields, visitor))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.at.placed(|at| match self.values()? {
            [] => visitor.visit_none(),
            _ => at.with(self.only()?).deserialize_option(visitor),
        })
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.at.placed(|at| at.with(self.only()?).deserialize_seq(visitor))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.at.placed(|at| at.with(self.only()?).deserialize_map(visitor))
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.at.placed(|at| at.with(self.only()?).deserialize_enum(name, variants, visitor))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.at.placed(|at| at.with(self.only()?).deserialize_str(visitor))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf identifier ignored_any
    }
}

/// A name and what follows, as the one entry of a map.
pub(super) struct Tagged<'r, 'de> {
    pub(super) name: &'de str,
    pub(super) payload: Option<Payload<'r, 'de>>,
}

impl<'de> MapAccess<'de> for Tagged<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        match &self.payload {
            Some(payload) => payload.at.placed(|_| seed.deserialize(text(self.name))).map(Some),
            None => Ok(None),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let payload = self.payload.take().ok_or_else(|| Error("a value was asked for before its key".to_owned()))?;
        seed.deserialize(payload)
    }
}

fn text(name: &str) -> StrDeserializer<'_, Error> {
    name.into_deserializer()
}

/// A variant of an enum.
pub(super) struct Variant<'r, 'de> {
    pub(super) name: &'de str,
    pub(super) payload: Payload<'r, 'de>,
}

impl<'r, 'de> EnumAccess<'de> for Variant<'r, 'de> {
    type Error = Error;
    type Variant = Payload<'r, 'de>;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self::Variant), Error> {
        let value = self.payload.at.placed(|_| seed.deserialize(text(self.name)))?;
        Ok((value, self.payload))
    }
}

impl<'de> VariantAccess<'de> for Payload<'_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        self.at.placed(|_| match self.body {
            None => Ok(()),
            Some(_) => Err(Error("expected no brackets after this name".to_owned())),
        })
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Error> {
        self.at.placed(|at| match self.body {
            // `W(a: 1)` for a struct in `W` may also be written `W((a: 1))`.
            Some(Body::Fields(_)) => seed.deserialize(self),
            _ => seed.deserialize(at.with(self.only()?)),
        })
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value, Error> {
        self.at.placed(|_| self.tuple(length, visitor))
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Error> {
        self.at.placed(|_| self.structure(fields, visitor))
    }
}

/// The elements of a list or of round brackets.
pub(super) struct Elements<'r, 'de> {
    pub(super) reading: &'r Reading<'de>,
    pub(super) values: std::slice::Iter<'de, Tree>,
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Error> {
        let Some(tree) = self.values.next() else { return Ok(None) };
        At { reading: self.reading, tree }.placed(|at| seed.deserialize(at)).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.values.len())
    }
}

/// The fields of a struct.
pub(super) struct Record<'r, 'de> {
    pub(super) reading: &'r Reading<'de>,
    pub(super) fields: std::slice::Iter<'de, (Name, Tree)>,
    pub(super) value: Option<&'de Tree>,
}

impl<'de> MapAccess<'de> for Record<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((name, value)) = self.fields.next() else { return Ok(None) };
        self.value = Some(value);
        self.reading.placed(seed.deserialize(text(&name.text)), || name.span.clone()).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let tree = self.value.take().ok_or_else(|| Error("a value was asked for before its key".to_owned()))?;
        At { reading: self.reading, tree }.placed(|at| seed.deserialize(at))
    }
}

/// The entries of a map.
pub(super) struct MapEntries<'r, 'de> {
    pub(super) reading: &'r Reading<'de>,
    pub(super) rest: std::slice::Iter<'de, (Tree, Tree)>,
    pub(super) value: Option<&'de Tree>,
}

impl<'de> MapAccess<'de> for MapEntries<'_, 'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((tree, value)) = self.rest.next() else { return Ok(None) };
        self.value = Some(value);
        At { reading: self.reading, tree }.placed(|at| seed.deserialize(at)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Error> {
        let tree = self.value.take().ok_or_else(|| Error("a value was asked for before its key".to_owned()))?;
        At { reading: self.reading, tree }.placed(|at| seed.deserialize(at))
    }
}
