//! Distinguished names, as certificates hold them.

use std::collections::BTreeMap;
use std::fmt;

use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::der::asn1::Any;
use x509_cert::der::{Encode, Tag, Tagged};
use x509_cert::name::Name;

use crate::terminal;

/// The attributes that notation writes by keyword; every other one is written by its object identifier.
const KEYWORDS: [(&str, &str); 9] = [
    ("2.5.4.3", "CN"),
    ("2.5.4.5", "SERIALNUMBER"),
    ("2.5.4.6", "C"),
    ("2.5.4.7", "L"),
    ("2.5.4.8", "ST"),
    ("2.5.4.9", "STREET"),
    ("2.5.4.10", "O"),
    ("2.5.4.11", "OU"),
    ("2.5.4.17", "POSTALCODE"),
];

/// The name of a certificate's subject or issuer. Two are equal when their encodings are.
#[derive(Clone, Debug)]
pub struct DistinguishedName {
    der: Vec<u8>,
    text: String,
    attributes: Result<BTreeMap<&'static str, String>, String>,
}

impl PartialEq for DistinguishedName {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for DistinguishedName {}

/// As RFC 4514 writes it, with notation's keywords.
impl fmt::Display for DistinguishedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// The keyword of an attribute as notation writes it; `S` is another word for `ST`.
pub(super) fn keyword(written: &str) -> Option<&'static str> {
    let written = if written == "S" { "ST" } else { written };
    KEYWORDS.iter().find(|(_, keyword)| *keyword == written).map(|(_, keyword)| *keyword)
}

impl DistinguishedName {
    pub(super) fn of(name: &Name, der: Vec<u8>) -> Self {
        let words: Vec<Vec<Attribute>> = name.0.iter().map(|rdn| rdn.0.iter().map(Attribute::of).collect()).collect();
        let rdn =
            |attributes: &Vec<Attribute>| attributes.iter().map(ToString::to_string).collect::<Vec<_>>().join("+");
        let text = words.iter().rev().map(rdn).collect::<Vec<_>>().join(",");
        // notation looks for `=#` in the whole text, wherever it stands.
        let comparable = attributes(&words).and_then(|all| {
            let plain = !text.contains("=#");
            plain.then_some(all).ok_or_else(|| "the characters =#, which can't be compared".to_owned())
        });
        Self { der, text, attributes: comparable }
    }

    /// Its encoding in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Why no trusted identity but `*` matches it, in words: an attribute that it has twice or beside another one, or
    /// one that notation can't compare.
    pub fn unmatchable(&self) -> Option<&str> {
        self.attributes.as_ref().err().map(String::as_str)
    }

    pub(super) fn attributes(&self) -> Option<&BTreeMap<&'static str, String>> {
        self.attributes.as_ref().ok()
    }
}

/// What can be compared: each keyword once, alone in its place, with a text.
fn attributes(rdns: &[Vec<Attribute>]) -> Result<BTreeMap<&'static str, String>, String> {
    let mut all = BTreeMap::new();
    for rdn in rdns {
        let [attribute] = rdn.as_slice() else {
            return Err("several attributes in one place".to_owned());
        };
        let (Some(keyword), Some(value)) = (attribute.keyword, &attribute.value) else {
            return Err(format!("the attribute {}, which can't be compared", attribute.oid));
        };
        if all.insert(keyword, value.clone()).is_some() {
            return Err(format!("a second {keyword}"));
        }
    }
    Ok(all)
}

struct Attribute {
    oid: String,
    keyword: Option<&'static str>,
    value: Option<String>,
    der: Vec<u8>,
}

impl Attribute {
    fn of(written: &AttributeTypeAndValue) -> Self {
        let oid = written.oid.to_string();
        let keyword = KEYWORDS.iter().find(|(known, _)| *known == oid).map(|(_, keyword)| *keyword);
        let der = written.value.to_der().unwrap_or_default();
        Self { oid, keyword, value: text(&written.value), der }
    }
}

/// As RFC 4514 writes it: by keyword with what is special escaped, else by object identifier and encoding.
impl fmt::Display for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(keyword), Some(value)) = (self.keyword, &self.value) else {
            write!(f, "{}=#", self.oid)?;
            return self.der.iter().try_for_each(|byte| write!(f, "{byte:02x}"));
        };
        write!(f, "{keyword}=")?;
        let last = value.chars().count().saturating_sub(1);
        for (at, c) in value.chars().enumerate() {
            match c {
                '"' | '+' | ',' | ';' | '<' | '>' | '\\' => write!(f, "\\{c}")?,
                ' ' if at == 0 || at == last => f.write_str("\\ ")?,
                '#' if at == 0 => f.write_str("\\#")?,
                // Anybody writes certificates, and refusals tell their names to others.
                c if terminal::steers(c) => {
                    c.encode_utf8(&mut [0; 4]).bytes().try_for_each(|byte| write!(f, "\\{byte:02x}"))?;
                }
                c => write!(f, "{c}")?,
            }
        }
        Ok(())
    }
}

fn text(value: &Any) -> Option<String> {
    let bytes = value.value();
    match value.tag() {
        Tag::Utf8String | Tag::PrintableString | Tag::Ia5String => String::from_utf8(bytes.to_vec()).ok(),
        Tag::TeletexString => Some(bytes.iter().copied().map(char::from).collect()),
        Tag::BmpString if bytes.len().is_multiple_of(2) => {
            let units = bytes.chunks_exact(2).filter_map(|pair| pair.try_into().ok()).map(u16::from_be_bytes);
            char::decode_utf16(units).collect::<Result<_, _>>().ok()
        }
        _ => None,
    }
}
