//! A disk that is full: pushes are refused, everything that makes room or takes none goes on.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hallmark::oci::Digest;
use serde_json::json;
use tempfile::TempDir;

use crate::program::{Answer, MANIFEST, Program, put};

const POLICY: &str = "\
p, user:ci, prod/**, push, unverified, allow
p, user:ci, prod/**, pull, unverified, allow
p, user:ci, prod/**, delete, unverified, allow
p, user:signer, prod/**, sign, unverified, allow
p, user:root, _registry, admin, unverified, allow
";

const FLAGS: [[&str; 2]; 7] = [
    ["--policies", "own/policies"],
    ["--trust", "own/trust"],
    ["--htpasswd", "users"],
    ["--root", "disk/data"],
    ["--reserve-bytes", "6291456"],
    ["--floor-bytes", "2097152"],
    ["--deleted-grace-seconds", "1"],
];

/// A file system of its own, of 48 MiB, that goes when the test ends.
struct Disk(PathBuf);

impl Disk {
    /// None where mounting is not permitted.
    fn mount(at: &Path) -> Option<Self> {
        fs::create_dir(at).unwrap();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=48m", "tmpfs"]).arg(at).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then(|| Self(at.to_owned()))
    }

    /// Takes all the room that is left, as another program would.
    fn fill(&self) {
        let mut file = fs::File::create(self.0.join("filler")).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(Command::new("umount").arg("-l").arg(&self.0).status());
    }
}

struct House {
    program: Program,
    disk: Disk,
}

impl House {
    fn start() -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let disk = Disk::mount(&folder.path().join("disk"))?;
        put(folder.path(), "own/policies/policy.csv", POLICY);
        put(folder.path(), "own/policies/requirements.toml", "");
        put(folder.path(), "own/trust/signers.toml", "");
        let hash = bcrypt::hash("secret", 4).unwrap();
        put(folder.path(), "users", &["ci", "signer", "root"].map(|name| format!("{name}:{hash}\n")).concat());
        let house = Self { program: Program::start_in(folder, FLAGS.as_flattened()), disk };
        assert!(house.becomes(|house| house.reserve().exists()), "expected a reserve");
        Some(house)
    }

    fn reserve(&self) -> PathBuf {
        self.disk.0.join("data/_reserve")
    }

    fn becomes(&self, fact: impl Fn(&Self) -> bool) -> bool {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(20) {
            if fact(self) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }

    fn send(&self, who: &str, method: &str, path: &str, body: &[u8]) -> Answer {
        let authorization = format!("Basic {}", STANDARD.encode(format!("{who}:secret")));
        let headers = [("authorization", authorization.as_str()), ("content-type", MANIFEST)];
        self.program.send_with(method, path, &headers, body)
    }

    fn push_blob(&self, who: &str, content: &[u8]) -> (Digest, u16) {
        let digest = Digest::sha256(content);
        let path = format!("/v2/prod/app/blobs/uploads/?digest={digest}");
        (digest, self.send(who, "POST", &path, content).status)
    }

    /// Pushes an image of 2 MiB; its digest, if it was taken.
    fn push_image(&self, tag: &str) -> Option<(Digest, Digest)> {
        let mut content = vec![0; 2 << 20];
        content[..tag.len()].copy_from_slice(tag.as_bytes());
        let (layer, status) = self.push_blob("ci", &content);
        if status != 201 {
            assert_eq!(status, 507);
            return None;
        }
        let (config, status) = self.push_blob("ci", b"{\"a\": \"config\"}");
        assert!([201, 507].contains(&status), "{status}");
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 15},
            "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": 2 << 20}]
        });
        let bytes = serde_json::to_vec(&manifest).unwrap();
        let put = self.send("ci", "PUT", &format!("/v2/prod/app/manifests/{tag}"), &bytes);
        assert!([201, 507].contains(&put.status), "{put:?}");
        (put.status == 201).then(|| (Digest::sha256(&bytes), layer))
    }

    /// What refuses at the floor says how much is wanted and how much is there.
    fn refuses_with_figures(&self, content: &[u8]) {
        let path = format!("/v2/prod/app/blobs/uploads/?digest={}", Digest::sha256(content));
        let refused = self.send("ci", "POST", &path, content);
        let text = refused.text();
        let figures = ["expected ", " bytes beside the 2097152 that stay free, found "];
        assert!(refused.status == 507 && figures.iter().all(|words| text.contains(words)), "{refused:?}");
    }

    /// Pushes images until one is refused.
    fn push_until_full(&self) -> Vec<(Digest, Digest)> {
        let images: Vec<_> = (0..40).map_while(|number| self.push_image(&format!("v{number}"))).collect();
        assert!(images.len() > 4 && images.len() < 30, "{} images", images.len());
        images
    }

    /// Signs as cosign 2 does; the status of the last answer.
    fn sign(&self, image: &Digest) -> u16 {
        let payload = json!({
            "critical": {
                "identity": {"docker-reference": ""},
                "image": {"docker-manifest-digest": image},
                "type": "cosign container image signature"
            },
            "optional": null
        });
        let payload = payload.to_string();
        let (layer, status) = self.push_blob("signer", payload.as_bytes());
        assert_eq!(status, 201);
        let (config, status) = self.push_blob("signer", b"{\"a config of\": \"cosign\"}");
        assert_eq!(status, 201);
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST,
            "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 25},
            "layers": [{
                "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json", "digest": layer, "size": payload.len(),
                "annotations": {"dev.cosignproject.cosign/signature": STANDARD.encode(b"a signature")}
            }]
        });
        let path = format!("/v2/prod/app/manifests/sha256-{}.sig", image.hex());
        self.send("signer", "PUT", &path, &serde_json::to_vec(&manifest).unwrap()).status
    }

    /// Every kind of request that must go on, on a disk that pushes have no room on.
    fn goes_on(&self, images: &[(Digest, Digest)]) {
        let ((first, layer), (second, _)) = (images[0], images[1]);
        assert_eq!(self.send("ci", "GET", "/v2/prod/app/manifests/v0", b"").status, 200);
        let pulled = self.send("ci", "GET", &format!("/v2/prod/app/blobs/{layer}"), b"");
        assert_eq!((pulled.status, pulled.body.len()), (200, 2 << 20));
        assert_eq!(self.sign(&first), 201);
        assert_eq!(self.send("ci", "DELETE", "/v2/prod/app/manifests/v1", b"").status, 202);
        assert_eq!(self.send("ci", "DELETE", &format!("/v2/prod/app/manifests/{second}"), b"").status, 202);
        for (image, _) in images.iter().skip(2) {
            assert_eq!(self.send("ci", "DELETE", &format!("/v2/prod/app/manifests/{image}"), b"").status, 202);
        }
        std::thread::sleep(Duration::from_millis(1200));
        let collected = self.send("root", "POST", "/_hallmark/gc", b"");
        assert_eq!(collected.status, 200, "{collected:?}");
        assert!(self.becomes(|house| house.reserve().exists()), "expected a reserve again");
        assert!(self.push_image("again").is_some(), "expected room for a push");
        assert_eq!(self.send("ci", "GET", "/v2/prod/app/manifests/again", b"").status, 200);
    }
}

#[expect(clippy::print_stderr, reason = "a test that is left out says why")]
fn start() -> Option<House> {
    let house = House::start();
    if house.is_none() {
        eprintln!("left out: mounting a file system is not permitted here");
    }
    house
}

#[test]
fn at_the_floor_pushes_are_refused_and_everything_else_goes_on() {
    let Some(house) = start() else { return };
    let images = house.push_until_full();
    assert!(house.reserve().exists(), "expected the reserve to be untouched");
    house.refuses_with_figures(&vec![9; 2 << 20]);
    house.goes_on(&images);
}

#[test]
fn on_a_disk_without_a_free_byte_the_reserve_keeps_everything_else_going() {
    let Some(house) = start() else { return };
    let images = house.push_until_full();
    house.disk.fill();
    assert!(house.push_image("refused").is_none());
    house.goes_on(&images);
    assert!(house.program.log().contains("\"event\":\"reserve\""));
}

/// Ends the server by a signal, fills the disk, and starts it again.
fn comes_up_after(signal: &str) {
    let Some(mut house) = start() else { return };
    let images = house.push_until_full();
    assert!(Command::new("kill").args([signal, &house.program.id().to_string()]).status().unwrap().success());
    house.program.wait();
    house.disk.fill();
    house.program.start_again(FLAGS.as_flattened());
    assert_eq!(house.send("ci", "GET", "/v2/prod/app/manifests/v0", b"").status, 200);
    house.goes_on(&images);
}

#[test]
fn a_registry_that_was_killed_comes_up_on_a_full_disk() {
    comes_up_after("-KILL");
}

#[test]
fn a_registry_that_was_stopped_comes_up_on_a_full_disk() {
    comes_up_after("-TERM");
}
