//! What every [`Store`] is held to: one list of facts, one list of implementations, and a test for each of both.

// A fact that is not in the list is used by nobody.
#![deny(dead_code)]

use bytes::Bytes;
use tempfile::TempDir;
use uuid::Uuid;

use super::{Failing, Filesystem, Object, ObjectKey, READ_BYTES, Store, StoreError};
use crate::oci::{Algorithm, Digest, Hasher};

/// One test for each fact of the contract. `$open` is a function from a folder to an empty store in it.
macro_rules! facts {
    ($open:expr) => {
        facts! { $open =>
            sealed_bytes_are_read_back
            sealed_emptiness_is_an_object
            an_append_feeds_the_hasher
            an_append_overwrites_what_was_there
            an_append_of_another_upload_is_its_own
            bytes_behind_the_size_are_cut_off
            an_upload_too_short_to_seal_is_refused_and_stays
            an_upload_sealed_once_is_gone
            an_upload_that_was_never_begun_is_absent
            an_upload_is_begun_once
            a_discarded_upload_is_absent
            discarding_what_is_absent_succeeds
            an_upload_is_listed_until_it_is_sealed_or_discarded
            rehashing_gives_the_digest_of_the_first_bytes
            rehashing_more_than_there_is_is_refused
            generations_of_one_digest_are_apart
            a_removed_object_is_absent
            removing_what_is_absent_succeeds
            an_open_object_survives_its_removal
            what_is_sealed_has_the_key_that_was_told_before
            the_size_of_an_object_is_told
            the_size_of_what_is_removed_is_absent
            an_object_that_is_unsealed_is_the_upload_that_it_was
            unsealing_what_was_never_sealed_leaves_the_upload
            keys_that_were_never_made_are_absent
            an_object_opened_cold_is_read_from_end_to_end
            a_quarantined_object_is_absent_and_not_removed
            a_quarantined_object_that_is_open_is_read_on
            quarantining_what_is_absent_succeeds
            what_is_kept_aside_is_read_until_it_is_forgotten
            what_is_kept_aside_is_given_back_as_a_copy_if_it_is_sound
            every_object_is_listed_once
            a_reserve_is_given_back_once
            reads_end_where_the_object_ends
            a_read_longer_than_a_piece_is_whole
        }
    };
    ($open:expr => $($fact:ident)*) => {
        $(
            #[tokio::test]
            async fn $fact() {
                let folder = ::tempfile::TempDir::new().unwrap();
                super::$fact(&$open(&folder)).await;
            }
        )*
    };
}

/// A module of tests for each implementation. `tests/floors.rs` looks for the names of all that there are.
macro_rules! implementations {
    ($($module:ident is $name:literal: $open:expr;)*) => {
        $(
            #[doc = concat!("The facts, over `", $name, "`.")]
            mod $module {
                use super::*;

                facts!($open);
            }
        )*
    };
}

implementations! {
    filesystem is "Filesystem": filesystem_in;
    failing is "Failing": |folder: &TempDir| Failing::new(filesystem_in(folder));
}

fn filesystem_in(folder: &TempDir) -> Filesystem {
    Filesystem::open(folder.path()).unwrap()
}

fn sha256() -> Hasher {
    Hasher::new(Algorithm::Sha256)
}

/// An open upload that holds `content`.
pub(crate) async fn uploaded(store: &dyn Store, content: &'static [u8]) -> Uuid {
    let upload = Uuid::new_v4();
    store.begin(upload).await.unwrap();
    store.append(upload, 0, Bytes::from_static(content), sha256()).await.unwrap();
    upload
}

/// An object that holds `content`.
pub(crate) async fn stored(store: &dyn Store, content: &'static [u8], generation: u64) -> ObjectKey {
    let upload = uploaded(store, content).await;
    let size = u64::try_from(content.len()).unwrap();
    store.seal(upload, size, &Digest::sha256(content), generation).await.unwrap()
}

pub(crate) async fn read(object: &dyn Object) -> Bytes {
    object.read(0, usize::try_from(object.size()).unwrap()).await.unwrap()
}

pub(crate) fn is_absent<T>(result: &Result<T, StoreError>) -> bool {
    matches!(result, Err(StoreError::Absent(_)))
}

async fn sealed_bytes_are_read_back(store: &dyn Store) {
    let key = stored(store, b"content", 1).await;
    let object = store.open(&key).await.unwrap();
    assert_eq!(object.size(), 7);
    assert_eq!(read(&*object).await, "content");
}

async fn sealed_emptiness_is_an_object(store: &dyn Store) {
    let key = stored(store, b"", 1).await;
    let object = store.open(&key).await.unwrap();
    assert_eq!((object.size(), object.read(0, 10).await.unwrap()), (0, Bytes::new()));
}

async fn an_append_feeds_the_hasher(store: &dyn Store) {
    let upload = Uuid::new_v4();
    store.begin(upload).await.unwrap();
    let hasher = store.append(upload, 0, Bytes::from_static(b"con"), sha256()).await.unwrap();
    let hasher = store.append(upload, 3, Bytes::from_static(b"tent"), hasher).await.unwrap();
    assert_eq!(hasher.finish(), Digest::sha256(b"content"));
}

async fn an_append_overwrites_what_was_there(store: &dyn Store) {
    let upload = uploaded(store, b"con----").await;
    store.append(upload, 3, Bytes::from_static(b"tent"), sha256()).await.unwrap();
    let key = store.seal(upload, 7, &Digest::sha256(b"content"), 1).await.unwrap();
    assert_eq!(read(&*store.open(&key).await.unwrap()).await, "content");
}

async fn an_append_of_another_upload_is_its_own(store: &dyn Store) {
    let (one, other) = (uploaded(store, b"one").await, uploaded(store, b"two").await);
    let one = store.seal(one, 3, &Digest::sha256(b"one"), 1).await.unwrap();
    let other = store.seal(other, 3, &Digest::sha256(b"two"), 1).await.unwrap();
    assert_eq!(read(&*store.open(&one).await.unwrap()).await, "one");
    assert_eq!(read(&*store.open(&other).await.unwrap()).await, "two");
}

async fn bytes_behind_the_size_are_cut_off(store: &dyn Store) {
    let upload = uploaded(store, b"content and more").await;
    let key = store.seal(upload, 7, &Digest::sha256(b"content"), 1).await.unwrap();
    assert_eq!(read(&*store.open(&key).await.unwrap()).await, "content");
}

async fn an_upload_too_short_to_seal_is_refused_and_stays(store: &dyn Store) {
    let upload = uploaded(store, b"con").await;
    let refused = store.seal(upload, 7, &Digest::sha256(b"content"), 1).await;
    assert!(matches!(refused, Err(StoreError::Io(_))));
    assert_eq!(store.uploads().await.unwrap(), [upload]);
}

async fn an_upload_sealed_once_is_gone(store: &dyn Store) {
    let upload = uploaded(store, b"content").await;
    let key = store.seal(upload, 7, &Digest::sha256(b"content"), 1).await.unwrap();
    assert!(is_absent(&store.append(upload, 0, Bytes::from_static(b"CONTENT"), sha256()).await));
    assert!(is_absent(&store.seal(upload, 7, &Digest::sha256(b"content"), 2).await));
    assert_eq!(read(&*store.open(&key).await.unwrap()).await, "content");
}

async fn an_upload_that_was_never_begun_is_absent(store: &dyn Store) {
    let upload = Uuid::new_v4();
    assert!(is_absent(&store.append(upload, 0, Bytes::from_static(b"x"), sha256()).await));
    assert!(is_absent(&store.rehash(upload, 0, sha256()).await));
    assert!(is_absent(&store.seal(upload, 0, &Digest::sha256(b""), 1).await));
    assert!(store.uploads().await.unwrap().is_empty());
}

async fn an_upload_is_begun_once(store: &dyn Store) {
    let upload = uploaded(store, b"content").await;
    assert!(matches!(store.begin(upload).await, Err(StoreError::Io(_))));
    let hasher = store.rehash(upload, 7, sha256()).await.unwrap();
    assert_eq!(hasher.finish(), Digest::sha256(b"content"));
}

async fn a_discarded_upload_is_absent(store: &dyn Store) {
    let upload = uploaded(store, b"content").await;
    store.discard(upload).await.unwrap();
    assert!(is_absent(&store.append(upload, 0, Bytes::from_static(b"x"), sha256()).await));
    assert!(is_absent(&store.seal(upload, 7, &Digest::sha256(b"content"), 1).await));
}

async fn discarding_what_is_absent_succeeds(store: &dyn Store) {
    let upload = uploaded(store, b"content").await;
    store.discard(upload).await.unwrap();
    store.discard(upload).await.unwrap();
    store.discard(Uuid::new_v4()).await.unwrap();
}

async fn an_upload_is_listed_until_it_is_sealed_or_discarded(store: &dyn Store) {
    let (sealed, discarded, stays) =
        (uploaded(store, b"").await, uploaded(store, b"").await, uploaded(store, b"").await);
    let mut all = vec![sealed, discarded, stays];
    let mut listed = store.uploads().await.unwrap();
    all.sort();
    listed.sort();
    assert_eq!(listed, all);
    store.seal(sealed, 0, &Digest::sha256(b""), 1).await.unwrap();
    store.discard(discarded).await.unwrap();
    assert_eq!(store.uploads().await.unwrap(), [stays]);
}

async fn rehashing_gives_the_digest_of_the_first_bytes(store: &dyn Store) {
    let upload = uploaded(store, b"content and more").await;
    let hasher = store.rehash(upload, 7, Hasher::new(Algorithm::Sha512)).await.unwrap();
    assert_eq!(hasher.finish(), Digest::of(Algorithm::Sha512, b"content"));
}

async fn rehashing_more_than_there_is_is_refused(store: &dyn Store) {
    let upload = uploaded(store, b"con").await;
    assert!(matches!(store.rehash(upload, 4, sha256()).await, Err(StoreError::Io(_))));
}

async fn generations_of_one_digest_are_apart(store: &dyn Store) {
    let (old, new) = (stored(store, b"content", 1).await, stored(store, b"content", 2).await);
    assert_ne!(old, new);
    store.remove(&old).await.unwrap();
    assert_eq!(read(&*store.open(&new).await.unwrap()).await, "content");
}

async fn a_removed_object_is_absent(store: &dyn Store) {
    let key = stored(store, b"content", 1).await;
    store.open(&key).await.unwrap();
    store.remove(&key).await.unwrap();
    assert!(is_absent(&store.open(&key).await));
}

async fn removing_what_is_absent_succeeds(store: &dyn Store) {
    let key = stored(store, b"content", 1).await;
    store.remove(&key).await.unwrap();
    store.remove(&key).await.unwrap();
}

async fn an_open_object_survives_its_removal(store: &dyn Store) {
    let key = stored(store, b"content", 1).await;
    let object = store.open(&key).await.unwrap();
    store.remove(&key).await.unwrap();
    assert_eq!(read(&*object).await, "content");
}

async fn what_is_sealed_has_the_key_that_was_told_before(store: &dyn Store) {
    let upload = uploaded(store, b"content").await;
    let digest = Digest::sha256(b"content");
    let told = store.key(upload, &digest, 3);
    assert_eq!(store.seal(upload, 7, &digest, 3).await.unwrap(), told);
}

async fn the_size_of_an_object_is_told(store: &dyn Store) {
    let key = stored(store, b"content", 1).await;
    assert_eq!(store.size(&key).await.unwrap(), 7);
}

async fn the_size_of_what_is_removed_is_absent(store: &dyn Store) {
    let key = stored(store, b"content", 1).await;
    let _open = store.open(&key).await.unwrap();
    store.remove(&key).await.unwrap();
    assert!(is_absent(&store.size(&key).await));
}

async fn an_object_that_is_unsealed_is_the_upload_that_it_was(store: &dyn Store) {
    let upload = uploaded(store, b"content").await;
    let digest = Digest::sha256(b"content");
    let key = store.seal(upload, 7, &digest, 1).await.unwrap();
    store.unseal(&key, upload).await.unwrap();
    assert!(is_absent(&store.size(&key).await));
    assert_eq!(store.rehash(upload, 7, sha256()).await.unwrap().finish(), digest);
    let key = store.seal(upload, 7, &digest, 2).await.unwrap();
    assert_eq!(read(&*store.open(&key).await.unwrap()).await, "content");
}

async fn unsealing_what_was_never_sealed_leaves_the_upload(store: &dyn Store) {
    let upload = uploaded(store, b"content").await;
    let digest = Digest::sha256(b"content");
    store.unseal(&store.key(upload, &digest, 1), upload).await.unwrap();
    assert_eq!(store.rehash(upload, 7, sha256()).await.unwrap().finish(), digest);
}

async fn an_object_opened_cold_is_read_from_end_to_end(store: &dyn Store) {
    let key = stored(store, b"content", 1).await;
    let object = store.open_cold(&key).await.unwrap();
    assert_eq!((object.size(), read(&*object).await), (7, Bytes::from_static(b"content")));
    assert_eq!(object.read(3, 100).await.unwrap(), "tent");
    assert!(object.read(7, 100).await.unwrap().is_empty());
    store.remove(&key).await.unwrap();
    assert!(is_absent(&store.open_cold(&key).await));
}

async fn a_quarantined_object_is_absent_and_not_removed(store: &dyn Store) {
    let key = stored(store, b"content", 1).await;
    drop(store.open(&key).await.unwrap());
    store.quarantine(&key).await.unwrap();
    assert!(is_absent(&store.open(&key).await) && is_absent(&store.open_cold(&key).await));
    assert!(is_absent(&store.size(&key).await));
    assert!(store.objects(None).await.unwrap().is_empty());
}

async fn a_quarantined_object_that_is_open_is_read_on(store: &dyn Store) {
    let key = stored(store, b"content", 1).await;
    let object = store.open(&key).await.unwrap();
    store.quarantine(&key).await.unwrap();
    assert_eq!(read(&*object).await, "content");
}

async fn quarantining_what_is_absent_succeeds(store: &dyn Store) {
    let key = stored(store, b"content", 1).await;
    store.quarantine(&key).await.unwrap();
    store.quarantine(&key).await.unwrap();
}

async fn what_is_kept_aside_is_read_until_it_is_forgotten(store: &dyn Store) {
    let (key, other) = (stored(store, b"content", 1).await, stored(store, b"content", 2).await);
    assert!(is_absent(&store.open_quarantined(&key).await), "it is not quarantined yet");
    store.quarantine(&key).await.unwrap();
    store.quarantine(&other).await.unwrap();
    let aside = store.open_quarantined(&key).await.unwrap();
    assert_eq!((aside.size(), read(&*aside).await), (7, Bytes::from_static(b"content")));
    for _ in 0..2 {
        store.forget_quarantined(&key).await.unwrap();
        assert!(is_absent(&store.open_quarantined(&key).await));
    }
    assert_eq!(read(&*store.open_quarantined(&other).await.unwrap()).await, "content");
}

async fn what_is_kept_aside_is_given_back_as_a_copy_if_it_is_sound(store: &dyn Store) {
    let (key, digest) = (stored(store, b"content", 1).await, Digest::sha256(b"content"));
    assert_eq!(store.give_back(&key, &digest, 7, 2).await.unwrap(), None, "it is not quarantined yet");
    store.quarantine(&key).await.unwrap();
    assert_eq!(store.give_back(&key, &digest, 6, 2).await.unwrap(), None);
    assert_eq!(store.give_back(&key, &Digest::sha256(b"other"), 7, 2).await.unwrap(), None);
    assert!(store.objects(None).await.unwrap().is_empty() && store.uploads().await.unwrap().is_empty());
    let given = store.give_back(&key, &digest, 7, 2).await.unwrap().unwrap();
    assert_eq!(read(&*store.open(&given).await.unwrap()).await, "content");
    assert_eq!(read(&*store.open_quarantined(&key).await.unwrap()).await, "content");
}

async fn every_object_is_listed_once(store: &dyn Store) {
    let contents: [&[u8]; 6] = [b"a", b"b", b"c", b"d", b"e", b"f"];
    let mut expected = Vec::new();
    for content in contents {
        expected.push(stored(store, content, 1).await);
        expected.push(stored(store, content, 2).await);
    }
    expected.sort_unstable();
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let group = store.objects(after.as_ref()).await.unwrap();
        let Some(last) = group.last() else { break };
        after = Some(last.key.clone());
        found.extend(group.into_iter().map(|object| object.key));
    }
    assert_eq!(found, expected);
}

async fn a_reserve_is_given_back_once(store: &dyn Store) {
    assert!(!store.release_reserve().await.unwrap());
    assert!(store.keep_reserve(1 << 20).await.unwrap() && store.keep_reserve(1 << 16).await.unwrap());
    assert!(store.release_reserve().await.unwrap() && !store.release_reserve().await.unwrap());
}

async fn keys_that_were_never_made_are_absent(store: &dyn Store) {
    let good = stored(store, b"content", 1).await;
    for bad in [format!("../{good}"), format!("{good}0"), format!("/{good}"), "../../etc/passwd".into(), String::new()]
    {
        assert!(is_absent(&store.open(&ObjectKey(bad.clone())).await), "{bad}");
    }
}

async fn reads_end_where_the_object_ends(store: &dyn Store) {
    let key = stored(store, b"content", 1).await;
    let object = store.open(&key).await.unwrap();
    assert_eq!(object.read(3, 2).await.unwrap(), "te");
    assert_eq!(object.read(3, 100).await.unwrap(), "tent");
    assert_eq!(object.read(6, 1).await.unwrap(), "t");
    assert_eq!(object.read(7, 1).await.unwrap(), "");
    assert_eq!(object.read(u64::MAX, usize::MAX).await.unwrap(), "");
    assert_eq!(object.read(0, 0).await.unwrap(), "");
}

async fn a_read_longer_than_a_piece_is_whole(store: &dyn Store) {
    let content: Bytes = (0..=READ_BYTES * 2).map(|i| u8::try_from(i % 251).unwrap()).collect();
    let (upload, size) = (Uuid::new_v4(), u64::try_from(content.len()).unwrap());
    store.begin(upload).await.unwrap();
    let hasher = store.append(upload, 0, content.clone(), sha256()).await.unwrap();
    let key = store.seal(upload, size, &hasher.finish(), 1).await.unwrap();
    let object = store.open(&key).await.unwrap();
    assert_eq!(object.read(0, content.len()).await.unwrap(), content);
    assert_eq!(object.read(1, READ_BYTES).await.unwrap(), content.slice(1..=READ_BYTES));
    assert_eq!(object.read(size - 5, READ_BYTES).await.unwrap(), content.slice(content.len() - 5..));
}
