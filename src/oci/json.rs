//! JSON from outside: bounded before it is parsed.

/// Why JSON is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// Arrays and objects nested deeper than the limit.
    #[error("expected JSON nested at most {limit} deep")]
    Depth {
        /// The limit.
        limit: usize,
    },
    /// More objects than the limit.
    #[error("expected JSON of at most {limit} objects")]
    Objects {
        /// The limit.
        limit: usize,
    },
    /// An object that names a key twice: readers differ in which they take.
    #[error("expected each key once, found a second {0:?}")]
    DuplicateKey(String),
    /// Not JSON, or not of the expected shape.
    #[error("expected valid JSON: {0}")]
    Syntax(String),
}

/// A value without duplicate keys, nested at most `limit` deep (and never deeper than the parser's own 128).
pub fn parse(bytes: &[u8], limit: usize) -> Result<serde_json::Value, JsonError> {
    parse_few(bytes, limit, usize::MAX)
}

/// The same, of at most `objects` objects: a small one takes a hundred times as much memory as it has bytes.
pub(super) fn parse_few(bytes: &[u8], limit: usize, objects: usize) -> Result<serde_json::Value, JsonError> {
    check_bounds(bytes, limit, objects)?;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let unique = <Unique as serde::Deserialize>::deserialize(&mut reader).map_err(|error| {
        match error.to_string().strip_prefix(DUPLICATE) {
            Some(rest) => JsonError::DuplicateKey(rest.split_once('\u{0}').map_or(rest, |(key, _)| key).to_owned()),
            None => JsonError::Syntax(error.to_string()),
        }
    })?;
    reader.end().map_err(|error| JsonError::Syntax(error.to_string()))?;
    Ok(unique.0)
}

fn check_bounds(bytes: &[u8], limit: usize, objects: usize) -> Result<(), JsonError> {
    let (mut depth, mut found, mut quoted, mut escaped) = (0_usize, 0_usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' | b'{' => {
                depth = depth.saturating_add(1);
                if depth > limit {
                    return Err(JsonError::Depth { limit });
                }
                found = found.saturating_add(usize::from(*byte == b'{'));
                if found > objects {
                    return Err(JsonError::Objects { limit: objects });
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

const DUPLICATE: &str = "duplicate key ";

struct Unique(serde_json::Value);

impl<'de> serde::Deserialize<'de> for Unique {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Visitor).map(Self)
    }
}

struct Visitor;

impl<'de> serde::de::Visitor<'de> for Visitor {
    type Value = serde_json::Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(serde_json::Value::Null)
    }

    fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unique(value)) = entries.next_element()? {
            list.push(value);
        }
        Ok(list.into())
    }

    fn visit_map<A: serde::de::MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut object = serde_json::Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            let Unique(value) = entries.next_value()?;
            if object.contains_key(&key) {
                return Err(serde::de::Error::custom(format_args!("{DUPLICATE}{key}\u{0}")));
            }
            object.insert(key, value);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_and_duplicates_are_refused() {
        assert_eq!(parse(b"[[[]]]", 2), Err(JsonError::Depth { limit: 2 }));
        assert!(parse(br#"{"a": "[[[[", "b": [1, 2.5, null, true]}"#, 2).is_ok());
        assert_eq!(parse(br#"{"a": {"b": 1, "b": 2}}"#, 9), Err(JsonError::DuplicateKey("b".to_owned())));
        assert!(matches!(parse(b"{} {}", 9), Err(JsonError::Syntax(_))));
    }

    #[test]
    fn objects_are_counted_before_they_are_made() {
        assert!(parse_few(br#"[{}, {"{": "{{{"}]"#, 9, 2).is_ok());
        assert_eq!(parse_few(br#"[{}, {"{": {}}]"#, 9, 2), Err(JsonError::Objects { limit: 2 }));
    }
}
