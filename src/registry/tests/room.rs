//! What may be written where there is little room.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;

use super::{House, POLICY, repository, tag, who};
use crate::config::Limits;
use crate::interruption::{Fault, Interruption};
use crate::oci::{Algorithm, Precondition, Reference};
use crate::registry::Error;

/// A house whose disk has less room than pushes of objects leave free.
async fn without_room() -> House {
    let limits = Limits { floor_bytes: u64::MAX, ..Limits::default() };
    House::with(POLICY, "[signed-release]\nsigned_by = \"release\"\n", limits).await
}

#[tokio::test]
async fn pushes_stop_at_the_floor_before_anything_is_stored() {
    let house = without_room().await;
    let refused = house.upload("ci", b"layer").await;
    assert!(matches!(refused, Err(Error::AtFloor { floor: u64::MAX, .. })), "{refused:?}");
    let sessions = std::fs::read_dir(house.folder.path().join("_uploads")).unwrap().count();
    assert_eq!(sessions, 0);
}

#[tokio::test]
async fn signers_write_below_the_floor() {
    let house = without_room().await;
    house.upload("signer", b"a payload").await.unwrap();
}

#[tokio::test]
async fn evidence_of_an_image_is_taken_below_the_floor() {
    let mut house = House::new().await;
    let image = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house = house.again(Limits { floor_bytes: u64::MAX, ..Limits::default() }).await;
    house.sign_release(image).await;
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), image);
    assert!(matches!(house.push_image("ci", "two", Some("v2")).await, Err(Error::AtFloor { .. })));
    let delete = house.registry.allow_delete(&who("ci"), &repository()).unwrap();
    house.registry.delete_manifest(&delete, &image, &Precondition::default()).await.unwrap();
    assert!(house.pull("ci", &Reference::Digest(image)).await.is_err());
}

#[tokio::test]
async fn an_upload_is_stopped_when_it_reaches_the_floor() {
    let house = House::new().await;
    let free = house.registry.free_bytes().await.unwrap().unwrap();
    let limits = Limits { floor_bytes: free.saturating_sub(256 << 20), reserve_bytes: 1, ..Limits::default() };
    let house = house.again(limits).await;
    let allowed = house.registry.allow_sign(&who("ci"), &repository()).unwrap();
    let mut writer = house.registry.begin_upload(&allowed, Algorithm::Sha256).await.unwrap();
    let piece = bytes::Bytes::from(vec![0; 8 << 20]);
    let mut stopped = None;
    for _ in 0..80 {
        if let Err(error) = writer.write(piece.clone()).await {
            stopped = Some(error);
            break;
        }
    }
    let Some(Error::AtFloor { bytes, floor, free: left }) = stopped else { panic!("{stopped:?}") };
    assert!(bytes > 0 && floor > free - (257 << 20) && left < floor + bytes, "{bytes} {floor} {left}");
}

#[test]
fn a_refusal_for_want_of_room_says_how_much_is_wanted_and_how_much_is_there() {
    let refused = Error::AtFloor { bytes: 5, floor: 64, free: 60 };
    assert_eq!(
        refused.to_string(),
        "no space is left for pushes: expected 5 bytes beside the 64 that stay free, found 60 free"
    );
}

#[tokio::test]
async fn the_reserve_is_kept_beside_the_floor_and_given_back_when_work_finds_no_room() {
    let house = House::new().await;
    let reserve = house.folder.path().join("_reserve");
    house.registry.housekeeping().tend_reserve().await.unwrap();
    assert!(reserve.exists());
    let found = std::cell::RefCell::new(Vec::new());
    let work = || {
        found.borrow_mut().push(reserve.exists());
        let full = found.borrow().len() == 1;
        async move { if full { Err(Error::Full) } else { Ok(()) } }
    };
    house.registry.housekeeping().with_reserve(work).await.unwrap();
    assert_eq!(*found.borrow(), [true, false]);
    house.registry.housekeeping().tend_reserve().await.unwrap();
    assert!(reserve.exists());
}

#[tokio::test]
async fn without_a_reserve_what_finds_no_room_is_refused_once() {
    let house = House::new().await;
    let tries = std::cell::Cell::new(0);
    let work = || {
        tries.set(tries.get() + 1);
        async { Err::<(), _>(Error::Full) }
    };
    let refused = house.registry.housekeeping().with_reserve(work).await;
    assert!(matches!(refused, Err(Error::Full)) && tries.get() == 1);
}

/// Lets one call find no room, so many times.
struct Full {
    call: &'static str,
    left: AtomicUsize,
}

#[async_trait]
impl Interruption for Full {
    async fn before(&self, call: &'static str) -> Option<Fault> {
        let one_less = |left: usize| left.checked_sub(1);
        (call == self.call && self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less).is_ok())
            .then_some(Fault::Full)
    }

    async fn after(&self, _: &'static str) {}
}

impl House {
    fn full(&self, call: &'static str, times: usize) -> Arc<Full> {
        let full = Arc::new(Full { call, left: AtomicUsize::new(times) });
        self.metadata.interruptions().set(Some(Arc::<Full>::clone(&full)));
        full
    }
}

#[tokio::test]
async fn what_was_judged_is_noted_with_the_reserve() {
    let house = House::new().await;
    house.registry.housekeeping().tend_reserve().await.unwrap();
    let image = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.sign_release(image).await;
    let full = house.full("judged", 1);
    house.registry.judge_queue().await.unwrap();
    assert_eq!(full.left.load(Ordering::SeqCst), 0);
    assert!(!house.folder.path().join("_reserve").exists());
}

#[tokio::test]
async fn a_blob_is_read_though_its_lease_finds_no_room() {
    let house = House::new().await;
    let layer = house.upload("ci", b"layer").await.unwrap();
    let full = house.full("touch_blob", 100);
    assert_eq!(house.pull_blob("ci", layer).await.unwrap(), 5);
    assert!(full.left.load(Ordering::SeqCst) < 100);
}
