//! Diagnostics on a terminal: a headline of our own over the snippets that `miette` draws.

use std::fmt::{self, Write as _};

use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents, SourceCode, SourceSpan,
    SpanContents,
};
use watershed_core::fault::Severity;

use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::document::Source;

const WIDTH: usize = 120;

pub(crate) fn render(diagnostics: &Diagnostics, colour: bool) -> String {
    let mut out = String::new();
    let most = diagnostics.telling.most_shown;
    for item in diagnostics.iter().take(most) {
        out.push_str(&headline(item, colour));
        out.push_str(&body(item, diagnostics.source.as_ref(), colour));
    }
    if diagnostics.items.len() > most {
        writeln!(out, "… {} more of them", diagnostics.items.len() - most).expect("writing to a string cannot fail");
    }
    if !diagnostics.is_empty() {
        out.push_str(&diagnostics.summary());
        out.push('\n');
    }
    out
}

/// `error[watershed::graph::unknown_field]: operator …`
fn headline(item: &Diagnostic, colour: bool) -> String {
    let (word, escape) = match item.severity {
        Severity::Error => ("error", "\u{1b}[1;31m"),
        Severity::Warning => ("warning", "\u{1b}[1;33m"),
    };
    let (start, bold, end) = if colour { (escape, "\u{1b}[1m", "\u{1b}[0m") } else { ("", "", "") };
    format!("{start}{word}[{}]{end}{bold}: {}{end}\n", item.code, item.message)
}

/// Snippet and help. Without a file, the place in the graph stands for the snippet.
fn body(item: &Diagnostic, source: Option<&Source>, colour: bool) -> String {
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler =
        GraphicalReportHandler::new_themed(theme).with_context_lines(0).with_width(WIDTH).without_syntax_highlighting();
    let shown = Shown { item, source: source.map(Snippet) };
    let mut out = String::new();
    handler.render_report(&mut out, &shown).expect("writing to a string cannot fail");
    // The first line is miette's own headline, which `Shown` leaves empty.
    let body = out.split_once('\n').map_or("", |(_, body)| body);
    let mut body: String = body.lines().fold(String::new(), |mut body, line| {
        body.push_str(line.trim_end());
        body.push('\n');
        body
    });
    if item.place.is_none() {
        let mut place = String::new();
        if let Some(node) = &item.node {
            write!(place, "   ╰── node `{node}`").expect("writing to a string cannot fail");
            if let Some(path) = &item.path {
                write!(place, ", at `{path}`").expect("writing to a string cannot fail");
            }
            place.push('\n');
        } else if let Some(path) = &item.path {
            writeln!(place, "   ╰── `{path}`").expect("writing to a string cannot fail");
        }
        body = place + &body;
    }
    body
}

/// A diagnostic as `miette` wants it, without headline.
#[derive(Debug)]
struct Shown<'a> {
    item: &'a Diagnostic,
    source: Option<Snippet<'a>>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl std::error::Error for Shown<'_> {}

impl miette::Diagnostic for Shown<'_> {
    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.item.severity {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        Some(Box::new(self.item.help.as_ref()?))
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        self.source.as_ref().map(|source| source as &dyn SourceCode)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let source = self.source.as_ref()?.0;
        let primary = self.item.place.as_ref()?;
        let first = LabeledSpan::new_primary_with_span(self.item.label.clone(), span(source, primary.bytes()));
        let others = self
            .item
            .related
            .iter()
            .map(|(place, label)| LabeledSpan::new_with_span(Some(label.clone()), span(source, place.bytes())));
        Some(Box::new(std::iter::once(first).chain(others)))
    }
}

fn span(source: &Source, bytes: std::ops::Range<usize>) -> SourceSpan {
    source.shown(&bytes).into()
}

/// Whole lines of the file, and columns in characters.
#[derive(Debug)]
struct Snippet<'a>(&'a Source);

impl SourceCode for Snippet<'_> {
    fn read_span<'b>(
        &'b self,
        span: &SourceSpan,
        _: usize,
        _: usize,
    ) -> Result<Box<dyn SpanContents<'b> + 'b>, MietteError> {
        let bytes = span.offset()..span.offset() + span.len();
        let position = self.0.position(bytes.start);
        let lines = self.0.lines(&bytes);
        let text = &self.0.text[lines.clone()];
        Ok(Box::new(MietteSpanContents::new_named(
            self.0.origin.to_string(),
            text.as_bytes(),
            lines.into(),
            position.line - 1,
            position.column - 1,
            text.lines().count(),
        )))
    }
}
