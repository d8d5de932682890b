//! What is refused at push, and what is kept and counts for nothing.

use serde_json::json;

use super::*;
use crate::verify::{Falsehood, check_evidence};

fn pushed(forge: &Forge) -> Result<Digest, Falsehood> {
    let envelope = forge.bytes();
    let manifest = signature_manifest(forge.format, &envelope, &forge.chain, &target());
    let manifest = Manifest::parse(&manifest, media_type::OCI_MANIFEST, 99).unwrap();
    check_evidence(Shape::NotationSignature, &manifest, &[envelope.into()], None)
}

#[track_caller]
fn assert_false(edit: impl Fn(Forge) -> Forge) {
    let (_, leaf) = chain_of_three();
    for format in Format::ALL {
        assert!(pushed(&edit(Forge::new(format, &leaf, &target()))).is_err(), "{format:?}");
    }
}

#[track_caller]
fn assert_kept(edit: impl Fn(Forge) -> Forge) {
    let (_, leaf) = chain_of_three();
    for format in Format::ALL {
        assert_eq!(pushed(&edit(Forge::new(format, &leaf, &target()))), Ok(Digest::sha256(IMAGE)), "{format:?}");
    }
}

#[test]
fn a_sound_envelope_is_kept() {
    assert_kept(|forge| forge);
}

#[test]
fn what_a_newer_version_may_read_is_kept() {
    assert_kept(|forge| forge.header("org.acme.new", json!(1), true));
    assert_kept(|forge| forge.with(|forge| forge.scheme = "notary.x509.v2".to_owned()));
    assert_kept(|forge| {
        let content_type = "application/vnd.cncf.notary.payload.v2+json".to_owned();
        forge.payload(&json!({})).with(|forge| forge.content_type = content_type)
    });
}

#[test]
fn what_does_not_verify_is_kept() {
    assert_kept(|forge| forge.with(|forge| forge.corrupted = true));
    assert_kept(|forge| forge.with(|forge| forge.chain.reverse()));
}

#[test]
fn a_payload_about_something_else_is_false() {
    for other in [
        Target::of(media_type::OCI_MANIFEST, b"another"),
        Target::of(media_type::OCI_INDEX, IMAGE),
        Target { size: 18, ..target() },
    ] {
        let Target { media_type, digest, size } = other;
        let payload = json!({ "targetArtifact": { "mediaType": media_type, "digest": digest, "size": size } });
        assert_false(|forge| forge.payload(&payload));
    }
}

#[test]
fn a_payload_that_is_none_of_notation_s_is_false() {
    assert_false(|forge| forge.with(|forge| forge.content_type = "application/vnd.in-toto+json".to_owned()));
    assert_false(|forge| forge.payload(&json!({ "key": "hello" })));
    assert_false(|forge| forge.with(|forge| forge.payload = b"no JSON".to_vec()));
    assert_false(|forge| forge.with(|forge| forge.payload.clear()));
    let digest = target().digest;
    let twice = format!(r#"{{"targetArtifact":{{"mediaType":"a","digest":"{digest}","digest":"b","size":17}}}}"#);
    assert_false(|forge| forge.with(|forge| forge.payload = twice.clone().into_bytes()));
}

#[test]
fn a_payload_that_is_too_large_is_false() {
    let Target { media_type, digest, size } = target();
    let payload = |length: usize| {
        let annotations = json!({ "a": "x".repeat(length) });
        let artifact = json!({ "mediaType": media_type, "digest": digest, "size": size, "annotations": annotations });
        json!({ "targetArtifact": artifact })
    };
    assert_kept(|forge| forge.payload(&payload(60_000)));
    assert_false(|forge| forge.payload(&payload(70_000)));
}

#[test]
fn an_envelope_that_does_not_parse_is_false() {
    assert_false(|forge| forge.with(|forge| forge.chain.clear()));
    assert_false(|forge| forge.lacking("alg"));
    assert_false(|forge| forge.with(|forge| forge.twice = Some("alg".to_owned())));
    let (_, leaf) = chain_of_three();
    let manifest = |format, bytes: &[u8]| signature_manifest(format, bytes, &leaf.chain, &target());
    for format in Format::ALL {
        let whole = Forge::new(format, &leaf, &target()).bytes();
        let longer = [whole.as_slice(), b"x"].concat();
        for bytes in [b"".as_slice(), b"invalid signature", &whole[..whole.len() - 1], &longer] {
            let manifest = Manifest::parse(&manifest(format, bytes), media_type::OCI_MANIFEST, 99).unwrap();
            let layers = [Bytes::copy_from_slice(bytes)];
            assert!(check_evidence(Shape::NotationSignature, &manifest, &layers, None).is_err(), "{format:?}");
        }
    }
}

/// Neither form is read as the other.
#[test]
fn an_envelope_of_the_other_form_is_false() {
    let (_, leaf) = chain_of_three();
    for (format, other) in [(Format::Jws, Format::Cose), (Format::Cose, Format::Jws)] {
        let bytes = Forge::new(format, &leaf, &target()).bytes();
        let manifest = signature_manifest(other, &bytes, &leaf.chain, &target());
        let manifest = Manifest::parse(&manifest, media_type::OCI_MANIFEST, 99).unwrap();
        assert!(check_evidence(Shape::NotationSignature, &manifest, &[bytes.into()], None).is_err());
    }
}

#[test]
fn deep_cbor_is_false_and_harms_nothing() {
    let (_, leaf) = chain_of_three();
    let deep = [vec![0xd2], vec![0x81; 100_000]].concat();
    let manifest = signature_manifest(Format::Cose, &deep, &leaf.chain, &target());
    let manifest = Manifest::parse(&manifest, media_type::OCI_MANIFEST, 99).unwrap();
    assert!(check_evidence(Shape::NotationSignature, &manifest, &[deep.into()], None).is_err());
}
