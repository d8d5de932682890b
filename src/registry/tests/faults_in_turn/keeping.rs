//! The verbs that keep house: scrub, collection, the reserve, the trail, a start, an import.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::time::Duration;

use uuid::Uuid;

use super::{Harm, Verb, content, image_of, layer, pushed, version};
use crate::clock::Clock as _;
use crate::metadata::{MANIFESTS_BYTES, StoredRevision, Trail};
use crate::registry::judge::Place;
use crate::registry::tests::import::{Folder, config, refusals};
use crate::registry::tests::invariants::Harmed;
use crate::registry::tests::scrub::flip;
use crate::registry::tests::views::large;
use crate::registry::tests::*;
use crate::registry::{Begin, import};
use crate::store::Store as _;

/// Passes of the scrub until one could check everything: what one could not is for the next.
async fn passes(house: &House) -> Result<(), Error> {
    let keeper = house.registry.housekeeping();
    let mut unchecked = String::new();
    for _ in 0..3 {
        keeper.scrub_at_once().await?;
        match keeper.scrub_status().await?.pass {
            Some(pass) if pass.unchecked == 0 => return Ok(()),
            pass => unchecked = format!("{pass:?}"),
        }
    }
    Err(Error::Unavailable(unchecked))
}

/// Passes until nothing is quarantined any more: what is aside and can't be read now is for the next.
async fn heals(house: &House) -> Result<(), Error> {
    for _ in 0..3 {
        passes(house).await?;
        if house.registry.housekeeping().soundness().await?.0 == 0 {
            return Ok(());
        }
    }
    Err(Error::Unavailable("found something quarantined still".to_owned()))
}

/// An image that its layout shows.
async fn shown(house: &House, number: usize) {
    pushed(house, number).await;
    house.registry.flush_views().await.unwrap();
}

async fn key_of(house: &House, digest: Digest) -> String {
    let contents = house.metadata.contents(None, 1000).await.unwrap();
    contents.into_iter().find(|content| content.digest == digest).unwrap().key
}

/// That the layer of that number is other than it was, or not there any more.
async fn layer_harmed(house: &House, number: usize, lost: bool) -> Harm {
    let keys = BTreeSet::from([key_of(house, layer(number)).await]);
    let lost = if lost { keys.clone() } else { BTreeSet::new() };
    Harm { digests: vec![layer(number)], harmed: Harmed { ever: keys, lost } }
}

async fn rots(house: &House, number: usize) -> Harm {
    flip(&house.files_of(layer(number))[0]);
    layer_harmed(house, number, false).await
}

async fn is_quarantined(house: &House, number: usize) -> bool {
    matches!(house.pull_blob("ci", layer(number)).await, Err(Error::Quarantined(_)))
}

/// Whether the layer is what it was, and nothing is quarantined.
async fn is_healed(house: &House, number: usize) -> bool {
    let size = u64::try_from(content(number).len()).unwrap();
    let served = house.pull_blob("ci", layer(number)).await.is_ok_and(|found| found == size);
    served && house.metadata.quarantined_count().await.unwrap() == 0
}

pub(super) fn a_pass_over_something_rotten() -> Verb {
    Verb {
        prepare: |house, number| Box::pin(shown(house, number)),
        harm: |house, number| Box::pin(rots(house, number)),
        act: |house, _| Box::pin(passes(house)),
        is_done: |house, number| {
            Box::pin(async move { is_quarantined(house, number).await && house.files_of(layer(number)).is_empty() })
        },
        ..Verb::default()
    }
}

pub(super) fn a_pass_over_something_lost() -> Verb {
    async fn harm(house: &House, number: usize) -> Harm {
        fs::remove_file(&house.files_of(layer(number))[0]).unwrap();
        fs::remove_file(house.layout_file(layer(number))).unwrap();
        layer_harmed(house, number, true).await
    }
    Verb {
        prepare: |house, number| Box::pin(shown(house, number)),
        harm: |house, number| Box::pin(harm(house, number)),
        act: |house, _| Box::pin(passes(house)),
        is_done: |house, number| Box::pin(is_quarantined(house, number)),
        ..Verb::default()
    }
}

pub(super) fn a_pass_over_something_that_came_back() -> Verb {
    async fn harm(house: &House, number: usize) -> Harm {
        let harm = rots(house, number).await;
        let file = house.files_of(layer(number)).remove(0);
        house.registry.housekeeping().scrub_at_once().await.unwrap();
        flip(&house.folder.path().join("_quarantine").join(file.file_name().unwrap()));
        harm
    }
    Verb { harm: |house, number| Box::pin(harm(house, number)), ..a_pass_that_heals() }
}

fn a_pass_that_heals() -> Verb {
    Verb {
        prepare: |house, number| Box::pin(shown(house, number)),
        act: |house, _| Box::pin(heals(house)),
        is_done: |house, number| Box::pin(is_healed(house, number)),
        leaves_unnamed: true,
        ..Verb::default()
    }
}

pub(super) fn a_pass_over_something_rotten_that_its_layout_has() -> Verb {
    async fn harm(house: &House, number: usize) -> Harm {
        // As where a file system has no link left to give: a file of its own.
        let copy = house.layout_file(layer(number));
        fs::remove_file(&copy).unwrap();
        fs::File::create(&copy).unwrap().write_all(content(number).as_bytes()).unwrap();
        rots(house, number).await
    }
    Verb { harm: |house, number| Box::pin(harm(house, number)), ..a_pass_that_heals() }
}

pub(super) fn a_pass_over_a_manifest_that_rotted() -> Verb {
    fn harm(house: &House, number: usize) -> Harm {
        let connection = rusqlite::Connection::open(house.folder.path().join("_metadata.sqlite")).unwrap();
        let digest = image_of(number);
        let rotten = connection.execute(
            "UPDATE manifests SET bytes = CAST(bytes || x'20' AS BLOB) WHERE digest = ?1",
            [digest.as_bytes()],
        );
        assert_eq!(rotten.unwrap(), 1);
        Harm { digests: vec![digest], harmed: Harmed::default() }
    }
    Verb {
        prepare: |house, number| Box::pin(shown(house, number)),
        harm: |house, number| Box::pin(async move { harm(house, number) }),
        act: |house, _| Box::pin(heals(house)),
        is_done: |house, _| Box::pin(async move { house.metadata.quarantined_count().await.unwrap() == 0 }),
        ..Verb::default()
    }
}

pub(super) fn a_pass_over_a_manifest_that_rotted_in_its_layout() -> Verb {
    fn harm(house: &House, number: usize) -> Harm {
        flip(&house.layout_file(image_of(number)));
        Harm::default()
    }
    fn is_done(house: &House, number: usize) -> bool {
        let shown = fs::read(house.layout_file(image_of(number))).unwrap();
        Digest::sha256(&shown) == image_of(number)
    }
    Verb {
        prepare: |house, number| Box::pin(shown(house, number)),
        harm: |house, number| Box::pin(async move { harm(house, number) }),
        act: |house, _| Box::pin(passes(house)),
        is_done: |house, number| Box::pin(async move { is_done(house, number) }),
        ..Verb::default()
    }
}

pub(super) fn a_pass_over_an_object_without_a_name() -> Verb {
    async fn prepare(house: &House, number: usize) {
        pushed(house, number).await;
        let named = house.files_of(layer(number)).remove(0);
        let unnamed = named.with_file_name(format!("{}.77", layer(number).hex()));
        fs::File::create(unnamed).unwrap().write_all(b"left by a power cut").unwrap();
        house.a_day_later();
    }
    async fn act(house: &House, _: usize) -> Result<(), Error> {
        passes(house).await?;
        house.registry.sweep().await
    }
    Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |house, _| Box::pin(async move { house.unnamed().is_empty() }),
        ..Verb::default()
    }
}

pub(super) fn a_collection_without_grace() -> Verb {
    async fn prepare(house: &House, number: usize) {
        pushed(house, number).await;
        let deletes = house.deletes();
        house.registry.delete_manifest(&deletes, &image_of(number), &Precondition::default()).await.unwrap();
    }
    async fn act(house: &House, _: usize) -> Result<(), Error> {
        let keeper = house.registry.housekeeping();
        keeper.end_grace().await?;
        keeper.collect(false).await.map(drop)
    }
    fn is_done(house: &House, number: usize) -> bool {
        house.files_of(layer(number)).is_empty() && house.metadata.inner().keys().unwrap().live.is_empty()
    }
    Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |house, number| Box::pin(async move { is_done(house, number) }),
        ..Verb::default()
    }
}

pub(super) fn refusals_that_are_noted() -> Verb {
    async fn act(house: &House, number: usize) -> Result<(), Error> {
        match house.pull("deploy", &tag(&version(number))).await {
            Err(Error::Withheld(_)) => {}
            other => return other.map(|digest| panic!("expected {digest} to be withheld")),
        }
        house.registry.note_refusals().await?;
        house.registry.housekeeping().audit(Trail::Refusals, 0).await.map(drop)
    }
    async fn is_done(house: &House, number: usize) -> bool {
        let noted = house.metadata.audit(Trail::Refusals, 0, usize::MAX).await.unwrap();
        noted.iter().any(|refusal| refusal.digest == Some(image_of(number)))
    }
    Verb {
        prepare: |house, number| Box::pin(pushed(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |house, number| Box::pin(is_done(house, number)),
        ..Verb::default()
    }
}

pub(super) fn the_pruning_of_the_audit_trail() -> Verb {
    async fn is_done(house: &House, _: usize) -> bool {
        house.metadata.audit(Trail::Changes, 0, usize::MAX).await.unwrap().len() == 2
    }
    Verb {
        limits: Limits { audit_entries: 2, ..Limits::default() },
        prepare: |house, number| Box::pin(pushed(house, number)),
        act: |house, _| Box::pin(house.registry.housekeeping().prune_audit()),
        is_done: |house, number| Box::pin(is_done(house, number)),
        forgets: true,
        ..Verb::default()
    }
}

pub(super) fn the_reserve() -> Verb {
    async fn act(house: &House, _: usize) -> Result<(), Error> {
        let keeper = house.registry.housekeeping();
        keeper.tend_reserve().await?;
        let tried = Cell::new(false);
        let work = || {
            let is_first = !tried.replace(true);
            async move { if is_first { Err(Error::Full) } else { Ok(()) } }
        };
        keeper.with_reserve(work).await
    }
    Verb {
        limits: Limits { reserve_bytes: 4096, floor_bytes: 0, ..Limits::default() },
        act: |house, number| Box::pin(act(house, number)),
        is_done: |house, _| Box::pin(async move { !house.folder.path().join("_reserve").exists() }),
        ..Verb::default()
    }
}

pub(super) fn the_view_of_a_large_manifest() -> Verb {
    async fn prepare(house: &House, number: usize) {
        let config = house.upload("ci", b"{}").await.unwrap();
        let layer = house.upload("ci", content(number).as_bytes()).await.unwrap();
        // A group of its own, ahead of the index.
        let manifest = large(config, layer, "one", MANIFESTS_BYTES);
        house.put("ci", &tag("one"), media_type::OCI_MANIFEST, &manifest).await.unwrap();
    }
    Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, _| Box::pin(house.registry.flush_views()),
        is_done: |house, _| Box::pin(async move { house.broken_layouts().await.is_empty() }),
        ..Verb::default()
    }
}

pub(super) fn an_import() -> Verb {
    fn imported(number: usize) -> RepositoryName {
        format!("prod/import{number}").parse().unwrap()
    }
    async fn act(house: &House, number: usize) -> Result<(), Error> {
        let root = house.folder.path();
        let beside = tempfile::tempdir_in(root.parent().unwrap()).unwrap();
        let layout = Folder::at(beside.path().join("layout")).tagged(&content(number), "v1");
        let (store, metadata) = (Arc::clone(&house.store), Arc::clone(&house.metadata));
        let parts = Parts::over(store, metadata, &config(root), Arc::<ManualClock>::clone(&house.clock));
        let taken = import(&parts, &beside.path().join("layout"), Some(&imported(number))).await;
        // Nothing serves the root meanwhile: what asks afterwards begins anew.
        house.registry.epochs.advance_all();
        let told = refusals(&taken?);
        assert!(!layout.hex().is_empty());
        if told.is_empty() { Ok(()) } else { Err(Error::Unavailable(told.join("; "))) }
    }
    async fn is_done(house: &House, number: usize) -> bool {
        let allowed = house.registry.allow_pull(&who("ci"), &imported(number)).unwrap();
        let served = house.registry.manifest(&allowed, &tag("v1")).await.is_ok();
        served && house.registry.blob(&allowed, &layer(number)).await.is_ok()
    }
    /// One of its two blobs is another repository's already.
    async fn prepare(house: &House, number: usize) {
        house.upload("ci", content(number).as_bytes()).await.unwrap();
    }
    Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |house, number| Box::pin(is_done(house, number)),
        leaves_unnamed: true,
        ..Verb::default()
    }
}

pub(super) fn a_start_after_a_death() -> Verb {
    async fn prepare(house: &House, number: usize) {
        // Sealed and not committed: with a session to become an upload again, and without.
        house.metadata.fail_commits(true);
        for copy in ["taken back", "given up"] {
            house.upload("ci", format!("{copy} {}", content(number)).as_bytes()).await.unwrap_err();
        }
        house.metadata.fail_commits(false);
        let intents = house.metadata.intents(9).await.unwrap();
        assert_eq!(intents.len(), 2);
        house.metadata.cancel_upload(intents[1].upload).await.unwrap();
        // Begun and not noted.
        house.store.begin(Uuid::new_v4()).await.unwrap();
    }
    async fn act(house: &House, _: usize) -> Result<(), Error> {
        let revision = load(files(&house.keys, &["release", "second"], POLICY, REQUIREMENTS)).await;
        let parts = parts(&house.store, &house.metadata, &house.clock, Limits::default());
        Registry::open(parts, revision).await.map(drop)
    }
    async fn is_done(house: &House, _: usize) -> bool {
        house.broken().await.is_empty() && house.metadata.intents(9).await.unwrap().is_empty()
    }
    Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |house, number| Box::pin(is_done(house, number)),
        ..Verb::default()
    }
}

pub(super) fn a_look_at_what_waits() -> Verb {
    async fn prepare(house: &House, number: usize) {
        pushed(house, number).await;
        house.clock.advance(Duration::from_hours(1));
    }
    Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, _| {
            Box::pin(async move { house.registry.look_at_waiting(&house.registry.current()).await.map(drop) })
        },
        is_done: |house, _| Box::pin(async move { house.registry.waits().pushes == 1 }),
        ..Verb::default()
    }
}

pub(super) fn counts() -> Verb {
    async fn act(house: &House, number: usize) -> Result<(), Error> {
        let allowed = house.pulls("ci")?;
        let subject = image_of(number);
        house.registry.referrers(&allowed, &subject, Some("application/spdx+json"), None).await?;
        house.registry.free_bytes().await?;
        house.registry.totals().await.map(drop)
    }
    Verb {
        prepare: |house, number| Box::pin(pushed(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        ..Verb::default()
    }
}

pub(super) fn the_end() -> Verb {
    Verb {
        prepare: |house, number| Box::pin(pushed(house, number)),
        act: |house, _| Box::pin(house.registry.close()),
        ..Verb::default()
    }
}

pub(super) fn a_blob_whose_bytes_were_lost() -> Verb {
    async fn harm(house: &House, number: usize) -> Harm {
        fs::remove_file(&house.files_of(layer(number))[0]).unwrap();
        layer_harmed(house, number, true).await
    }
    Verb {
        prepare: |house, number| Box::pin(pushed(house, number)),
        harm: |house, number| Box::pin(harm(house, number)),
        act: |house, number| Box::pin(async move { house.upload("ci", content(number).as_bytes()).await.map(drop) }),
        is_done: |house, number| Box::pin(is_healed(house, number)),
        ..Verb::default()
    }
}

pub(super) fn a_pull_of_what_nothing_holds() -> Verb {
    async fn prepare(house: &House, number: usize) {
        house.upload("ci", content(number).as_bytes()).await.unwrap();
        house.clock.advance(Duration::from_hours(13));
    }
    Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, number| Box::pin(async move { house.pull_blob("ci", layer(number)).await.map(drop) }),
        ..Verb::default()
    }
}

pub(super) fn a_list_of_what_was_judged() -> Verb {
    async fn prepare(house: &House, number: usize) {
        pushed(house, number).await;
        house.sign_release(image_of(number)).await;
        house.registry.judge_unjudged().await.unwrap();
        house.registry.judge_queue().await.unwrap();
    }
    async fn act(house: &House, number: usize) -> Result<(), Error> {
        let tags = house.registry.tags(&house.pulls("deploy")?, Begin::default(), 1000).await?.entries;
        assert!(tags.iter().any(|tag| tag.as_str() == version(number)));
        Ok(())
    }
    Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        ..Verb::default()
    }
}

pub(super) fn what_a_revision_left() -> Verb {
    async fn prepare(house: &House, number: usize) {
        pushed(house, number).await;
        house.sign_release(image_of(number)).await;
        let revision =
            load(files(&house.keys, &["release"], POLICY, "[signed-release]\nsigned_by = \"release\"\n")).await;
        let files = revision.files().clone();
        house.metadata.accept_revision(StoredRevision { files, at: house.clock.now() }).await.unwrap();
        assert!(!house.metadata.is_revision_judged().await.unwrap());
        *house.registry.unjudged.lock().await = Some(Place::default());
    }
    async fn act(house: &House, _: usize) -> Result<(), Error> {
        house.registry.judge_unjudged().await?;
        house.registry.judge_due().await.map(drop)
    }
    Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |house, _| Box::pin(async move { house.metadata.is_revision_judged().await.unwrap() }),
        ..Verb::default()
    }
}

pub(super) fn a_question_whether_a_push_would_heal() -> Verb {
    async fn harm(house: &House, number: usize) -> Harm {
        let harm = rots(house, number).await;
        house.scrub().await;
        harm
    }
    async fn act(house: &House, number: usize) -> Result<(), Error> {
        assert!(house.registry.awaits_push(&house.pulls("ci")?, &image_of(number)).await?);
        Ok(())
    }
    Verb {
        prepare: |house, number| Box::pin(pushed(house, number)),
        harm: |house, number| Box::pin(harm(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        ..Verb::default()
    }
}
