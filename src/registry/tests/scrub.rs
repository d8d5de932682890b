//! What rots is noticed, never served again, and healed from wherever sound bytes are.

use std::fs;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{House, image, repository, sig_tag, tag, who};
use crate::clock::{ManualClock, Timestamp};
use crate::config::Limits;
use crate::interruption::{Fault, Interruption};
use crate::metadata::Metadata as _;
use crate::oci::{Digest, Precondition, media_type};
use crate::registry::{Error, Housekeeping, News};
use crate::store::{ObjectKey, READ_BYTES, Store as _};

pub(super) const LAYER: &[u8] = b"a layer of some bytes";

/// Another byte in the place of the first one of a file: a bit that flipped.
pub(super) fn flip(file: &Path) {
    let mut file = fs::File::options().read(true).write(true).open(file).unwrap();
    let mut byte = [0];
    file.read_exact(&mut byte).unwrap();
    file.rewind().unwrap();
    file.write_all(&[byte[0] ^ 1]).unwrap();
}

/// A house with an image of one layer, whose layer is told.
pub(super) async fn with_layer() -> (House, Digest) {
    let house = House::new().await;
    let config = house.upload("ci", b"{\"a\": \"config\"}").await.unwrap();
    let layer = house.upload("ci", LAYER).await.unwrap();
    house.put("ci", &tag("v1"), media_type::OCI_MANIFEST, &image(config, layer)).await.unwrap();
    house.registry.flush_views().await.unwrap();
    (house, layer)
}

impl House {
    pub(super) async fn scrub(&self) {
        self.registry.housekeeping().scrub_at_once().await.unwrap();
    }

    async fn quarantined(&self) -> Vec<Digest> {
        let status = self.registry.housekeeping().scrub_status().await.unwrap();
        status.objects.into_iter().map(|object| object.digest).collect()
    }

    fn news(&self) -> Vec<News> {
        std::iter::from_fn(|| self.registry.housekeeping().news_so_far()).collect()
    }

    /// How many files are kept aside.
    fn kept_aside(&self) -> usize {
        fs::read_dir(self.folder.path().join("_quarantine")).unwrap().count()
    }

    pub(super) fn layout_file(&self, digest: Digest) -> std::path::PathBuf {
        self.folder.path().join("prod/app/blobs/sha256").join(digest.hex())
    }
}

fn is_quarantined<T: std::fmt::Debug>(result: &Result<T, Error>) -> bool {
    matches!(result, Err(Error::Quarantined(_)))
}

#[tokio::test]
async fn what_is_sound_passes_and_is_counted() {
    let (house, _) = with_layer().await;
    house.scrub().await;
    assert!(house.quarantined().await.is_empty() && house.news().is_empty());
    let pass = house.metadata.scrub_pass().await.unwrap().unwrap();
    // The configuration, the layer, the manifest.
    assert_eq!((pass.objects, pass.quarantined), (3, 0));
    assert!(pass.bytes > 36 && pass.ended.is_some());
}

#[tokio::test]
async fn what_is_quarantined_is_told_with_the_repositories_that_have_it_of_many_the_first() {
    for (others, more) in [(15, false), (16, true)] {
        let (house, layer) = with_layer().await;
        for number in 0..others {
            let there = house.registry.allow_sign(&who("ci"), &format!("prod/other{number}").parse().unwrap()).unwrap();
            assert!(house.registry.mount(&there, &layer, Some(&repository())).await.unwrap());
        }
        flip(&house.files_of(layer)[0]);
        house.scrub().await;
        let told = house.registry.housekeeping().scrub_status().await.unwrap().objects.remove(0);
        assert_eq!((told.digest, told.repository, told.repositories.len(), told.more), (layer, None, 16, more));
        assert_eq!(told.repositories[..2], ["prod/app", "prod/other0"]);
    }
}

#[tokio::test]
async fn a_manifest_that_rotted_in_its_layout_is_replaced_there_and_told() {
    let (house, _) = with_layer().await;
    let reference = tag("v1");
    let digest = house.pull("ci", &reference).await.unwrap();
    let shown = house.layout_file(digest);
    let sound = fs::read(&shown).unwrap();
    flip(&shown);
    house.scrub().await;
    assert_eq!(fs::read(&shown).unwrap(), sound);
    let repaired = house.news();
    assert!(matches!(&repaired[..], [News::Repaired { digest: told, .. }] if *told == digest), "{repaired:?}");
    let pass = house.metadata.scrub_pass().await.unwrap().unwrap();
    assert_eq!((pass.objects, pass.quarantined, pass.repaired, pass.unchecked), (3, 0, 1, 0));
    assert!(house.quarantined().await.is_empty());
}

#[tokio::test]
async fn a_blob_with_a_flipped_bit_is_quarantined_and_served_to_nobody() {
    let (house, layer) = with_layer().await;
    house.pull_blob("ci", layer).await.unwrap();
    flip(&house.files_of(layer)[0]);
    house.scrub().await;
    assert_eq!(house.quarantined().await, [layer]);
    assert!(is_quarantined(&house.pull_blob("ci", layer).await));
    let News::Quarantined { digest, why, .. } = &house.news()[0] else { panic!("expected a quarantine") };
    assert!(*digest == layer && why.contains("hash to their name"), "{why}");
}

#[tokio::test]
async fn quarantined_bytes_are_kept_and_leave_the_layout() {
    let (house, layer) = with_layer().await;
    assert!(house.layout_file(layer).exists());
    flip(&house.files_of(layer)[0]);
    house.scrub().await;
    house.registry.flush_views().await.unwrap();
    let kept: Vec<_> = fs::read_dir(house.folder.path().join("_quarantine")).unwrap().collect();
    assert!(kept.len() == 1 && house.files_of(layer).is_empty() && !house.layout_file(layer).exists());
}

#[tokio::test]
async fn a_quarantined_blob_says_nothing_to_who_may_not_have_it() {
    let (house, layer) = with_layer().await;
    flip(&house.files_of(layer)[0]);
    house.scrub().await;
    assert!(matches!(house.pull_blob("deploy", layer).await, Err(Error::BlobUnknown(_))));
}

#[tokio::test]
async fn pushing_a_quarantined_blob_again_heals_it() {
    let (house, layer) = with_layer().await;
    flip(&house.files_of(layer)[0]);
    house.scrub().await;
    house.upload("ci", LAYER).await.unwrap();
    assert_eq!(house.pull_blob("ci", layer).await.unwrap(), 21);
    house.scrub().await;
    house.registry.flush_views().await.unwrap();
    assert!(house.quarantined().await.is_empty());
    assert_eq!(fs::read(house.layout_file(layer)).unwrap(), LAYER);
}

/// The digests of a refusal that says that content is absent.
fn absent<T: std::fmt::Debug>(result: Result<T, Error>) -> Vec<Digest> {
    match result {
        Err(Error::ContentAbsent(digests)) => digests,
        other => panic!("expected content to be absent, found {other:?}"),
    }
}

#[tokio::test]
async fn an_image_that_names_quarantined_content_is_refused_as_if_that_were_absent_and_taken_once_it_is_healed() {
    let (house, layer) = with_layer().await;
    flip(&house.files_of(layer)[0]);
    house.scrub().await;
    let config = house.upload("ci", b"{\"another\": \"config\"}").await.unwrap();
    let put = async || house.put("ci", &tag("v2"), media_type::OCI_MANIFEST, &image(config, layer)).await;
    assert_eq!(absent(put().await), [layer]);
    assert!(matches!(house.pull("ci", &tag("v2")).await, Err(Error::ManifestUnknown(_))));
    house.upload("ci", LAYER).await.unwrap();
    let stored = put().await.unwrap();
    assert_eq!(house.pull("ci", &tag("v2")).await.unwrap(), stored.digest);
}

#[tokio::test]
async fn a_signature_whose_payload_is_quarantined_is_refused_as_if_that_were_absent_and_taken_once_it_is_healed() {
    let (house, _) = with_layer().await;
    let subject = house.pull("ci", &tag("v1")).await.unwrap();
    let (signature, payload) = house.signature("signer", &house.keys.release, subject).await.unwrap();
    flip(&house.files_of(payload)[0]);
    house.scrub().await;
    let put = async || house.put("signer", &sig_tag(subject), media_type::OCI_MANIFEST, &signature).await;
    assert_eq!(absent(put().await), [payload]);
    // The payload is the same whoever signs.
    house.sign_release(subject).await;
    assert!(house.quarantined().await.is_empty());
    put().await.unwrap();
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), subject);
}

#[tokio::test]
async fn a_copy_in_a_layout_repairs_a_blob() {
    let (house, layer) = with_layer().await;
    // As where a file system has no link left to give: a file of its own.
    let copy = house.layout_file(layer);
    fs::remove_file(&copy).unwrap();
    fs::File::create(&copy).unwrap().write_all(LAYER).unwrap();
    flip(&house.files_of(layer)[0]);
    house.scrub().await;
    assert!(house.quarantined().await.is_empty());
    assert_eq!(house.pull_blob("ci", layer).await.unwrap(), 21);
    assert!(matches!(house.news()[1], News::Repaired { digest, .. } if digest == layer));
    assert_eq!(house.kept_aside(), 1, "what rotted is for whoever wants to look");
}

#[tokio::test]
async fn a_blob_whose_file_is_lost_is_quarantined_and_comes_back_with_it() {
    let (house, layer) = with_layer().await;
    let file = house.files_of(layer)[0].clone();
    let away = house.folder.path().join("away");
    fs::hard_link(&file, &away).unwrap();
    fs::remove_file(&file).unwrap();
    fs::remove_file(house.layout_file(layer)).unwrap();
    house.scrub().await;
    assert!(is_quarantined(&house.pull_blob("ci", layer).await));
    fs::hard_link(&away, &file).unwrap();
    house.scrub().await;
    assert_eq!(house.pull_blob("ci", layer).await.unwrap(), 21);
}

#[tokio::test]
async fn a_pull_notices_a_blob_that_was_cut_short() {
    let (house, layer) = with_layer().await;
    fs::File::options().write(true).open(&house.files_of(layer)[0]).unwrap().set_len(3).unwrap();
    assert!(is_quarantined(&house.pull_blob("ci", layer).await));
    assert_eq!(house.quarantined().await, [layer]);
}

#[tokio::test]
async fn a_pull_notices_a_blob_whose_file_is_lost() {
    let (house, layer) = with_layer().await;
    fs::remove_file(&house.files_of(layer)[0]).unwrap();
    assert!(is_quarantined(&house.pull_blob("ci", layer).await));
    assert_eq!(house.quarantined().await, [layer]);
}

#[tokio::test]
async fn a_store_that_can_not_answer_quarantines_nothing() {
    let (house, layer) = with_layer().await;
    house.store.fail(true);
    assert!(matches!(house.registry.housekeeping().scrub_at_once().await, Err(Error::Unavailable(_))));
    house.store.fail(false);
    assert!(house.quarantined().await.is_empty());
    house.pull_blob("ci", layer).await.unwrap();
}

/// Two blobs, the one that a pass comes to first before the other.
async fn two(house: &House) -> [Digest; 2] {
    let mut blobs = [house.upload("ci", b"one").await.unwrap(), house.upload("ci", b"two").await.unwrap()];
    blobs.sort_by(|one, other| one.as_bytes().cmp(other.as_bytes()));
    blobs
}

/// Lets the medium refuse every read.
struct Unreadable;

#[async_trait::async_trait]
impl Interruption for Unreadable {
    async fn before(&self, call: &'static str) -> Option<Fault> {
        (call == "read").then_some(Fault::Medium)
    }

    async fn after(&self, _: &'static str) {}
}

#[tokio::test]
async fn what_a_medium_refused_is_given_back_by_the_pass_that_can_read_it() {
    let (house, layer) = with_layer().await;
    let at = Timestamp::from_micros(0);
    let key = house.metadata.contents(None, 9).await.unwrap().into_iter().find(|one| one.digest == layer).unwrap().key;
    assert!(house.metadata.quarantine_content(&layer, &key, "refused", at).await.unwrap().is_some());
    house.store.quarantine(&ObjectKey(key.clone())).await.unwrap();
    house.scrub().await;
    assert_eq!(house.pull_blob("ci", layer).await.unwrap(), 21);
    let news = house.news();
    assert!(matches!(news[..], [News::Repaired { digest, from: "its own file", .. }] if digest == layer), "{news:?}");
    assert_eq!(house.kept_aside(), 0);
}

#[tokio::test]
async fn quarantined_bytes_that_are_sound_again_come_back_under_a_fresh_key() {
    let (house, layer) = with_layer().await;
    let before = house.files_of(layer);
    flip(&before[0]);
    house.scrub().await;
    assert!(house.files_of(layer).is_empty());
    house.scrub().await;
    assert_eq!(house.quarantined().await, [layer]);
    flip(&house.folder.path().join("_quarantine").join(before[0].file_name().unwrap()));
    house.scrub().await;
    house.registry.flush_views().await.unwrap();
    assert!(house.quarantined().await.is_empty());
    assert_eq!(house.pull_blob("ci", layer).await.unwrap(), 21);
    assert_ne!(house.files_of(layer), before);
    assert_eq!(fs::read(house.layout_file(layer)).unwrap(), LAYER);
    assert_eq!((house.files_of(layer).len(), house.kept_aside()), (1, 0));
}

#[tokio::test]
async fn what_is_given_back_is_kept_aside_until_it_is_live() {
    let (house, layer) = with_layer().await;
    let file = house.files_of(layer)[0].clone();
    flip(&file);
    house.scrub().await;
    flip(&house.folder.path().join("_quarantine").join(file.file_name().unwrap()));
    house.metadata.interruptions().set(Some(Arc::new(First("replace_content", false.into()))));
    assert!(house.registry.housekeeping().scrub_at_once().await.is_err());
    assert_eq!((house.quarantined().await, house.kept_aside()), (vec![layer], 1));
    house.metadata.interruptions().set(None);
    house.scrub().await;
    assert_eq!((house.quarantined().await, house.kept_aside()), (vec![], 0));
    assert_eq!(house.pull_blob("ci", layer).await.unwrap(), 21);
}

/// Notes when each read of an object begins.
#[derive(Default)]
struct Reads(std::sync::Mutex<Vec<std::time::Instant>>);

#[async_trait::async_trait]
impl Interruption for Reads {
    async fn before(&self, call: &'static str) -> Option<Fault> {
        if call == "read" {
            self.0.lock().unwrap().push(std::time::Instant::now());
        }
        None
    }

    async fn after(&self, _: &'static str) {}
}

#[tokio::test]
async fn what_is_kept_aside_is_read_at_the_rate_of_the_pass() {
    let limits = Limits { scrub_bytes_per_second: 4 << 20, ..Limits::default() };
    let house = House::with(super::POLICY, "[signed-release]\nsigned_by = \"release\"\n", limits).await;
    let layer = house.upload("ci", &vec![7; 4 * READ_BYTES]).await.unwrap();
    flip(&house.files_of(layer)[0]);
    house.scrub().await;
    assert_eq!((house.quarantined().await, house.kept_aside()), (vec![layer], 1));
    let reads = Arc::new(Reads::default());
    house.store.interruptions().set(Some(Arc::<Reads>::clone(&reads)));
    house.registry.housekeeping().scrub().await.unwrap();
    house.store.interruptions().set(None);
    let reads = reads.0.lock().unwrap();
    assert_eq!(reads.len(), 4);
    // A piece is a sixteenth of what a second may bring.
    let between: Vec<_> = reads.windows(2).map(|two| two[1] - two[0]).collect();
    assert!(between.iter().all(|pause| *pause >= Duration::from_millis(55)), "{between:?}");
}

#[tokio::test]
async fn what_the_medium_refuses_beside_others_is_quarantined() {
    let (house, _) = with_layer().await;
    house.store.interruptions().set(Some(Arc::new(Unreadable)));
    house.scrub().await;
    house.store.interruptions().set(None);
    let counters = house.registry.housekeeping().counters();
    assert_eq!((counters.quarantined(), counters.repaired(), house.kept_aside()), (2, 0, 2));
    // Both contents are given back by the pass that can read them where they were put.
    house.scrub().await;
    assert_eq!((counters.quarantined(), counters.repaired(), house.kept_aside()), (2, 2, 0));
    assert!(house.quarantined().await.is_empty());
}

#[tokio::test]
async fn a_medium_that_refuses_everything_quarantines_nothing_and_ends_the_attempt() {
    let house = House::new().await;
    for name in 0..12 {
        house.upload("ci", format!("blob {name}").as_bytes()).await.unwrap();
    }
    house.store.interruptions().set(Some(Arc::new(Unreadable)));
    let Err(Error::Unavailable(why)) = house.registry.housekeeping().scrub_at_once().await else {
        panic!("expected the attempt to end");
    };
    assert!(why.contains("8 contents in a row"), "{why}");
    house.store.interruptions().set(None);
    assert!(house.quarantined().await.is_empty());
    // It goes on behind them.
    house.scrub().await;
    let pass = house.metadata.scrub_pass().await.unwrap().unwrap();
    assert_eq!((pass.objects, pass.unchecked, pass.quarantined), (4, 8, 0));
}

/// Lets the first call of a kind fail as the machine does.
struct First(&'static str, std::sync::atomic::AtomicBool);

#[async_trait::async_trait]
impl Interruption for First {
    async fn before(&self, call: &'static str) -> Option<Fault> {
        let is_first = call == self.0 && !self.1.swap(true, std::sync::atomic::Ordering::SeqCst);
        is_first.then_some(Fault::Refused)
    }

    async fn after(&self, _: &'static str) {}
}

#[tokio::test]
async fn a_content_that_can_not_be_opened_is_told_and_holds_up_no_other() {
    let house = House::new().await;
    let [first, second] = two(&house).await;
    flip(&house.files_of(second)[0]);
    house.store.interruptions().set(Some(Arc::new(First("open_cold", false.into()))));
    house.scrub().await;
    assert_eq!(house.quarantined().await, [second]);
    let pass = house.registry.housekeeping().scrub_status().await.unwrap().pass.unwrap();
    assert_eq!((pass.objects, pass.unchecked), (1, 1));
    assert!(pass.ended.is_some());
    assert_eq!(house.registry.housekeeping().counters().unchecked(), 1);
    assert!(matches!(&house.news()[0], News::Unchecked { digest, .. } if *digest == first));
}

#[tokio::test]
async fn a_link_in_the_place_of_an_object_is_quarantined_as_lost() {
    let house = House::new().await;
    let [first, second] = two(&house).await;
    let file = house.files_of(first)[0].clone();
    let away = house.folder.path().join("away");
    fs::hard_link(&file, &away).unwrap();
    fs::remove_file(&file).unwrap();
    std::os::unix::fs::symlink(&away, &file).unwrap();
    flip(&house.files_of(second)[0]);
    house.scrub().await;
    assert_eq!(house.quarantined().await.len(), 2);
    assert!(is_quarantined(&house.pull_blob("ci", first).await));
    assert!(fs::symlink_metadata(&file).is_err());
}

#[tokio::test]
async fn a_quarantined_blob_is_not_mounted() {
    let (house, layer) = with_layer().await;
    flip(&house.files_of(layer)[0]);
    house.scrub().await;
    let there = house.registry.allow_sign(&who("ci"), &"prod/other".parse().unwrap()).unwrap();
    assert!(!house.registry.mount(&there, &layer, Some(&repository())).await.unwrap());
}

/// Other bytes in the place of a manifest's, behind the registry's back.
fn rot_manifest(house: &House, digest: Digest) {
    let connection = rusqlite::Connection::open(house.folder.path().join("_metadata.sqlite")).unwrap();
    let rotten = connection.execute(
        "UPDATE manifests SET bytes = x'7b7d' WHERE digest = ?1
         AND repository = (SELECT id FROM repositories WHERE name = 'prod/app')",
        [digest.as_bytes()],
    );
    assert_eq!(rotten.unwrap(), 1);
}

#[tokio::test]
async fn a_manifest_that_rotted_is_repaired_from_its_layout() {
    let (house, _) = with_layer().await;
    let digest = house.pull("ci", &tag("v1")).await.unwrap();
    rot_manifest(&house, digest);
    house.scrub().await;
    assert!(house.quarantined().await.is_empty());
    let news = house.news();
    assert!(matches!(news[1], News::Repaired { from: "its layout", .. }), "{news:?}");
    assert_eq!(house.pull("ci", &tag("v1")).await.unwrap(), digest);
}

#[tokio::test]
async fn a_pull_notices_a_manifest_that_rotted() {
    let (house, _) = with_layer().await;
    let bytes = serde_json::to_vec(&serde_json::json!({"schemaVersion": 2})).unwrap();
    let digest = house.metadata.tags(&repository(), None, 1).await.unwrap()[0].1;
    rot_manifest(&house, digest);
    fs::File::create(house.layout_file(digest)).unwrap().write_all(&bytes).unwrap();
    assert!(is_quarantined(&house.pull("ci", &tag("v1")).await));
    assert_eq!(house.quarantined().await, [digest]);
}

#[tokio::test]
async fn a_manifest_that_rotted_is_repaired_from_another_repository() {
    let (house, layer) = with_layer().await;
    let digest = house.pull("ci", &tag("v1")).await.unwrap();
    let bytes = house.metadata.manifest(&repository(), &digest).await.unwrap().unwrap().bytes;
    let other = "prod/other".parse().unwrap();
    let there = house.registry.allow_sign(&who("ci"), &other).unwrap();
    let config = Digest::sha256(b"{\"a\": \"config\"}");
    for blob in [config, layer] {
        assert!(house.registry.mount(&there, &blob, Some(&repository())).await.unwrap());
    }
    let put = crate::registry::ManifestPut {
        reference: tag("v1"),
        tags: Vec::new(),
        precondition: Precondition::default(),
        content_type: media_type::OCI_MANIFEST.to_owned(),
        bytes,
    };
    house.registry.put_manifest(&there, put).await.unwrap();
    rot_manifest(&house, digest);
    fs::remove_file(house.layout_file(digest)).unwrap();
    house.scrub().await;
    let news = house.news();
    assert!(matches!(news[1], News::Repaired { from: "another repository", .. }), "{news:?}");
    assert!(house.quarantined().await.is_empty());
}

#[tokio::test]
async fn a_pass_that_broke_off_goes_on_where_it_was() {
    let house = House::new().await;
    for name in 0..8 {
        house.upload("ci", format!("blob {name}").as_bytes()).await.unwrap();
    }
    let contents = house.metadata.contents(None, 100).await.unwrap();
    let under_way = crate::metadata::ScrubPass {
        content: Some(contents[4].digest),
        objects: 5,
        ..crate::metadata::ScrubPass::begin(Timestamp::from_micros(1))
    };
    house.metadata.note_scrub_pass(under_way).await.unwrap();
    house.scrub().await;
    let pass = house.metadata.scrub_pass().await.unwrap().unwrap();
    assert_eq!((pass.objects, pass.began.micros()), (8, 1));
    assert_eq!(house.registry.housekeeping().counters().objects(), 3);
}

#[tokio::test]
async fn a_whole_pass_rests_for_a_day() {
    let house = House::new().await;
    let due = async || house.registry.housekeeping().scrub_due().await.unwrap();
    assert_eq!(due().await, Some(Duration::ZERO));
    house.scrub().await;
    assert_eq!(due().await, Some(Duration::from_hours(24)));
}

#[tokio::test]
async fn a_scrub_that_is_turned_off_is_never_due() {
    let limits = Limits { scrub_bytes_per_second: 0, ..Limits::default() };
    let house = House::with(super::POLICY, "[signed-release]\nsigned_by = \"release\"\n", limits).await;
    assert_eq!(house.registry.housekeeping().scrub_due().await.unwrap(), None);
}

#[tokio::test]
async fn an_object_that_nothing_names_goes_after_a_day_and_not_before() {
    let (house, layer) = with_layer().await;
    let named = house.files_of(layer)[0].clone();
    let unnamed = named.with_file_name(format!("{}.77", layer.hex()));
    fs::File::create(&unnamed).unwrap().write_all(b"left by a power cut").unwrap();
    let written = std::os::unix::fs::MetadataExt::ctime(&fs::metadata(&unnamed).unwrap());
    let mut counted = Vec::new();
    for later in [3_600, 90_000] {
        assert!(unnamed.exists());
        let clock = ManualClock::at(Timestamp::from_micros((written + later) * 1_000_000));
        let (store, metadata) = (Arc::clone(&house.store), Arc::clone(&house.metadata));
        let keeper = Housekeeping::alone(store, metadata, Arc::new(clock), Limits::default());
        keeper.scrub_at_once().await.unwrap();
        let swept = keeper.sweep_rows().await.unwrap();
        keeper.remove_swept(&swept).await.unwrap();
        counted.push(keeper.counters().unnamed());
    }
    assert!(!unnamed.exists() && named.exists());
    assert_eq!(counted, [0, 1]);
}

#[tokio::test]
async fn a_manifest_or_an_index_that_its_layout_has_lost_is_shown_again_after_a_scrub() {
    let (house, _) = with_layer().await;
    let digest = house.pull("ci", &tag("v1")).await.unwrap();
    house.registry.flush_views().await.unwrap();
    let shown = [house.layout_file(digest), house.folder.path().join("prod/app/index.json")];
    let sound = shown.each_ref().map(|file| fs::read(file).unwrap());
    for lost in &shown {
        fs::remove_file(lost).unwrap();
        house.registry.flush_views().await.unwrap();
        assert!(!lost.exists(), "nothing is pending");
        house.scrub().await;
        house.registry.flush_views().await.unwrap();
        assert_eq!(shown.each_ref().map(|file| fs::read(file).unwrap()), sound);
    }
    flip(&shown[1]);
    house.scrub().await;
    house.registry.flush_views().await.unwrap();
    assert_eq!(fs::read(&shown[1]).unwrap(), sound[1]);
    assert!(house.metadata.dirty_views().await.unwrap().is_empty());
}
