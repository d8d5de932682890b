//! The lines on which the values of a JSON document stand: the parser does not tell them.

use std::collections::BTreeMap;

/// Lines from 1, by JSON pointer. Keys are taken as written, without their escapes.
#[derive(Debug, Default)]
pub(super) struct JsonLines(BTreeMap<String, usize>);

impl JsonLines {
    /// Reads what was parsed as JSON already, and so is neither wrong nor deep.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let mut scanner = Scanner { rest: bytes, line: 1, found: BTreeMap::new() };
        scanner.value("");
        Self(scanner.found)
    }

    /// The line of the value at `pointer`, or of the nearest value around it.
    pub(super) fn line(&self, pointer: &str) -> usize {
        let mut pointer = pointer;
        loop {
            match (self.0.get(pointer), pointer.rsplit_once('/')) {
                (Some(line), _) => return *line,
                (None, Some((around, _))) => pointer = around,
                (None, None) => return 0,
            }
        }
    }
}

struct Scanner<'a> {
    rest: &'a [u8],
    line: usize,
    found: BTreeMap<String, usize>,
}

impl Scanner<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.line = self.line.saturating_add(usize::from(*first == b'\n'));
        self.rest = rest;
        Some(*first)
    }

    /// The next byte that is neither space nor punctuation between values, which stays.
    fn peek(&mut self) -> Option<u8> {
        while let Some(first) = self.rest.first() {
            if !first.is_ascii_whitespace() && !b",:".contains(first) {
                return Some(*first);
            }
            self.next();
        }
        None
    }

    fn value(&mut self, pointer: &str) {
        let first = self.peek();
        self.found.insert(pointer.to_owned(), self.line);
        match first {
            Some(b'{') => {
                self.next();
                while self.peek() == Some(b'"') {
                    let key = self.text();
                    self.value(&format!("{pointer}/{key}"));
                }
                self.next();
            }
            Some(b'[') => {
                self.next();
                let mut index = 0_usize;
                while self.peek().is_some_and(|byte| byte != b']') {
                    self.value(&format!("{pointer}/{index}"));
                    index = index.saturating_add(1);
                }
                self.next();
            }
            Some(b'"') => drop(self.text()),
            _ => while self.rest.first().is_some_and(|byte| !b",]} \t\r\n".contains(byte)) && self.next().is_some() {},
        }
    }

    fn text(&mut self) -> String {
        let mut bytes = Vec::new();
        self.next();
        while let Some(byte) = self.next() {
            match byte {
                b'"' => break,
                b'\\' => bytes.extend([byte].into_iter().chain(self.next())),
                _ => bytes.push(byte),
            }
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_value_has_its_line() {
        let text = b"{\n \"a\": [1, true,\n {\"b\\\"]\": \"x\\\"}\"}],\n\"c\": {}, \"d\": [],\n \"e\":\n -1.5e3 }";
        let lines = JsonLines::of(text);
        let pointers = ["", "/a", "/a/1", "/a/2", "/a/2/b\\\"]", "/c", "/d", "/e"];
        assert_eq!(pointers.map(|pointer| lines.line(pointer)), [1, 2, 2, 3, 3, 4, 4, 6]);
    }

    #[test]
    fn what_is_absent_has_the_line_of_what_is_around_it() {
        let lines = JsonLines::of(b"{\n\"a\": [\n{}\n]}");
        assert_eq!(lines.line("/a/0/b/c"), 3);
    }
}
