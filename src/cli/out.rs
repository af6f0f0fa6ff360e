//! Standard output and error. A reader who has gone away is no error of ours.

use std::io::{self, Write};

/// Prints a line of result.
pub(crate) fn line(text: &str) {
    drop(writeln!(io::stdout().lock(), "{text}"));
}

/// Prints a line of result at once; whether anybody reads it.
pub(crate) fn try_line(text: &str) -> bool {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).is_ok()
}

/// Prints a value as JSON.
pub(crate) fn json(value: &serde_json::Value) {
    line(&format!("{value:#}"));
}

/// Prints what went wrong, with its remedy.
pub(crate) fn problem(text: &str) {
    drop(writeln!(io::stderr().lock(), "switchback: {text}"));
}

/// Prints rows in columns; the first is the heading.
pub(crate) fn table(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max()
    };
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        line(cells.join("  ").trim_end());
    }
}
