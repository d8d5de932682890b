//! The program on a folder that outlives it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Collection runs each second, and what nothing holds lives a little longer than its push takes.
pub(crate) const RESTLESS: &[&str] = &["--blob-lease-seconds", "3", "--deleted-grace-seconds", "1"];
/// Nothing is collected.
pub(crate) const QUIET: &[&str] = &[];

const POLICY: &str = "\
p, anonymous, open/**, push, unverified, allow
p, anonymous, open/**, pull, unverified, allow
p, anonymous, open/**, delete, unverified, allow
p, anonymous, **, admin, unverified, allow
";

/// The program, running.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
    /// From its start to the line that says where it listens.
    pub(crate) took: Duration,
}

/// Writes what the program is configured by; the signer's key is what the workers sign with.
pub(crate) fn furnish(folder: &Path, signer: &[u8]) {
    for (name, content) in [
        ("policies/policy.csv", POLICY.as_bytes()),
        ("policies/requirements.toml", b"[signed]\nsigned_by = \"release\"\n"),
        ("trust/signers.toml", b"[release]\ncosign_key = \"cosign/release.pub\"\n"),
        ("trust/cosign/release.pub", signer),
    ] {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::io::Write::write_all(&mut std::fs::File::create(path).unwrap(), content).unwrap();
    }
}

fn spawn(folder: &Path, flags: &[&str]) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
    Command::new(env!("CARGO_BIN_EXE_hallmark"))
        .args(["serve", "--listen", "127.0.0.1:0"])
        .args(flags)
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .unwrap()
}

impl Server {
    pub(crate) fn start(folder: &Path, flags: &[&str]) -> Self {
        let began = Instant::now();
        let mut child = spawn(folder, flags);
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on ").and_then(|url| url.split_once("://"));
        let log = || std::fs::read_to_string(folder.join("log")).unwrap();
        let address = address.unwrap_or_else(|| panic!("expected it to listen, found {line:?}:\n{}", log()));
        Self { address: address.1.to_owned(), child, took: began.elapsed() }
    }

    /// Starts it and kills it before it can be ready.
    pub(crate) fn start_in_vain(folder: &Path, after: Duration) {
        let mut child = spawn(folder, RESTLESS);
        std::thread::sleep(after);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
