//! The configuration that each server starts with.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::image::Key;

/// Who pushes, signs and pulls.
const USERS: [&str; 3] = ["ci", "signer", "deploy"];

/// The repository that is pulled from under the requirement `signed-release`.
pub(crate) const GATED: &str = "prod/app";

/// The repository that is pulled from without a requirement.
pub(crate) const OPEN: &str = "open/app";

/// The repository that the loads push to.
pub(crate) const DROP: &str = "drop/app";

/// The cost of a password, which is what `htpasswd -B` takes unless told otherwise.
const BCRYPT_COST: u32 = 5;

const POLICY: &str = "\
p, role:ci,      prod/**, push, unverified,     allow
p, role:ci,      prod/**, pull, unverified,     allow
p, role:ci,      open/**, push, unverified,     allow
p, role:ci,      open/**, pull, unverified,     allow
p, role:ci,      drop/**, push, unverified,     allow
p, role:signer,  prod/**, sign, unverified,     allow
p, role:cluster, prod/**, pull, signed-release, allow
p, role:cluster, open/**, pull, unverified,     allow
p, anonymous,    prod/**, pull, signed-release, allow
p, anonymous,    open/**, pull, unverified,     allow
p, anonymous,    drop/**, push, unverified,     allow
g, user:ci,      role:ci
g, user:signer,  role:signer
g, user:deploy,  role:cluster
";

const REQUIREMENTS: &str = "\
[signed-release]
any = [{ signed_by = \"release\" }]
protects = [\"prod/**\"]
except = [\"role:ci\"]
";

const SIGNERS: &str = "\
[release]
cosign_key = \"cosign/release.pub\"
";

/// What the configurations of one pass share.
#[derive(Clone, Copy)]
pub(crate) struct Setup<'a> {
    /// The password of every user.
    pub(crate) password: &'a str,
    /// Whose signatures count.
    pub(crate) key: &'a Key,
    /// Whether the loads come with credentials; docker-registry asks everybody for them, or nobody.
    pub(crate) credentials: bool,
}

impl Setup<'_> {
    /// Writes docker-registry's configuration; gives its path.
    pub(crate) fn write_docker_registry(&self, folder: &Path, address: SocketAddr) -> Outcome<PathBuf> {
        let data = folder.join("data");
        let data = data.display();
        let secret = uuid::Uuid::new_v4();
        let mut text = format!(
            "\
version: 0.1
log:
  level: error
  accesslog:
    disabled: true
storage:
  cache:
    blobdescriptor: inmemory
  filesystem:
    rootdirectory: {data}
  delete:
    enabled: true
http:
  addr: {address}
  secret: {secret}
",
        );
        if self.credentials {
            let users = self.write_users(folder)?;
            let users = users.display();
            write!(text, "auth:\n  htpasswd:\n    realm: bench\n    path: {users}\n")?;
        }
        let configuration = folder.join("config.yml");
        std::fs::write(&configuration, text)?;
        Ok(configuration)
    }

    /// Writes Hallmark's configuration, policies and trust.
    pub(crate) fn write_hallmark(&self, folder: &Path, address: SocketAddr) -> Outcome<()> {
        self.write_users(folder)?;
        for below in ["policies", "trust/cosign"] {
            std::fs::create_dir_all(folder.join(below))?;
        }
        let configuration = format!(
            "listen = \"{address}\"\nroot = \"data\"\npolicies = \"policies\"\ntrust = \"trust\"\n\
             [authn]\nhtpasswd = \"users.htpasswd\"\n"
        );
        std::fs::write(folder.join("hallmark.toml"), configuration)?;
        std::fs::write(folder.join("policies/policy.csv"), POLICY)?;
        std::fs::write(folder.join("policies/requirements.toml"), REQUIREMENTS)?;
        std::fs::write(folder.join("trust/signers.toml"), SIGNERS)?;
        std::fs::write(folder.join("trust/cosign/release.pub"), self.key.public()?)?;
        Ok(())
    }

    fn write_users(&self, folder: &Path) -> Outcome<PathBuf> {
        let hash = bcrypt::hash_with_result(self.password, BCRYPT_COST)?.format_for_version(bcrypt::Version::TwoY);
        let users: Vec<String> = USERS.iter().map(|user| format!("{user}:{hash}\n")).collect();
        let path = folder.join("users.htpasswd");
        std::fs::write(&path, users.concat())?;
        Ok(path)
    }
}
