//! Client programs: where they are, how they are run, what came of it.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::Registry;

/// Where `name` is installed: `$HALLMARK_CLIENTS/bin`, `.clients/bin`, or the PATH.
fn program(name: &str) -> PathBuf {
    let ours = std::env::var_os("HALLMARK_CLIENTS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join(".clients"), PathBuf::from)
        .join("bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::iter::once(ours)
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("expected the client {name}, found none; ./test installs it"))
}

/// A program that is about to run.
pub(crate) struct Run(pub(super) Command);

impl Run {
    /// The program called `name`, without any of the caller's own configuration.
    pub(crate) fn new(name: &str, home: &Path) -> Self {
        Self::program(&program(name), home)
    }

    /// `hallmark` itself, in the same way.
    pub(crate) fn hallmark(home: &Path) -> Self {
        Self::program(Path::new(env!("CARGO_BIN_EXE_hallmark")), home)
    }

    fn program(file: &Path, home: &Path) -> Self {
        let mut command = Command::new(file);
        command
            .env("HOME", home)
            .env("TMPDIR", home)
            .env("DOCKER_CONFIG", home)
            .env("REGISTRY_AUTH_FILE", home.join("config.json"))
            .env("COSIGN_PASSWORD", "")
            .env_remove("XDG_RUNTIME_DIR")
            .env_remove("XDG_CONFIG_HOME")
            .current_dir(home)
            .stdin(Stdio::null());
        Self(command)
    }

    /// Adds arguments.
    pub(crate) fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Self {
        self.0.args(args);
        self
    }

    /// Adds an environment variable.
    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// Makes the registry the proxy that leads to every host: so it is reached by any name that it may have.
    pub(crate) fn behind(self, registry: &Registry) -> Self {
        let proxy = format!("http://{}", registry.address());
        // Nothing is reached by TLS, and nothing directly.
        self.env("http_proxy", &proxy)
            .env("HTTP_PROXY", &proxy)
            .env("https_proxy", "http://127.0.0.1:1")
            .env("HTTPS_PROXY", "http://127.0.0.1:1")
            .env("no_proxy", "")
            .env("NO_PROXY", "")
    }

    /// Runs it to its end.
    pub(crate) fn run(mut self) -> Ran {
        let command = format!("{:?}", self.0);
        let piped = self.0.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = piped.spawn().unwrap_or_else(|error| panic!("{command}: {error}"));
        let _bound = Bound::start(&child);
        let output = child.wait_with_output().unwrap();
        Ran { command, output }
    }

    /// Runs it, and gives what it printed on standard output.
    #[track_caller]
    pub(crate) fn succeeds(self) -> String {
        self.run().succeeded()
    }

    /// Runs it, which must fail, with each of `words` in what it tells its user.
    #[track_caller]
    pub(crate) fn fails_saying(self, words: &[&str]) {
        let ran = self.run();
        assert!(!ran.output.status.success(), "expected a refusal, found success\n{ran}");
        for word in words {
            assert!(ran.told().contains(word), "expected the words {word:?}\n{ran}");
        }
    }
}

/// Kills a program that takes longer than [`Bound::PATIENCE`], so that a test which would hang fails instead.
struct Bound {
    _ended: mpsc::Sender<()>,
}

impl Bound {
    const PATIENCE: Duration = Duration::from_mins(1);

    fn start(child: &Child) -> Self {
        let pid = Pid::from_raw(child.id().try_into().unwrap()).unwrap();
        let (ended, end) = mpsc::channel();
        std::thread::spawn(move || {
            let is_late = end.recv_timeout(Self::PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout);
            if is_late && kill_process(pid, Signal::KILL).is_err() {
                // It ended in this very moment.
            }
        });
        Self { _ended: ended }
    }
}

/// A program that ran.
pub(crate) struct Ran {
    command: String,
    output: Output,
}

impl Ran {
    /// Its exit code; a signal is -1.
    pub(crate) fn code(&self) -> i32 {
        self.output.status.code().unwrap_or(-1)
    }

    /// Its standard output; it must have succeeded.
    #[track_caller]
    pub(crate) fn succeeded(&self) -> String {
        assert!(self.output.status.success(), "expected success\n{self}");
        self.stdout()
    }

    /// Its standard output.
    pub(crate) fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).trim().to_owned()
    }

    /// Everything that it printed.
    pub(crate) fn told(&self) -> String {
        format!("{}\n{}", self.stdout(), String::from_utf8_lossy(&self.output.stderr))
    }
}

impl std::fmt::Display for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}\nended with {}:\n{}", self.command, self.output.status, self.told())
    }
}
