//! Someone with a folder of trust and requirements who runs `hallmark verify`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tempfile::TempDir;

use crate::program::put;

pub(crate) const REQUIREMENTS: &str = "[signed]\nsigned_by = \"release\"\n";

pub(crate) struct Verifier(TempDir);

#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) exit: i32,
    pub(crate) output: String,
}

impl Verified {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.output).unwrap()
    }
}

pub(crate) fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/cosign").join(name)).unwrap()
}

impl Verifier {
    /// Trusts the key of the fixtures.
    pub(crate) fn new() -> Self {
        Self::who_trusts(&String::from_utf8(fixture("release.pub")).unwrap())
    }

    pub(crate) fn who_trusts(key: &str) -> Self {
        let verifier = Self(tempfile::tempdir().unwrap());
        verifier.put("policies/requirements.toml", REQUIREMENTS);
        verifier.put("trust/signers.toml", "[release]\ncosign_key = \"cosign/release.pub\"\n");
        verifier.put("trust/cosign/release.pub", key);
        verifier
    }

    pub(crate) fn put(&self, name: &str, text: &str) {
        put(self.0.path(), name, text);
    }

    /// Keeps a name and a password for a registry, as `docker login` does.
    pub(crate) fn log_in(&self, registry: &str, name: &str, password: &str) {
        let auth = STANDARD.encode(format!("{name}:{password}"));
        self.put("docker/config.json", &format!(r#"{{"auths": {{"{registry}": {{"auth": "{auth}"}}}}}}"#));
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn verify(&self, reference: &str, flags: &[&str]) -> Verified {
        self.verify_where(reference, flags, &[])
    }

    /// With these variables in the environment.
    pub(crate) fn verify_where(&self, reference: &str, flags: &[&str], variables: &[(&str, &OsStr)]) -> Verified {
        let output = Command::new(env!("CARGO_BIN_EXE_hallmark"))
            .args(["verify", reference, "--requirement", "signed"])
            .args(flags)
            .current_dir(self.0.path())
            .env("DOCKER_CONFIG", self.0.path().join("docker"))
            .envs(variables.iter().copied())
            .output()
            .unwrap();
        let text = [output.stdout, output.stderr].concat();
        Verified { exit: output.status.code().unwrap(), output: String::from_utf8(text).unwrap() }
    }
}
