//! notation: the real client, and signatures pushed by plain HTTP.

use serde_json::json;

use super::{Answer, Descriptor, HOSTNAME, IMAGE, NOTATION, Person, Run, descriptor, digest_of, manifest};

/// The envelopes that notation writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// JSON.
    Jws,
    /// CBOR.
    Cose,
}

impl Format {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Jws, Self::Cose];

    const fn word(self) -> &'static str {
        match self {
            Self::Jws => "jws",
            Self::Cose => "cose",
        }
    }
}

/// What somebody signs with, as PEM.
#[derive(Clone, Debug)]
pub(crate) struct Certified {
    /// The private key.
    pub(crate) key: String,
    /// The certificates, from the leaf to the root.
    pub(crate) chain: String,
}

impl Person<'_> {
    /// `notation sign`.
    pub(crate) fn notation_sign(&self, format: Format, with: &Certified, reference: &str) -> Run {
        let [key, chain] = ["notation.key", "notation.pem"].map(|file| self.home().join(file));
        std::fs::write(&key, &with.key).unwrap();
        std::fs::write(&chain, &with.chain).unwrap();
        self.notation()
            .args(["sign", "--plain-http", "--signature-format", format.word()])
            .args(["--key".as_ref(), key.as_os_str(), "--certificate-chain".as_ref(), chain.as_os_str()])
            .args([format!("{HOSTNAME}/{reference}")])
    }

    /// `notation verify`, with the registry's own trust.
    pub(crate) fn notation_verify(&self, reference: &str) -> Run {
        self.notation_verify_at(HOSTNAME, reference)
    }

    /// `notation verify`, with the registry's own trust, of a reference to the registry under another of its names.
    pub(crate) fn notation_verify_at(&self, hostname: &str, reference: &str) -> Run {
        self.notation()
            .args(["verify", "--plain-http", "--trust"])
            .args([self.registry.file("trust")])
            .args([format!("{hostname}/{reference}")])
    }

    /// The client, for whom the registry is the way to every host.
    fn notation(&self) -> Run {
        let proxy = format!("http://{}", self.registry.address());
        self.run("notation").env("HTTP_PROXY", &proxy).env("http_proxy", &proxy).env("NO_PROXY", "").env("no_proxy", "")
    }

    /// Uploads a notation signature of `subject` by plain HTTP; the envelope must be taken, its manifest need not.
    #[track_caller]
    pub(crate) fn pushes_signature(
        &self,
        repository: &str,
        subject: &Descriptor,
        (media_type, envelope): (&str, &[u8]),
    ) -> Answer {
        self.pushes_blob(repository, NOTATION, b"{}");
        let layer = self.pushes_blob(repository, media_type, envelope);
        let signature = manifest(&descriptor(NOTATION, b"{}"), &[layer], &json!({ "subject": subject }));
        self.put_manifest(repository, &digest_of(&signature), IMAGE, &signature)
    }
}
