//! A drawing as SVG: self-contained, without fonts or scripts of its own, on a light or a dark ground as the reader has it.

use std::fmt::Write;

use watershed_core::plan::Plan;

use super::layout::{Layout, Point, Route, Size, layout};
use super::picture::{Arrow, INDENT, Look, NodeBox, Picture};
use super::style::{LOOKS, class, dark, light};

/// Space around the drawing.
const MARGIN: f64 = 28.0;
/// The room of title and subtitle.
const HEADER: f64 = 58.0;
/// The room of the legend.
const FOOTER: f64 = 40.0;
/// Space between a box's border and its text.
const PADDING: f64 = 14.0;
/// The height of the line with name and type.
const HEAD_LINE: f64 = 34.0;
/// The height of a fact's line.
const FACT_LINE: f64 = 17.0;
/// The least width of a box.
const LEAST_WIDTH: f64 = 150.0;
/// How many characters of a fact are shown.
const FACT_CHARACTERS: usize = 46;
/// The height of an edge's label.
const LABEL_HEIGHT: f64 = 20.0;
/// Font sizes in pixels.
const NAME_SIZE: f64 = 14.0;
const TYPE_SIZE: f64 = 12.0;
const FACT_SIZE: f64 = 11.0;

/// The plan as an SVG document.
pub fn svg(plan: &Plan) -> String {
    let picture = Picture::of(plan, FACT_CHARACTERS);
    let sizes: Vec<Size> = picture.boxes.iter().map(box_size).collect();
    let labels: Vec<Size> = picture.arrows.iter().map(label_size).collect();
    let layout = layout(&sizes, &picture.arrows, &labels);
    Drawing { picture: &picture, layout: &layout, sizes: &sizes, labels: &labels }.write()
}

/// How wide `text` is at most. There is no font to ask, so widths are those of the wider fonts readers have.
fn text_width(text: &str, font_size: f64) -> f64 {
    let ems = text.chars().map(|c| match c {
        'i' | 'j' | 'l' | 't' | 'f' | 'r' | 'I' | ' ' | '.' | ',' | ':' | ';' | '\'' | '|' | '!' | '(' | ')' | '['
        | ']' | '·' => 0.40,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.98,
        'A'..='Z' | '0'..='9' | '_' | '&' | '→' | '−' | '∞' | '<' | '>' => 0.74,
        c if c < '\u{1100}' => 0.64,
        _ => 1.05,
    });
    ems.sum::<f64>() * font_size
}

/// Text in the code font: all characters are equally wide, but for those of East Asia.
fn code_width(text: &str) -> f64 {
    text.chars().map(|c| if c < '\u{1100}' || c == '…' { 0.61 } else { 1.22 }).sum::<f64>() * FACT_SIZE
}

fn kind_words(node: &NodeBox) -> String {
    match node.look.badge() {
        Some(badge) => format!("{} · {badge}", node.type_name),
        None => node.type_name.to_owned(),
    }
}

fn box_size(node: &NodeBox) -> Size {
    let head = text_width(&node.name, NAME_SIZE) + 18.0 + text_width(&kind_words(node), TYPE_SIZE);
    let widest = node.facts.iter().map(|fact| code_width(fact)).fold(head, f64::max);
    let facts = if node.facts.is_empty() { 0.0 } else { node.facts.len() as f64 * FACT_LINE + 10.0 };
    ((widest + 2.0 * PADDING).max(LEAST_WIDTH).ceil(), HEAD_LINE + facts)
}

fn label_size(arrow: &Arrow) -> Size {
    if arrow.label.is_empty() {
        return (0.0, 0.0);
    }
    ((text_width(&arrow.label.join(" · "), FACT_SIZE) + 18.0).ceil(), LABEL_HEIGHT)
}

struct Drawing<'a> {
    picture: &'a Picture,
    layout: &'a Layout,
    sizes: &'a [Size],
    labels: &'a [Size],
}

impl Drawing<'_> {
    fn write(&self) -> String {
        let legend = self.legend_entries();
        let header = text_width(&self.picture.title, 17.0).max(text_width(&self.picture.subtitle, TYPE_SIZE));
        let footer = legend.last().map_or(0.0, |(_, words, left)| left + 18.0 + text_width(words, FACT_SIZE));
        let width = (self.layout.size.0.max(header).max(footer) + 2.0 * MARGIN).ceil();
        let height = (self.layout.size.1 + HEADER + FOOTER + 2.0 * MARGIN).ceil();
        let mut out = Out::default();
        out.line(format_args!(
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" aria-label="{}">"#,
            escaped(&self.picture.title)
        ));
        out.line(format_args!("<title>{}</title>", escaped(&self.picture.title)));
        out.line(format_args!("<style>\n{}</style>", style_sheet()));
        out.line(format_args!(r#"<rect class="ws-page" width="{width}" height="{height}" rx="10"/>"#));
        out.line(format_args!(
            r#"<text class="ws-title" x="{MARGIN}" y="{}">{}</text>"#,
            MARGIN + 15.0,
            escaped(&self.picture.title)
        ));
        out.line(format_args!(
            r#"<text class="ws-quiet" x="{MARGIN}" y="{}">{}</text>"#,
            MARGIN + 35.0,
            escaped(&self.picture.subtitle)
        ));
        // The graph stands in the middle when title or legend are wider.
        let left = (width - self.layout.size.0) / 2.0;
        out.line(format_args!(r#"<g transform="translate({} {})">"#, number(left), MARGIN + HEADER));
        for (arrow, route) in self.picture.arrows.iter().zip(&self.layout.routes) {
            write_arrow(&mut out, arrow, route);
        }
        for ((node, &centre), &size) in self.picture.boxes.iter().zip(&self.layout.boxes).zip(self.sizes) {
            write_box(&mut out, node, centre, size);
        }
        for ((arrow, route), &size) in self.picture.arrows.iter().zip(&self.layout.routes).zip(self.labels) {
            write_label(&mut out, arrow, route.label, size);
        }
        out.line(format_args!("</g>"));
        for (look, words, left) in legend {
            let (left, baseline) = (left + MARGIN, height - MARGIN);
            out.line(format_args!(
                r#"<rect class="ws-{}" x="{}" y="{}" width="12" height="12" rx="3"/>"#,
                class(look),
                number(left),
                number(baseline - 10.0)
            ));
            out.line(format_args!(
                r#"<text class="ws-quiet" x="{}" y="{}">{words}</text>"#,
                number(left + 18.0),
                number(baseline)
            ));
        }
        out.line(format_args!("</svg>"));
        out.0
    }

    /// The looks that occur, with their words and their place from the left.
    fn legend_entries(&self) -> Vec<(Look, &'static str, f64)> {
        let mut left = 0.0;
        let mut entries = Vec::new();
        for (look, words) in LOOKS {
            if self.picture.boxes.iter().any(|node| node.look == look) {
                entries.push((look, words, left));
                left += text_width(words, FACT_SIZE) + 40.0;
            }
        }
        entries
    }
}

fn write_arrow(out: &mut Out, arrow: &Arrow, route: &Route) {
    let side = if arrow.side { " ws-side" } else { "" };
    out.line(format_args!(r#"<path class="ws-edge{side}" d="{}"/>"#, curve(route)));
    if let Some(&(_, (x, y))) = route.pieces.last() {
        out.line(format_args!(r#"<path class="ws-head" d="M{} {}l-4.5 -8h9z"/>"#, number(x), number(y)));
    }
}

/// Straight pieces joined by curves that leave and arrive straight down. The tip is the arrow head's.
fn curve(route: &Route) -> String {
    let mut path = String::new();
    let mut put = |piece: std::fmt::Arguments<'_>| path.write_fmt(piece).expect("writing to a string cannot fail");
    let mut before: Option<Point> = None;
    for (index, &((x, top), (_, bottom))) in route.pieces.iter().enumerate() {
        match before {
            None => put(format_args!("M{} {}", number(x), number(top))),
            Some((from_x, from_y)) => {
                let middle = number(f64::midpoint(from_y, top));
                put(format_args!("C{} {middle} {} {middle} {} {}", number(from_x), number(x), number(x), number(top)));
            }
        }
        let bottom = if index + 1 == route.pieces.len() { (bottom - 6.0).max(top) } else { bottom };
        if bottom > top {
            put(format_args!("V{}", number(bottom)));
        }
        before = Some((x, bottom));
    }
    path
}

fn write_label(out: &mut Out, arrow: &Arrow, (x, y): Point, (width, height): Size) {
    if arrow.label.is_empty() {
        return;
    }
    out.line(format_args!(
        r#"<rect class="ws-label" x="{}" y="{}" width="{width}" height="{height}" rx="{}"/>"#,
        number(x - width / 2.0),
        number(y - height / 2.0),
        height / 2.0
    ));
    let words = escaped(&arrow.label.join(" · "));
    out.line(format_args!(r#"<text class="ws-words" x="{}" y="{}">{words}</text>"#, number(x), number(y + 4.0)));
}

fn write_box(out: &mut Out, node: &NodeBox, (x, y): Point, (width, height): Size) {
    let (left, top) = (x - width / 2.0, y - height / 2.0);
    let class = class(node.look);
    out.line(format_args!("<g><title>{} · {}</title>", escaped(&node.name), escaped(&kind_words(node))));
    out.line(format_args!(r#"<path class="ws-{class}" d="{}"/>"#, outline(node.look, (left, top), (width, height))));
    out.line(format_args!(
        r#"<text class="ws-name" x="{}" y="{}">{}</text>"#,
        number(left + PADDING),
        number(top + 22.0),
        escaped(&node.name)
    ));
    out.line(format_args!(
        r#"<text class="ws-type ws-{class}-ink" x="{}" y="{}">{}</text>"#,
        number(left + width - PADDING),
        number(top + 22.0),
        escaped(&kind_words(node))
    ));
    for (line, fact) in node.facts.iter().enumerate() {
        let baseline = top + HEAD_LINE + 13.0 + line as f64 * FACT_LINE;
        // Not every reader keeps a space at the beginning, so the place says it.
        let (indent, fact) = fact.strip_prefix(INDENT).map_or((0.0, fact.as_str()), |rest| (code_width(INDENT), rest));
        out.line(format_args!(
            r#"<text class="ws-fact" x="{}" y="{}">{}</text>"#,
            number(left + PADDING + indent),
            number(baseline),
            escaped(fact)
        ));
    }
    out.line(format_args!("</g>"));
}

/// A source is round above, where nothing comes in; a sink below, where nothing goes out.
fn outline(look: Look, (left, top): Point, (width, height): Size) -> String {
    let (above, below) = match look {
        Look::Source => (16.0, 5.0),
        Look::Sink => (5.0, 16.0),
        Look::Stateless | Look::Stateful | Look::Growing => (5.0, 5.0),
    };
    format!(
        "M{} {}h{}a{above} {above} 0 0 1 {above} {above}v{}a{below} {below} 0 0 1 -{below} {below}h-{}a{below} {below} 0 0 1 -{below} -{below}v-{}a{above} {above} 0 0 1 {above} -{above}z",
        number(left + above),
        number(top),
        number(width - 2.0 * above),
        number(height - above - below),
        number(width - 2.0 * below),
        number(height - above - below),
    )
}

/// The style sheet. Light colours stand first and alone, for readers that know no `@media`.
fn style_sheet() -> String {
    let mut sheet = String::from(
        ".ws-title{font:600 17px system-ui,'Segoe UI',Helvetica,Arial,sans-serif}\n\
         .ws-name{font:600 14px system-ui,'Segoe UI',Helvetica,Arial,sans-serif}\n\
         .ws-type{font:500 12px system-ui,'Segoe UI',Helvetica,Arial,sans-serif;text-anchor:end}\n\
         .ws-quiet,.ws-words{font:400 11px system-ui,'Segoe UI',Helvetica,Arial,sans-serif}\n\
         .ws-words{text-anchor:middle}\n\
         .ws-fact{font:400 11px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace}\n\
         .ws-edge{fill:none;stroke-width:1.5}\n\
         .ws-side{stroke-dasharray:5 4}\n\
         .ws-source,.ws-operator,.ws-stateful,.ws-growing,.ws-sink{stroke-width:1.3}\n",
    );
    let ground = |page: &str,
                  ink: &str,
                  quiet: &str,
                  edge: &str,
                  label: &str,
                  colours: fn(Look) -> super::style::Colours| {
        let mut rules = format!(
            ".ws-page{{fill:{page}}}\n.ws-title,.ws-name{{fill:{ink}}}\n.ws-quiet,.ws-fact,.ws-words{{fill:{quiet}}}\n\
             .ws-edge{{stroke:{edge}}}\n.ws-head{{fill:{edge}}}\n.ws-label{{fill:{page};stroke:{label}}}\n"
        );
        for (look, _) in LOOKS {
            let (class, colours) = (class(look), colours(look));
            writeln!(
                rules,
                ".ws-{class}{{fill:{};stroke:{}}}\n.ws-{class}-ink{{fill:{}}}",
                colours.ground, colours.line, colours.line
            )
            .expect("writing to a string cannot fail");
        }
        rules
    };
    let bright = ground("#ffffff", "#1b1f24", "#4b5563", "#7b8694", "#cdd3da", light);
    let night = ground("#0f1318", "#eceff4", "#aab4c1", "#7f8b99", "#3a434e", dark);
    sheet.push_str(&bright);
    sheet.push_str("@media (prefers-color-scheme:dark){\n");
    sheet.push_str(&night);
    sheet.push_str("}\n");
    sheet
}

/// Lines of the document.
#[derive(Default)]
struct Out(String);

impl Out {
    fn line(&mut self, text: std::fmt::Arguments<'_>) {
        self.0.write_fmt(text).expect("writing to a string cannot fail");
        self.0.push('\n');
    }
}

/// A coordinate, to a tenth of a pixel.
fn number(value: f64) -> f64 {
    // Adding zero turns -0 into 0.
    (value * 10.0).round() / 10.0 + 0.0
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            // XML has no way to write most control characters.
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::sketch;

    #[test]
    fn markup_in_names_and_fields_is_escaped() {
        let text = svg(&sketch::tangle());
        assert!(text.contains("views &amp; &lt;impressions&gt;"), "{text}");
        assert!(!text.contains("& "), "{text}");
    }

    #[test]
    fn a_drawing_is_the_same_every_time() {
        assert_eq!(svg(&sketch::tangle()), svg(&sketch::tangle()));
    }

    #[test]
    fn a_box_is_as_wide_as_its_widest_line() {
        let node = NodeBox { name: "n".to_owned(), type_name: "T", look: Look::Sink, facts: vec!["x".repeat(40)] };
        assert!(box_size(&node).0 >= 40.0 * 6.6);
    }
}
