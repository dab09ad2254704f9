//! Why a value does not fit its type: all reasons at once, each with its place and the names there are.
//!
//! serde stops at the first mistake and tells little of it. So a value that could not be read is held against the JSON
//! schema of its type, which says the fields, the variants and the sorts of values. The schema is asked only then: what
//! serde accepts is right, whatever a schema says.

use serde_json::{Map, Value as Json};
use watershed_core::fault::listed;
use watershed_core::time::TimeSpan;

use crate::adapter::FieldNames;
use crate::finding::{Finding, known_names};
use crate::nearest::nearest;
use crate::syntax::{Body, Name, Span, Tree, Value};

/// Holds `tree` (a whole node `Type(…)`, or an anonymous `(…)`) against the schema of its type. `subject` is how
/// messages call it, `kind` the name that its fields belong to. A schema has its fields in the order of the alphabet;
/// `orders` tells that of the types.
pub(crate) fn explain(
    text: &str,
    tree: &Tree,
    schema: &Json,
    subject: &str,
    kind: &str,
    orders: &[FieldNames],
) -> Vec<Finding> {
    let no_fields = Map::new();
    let mut explainer = Explainer { text, root: schema, subject, orders, no_fields: &no_fields, found: Vec::new() };
    let body = match &tree.value {
        Value::Struct(_, body) => Some(body),
        _ => None,
    };
    explainer.payload(kind, &tree.head(), body, schema, true);
    explainer.found
}

struct Explainer<'a> {
    text: &'a str,
    root: &'a Json,
    subject: &'a str,
    orders: &'a [FieldNames],
    no_fields: &'a Map<String, Json>,
    found: Vec<Finding>,
}

/// What a schema allows.
#[derive(Default)]
struct Shape<'a> {
    /// Names of an enum, with what stands in the brackets.
    variants: Vec<(&'a str, Option<&'a Json>)>,
    /// Other schemas.
    plain: Vec<&'a Json>,
    /// Whether `None` will do.
    optional: bool,
}

impl<'a> Explainer<'a> {
    fn report(&mut self, finding: Finding) {
        self.found.push(finding);
    }

    fn resolve(&self, schema: &'a Json) -> &'a Json {
        let mut schema = schema;
        // A chain of references longer than this is a circle.
        for _ in 0..16 {
            let Some(pointer) =
                schema.get("$ref").and_then(Json::as_str).and_then(|reference| reference.strip_prefix('#'))
            else {
                break;
            };
            match self.root.pointer(pointer) {
                Some(target) => schema = target,
                None => break,
            }
        }
        schema
    }

    fn shape(&self, schema: &'a Json) -> Shape<'a> {
        let mut shape = Shape::default();
        self.collect(schema, false, 0, &mut shape);
        shape
    }

    /// `inline`: the schema stands in a `oneOf` itself, as the variants of an enum do.
    fn collect(&self, schema: &'a Json, inline: bool, depth: usize, shape: &mut Shape<'a>) {
        let schema = self.resolve(schema);
        let members = |key: &str| schema.get(key).and_then(Json::as_array).filter(|_| depth < 8);
        if let Some(variants) = members("oneOf") {
            for variant in variants {
                self.collect(variant, variant.get("$ref").is_none(), depth + 1, shape);
            }
        } else if let Some(choices) = members("anyOf") {
            for choice in choices {
                self.collect(choice, false, depth + 1, shape);
            }
        } else if let Some(name) = schema.get("const").and_then(Json::as_str) {
            shape.variants.push((name, None));
        } else if let Some(names) = schema.get("enum").and_then(Json::as_array) {
            shape.variants.extend(names.iter().filter_map(Json::as_str).map(|name| (name, None)));
            shape.optional |= names.contains(&Json::Null);
        } else if let (true, Some((name, payload))) = (inline, only_property(schema)) {
            shape.variants.push((name, Some(payload)));
        } else if schema.get("type").and_then(Json::as_str) == Some("null") {
            shape.optional = true;
        } else {
            shape.optional |= types(schema).contains(&"null");
            shape.plain.push(schema);
        }
    }

    /// Holds a value against a schema; `place` is how a message calls it.
    fn value(&mut self, tree: &Tree, schema: &'a Json, place: &str) {
        if matches!(tree.value, Value::Broken) {
            return;
        }
        let shape = self.shape(schema);
        if shape.optional {
            match &tree.value {
                Value::Name(name) if name == "None" => return,
                Value::Struct(Some(name), Body::Values(values)) if name.text == "Some" && values.len() == 1 => {
                    return self.value(&values[0], schema, place);
                }
                _ => {}
            }
        }
        if let Some((tag, span)) = tree.tag() {
            if let Some((name, payload)) = shape.variants.iter().find(|(name, _)| *name == tag) {
                return self.variant(name, &span, tree, *payload);
            }
            if shape.plain.is_empty() {
                return self.unknown_variant(tag, span, &shape, place);
            }
        }
        let candidates: Vec<&Json> = shape.plain.iter().copied().filter(|schema| accepts(schema, tree)).collect();
        match (candidates.as_slice(), shape.plain.as_slice()) {
            ([one], _) | ([], [one]) if shape.variants.is_empty() || !candidates.is_empty() => {
                self.plain(tree, one, place);
            }
            ([], _) => {
                self.wrong_type(tree, &expected(&shape), place);
                let quoted = |name: &str| matches!(&tree.value, Value::Text(text) if text.value == name);
                if let (Some((name, _)), Some(finding)) =
                    (shape.variants.iter().find(|(name, _)| quoted(name)), self.found.last_mut())
                {
                    finding.help = Some(format!("write `{name}` without quotes"));
                }
            }
            _ => {}
        }
    }

    fn variant(&mut self, name: &str, span: &Span, tree: &Tree, payload: Option<&'a Json>) {
        let body = match &tree.value {
            Value::Struct(_, body) => Some(body),
            _ => None,
        };
        match (payload, body) {
            (None, None) => {}
            (None, Some(_)) => {
                let message = format!("{}: `{name}` takes no brackets", self.subject);
                self.report(
                    Finding::error("wrong_type", message).span(tree.span.clone()).label(format!("write `{name}`")),
                );
            }
            (Some(payload), body) => self.payload(name, span, body, payload, false),
        }
    }

    /// Holds what stands in the brackets after `name` against a schema.
    fn payload(&mut self, name: &str, head: &Span, body: Option<&Body>, schema: &'a Json, outermost: bool) {
        let resolved = self.resolve(schema);
        if is_struct(resolved) {
            return self.fields(name, head, body, resolved, outermost);
        }
        let values: &[Tree] = match body {
            None => &[],
            Some(Body::Values(values)) => values,
            Some(Body::Fields(fields)) => {
                let message = format!("{}: `{name}` takes no fields by name", self.subject);
                let first = fields.first().map_or_else(|| head.clone(), |(field, _)| field.span.clone());
                let words = expected(&self.shape(schema));
                self.report(
                    Finding::error("unknown_field", message)
                        .span(first)
                        .label("not expected")
                        .help(format!("write `{name}(…)` with {words} in the brackets")),
                );
                return;
            }
        };
        if let Some(items) = resolved.get("prefixItems").and_then(Json::as_array) {
            if items.len() != values.len() {
                let message =
                    format!("{}: `{name}` takes {} values, but {} are given", self.subject, items.len(), values.len());
                return self.report(Finding::error("wrong_type", message).span(head.clone()));
            }
            for (value, item) in values.iter().zip(items) {
                self.value(value, item, &format!("`{name}`"));
            }
            return;
        }
        match values {
            [value] => self.value(value, schema, &format!("`{name}`")),
            [] if types(resolved) == ["null"] || types(resolved) == ["object"] => {}
            _ => {
                let words = expected(&self.shape(schema));
                let message = format!(
                    "{}: `{name}` takes {words} in its brackets, but {} values are given",
                    self.subject,
                    values.len()
                );
                self.report(
                    Finding::error("wrong_type", message).span(head.clone()).label(format!("write `{name}(…)`")),
                );
            }
        }
    }

    fn fields(&mut self, name: &str, head: &Span, body: Option<&Body>, schema: &'a Json, outermost: bool) {
        let properties = schema.get("properties").and_then(Json::as_object).unwrap_or(self.no_fields);
        let names = self.ordered(properties);
        let written: &[(Name, Tree)] = match body {
            None => &[],
            Some(Body::Fields(fields)) => fields,
            Some(Body::Values(values)) if values.is_empty() => &[],
            Some(Body::Values(values)) if names.is_empty() => {
                let message = format!("{}: `{name}` takes nothing in its brackets", self.subject);
                return self.report(Finding::error("wrong_type", message).span(values[0].head()).label("not expected"));
            }
            Some(Body::Values(values)) => {
                let message = format!("{}: `{name}` takes its fields by name", self.subject);
                let finding =
                    Finding::error("wrong_type", message).span(values[0].head()).label("which field is this?");
                return self.report(finding.help(known_names("field", "", names)));
            }
        };
        let open = schema.get("additionalProperties").is_some_and(|rest| rest != &Json::Bool(false));
        let mut guessed: Vec<&str> = Vec::new();
        for (index, (field, value)) in written.iter().enumerate() {
            if let Some((first, _)) = written[..index].iter().find(|(other, _)| other.text == field.text) {
                let message = format!("{}: field `{}` is given twice", self.subject, field.text);
                self.report(
                    Finding::error("duplicate_field", message)
                        .span(field.span.clone())
                        .label("again")
                        .related(Some(first.span.clone()), "first here"),
                );
            } else if let Some(schema) = properties.get(&field.text) {
                self.value(value, schema, &format!("field `{}`", field.text));
            } else if !open {
                let owner =
                    if outermost { format!("{} has", self.subject) } else { format!("{}: `{name}` has", self.subject) };
                guessed.extend(nearest(&field.text, names.iter().copied()));
                self.report(
                    Finding::error("unknown_field", format!("{owner} no field `{}`", field.text))
                        .span(field.span.clone())
                        .label(format!("not a field of `{name}`"))
                        .help(known_names("field", &field.text, names.iter().copied())),
                );
            }
        }
        let required = schema.get("required").and_then(Json::as_array).into_iter().flatten().filter_map(Json::as_str);
        let is_written = |name: &str| written.iter().any(|(field, _)| field.text == name) || guessed.contains(&name);
        let missing: Vec<&str> = required.filter(|name| !is_written(name)).collect();
        if !missing.is_empty() {
            let fields = if missing.len() == 1 { "field" } else { "fields" };
            let owner = if outermost { self.subject.to_owned() } else { format!("{}: `{name}`", self.subject) };
            let message = format!("{owner} lacks the {fields} {}", listed(&missing));
            self.report(
                Finding::error("missing_field", message)
                    .span(head.clone())
                    .label(format!("needs {}", listed(&missing)))
                    .help(known_names("field", "", names)),
            );
        }
    }

    /// The names of the fields, in the order of their type where that is known.
    fn ordered(&self, properties: &'a Map<String, Json>) -> Vec<&'a str> {
        let order = self
            .orders
            .iter()
            .find(|order| order.len() == properties.len() && order.iter().all(|name| properties.contains_key(*name)));
        let place = |name: &str| order.and_then(|order| order.iter().position(|other| *other == name));
        let mut names: Vec<&str> = properties.keys().map(String::as_str).collect();
        names.sort_by_key(|name| place(name));
        names
    }

    fn unknown_variant(&mut self, tag: &str, span: Span, shape: &Shape<'a>, place: &str) {
        let names = || shape.variants.iter().map(|(name, _)| *name);
        let message = format!("{}: `{tag}` is not a value of {place}", self.subject);
        self.report(Finding::error("unknown_value", message).span(span).label("not known here").help(known_names(
            "value",
            tag,
            names(),
        )));
    }

    fn wrong_type(&mut self, tree: &Tree, expected: &str, place: &str) {
        let message = format!("{}: {place} should be {expected}, not {}", self.subject, tree.describe(self.text));
        self.report(Finding::error("wrong_type", message).span(tree.head()).label(format!("should be {expected}")));
    }

    /// Holds a value against a schema that is neither an enum nor a reference.
    fn plain(&mut self, tree: &Tree, schema: &'a Json, place: &str) {
        if !accepts(schema, tree) {
            let words = expected(&self.shape(schema));
            return self.wrong_type(tree, &words, place);
        }
        match &tree.value {
            Value::Text(text) if schema.get("format").and_then(Json::as_str) == Some("duration") => {
                if let Err(message) = text.value.parse::<TimeSpan>() {
                    let (message, help) = message.split_once("; ").unwrap_or((&message, "write it as `10 minutes`"));
                    self.report(
                        Finding::error("bad_duration", format!("{}: {place}: {message}", self.subject))
                            .span(tree.span.clone())
                            .label("not a duration")
                            .help(help),
                    );
                }
            }
            Value::Number => self.number(tree, schema, place),
            Value::List(items) => {
                if let Some(schema) = schema.get("items") {
                    let place = format!("an element of {place}");
                    for item in items {
                        self.value(item, schema, &place);
                    }
                }
            }
            Value::Struct(None, Body::Values(values)) => {
                let schemas = schema.get("prefixItems").and_then(Json::as_array).into_iter().flatten();
                for (value, schema) in values.iter().zip(schemas) {
                    self.value(value, schema, place);
                }
            }
            Value::Struct(name, body @ Body::Fields(_)) if is_struct(schema) => {
                let name = name.as_ref().map_or_else(|| place.trim_matches('`'), |name| &name.text);
                self.fields(name, &tree.head(), Some(body), schema, false);
            }
            Value::Map(entries) => {
                if let Some(schema) = schema.get("additionalProperties").filter(|schema| schema.is_object()) {
                    let place = format!("a value of {place}");
                    for (_, value) in entries {
                        self.value(value, schema, &place);
                    }
                }
            }
            _ => {}
        }
    }

    fn number(&mut self, tree: &Tree, schema: &Json, place: &str) {
        let slice = &self.text[tree.span.clone()];
        let Ok(number) = ron::from_str::<f64>(slice) else { return };
        let whole = types(schema).contains(&"integer");
        if whole && ron::from_str::<i64>(slice).is_err() && ron::from_str::<u64>(slice).is_err() {
            return self.wrong_type(tree, "a whole number", place);
        }
        let bound = |key: &str| schema.get(key).and_then(Json::as_f64);
        let limits = match (bound("minimum"), bound("maximum")) {
            (Some(least), _) if number < least => format!("at least {least}"),
            (_, Some(most)) if number > most => format!("at most {most}"),
            _ => return,
        };
        let message = format!("{}: {place} should be {limits}, not {slice}", self.subject);
        self.report(Finding::error("wrong_type", message).span(tree.span.clone()).label(format!("should be {limits}")));
    }
}

/// Whether a schema is that of a struct: fields, or nothing at all.
fn is_struct(schema: &Json) -> bool {
    let closed = schema.get("additionalProperties").is_none_or(Json::is_boolean);
    schema.get("properties").is_some() || (closed && types(schema) == ["object"])
}

/// The types a schema names; none means any.
fn types(schema: &Json) -> Vec<&str> {
    match schema.get("type") {
        Some(Json::String(one)) => vec![one],
        Some(Json::Array(several)) => several.iter().filter_map(Json::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The only property of an object that holds nothing else: how a schema writes a variant with a value.
fn only_property(schema: &Json) -> Option<(&str, &Json)> {
    let properties = schema.get("properties")?.as_object()?;
    let required = schema.get("required")?.as_array()?;
    let (name, payload) = properties.iter().next()?;
    (properties.len() == 1 && required.len() == 1).then_some((name.as_str(), payload))
}

/// Whether a value is of the sort that a schema wants, without looking inside.
fn accepts(schema: &Json, tree: &Tree) -> bool {
    let types = types(schema);
    let any = |wanted: &[&str]| types.is_empty() || types.iter().any(|name| wanted.contains(name));
    match &tree.value {
        Value::Text(_) | Value::Other => any(&["string"]),
        Value::Number => any(&["integer", "number"]),
        Value::Name(name) => match name.as_str() {
            "true" | "false" => any(&["boolean"]),
            "inf" | "NaN" => any(&["number"]),
            "None" => any(&["null"]),
            _ => types.is_empty(),
        },
        Value::List(_) => any(&["array"]),
        Value::Map(_) | Value::Struct(_, Body::Fields(_)) => any(&["object"]),
        Value::Struct(_, Body::Values(values)) => {
            any(&["array", "null"]) || (values.is_empty() && any(&["object"])) || values.len() == 1
        }
        Value::Broken => true,
    }
}

/// What is allowed, in words.
fn expected(shape: &Shape<'_>) -> String {
    let mut words: Vec<String> = shape.plain.iter().flat_map(|schema| sorts(schema)).collect();
    if !shape.variants.is_empty() {
        let names = listed(shape.variants.iter().map(|(name, payload)| match payload {
            Some(_) => format!("{name}(…)"),
            None => (*name).to_owned(),
        }));
        words.push(if shape.variants.len() == 1 { names } else { format!("one of {names}") });
    }
    words.dedup();
    if words.is_empty() { "something else".to_owned() } else { words.join(" or ") }
}

fn sorts(schema: &Json) -> Vec<String> {
    let duration = schema.get("format").and_then(Json::as_str) == Some("duration");
    let describe = |name: &str| match name {
        "string" if duration => "a duration such as \"10 minutes\"".to_owned(),
        "string" => "a string".to_owned(),
        "integer" => "a whole number".to_owned(),
        "number" => "a number".to_owned(),
        "boolean" => "`true` or `false`".to_owned(),
        "array" => match schema.pointer("/items/type").and_then(Json::as_str) {
            Some("string") => "a list of strings".to_owned(),
            _ => "a list".to_owned(),
        },
        _ if is_struct(schema) => "`(field: value, …)`".to_owned(),
        _ => "a map `{…}`".to_owned(),
    };
    types(schema).into_iter().filter(|name| *name != "null").map(describe).collect()
}
