//! Throw-away cosign keys, made afresh in each run.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::Run;

/// A cosign key pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// The key of the signer `release`.
    Release,
    /// The key of the signer `next`.
    Next,
    /// A key that no trust store knows.
    Stranger,
}

impl Key {
    const fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Next => "next",
            Self::Stranger => "stranger",
        }
    }

    /// The private key's file, encrypted with the empty password.
    pub(crate) fn private(self) -> PathBuf {
        self.made().join("cosign.key")
    }

    /// The public key's file.
    pub(crate) fn public(self) -> PathBuf {
        self.made().join("cosign.pub")
    }

    /// The public key, as PEM.
    pub(crate) fn pem(self) -> String {
        std::fs::read_to_string(self.public()).unwrap()
    }

    fn made(self) -> PathBuf {
        static MADE: Mutex<Vec<Key>> = Mutex::new(Vec::new());
        let folder = folder().join(self.name());
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        if !made.contains(&self) {
            std::fs::create_dir_all(&folder).unwrap();
            Run::new("cosign3", &folder).args(["generate-key-pair"]).succeeds();
            made.push(self);
        }
        folder
    }
}

fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("keys-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    })
}
