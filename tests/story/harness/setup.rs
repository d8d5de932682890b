//! The files that a registry starts with.

use std::path::Path;

use serde_json::{Value, json};

use super::{HOSTNAME, Key};

/// The policy, requirements, trust, users and configuration of a registry.
#[derive(Clone)]
pub(crate) struct Setup {
    /// `policies/policy.csv`.
    pub(crate) policy: String,
    /// `policies/requirements.toml`.
    pub(crate) requirements: String,
    /// `policies/cases.csv`.
    pub(crate) cases: String,
    /// `trust/signers.toml`.
    pub(crate) signers: String,
    /// Files of `trust/cosign`.
    pub(crate) keys: Vec<(&'static str, Key)>,
    /// `trust/trustpolicy.json`, if there is one.
    pub(crate) trust_policy: Option<Value>,
    /// Files of `trust/x509`: a path such as `ca/acme/root.pem`, and the certificates in it.
    pub(crate) certificates: Vec<(String, String)>,
    /// `hostname`, if it is not what it is by default.
    pub(crate) hostname: Option<&'static str>,
    /// `aliases`.
    pub(crate) aliases: Vec<&'static str>,
    /// Names that get a password.
    pub(crate) users: Vec<&'static str>,
    /// `listen`.
    pub(crate) listen: &'static str,
    /// `danger_plain_http`.
    pub(crate) danger_plain_http: bool,
    /// The end of `hallmark.toml`.
    pub(crate) configuration: String,
}

impl Setup {
    /// `ci` pushes and deletes, `signer` signs, `deploy` pulls what the signer `release` or `next` has signed.
    pub(crate) fn release() -> Self {
        Self {
            policy: "\
p, role:ci,      prod/**, push,   unverified,     allow
p, role:ci,      prod/**, pull,   unverified,     allow
p, role:ci,      prod/**, delete, unverified,     allow
p, role:signer,  prod/**, sign,   unverified,     allow
p, role:cluster, prod/**, pull,   signed-release, allow
g, user:ci,      role:ci
g, user:signer,  role:signer
g, user:deploy,  role:cluster
"
            .to_owned(),
            requirements: "\
[signed-release]
any = [{ signed_by = \"release\" }, { signed_by = \"next\" }]
protects = [\"prod/**\"]
except = [\"role:ci\"]
"
            .to_owned(),
            cases: String::new(),
            signers: "\
[release]
cosign_key = \"cosign/release.pub\"
[next]
cosign_key = \"cosign/next.pub\"
"
            .to_owned(),
            keys: vec![("release.pub", Key::Release), ("next.pub", Key::Next)],
            trust_policy: None,
            certificates: Vec::new(),
            hostname: None,
            aliases: Vec::new(),
            users: vec!["ci", "signer", "deploy"],
            listen: "127.0.0.1:0",
            danger_plain_http: false,
            configuration: String::new(),
        }
    }

    /// As [`Setup::release`], save that `deploy` pulls what the one signer `acme` has signed with notation, and that the
    /// registry is called [`HOSTNAME`]: `root` is what the statement `acme-images` trusts.
    pub(crate) fn notation(root: &str) -> Self {
        let mut setup = Self::release();
        setup.requirements = setup
            .requirements
            .replace("{ signed_by = \"release\" }, { signed_by = \"next\" }", "{ signed_by = \"acme\" }");
        "[acme]\nnotation_policy = \"acme-images\"\n".clone_into(&mut setup.signers);
        setup.keys.clear();
        setup.trust_policy = Some(json!({
            "version": "1.0",
            "trustPolicies": [{
                "name": "acme-images",
                "registryScopes": [format!("{HOSTNAME}/prod/app")],
                "signatureVerification": { "level": "strict" },
                "trustStores": ["ca:acme"],
                "trustedIdentities": ["*"],
            }],
        }));
        setup.certificates = vec![("ca/acme/root.pem".to_owned(), root.to_owned())];
        setup.hostname = Some(HOSTNAME);
        setup
    }

    /// The first statement of its trust policy.
    pub(crate) fn statement(&mut self) -> &mut Value {
        &mut self.trust_policy.as_mut().unwrap()["trustPolicies"][0]
    }

    /// Trusts the cosign key of the signer `release` too.
    pub(crate) fn with_release_key(mut self) -> Self {
        self.signers.push_str("[release]\ncosign_key = \"cosign/release.pub\"\n");
        self.keys.push(("release.pub", Key::Release));
        self
    }

    /// Its one requirement, with other conditions.
    pub(crate) fn requires(mut self, conditions: &str) -> Self {
        self.requirements =
            format!("[signed-release]\n{conditions}\nprotects = [\"prod/**\"]\nexcept = [\"role:ci\"]\n");
        self
    }

    /// Everybody may do everything under `open/**`, unsigned and without credentials.
    pub(crate) fn open() -> Self {
        let line = |action| format!("p, anonymous, open/**, {action}, unverified, allow\n");
        Self {
            policy: ["pull", "push", "delete"].map(line).concat(),
            requirements: String::new(),
            cases: String::new(),
            signers: String::new(),
            keys: Vec::new(),
            trust_policy: None,
            certificates: Vec::new(),
            hostname: None,
            aliases: Vec::new(),
            users: Vec::new(),
            listen: "127.0.0.1:0",
            danger_plain_http: false,
            configuration: String::new(),
        }
    }

    /// Writes everything below `folder`; the passwords are the users' own, as `users` gives them.
    pub(super) fn write(&self, folder: &Path, users: &[(String, String)]) {
        for below in ["policies", "trust/cosign"] {
            std::fs::create_dir_all(folder.join(below)).unwrap();
        }
        let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).unwrap();
        write("policies/policy.csv", &self.policy);
        write("policies/requirements.toml", &self.requirements);
        write("policies/cases.csv", &self.cases);
        write("trust/signers.toml", &self.signers);
        for (file, key) in &self.keys {
            write(&format!("trust/cosign/{file}"), &key.pem());
        }
        if let Some(policy) = &self.trust_policy {
            write("trust/trustpolicy.json", &policy.to_string());
        }
        for (file, certificates) in &self.certificates {
            let file = folder.join("trust/x509").join(file);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, certificates).unwrap();
        }
        let mut configuration =
            format!("listen = {:?}\nroot = \"data\"\npolicies = \"policies\"\ntrust = \"trust\"\n", self.listen);
        if let Some(hostname) = self.hostname {
            let aliases = &self.aliases;
            configuration = format!("{configuration}hostname = {hostname:?}\naliases = {aliases:?}\n");
        }
        if self.danger_plain_http {
            configuration.push_str("danger_plain_http = true\n");
        }
        if !users.is_empty() {
            let line = |(name, password): &(String, String)| {
                format!("{name}:{}\n", bcrypt::hash_with_result(password, 4).unwrap())
            };
            write("users.htpasswd", &users.iter().map(line).collect::<String>());
            configuration.push_str("[authn]\nhtpasswd = \"users.htpasswd\"\n");
        }
        configuration.push_str(&self.configuration);
        write("hallmark.toml", &configuration);
    }
}
