//! Columns for people, set side by side without lines.

use comfy_table::{CellAlignment, Table, presets};

/// A heading and rows as text, with a line end after each; the columns at the places `right` hold numbers.
pub(super) fn columns(heading: &[String], rows: impl IntoIterator<Item = Vec<String>>, right: &[usize]) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).force_no_tty();
    table.set_header(heading);
    for row in rows {
        table.add_row(row);
    }
    for place in right {
        if let Some(column) = table.column_mut(*place) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = String::new();
    for line in table.lines() {
        // The first column has a blank on either side.
        text.push_str(line.strip_prefix(' ').unwrap_or(&line).trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_on_the_right_and_no_line_ends_in_blanks() {
        let heading = ["node", "rows"].map(str::to_owned);
        let rows = [vec!["a".to_owned(), "1,000".to_owned()], vec!["longer".to_owned(), "7".to_owned()]];
        assert_eq!(columns(&heading, rows, &[1]), "node     rows\na       1,000\nlonger      7\n");
    }
}
