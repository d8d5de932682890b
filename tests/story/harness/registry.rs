//! One running Hallmark, with a folder of its own.

use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::{Person, Ran, Run, Setup};

/// How long anything that must happen may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// The real binary, serving on a free port of 127.0.0.1 from a temporary folder.
pub(crate) struct Registry {
    folder: TempDir,
    users: Vec<(String, String)>,
    child: Child,
    log: Arc<Log>,
    port: u16,
}

/// What the server has said so far.
#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    more: Condvar,
    readers: Mutex<Vec<JoinHandle<()>>>,
}

impl Registry {
    /// Starts a registry with these files, and waits until it listens.
    #[track_caller]
    pub(crate) fn start(setup: &Setup) -> Self {
        let folder = tempfile::Builder::new().prefix("hallmark-story-").tempdir().unwrap();
        let password = |name: &&str| ((*name).to_owned(), uuid::Uuid::new_v4().simple().to_string());
        let users: Vec<_> = setup.users.iter().map(password).collect();
        setup.write(folder.path(), &users);
        Self::serve(folder, users)
    }

    /// Starts a registry on what `hallmark init` writes for this public key, with the users whose passwords it prints.
    #[track_caller]
    pub(crate) fn from_init(key: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("hallmark-story-").tempdir().unwrap();
        let users = passwords(&Self::runs_init(folder.path(), Some(key)).succeeded());
        let configuration = folder.path().join("hallmark.toml");
        let written = std::fs::read_to_string(&configuration).unwrap();
        std::fs::write(&configuration, written.replace("127.0.0.1:5000", "127.0.0.1:0")).unwrap();
        Self::serve(folder, users)
    }

    /// `hallmark init <folder>`, for this public key if there is one.
    pub(crate) fn runs_init(folder: &Path, key: Option<&Path>) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hallmark"));
        command.arg("init").arg(folder).stdin(Stdio::null());
        if let Some(key) = key {
            command.arg("--cosign-key").arg(key);
        }
        Run(command).run()
    }

    /// Starts a registry that must refuse to; gives its exit status and its log.
    #[track_caller]
    pub(crate) fn does_not_start(setup: &Setup) -> (ExitStatus, String) {
        let folder = tempfile::tempdir().unwrap();
        setup.write(folder.path(), &[]);
        let (child, log) = spawn(folder.path());
        let mut registry = Self { folder, users: Vec::new(), child, log, port: 0 };
        let status = registry.ends();
        (status, registry.log())
    }

    #[track_caller]
    fn serve(folder: TempDir, users: Vec<(String, String)>) -> Self {
        let (child, log) = spawn(folder.path());
        let mut registry = Self { folder, users, child, log, port: 0 };
        registry.port = registry.listening();
        registry
    }

    /// Whether any file below `folder` holds `text`.
    pub(crate) fn mentions(folder: &Path, text: &str) -> bool {
        std::fs::read_dir(folder).unwrap().map(Result::unwrap).any(|entry| {
            if entry.path().is_dir() {
                return Self::mentions(&entry.path(), text);
            }
            String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).contains(text)
        })
    }

    /// `127.0.0.1:<port>`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The full name of `reference`, for example `prod/app:v1`.
    pub(crate) fn reference(&self, reference: &str) -> String {
        format!("{}/{reference}", self.address())
    }

    /// A file below the registry's folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Somebody with a password.
    #[track_caller]
    pub(crate) fn person(&self, name: &str) -> Person<'_> {
        let user = self.users.iter().find(|(user, _)| user == name);
        let (name, password) = user.unwrap_or_else(|| panic!("expected a user, found {name}"));
        Person::new(self, name, Some(password))
    }

    /// Somebody with this password, right or wrong.
    pub(crate) fn person_with(&self, name: &str, password: &str) -> Person<'_> {
        Person::new(self, name, Some(password))
    }

    /// Several of them.
    #[track_caller]
    pub(crate) fn people<const N: usize>(&self, names: [&str; N]) -> [Person<'_>; N] {
        names.map(|name| self.person(name))
    }

    /// Somebody without credentials.
    pub(crate) fn anonymous(&self) -> Person<'_> {
        Person::new(self, "anonymous", None)
    }

    /// Runs `hallmark` with these arguments in the registry's folder.
    pub(crate) fn hallmark(&self, args: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hallmark"));
        command.args(args).current_dir(self.folder.path()).stdin(Stdio::null());
        Run(command).run()
    }

    /// Runs `hallmark` with something on its standard input.
    pub(crate) fn hallmark_with_input(&self, args: &[&str], input: &str) -> Ran {
        let file = self.file("input");
        std::fs::write(&file, input).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_hallmark"));
        command.args(args).current_dir(self.folder.path()).stdin(std::fs::File::open(file).unwrap());
        Run(command).run()
    }

    /// Everything that the server has logged since it started last.
    pub(crate) fn log(&self) -> String {
        self.log.lines.lock().unwrap().join("\n")
    }

    /// Waits until the server has logged a line with all of `words` beyond the first `seen` lines.
    #[track_caller]
    pub(crate) fn logs(&self, seen: usize, words: &[&str]) -> String {
        let wanted = |line: &String| words.iter().all(|word| line.contains(word));
        self.log.wait(seen, wanted).unwrap_or_else(|| {
            panic!("expected a line with {words:?} within {PATIENCE:?}, found\n{}", self.log());
        })
    }

    /// How many lines the server has logged.
    pub(crate) fn lines(&self) -> usize {
        self.log.lines.lock().unwrap().len()
    }

    /// Writes a file of policy or trust, and reloads; the revision must be accepted.
    #[track_caller]
    pub(crate) fn accepts(&self, files: &[(&str, &str)]) {
        let seen = self.rewrite(files);
        self.logs(seen, &["\"event\":\"reload\"", "SIGHUP"]);
    }

    /// Writes a file of policy or trust, and reloads; the revision must be refused with a line that has all of `words`.
    #[track_caller]
    pub(crate) fn refuses(&self, files: &[(&str, &str)], words: &[&str]) {
        let seen = self.rewrite(files);
        self.logs(seen, &[&["\"event\":\"degraded\""], words].concat());
    }

    fn rewrite(&self, files: &[(&str, &str)]) -> usize {
        let seen = self.lines();
        for (name, text) in files {
            std::fs::write(self.file(name), text).unwrap();
        }
        self.signal(Signal::HUP);
        seen
    }

    /// Sends a signal to the server.
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.child.id().try_into().unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
    }

    /// `kill -9`, then a start on the same folder.
    #[track_caller]
    pub(crate) fn crashes_and_restarts(&mut self) {
        self.signal(Signal::KILL);
        self.child.wait().unwrap();
        self.starts_again();
    }

    /// SIGTERM, then a start on the same folder.
    #[track_caller]
    pub(crate) fn stops_and_restarts(&mut self) {
        let status = self.stops();
        assert!(status.success(), "expected a clean stop, found {status}\n{}", self.log());
        self.starts_again();
    }

    /// SIGTERM, and the exit status that it leads to.
    #[track_caller]
    pub(crate) fn stops(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.ends()
    }

    /// Waits for the server's end.
    #[track_caller]
    pub(crate) fn ends(&mut self) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.log.ends();
                return status;
            }
            assert!(start.elapsed() < PATIENCE, "expected an end within {PATIENCE:?}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A start on the same folder, after an end.
    #[track_caller]
    pub(crate) fn starts_again(&mut self) {
        (self.child, self.log) = spawn(self.folder.path());
        self.port = self.listening();
    }

    #[track_caller]
    fn listening(&self) -> u16 {
        const WORDS: &str = "listening on http://";
        let line = self.logs(0, &[WORDS]);
        let (_, address) = line.split_once(WORDS).unwrap();
        let (_, port) = address.split_once(':').unwrap_or_default();
        let digits: String = port.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap_or_else(|error| panic!("expected a port: {error}: {line}"))
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Log {
    fn follow(self: &Arc<Self>, output: impl Read + Send + 'static) {
        let log = Arc::clone(self);
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                log.lines.lock().unwrap().push(line);
                log.more.notify_all();
            }
        });
        self.readers.lock().unwrap().push(reader);
    }

    /// Waits until everything that a server which has ended had to say is here.
    fn ends(&self) {
        for reader in self.readers.lock().unwrap().drain(..) {
            reader.join().unwrap();
        }
    }

    fn wait(&self, seen: usize, wanted: impl Fn(&String) -> bool) -> Option<String> {
        let start = Instant::now();
        let mut lines = self.lines.lock().unwrap();
        loop {
            if let Some(line) = lines.iter().skip(seen).find(|line| wanted(line)) {
                return Some(line.clone());
            }
            let left = PATIENCE.checked_sub(start.elapsed())?;
            lines = self.more.wait_timeout(lines, left).unwrap().0;
        }
    }
}

/// The users whose passwords `hallmark init` told.
pub(crate) fn passwords(told: &str) -> Vec<(String, String)> {
    let user = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.next().filter(|name| ["ci", "signer", "deploy"].contains(name))?;
        Some((name.to_owned(), words.next()?.to_owned()))
    };
    told.lines().filter_map(user).collect()
}

fn spawn(folder: &Path) -> (Child, Arc<Log>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hallmark"))
        .arg("serve")
        .current_dir(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = Arc::new(Log::default());
    log.follow(child.stdout.take().unwrap());
    log.follow(child.stderr.take().unwrap());
    (child, log)
}
