//! Ways of collecting, of pushing and of scrubbing that are known to be wrong: the search must find each of them.

use std::collections::BTreeSet;
use std::time::Duration;

use super::client::{Client, IMAGES, LEASE};
use super::record::Change;
use super::{SEEDS, search};
use crate::metadata::{By, Kind, Metadata as _, Put, PutLink, PutManifest, Reserved, Swept};
use crate::oci::{Digest, LinkKind, media_type};
use crate::registry::tests::who;
use crate::store::{ObjectKey, Store as _, StoreError};

#[derive(Clone, Copy, Debug)]
pub(super) enum Defect {
    /// Asks what nothing holds, takes its bytes, then takes its row: each by itself.
    SweepThatUnlinksFirst,
    /// Takes out what nothing holds, whatever its lease.
    SweepWithoutLeases,
    /// Forgets the trash, then dies before it takes the bytes.
    SweepThatForgetsFirst,
    /// Asks whether the blobs are there, then stores the manifest without asking again.
    PushThatAsksBefore,
    /// Looks at one key of a content, then quarantines whatever key is live.
    ScrubThatCondemnsWhatIsLive,
    /// Moves aside what it noted as lost, beside the pass that may give it back.
    MoveBesideThePass,
    /// Asks which keys have a name, lists the objects, then takes those that have none.
    ScrubThatAsksForNamesBefore,
}

impl Defect {
    pub(super) async fn act(self, client: &Client, steps: &[Duration]) {
        for step in steps {
            match self {
                // Once: to upload again would make up for what was lost.
                Self::PushThatAsksBefore => return ask_before(client).await,
                Self::SweepThatUnlinksFirst => unlink_first(client).await,
                Self::ScrubThatCondemnsWhatIsLive => condemn_what_is_live(client).await,
                Self::MoveBesideThePass => move_beside_the_pass(client).await,
                Self::ScrubThatAsksForNamesBefore => ask_for_names_before(client).await,
                Self::SweepWithoutLeases => drop(take_rows(client, LEASE * 10).await),
                Self::SweepThatForgetsFirst => {
                    client.house.clock.advance(*step);
                    let swept = take_rows(client, Duration::ZERO).await;
                    client.house.metadata.forget_trash(&swept.trash).await.unwrap();
                }
            }
        }
    }
}

fn blobs(client: &Client) -> Vec<Vec<u8>> {
    (0..IMAGES).map(|number| client.layer(number)).chain([client.config()]).collect()
}

async fn unlink_first(client: &Client) {
    let (metadata, repository) = (&client.house.metadata, &client.repository);
    for digest in blobs(client).iter().map(|bytes| Digest::sha256(bytes)) {
        let Some(blob) = metadata.blob(repository, &digest).await.unwrap() else { continue };
        if metadata.holders(repository, &digest, 1).await.unwrap().is_empty() {
            client.house.store.remove(&ObjectKey(blob.key)).await.unwrap();
            let by = By { who: who("ci"), at: client.house.clock_now() };
            metadata.delete_blob(repository, &digest, &by).await.unwrap();
        }
    }
}

async fn take_rows(client: &Client, ahead: Duration) -> Swept {
    let now = client.house.clock_now();
    client.house.metadata.sweep(now.plus(ahead), now.minus(Duration::from_hours(24)), 100).await.unwrap()
}

async fn ask_before(client: &Client) {
    let metadata = &client.house.metadata;
    // Nobody else pushes it, and so makes up for what is lost.
    let named = [client.config(), client.layer(IMAGES)];
    let mut links = Vec::new();
    for bytes in &named {
        client.upload(bytes, false).await;
        links.push(PutLink { kind: LinkKind::Layer, digest: Digest::sha256(bytes), required: false });
    }
    client.house.clock.advance(LEASE);
    for link in &links {
        if metadata.blob(&client.repository, &link.digest).await.unwrap().is_none() {
            return;
        }
    }
    // Its way to the commit is as long as that of a push that is classified and judged.
    for link in links.iter().cycle().take(8) {
        metadata.holders(&client.repository, &link.digest, 1).await.unwrap();
    }
    let bytes = serde_json::to_vec(&client.image(IMAGES)).unwrap();
    let put = PutManifest {
        repository: client.repository.clone(),
        digest: Digest::sha256(&bytes),
        bytes: bytes.into(),
        media_type: media_type::OCI_MANIFEST.to_owned(),
        artifact_type: None,
        annotations: std::collections::BTreeMap::new(),
        kind: Kind::Object,
        subject: None,
        is_referrer: false,
        links,
        tags: Vec::new(),
        only_if: None,
        tag_history: 20,
        evidence_cap: None,
        orphan_lease: client.house.clock_now(),
        who: who("ci"),
        at: client.house.clock_now(),
    };
    let asked = client.record.ask(Change::Put(put.repository.clone(), put.digest));
    assert!(matches!(metadata.put_manifest(put).await.unwrap(), Put::Stored { .. }));
    client.record.acknowledge(&[asked]);
}

async fn condemn_what_is_live(client: &Client) {
    let (metadata, store) = (&client.house.metadata, &client.house.store);
    for content in metadata.contents(None, 100).await.unwrap() {
        // At its rate a pass comes to a content long after it read the page.
        client.wait(40).await;
        if !matches!(store.open_cold(&ObjectKey(content.key)).await, Err(StoreError::Absent(_))) {
            continue;
        }
        let Reserved::Live(live) = metadata.reserve(content.digest).await.unwrap() else { continue };
        let (why, at) = ("expected a file, found none", client.house.clock_now());
        metadata.quarantine_content(&content.digest, &live, why, at).await.unwrap();
    }
}

async fn move_beside_the_pass(client: &Client) {
    let (metadata, store) = (&client.house.metadata, &client.house.store);
    // As long as there is something to look at.
    client.wait(40).await;
    for content in metadata.contents(None, 100).await.unwrap() {
        client.wait(4).await;
        let key = ObjectKey(content.key);
        if store.size(&key).await.is_ok() {
            continue;
        }
        let (why, at) = ("expected a file, found none", client.house.clock_now());
        if metadata.quarantine_content(&content.digest, &key.0, why, at).await.unwrap().is_some() {
            // The medium is slow.
            client.wait(60).await;
            store.quarantine(&key).await.unwrap();
        }
    }
}

async fn ask_for_names_before(client: &Client) {
    let (metadata, store) = (&client.house.metadata, &client.house.store);
    let keys = metadata.inner().keys().unwrap();
    let intents = metadata.intents(100).await.unwrap().into_iter().map(|intent| intent.key);
    let named: BTreeSet<String> = keys.live.into_iter().chain(keys.trash).chain(intents).collect();
    let mut after = None;
    loop {
        let group = store.objects(after.as_ref()).await.unwrap();
        let Some(last) = group.last() else { return };
        after = Some(last.key.clone());
        for object in group.into_iter().filter(|object| !named.contains(&object.key.0)) {
            store.remove(&object.key).await.unwrap();
        }
    }
}

async fn expect_found(defect: Defect, by: &str) {
    let found = search(0..SEEDS, Some(defect)).await.expect("a counter-example");
    let found = format!("{found:?}");
    assert!(found.contains(by), "{found}");
}

#[tokio::test]
async fn a_sweep_that_unlinks_before_its_rows_go_is_found() {
    expect_found(Defect::SweepThatUnlinksFirst, "which is live, is missing").await;
}

#[tokio::test]
async fn a_sweep_that_heeds_no_lease_is_found() {
    expect_found(Defect::SweepWithoutLeases, "was refused within the lease of its blobs").await;
}

#[tokio::test]
async fn a_sweep_that_forgets_before_it_unlinks_is_found() {
    expect_found(Defect::SweepThatForgetsFirst, "nothing names").await;
}

#[tokio::test]
async fn a_push_that_does_not_ask_again_as_it_commits_is_found() {
    expect_found(Defect::PushThatAsksBefore, "has lost").await;
}

#[tokio::test]
async fn a_scrub_that_condemns_another_key_than_it_looked_at_is_found() {
    expect_found(Defect::ScrubThatCondemnsWhatIsLive, "is quarantined, and nothing harmed its file").await;
}

#[tokio::test]
async fn a_move_beside_the_pass_that_gives_back_is_found() {
    expect_found(Defect::MoveBesideThePass, "which is live, is missing").await;
}

#[tokio::test]
async fn a_scrub_that_asks_for_names_before_it_lists_is_found() {
    expect_found(Defect::ScrubThatAsksForNamesBefore, "which is live, is missing").await;
}
