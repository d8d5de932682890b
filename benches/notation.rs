//! The cold verification of a notation envelope beside the checks that the crypto library makes on the same input.
//!
//! `cargo bench --bench notation`. A chain of three; the library parses three certificates, verifies two pairs and the
//! root's own signature, and verifies the envelope's signature. Hallmark does all that and the rest: base64, JSON or
//! CBOR, headers, profile, trust store, identities. Its trust store is read once, as at load, and nothing of the
//! envelope is remembered. Processor time of one thread, in turn, the median of the rounds.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for people at a terminal")]

#[path = "../tests/forge/mod.rs"]
#[expect(
    dead_code,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    unreachable_pub,
    reason = "a forge for tests, of which this uses a part"
)]
mod forge;

use std::error::Error;
use std::hint::black_box;
use std::process::ExitCode;

use bytes::Bytes;
use openssl::bn::BigNum;
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::rsa::Padding;
use openssl::sign::{RsaPssSaltlen, Verifier as LibraryVerifier};
use openssl::x509::X509;

use forge::{Authority, Forge, Format, Key, LeafSpec, SIGNED_AT, Target, signature_manifest};
use hallmark::clock::Timestamp;
use hallmark::files::Files;
use hallmark::gate::{Outcome, Shape};
use hallmark::oci::{Digest, Manifest, RepositoryName, media_type};
use hallmark::trust::Trust;
use hallmark::verify::{Evidence, SignatureVerifier, Verifier as _};

const ROUNDS: usize = 15;
/// How many verifications a round makes: the kernel counts processor time in steps of some milliseconds.
const TIMES: u32 = 500;
/// What the rest may cost beside the crypto library's own checks.
const TARGET: f64 = 1.2;
/// Beside a key: whether the leaf's key is a signer of cosign's is asked too.
const SIGNERS: &str = "[acme]\nnotation_policy = \"acme-images\"\n[release]\ncosign_key = \"cosign/release.pub\"\n";
const IMAGE: &[u8] = b"an image manifest";

fn main() -> ExitCode {
    if std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        println!("a benchmark, no test: cargo bench --bench notation");
        return ExitCode::SUCCESS;
    }
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("notation: {error}");
            ExitCode::from(2)
        }
    }
}

fn measure() -> Result<(), Box<dyn Error>> {
    println!(
        "Cold verification of a notation envelope, a chain of three: processor time, median of {ROUNDS} rounds of {TIMES}"
    );
    println!("{:<6} {:<8} {:>12} {:>12} {:>7}", "form", "keys", "library", "hallmark", "ratio");
    let mut met = true;
    for format in Format::ALL {
        for key in [Key::P256, Key::Rsa2048] {
            let input = Input::forge(format, key)?;
            let (mut library, mut hallmark) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                library.push(timed(|| input.by_library())?);
                hallmark.push(timed(|| input.by_hallmark())?);
            }
            let (library, hallmark) = (median(library), median(hallmark));
            let ratio = hallmark / library;
            met &= ratio <= TARGET;
            let (form, keys) = (format!("{format:?}"), format!("{key:?}"));
            println!("{form:<6} {keys:<8} {library:>9.1} µs {hallmark:>9.1} µs {ratio:>7.2}");
        }
    }
    println!("target: at most {TARGET:.2}: {}", if met { "met" } else { "missed" });
    Ok(())
}

struct Input {
    key: Key,
    chain: Vec<Vec<u8>>,
    /// The bytes under the signature, and the signature as the library takes it.
    signed: Vec<u8>,
    signature: Vec<u8>,
    manifest: Manifest,
    layers: [Bytes; 1],
    trust: Trust,
    repository: RepositoryName,
}

impl Input {
    fn forge(format: Format, key: Key) -> Result<Self, Box<dyn Error>> {
        let authority = |name: &str| LeafSpec::authority(&format!("C=US, ST=WA, O=acme, CN={name}")).key(key);
        let root = Authority::root(&authority("root"));
        let leaf =
            root.intermediate_as(&authority("intermediate")).issue(&LeafSpec::new("C=US, ST=WA, O=acme").key(key));
        let target = Target::of(media_type::OCI_MANIFEST, IMAGE);
        let forged = Forge::new(format, &leaf, &target);
        let (envelope, signed, raw) = forged.parts();
        let manifest = signature_manifest(format, &envelope, &leaf.chain, &target);
        let signature = match key {
            Key::P256 => {
                let (r, s) = raw.split_at(raw.len() / 2);
                EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?.to_der()?
            }
            _ => raw,
        };
        Ok(Self {
            key,
            chain: leaf.chain,
            signed,
            signature,
            manifest: Manifest::parse(&manifest, media_type::OCI_MANIFEST, 10)?,
            layers: [envelope.into()],
            trust: trust(&root.root_pem())?,
            repository: "prod/app".parse()?,
        })
    }

    fn by_library(&self) -> Result<bool, Box<dyn Error>> {
        let chain = self.chain.iter().map(|der| X509::from_der(der)).collect::<Result<Vec<_>, _>>()?;
        let [leaf, intermediate, root] = chain.as_slice() else { return Ok(false) };
        let (intermediate_key, root_key) = (intermediate.public_key()?, root.public_key()?);
        let chained = leaf.verify(&intermediate_key)? && intermediate.verify(&root_key)? && root.verify(&root_key)?;
        let key = leaf.public_key()?;
        let mut verifier = LibraryVerifier::new(MessageDigest::sha256(), &key)?;
        if self.key == Key::Rsa2048 {
            verifier.set_rsa_padding(Padding::PKCS1_PSS)?;
            verifier.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
        }
        Ok(chained && verifier.verify_oneshot(&self.signature, &self.signed)?)
    }

    fn by_hallmark(&self) -> Result<bool, Box<dyn Error>> {
        let subject = self.manifest.subject.as_ref().ok_or("no subject")?;
        let evidence = Evidence {
            digest: Digest::sha256(b"evidence"),
            shape: Shape::NotationSignature,
            manifest: &self.manifest,
            layers: &self.layers,
            subject: subject.digest,
            subject_bytes: None,
            subject_media_type: None,
            repository: &self.repository,
        };
        let at = Timestamp::from_micros(SIGNED_AT.saturating_mul(1_000_000));
        let findings = SignatureVerifier.verify(&evidence, &self.trust, at);
        Ok(matches!(findings.as_slice(), [one] if matches!(one.outcome, Outcome::Verified { .. })))
    }
}

fn trust(root_pem: &str) -> Result<Trust, Box<dyn Error>> {
    let policy = r#"{"version":"1.0","trustPolicies":[{"name":"acme-images","registryScopes":["*"],
        "signatureVerification":{"level":"strict"},"trustStores":["ca:acme"],
        "trustedIdentities":["x509.subject: C=US, ST=WA, O=acme"]}]}"#;
    let files = Files::from([
        (Trust::FILE.to_owned(), SIGNERS.as_bytes().to_vec()),
        ("trust/cosign/release.pub".to_owned(), Key::P256.generate().public_key_to_pem()?),
        ("trust/trustpolicy.json".to_owned(), policy.as_bytes().to_vec()),
        ("trust/x509/ca/acme/root.pem".to_owned(), root_pem.as_bytes().to_vec()),
    ]);
    Trust::parse(&files, &["registry.example.org".to_owned()]).map_err(|mistakes| format!("{mistakes:?}").into())
}

/// Microseconds of processor time for one call; an error unless every call verified.
fn timed(check: impl Fn() -> Result<bool, Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let before = processor()?;
    for _ in 0..TIMES {
        if !black_box(check()?) {
            return Err("expected a signature that verifies, found one that does not".into());
        }
    }
    Ok((processor()? - before) / 1000.0 / f64::from(TIMES))
}

/// Nanoseconds that this thread has run.
fn processor() -> Result<f64, Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(text.split_whitespace().next().ok_or("an empty schedstat")?.parse()?)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
