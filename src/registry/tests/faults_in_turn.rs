//! Each verb with each of its calls of the store and of the metadata failing in turn: refused, for want of room, or done
//! and unanswered. What fails is told as such, what must hold still holds, and the same again succeeds.

use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::*;
use crate::authz::Delete;
use crate::clock::Clock as _;
use crate::gate::Action;
use crate::interruption::{Fault, Interruption};
use crate::oci::Tag;
use crate::registry::judge::TRIED_AGAIN;

/// Lets one call fail.
struct InTurn {
    /// Calls until then.
    calls: AtomicUsize,
    fault: Fault,
    failed: Mutex<Option<&'static str>>,
}

#[async_trait]
impl Interruption for InTurn {
    async fn before(&self, call: &'static str) -> Option<Fault> {
        if self.calls.fetch_sub(1, Ordering::SeqCst) != 0 {
            return None;
        }
        *self.failed.lock().unwrap() = Some(call);
        Some(self.fault)
    }

    async fn after(&self, _: &'static str) {}
}

impl House {
    fn interrupt_with(&self, interruption: Option<&Arc<InTurn>>) {
        let each = || interruption.map(|one| -> Arc<dyn Interruption> { Arc::<InTurn>::clone(one) });
        self.metadata.interruptions().set(each());
        self.store.interruptions().set(each());
    }

    async fn clear(&self) {
        for (place, digest) in self.metadata.inner().all_manifests().unwrap() {
            let allowed = self.registry.allow_delete(&who("ci"), &place).unwrap();
            self.registry.delete_manifest(&allowed, &digest, &Precondition::default()).await.unwrap();
        }
        self.clock.advance(Duration::from_hours(25));
        self.registry.sweep().await.unwrap();
    }

    fn deletes(&self) -> super::super::Allowed<Delete> {
        self.registry.allow_delete(&who("ci"), &repository()).unwrap()
    }
}

type Work<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// A verb, with what it needs and what it is for. Each works on contents of their own, by number.
struct Verb {
    prepare: fn(&House, usize) -> Work<'_, ()>,
    act: fn(&House, usize) -> Work<'_, Result<(), Error>>,
    is_done: fn(&House, usize) -> Work<'_, bool>,
}

/// Holds a verb against every fault at every call. Each must fail at least once, or it was not asked.
async fn hold(verb: Verb) {
    for fault in [Fault::Refused, Fault::Full, Fault::Unanswered] {
        let house = House::in_memory(Limits::default()).await;
        for number in 0.. {
            // Else what is there already would add calls without end.
            house.clear().await;
            (verb.prepare)(&house, number).await;
            assert_eq!(house.lies().await, Vec::<String>::new());
            let in_turn = InTurn { calls: AtomicUsize::new(number), fault, failed: Mutex::default() };
            let in_turn = Arc::new(in_turn);
            house.interrupt_with(Some(&in_turn));
            let first = (verb.act)(&house, number).await;
            // What was left to a task of its own has its turn.
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
            house.interrupt_with(None);
            let Some(failed) = *in_turn.failed.lock().unwrap() else {
                assert!(number > 0 && first.is_ok(), "{number} calls: {first:?}");
                break;
            };
            let case = format!("{fault:?} {failed}, call {number}: {first:?}");
            match &first {
                Ok(()) => assert!((verb.is_done)(&house, number).await, "{case}"),
                Err(Error::Unavailable(_) | Error::Full) => {}
                Err(error) => panic!("expected to be told that it failed, found {error}: {case}"),
            }
            assert_eq!(house.lies().await, Vec::<String>::new(), "{case}");
            let again = (verb.act)(&house, number).await;
            assert!(again.is_ok(), "{case}, then {again:?}");
            assert!((verb.is_done)(&house, number).await, "{case}");
            assert_eq!(house.lies().await, Vec::<String>::new(), "{case}");
        }
        house.clear().await;
        assert_eq!(house.unnamed(), Vec::<String>::new(), "{fault:?}");
        house.registry.flush_views().await.unwrap();
        assert_eq!(house.broken_layouts().await, Vec::<String>::new());
    }
}

fn content(number: usize) -> String {
    format!("content {number}")
}

fn layer(number: usize) -> Digest {
    Digest::sha256(content(number).as_bytes())
}

fn version(number: usize) -> String {
    format!("v{number}")
}

/// The digest of the image of that number.
fn image_of(number: usize) -> Digest {
    let config = format!("{{\"config of\": \"{}\"}}", content(number));
    digest_of(&image(Digest::sha256(config.as_bytes()), layer(number)))
}

async fn pushed(house: &House, number: usize) {
    house.push_image("ci", &content(number), Some(&version(number))).await.unwrap();
}

async fn has_blob(house: &House, number: usize) -> bool {
    house.pull_blob("ci", layer(number)).await.is_ok()
}

async fn has_image(house: &House, number: usize) -> bool {
    house.pull("ci", &Reference::Digest(image_of(number))).await.is_ok()
}

/// What is gone already is deleted.
fn gone(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(Error::ManifestUnknown(_) | Error::BlobUnknown(_)) => Ok(()),
        result => result,
    }
}

#[tokio::test]
async fn a_blob_in_one_piece() {
    hold(Verb {
        prepare: |_, _| Box::pin(async {}),
        act: |house, number| Box::pin(async move { house.upload("ci", content(number).as_bytes()).await.map(drop) }),
        is_done: |house, number| Box::pin(has_blob(house, number)),
    })
    .await;
}

#[tokio::test]
async fn a_blob_in_chunks_under_another_algorithm() {
    async fn act(house: &House, number: usize) -> Result<(), Error> {
        let allowed = house.registry.allow_sign(&who("ci"), &repository())?;
        let mut writer = house.registry.begin_upload(&allowed, Algorithm::Sha512).await?;
        let id = writer.id();
        writer.write(Bytes::from_static(b"content ")).await?;
        assert_eq!(writer.pause().await?, 8);
        let mut writer = house.registry.resume_upload(&allowed, id, None).await?;
        writer.write(Bytes::from(number.to_string())).await?;
        writer.finish(&layer(number)).await
    }
    hold(Verb {
        prepare: |_, _| Box::pin(async {}),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |house, number| Box::pin(has_blob(house, number)),
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_cancelled() {
    async fn act(house: &House, _: usize) -> Result<(), Error> {
        let allowed = house.registry.allow_sign(&who("ci"), &repository())?;
        let writer = house.registry.begin_upload(&allowed, Algorithm::Sha256).await?;
        let id = writer.id();
        writer.pause().await?;
        house.registry.cancel_upload(&allowed, id).await?;
        assert!(matches!(
            house.registry.upload_status(&allowed, id).await,
            Err(Error::UploadUnknown | Error::Full | Error::Unavailable(_))
        ));
        Ok(())
    }
    hold(Verb {
        prepare: |_, _| Box::pin(async {}),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |_, _| Box::pin(async { true }),
    })
    .await;
}

fn other() -> RepositoryName {
    "prod/other".parse().unwrap()
}

#[tokio::test]
async fn a_mount() {
    async fn act(house: &House, number: usize) -> Result<(), Error> {
        let allowed = house.registry.allow_sign(&who("ci"), &other())?;
        assert!(house.registry.mount(&allowed, &layer(number), Some(&repository())).await?);
        Ok(())
    }
    async fn is_done(house: &House, number: usize) -> bool {
        let allowed = house.registry.allow_pull(&who("ci"), &other()).unwrap();
        house.registry.blob(&allowed, &layer(number)).await.is_ok()
    }
    hold(Verb {
        prepare: |house, number| Box::pin(pushed(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |house, number| Box::pin(is_done(house, number)),
    })
    .await;
}

#[tokio::test]
async fn an_image_by_digest() {
    hold(Verb {
        prepare: |_, _| Box::pin(async {}),
        act: |house, number| Box::pin(async move { house.push_image("ci", &content(number), None).await.map(drop) }),
        is_done: |house, number| Box::pin(has_image(house, number)),
    })
    .await;
}

#[tokio::test]
async fn an_image_by_a_tag_that_is_judged() {
    async fn prepare(house: &House, number: usize) {
        pushed(house, number).await;
        house.sign_release(image_of(number)).await;
    }
    async fn act(house: &House, number: usize) -> Result<(), Error> {
        let config = format!("{{\"config of\": \"{}\"}}", content(number));
        let image = image(Digest::sha256(config.as_bytes()), layer(number));
        house.put("tagger", &tag("latest"), media_type::OCI_MANIFEST, &image).await.map(drop)
    }
    async fn is_done(house: &House, number: usize) -> bool {
        house.pull("deploy", &tag("latest")).await.is_ok_and(|found| found == image_of(number))
    }
    hold(Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |house, number| Box::pin(is_done(house, number)),
    })
    .await;
}

#[tokio::test]
async fn an_index() {
    async fn act(house: &House, number: usize) -> Result<(), Error> {
        let index = index(&[image_of(number)]);
        house.put("ci", &tag(&format!("index{number}")), media_type::OCI_INDEX, &index).await.map(drop)
    }
    async fn is_done(house: &House, number: usize) -> bool {
        house.pull("ci", &tag(&format!("index{number}"))).await.is_ok()
    }
    hold(Verb {
        prepare: |house, number| Box::pin(pushed(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |house, number| Box::pin(is_done(house, number)),
    })
    .await;
}

#[tokio::test]
async fn evidence() {
    hold(Verb {
        prepare: |house, number| Box::pin(pushed(house, number)),
        act: |house, number| {
            Box::pin(async move { house.sign("signer", &house.keys.release, image_of(number)).await.map(drop) })
        },
        is_done: |house, number| {
            Box::pin(async move { house.pull("deploy", &Reference::Digest(image_of(number))).await.is_ok() })
        },
    })
    .await;
}

#[tokio::test]
async fn the_deletion_of_a_manifest() {
    async fn prepare(house: &House, number: usize) {
        pushed(house, number).await;
        house.pull("ci", &tag(&version(number))).await.unwrap();
    }
    async fn is_done(house: &House, number: usize) -> bool {
        !has_image(house, number).await && house.pull("ci", &tag(&version(number))).await.is_err()
    }
    hold(Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, number| {
            Box::pin(async move {
                gone(
                    house.registry.delete_manifest(&house.deletes(), &image_of(number), &Precondition::default()).await,
                )
            })
        },
        is_done: |house, number| Box::pin(is_done(house, number)),
    })
    .await;
}

#[tokio::test]
async fn the_deletion_of_a_tag() {
    async fn act(house: &House, number: usize) -> Result<(), Error> {
        let tag: Tag = version(number).parse().unwrap();
        gone(house.registry.delete_tag(&house.deletes(), &tag, &Precondition::default()).await)
    }
    async fn is_done(house: &House, number: usize) -> bool {
        has_image(house, number).await && house.pull("ci", &tag(&version(number))).await.is_err()
    }
    hold(Verb {
        prepare: |house, number| Box::pin(pushed(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |house, number| Box::pin(is_done(house, number)),
    })
    .await;
}

#[tokio::test]
async fn the_deletion_of_evidence_by_its_tag() {
    async fn prepare(house: &House, number: usize) {
        pushed(house, number).await;
        house.sign_release(image_of(number)).await;
        house.pull("deploy", &Reference::Digest(image_of(number))).await.unwrap();
    }
    async fn act(house: &House, number: usize) -> Result<(), Error> {
        let tag: Tag = format!("sha256-{}.sig", image_of(number).hex()).parse().unwrap();
        gone(house.registry.delete_tag(&house.deletes(), &tag, &Precondition::default()).await)
    }
    async fn is_done(house: &House, number: usize) -> bool {
        house.pull("deploy", &Reference::Digest(image_of(number))).await.is_err()
    }
    hold(Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |house, number| Box::pin(is_done(house, number)),
    })
    .await;
}

#[tokio::test]
async fn the_deletion_of_a_blob() {
    async fn prepare(house: &House, number: usize) {
        house.upload("ci", content(number).as_bytes()).await.unwrap();
    }
    hold(Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, number| {
            Box::pin(async move {
                gone(house.registry.delete_blob(&house.deletes(), &layer(number), &Precondition::default()).await)
            })
        },
        is_done: |house, number| Box::pin(async move { !has_blob(house, number).await }),
    })
    .await;
}

#[tokio::test]
async fn a_sweep() {
    async fn prepare(house: &House, number: usize) {
        for copy in 0..3 {
            house.upload("ci", format!("{copy} {}", content(number)).as_bytes()).await.unwrap();
        }
        let allowed = house.registry.allow_sign(&who("ci"), &repository()).unwrap();
        let writer = house.registry.begin_upload(&allowed, Algorithm::Sha256).await.unwrap();
        writer.pause().await.unwrap();
        house.sign("signer", &house.keys.release, image_of(number)).await.unwrap();
        house.clock.advance(Duration::from_hours(24 * 8));
    }
    async fn act(house: &House, _: usize) -> Result<(), Error> {
        house.registry.sweep().await
    }
    /// What the evidence held stays for an hour after it.
    async fn is_done(house: &House, _: usize) -> bool {
        let now = house.clock.now();
        let left = house.metadata.sweep(now, now, 1).await.unwrap();
        left == crate::metadata::Swept::default() && house.unnamed().is_empty()
    }
    hold(Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |house, number| Box::pin(is_done(house, number)),
    })
    .await;
}

#[tokio::test]
async fn the_views_of_layouts() {
    hold(Verb {
        prepare: |house, number| Box::pin(pushed(house, number)),
        act: |house, _| Box::pin(house.registry.flush_views()),
        is_done: |house, _| Box::pin(async move { house.broken_layouts().await.is_empty() }),
    })
    .await;
}

#[tokio::test]
async fn a_pull() {
    async fn prepare(house: &House, number: usize) {
        pushed(house, number).await;
        house.sign_release(image_of(number)).await;
        // What was remembered is of another epoch.
        house.upload("ci", b"another").await.unwrap();
    }
    async fn act(house: &House, number: usize) -> Result<(), Error> {
        assert_eq!(house.pull("deploy", &tag(&version(number))).await?, image_of(number));
        let blob = house.registry.blob(&house.pulls("deploy")?, &layer(number)).await?;
        assert_eq!(Digest::sha256(&blob.object.read(0, 100).await?), layer(number));
        Ok(())
    }
    hold(Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |_, _| Box::pin(async { true }),
    })
    .await;
}

#[tokio::test]
async fn lists() {
    async fn act(house: &House, number: usize) -> Result<(), Error> {
        let allowed = house.pulls("deploy")?;
        let tags = house.registry.tags(&allowed, None, 1000).await?.entries;
        assert!(tags.iter().any(|tag| tag.as_str() == version(number)));
        house.registry.referrers(&allowed, &image_of(number), None, None).await?;
        assert_eq!(house.registry.catalog(&who("deploy"), None, 10).await?.entries, [repository()]);
        Ok(())
    }
    async fn prepare(house: &House, number: usize) {
        pushed(house, number).await;
        house.sign_release(image_of(number)).await;
    }
    hold(Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |_, _| Box::pin(async { true }),
    })
    .await;
}

#[tokio::test]
async fn an_explanation() {
    async fn act(house: &House, number: usize) -> Result<(), Error> {
        let insight = house.registry.allow_explain(&who("deploy"), None, &repository())?;
        let account = house.registry.explain(&insight, Action::Pull, Some(&tag(&version(number)))).await?;
        assert_eq!(account.allowed, Some(false), "{account:?}");
        Ok(())
    }
    hold(Verb {
        prepare: |house, number| Box::pin(pushed(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |_, _| Box::pin(async { true }),
    })
    .await;
}

#[tokio::test]
async fn a_revision() {
    async fn prepare(house: &House, number: usize) {
        house.revise(&["release", "second"], POLICY, REQUIREMENTS).await;
        pushed(house, number).await;
        house.sign_second(image_of(number)).await;
        assert_eq!(house.pull("deploy", &tag(&version(number))).await.unwrap(), image_of(number));
    }
    async fn act(house: &House, _: usize) -> Result<(), Error> {
        let narrow = "[signed-release]\nsigned_by = \"release\"\n";
        let revision = load(files(&house.keys, &["release"], POLICY, narrow)).await;
        house.registry.swap(revision).await
    }
    async fn is_done(house: &House, number: usize) -> bool {
        matches!(house.pull("deploy", &tag(&version(number))).await, Err(Error::Withheld(_)))
    }
    hold(Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |house, number| Box::pin(is_done(house, number)),
    })
    .await;
}

#[tokio::test]
async fn what_is_to_be_judged() {
    hold(Verb {
        prepare: |house, number| Box::pin(pushed(house, number)),
        act: |house, _| {
            // What could not be judged is tried again after a while.
            house.clock.advance(TRIED_AGAIN);
            Box::pin(house.registry.judge_queue())
        },
        is_done: |house, _| Box::pin(async move { house.metadata.next_to_judge().await.unwrap().is_none() }),
    })
    .await;
}
