//! One table of signatures, good and bad: the gate, `hallmark explain` and `hallmark verify` judge each alike and in the
//! same words, and where notation's own rules decide, so does `notation verify`.

mod case;
mod weak;

use openssl::hash::MessageDigest;
use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};
use serde_json::json;

use crate::forge::{Authority, DAY, Format, Key as KeyKind, LeafSpec, SigningCertificate};
use crate::harness::{ACME, ALIAS, HOSTNAME, Key, Person, authority, leaf, now};
use case::Case;

/// A row is a name and a case: what is trusted, how the image is signed, what comes of it with words of the refusal,
/// and what notation says where it does not simply agree.
macro_rules! table {
    (forged { $($forged:ident => $case:expr;)* } signed_with_clients { $($signed:ident => $made:expr;)* }) => {
        $(
            fn $forged() -> Case {
                $case
            }

            mod $forged {
                #[test]
                fn the_gate_and_hallmark_verify_agree() {
                    super::$forged().is_judged_as_expected();
                }

                #[test]
                #[ignore = "needs the clients: run ./test"]
                fn notation_verify_agrees_as_far_as_it_should() {
                    super::$forged().is_judged_by_notation_as_expected();
                }
            }
        )*
        $(
            #[test]
            #[ignore = "needs the clients: run ./test"]
            fn $signed() {
                let case: Case = $made;
                case.is_judged_as_expected();
                case.is_judged_by_notation_as_expected();
            }
        )*
    };
}

table! {
    forged {
        // --- who signs
        nobody => Case::new().unmet(&["no signature was found"]);
        right_authority_in_jws => Case::new().signed(Format::Jws).met();
        right_authority_in_cose => Case::new().signed(Format::Cose).met();
        rsa_of_3072_bits => Case::new().leaf(|leaf| leaf.key(KeyKind::Rsa3072)).signed(Format::Cose).met();
        p521 => Case::new().leaf(|leaf| leaf.key(KeyKind::P521)).signed(Format::Jws).met();
        wrong_authority_of_the_same_names => Case::new()
            .with(authority().issue(&leaf(ACME)))
            .forged(&Format::ALL, |forge| forge)
            .unmet(&["none of its trust stores (ca:acme)"]);
        wrong_authority_beside_the_right_one => Case::new()
            .with(authority().issue(&leaf(ACME)))
            .signed(Format::Jws)
            .leaf(|leaf| leaf)
            .signed(Format::Cose)
            .met();
        signing_authority_whose_store_is_not_listed => Case::new()
            .forged(&Format::ALL, |forge| forge.by_authority(now() - 60))
            .unmet(&["no trust store of the kind signingAuthority"]);
        signing_authority_whose_store_is_listed => Case::new()
            .listing("signingAuthority:acme")
            .forged(&[Format::Cose], |forge| forge.by_authority(now() - 60))
            .met();
        signing_authority_that_vouches_for_the_time => Case::new()
            .listing("signingAuthority:acme")
            .leaf(|leaf| leaf.valid(now() - 30 * DAY, now() - DAY))
            .forged(&[Format::Jws], |forge| forge.by_authority(now() - 2 * DAY))
            .met();
        trusted_identity => Case::new()
            .statement("trustedIdentities", json!(["x509.subject: C=GB, ST=Kent, O=Acme"]))
            .signed(Format::Jws)
            .met();
        identity_of_another_distinguished_name => Case::new()
            .statement("trustedIdentities", json!(["x509.subject: C=GB, ST=Kent, O=Acme, CN=nightly"]))
            .forged(&Format::ALL, |forge| forge)
            .unmet(&["CN=release", "none of its trusted identities"]);

        // --- certificates
        certificate_for_email => Case::new()
            .leaf(|leaf| leaf.extended_key_usage(&[ExtendedKeyUsagePurpose::EmailProtection]))
            .forged(&Format::ALL, |forge| forge)
            .unmet(&["whose extended key usage includes e-mail"]);
        certificate_for_servers_too => Case::new()
            .leaf(|leaf| {
                leaf.extended_key_usage(&[ExtendedKeyUsagePurpose::CodeSigning, ExtendedKeyUsagePurpose::ServerAuth])
            })
            .signed(Format::Jws)
            .unmet(&["whose extended key usage includes TLS servers"]);
        certificate_without_extended_key_usage => Case::new()
            .leaf(|leaf| leaf.extended_key_usage(&[]))
            .signed(Format::Jws)
            .met();
        certificate_for_encipherment => Case::new()
            .leaf(|leaf| leaf.key_usage(&[KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment]))
            .signed(Format::Jws)
            .unmet(&["whose key usage includes keyEncipherment"]);
        certificate_that_has_expired => Case::new()
            .leaf(|leaf| leaf.valid(now() - 30 * DAY, now() - DAY))
            .forged(&Format::ALL, |forge| forge.with(|forge| forge.signing_time = Some(now() - 2 * DAY)))
            .unmet(&["which expired at"]);
        certificate_that_is_not_valid_yet => Case::new()
            .leaf(|leaf| leaf.valid(now() + DAY, now() + 30 * DAY))
            .forged(&Format::ALL, |forge| forge)
            .unmet(&["which is not valid before"]);
        leaf_of_its_issuers_name => {
            let case = Case::new();
            case.leaf(|_| leaf("C=GB, ST=Kent, O=Acme, CN=issuing")).signed(Format::Jws).met()
        };
        chain_out_of_order => Case::new().chain(&[0, 2, 1]).forged(&Format::ALL, |forge| forge).unmet(&["not issued by CN=root"]);
        chain_without_its_root => Case::new().chain(&[0, 1]).forged(&Format::ALL, |forge| forge).unmet(&["one that ends in CN=issuing"]);
        self_signed_leaf_in_the_store => Case::new()
            .with(SigningCertificate::self_signed(&leaf(ACME)))
            .storing(SigningCertificate::leaf_pem)
            .signed(Format::Jws)
            .met();
        self_signed_leaf_not_in_the_store => Case::new()
            .with(SigningCertificate::self_signed(&leaf(ACME)))
            .forged(&Format::ALL, |forge| forge)
            .unmet(&["chain that ends in CN=release", "none of its trust stores (ca:acme)"]);
        intermediate_that_is_no_ca => Case::new()
            .under(root().intermediate_as(&issuing().basic_constraints(IsCa::ExplicitNoCa)))
            .signed(Format::Jws)
            .unmet(&["CN=issuing", "not an authority"]);
        path_length_exceeded => {
            let root = LeafSpec::authority(ROOT).basic_constraints(IsCa::Ca(BasicConstraints::Constrained(0)));
            Case::new().under(Authority::root(&root).intermediate_as(&issuing())).signed(Format::Jws).unmet(&["CN=root", "whose path length is 0"])
        };
        certificate_signed_with_sha1 => weak(2048, MessageDigest::sha1()).unmet(&["certificates signed with SHA-2"]);
        rsa_of_1024_bits => weak(1024, MessageDigest::sha256()).unmet(&["a key of RSA of 1024 bits"]);

        // --- what is not judged yet
        timestamp_that_is_asked_for => Case::new()
            .listing("tsa:acme")
            .signed(Format::Jws)
            .unmet(&["timestamps are not judged yet", "afterCertExpiry"]);
        timestamp_that_is_asked_for_after_the_certificates_end => Case::new()
            .listing("tsa:acme")
            .statement(
                "signatureVerification",
                json!({ "level": "strict", "verifyTimestamp": "afterCertExpiry" }),
            )
            .signed(Format::Jws)
            .met();
        certificate_that_names_a_responder => Case::new()
            .leaf(with_responder)
            .signed(Format::Jws)
            .unmet(&["whose revocation can't be judged yet", "skip"]);
        certificate_that_names_a_responder_nobody_asks => Case::new()
            .leaf(with_responder)
            .statement("signatureVerification", json!({ "level": "strict", "override": { "revocation": "skip" } }))
            .signed(Format::Jws)
            .met();

        // --- envelopes
        unknown_critical_header => Case::new()
            .forged(&Format::ALL, |forge| forge.header("org.example.strange", json!("x"), true))
            .unmet(&["the unknown critical header", "org.example.strange"])
            .notation_accepts("its library leaves critical attributes to whoever calls it when no plugin is named");
        unknown_header => Case::new()
            .forged(&[Format::Cose], |forge| forge.header("org.example.strange", json!("x"), false))
            .met();
        algorithm_of_another_key => Case::new()
            .forged(&Format::ALL, |forge| forge.with(|forge| "ES384".clone_into(&mut forge.algorithm)))
            .unmet(&["a signature by ES256", "the algorithm ES384"]);
        signature_with_a_bit_flipped => Case::new()
            .forged(&Format::ALL, |forge| forge.with(|forge| forge.corrupted = true))
            .unmet(&["by another key or over other bytes"]);
        signature_of_another_key => {
            let stranger = authority().issue(&leaf(ACME)).key_pem;
            let edit = |forge: crate::forge::Forge| forge.with(|forge| forge.key_pem.clone_from(&stranger));
            Case::new().forged(&Format::ALL, edit).unmet(&["by another key or over other bytes"])
        };
        signature_that_has_expired => Case::new()
            .forged(&Format::ALL, |forge| {
                forge.with(|forge| forge.signing_time = Some(now() - 7200)).expiring(now() - 3600)
            })
            .unmet(&["a signature that expired at"]);
        signature_that_expires_later => Case::new()
            .forged(&[Format::Jws], |forge| forge.expiring(now() + DAY))
            .met();
        payload_for_another_media_type => Case::new()
            .describing("mediaType", json!("application/vnd.docker.distribution.manifest.v2+json"))
            .refused_at_push(&["docker.distribution.manifest.v2"]);
        payload_for_another_size => Case::new().describing("size", json!(1)).refused_at_push(&["bytes"]);
        payload_for_another_digest => Case::new()
            .describing("digest", json!(format!("sha256:{}", "0".repeat(64))))
            .refused_at_push(&["sha256:0000"]);
        payload_of_another_kind => Case::new()
            .forged(&Format::ALL, |forge| forge.with(|forge| "text/plain".clone_into(&mut forge.content_type)))
            .refused_at_push(&["text/plain"]);

        // --- trust policy
        scope_of_another_host => Case::new()
            .statement("registryScopes", json!(["registry.example.com/prod/app"]))
            .signed(Format::Jws)
            .unmet(&["a statement of notation's trust policy for registry.example.org/prod/app"]);
        scope_of_another_repository => Case::new()
            .statement("registryScopes", json!([format!("{HOSTNAME}/prod/other")]))
            .signed(Format::Jws)
            .unmet(&["a statement of notation's trust policy for registry.example.org/prod/app"]);
        scope_of_an_alias => Case::new()
            .set(|setup| setup.aliases = vec![ALIAS])
            .statement("registryScopes", json!([format!("{ALIAS}/prod/app")]))
            .signed(Format::Jws)
            .met()
            .notation_refuses("to it two names are two registries");
        scope_of_everything => Case::new().statement("registryScopes", json!(["*"])).signed(Format::Jws).met();
        permissive => Case::new()
            .statement("signatureVerification", json!({ "level": "permissive" }))
            .signed(Format::Jws)
            .unmet(&["acme-images", "does not enforce expiry"])
            .notation_accepts("what a statement only logs stops nobody");
        permissive_that_enforces_expiry => Case::new()
            .statement("signatureVerification", json!({ "level": "permissive", "override": { "expiry": "enforce" } }))
            .signed(Format::Jws)
            .met();
        audit => Case::new()
            .statement("signatureVerification", json!({ "level": "audit" }))
            .signed(Format::Jws)
            .unmet(&["acme-images", "does not enforce authenticity and expiry"])
            .notation_accepts("what a statement only logs stops nobody");
        skip => Case::new()
            .statement("signatureVerification", json!({ "level": "skip" }))
            .statement("trustStores", json!([]))
            .statement("trustedIdentities", json!([]))
            .signed(Format::Jws)
            .unmet(&["acme-images", "verifies nothing"])
            .notation_accepts("what a statement skips stops nobody");
        strict_that_only_logs_expiry => Case::new()
            .statement("signatureVerification", json!({ "level": "strict", "override": { "expiry": "log" } }))
            .signed(Format::Jws)
            .unmet(&["acme-images", "does not enforce expiry"])
            .notation_accepts("what a statement only logs stops nobody");

        // --- thresholds: `acme` and `nightly` are two names for the same authority
        one_certificate_twice => two_of_acme().forged(&Format::ALL, |forge| forge).unmet(&["2 of"])
            .notation_has_no_say();
        two_certificates_of_one_name => two_of_acme()
            .signed(Format::Jws)
            .leaf(|leaf| leaf)
            .signed(Format::Jws)
            .unmet(&["2 of"])
            .notation_has_no_say();
        two_certificates_of_two_names => two_of_acme()
            .signed(Format::Jws)
            .leaf(|_| leaf("C=GB, ST=Kent, O=Acme, CN=nightly"))
            .signed(Format::Cose)
            .met()
            .notation_has_no_say();

        // --- indexes
        index => Case::new().indexed().signed(Format::Jws).met();
        child_of_a_signed_index => Case::new()
            .indexed()
            .signed(Format::Jws)
            .asked_for_a_child()
            .met()
            .notation_refuses("it knows nothing of what an index reaches");
        index_of_a_signed_child => Case::new()
            .signed(Format::Jws)
            .indexed()
            .unmet(&["sign the index"]);
    }
    signed_with_clients {
        cosign_bundle => Case::of_cosign(RELEASE).by(bundle).met().notation_has_no_say();
        cosign_sig => Case::of_cosign(RELEASE).by(sig).met().notation_has_no_say();
        cosign_bundle_of_a_wrong_key => Case::of_cosign(RELEASE)
            .by(|signer, reference| drop(signer.cosign_sign(Key::Stranger, reference).succeeds()))
            .unmet(&["none of the keys in the trust store"])
            .notation_has_no_say();
        cosign_sig_of_a_wrong_key => Case::of_cosign(RELEASE)
            .by(|signer, reference| drop(signer.cosign2_sign(Key::Stranger, reference).succeeds()))
            .unmet(&["none of the keys in the trust store"])
            .notation_has_no_say();
        cosign_attestation_passed_off_as_a_signature => Case::of_cosign(RELEASE)
            .by(attestation)
            .unmet(&["an attestation of type"])
            .notation_has_no_say();
        cosign_key_of_another_repository => Case::of_cosign(RELEASE)
            .set(|setup| {
                let repositories = "release.pub\"\nrepositories = [\"other/**\"]";
                setup.signers = setup.signers.replace("release.pub\"", repositories);
            })
            .by(bundle)
            .by(sig)
            .unmet(&["whose repositories leave out prod/app"])
            .notation_has_no_say();
        one_cosign_key_twice_of_two => Case::of_cosign(BOTH).by(bundle).by(sig).unmet(&["2 of"])
            .notation_has_no_say();
        two_cosign_keys_of_two => Case::of_cosign(BOTH)
            .by(bundle)
            .by(|signer, reference| drop(signer.cosign2_sign(Key::Next, reference).succeeds()))
            .met()
            .notation_has_no_say();
        cosign_and_notation_of_two => cosign_and_acme().signed(Format::Jws).by(bundle).met();
        notation_alone_of_cosign_and_notation => cosign_and_acme()
            .forged(&Format::ALL, |forge| forge)
            .unmet(&["none counts as 1 more of: signed by release;"])
            .notation_accepts("it knows nothing of cosign");
        notation_under_any_of_cosign_and_notation => cosign_and_acme()
            .requires(&format!("any = {COSIGN_AND_ACME}"))
            .signed(Format::Cose)
            .met();
        notation_under_all_of_cosign_and_notation => cosign_and_acme()
            .requires(&format!("all = {COSIGN_AND_ACME}"))
            .signed(Format::Cose)
            .unmet(&["none counts as signed by release"])
            .notation_accepts("it knows nothing of cosign");
        both_under_all_of_cosign_and_notation => cosign_and_acme()
            .requires(&format!("all = {COSIGN_AND_ACME}"))
            .signed(Format::Jws)
            .by(sig)
            .met();
        cosign_alone_of_cosign_and_notation => cosign_and_acme().by(bundle).by(sig).unmet(&["2 of"]);
        index_signed_by_cosign => Case::of_cosign(RELEASE).indexed().by(bundle).asked_for_the_index().met()
            .notation_has_no_say();
    }
}

const ROOT: &str = "C=GB, ST=Kent, O=Acme, CN=root";
const RELEASE: &str = "any = [{ signed_by = \"release\" }]";
const COSIGN_AND_ACME: &str = "[{ signed_by = \"release\" }, { signed_by = \"acme\" }]";
const BOTH: &str = "threshold = 2\nof = [{ signed_by = \"release\" }, { signed_by = \"next\" }]";

fn root() -> Authority {
    Authority::new(ROOT)
}

fn issuing() -> LeafSpec {
    LeafSpec::authority("C=GB, ST=Kent, O=Acme, CN=issuing")
}

/// A leaf that names an OCSP responder at `http://127.0.0.1:1`, where nobody answers.
fn with_responder(leaf: LeafSpec) -> LeafSpec {
    const OCSP: [u8; 10] = [0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01];
    let access = [&[0x30, 0x20, 0x30, 0x1e][..], &OCSP, &[0x86, 0x12], b"http://127.0.0.1:1"].concat();
    leaf.extension(&[1, 3, 6, 1, 5, 5, 7, 1, 1], &access, false)
}

/// Signed with a weak certificate in both envelopes; its root is trusted.
fn weak(bits: u32, digest: MessageDigest) -> Case {
    let certificate = weak::certificate(bits, digest);
    Case::new().with(certificate).storing(weak::root_pem).forged(&Format::ALL, |forge| forge)
}

/// Two of two names for Acme.
fn two_of_acme() -> Case {
    let both = "threshold = 2\nof = [{ signed_by = \"acme\" }, { signed_by = \"nightly\" }]";
    Case::new().set(|setup| setup.signers.push_str("[nightly]\nnotation_policy = \"acme-images\"\n")).requires(both)
}

/// The cosign key and Acme.
fn cosign_and_acme() -> Case {
    let both = format!("threshold = 2\nof = {COSIGN_AND_ACME}");
    Case::new().set(|setup| *setup = setup.clone().with_release_key()).requires(&both)
}

fn bundle(signer: &Person<'_>, reference: &str) {
    signer.cosign_sign(Key::Release, reference).succeeds();
}

fn sig(signer: &Person<'_>, reference: &str) {
    signer.cosign2_sign(Key::Release, reference).succeeds();
}

fn attestation(signer: &Person<'_>, reference: &str) {
    signer.cosign_attest(Key::Release, reference).succeeds();
}
