//! Many clients at once, over the wire.

use std::collections::BTreeSet;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use hallmark::oci::Digest;

use crate::program::{Answer, MANIFEST, Program};

/// Does `work` in as many threads at once, each with its number.
pub(crate) fn at_once<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(threads);
    std::thread::scope(|scope| {
        let (start, work) = (&start, &work);
        let begin = |number| {
            scope.spawn(move || {
                start.wait();
                work(number)
            })
        };
        let handles: Vec<_> = (0..threads).map(begin).collect();
        handles.into_iter().map(|handle| handle.join().unwrap()).collect()
    })
}

fn image(config: &Digest, layer: &Digest, subject: Option<&Digest>) -> Vec<u8> {
    let mut image = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2},
        "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": layer, "size": 1}]
    });
    if let Some(subject) = subject {
        image["subject"] = serde_json::json!({"mediaType": MANIFEST, "digest": subject, "size": 1});
    }
    serde_json::to_vec(&image).unwrap()
}

fn put(program: &Program, reference: &str, manifest: &[u8]) -> Answer {
    let path = format!("/v2/open/app/manifests/{reference}");
    program.send_with("PUT", &path, &[("content-type", MANIFEST)], manifest)
}

fn objects(program: &Program, digest: &Digest) -> usize {
    let shard = program.folder().join("data/_cas/sha256").join(digest.hex().get(..2).unwrap());
    let Ok(files) = std::fs::read_dir(shard) else { return 0 };
    files.filter(|file| file.as_ref().unwrap().file_name().to_string_lossy().starts_with(&digest.hex())).count()
}

fn manifest(program: &Program, reference: &str) -> Answer {
    program.send("GET", &format!("/v2/open/app/manifests/{reference}"))
}

#[test]
fn the_same_image_of_64_clients_is_stored_once() {
    let program = Program::start();
    let pushed = at_once(64, |_| program.push_image("open/app", "latest", b"the same layer").0);
    let digests: BTreeSet<_> = pushed.iter().map(ToString::to_string).collect();
    assert_eq!(digests.len(), 1);
    assert_eq!(Digest::sha256(&manifest(&program, "latest").body), pushed[0]);
    let metrics = program.send("GET", "/metrics");
    for count in ["hallmark_storage_blobs 2", "hallmark_storage_manifests 1", "hallmark_storage_uploads 0"] {
        assert!(metrics.text().contains(count), "{count}: {}", metrics.text());
    }
    assert_eq!(objects(&program, &Digest::sha256(b"the same layer")), 1);
}

#[test]
fn of_100_referrers_that_come_at_once_each_is_listed_once() {
    let program = Program::start();
    let (subject, _) = program.push_image("open/app", "latest", b"layer");
    let config = program.push_blob("open/app", b"{}");
    let layers: Vec<_> = (0..100).map(|number: u32| program.push_blob("open/app", &number.to_be_bytes())).collect();
    let referrers = at_once(100, |number| {
        let manifest = image(&config, &layers[number], Some(&subject));
        let digest = Digest::sha256(&manifest);
        assert_eq!(put(&program, &digest.to_string(), &manifest).status, 201);
        digest.to_string()
    });
    let list = program.send("GET", &format!("/v2/open/app/referrers/{subject}"));
    let list: serde_json::Value = serde_json::from_slice(&list.body).unwrap();
    let entries = list["manifests"].as_array().unwrap();
    let mut listed: Vec<_> = entries.iter().map(|entry| entry["digest"].as_str().unwrap().to_owned()).collect();
    let mut expected = referrers;
    listed.sort();
    expected.sort();
    assert_eq!(listed, expected);
}

#[test]
fn of_64_moves_of_a_tag_that_come_at_once_one_is_the_last_for_everybody() {
    let program = Program::start();
    let config = program.push_blob("open/app", b"{}");
    let layers: Vec<_> = (0..64).map(|number: u32| program.push_blob("open/app", &number.to_be_bytes())).collect();
    let moved = at_once(64, |number| {
        let manifest = image(&config, &layers[number], None);
        assert_eq!(put(&program, "moving", &manifest).status, 201);
        Digest::sha256(&manifest)
    });
    let last = Digest::sha256(&manifest(&program, "moving").body);
    assert!(moved.contains(&last));
    // What the tag named before is in its history, in one order: without its last, the one before it is named.
    let mut named = BTreeSet::from([last.to_string()]);
    let mut newest = last;
    for left in (0..19).rev() {
        assert_eq!(program.send("DELETE", &format!("/v2/open/app/manifests/{newest}")).status, 202);
        newest = Digest::sha256(&manifest(&program, "moving").body);
        assert!(moved.contains(&newest) && named.insert(newest.to_string()), "{left} left: {newest} twice");
    }
    assert_eq!(program.send("DELETE", &format!("/v2/open/app/manifests/{newest}")).status, 202);
    assert_eq!(manifest(&program, "moving").status, 404);
}

#[test]
fn pushes_beside_deletions_leave_an_image_whole_or_gone() {
    let program = Program::start();
    let (digest, bytes) = program.push_image("open/app", "latest", b"layer");
    let layer = Digest::sha256(b"layer");
    at_once(16, |number| {
        for _ in 0..6 {
            if number % 2 == 0 {
                program.push_image("open/app", "latest", b"layer");
            } else {
                let deleted = program.send("DELETE", &format!("/v2/open/app/manifests/{digest}"));
                assert!([202, 404].contains(&deleted.status), "{deleted:?}");
                let held = program.send("DELETE", &format!("/v2/open/other/blobs/{layer}"));
                assert_eq!(held.status, 404, "{held:?}");
            }
        }
    });
    assert_eq!(put(&program, "latest", &bytes).status, 201);
    assert_eq!(Digest::sha256(&manifest(&program, "latest").body), digest);
    assert_eq!(program.send("GET", &format!("/v2/open/app/blobs/{layer}")).body, b"layer");
    assert_eq!(objects(&program, &layer), 1);
}

#[test]
fn mounts_beside_deletions_of_their_source_are_whole_or_are_uploads() {
    let program = Program::start();
    let layer = Digest::sha256(b"mounted");
    let mount = format!("/v2/open/app/blobs/uploads/?mount={layer}&from=open/source");
    let answers = at_once(16, |number| {
        let mut answers = Vec::new();
        for _ in 0..8 {
            match number % 4 {
                0 => drop(program.push_blob("open/source", b"mounted")),
                1 => drop(program.send("DELETE", &format!("/v2/open/source/blobs/{layer}"))),
                2 => drop(program.send("DELETE", &format!("/v2/open/app/blobs/{layer}"))),
                _ => answers.push(program.send("POST", &mount).status),
            }
        }
        answers
    });
    assert!(answers.iter().flatten().all(|status| [201, 202].contains(status)), "{answers:?}");
    program.push_blob("open/source", b"mounted");
    assert_eq!(program.send("POST", &mount).status, 201);
    assert_eq!(program.send("GET", &format!("/v2/open/app/blobs/{layer}")).body, b"mounted");
}

/// Pushes an image of these layers to the source of mounts.
fn push_source(program: &Program, layers: &[Vec<u8>]) -> Digest {
    let config = program.push_blob("open/source", b"{}");
    let layer = |bytes: &Vec<u8>| {
        let digest = program.push_blob("open/source", bytes);
        serde_json::json!({
            "mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": bytes.len()
        })
    };
    let image = serde_json::json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": config, "size": 2},
        "layers": layers.iter().map(layer).collect::<Vec<_>>()
    });
    let image = serde_json::to_vec(&image).unwrap();
    let digest = Digest::sha256(&image);
    let path = format!("/v2/open/source/manifests/{digest}");
    assert_eq!(program.send_with("PUT", &path, &[("content-type", MANIFEST)], &image).status, 201);
    digest
}

#[test]
fn what_was_mounted_while_its_source_was_collected_is_served() {
    /// As many mounts, each of a layer of its own, spread over a time in whose midst all layers are collected.
    const MOUNTS: usize = 40;
    const GRACE: Duration = Duration::from_secs(1);
    let program = Program::start_with(&["--deleted-grace-seconds", "1"]);
    let (mut mounted, mut uploads) = (0, 0);
    for round in 0..4 {
        let layers: Vec<Vec<u8>> =
            (0..MOUNTS).map(|number| format!("layer {number} of round {round}").into_bytes()).collect();
        let last = push_source(&program, &layers);
        let answers = at_once(MOUNTS + 1, |number| {
            let Some(layer) = layers.get(number) else {
                let began = Instant::now();
                assert_eq!(program.send("DELETE", &format!("/v2/open/source/manifests/{last}")).status, 202);
                while began.elapsed() < GRACE * 3 / 2 {
                    assert_eq!(program.send("POST", "/_hallmark/gc").status, 200);
                }
                return None;
            };
            // The first come with the deletion itself, the others from shortly before the end of the grace on.
            let wait =
                if number < 4 { Duration::ZERO } else { GRACE * 9 / 10 + GRACE / 100 * number.try_into().unwrap() };
            std::thread::sleep(wait);
            let mount = format!("mount={}&from=open/source", Digest::sha256(layer));
            Some(program.send("POST", &format!("/v2/open/app/blobs/uploads/?{mount}")).status)
        });
        assert_eq!(program.send("POST", "/_hallmark/gc").status, 200);
        for (layer, answer) in layers.iter().zip(answers.into_iter().flatten()) {
            let served = program.send("GET", &format!("/v2/open/app/blobs/{}", Digest::sha256(layer)));
            let left = program.send("HEAD", &format!("/v2/open/source/blobs/{}", Digest::sha256(layer)));
            assert_eq!(left.status, 404, "the source was collected");
            match answer {
                201 => {
                    mounted += 1;
                    assert_eq!((served.status, &served.body), (200, layer), "what was mounted in round {round}");
                }
                202 => {
                    uploads += 1;
                    assert_eq!(served.status, 404, "what was not mounted in round {round}");
                }
                other => unreachable!("expected a mount or an upload, found {other}"),
            }
        }
    }
    // Else collection came before all of them, or after.
    assert!(mounted > 16 && uploads > 0, "{mounted} mounted, {uploads} to be uploaded");
}
