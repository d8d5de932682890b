//! Signature envelopes in JWS and COSE, with everything open to being wrong.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use coset::cbor::value::Value as Cbor;
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::Padding;
use openssl::sign::{RsaPssSaltlen, Signer};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{SIGNED_AT, SigningCertificate};

/// The form of an envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    Jws,
    Cose,
}

impl Format {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Jws, Self::Cose];

    /// The media type of the layer.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Jws => "application/jose+json",
            Self::Cose => "application/cose",
        }
    }
}

/// The descriptor of what is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    pub media_type: String,
    /// With its algorithm: `sha256:…`.
    pub digest: String,
    pub size: u64,
}

impl Target {
    /// The descriptor of `bytes`.
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        let size = u64::try_from(bytes.len()).unwrap();
        Self { media_type: media_type.to_owned(), digest: format!("sha256:{}", hex(bytes)), size }
    }

    fn json(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest, "size": self.size })
    }
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |hex, byte| hex + format!("{byte:02x}").as_str())
}

/// What an envelope says; [`Forge::new`] makes a sound one.
#[derive(Clone, Debug)]
pub struct Forge {
    pub format: Format,
    /// The certificates, the leaf first.
    pub chain: Vec<Vec<u8>>,
    /// The key that signs, in PKCS #8.
    pub key_pem: String,
    pub payload: Vec<u8>,
    pub content_type: String,
    /// As JWS names it; the signature is made with the hash that it names. COSE takes numbers too.
    pub algorithm: String,
    pub critical: Vec<String>,
    pub scheme: String,
    /// Seconds since the epoch.
    pub signing_time: Option<i64>,
    /// Seconds since the epoch.
    pub authentic_signing_time: Option<i64>,
    /// Seconds since the epoch.
    pub expiry: Option<i64>,
    /// More protected headers; in COSE, a name that is a number becomes one.
    pub protected: Vec<(String, Value)>,
    /// More unprotected headers.
    pub unprotected: Vec<(String, Value)>,
    /// Protected headers that are left out.
    pub without: Vec<String>,
    /// A protected header that is written twice.
    pub twice: Option<String>,
    /// Whether a bit of the signature is flipped.
    pub corrupted: bool,
    /// Whether the JWS pads its base64.
    pub padded: bool,
    /// Whether the COSE carries its tag.
    pub tagged: bool,
    /// The tag of times in COSE.
    pub time_tag: Option<u64>,
    /// Edits the JSON of a JWS when all is done.
    pub edit: Option<fn(&mut Map<String, Value>)>,
}

const SCHEME: &str = "io.cncf.notary.signingScheme";
const SIGNING_TIME: &str = "io.cncf.notary.signingTime";
const AUTHENTIC: &str = "io.cncf.notary.authenticSigningTime";
const EXPIRY: &str = "io.cncf.notary.expiry";

impl Forge {
    /// A sound envelope about `target`.
    pub fn new(format: Format, certificate: &SigningCertificate, target: &Target) -> Self {
        Self {
            format,
            chain: certificate.chain.clone(),
            key_pem: certificate.key_pem.clone(),
            payload: json!({ "targetArtifact": target.json() }).to_string().into_bytes(),
            content_type: "application/vnd.cncf.notary.payload.v1+json".to_owned(),
            algorithm: certificate.algorithm.to_owned(),
            critical: vec![SCHEME.to_owned()],
            scheme: "notary.x509".to_owned(),
            signing_time: Some(SIGNED_AT),
            authentic_signing_time: None,
            expiry: None,
            protected: Vec::new(),
            unprotected: Vec::new(),
            without: Vec::new(),
            twice: None,
            corrupted: false,
            padded: false,
            tagged: true,
            time_tag: Some(1),
            edit: None,
        }
    }

    /// The same with an expiry, marked critical as it must be.
    #[must_use]
    pub fn expiring(mut self, expiry: i64) -> Self {
        self.expiry = Some(expiry);
        self.critical.push(EXPIRY.to_owned());
        self
    }

    /// The same by a signing authority that vouches for the time `at`.
    #[must_use]
    pub fn by_authority(mut self, at: i64) -> Self {
        "notary.x509.signingAuthority".clone_into(&mut self.scheme);
        self.signing_time = None;
        self.authentic_signing_time = Some(at);
        self.critical.push(AUTHENTIC.to_owned());
        self
    }

    /// The same about what this payload says.
    #[must_use]
    pub fn payload(mut self, payload: &Value) -> Self {
        self.payload = payload.to_string().into_bytes();
        self
    }

    /// The same with one more protected header.
    #[must_use]
    pub fn header(mut self, name: &str, value: Value, critical: bool) -> Self {
        self.protected.push((name.to_owned(), value));
        if critical {
            self.critical.push(name.to_owned());
        }
        self
    }

    /// The same without a protected header.
    #[must_use]
    pub fn lacking(mut self, name: &str) -> Self {
        self.without.push(name.to_owned());
        self
    }

    /// The same, edited.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    /// The bytes of the envelope.
    pub fn bytes(&self) -> Vec<u8> {
        self.parts().0
    }

    /// The bytes of the envelope, those under its signature, and the signature as the envelope holds it.
    pub fn parts(&self) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        match self.format {
            Format::Jws => self.jws(),
            Format::Cose => self.cose(),
        }
    }

    fn kept(&self, name: &str) -> bool {
        !self.without.iter().any(|left_out| left_out == name)
    }

    fn jws(&self) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let rfc3339 = |at: i64| json!(OffsetDateTime::from_unix_timestamp(at).unwrap().format(&Rfc3339).unwrap());
        let mut headers = vec![
            ("alg".to_owned(), json!(self.algorithm)),
            ("cty".to_owned(), json!(self.content_type)),
            ("crit".to_owned(), json!(self.critical)),
            (SCHEME.to_owned(), json!(self.scheme)),
        ];
        let times =
            [(SIGNING_TIME, self.signing_time), (AUTHENTIC, self.authentic_signing_time), (EXPIRY, self.expiry)];
        headers.extend(times.into_iter().filter_map(|(name, at)| Some((name.to_owned(), rfc3339(at?)))));
        headers.extend(self.protected.iter().cloned());
        headers.retain(|(name, _)| self.kept(name));
        let again: Vec<_> = headers.iter().filter(|(name, _)| Some(name) == self.twice.as_ref()).cloned().collect();
        headers.extend(again);
        let fields: Vec<_> = headers.iter().map(|(name, value)| format!("{}:{value}", json!(name))).collect();

        let encode = |bytes: &[u8]| if self.padded { URL_SAFE.encode(bytes) } else { URL_SAFE_NO_PAD.encode(bytes) };
        let protected = encode(format!("{{{}}}", fields.join(",")).as_bytes());
        let payload = encode(&self.payload);
        let signed = format!("{protected}.{payload}").into_bytes();
        let raw = self.sign(&signed);
        let signature = encode(&raw);
        let x5c: Vec<_> = self.chain.iter().map(|der| STANDARD.encode(der)).collect();
        let mut header = Map::from_iter([("x5c".to_owned(), json!(x5c))]);
        header.extend(self.unprotected.iter().cloned());
        let written = json!({ "payload": payload, "protected": protected, "header": header, "signature": signature });
        let Value::Object(mut written) = written else { unreachable!("an object") };
        if let Some(edit) = self.edit {
            edit(&mut written);
        }
        (Value::Object(written).to_string().into_bytes(), signed, raw)
    }

    fn cose(&self) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
        let time = |at: i64| match self.time_tag {
            Some(tag) => Cbor::Tag(tag, Box::new(Cbor::from(at))),
            None => Cbor::from(at),
        };
        let critical = self.critical.iter().map(|name| label(name)).collect();
        let mut headers = vec![
            ("alg", Cbor::from(cose_algorithm(&self.algorithm))),
            ("cty", Cbor::from(self.content_type.as_str())),
            ("crit", Cbor::Array(critical)),
            (SCHEME, Cbor::from(self.scheme.as_str())),
        ];
        let times =
            [(SIGNING_TIME, self.signing_time), (AUTHENTIC, self.authentic_signing_time), (EXPIRY, self.expiry)];
        headers.extend(times.into_iter().filter_map(|(name, at)| Some((name, time(at?)))));
        headers.extend(self.protected.iter().map(|(name, value)| (name.as_str(), cbor(value))));
        headers.retain(|(name, _)| self.kept(name));
        let again: Vec<_> = headers.iter().filter(|(name, _)| Some(*name) == self.twice.as_deref()).cloned().collect();
        headers.extend(again);
        let protected = headers.into_iter().map(|(name, value)| (label(name), value)).collect();
        let protected = encoded(&Cbor::Map(protected));

        let signed = Cbor::Array(vec![
            Cbor::from("Signature1"),
            Cbor::Bytes(protected.clone()),
            Cbor::Bytes(Vec::new()),
            Cbor::Bytes(self.payload.clone()),
        ]);
        let signed = encoded(&signed);
        let signature = self.sign(&signed);
        let chain = self.chain.iter().cloned().map(Cbor::Bytes).collect();
        let mut unprotected = vec![(Cbor::from(33), Cbor::Array(chain))];
        unprotected.extend(self.unprotected.iter().map(|(name, value)| (label(name), cbor(value))));
        let message = Cbor::Array(vec![
            Cbor::Bytes(protected),
            Cbor::Map(unprotected),
            Cbor::Bytes(self.payload.clone()),
            Cbor::Bytes(signature.clone()),
        ]);
        let message = if self.tagged { Cbor::Tag(18, Box::new(message)) } else { message };
        (encoded(&message), signed, signature)
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let key = PKey::private_key_from_pem(self.key_pem.as_bytes()).unwrap();
        let mut signature = sign_with(&key, &self.algorithm, message);
        if self.corrupted {
            *signature.last_mut().unwrap() ^= 1;
        }
        signature
    }
}

fn sign_with(key: &PKey<Private>, algorithm: &str, message: &[u8]) -> Vec<u8> {
    let digest = match algorithm.get(2..) {
        Some("384") => MessageDigest::sha384(),
        Some("512") => MessageDigest::sha512(),
        _ => MessageDigest::sha256(),
    };
    let mut signer = Signer::new(digest, key).unwrap();
    if key.id() == Id::RSA && algorithm.starts_with("PS") {
        signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
        signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH).unwrap();
        signer.set_rsa_mgf1_md(digest).unwrap();
    }
    let signature = signer.sign_oneshot_to_vec(message).unwrap();
    if key.id() != Id::EC {
        return signature;
    }
    let signature = EcdsaSig::from_der(&signature).unwrap();
    let size = i32::try_from(key.bits().div_ceil(8)).unwrap();
    [signature.r().to_vec_padded(size).unwrap(), signature.s().to_vec_padded(size).unwrap()].concat()
}

fn cose_algorithm(name: &str) -> i64 {
    match name {
        "ES256" => -7,
        "ES384" => -35,
        "ES512" => -36,
        "PS256" => -37,
        "PS384" => -38,
        "PS512" => -39,
        "RS256" => -257,
        "HS256" => 5,
        other => other.parse().expect("an algorithm"),
    }
}

/// What COSE calls the header that JWS calls `name`.
fn label(name: &str) -> Cbor {
    match name {
        "alg" => Cbor::from(1),
        "crit" => Cbor::from(2),
        "cty" => Cbor::from(3),
        other => other.parse::<i64>().map_or_else(|_| Cbor::from(other), Cbor::from),
    }
}

fn cbor(value: &Value) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(value) => Cbor::from(*value),
        Value::Number(number) => Cbor::from(number.as_i64().unwrap()),
        Value::String(text) => Cbor::from(text.as_str()),
        Value::Array(list) => Cbor::Array(list.iter().map(cbor).collect()),
        Value::Object(map) => Cbor::Map(map.iter().map(|(name, value)| (label(name), cbor(value))).collect()),
    }
}

fn encoded(value: &Cbor) -> Vec<u8> {
    let mut bytes = Vec::new();
    coset::cbor::ser::into_writer(value, &mut bytes).unwrap();
    bytes
}

/// The manifest that carries `envelope` as a signature of `subject`, as notation writes it.
pub fn signature_manifest(format: Format, envelope: &[u8], chain: &[Vec<u8>], subject: &Target) -> Vec<u8> {
    let thumbprints: Vec<_> = chain.iter().map(|der| hex(der)).collect();
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "artifactType": "application/vnd.cncf.notary.signature",
        "config": Target::of("application/vnd.oci.empty.v1+json", b"{}").json(),
        "layers": [Target::of(format.media_type(), envelope).json()],
        "subject": subject.json(),
        "annotations": {
            "io.cncf.notary.x509chain.thumbprint#S256": json!(thumbprints).to_string(),
            "org.opencontainers.image.created": "2026-01-01T00:00:00Z",
        },
    })
    .to_string()
    .into_bytes()
}
