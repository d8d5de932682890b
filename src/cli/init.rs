//! `hallmark init`

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use serde_json::json;

use super::htpasswd::{create_private, line, random_password};
use super::{Exit, told};
use crate::trust::PublicKey;

/// The users of the starter.
const USERS: [&str; 3] = ["ci", "signer", "deploy"];
/// Where they are kept.
const HTPASSWD: &str = "users.htpasswd";
/// Where the key goes.
const KEY: &str = "trust/cosign/release.pub";

/// The files of the starter. Lines that begin with `#KEY ` are for a tree with a key, with `#NOKEY ` for one without.
const STARTER: [(&str, &str); 5] = [
    ("hallmark.toml", include_str!("starter/hallmark.toml")),
    ("policies/policy.csv", include_str!("starter/policy.csv")),
    ("policies/requirements.toml", include_str!("starter/requirements.toml")),
    ("policies/cases.csv", include_str!("starter/cases.csv")),
    ("trust/signers.toml", include_str!("starter/signers.toml")),
];

/// What `init` takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The folder; made if it is absent
    pub dir: PathBuf,
    /// The public key whose signatures count as releases; without it, nothing below prod/ is served until one is added
    #[arg(long, value_name = "FILE")]
    pub cosign_key: Option<PathBuf>,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// Writes the starter: 0 it is there, 1 it is refused and nothing was written, 2 a file can't be read or written.
/// The passwords are printed once and kept nowhere.
pub fn run(args: &Args, out: &mut dyn Write) -> Exit {
    match write(args) {
        Ok(Ok(passwords)) => told(tell(args, &passwords, out).map(|()| Exit::Yes)),
        Ok(Err(message)) => told(refuse(args, &message, out).map(|()| Exit::No)),
        Err(error) => told(refuse(args, &error.to_string(), out).map(|()| Exit::CouldNotTell)),
    }
}

fn write(args: &Args) -> io::Result<Result<Vec<(&'static str, String)>, String>> {
    let mut files: Vec<(&str, String)> =
        STARTER.iter().map(|(name, text)| (*name, written(text, args.cosign_key.is_some()))).collect();
    if let Some(path) = &args.cosign_key {
        let pem = fs::read_to_string(path)?;
        if let Err(error) = PublicKey::from_pem(pem.as_bytes()) {
            return Ok(Err(format!("{}: {error}", path.display())));
        }
        files.push((KEY, pem));
    }
    let mut names = files.iter().map(|(name, _)| *name).chain([HTPASSWD, KEY]);
    if let Some(there) = names.find(|name| args.dir.join(name).symlink_metadata().is_ok()) {
        return Ok(Err(format!("expected a folder without {there}, found one: nothing was written")));
    }
    let mut passwords = Vec::new();
    let mut users = String::from("# <name>:<bcrypt hash>; change one with `hallmark htpasswd users.htpasswd NAME`\n");
    for user in USERS {
        let password = random_password()?;
        users.push_str(&line(user, &password)?);
        passwords.push((user, password));
    }
    for folder in ["policies/predicates", "trust/cosign"] {
        fs::create_dir_all(args.dir.join(folder))?;
    }
    create_private(&args.dir.join(HTPASSWD))?.write_all(users.as_bytes())?;
    for (name, text) in files {
        File::create_new(args.dir.join(name))?.write_all(text.as_bytes())?;
    }
    Ok(Ok(passwords))
}

fn written(text: &str, with_key: bool) -> String {
    let (keep, leave) = if with_key { ("#KEY ", "#NOKEY ") } else { ("#NOKEY ", "#KEY ") };
    let kept = text.split_inclusive('\n').filter(|line| !line.starts_with(leave));
    kept.map(|line| line.strip_prefix(keep).unwrap_or(line)).collect()
}

fn tell(args: &Args, passwords: &[(&'static str, String)], out: &mut dyn Write) -> io::Result<()> {
    let dir = args.dir.display();
    if args.json {
        let users: serde_json::Map<_, _> = passwords.iter().map(|(user, p)| ((*user).to_owned(), json!(p))).collect();
        return writeln!(out, "{}", json!({ "ok": true, "dir": dir.to_string(), "passwords": users }));
    }
    writeln!(out, "{dir} is ready. These passwords are shown once and kept nowhere:")?;
    for (user, password) in passwords {
        writeln!(out, "  {user:<7} {password}")?;
    }
    if args.cosign_key.is_none() {
        writeln!(out, "Nothing below prod/ is served until a key is trusted: see {dir}/trust/signers.toml")?;
    }
    writeln!(out, "Next: hallmark check --config {dir}/hallmark.toml")?;
    writeln!(out, "      hallmark serve --config {dir}/hallmark.toml")
}

fn refuse(args: &Args, message: &str, out: &mut dyn Write) -> io::Result<()> {
    if args.json {
        return writeln!(out, "{}", json!({ "ok": false, "message": message }));
    }
    writeln!(out, "{message}")
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests")]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::cli::check;
    use crate::config::Flags;

    fn init(dir: &Path, cosign_key: Option<PathBuf>) -> (Exit, String) {
        let mut out = Vec::new();
        let exit = run(&Args { dir: dir.to_owned(), cosign_key, json: false }, &mut out);
        (exit, String::from_utf8(out).unwrap())
    }

    async fn checked(dir: &Path) -> (Exit, serde_json::Value) {
        let args = check::Args { config: Some(dir.join("hallmark.toml")), flags: Flags::default(), json: true };
        let mut out = Vec::new();
        let exit = check::run(&args, &crate::clock::SystemClock, &mut out).await;
        (exit, serde_json::from_slice(&out).unwrap())
    }

    fn key(dir: &Path) -> PathBuf {
        let path = dir.join("cosign.pub");
        fs::write(&path, public_key()).unwrap();
        path
    }

    /// The public key of a fresh P-256 pair.
    fn public_key() -> String {
        rcgen::KeyPair::generate().unwrap().public_key_pem()
    }

    #[tokio::test]
    async fn what_init_writes_passes_check() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("new");
        assert_eq!(init(&dir, None).0, Exit::Yes);
        let (exit, report) = checked(&dir).await;
        assert_eq!((exit, &report["mistakes"]), (Exit::Yes, &json!([])), "{report:#}");
        assert_eq!(report["warnings"].as_array().unwrap().len(), 1, "{report:#}");
    }

    #[tokio::test]
    async fn with_a_key_there_is_nothing_to_warn_of() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("new");
        assert_eq!(init(&dir, Some(key(folder.path()))).0, Exit::Yes);
        let (exit, report) = checked(&dir).await;
        assert_eq!((exit, &report["warnings"]), (Exit::Yes, &json!([])), "{report:#}");
        assert_eq!(report["requirements"][0]["signers"], json!(["release"]));
    }

    #[tokio::test]
    async fn the_comments_lead_from_one_to_the_other() {
        let folder = tempfile::tempdir().unwrap();
        init(folder.path(), None);
        fs::write(folder.path().join(KEY), public_key()).unwrap();
        for name in ["trust/signers.toml", "policies/requirements.toml"] {
            let path = folder.path().join(name);
            let text = fs::read_to_string(&path).unwrap();
            let text = text.replace("any = []\n", "").replace("# any", "any");
            let text =
                ["[release]", "cosign_key", "repositories"].iter().fold(text, |t, k| t.replace(&format!("# {k}"), k));
            fs::write(path, text).unwrap();
        }
        let (exit, report) = checked(folder.path()).await;
        assert_eq!((exit, &report["warnings"]), (Exit::Yes, &json!([])), "{report:#}");
    }

    #[test]
    fn printed_passwords_work_and_are_kept_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let (_, printed) = init(folder.path(), None);
        let users = fs::read_to_string(folder.path().join(HTPASSWD)).unwrap();
        for user in USERS {
            let password = printed.lines().find_map(|l| l.trim().strip_prefix(user)).unwrap().trim();
            let hash = users.lines().find_map(|l| l.strip_prefix(&format!("{user}:"))).unwrap();
            assert!(bcrypt::verify(password, hash).unwrap() && !users.contains(password));
        }
    }

    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("trust")).unwrap();
        fs::write(folder.path().join("trust/signers.toml"), "mine").unwrap();
        let (exit, printed) = init(folder.path(), None);
        assert!(exit == Exit::No && printed.contains("trust/signers.toml"), "{printed}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(fs::read_to_string(folder.path().join("trust/signers.toml")).unwrap(), "mine");
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k");
        fs::write(&path, "not a key").unwrap();
        let dir = folder.path().join("new");
        assert_eq!(init(&dir, Some(path)).0, Exit::No);
        assert!(!dir.exists());
    }
}
