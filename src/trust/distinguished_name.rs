//! Distinguished names: as certificates hold them, and as `x509.subject:` writes which ones are trusted.

use std::collections::BTreeMap;
use std::fmt;

use x509_cert::name::Name;

/// The attributes that notation writes by keyword; every other one is written by its object identifier.
pub(super) const KEYWORDS: [(&str, &str); 9] = [
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

impl DistinguishedName {
    pub(super) fn of(_name: &Name, der: Vec<u8>) -> Self {
        Self { der, text: String::new(), attributes: Ok(BTreeMap::new()) }
    }

    /// Its encoding in DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// Why no pattern but `*` matches it, in words: an attribute that it has twice, or one that notation can't compare.
    pub fn unmatchable(&self) -> Option<&str> {
        self.attributes.as_ref().err().map(String::as_str)
    }
}
