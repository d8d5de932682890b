//! The verbs of clients, and those that bring about what they may be answered.

use std::time::Duration;

use super::{Verb, content, gone, has_blob, has_image, image_of, layer, pushed, version};
use crate::clock::Clock as _;
use crate::gate::Action;
use crate::oci::Tag;
use crate::registry::Begin;
use crate::registry::judge::TRIED_AGAIN;
use crate::registry::tests::*;

pub(super) fn a_blob_in_one_piece() -> Verb {
    Verb {
        act: |house, number| Box::pin(async move { house.upload("ci", content(number).as_bytes()).await.map(drop) }),
        is_done: |house, number| Box::pin(has_blob(house, number)),
        ..Verb::default()
    }
}

pub(super) fn a_blob_in_chunks_under_another_algorithm() -> Verb {
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
    Verb {
        act: |house, number| Box::pin(act(house, number)),
        is_done: |house, number| Box::pin(has_blob(house, number)),
        ..Verb::default()
    }
}

pub(super) fn a_session_that_is_cancelled() -> Verb {
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
    Verb { act: |house, number| Box::pin(act(house, number)), ..Verb::default() }
}

fn other() -> RepositoryName {
    "prod/other".parse().unwrap()
}

pub(super) fn a_mount() -> Verb {
    async fn act(house: &House, number: usize) -> Result<(), Error> {
        let allowed = house.registry.allow_sign(&who("ci"), &other())?;
        assert!(house.registry.mount(&allowed, &layer(number), Some(&repository())).await?);
        Ok(())
    }
    async fn is_done(house: &House, number: usize) -> bool {
        let allowed = house.registry.allow_pull(&who("ci"), &other()).unwrap();
        house.registry.blob(&allowed, &layer(number)).await.is_ok()
    }
    Verb {
        prepare: |house, number| Box::pin(pushed(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |house, number| Box::pin(is_done(house, number)),
        ..Verb::default()
    }
}

pub(super) fn an_image_by_digest() -> Verb {
    Verb {
        act: |house, number| Box::pin(async move { house.push_image("ci", &content(number), None).await.map(drop) }),
        is_done: |house, number| Box::pin(has_image(house, number)),
        ..Verb::default()
    }
}

pub(super) fn an_image_by_a_tag_that_is_judged() -> Verb {
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
    Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |house, number| Box::pin(is_done(house, number)),
        ..Verb::default()
    }
}

pub(super) fn an_index() -> Verb {
    async fn act(house: &House, number: usize) -> Result<(), Error> {
        let index = index(&[image_of(number)]);
        house.put("ci", &tag(&format!("index{number}")), media_type::OCI_INDEX, &index).await.map(drop)
    }
    async fn is_done(house: &House, number: usize) -> bool {
        house.pull("ci", &tag(&format!("index{number}"))).await.is_ok()
    }
    Verb {
        prepare: |house, number| Box::pin(pushed(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |house, number| Box::pin(is_done(house, number)),
        ..Verb::default()
    }
}

pub(super) fn evidence() -> Verb {
    Verb {
        prepare: |house, number| Box::pin(pushed(house, number)),
        act: |house, number| {
            Box::pin(async move { house.sign("signer", &house.keys.release, image_of(number)).await.map(drop) })
        },
        is_done: |house, number| {
            Box::pin(async move { house.pull("deploy", &Reference::Digest(image_of(number))).await.is_ok() })
        },
        ..Verb::default()
    }
}

pub(super) fn the_deletion_of_a_manifest() -> Verb {
    async fn prepare(house: &House, number: usize) {
        pushed(house, number).await;
        house.pull("ci", &tag(&version(number))).await.unwrap();
    }
    async fn is_done(house: &House, number: usize) -> bool {
        !has_image(house, number).await && house.pull("ci", &tag(&version(number))).await.is_err()
    }
    Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, number| {
            Box::pin(async move {
                gone(
                    house.registry.delete_manifest(&house.deletes(), &image_of(number), &Precondition::default()).await,
                )
            })
        },
        is_done: |house, number| Box::pin(is_done(house, number)),
        ..Verb::default()
    }
}

pub(super) fn the_deletion_of_a_tag() -> Verb {
    async fn act(house: &House, number: usize) -> Result<(), Error> {
        let tag: Tag = version(number).parse().unwrap();
        gone(house.registry.delete_tag(&house.deletes(), &tag, &Precondition::default()).await)
    }
    async fn is_done(house: &House, number: usize) -> bool {
        has_image(house, number).await && house.pull("ci", &tag(&version(number))).await.is_err()
    }
    Verb {
        prepare: |house, number| Box::pin(pushed(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |house, number| Box::pin(is_done(house, number)),
        ..Verb::default()
    }
}

pub(super) fn the_deletion_of_evidence_by_its_tag() -> Verb {
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
    Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |house, number| Box::pin(is_done(house, number)),
        ..Verb::default()
    }
}

pub(super) fn the_deletion_of_a_blob() -> Verb {
    async fn prepare(house: &House, number: usize) {
        house.upload("ci", content(number).as_bytes()).await.unwrap();
    }
    Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, number| {
            Box::pin(async move {
                gone(house.registry.delete_blob(&house.deletes(), &layer(number), &Precondition::default()).await)
            })
        },
        is_done: |house, number| Box::pin(async move { !has_blob(house, number).await }),
        ..Verb::default()
    }
}

pub(super) fn a_sweep() -> Verb {
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
    Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |house, number| Box::pin(is_done(house, number)),
        ..Verb::default()
    }
}

pub(super) fn the_views_of_layouts() -> Verb {
    Verb {
        prepare: |house, number| Box::pin(pushed(house, number)),
        act: |house, _| Box::pin(house.registry.flush_views()),
        is_done: |house, _| Box::pin(async move { house.broken_layouts().await.is_empty() }),
        ..Verb::default()
    }
}

pub(super) fn a_pull() -> Verb {
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
    Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        ..Verb::default()
    }
}

pub(super) fn lists() -> Verb {
    async fn act(house: &House, number: usize) -> Result<(), Error> {
        let allowed = house.pulls("deploy")?;
        let tags = house.registry.tags(&allowed, Begin::default(), 1000).await?.entries;
        assert!(tags.iter().any(|tag| tag.as_str() == version(number)));
        house.registry.referrers(&allowed, &image_of(number), None, None).await?;
        assert_eq!(house.registry.catalog(&who("deploy"), Begin::default(), 10).await?.entries, [repository()]);
        Ok(())
    }
    async fn prepare(house: &House, number: usize) {
        pushed(house, number).await;
        house.sign_release(image_of(number)).await;
    }
    Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        ..Verb::default()
    }
}

pub(super) fn an_explanation() -> Verb {
    async fn act(house: &House, number: usize) -> Result<(), Error> {
        let insight = house.registry.allow_explain(&who("deploy"), None, &repository())?;
        let account = house.registry.explain(&insight, Action::Pull, Some(&tag(&version(number)))).await?;
        assert_eq!(account.allowed, Some(false), "{account:?}");
        Ok(())
    }
    Verb {
        prepare: |house, number| Box::pin(pushed(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        ..Verb::default()
    }
}

pub(super) fn a_revision() -> Verb {
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
    Verb {
        prepare: |house, number| Box::pin(prepare(house, number)),
        act: |house, number| Box::pin(act(house, number)),
        is_done: |house, number| Box::pin(is_done(house, number)),
        ..Verb::default()
    }
}

pub(super) fn what_is_to_be_judged() -> Verb {
    Verb {
        prepare: |house, number| Box::pin(pushed(house, number)),
        act: |house, _| {
            // What could not be judged is tried again after a while.
            house.clock.advance(TRIED_AGAIN);
            Box::pin(house.registry.judge_queue())
        },
        is_done: |house, _| Box::pin(async move { house.metadata.next_to_judge().await.unwrap().is_none() }),
        ..Verb::default()
    }
}
