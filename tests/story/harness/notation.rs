//! notation: the real client, and forged signatures pushed by plain HTTP.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::forge::{Authority, DAY, Forge, Format, LeafSpec, SigningCertificate, Target, signature_manifest};

use super::{Answer, EMPTY, HOSTNAME, IMAGE, Person, Ran, Run, digest_of};

/// The distinguished name of who signs for Acme.
pub(crate) const ACME: &str = "C=GB, ST=Kent, O=Acme, CN=release";

/// Now, in seconds since the epoch.
pub(crate) fn now() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(now.as_secs()).unwrap()
}

/// Acme's authority: what issues, below a root.
pub(crate) fn authority() -> Authority {
    Authority::new("C=GB, ST=Kent, O=Acme, CN=root").intermediate("C=GB, ST=Kent, O=Acme, CN=issuing")
}

/// A certificate for code signing that is valid now.
pub(crate) fn leaf(subject: &str) -> LeafSpec {
    LeafSpec::new(subject).valid(now() - DAY, now() + 30 * DAY)
}

/// A sound envelope, made now.
pub(crate) fn sound(format: Format, certificate: &SigningCertificate, target: &Target) -> Forge {
    Forge::new(format, certificate, target).with(|forge| forge.signing_time = Some(now() - 60))
}

impl Person<'_> {
    /// `notation sign`, with more `flags`.
    pub(crate) fn notation_sign(
        &self,
        format: Format,
        with: &SigningCertificate,
        flags: &[&str],
        reference: &str,
    ) -> Run {
        let format = match format {
            Format::Jws => "jws",
            Format::Cose => "cose",
        };
        let [key, chain] = ["notation.key", "notation.pem"].map(|file| self.home().join(file));
        std::fs::write(&key, &with.key_pem).unwrap();
        std::fs::write(&chain, with.chain_pem()).unwrap();
        self.notation("sign")
            .args(["--signature-format", format])
            .args(["--key".as_ref(), key.as_os_str(), "--certificate-chain".as_ref(), chain.as_os_str()])
            .args(flags)
            .args([format!("{HOSTNAME}/{reference}")])
    }

    /// `notation verify`, with the registry's own trust.
    pub(crate) fn notation_verify(&self, reference: &str) -> Run {
        self.notation_verify_at(HOSTNAME, reference)
    }

    /// `notation verify` of a reference to the registry by another of its names.
    pub(crate) fn notation_verify_at(&self, hostname: &str, reference: &str) -> Run {
        let trust = self.registry.file("trust");
        self.notation("verify").args(["--trust".as_ref(), trust.as_os_str()]).args([format!("{hostname}/{reference}")])
    }

    /// `notation list`: the signatures' digests.
    #[track_caller]
    pub(crate) fn notation_list(&self, reference: &str) -> Vec<String> {
        let told = self.notation("list").args([format!("{HOSTNAME}/{reference}")]).succeeds();
        told.lines().skip(1).map(str::to_owned).collect()
    }

    fn notation(&self, word: &str) -> Run {
        self.run("notation").behind(self.registry).args([word, "--plain-http"])
    }

    /// `hallmark verify --json` of a reference to the registry, with this person's credentials.
    pub(crate) fn hallmark_verify(&self, requirement: &str, flags: &[&str], reference: &str) -> Ran {
        let configuration = self.registry.file("hallmark.toml");
        Run::hallmark(self.home())
            .behind(self.registry)
            .args(["verify", &format!("{HOSTNAME}/{reference}"), "--requirement", requirement, "--json"])
            .args(["--danger-plain-http".as_ref(), "--config".as_ref(), configuration.as_os_str()])
            .args(flags)
            .run()
    }

    /// `hallmark explain --json` of a pull, with this person's credentials.
    pub(crate) fn hallmark_explain(&self, reference: &str) -> Ran {
        Run::hallmark(self.home()).args(["explain", "--json", &self.registry.reference(reference)]).run()
    }

    /// Uploads a forged signature of `subject`: its blobs must be taken, its manifest need not.
    #[track_caller]
    pub(crate) fn pushes_signature(&self, repository: &str, forge: &Forge, subject: &Target) -> Answer {
        let envelope = forge.bytes();
        self.pushes_blob(repository, EMPTY, b"{}");
        self.pushes_blob(repository, forge.format.media_type(), &envelope);
        let signature = signature_manifest(forge.format, &envelope, &forge.chain, subject);
        self.put_manifest(repository, &digest_of(&signature), IMAGE, &signature)
    }
}
