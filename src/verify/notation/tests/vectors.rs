//! Other projects' vectors: each is named with what it must give, at the time that matters.
//!
//! What needs timestamps, revocation or keyless is named as waiting, with what is said of it until then.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use openssl::x509::X509;
use serde_json::json;

use super::super::chain::Chain;
use super::super::{cose, jws};
use super::*;
use crate::forge::DAY;
use crate::verify::vectors::{named, vectors};
use crate::verify::{Candidate, candidate, check_evidence};

const GO: &str = "notation-go/internal";
const MOCK: &str = "notation-go/internal/mock";
const TIMESTAMPS: &str = "notation-go/verifier/timestamp/sigEnv";

/// What an envelope must give.
enum Verdict {
    Counts,
    Nothing(&'static str),
}
use Verdict::{Counts, Nothing};

/// Where its chain ends, and what the statement asks.
#[derive(Clone, Copy)]
enum Under {
    /// A `ca` store that holds the last certificate of its own chain.
    Own,
    /// A `ca` or `signingAuthority` store of notation's test root.
    TestRoot(&'static str),
    /// As `Own`, with a store for timestamps, which are always verified.
    Timestamps,
}
use Under::{Own, TestRoot, Timestamps};

/// 2022-07-29T12:00:00Z.
const JULY_2022: i64 = 1_659_096_000;
/// 2023-01-11T18:02:54Z.
const JANUARY_2023: i64 = 1_673_460_174;
/// 2024-06-18T07:25:00Z.
const JUNE_2024: i64 = 1_718_695_500;

const WAITING: &str = "a signature that needs a timestamp: timestamps are not judged yet";

/// Envelope, trust, time, verdict. Every envelope is judged at least once.
fn envelopes() -> Vec<(String, Under, i64, Verdict)> {
    let rows = [
        (GO, "jws_signature.sig", Own, SIGNED_AT, Counts),
        (GO, "cose_signature.sig", Own, SIGNED_AT, Counts),
        (
            MOCK,
            "sa_expired_sig_env.json",
            TestRoot("signingAuthority"),
            SIGNED_AT,
            Nothing("that expired at 2022-07-29"),
        ),
        (MOCK, "sa_expired_sig_env.json", TestRoot("signingAuthority"), JULY_2022, Counts),
        (MOCK, "sa_valid_sig_env.json", TestRoot("signingAuthority"), SIGNED_AT, Counts),
        (
            MOCK,
            "sa_valid_sig_env.json",
            TestRoot("ca"),
            SIGNED_AT,
            Nothing("no trust store of the kind signingAuthority"),
        ),
        (MOCK, "sig_env_with_metadata.json", Own, SIGNED_AT, Nothing("which expired at 2023-01-12")),
        (MOCK, "sig_env_with_metadata.json", Own, JANUARY_2023, Counts),
        (TIMESTAMPS, "withoutTimestamp.sig", Own, SIGNED_AT, Counts),
        (TIMESTAMPS, "timestampBeforeNotBefore.sig", Own, SIGNED_AT, Nothing("which is not valid before 2099-09-18")),
        (TIMESTAMPS, "jwsExpiredWithTimestamp.sig", Own, SIGNED_AT, Nothing("which expired at 2024-06-18")),
        (TIMESTAMPS, "coseExpiredWithTimestamp.sig", Own, SIGNED_AT, Nothing("which expired at 2024-06-18")),
        (TIMESTAMPS, "jwsExpiredWithTimestamp.sig", Own, JUNE_2024, Counts),
        (TIMESTAMPS, "coseExpiredWithTimestamp.sig", Own, JUNE_2024, Counts),
        // Waiting for timestamps: the first two are to count, the others are not.
        (TIMESTAMPS, "jwsExpiredWithTimestamp.sig", Timestamps, SIGNED_AT, Nothing(WAITING)),
        (TIMESTAMPS, "coseExpiredWithTimestamp.sig", Timestamps, SIGNED_AT, Nothing(WAITING)),
        (TIMESTAMPS, "timestampBeforeNotBefore.sig", Timestamps, SIGNED_AT, Nothing(WAITING)),
        (TIMESTAMPS, "withoutTimestamp.sig", Timestamps, SIGNED_AT, Nothing(WAITING)),
    ];
    rows.into_iter()
        .map(|(folder, name, under, at, verdict)| (format!("{folder}/{name}"), under, at, verdict))
        .collect()
}

fn pem_of(der: &[u8]) -> String {
    String::from_utf8(X509::from_der(der).unwrap().to_pem().unwrap()).unwrap()
}

fn format_of(bytes: &[u8]) -> Format {
    if bytes.starts_with(b"{") { Format::Jws } else { Format::Cose }
}

/// A trust store for one envelope; anyone whose chain ends in it is trusted.
fn trust_for(folder: &Path, envelope: &[u8], under: Under) -> Trust {
    let parsed_envelope = match format_of(envelope) {
        Format::Jws => jws::parse(envelope),
        Format::Cose => cose::parse(envelope),
    };
    let own = pem_of(parsed_envelope.unwrap().chain.last().unwrap());
    let mut statement = statement();
    statement["trustedIdentities"] = json!(["*"]);
    let (store, pem) = match under {
        Own | Timestamps => ("ca", own),
        TestRoot(store) => {
            let root = folder.join("notation-go/verifier/truststore/x509/ca/valid-trust-store/NotationTestRoot.pem");
            (store, std::fs::read_to_string(root).unwrap())
        }
    };
    let times = Authority::new("O=times, CN=root").root_pem();
    let mut listed = vec![format!("{store}:acme")];
    if matches!(under, Timestamps) {
        listed.push("tsa:times".to_owned());
    }
    statement["trustStores"] = json!(listed);
    let store = format!("{store}/acme");
    parsed(&files(SIGNERS, &statement, &[(&store, &pem), ("tsa/times", &times)]))
}

#[track_caller]
fn assert_verdict(name: &str, outcome: &Outcome, verdict: &Verdict) {
    match verdict {
        Counts => assert_eq!(signers(outcome), ["acme"], "{name}"),
        Nothing(words) => assert!(found(outcome).contains(words), "{name}: expected {words:?} in {outcome:?}"),
    }
}

/// What the envelope says it signs.
fn target_of(envelope: &[u8]) -> Target {
    let payload = match format_of(envelope) {
        Format::Jws => jws::parse(envelope),
        Format::Cose => cose::parse(envelope),
    };
    let payload: Value = serde_json::from_slice(&payload.unwrap().payload).unwrap();
    let text = |field: &str| payload["targetArtifact"][field].as_str().unwrap().to_owned();
    Target {
        media_type: text("mediaType"),
        digest: text("digest"),
        size: payload["targetArtifact"]["size"].as_u64().unwrap(),
    }
}

#[test]
fn every_envelope_gives_what_it_must() {
    let Some(folder) = vectors() else { return };
    let table = envelopes();
    for (name, under, at, verdict) in &table {
        let envelope = std::fs::read(folder.join(name)).unwrap();
        let manifest = signature_manifest(format_of(&envelope), &envelope, &[], &target_of(&envelope));
        let parsed = Manifest::parse(&manifest, media_type::OCI_MANIFEST, 99).unwrap();
        let layers = [Bytes::from(envelope.clone())];
        check_evidence(Shape::NotationSignature, &parsed, &layers, None).unwrap();
        let trust = trust_for(&folder, &envelope, *under);
        assert_verdict(name, &judge_stored("prod/app", &manifest, &envelope, None, &trust, seconds(*at)), verdict);
    }
    let mut listed: BTreeSet<_> = table.into_iter().map(|(name, ..)| name).collect();
    listed.insert(TAMPERED.to_owned());
    let all = named(&folder, &["notation-jws", "notation-cose"]);
    assert_eq!(listed, all, "an envelope that no row names, or a row that names none");
}

/// Its payload is padded, which is all that is wrong with it: base64url without padding is what was signed.
const TAMPERED: &str = "notation-go/internal/mock/ca_invalid_sig_env.json";

#[test]
fn the_tampered_envelope_is_false() {
    let Some(folder) = vectors() else { return };
    let bytes = std::fs::read(folder.join(TAMPERED)).unwrap();
    assert!(jws::parse(&bytes).is_err_and(|falsehood| falsehood.expected.contains("without padding")));
    let mut written: Value = serde_json::from_slice(&bytes).unwrap();
    written["payload"] = json!(written["payload"].as_str().unwrap().trim_end_matches('='));
    let envelope = written.to_string().into_bytes();
    let manifest = signature_manifest(Format::Jws, &envelope, &[], &target_of(&envelope));
    let trust = trust_for(&folder, &envelope, TestRoot("ca"));
    let outcome = judge_stored("prod/app", &manifest, &envelope, None, &trust, seconds(SIGNED_AT));
    assert_eq!(signers(&outcome), ["acme"]);
}

/// The project's own test adds the certificates of the day, so the file has none; it lists a header as critical that
/// nobody knows, so it parses and counts for nothing.
#[test]
fn the_conformance_envelope_parses_once_it_has_certificates() {
    let Some(folder) = vectors() else { return };
    let name = "notation-core-go/signature/jws/conformance.json";
    assert_eq!(named(&folder, &["notation-conformance"]), BTreeSet::from([name.to_owned()]));
    let bytes = std::fs::read(folder.join(name)).unwrap();
    assert!(jws::parse(&bytes).is_err_and(|falsehood| falsehood.found.contains("x5c")));
    let mut written: Value = serde_json::from_slice(&bytes).unwrap();
    written["header"]["x5c"] = json!(["AA=="]);
    let envelope = jws::parse(written.to_string().as_bytes()).unwrap();
    assert_eq!(envelope.payload, br#"{"key":"hello JWS"}"#);
    assert_eq!(envelope.headers.expiry.unwrap().to_string(), "2099-08-30T13:50:00Z");
    assert_eq!(envelope.headers.signing_time.unwrap().to_string(), "2022-08-29T13:50:00Z");
    assert_eq!(envelope.headers.others.len(), 5);
    let refused = envelope.headers.scheme().unwrap_err();
    assert_eq!(refused.found, "the unknown critical header \"signedCritKey1\"");
}

struct Layout {
    folder: PathBuf,
    signature: Vec<u8>,
}

impl Layout {
    fn read(folder: PathBuf) -> Self {
        let index: Value = serde_json::from_slice(&std::fs::read(folder.join("index.json")).unwrap()).unwrap();
        let digests = index["manifests"].as_array().unwrap().iter().map(|entry| entry["digest"].as_str().unwrap());
        let blobs = digests.map(|digest| Self::blob_in(&folder, digest));
        let is_signature = |bytes: &Vec<u8>| {
            let manifest: Value = serde_json::from_slice(bytes).unwrap();
            manifest["config"]["mediaType"] == media_type::NOTATION
        };
        let signatures: Vec<_> = blobs.filter(is_signature).collect();
        let [signature] = <[Vec<u8>; 1]>::try_from(signatures).unwrap();
        Self { folder, signature }
    }

    fn blob_in(folder: &Path, digest: &str) -> Vec<u8> {
        std::fs::read(folder.join("blobs/sha256").join(digest.strip_prefix("sha256:").unwrap())).unwrap()
    }

    fn manifest(&self) -> Manifest {
        Manifest::parse(&self.signature, media_type::OCI_MANIFEST, 99).unwrap()
    }

    fn envelope(&self) -> Vec<u8> {
        Self::blob_in(&self.folder, &self.manifest().layers[0].digest.to_string())
    }

    fn judge(&self, trust: &Trust, at: i64) -> Outcome {
        let subject = Self::blob_in(&self.folder, &self.manifest().subject.unwrap().digest.to_string());
        let subject = Some((subject.as_slice(), media_type::OCI_MANIFEST));
        judge_stored("prod/app", &self.signature, &self.envelope(), subject, trust, seconds(at))
    }
}

const LAYOUTS: &str = "notation/registry/oci_layout";

#[test]
fn every_layout_gives_what_it_must() {
    let Some(folder) = vectors() else { return };
    let rows = [
        ("e2e-valid-signature", Own, SIGNED_AT, Counts),
        ("e2e-with-expired-cert", Own, SIGNED_AT, Nothing("which expired at 2023-06-27")),
        ("e2e-with-invalid-timestamped-signature", Own, SIGNED_AT, Nothing("which expired at 2025-01-22")),
        // Waiting for timestamps; it is not to count then either.
        ("e2e-with-invalid-timestamped-signature", Timestamps, SIGNED_AT, Nothing(WAITING)),
    ];
    for (name, under, at, verdict) in &rows {
        let layout = Layout::read(folder.join(LAYOUTS).join(name));
        let evidence = candidate(&layout.manifest(), None, &[]);
        assert_eq!(evidence, Candidate::Evidence(Shape::NotationSignature), "{name}");
        let trust = trust_for(&folder, &layout.envelope(), *under);
        assert_verdict(name, &layout.judge(&trust, *at), verdict);
    }
    let layouts = rows.iter().map(|(name, ..)| *name).chain(["e2e-invalid-signature"]);
    let listed: BTreeSet<_> = layouts.map(str::to_owned).collect();
    let layout_of = |path: &String| path.split('/').nth(3).unwrap().to_owned();
    let all: BTreeSet<_> = named(&folder, &["notation-oci-layout"]).iter().map(layout_of).collect();
    assert_eq!(listed, all, "a layout that no row names, or a row that names none");
}

/// Its one layer is a tar archive of a text file: that is no evidence at all, and no envelope either.
#[test]
fn the_layout_of_an_invalid_signature_holds_no_evidence() {
    let Some(folder) = vectors() else { return };
    let layout = Layout::read(folder.join(LAYOUTS).join("e2e-invalid-signature"));
    let (manifest, layers) = (layout.manifest(), [Bytes::from(layout.envelope())]);
    assert_eq!(candidate(&manifest, None, &[]), Candidate::Object);
    assert!(check_evidence(Shape::NotationSignature, &manifest, &layers, None).is_err());
    assert_found(&layout.judge(&trust(&Authority::new(ROOT)), SIGNED_AT), "application/vnd.oci.image.layer.v1.tar");
    for media_type in [Format::Jws.media_type(), Format::Cose.media_type()] {
        let mut manifest = manifest.clone();
        manifest.layers[0].media_type = media_type.to_owned();
        assert!(check_evidence(Shape::NotationSignature, &manifest, &layers, None).is_err());
    }
}

fn certificate(folder: &Path, name: &str) -> Vec<u8> {
    X509::from_pem(&std::fs::read(folder.join(name)).unwrap()).unwrap().to_der().unwrap()
}

/// Certificates that another profile refuses: key usage is not critical in any of them, so this one refuses them too,
/// wherever in the chain they stand.
#[test]
fn every_certificate_that_breaks_the_profile_is_refused_wherever_it_stands() {
    let Some(folder) = vectors() else { return };
    let rows = ["intermediate-with-eku", "intermediate", "leaf-invalid-eku", "leaf", "root-invalid-ku", "root"];
    let rows: BTreeSet<_> = rows.iter().map(|name| format!("sigstore-python/x509/bogus-{name}.pem")).collect();
    let (_, leaf) = chain_of_three();
    for name in &rows {
        let der = certificate(&folder, name);
        let as_leaf = Chain::read(std::slice::from_ref(&der), &[]).unwrap().check().unwrap_err();
        let authority = name.contains("root") || name.contains("intermediate");
        let words = if authority { "certificate authority" } else { "absent or not critical" };
        assert!(as_leaf.found.contains(words), "{name}: {as_leaf}");
        let above = Chain::read(&[leaf.chain[0].clone(), der], &[]).unwrap().check().unwrap_err();
        let words = if authority { "absent or not critical" } else { "not an authority" };
        assert!(above.found.contains(words), "{name}: {above}");
    }
    assert_eq!(rows, named(&folder, &["x509-profile"]));
}

/// Waiting for keyless: certificates of minutes, by an authority that is not with them.
#[test]
fn every_keyless_certificate_is_no_chain_by_itself() {
    let Some(folder) = vectors() else { return };
    let rows = ["a", "b", "bad", "bundle", "bundle_no_checkpoint", "c", "offline-rekor"];
    let rows: BTreeSet<_> = rows.iter().map(|name| format!("sigstore-python/{name}.txt.crt")).collect();
    for name in &rows {
        let pem = std::fs::read(folder.join(name)).unwrap();
        let Ok(read) = X509::from_pem(&pem) else {
            assert_eq!(name, "sigstore-python/bundle_no_checkpoint.txt.crt");
            continue;
        };
        assert!(Chain::read(&[read.to_der().unwrap()], &[]).unwrap().check().is_err(), "{name}");
    }
    assert_eq!(rows, named(&folder, &["x509"]));
}

#[test]
fn a_vector_that_is_older_than_its_certificate_s_end_by_a_day_counts() {
    let Some(folder) = vectors() else { return };
    let layout = Layout::read(folder.join(LAYOUTS).join("e2e-with-expired-cert"));
    let trust = trust_for(&folder, &layout.envelope(), Own);
    // 2023-06-27T06:10:00Z.
    let end = 1_687_846_200;
    assert_eq!(signers(&layout.judge(&trust, end)), ["acme"]);
    assert_found(&layout.judge(&trust, end + 1), "which expired at");
    assert_found(&layout.judge(&trust, end - DAY - 1), "which is not valid before");
}
