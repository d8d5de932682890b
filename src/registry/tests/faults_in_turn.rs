//! Each verb with each of its calls of the store and of the metadata failing in turn: refused, for want of room, by the
//! medium, or done and unanswered. What fails is told as such, what must hold still holds, and the same again succeeds.

mod keeping;
mod verbs;

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::invariants::Harmed;
use super::*;
use crate::authz::Delete;
use crate::clock::{Clock as _, SystemClock};
use crate::interruption::{Fault, Interruption};

/// Lets one call fail; where the medium is at fault, the one after it too, for that is asked again.
struct InTurn {
    /// Calls until then.
    calls: AtomicUsize,
    fault: Fault,
    failed: Mutex<Option<&'static str>>,
}

#[async_trait]
impl Interruption for InTurn {
    async fn before(&self, call: &'static str) -> Option<Fault> {
        let until = self.calls.fetch_sub(1, Ordering::SeqCst);
        let again = self.fault == Fault::Medium && until == usize::MAX;
        if until != 0 && !again {
            return None;
        }
        self.failed.lock().unwrap().get_or_insert(call);
        Some(self.fault)
    }

    async fn after(&self, _: &'static str) {}
}

/// Notes which calls there are.
#[derive(Default)]
struct Met(Mutex<BTreeSet<&'static str>>);

#[async_trait]
impl Interruption for Met {
    async fn before(&self, call: &'static str) -> Option<Fault> {
        self.0.lock().unwrap().insert(call);
        None
    }

    async fn after(&self, _: &'static str) {}
}

impl House {
    fn interrupt_with<I: Interruption>(&self, interruption: &Arc<I>) {
        self.metadata.interruptions().set(Some(Arc::<I>::clone(interruption)));
        self.store.interruptions().set(Some(Arc::<I>::clone(interruption)));
    }

    fn go_on(&self) {
        self.metadata.interruptions().set(None);
        self.store.interruptions().set(None);
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

    /// Lets the clock show a moment at which all files that there are were written more than a day ago.
    fn a_day_later(&self) {
        let later = SystemClock.now().plus(Duration::from_hours(25));
        self.clock.advance(later.since(self.clock.now()));
    }
}

type Work<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// What a medium did, which may not have been noticed yet.
#[derive(Default)]
struct Harm {
    digests: Vec<Digest>,
    harmed: Harmed,
}

/// A verb, with what it needs and what it is for. Each works on contents of their own, by number.
struct Verb {
    limits: Limits,
    prepare: fn(&House, usize) -> Work<'_, ()>,
    /// What a medium does to what was prepared.
    harm: fn(&House, usize) -> Work<'_, Harm>,
    act: fn(&House, usize) -> Work<'_, Result<(), Error>>,
    is_done: fn(&House, usize) -> Work<'_, bool>,
    /// Whether what it leaves when it fails is for the scrub, rather than for the sweep.
    leaves_unnamed: bool,
    /// Whether it lets the audit trail forget.
    forgets: bool,
}

impl Default for Verb {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            prepare: |_, _| Box::pin(async {}),
            harm: |_, _| Box::pin(async { Harm::default() }),
            act: |_, _| Box::pin(async { Ok(()) }),
            is_done: |_, _| Box::pin(async { true }),
            leaves_unnamed: false,
            forgets: false,
        }
    }
}

impl Verb {
    /// What is not as it must be, but for what was harmed.
    async fn lies(&self, house: &House, harm: &Harm) -> Vec<String> {
        let of_harmed = |lie: &String| {
            harm.digests.iter().any(|digest| {
                lie.starts_with(&format!("blob {digest} ")) || lie.starts_with(&format!("manifest {digest} "))
            })
        };
        let mut lies = house.lies_but(&harm.harmed).await;
        lies.retain(|lie| !of_harmed(lie) && !(self.forgets && lie.starts_with("the audit trail")));
        lies
    }

    /// Holds it against one fault at each call.
    async fn hold_against(&self, fault: Fault) {
        let house = House::in_memory(self.limits.clone()).await;
        for number in 0.. {
            // Else what is there already would add calls without end.
            house.clear().await;
            (self.prepare)(&house, number).await;
            assert_eq!(self.lies(&house, &Harm::default()).await, Vec::<String>::new());
            let harm = (self.harm)(&house, number).await;
            let in_turn = Arc::new(InTurn { calls: AtomicUsize::new(number), fault, failed: Mutex::default() });
            house.interrupt_with(&in_turn);
            if fault == Fault::Medium {
                // The metadata says the same whatever is the matter with it.
                house.metadata.interruptions().set(None);
            }
            let first = (self.act)(&house, number).await;
            // What was left to a task of its own has its turn.
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
            house.go_on();
            let Some(failed) = *in_turn.failed.lock().unwrap() else {
                assert!((number > 0 || fault == Fault::Medium) && first.is_ok(), "{number} calls: {first:?}");
                break;
            };
            let case = format!("{fault:?} {failed}, call {number}: {first:?}");
            match &first {
                Ok(()) => assert!((self.is_done)(&house, number).await, "{case}"),
                Err(Error::Unavailable(_) | Error::Full) => {}
                Err(error) => panic!("expected to be told that it failed, found {error}: {case}"),
            }
            assert_eq!(self.lies(&house, &harm).await, Vec::<String>::new(), "{case}");
            let again = (self.act)(&house, number).await;
            assert!(again.is_ok(), "{case}, then {again:?}");
            assert!((self.is_done)(&house, number).await, "{case}, then it was done again");
            let noticed = Harm { harmed: harm.harmed, ..Harm::default() };
            assert_eq!(self.lies(&house, &noticed).await, Vec::<String>::new(), "{case}, then it was done again");
        }
        house.clear().await;
        if self.leaves_unnamed {
            house.a_day_later();
            house.registry.housekeeping().scrub_at_once().await.unwrap();
            house.registry.sweep().await.unwrap();
        }
        assert_eq!(house.unnamed(), Vec::<String>::new(), "{fault:?}");
        house.registry.flush_views().await.unwrap();
        assert_eq!(house.broken_layouts().await, Vec::<String>::new());
    }

    /// Which calls it makes.
    async fn calls(&self) -> BTreeSet<&'static str> {
        let house = House::in_memory(self.limits.clone()).await;
        (self.prepare)(&house, 0).await;
        (self.harm)(&house, 0).await;
        let met = Arc::new(Met::default());
        house.interrupt_with(&met);
        (self.act)(&house, 0).await.unwrap();
        house.go_on();
        let calls = met.0.lock().unwrap().clone();
        calls
    }
}

/// Holds a verb against every fault at every call. Each must fail at least once, or it was not asked.
async fn hold(verb: Verb) {
    for fault in [Fault::Refused, Fault::Full, Fault::Medium, Fault::Unanswered] {
        verb.hold_against(fault).await;
    }
}

macro_rules! hold {
    ($($module:ident: $($verb:ident)*;)*) => {
        $($(
            #[tokio::test]
            async fn $verb() {
                hold($module::$verb()).await;
            }
        )*)*

        const ALL: &[fn() -> Verb] = &[$($($module::$verb,)*)*];
    };
}

hold! {
    verbs:
        a_blob_in_one_piece a_blob_in_chunks_under_another_algorithm a_session_that_is_cancelled a_mount
        an_image_by_digest an_image_by_a_tag_that_is_judged an_index evidence the_deletion_of_a_manifest
        the_deletion_of_a_tag the_deletion_of_evidence_by_its_tag the_deletion_of_a_blob a_sweep the_views_of_layouts
        a_pull lists an_explanation a_revision what_is_to_be_judged;
    keeping:
        a_pass_over_something_rotten a_pass_over_something_lost a_pass_over_something_that_came_back
        a_pass_over_something_rotten_that_its_layout_has a_pass_over_a_manifest_that_rotted
        a_pass_over_a_manifest_that_rotted_in_its_layout a_pass_over_an_object_without_a_name
        a_collection_without_grace refusals_that_are_noted the_pruning_of_the_audit_trail the_reserve the_view_of_a_large_manifest
        an_import a_start_after_a_death a_look_at_what_waits counts the_end
        a_blob_whose_bytes_were_lost a_pull_of_what_nothing_holds a_list_of_what_was_judged what_a_revision_left;
}

/// What no verb here calls, and why not.
const ELSEWHERE: [(&str, &str); 4] = [
    ("judge_again", "it comes only after another call failed, or about a signer who is not trusted yet"),
    ("manifests", "an export reads it, from a root that it opens itself, and writes nothing there"),
    ("shown", "a rebuild reads it, which makes a database afresh beside the old one and puts it in place at the end"),
    ("census", "the same"),
];

/// The names of the calls that can fail.
fn names() -> BTreeSet<&'static str> {
    let metadata = include_str!("../../metadata/failing.rs").split_once("\nchecked! {").unwrap().1;
    let metadata = metadata.lines().filter_map(|line| line.split_once('(')).map(|(before, _)| before);
    let metadata = metadata.filter_map(|before| before.split_whitespace().last());
    let store = include_str!("../../store/failing.rs").split("around(").skip(1);
    let store = store.filter_map(|after| after.trim_start().strip_prefix('"')?.split('"').next());
    metadata.chain(store).collect()
}

#[tokio::test]
async fn every_call_that_can_fail_fails_in_some_verb() {
    let mut met = BTreeSet::new();
    for verb in ALL {
        met.append(&mut verb().calls().await);
    }
    let elsewhere: BTreeSet<_> = ELSEWHERE.iter().map(|(name, _)| *name).collect();
    let names = names();
    assert!(names.len() > 100 && names.is_superset(&met), "{names:?}");
    let unmet: BTreeSet<_> = names.difference(&met).copied().collect();
    assert_eq!(unmet, elsewhere);
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
