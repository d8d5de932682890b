//! Tables of comma-separated cells, read more strictly than casbin reads them: what it would take otherwise than
//! its author meant is a mistake here.

use crate::files::Files;
use crate::mistake::Mistake;

/// One line of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The line, counted from 1.
    pub line: usize,
    /// The cells, trimmed, without their quotes.
    pub cells: Vec<String>,
}

/// The rows of `file`: comments and blank lines are left out. A file that is absent has none.
pub fn rows(files: &Files, file: &str) -> Result<Vec<Row>, Vec<Mistake>> {
    let Some(bytes) = files.get(file) else { return Ok(Vec::new()) };
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let line = bytes.iter().take(error.valid_up_to()).filter(|b| **b == b'\n').count().saturating_add(1);
            return Err(vec![Mistake::new(file, line, "expected UTF-8, found other bytes")]);
        }
    };
    let (mut rows, mut mistakes) = (Vec::new(), Vec::new());
    for (line, content) in (1..).zip(text.split('\n')) {
        match row(content.strip_suffix('\r').unwrap_or(content)) {
            Ok(None) => {}
            Ok(Some(cells)) => rows.push(Row { line, cells }),
            Err(message) => mistakes.push(Mistake::new(file, line, message)),
        }
    }
    if mistakes.is_empty() { Ok(rows) } else { Err(mistakes) }
}

fn row(content: &str) -> Result<Option<Vec<String>>, String> {
    if content.contains('\u{feff}') {
        return Err("expected text, found a byte-order mark: save the file without one".to_owned());
    }
    if content.chars().any(|c| c.is_control() && c != '\t') {
        return Err("expected text, found a control character".to_owned());
    }
    let content = content.trim();
    if content.is_empty() || content.starts_with('#') {
        return Ok(None);
    }
    let mut cells = Vec::new();
    let mut rest = Some(content);
    while let Some(text) = rest {
        let (cell, after) = cell(text)?;
        cells.push(cell);
        rest = after;
    }
    Ok(Some(cells))
}

/// The first cell of `text`, and what stands after its comma.
fn cell(text: &str) -> Result<(String, Option<&str>), String> {
    let text = text.trim_start();
    if let Some(quoted) = text.strip_prefix('"') {
        let (inner, after) = quoted.split_once('"').ok_or("expected a closing quote, found none")?;
        let after = after.trim_start();
        return match after.strip_prefix(',') {
            Some(rest) => Ok((inner.trim().to_owned(), Some(rest))),
            None if after.is_empty() => Ok((inner.trim().to_owned(), None)),
            None => Err(format!("expected a comma after the closing quote, found {after:?}")),
        };
    }
    let (cell, rest) = text.split_once(',').map_or((text, None), |(cell, rest)| (cell, Some(rest)));
    let cell = cell.trim();
    if cell.contains('#') {
        return Err(format!("expected a comment on a line of its own, found one after text: {cell:?}"));
    }
    if cell.contains('"') {
        return Err(format!("expected quotes around a whole cell, found {cell:?}"));
    }
    if cell.matches('{').count() != cell.matches('}').count() {
        return Err(format!("expected quotes around a glob that holds a comma, found {cell:?}"));
    }
    Ok((cell.to_owned(), rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &[u8]) -> Result<Vec<Row>, Vec<Mistake>> {
        rows(&Files::from([("t.csv".to_owned(), text.to_vec())]), "t.csv")
    }

    fn refused(text: &[u8], line: usize, clause: &str) {
        let mistakes = read(text).unwrap_err();
        let mistake = mistakes.first().unwrap();
        assert_eq!((mistake.line, mistakes.len()), (line, 1), "{mistakes:?}");
        assert!(mistake.message.contains(clause), "{mistake}");
    }

    #[test]
    fn cells_are_trimmed_and_comments_left_out() {
        let rows = read(b"# who\r\n\r\n p ,a,\tb , \"{c,d}\"\r\n  # why\nq,").unwrap();
        assert_eq!(
            rows,
            [
                Row { line: 3, cells: ["p", "a", "b", "{c,d}"].map(str::to_owned).to_vec() },
                Row { line: 5, cells: ["q", ""].map(str::to_owned).to_vec() },
            ]
        );
    }

    #[test]
    fn a_byte_order_mark_is_refused() {
        refused(b"\xef\xbb\xbfp, a", 1, "byte-order mark");
    }

    #[test]
    fn a_trailing_comment_is_refused() {
        refused(b"p, a\np, b # why", 2, "line of its own");
    }

    #[test]
    fn an_unquoted_alternative_is_refused() {
        refused(b"p, {a,b}", 1, "quotes around a glob");
    }

    #[test]
    fn stray_quotes_are_refused() {
        refused(b"p, a\"b\"", 1, "whole cell");
        refused(b"p, \"a", 1, "closing quote");
        refused(b"p, \"a\" b", 1, "after the closing quote");
    }

    #[test]
    fn what_is_not_text_is_refused() {
        refused(b"p\n\xff", 2, "UTF-8");
        refused(b"p,\0", 1, "control character");
    }
}
