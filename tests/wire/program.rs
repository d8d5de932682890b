//! The program on a port of its own, and a client that sends exactly what it is told to send.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hallmark::oci::Digest;
use tempfile::TempDir;

/// Everybody may do everything in `open/**`, and administer.
pub(crate) const POLICY: &str = "\
p, anonymous, open/**, push, unverified, allow
p, anonymous, open/**, pull, unverified, allow
p, anonymous, open/**, delete, unverified, allow
p, anonymous, **, admin, unverified, allow
";

pub(crate) struct Program {
    child: Child,
    address: String,
    folder: TempDir,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// Every value of a header, in order.
    pub(crate) fn headers(&self, name: &str) -> Vec<&str> {
        self.head.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect()
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    /// The code of the one error.
    pub(crate) fn code(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        body["errors"][0]["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl Program {
    pub(crate) fn start() -> Self {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(flags: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), flags)
    }

    /// Starts where files may be already.
    pub(crate) fn start_in(folder: TempDir, flags: &[&str]) -> Self {
        furnish(folder.path());
        let (child, address) = spawn(folder.path(), flags);
        Self { child, address, folder }
    }

    /// Starts with `data` on a disk of its own, of so many mebibytes. Nothing if this machine lets nobody mount.
    pub(crate) fn start_on_a_disk_of(mebibytes: u32) -> Option<Self> {
        let apart = own_mounts()?;
        let folder = tempfile::tempdir().unwrap();
        furnish(folder.path());
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let mount = format!("mount -t tmpfs -o size={mebibytes}m tmpfs data &&");
        // The disk is smaller than what is left free by itself.
        let flags = ["--floor-bytes", "1", "--reserve-bytes", "1"];
        let (child, address) = spawn_after(&apart, &mount, folder.path(), &flags);
        Some(Self { child, address, folder })
    }

    /// Starts one that lives on where [`Program::bound_files`] lets it write no more.
    pub(crate) fn start_to_be_bounded() -> Self {
        let folder = tempfile::tempdir().unwrap();
        furnish(folder.path());
        let (child, address) = spawn_after(&["env".to_owned()], "trap '' XFSZ;", folder.path(), &[]);
        Self { child, address, folder }
    }

    /// From now on, no byte of a file can be written that comes after so many; none is any can.
    pub(crate) fn bound_files(&self, bytes: Option<u64>) {
        let id = rustix::process::Pid::from_raw(self.child.id().try_into().unwrap());
        let bound = rustix::process::Rlimit { current: bytes, maximum: None };
        rustix::process::prlimit(id, rustix::process::Resource::Fsize, bound).unwrap();
    }

    /// Changes the disk under the program that [`Program::start_on_a_disk_of`] started.
    pub(crate) fn at_its_disk(&self, command: &str) {
        let id = self.child.id().to_string();
        let mut inside = apart("nsenter");
        inside.splice(1..1, ["-t".to_owned(), id]);
        let at = self.folder.path().join("data");
        let command = format!("cd '{}' && {command}", at.display());
        let done = Command::new(&inside[0]).args(&inside[1..]).args(["sh", "-c", &command]).status().unwrap();
        assert!(done.success(), "{command}: {done}");
    }

    /// Kills it as a crash would, and starts it again on the same folder.
    pub(crate) fn crash_and_restart(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        (self.child, self.address) = spawn(self.folder.path(), &[]);
    }

    /// Starts on the same files, after its end.
    pub(crate) fn start_again(&mut self, flags: &[&str]) {
        (self.child, self.address) = spawn(self.folder.path(), flags);
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream
    }

    /// Sends bytes as they are and reads until the connection ends.
    pub(crate) fn send_raw(&self, request: &[u8]) -> Answer {
        let mut stream = self.connect();
        // The program may answer and close before it has read everything.
        drop(stream.write_all(request));
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer));
        let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("an answer");
        let head = String::from_utf8(answer[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: answer[end + 4..].to_vec() }
    }

    pub(crate) fn send_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
        for (name, value) in headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        if !body.is_empty() || ["POST", "PUT", "PATCH"].contains(&method) {
            write!(head, "content-length: {}\r\n", body.len()).unwrap();
        }
        head.push_str("\r\n");
        self.send_raw(&[head.as_bytes(), body].concat())
    }

    pub(crate) fn send(&self, method: &str, path: &str) -> Answer {
        self.send_with(method, path, &[], b"")
    }

    /// Pushes a blob whole.
    pub(crate) fn push_blob(&self, repository: &str, content: &[u8]) -> Digest {
        let digest = Digest::sha256(content);
        let path = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        assert_eq!(self.send_with("POST", &path, &[], content).status, 201);
        digest
    }

    /// Pushes an image of one layer.
    pub(crate) fn push_image(&self, repository: &str, tag: &str, layer: &[u8]) -> (Digest, Vec<u8>) {
        let config = self.push_blob(repository, b"{}");
        let size = layer.len();
        let layer = self.push_blob(repository, layer);
        let manifest = format!(
            r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{config}","size":2}},"layers":[{{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"{layer}","size":{size}}}]}}"#
        );
        let path = format!("/v2/{repository}/manifests/{tag}");
        let answer = self.send_with("PUT", &path, &[("content-type", MANIFEST)], manifest.as_bytes());
        assert_eq!(answer.status, 201, "{answer:?}");
        (Digest::sha256(manifest.as_bytes()), manifest.into_bytes())
    }

    /// Everything that would change if anything were stored.
    pub(crate) fn stored(&self) -> String {
        let metrics = self.send("GET", "/metrics");
        let counts =
            metrics.text().lines().filter(|line| line.starts_with("hallmark_storage_") && !line.contains("free"));
        let mut stored = counts.collect::<Vec<_>>().join("\n");
        assert!(stored.contains("hallmark_storage_uploads "), "{stored}");
        stored.push_str(self.send("GET", "/v2/_catalog").text());
        stored
    }

    /// What it has written to standard error.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder().join("log")).unwrap()
    }

    /// Whether it says `text` before long.
    pub(crate) fn comes_to_log(&self, text: &str) -> bool {
        (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            self.log().contains(text)
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The folder of one that ended.
    pub(crate) fn into_folder(mut self) -> TempDir {
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

pub(crate) fn put(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
}

fn furnish(folder: &Path) {
    put(folder, "policies/policy.csv", POLICY);
    put(folder, "policies/requirements.toml", "");
    put(folder, "trust/signers.toml", "");
}

/// What starts a program among mounts of its own. Nothing if this machine lets nobody mount.
pub(crate) fn own_mounts() -> Option<Vec<String>> {
    let apart = apart("unshare");
    let tries = Command::new(&apart[0]).args(&apart[1..]).args(["sh", "-c", "mount -t tmpfs tmpfs /tmp"]).status();
    tries.is_ok_and(|status| status.success()).then_some(apart)
}

/// What runs a command that the modes of files hold for, whoever starts it: root is let by them everywhere. Nothing if this
/// machine can't.
pub(crate) fn under_modes() -> Option<Vec<String>> {
    let command: &[&str] = if rustix::process::getuid().is_root() {
        &["setpriv", "--bounding-set", "-dac_override,-dac_read_search"]
    } else {
        &["env"]
    };
    let closed = tempfile::tempdir().unwrap();
    std::fs::set_permissions(closed.path(), std::os::unix::fs::PermissionsExt::from_mode(0o0)).unwrap();
    let tries =
        Command::new(command[0]).args(&command[1..]).arg("ls").arg(closed.path()).stderr(Stdio::null()).status();
    let is_refused =
        Command::new(command[0]).args(&command[1..]).arg("true").status().is_ok_and(|status| status.success())
            && tries.is_ok_and(|status| !status.success());
    is_refused.then(|| command.iter().map(|&part| part.to_owned()).collect())
}

/// What enters a mount namespace: one that nobody else sees, and that goes with the program.
fn apart(command: &str) -> Vec<String> {
    let root = rustix::process::getuid().is_root();
    let arguments: &[&str] = match (command, root) {
        (_, true) => &["-m"],
        ("unshare", false) => &["-Urm"],
        (_, false) => &["-U", "-m", "--preserve-credentials"],
    };
    std::iter::once(command).chain(arguments.iter().copied()).map(str::to_owned).collect()
}

fn spawn(folder: &Path, flags: &[&str]) -> (Child, String) {
    spawn_after(&["env".to_owned()], "", folder, flags)
}

/// Starts the program by `wrapper`, after the shell did what `first` says.
fn spawn_after(wrapper: &[String], first: &str, folder: &Path, flags: &[&str]) -> (Child, String) {
    // Few descriptors, as most systems grant them until more are asked for.
    let script = format!("{first} ulimit -Sn 256; exec \"$0\" \"$@\"");
    let mut child = Command::new(&wrapper[0])
        .args(&wrapper[1..])
        .args(["sh", "-c", &script, env!("CARGO_BIN_EXE_hallmark")])
        .args(["serve", "--listen", "127.0.0.1:0"])
        .args(flags)
        .current_dir(folder)
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(folder.join("log")).unwrap())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on ").and_then(|url| url.split_once("://"));
    let address = address.expect("a line that says where").1.to_owned();
    (child, address)
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
