//! What a store said, in words for people: the innermost cause, without the way it came and without markup.

use std::error::Error;
use std::io::{self, ErrorKind};

/// The most characters of what a store said that are passed on.
const MOST_CHARACTERS: usize = 300;

/// The error as the system's own kind of error.
pub(super) fn to_io(error: &object_store::Error) -> io::Error {
    use object_store::Error as Store;
    let (kind, what) = match error {
        Store::NotFound { .. } => (ErrorKind::NotFound, "not found: "),
        Store::AlreadyExists { .. } => (ErrorKind::AlreadyExists, "it exists already: "),
        Store::Precondition { .. } => (ErrorKind::AlreadyExists, "it was changed meanwhile: "),
        Store::PermissionDenied { .. } => (ErrorKind::PermissionDenied, "permission denied: "),
        Store::Unauthenticated { .. } => (ErrorKind::PermissionDenied, "the credentials are not accepted: "),
        Store::NotSupported { .. } | Store::NotImplemented { .. } => {
            (ErrorKind::Unsupported, "the store cannot do this: ")
        }
        Store::InvalidPath { .. } => (ErrorKind::InvalidInput, "not a name for an object: "),
        _ => (ErrorKind::Other, ""),
    };
    let cause = innermost(error);
    let kind = match cause.downcast_ref::<io::Error>() {
        Some(cause) if kind == ErrorKind::Other => cause.kind(),
        _ => kind,
    };
    io::Error::new(kind, format!("{what}{}", tidy(&cause.to_string())))
}

fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut cause = error;
    while let Some(source) = cause.source() {
        // The number of a system's error alone says less than what is around it.
        if source.to_string().is_empty() {
            break;
        }
        cause = source;
    }
    cause
}

/// Takes what the store says out of its answer: `<Error><Code>…</Code><Message>…</Message>…` or plain text.
fn tidy(text: &str) -> String {
    let words = match (element(text, "Message"), element(text, "Code")) {
        (Some(message), Some(code)) => format!("{} ({code})", message.trim_end_matches('.')),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => text.to_owned(),
    };
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

fn element<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("<{name}>"))?;
    let (content, _) = rest.split_once(&format!("</{name}>"))?;
    Some(content.trim()).filter(|content| !content.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_quoted_without_the_way_it_came() {
        let answer = "Server returned non-2xx status code: 403 Forbidden: <?xml version=\"1.0\"?>\n<Error>\
            <Code>InvalidAccessKeyId</Code><Message>The AWS Access Key Id you provided does not exist in our records.\
            </Message><RequestId>1</RequestId></Error>";
        let refused = || io::Error::new(ErrorKind::ConnectionRefused, "connection refused");
        let path = "a/b".to_owned();
        for (error, kind, words) in [
            (
                object_store::Error::PermissionDenied { path: path.clone(), source: answer.into() },
                ErrorKind::PermissionDenied,
                "permission denied: The AWS Access Key Id you provided does not exist in our records \
                 (InvalidAccessKeyId)",
            ),
            (
                object_store::Error::Generic { store: "S3", source: Box::new(refused()) },
                ErrorKind::ConnectionRefused,
                "connection refused",
            ),
            (
                object_store::Error::Generic { store: "S3", source: "<Error><Code>SlowDown</Code></Error>".into() },
                ErrorKind::Other,
                "SlowDown",
            ),
            (
                object_store::Error::NotFound { path, source: "no\n  such  thing".into() },
                ErrorKind::NotFound,
                "not found: no such thing",
            ),
            (
                object_store::Error::NotImplemented { operation: "put".to_owned(), implementer: "Toy".to_owned() },
                ErrorKind::Unsupported,
                "the store cannot do this: Operation put not yet implemented by Toy.",
            ),
        ] {
            let told = to_io(&error);
            assert_eq!(told.to_string(), words);
            assert_eq!(told.kind(), kind, "{words}");
        }
        let long = object_store::Error::Generic { store: "S3", source: "é".repeat(1000).into() };
        assert_eq!(to_io(&long).to_string(), format!("{}…", "é".repeat(MOST_CHARACTERS)));
    }
}
