//! Rows in columns, of which as many as there are do not stay in memory.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr;

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// Of texts.
    Text(&'static str),
    /// Of numbers, which end below each other.
    Number(&'static str),
}

/// The widest that a column gets; what is longer runs over, and takes no room in other rows.
const MOST_WIDTH: usize = 64;

/// Prints rows below the heads of their columns, each line behind an indent. `rows` is called twice,
/// first for the widths.
pub fn print_table<const N: usize, R: Iterator<Item = [String; N]>>(
    out: &mut impl Write,
    indent: &str,
    columns: [Column; N],
    rows: impl Fn() -> R,
) -> io::Result<()> {
    let heads = columns.map(|column| match column {
        Column::Text(head) | Column::Number(head) => head.to_owned(),
    });
    let mut widths = heads.each_ref().map(|head| head.width());
    for row in rows() {
        for (width, cell) in widths.iter_mut().zip(&row) {
            *width = (*width).max(cell.width().min(MOST_WIDTH));
        }
    }
    for row in std::iter::once(heads).chain(rows()) {
        let mut line = String::new();
        for ((cell, width), column) in row.iter().zip(widths).zip(columns) {
            let padding = " ".repeat(width.saturating_sub(cell.width()));
            match column {
                Column::Text(_) => line.extend([cell, padding.as_str(), "  "]),
                Column::Number(_) => line.extend([padding.as_str(), cell, "  "]),
            }
        }
        writeln!(out, "{}", format!("{indent}{line}").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_have_the_width_of_their_widest_cell() {
        let columns = [Column::Text("name"), Column::Number("keys"), Column::Text("more")];
        let rows = [["中文", "1", ""], ["a", "10000", "x"]];
        let mut out = Vec::new();
        print_table(&mut out, "", columns, || rows.iter().map(|row| row.map(str::to_owned)))
            .unwrap();
        let shown = "name   keys  more\n中文      1\na     10000  x\n";
        assert_eq!(String::from_utf8(out).unwrap(), shown);
    }

    #[test]
    fn a_long_cell_takes_no_room_in_other_rows() {
        let long = "x".repeat(1000);
        let rows = [[long.as_str(), "1"], ["a", "2"]];
        let mut out = Vec::new();
        let columns = [Column::Text("name"), Column::Text("more")];
        print_table(&mut out, "  ", columns, || rows.iter().map(|row| row.map(str::to_owned)))
            .unwrap();
        let shown = String::from_utf8(out).unwrap();
        assert_eq!(shown.lines().map(str::len).collect::<Vec<_>>(), [72, 1005, 69]);
    }
}
