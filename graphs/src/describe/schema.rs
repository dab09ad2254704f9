//! Reads a node's JSON Schema back into words: the shapes that `schemars` writes for what RON can hold.

use serde_json::{Map, Value};

use super::{FieldDescription, VariantDescription};

/// How deep descriptions go: types may contain themselves.
const DEEPEST: usize = 5;

/// Reads schemas that share definitions.
pub(super) struct SchemaReader<'a> {
    definitions: Option<&'a Map<String, Value>>,
}

/// A way to write an enum's value.
struct Variant<'a> {
    name: &'a str,
    /// What follows the name in brackets.
    content: Option<&'a Value>,
    /// The schema that holds the docs.
    whole: &'a Value,
}

impl<'a> SchemaReader<'a> {
    /// A reader for a schema with its definitions.
    pub(super) fn new(root: &'a Value) -> Self {
        Self { definitions: root.get("$defs").and_then(Value::as_object) }
    }

    /// The docs on a schema, in paragraphs.
    pub(super) fn docs(schema: &Value) -> Vec<String> {
        let text = schema.get("description").and_then(Value::as_str).unwrap_or_default();
        let paragraphs =
            text.split("\n\n").map(|paragraph| plain(&paragraph.split_whitespace().collect::<Vec<_>>().join(" ")));
        paragraphs.filter(|paragraph| !paragraph.is_empty()).collect()
    }

    /// What stands between the brackets of a type with this schema.
    pub(super) fn arguments(&self, schema: &'a Value) -> Vec<FieldDescription> {
        self.arguments_at(schema, 0)
    }

    fn arguments_at(&self, schema: &'a Value, depth: usize) -> Vec<FieldDescription> {
        if depth > DEEPEST {
            return Vec::new();
        }
        let resolved = self.resolved(schema);
        if let Some(items) = resolved.get("prefixItems").and_then(Value::as_array) {
            return items.iter().map(|item| self.field(None, item, true, depth)).collect();
        }
        if let Some(fields) =
            resolved.get("properties").and_then(Value::as_object).filter(|_| variants(resolved).is_empty())
        {
            let required: Vec<&str> = strings(resolved.get("required"));
            // What must be given comes first, in the order of the struct.
            let mut names: Vec<&String> = fields.keys().collect();
            names.sort_by_key(|name| required.iter().position(|needed| needed == name).unwrap_or(usize::MAX));
            return names
                .iter()
                .map(|&name| self.field(Some(name), &fields[name], required.contains(&name.as_str()), depth))
                .collect();
        }
        if resolved.get("type").and_then(Value::as_str) == Some("object")
            && resolved.get("additionalProperties") == Some(&Value::Bool(false))
        {
            return Vec::new();
        }
        // The struct's docs say what a lone value means.
        vec![FieldDescription { docs: Vec::new(), ..self.field(None, schema, true, depth) }]
    }

    fn field(&self, name: Option<&str>, schema: &'a Value, required: bool, depth: usize) -> FieldDescription {
        let inner = self.innermost(schema);
        let variants = variants(inner).into_iter().map(|variant| VariantDescription {
            name: variant.name.to_owned(),
            docs: Self::docs(variant.whole),
            fields: variant.content.map(|content| self.arguments_at(content, depth + 1)).unwrap_or_default(),
        });
        let variants: Vec<_> = if depth < DEEPEST { variants.collect() } else { Vec::new() };
        let is_struct = variants.is_empty() && inner.get("properties").is_some();
        let default = schema.get("default").filter(|default| !default.is_null());
        let mut docs = Self::docs(schema);
        if docs.is_empty() {
            docs = self.reference(schema).map(|(_, definition)| Self::docs(definition)).unwrap_or_default();
        }
        FieldDescription {
            name: name.map(str::to_owned),
            type_words: self.words(schema, depth),
            required,
            default: default.map(|default| self.ron(schema, default)),
            docs,
            variants,
            fields: if is_struct { self.arguments_at(inner, depth + 1) } else { Vec::new() },
        }
    }

    /// A type in words.
    fn words(&self, schema: &'a Value, depth: usize) -> String {
        let schema = without_null(schema);
        if let Some((name, definition)) = self.reference(schema) {
            let is_text = definition.get("type").and_then(Value::as_str) == Some("string");
            return match definition {
                _ if is_text && variants(definition).is_empty() => spaced(name),
                _ if definition.get("properties").is_some() && variants(definition).is_empty() => {
                    self.call(name, Some(definition), depth)
                }
                _ => self.words(definition, depth + 1),
            };
        }
        let variants = variants(schema);
        if !variants.is_empty() {
            let calls: Vec<String> =
                variants.iter().map(|variant| self.call(variant.name, variant.content, depth)).collect();
            return if calls.len() == 1 { calls[0].clone() } else { format!("one of {}", calls.join(" | ")) };
        }
        match type_of(schema) {
            "string" if schema.get("maxLength").and_then(Value::as_u64) == Some(1) => "character".to_owned(),
            "string" => "string".to_owned(),
            "boolean" => "true or false".to_owned(),
            "number" => "number".to_owned(),
            "integer" => match schema.get("minimum").and_then(Value::as_i64) {
                Some(least) if least > 0 => format!("whole number from {least}"),
                _ => "whole number".to_owned(),
            },
            "array" => match (schema.get("prefixItems").and_then(Value::as_array), schema.get("items")) {
                (Some(parts), _) if depth <= DEEPEST => {
                    let parts: Vec<String> = parts.iter().map(|part| self.words(part, depth + 1)).collect();
                    format!("({})", parts.join(", "))
                }
                (None, Some(items)) if depth <= DEEPEST => plural(&self.words(items, depth + 1)),
                _ => "list".to_owned(),
            },
            "object" => match schema.get("additionalProperties") {
                Some(values @ Value::Object(_)) if depth <= DEEPEST => {
                    format!("map from string to {}", self.words(values, depth + 1))
                }
                _ => "map".to_owned(),
            },
            _ => "value".to_owned(),
        }
    }

    /// `Sliding(size, slide, offset)`, `Every(duration)`, `Append`.
    fn call(&self, name: &str, content: Option<&'a Value>, depth: usize) -> String {
        let Some(content) = content.filter(|_| depth <= DEEPEST) else { return name.to_owned() };
        let resolved = self.resolved(content);
        let arguments: Vec<String> = match resolved.get("properties").and_then(Value::as_object) {
            Some(_) if variants(resolved).is_empty() => {
                self.arguments_at(content, depth + 1).into_iter().filter_map(|field| field.name).collect()
            }
            _ => self.arguments_at(content, depth + 1).into_iter().map(|field| field.type_words).collect(),
        };
        format!("{name}({})", arguments.join(", "))
    }

    /// A default as a graph file would write it.
    fn ron(&self, schema: &'a Value, value: &Value) -> String {
        let schema = self.resolved(schema);
        let variants = variants(schema);
        let content_of =
            |name: &str| variants.iter().find(|variant| variant.name == name).and_then(|variant| variant.content);
        match value {
            Value::String(name) if variants.iter().any(|variant| variant.name == name) => name.clone(),
            Value::Array(items) => {
                let item_schema = schema.get("items").unwrap_or(&Value::Null);
                let items: Vec<String> = items.iter().map(|item| self.ron(item_schema, item)).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Object(fields) => {
                let tagged = fields.iter().next().filter(|(name, _)| fields.len() == 1 && content_of(name).is_some());
                if let Some((name, inner)) = tagged {
                    let text = self.ron(content_of(name).unwrap_or(&Value::Null), inner);
                    return if text.starts_with('(') { format!("{name}{text}") } else { format!("{name}({text})") };
                }
                let known = schema.get("properties");
                let fields: Vec<String> = fields
                    .iter()
                    .filter(|(_, value)| !value.is_null())
                    .map(|(name, value)| {
                        format!(
                            "{name}: {}",
                            self.ron(known.and_then(|known| known.get(name)).unwrap_or(&Value::Null), value)
                        )
                    })
                    .collect();
                format!("({})", fields.join(", "))
            }
            simple => simple.to_string(),
        }
    }

    /// The name and definition that a schema refers to.
    fn reference(&self, schema: &'a Value) -> Option<(&'a str, &'a Value)> {
        let name = without_null(schema).get("$ref")?.as_str()?.strip_prefix("#/$defs/")?;
        Some((name, self.definitions?.get(name)?))
    }

    /// The schema itself, without references and the possibility of leaving the value out.
    fn resolved(&self, schema: &'a Value) -> &'a Value {
        let mut schema = without_null(schema);
        for _ in 0..DEEPEST {
            let Some((_, definition)) = self.reference(schema) else { break };
            schema = without_null(definition);
        }
        schema
    }

    /// The resolved schema of a value, or of a list's items.
    fn innermost(&self, schema: &'a Value) -> &'a Value {
        let mut schema = self.resolved(schema);
        for _ in 0..DEEPEST {
            let Some(items) = schema.get("items") else { break };
            schema = self.resolved(items);
        }
        schema
    }
}

/// The schema beside `null` in what `Option` becomes.
fn without_null(schema: &Value) -> &Value {
    let choices = schema.get("anyOf").and_then(Value::as_array);
    let is_null = |choice: &&Value| choice.get("type").and_then(Value::as_str) != Some("null");
    match choices.map(|choices| choices.iter().filter(is_null).collect::<Vec<_>>()).as_deref() {
        Some([only]) => only,
        _ => schema,
    }
}

/// The type's name; for an optional value, that of the value.
fn type_of(schema: &Value) -> &str {
    match schema.get("type") {
        Some(Value::String(name)) => name,
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).find(|name| *name != "null").unwrap_or_default()
        }
        _ => "",
    }
}

/// The ways to write an enum: empty when the schema is none.
fn variants(schema: &Value) -> Vec<Variant<'_>> {
    if let Some(choices) = schema.get("oneOf").and_then(Value::as_array) {
        return choices.iter().flat_map(variants).collect();
    }
    if let Some(name) = schema.get("const").and_then(Value::as_str) {
        return vec![Variant { name, content: None, whole: schema }];
    }
    if schema.get("enum").is_some() {
        return strings(schema.get("enum"))
            .into_iter()
            .map(|name| Variant { name, content: None, whole: schema })
            .collect();
    }
    // A variant with content is an object of one required entry, named like a type.
    let only = schema
        .get("properties")
        .and_then(Value::as_object)
        .filter(|fields| fields.len() == 1)
        .and_then(|fields| fields.iter().next());
    match only {
        Some((name, content))
            if name.starts_with(char::is_uppercase) && strings(schema.get("required")) == [name.as_str()] =>
        {
            vec![Variant { name, content: Some(content), whole: schema }]
        }
        _ => Vec::new(),
    }
}

fn strings(list: Option<&Value>) -> Vec<&str> {
    list.and_then(Value::as_array).map(|names| names.iter().filter_map(Value::as_str).collect()).unwrap_or_default()
}

/// `TimeOfDay` as `time of day`; short all-capital words stay.
fn spaced(name: &str) -> String {
    let mut words = String::new();
    let mut before_is_lower = false;
    for c in name.chars() {
        if c.is_uppercase() && before_is_lower {
            words.push(' ');
        }
        before_is_lower = c.is_lowercase();
        words.extend(c.to_lowercase());
    }
    words
}

fn plural(words: &str) -> String {
    match words {
        _ if words.starts_with("one of ") => format!("list, each {words}"),
        "true or false" | "value" => format!("list, each {words}"),
        _ if words.starts_with("list") || words.contains('(') || words.contains(" from ") => format!("list of {words}"),
        _ => format!("list of {words}s"),
    }
}

/// Docs without rustdoc's links: ``[`Limit`](crate::Limit)`` becomes `` `Limit` ``.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find("[`") {
        let Some(length) = rest[start..].find("`]") else { break };
        plain.push_str(&rest[..start]);
        plain.push_str(&rest[start + 1..=start + length]);
        rest = &rest[start + length + 2..];
        if let Some(target) = rest.strip_prefix('(').and_then(|target| target.find(')')) {
            rest = &rest[target + 2..];
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use schemars::{JsonSchema, schema_for};
    use serde::{Deserialize, Serialize};
    use watershed_core::plan::RunOptions;
    use watershed_core::time::TimeSpan;

    use super::*;

    /// Everything in one.
    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Everything {
        /// A [`TimeSpan`](watershed_core::time::TimeSpan) or a [`Trigger`].
        span: TimeSpan,
        list: Vec<String>,
        spans: Vec<Option<TimeSpan>>,
        nested: Nested,
        choices: Vec<Choice>,
        optional: Option<Choice>,
        #[serde(default = "choice")]
        choice: Choice,
        #[serde(default)]
        flag: bool,
        letter: char,
        pair: (u32, f64),
    }

    fn choice() -> Choice {
        Choice::Both { first: 1, second: Some("b".to_owned()) }
    }

    /// A value with fields.
    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Nested {
        /// Deeper.
        inner: Option<u8>,
    }

    /// One or the other.
    #[derive(Serialize, Deserialize, JsonSchema)]
    enum Choice {
        /// Nothing at all.
        None,
        One(String),
        Both {
            /// The first.
            first: u8,
            second: Option<String>,
        },
    }

    fn fields<T: JsonSchema>() -> Vec<FieldDescription> {
        let schema = schema_for!(T);
        SchemaReader::new(schema.as_value()).arguments(schema.as_value())
    }

    fn field(name: &str) -> FieldDescription {
        fields::<Everything>()
            .into_iter()
            .find(|field| field.name.as_deref() == Some(name))
            .expect("a field of that name")
    }

    #[test]
    fn types_are_said_in_words() {
        for (name, words) in [
            ("span", "duration"),
            ("list", "list of strings"),
            ("spans", "list of durations"),
            ("nested", "Nested(inner)"),
            ("pair", "(whole number, number)"),
            ("choices", "list, each one of None | One(string) | Both(first, second)"),
            ("optional", "one of None | One(string) | Both(first, second)"),
            ("flag", "true or false"),
            ("letter", "character"),
        ] {
            assert_eq!(field(name).type_words, words, "{name}");
        }
    }

    #[test]
    fn what_must_be_given_comes_first_in_the_order_of_the_struct() {
        let names: Vec<String> = fields::<Everything>().into_iter().filter_map(|field| field.name).collect();
        assert_eq!(
            names,
            ["span", "list", "spans", "nested", "choices", "letter", "pair", "choice", "flag", "optional"]
        );
    }

    #[test]
    fn defaults_are_written_as_ron() {
        assert_eq!(field("choice").default.as_deref(), Some(r#"Both(first: 1, second: "b")"#));
        assert_eq!(field("flag").default.as_deref(), Some("false"));
        assert_eq!((field("optional").default, field("optional").required), (None, false));
        let run = fields::<RunOptions>();
        assert_eq!(run[0].default.as_deref(), Some("Hold"));
    }

    #[test]
    fn variants_bring_their_own_docs_and_fields() {
        let choice = field("choice");
        assert_eq!(choice.docs, ["One or the other."]);
        assert_eq!(choice.variants[0].docs, ["Nothing at all."]);
        assert_eq!(choice.variants[1].fields[0].type_words, "string");
        assert_eq!(choice.variants[2].fields[0].docs, ["The first."]);
        assert_eq!(field("choices").variants.len(), 3);
        assert_eq!(field("nested").fields[0].docs, ["Deeper."]);
    }

    #[test]
    fn rustdoc_links_become_plain_words() {
        assert_eq!(field("span").docs, ["A `TimeSpan` or a `Trigger`."]);
    }

    #[test]
    fn a_type_written_without_field_names_has_one_nameless_field() {
        let only = fields::<Vec<String>>();
        assert_eq!((only.len(), only[0].name.as_deref(), only[0].type_words.as_str()), (1, None, "list of strings"));
    }
}
