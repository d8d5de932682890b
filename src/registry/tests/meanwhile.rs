//! What comes between two calls of a pull, of a view or of a pass of the scrub.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Semaphore;

use super::scrub::{flip, with_layer};
use super::{House, repository, tag};
use crate::clock::Timestamp;
use crate::interruption::{Fault, Interruption};
use crate::metadata::{Failing, Metadata as _, Sqlite};
use crate::oci::Digest;
use crate::registry::{Error, News, Notice};

/// Before so many opens, moves the bytes of a content under another key, as a repair does.
struct Moves {
    metadata: Arc<Failing<Sqlite>>,
    folder: std::path::PathBuf,
    digest: Digest,
    left: AtomicUsize,
}

#[async_trait]
impl Interruption for Moves {
    async fn before(&self, call: &'static str) -> Option<Fault> {
        if call != "open" {
            return None;
        }
        let left = self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).ok()?;
        let inner = self.metadata.inner();
        let key = inner.blob(&repository(), &self.digest).await.unwrap().unwrap().key;
        let other = format!("{}.{}", key.rsplit_once('.').unwrap().0, 1_000_000 + left);
        fs::hard_link(self.folder.join(&key), self.folder.join(&other)).unwrap();
        fs::remove_file(self.folder.join(&key)).unwrap();
        let at = Timestamp::from_micros(0);
        inner.quarantine_content(&self.digest, &key, "lost", at).await.unwrap().unwrap();
        assert!(inner.replace_content(&self.digest, &key, &other, "a copy", at).await.unwrap());
        None
    }

    async fn after(&self, _: &'static str) {}
}

async fn pull_while_it_moves(times: usize) -> Result<u64, Error> {
    let (house, digest) = with_layer().await;
    let folder = house.folder.path().join("_cas");
    let moves = Moves { metadata: Arc::clone(&house.metadata), folder, digest, left: AtomicUsize::new(times) };
    house.store.interruptions().set(Some(Arc::new(moves)));
    house.pull_blob("ci", digest).await
}

#[tokio::test]
async fn a_pull_finds_a_blob_that_moves_while_it_is_opened() {
    assert_eq!(pull_while_it_moves(1).await.unwrap(), 21);
}

#[tokio::test]
async fn a_pull_of_a_blob_that_moves_for_ever_ends() {
    let ended = pull_while_it_moves(1_000).await;
    assert!(matches!(&ended, Err(Error::Unavailable(why)) if why.contains("moved each time")), "{ended:?}");
}

#[tokio::test]
async fn a_pull_notes_what_is_lost_and_leaves_the_move_to_a_pass() {
    let (house, layer) = with_layer().await;
    let file = house.files_of(layer).remove(0);
    fs::File::options().write(true).open(&file).unwrap().set_len(3).unwrap();
    assert!(matches!(house.pull_blob("ci", layer).await, Err(Error::Quarantined(_))));
    assert!(file.exists());
    house.scrub().await;
    assert!(!file.exists());
    assert!(house.folder.path().join("_quarantine").join(file.file_name().unwrap()).exists());
}

#[tokio::test]
async fn a_file_that_a_pull_missed_and_that_comes_back_is_given_back_whole() {
    let (house, layer) = with_layer().await;
    let (file, aside) = (house.files_of(layer).remove(0), house.folder.path().join("aside"));
    fs::hard_link(&file, &aside).unwrap();
    fs::remove_file(&file).unwrap();
    assert!(matches!(house.pull_blob("ci", layer).await, Err(Error::Quarantined(_))));
    fs::hard_link(&aside, &file).unwrap();
    house.scrub().await;
    assert_eq!(house.pull_blob("ci", layer).await.unwrap(), 21);
    assert!(file.exists());
}

#[tokio::test]
async fn a_layout_that_is_to_link_a_lost_file_goes_without_it_and_holds_up_no_other() {
    let house = House::new().await;
    let lost = house.upload("ci", b"lost").await.unwrap();
    fs::remove_file(house.files_of(lost).remove(0)).unwrap();
    house.push_image("ci", "another", Some("v1")).await.unwrap();
    let there = house.registry.allow_sign(&super::who("ci"), &"prod/other".parse().unwrap()).unwrap();
    let another = Digest::sha256(b"another");
    assert!(house.registry.mount(&there, &another, Some(&repository())).await.unwrap());
    house.registry.flush_views().await.unwrap();
    for repository in ["prod/app", "prod/other"] {
        let blobs = house.folder.path().join(repository).join("blobs/sha256");
        assert!(blobs.join(another.hex()).exists() && !blobs.join(lost.hex()).exists(), "{repository}");
    }
    assert!(matches!(house.pull_blob("ci", lost).await, Err(Error::Quarantined(_))));
    let news = house.registry.housekeeping().news_so_far();
    assert!(matches!(news, Some(News::Quarantined { digest, .. }) if digest == lost), "{news:?}");
}

#[tokio::test]
async fn a_stray_file_in_the_place_of_a_layout_is_told_and_holds_up_no_other() {
    let (house, _) = with_layer().await;
    let stray = house.folder.path().join("prod/stray");
    fs::File::create(&stray).unwrap();
    let config = house.upload("ci", b"{\"a\": \"config\"}").await.unwrap();
    let push = async |name: &str, blob: Digest| {
        let there = house.registry.allow_sign(&super::who("ci"), &name.parse().unwrap()).unwrap();
        assert!(house.registry.mount(&there, &blob, Some(&repository())).await.unwrap());
    };
    push("prod/stray/zzz", config).await;
    push("prod/later", config).await;
    let Err(Error::Unavailable(why)) = house.registry.flush_views().await else { panic!("expected to be told") };
    assert!(why.contains("1 that can't be written, the first of prod/stray/zzz"), "{why}");
    let shown = |name: &str| house.folder.path().join(name).join("blobs/sha256").join(config.hex()).exists();
    assert!(shown("prod/later"));
    // It was set aside, not given up.
    fs::remove_file(&stray).unwrap();
    house.registry.flush_views().await.unwrap();
    assert!(shown("prod/stray/zzz"));
}

#[tokio::test]
async fn what_comes_after_a_layout_that_can_not_be_written_is_shown_before_that_is_tried_again_by_itself() {
    let (house, _) = with_layer().await;
    fs::File::create(house.folder.path().join("prod/stray")).unwrap();
    let config = house.upload("ci", b"{\"a\": \"config\"}").await.unwrap();
    let push = async |name: &str| {
        let there = house.registry.allow_sign(&super::who("ci"), &name.parse().unwrap()).unwrap();
        assert!(house.registry.mount(&there, &config, Some(&repository())).await.unwrap());
    };
    push("prod/stray/zzz").await;
    let told = Arc::new(AtomicUsize::new(0));
    let (registry, tells) = (Arc::clone(&house.registry), Arc::clone(&told));
    let tending = tokio::spawn(registry.tend(std::future::pending(), move |notice| {
        if matches!(notice, Notice::Failed("flush views", _)) {
            tells.fetch_add(1, Ordering::SeqCst);
        }
    }));
    let wait_until = async |holds: &dyn Fn() -> bool| {
        let began = std::time::Instant::now();
        while !holds() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        began.elapsed()
    };
    wait_until(&|| told.load(Ordering::SeqCst) == 1).await;
    push("prod/later").await;
    let shown = house.folder.path().join("prod/later/blobs/sha256").join(config.hex());
    // By itself it is tried again after five.
    assert!(wait_until(&|| shown.exists()).await < Duration::from_secs(4));
    assert_eq!(told.load(Ordering::SeqCst), 1);
    tending.abort();
}

/// Lets nobody who made a call go on until it is told, and counts who came.
struct Holds {
    call: &'static str,
    came: AtomicUsize,
    may_go: Semaphore,
}

impl Holds {
    fn on(call: &'static str) -> Arc<Self> {
        Arc::new(Self { call, came: AtomicUsize::new(0), may_go: Semaphore::new(0) })
    }

    /// Lets go on, after whoever can has come.
    async fn let_go(&self, came: usize) {
        turns().await;
        assert_eq!(self.came.load(Ordering::SeqCst), came);
        self.may_go.add_permits(100);
    }
}

async fn turns() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[async_trait]
impl Interruption for Holds {
    async fn before(&self, _: &'static str) -> Option<Fault> {
        None
    }

    async fn after(&self, call: &'static str) {
        if call == self.call {
            self.came.fetch_add(1, Ordering::SeqCst);
            self.may_go.acquire().await.unwrap().forget();
        }
    }
}

#[tokio::test]
async fn what_a_pull_notes_is_told_though_its_client_goes_away() {
    let (house, layer) = with_layer().await;
    fs::remove_file(house.files_of(layer).remove(0)).unwrap();
    let house = Arc::new(house);
    let holds = Holds::on("quarantine_content");
    house.metadata.interruptions().set(Some(Arc::<Holds>::clone(&holds)));
    let puller = Arc::clone(&house);
    let pull = tokio::spawn(async move { puller.pull_blob("ci", layer).await });
    turns().await;
    pull.abort();
    assert!(pull.await.unwrap_err().is_cancelled());
    holds.let_go(1).await;
    turns().await;
    let news = house.registry.housekeeping().news_so_far();
    assert!(matches!(news, Some(News::Quarantined { digest, .. }) if digest == layer), "{news:?}");
}

#[tokio::test]
async fn of_two_passes_the_second_waits_for_the_first() {
    let (house, layer) = with_layer().await;
    flip(&house.files_of(layer).remove(0));
    let holds = Holds::on("open_cold");
    house.store.interruptions().set(Some(Arc::<Holds>::clone(&holds)));
    let passes = async { tokio::join!(house.scrub(), house.scrub()) };
    tokio::join!(passes, holds.let_go(1));
    // The second begins anew: two contents each.
    assert_eq!(holds.came.load(Ordering::SeqCst), 4);
}

#[tokio::test]
async fn a_manifest_whose_bytes_are_sound_again_is_healed_by_a_pass() {
    let (house, _) = with_layer().await;
    let digest = house.pull("ci", &tag("v1")).await.unwrap();
    let sound = house.metadata.manifest(&repository(), &digest).await.unwrap().unwrap().bytes;
    let database = rusqlite::Connection::open(house.folder.path().join("_metadata.sqlite")).unwrap();
    let write = |bytes: &[u8]| database.execute("UPDATE manifests SET bytes = ?1", [bytes]).unwrap();
    write(b"{}");
    let at = Timestamp::from_micros(0);
    assert!(house.metadata.quarantine_manifest(&repository(), &digest, b"{}", "rotten", at).await.unwrap());
    write(&sound);
    house.scrub().await;
    assert_eq!(house.metadata.quarantined_count().await.unwrap(), 0);
    let news = house.registry.housekeeping().news_so_far();
    assert!(matches!(news, Some(News::Repaired { from: "its own bytes", .. })), "{news:?}");
}

#[tokio::test]
async fn a_manifest_that_rotted_before_it_was_shown_is_shown_when_it_is_healed() {
    let house = House::new().await;
    let digest = house.push_image("ci", "layer", Some("v1")).await.unwrap();
    let sound = house.metadata.manifest(&repository(), &digest).await.unwrap().unwrap().bytes;
    let rotten = vec![b' '; sound.len()];
    let database = rusqlite::Connection::open(house.folder.path().join("_metadata.sqlite")).unwrap();
    assert_eq!(database.execute("UPDATE manifests SET bytes = ?1", [rotten]).unwrap(), 1);
    let shown = house.folder.path().join("prod/app/blobs/sha256").join(digest.hex());
    house.registry.flush_views().await.unwrap();
    assert!(!shown.exists());
    house.push_image("ci", "layer", Some("v1")).await.unwrap();
    house.registry.flush_views().await.unwrap();
    assert_eq!(fs::read(shown).unwrap(), sound);
}
