//! notation's signatures, which name the media type of what they are about.

use serde_json::{Value, json};

use super::{House, POLICY, digest_of, files, load, reason, repository, tag, who};
use crate::forge::{Authority, Forge, Format, LeafSpec, SIGNED_AT, SigningCertificate, Target, signature_manifest};
use crate::metadata::Metadata as _;
use crate::oci::{Digest, Precondition, Reference, media_type};

/// A registry that trusts an authority, and someone whom it certified.
async fn house() -> (House, SigningCertificate) {
    let house = House::new().await;
    let root = Authority::new("C=US, ST=WA, O=acme, CN=root");
    let valid = LeafSpec::new("C=US, ST=WA, O=acme, CN=release").valid(SIGNED_AT, 4_000_000_000);
    let leaf = root.issue(&valid);
    let policy = json!({"version": "1.0", "trustPolicies": [{
        "name": "acme",
        "registryScopes": ["*"],
        "signatureVerification": {"level": "strict", "override": {"authenticTimestamp": "log"}},
        "trustStores": ["ca:acme"],
        "trustedIdentities": ["*"],
    }]});
    let mut files = files(&house.keys, &[], POLICY, "[signed-release]\nsigned_by = \"acme\"\n");
    files.insert("trust/signers.toml".to_owned(), b"[acme]\nnotation_policy = \"acme\"\n".to_vec());
    files.insert("trust/trustpolicy.json".to_owned(), policy.to_string().into_bytes());
    files.insert("trust/x509/ca/acme/root.pem".to_owned(), root.root_pem().into_bytes());
    house.registry.swap(load(files).await).await.unwrap();
    (house, leaf)
}

impl House {
    /// An image that does not say of which kind it is.
    async fn nameless(&self) -> Value {
        let config = self.upload("ci", b"{\"a\": \"config\"}").await.unwrap();
        json!({
            "schemaVersion": 2,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 15},
            "layers": []
        })
    }

    async fn sign_as(&self, leaf: &SigningCertificate, image: &Value, kind: &str) {
        let target = Target::of(kind, &serde_json::to_vec(image).unwrap());
        let forge = Forge::new(Format::Jws, leaf, &target);
        let envelope = forge.bytes();
        let manifest = signature_manifest(forge.format, &envelope, &forge.chain, &target);
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        self.upload("signer", b"{}").await.unwrap();
        self.upload("signer", &envelope).await.unwrap();
        let reference = Reference::Digest(digest_of(&manifest));
        self.put("signer", &reference, media_type::OCI_MANIFEST, &manifest).await.unwrap();
    }

    async fn met(&self, digest: Digest) -> usize {
        self.metadata.met(&repository(), &digest).await.unwrap().len()
    }
}

/// Else the image would count as one that met its requirement and lost it, and nothing older would be served.
#[tokio::test]
async fn a_signature_before_its_subject_makes_nothing_met() {
    let (house, leaf) = house().await;
    let image = house.nameless().await;
    house.sign_as(&leaf, &image, media_type::DOCKER_MANIFEST).await;
    assert_eq!(house.met(digest_of(&image)).await, 0);
    house.put("ci", &tag("v1"), media_type::OCI_MANIFEST, &image).await.unwrap();
    let why = reason(house.pull("deploy", &tag("v1")).await);
    assert!(!why.contains("no longer"), "{why}");
}

#[tokio::test]
async fn a_signature_that_waited_for_its_subject_counts_when_it_comes() {
    let (house, leaf) = house().await;
    let image = house.nameless().await;
    house.sign_as(&leaf, &image, media_type::OCI_MANIFEST).await;
    house.put("ci", &tag("v1"), media_type::OCI_MANIFEST, &image).await.unwrap();
    assert_eq!(house.met(digest_of(&image)).await, 1);
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), digest_of(&image));
}

#[tokio::test]
async fn what_is_pushed_again_as_something_else_is_judged_again() {
    let (house, leaf) = house().await;
    let image = house.nameless().await;
    house.put("ci", &tag("v1"), media_type::OCI_MANIFEST, &image).await.unwrap();
    house.sign_as(&leaf, &image, media_type::OCI_MANIFEST).await;
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), digest_of(&image));
    let delete = house.registry.allow_delete(&who("ci"), &repository()).unwrap();
    house.registry.delete_manifest(&delete, &digest_of(&image), &Precondition::default()).await.unwrap();
    house.put("ci", &tag("v1"), media_type::DOCKER_MANIFEST, &image).await.unwrap();
    assert!(!reason(house.pull("deploy", &tag("v1")).await).is_empty());
}
