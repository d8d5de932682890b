//! A TOML file that a user owns, read so that every mistake in it is told at once, each with its line.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::mistake::Mistake;

/// A table of the document.
pub type Table<'a> = DeTable<'a>;
/// A value with its place.
pub type Value<'a> = Spanned<DeValue<'a>>;

/// A file under reading, and the mistakes found so far.
#[derive(Debug)]
pub struct Document<'a> {
    file: &'a str,
    text: &'a str,
    mistakes: Vec<Mistake>,
}

impl<'a> Document<'a> {
    /// Parses `bytes`, the content of `file`; nothing can be read from it when its syntax is wrong.
    pub fn parse(file: &'a str, bytes: &'a [u8]) -> Result<(Self, Table<'a>), Vec<Mistake>> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let line = bytes.iter().take(error.valid_up_to()).filter(|b| **b == b'\n').count().saturating_add(1);
            vec![Mistake::new(file, line, "expected UTF-8")]
        })?;
        let mut document = Self { file, text, mistakes: Vec::new() };
        let (table, errors) = DeTable::parse_recoverable(text);
        for error in errors {
            document.refuse(&error.span().unwrap_or_default(), format!("expected TOML: {}", error.message()));
        }
        if document.mistakes.is_empty() { Ok((document, table.into_inner())) } else { Err(document.mistakes) }
    }

    /// Notes a mistake at `place`.
    pub fn refuse(&mut self, place: &Range<usize>, message: impl Into<String>) {
        let mistake = Mistake::new(self.file, self.line(place), message);
        self.mistakes.push(mistake);
    }

    /// The line of `place`, from 1.
    pub fn line(&self, place: &Range<usize>) -> usize {
        Mistake::line_of(self.text, place.start)
    }

    /// `value`, or every mistake that was noted, in the order of the file.
    pub fn finish<T>(mut self, value: T) -> Result<T, Vec<Mistake>> {
        self.mistakes.sort_by_key(|mistake| mistake.line);
        if self.mistakes.is_empty() { Ok(value) } else { Err(self.mistakes) }
    }

    /// Refuses every key of `table` that is not in `known`.
    pub fn only(&mut self, table: &Table<'_>, known: &[&str]) {
        for key in table.keys() {
            if !known.contains(&key.get_ref().as_ref()) {
                self.refuse(&key.span(), format!("expected one of {}, found {:?}", known.join(", "), key.get_ref()));
            }
        }
    }

    /// The table that `value` is.
    pub fn table<'t, 'v>(&mut self, value: &'t Value<'v>) -> Option<&'t Table<'v>> {
        let found = value.get_ref().as_table();
        self.expect(found, "a table", value)
    }

    /// The text that `value` is.
    pub fn text<'t>(&mut self, value: &'t Value<'_>) -> Option<&'t str> {
        let found = value.get_ref().as_str();
        self.expect(found, "a text", value)
    }

    /// The whole number from 0 that `value` is.
    pub fn number(&mut self, value: &Value<'_>) -> Option<usize> {
        let integer = value.get_ref().as_integer();
        let found = integer.and_then(|found| usize::from_str_radix(found.as_str(), found.radix()).ok());
        self.expect(found, "a whole number from 0", value)
    }

    /// The entries of the list that `value` is.
    pub fn list<'t, 'v>(&mut self, value: &'t Value<'v>) -> Option<&'t [Value<'v>]> {
        let found = value.get_ref().as_array().map(|list| -> &'t [Value<'v>] { list });
        self.expect(found, "a list", value)
    }

    /// The texts of the list that `value` is, each with its place.
    pub fn texts<'t>(&mut self, value: &'t Value<'_>) -> Vec<(&'t str, Range<usize>)> {
        let entries = self.list(value).unwrap_or_default();
        entries.iter().filter_map(|entry| Some((self.text(entry)?, entry.span()))).collect()
    }

    fn expect<T>(&mut self, found: Option<T>, expected: &str, value: &Value<'_>) -> Option<T> {
        if found.is_none() {
            self.refuse(&value.span(), format!("expected {expected}, found {}", value.get_ref().type_str()));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_has_its_line() {
        let (mut document, table) = Document::parse("f.toml", b"a = 1\n[b]\nc = [1,\n 'x', 2]\n").unwrap();
        let value = |key: &str| table.get(key).unwrap();
        assert_eq!(document.text(value("a")), None);
        let list = value("b").get_ref().as_table().unwrap().get("c").unwrap();
        assert_eq!(document.texts(list).len(), 1);
        document.only(&table, &["a"]);
        let lines: Vec<_> = document.finish(()).unwrap_err().iter().map(|mistake| mistake.line).collect();
        assert_eq!(lines, [1, 2, 3, 4]);
    }

    #[test]
    fn what_is_not_toml_is_refused_with_its_line() {
        assert_eq!(Document::parse("f.toml", b"a = 1\nb = = 2\n").unwrap_err().first().unwrap().line, 2);
        assert_eq!(Document::parse("f.toml", b"a = 1\n\xff").unwrap_err().first().unwrap().line, 2);
        assert_eq!(Document::parse("f.toml", b"[a]\n[a]\n").unwrap_err().first().unwrap().line, 2);
    }
}
