//! Credentials as docker keeps them: `config.json`, its helpers and its store.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use docker_credential::{CredentialRetrievalError, DockerCredential, get_credential_from_reader};

use super::ClientError;

/// The largest configuration, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// What docker's helpers write when they have no entry; every other failure is one.
const NO_ENTRY: &str = "credentials not found";

/// Who the client is to a registry.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    /// No entry.
    Anonymous,
    /// A name and a password.
    Basic {
        /// The name.
        name: String,
        /// The password.
        password: String,
    },
    /// A token that a token endpoint takes in place of both.
    Identity(String),
}

/// The kind alone: the rest is secret.
impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Basic { .. } => "Basic",
            Self::Identity(_) => "Identity",
        })
    }
}

/// `$DOCKER_CONFIG`, or `~/.docker`.
pub(super) fn folder() -> Option<PathBuf> {
    let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".docker"));
    std::env::var_os("DOCKER_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from).or_else(home)
}

impl Credentials {
    /// What `config.json` in `folder` says of `registry`: no file and no entry are anonymous, everything else that gives
    /// no credentials is an error. Blocks while a helper is asked.
    pub(super) fn find(folder: Option<&Path>, registry: &str) -> Result<Self, ClientError> {
        let wrong = |cause: String| ClientError::Credentials { registry: registry.to_owned(), cause };
        let Some(path) = folder.map(|folder| folder.join("config.json")) else { return Ok(Self::Anonymous) };
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::Anonymous),
            Err(error) => return Err(wrong(format!("{} can't be read: {error}", path.display()))),
        };
        match get_credential_from_reader(file.take(MAX_BYTES), docker_key(registry)) {
            Ok(DockerCredential::UsernamePassword(name, password)) if name.is_empty() && password.is_empty() => {
                Ok(Self::Anonymous)
            }
            Ok(DockerCredential::UsernamePassword(name, password)) => Ok(Self::Basic { name, password }),
            Ok(DockerCredential::IdentityToken(token)) => Ok(Self::Identity(token)),
            Err(CredentialRetrievalError::NoCredentialConfigured) => Ok(Self::Anonymous),
            Err(CredentialRetrievalError::HelperFailure { stdout, .. }) if stdout.starts_with(NO_ENTRY) => {
                Ok(Self::Anonymous)
            }
            // What a helper writes may be secret.
            Err(CredentialRetrievalError::HelperFailure { helper, .. }) => Err(wrong(format!("{helper} failed"))),
            Err(CredentialRetrievalError::ConfigReadError) => {
                Err(wrong(format!("{} is not docker's JSON", path.display())))
            }
            Err(error) => Err(wrong(error.to_string())),
        }
    }
}

/// The name under which docker keeps the credentials of a registry.
fn docker_key(registry: &str) -> &str {
    if super::origin::is_docker_hub(registry) { "https://index.docker.io/v1/" } else { registry }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests")]
mod tests {
    use std::fs;

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn found(config: &str, registry: &str) -> Result<Credentials, ClientError> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("config.json"), config).unwrap();
        Credentials::find(Some(folder.path()), registry)
    }

    fn basic(name: &str, password: &str) -> Credentials {
        Credentials::Basic { name: name.to_owned(), password: password.to_owned() }
    }

    fn auths(registry: &str) -> String {
        format!(r#"{{"auths": {{"{registry}": {{"auth": "{}"}}}}}}"#, STANDARD.encode("me:secret:too"))
    }

    #[test]
    fn an_entry_of_auths_is_name_and_password() {
        assert_eq!(found(&auths("reg.example.org:5000"), "reg.example.org:5000").unwrap(), basic("me", "secret:too"));
        assert_eq!(found(&auths("https://reg.example.org"), "reg.example.org").unwrap(), basic("me", "secret:too"));
    }

    #[test]
    fn an_entry_of_another_registry_is_none() {
        for registry in ["example.org", "reg.example.org", "reg.example.org:5001", "evil-reg.example.org:5000"] {
            assert_eq!(found(&auths("reg.example.org:5000"), registry).unwrap(), Credentials::Anonymous, "{registry}");
        }
    }

    #[test]
    fn docker_hub_is_found_under_dockers_name() {
        let config = auths("https://index.docker.io/v1/");
        assert_eq!(found(&config, "docker.io").unwrap(), basic("me", "secret:too"));
    }

    #[test]
    fn an_identity_token_is_one() {
        let config = r#"{"auths": {"a.b": {"auth": "", "identitytoken": "t"}}}"#;
        assert_eq!(found(config, "a.b").unwrap(), Credentials::Identity("t".to_owned()));
    }

    #[test]
    fn without_a_file_or_an_entry_the_client_is_anonymous() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Credentials::find(Some(folder.path()), "a.b").unwrap(), Credentials::Anonymous);
        assert_eq!(Credentials::find(None, "a.b").unwrap(), Credentials::Anonymous);
        assert_eq!(found("{}", "a.b").unwrap(), Credentials::Anonymous);
    }

    #[test]
    fn a_configuration_that_cannot_be_read_is_not_anonymous() {
        for config in ["", "{", "[]", r#"{"auths": {"a.b": {"auth": "?"}}}"#] {
            assert!(found(config, "a.b").is_err(), "{config}");
        }
    }

    #[test]
    fn a_helper_that_is_not_there_is_not_anonymous() {
        for config in [r#"{"credHelpers": {"a.b": "hallmark-none"}}"#, r#"{"credsStore": "hallmark-none"}"#] {
            assert!(found(config, "a.b").is_err(), "{config}");
        }
        assert_eq!(found(r#"{"credHelpers": {"a.b": "hallmark-none"}}"#, "c.d").unwrap(), Credentials::Anonymous);
    }

    #[test]
    fn secrets_are_not_shown() {
        assert_eq!(format!("{:?}", basic("me", "secret")), "Basic");
    }
}
