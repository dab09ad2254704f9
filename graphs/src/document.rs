//! A file as it was read: its text, its name, and the lines and columns of its bytes.

use std::sync::Arc;

use crate::syntax::{self, Span, SyntaxFault, Tree, Variables};

/// The text of a graph file, or of a larger file that holds one, and the tree read from it.
#[derive(Debug)]
pub(crate) struct Document {
    /// The text with the name it is shown under.
    pub(crate) source: Source,
    /// The graph's tree, when there was anything to read.
    pub(crate) tree: Option<Tree>,
}

impl Document {
    /// Reads the bytes `range` of `text`.
    pub(crate) fn read(text: &str, range: Span, origin: &str, variables: Variables<'_>) -> (Self, Vec<SyntaxFault>) {
        let (tree, faults) = syntax::parse(text, range, variables);
        (Self { source: Source::new(origin, text), tree }, faults)
    }
}

/// A text and the name it is shown under; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The file's name as messages show it.
    pub(crate) origin: Arc<str>,
    /// All of its text.
    pub(crate) text: Arc<str>,
}

/// A place for people: lines and columns count from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The character in the line, from 1.
    pub column: usize,
    /// The byte in the file, from 0.
    pub offset: usize,
}

impl Source {
    pub(crate) fn new(origin: &str, text: &str) -> Self {
        Self { origin: origin.into(), text: text.into() }
    }

    /// Line and column of a byte.
    pub(crate) fn position(&self, offset: usize) -> Position {
        let mut offset = offset.min(self.text.len());
        while !self.text.is_char_boundary(offset) {
            offset -= 1;
        }
        let before = &self.text[..offset];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = before.bytes().filter(|&byte| byte == b'\n').count() + 1;
        Position { line, column: before[line_start..].chars().count() + 1, offset }
    }

    /// The lines that `span` touches, whole, without the last line's end.
    pub(crate) fn lines(&self, span: &Span) -> Span {
        let start = self.text[..span.start].rfind('\n').map_or(0, |newline| newline + 1);
        let end = self.text[span.end..].find('\n').map_or(self.text.len(), |length| span.end + length);
        start..end
    }

    /// `span` as a snippet can show it: at most to the end of its first line, and on a character where there is one.
    pub(crate) fn shown(&self, span: &Span) -> Span {
        let (text, mut start) = (&*self.text, self.position(span.start).offset);
        if start == text.len() {
            // The end of the file is shown behind its last visible character.
            start = text.trim_end().len();
        }
        let line_end = text[start..].find(['\n', '\r']).map_or(text.len(), |length| start + length);
        if start == line_end {
            // Nothing is drawn behind a line, so its last character stands for its end.
            let last = text[..start].chars().next_back().filter(|last| *last != '\n');
            start -= last.map_or(0, char::len_utf8);
        }
        let end = self.position(span.end).offset.clamp(start, line_end.max(start));
        start..end
    }
}
