//! Lists of tags under a requirement: what resolves for the caller, found without looking at what can't.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use async_trait::async_trait;

use super::*;
use crate::clock::Clock as _;
use crate::interruption::{Fault, Interruption};
use crate::oci::Tag;
use crate::registry::list::LOOKED_AT;
use crate::registry::{Begin, Next};
use crate::seeded::Seeded;

/// The beginning of the page after one that ended so.
fn begin(next: &Next<String>) -> Begin<'_> {
    match next {
        Next::Listed(last) => Begin { last: Some(last), place: None },
        Next::Unlisted(place) => Begin { last: None, place: Some(place) },
    }
}

impl House {
    /// All that `name` is listed, from page to page, with the number of pages.
    async fn list(&self, name: &str, n: usize) -> (Vec<String>, usize) {
        let (mut found, mut pages, mut after) = (Vec::new(), 0, None);
        loop {
            let begin = after.as_ref().map(begin).unwrap_or_default();
            let page = self.registry.tags(&self.pulls(name).unwrap(), begin, n).await.unwrap();
            assert!(page.entries.len() <= n, "{page:?}");
            found.extend(page.entries.iter().map(Tag::to_string));
            pages += 1;
            after = page.next;
            if after.is_none() {
                return (found, pages);
            }
        }
    }

    /// The tags that are not kept for evidence.
    async fn listed(&self, name: &str) -> Vec<String> {
        let (found, _) = self.list(name, 100).await;
        found.into_iter().filter(|tag| !tag.starts_with("sha256-")).collect()
    }

    /// The same, by asking for each.
    async fn resolving(&self, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        for (tag, _) in self.metadata.tags(&repository(), None, usize::MAX).await.unwrap() {
            if self.pull(name, &Reference::Tag(tag.clone())).await.is_ok() {
                found.push(tag.to_string());
            }
        }
        found
    }

    /// Sets tags on what is stored.
    async fn tag_all(&self, digest: Digest, tags: &[Tag]) {
        let stored = self.metadata.manifest(&repository(), &digest).await.unwrap().unwrap();
        for tags in tags.chunks(100) {
            let put = ManifestPut {
                reference: Reference::Digest(digest),
                tags: tags.to_vec(),
                content_type: stored.media_type.clone(),
                bytes: stored.bytes.clone(),
                precondition: Precondition::default(),
            };
            let ci = self.registry.allow_sign(&who("ci"), &repository()).unwrap();
            self.registry.put_manifest(&ci, put).await.unwrap();
        }
    }

    /// All that was begun is judged.
    async fn judged(&self) {
        self.registry.judge_unjudged().await.unwrap();
        self.registry.judge_queue().await.unwrap();
    }
}

fn many(prefix: &str, count: usize) -> Vec<Tag> {
    (0..count).map(|number| format!("{prefix}{number:05}").parse().unwrap()).collect()
}

/// Counts looks at the pushes of a tag; lets what is met not be noted while it is told to.
#[derive(Default)]
struct Watch {
    looks: AtomicUsize,
    notes_nothing: AtomicBool,
    /// The calls that find no room, for ever.
    full: Mutex<Vec<&'static str>>,
}

#[async_trait]
impl Interruption for Watch {
    async fn before(&self, call: &'static str) -> Option<Fault> {
        if call == "pushes" {
            self.looks.fetch_add(1, Ordering::SeqCst);
        }
        if self.full.lock().unwrap().contains(&call) {
            return Some(Fault::Full);
        }
        (call == "record_met" && self.notes_nothing.load(Ordering::SeqCst)).then_some(Fault::Refused)
    }

    async fn after(&self, _: &'static str) {}
}

impl House {
    fn watch(&self) -> Arc<Watch> {
        let watch = Arc::new(Watch::default());
        self.metadata.interruptions().set(Some(Arc::<Watch>::clone(&watch)));
        watch
    }
}

#[tokio::test]
async fn nothing_is_looked_at_that_never_met_the_requirement() {
    let house = House::in_memory(Limits::default()).await;
    let unsigned = house.push_image("ci", "unsigned", None).await.unwrap();
    house.tag_all(unsigned, &many("v", 500)).await;
    let signed = house.push_image("ci", "signed", Some("v00250-signed")).await.unwrap();
    house.sign_release(signed).await;
    house.judged().await;
    let watch = house.watch();
    let signature = sig_tag(signed).to_string();
    assert_eq!(house.list("deploy", 10).await, (vec![signature, "v00250-signed".to_owned()], 1));
    assert_eq!(watch.looks.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn what_is_still_to_be_judged_is_listed_all_the_same() {
    let house = House::new().await;
    house.judged().await;
    let image = house.push_image("ci", "one", Some("v1")).await.unwrap();
    let watch = house.watch();
    watch.notes_nothing.store(true, Ordering::SeqCst);
    house.sign_release(image).await;
    assert_eq!(house.metadata.met(&repository(), &image).await.unwrap(), []);
    let unknown = house.registry.tags(&house.pulls("deploy").unwrap(), Begin::default(), 10).await;
    assert!(matches!(unknown, Err(Error::Unavailable(_))), "{unknown:?}");
    watch.notes_nothing.store(false, Ordering::SeqCst);
    assert_eq!(house.listed("deploy").await, ["v1"]);
}

#[tokio::test]
async fn what_a_revision_lets_be_met_is_listed_before_all_of_it_is_judged() {
    let house = House::new().await;
    house.revise(&["release", "second"], POLICY, "[signed-release]\nsigned_by = \"release\"\n").await;
    let image = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.sign_second(image).await;
    house.judged().await;
    assert_eq!(house.listed("deploy").await, [""; 0]);
    let by_second = "[signed-release]\nsigned_by = \"second\"\n";
    let again = House { registry: house.start_again(&["release", "second"], POLICY, by_second).await, ..house };
    assert_eq!(again.metadata.met(&repository(), &image).await.unwrap(), []);
    assert_eq!(again.listed("deploy").await, ["v1"]);
    again.judged().await;
    assert_eq!(again.listed("deploy").await, ["v1"]);
}

impl House {
    /// Of so many tags `v…` the signer is trusted no more, of `w` it is.
    async fn loses_all_but_w(&self, count: usize) {
        let lost = self.push_image("ci", "lost", None).await.unwrap();
        self.tag_all(lost, &many("v", count)).await;
        self.sign_second(lost).await;
        let kept = self.push_image("ci", "kept", Some("w")).await.unwrap();
        self.sign_release(kept).await;
        self.distrust_second().await;
        self.judged().await;
    }
}

#[tokio::test]
async fn what_lost_its_signer_is_passed_by_over_bounded_pages() {
    let house = House::in_memory(Limits::default()).await;
    house.loses_all_but_w(LOOKED_AT + 10).await;
    let watch = house.watch();
    let first = house.registry.tags(&house.pulls("deploy").unwrap(), Begin::default(), 10).await.unwrap();
    assert!(matches!(&first.next, Some(Next::Unlisted(place)) if place.starts_with('v')), "{first:?}");
    assert!(watch.looks.load(Ordering::SeqCst) <= LOOKED_AT);
    assert_eq!(house.listed("deploy").await, ["w"]);
}

#[tokio::test]
async fn all_tags_are_looked_at_over_bounded_pages_while_it_is_not_known_what_is_met() {
    let house = House::in_memory(Limits::default()).await;
    let unsigned = house.push_image("ci", "unsigned", None).await.unwrap();
    house.tag_all(unsigned, &many("v", LOOKED_AT + 10)).await;
    let signed = house.push_image("ci", "signed", Some("w")).await.unwrap();
    house.judged().await;
    house.sign_release(signed).await;
    let watch = house.watch();
    watch.full.lock().unwrap().push("judged");
    let first = house.registry.tags(&house.pulls("deploy").unwrap(), Begin::default(), 10).await.unwrap();
    assert!(matches!(&first.next, Some(Next::Unlisted(place)) if place.starts_with('v')), "{first:?}");
    let looks = watch.looks.load(Ordering::SeqCst);
    assert!(looks > 1000 && looks <= LOOKED_AT, "{looks}");
    assert_eq!(house.listed("deploy").await, ["w"]);
}

#[tokio::test]
async fn tags_are_listed_though_there_is_no_room_to_note_what_was_judged() {
    let house = House::new().await;
    house.judged().await;
    let image = house.push_image("ci", "one", Some("v1")).await.unwrap();
    let watch = house.watch();
    house.sign_release(image).await;
    watch.full.lock().unwrap().push("judged");
    assert!(house.registry.judge_queue().await.is_err());
    assert_eq!(house.listed("deploy").await, ["v1"]);
}

#[tokio::test]
async fn evidence_about_what_is_gone_is_listed_once_it_counts() {
    let house = House::in_memory(Limits::default()).await;
    house.distrust_second().await;
    let image = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.sign_second(image).await;
    let ci = house.registry.allow_delete(&who("ci"), &repository()).unwrap();
    house.registry.delete_manifest(&ci, &image, &Precondition::default()).await.unwrap();
    house.judged().await;
    assert_eq!(house.list("deploy", 10).await.0, [""; 0]);
    house.revise(&["release", "second"], POLICY, REQUIREMENTS).await;
    house.judged().await;
    let signature = sig_tag(image).to_string();
    assert_eq!(house.list("deploy", 10).await.0, [signature.as_str()]);
    assert_eq!(house.resolving("deploy").await, [signature]);
}

#[tokio::test]
async fn an_empty_page_is_asked_for() {
    let house = House::new().await;
    let image = house.push_image("ci", "one", Some("v1")).await.unwrap();
    house.sign_release(image).await;
    house.judged().await;
    for name in ["ci", "deploy"] {
        let page = house.registry.tags(&house.pulls(name).unwrap(), Begin::default(), 0).await.unwrap();
        assert_eq!((page.entries, page.next), (Vec::new(), None), "{name}");
    }
}

impl House {
    /// Makes repositories that hold nothing but an index of nothing.
    async fn make(&self, names: &[String]) {
        for name in names {
            let put = PutManifest { repository: name.parse().unwrap(), ..bare("{}", self.clock.now()) };
            self.metadata.put_manifest(put).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_catalog_passes_by_a_bounded_number_and_names_none_of_them() {
    let house = House::in_memory(Limits::default()).await;
    let hidden: Vec<String> = (0..=LOOKED_AT).map(|number| format!("hidden/{number:05}")).collect();
    house.make(&hidden).await;
    house.make(&["early", "prod/a", "prod/b"].map(str::to_owned)).await;
    let page = async |begin: Begin<'_>, n| {
        let page = house.registry.catalog(&who("deploy"), begin, n).await.unwrap();
        (page.entries.iter().map(ToString::to_string).collect::<Vec<_>>(), page.next)
    };
    let (first, next) = page(Begin::default(), 10).await;
    let Some(Next::Unlisted(place)) = next else { panic!("{next:?}") };
    assert_eq!((first, place.as_str()), (Vec::new(), hidden[LOOKED_AT - 2].as_str()));
    let rest = Begin { place: Some(&place), last: None };
    assert_eq!(page(rest, 10).await, (vec!["prod/a".to_owned(), "prod/b".to_owned()], None));
    assert_eq!(page(rest, 1).await, (vec!["prod/a".to_owned()], Some(Next::Listed("prod/a".to_owned()))));
}

#[tokio::test]
async fn where_a_client_lets_a_list_begin_tells_nothing_of_what_it_is_not_shown() {
    let house = House::in_memory(Limits::default()).await;
    let hidden: Vec<String> = (0..LOOKED_AT + 100).map(|number| format!("hidden/{number:05}")).collect();
    house.make(&hidden).await;
    house.make(&["prod/a", "prod/b"].map(str::to_owned)).await;
    house.loses_all_but_w(LOOKED_AT + 100).await;

    let (deploy, pulls) = (who("deploy"), house.pulls("deploy").unwrap());
    let catalog = async |begin: Begin<'_>| house.registry.catalog(&deploy, begin, 10).await.unwrap();
    let tags = async |begin: Begin<'_>| house.registry.tags(&pulls, begin, 10).await.unwrap();
    let (first, first_tags) = (catalog(Begin::default()).await, tags(Begin::default()).await);
    for number in [0, 1, 50, 98, 99, 100, 101, 1000, LOOKED_AT] {
        // A name that is hidden, one that nothing has, and one that the caller could pull from if it were there.
        for last in [hidden[number].clone(), format!("hidden/{number:05}x"), "prod/Z".to_owned(), "prod/0".to_owned()] {
            let page = catalog(Begin { last: Some(&last), place: None }).await;
            assert_eq!((page.entries, page.next), (first.entries.clone(), first.next.clone()), "{last}");
        }
        for last in [format!("v{number}"), format!("v{number}x"), "v".to_owned()] {
            let page = tags(Begin { last: Some(&last), place: None }).await;
            // The tag of the signature comes before them.
            assert_eq!((page.entries, page.next), (Vec::new(), first_tags.next.clone()), "{last}");
        }
    }
    // What comes after it is listed all the same, and nothing else.
    let place = first.next.unwrap();
    let rest = catalog(Begin { last: Some("prod/a0"), ..begin(&place) }).await;
    assert_eq!(rest.entries.iter().map(RepositoryName::as_str).collect::<Vec<_>>(), ["prod/app", "prod/b"]);
    let rest = catalog(Begin { last: Some("prod/a"), place: None }).await;
    assert_eq!(rest.entries.iter().map(RepositoryName::as_str).collect::<Vec<_>>(), ["prod/app", "prod/b"]);
    let place = first_tags.next.unwrap();
    assert_eq!(tags(Begin { last: Some("v9999"), ..begin(&place) }).await.entries, ["w".parse().unwrap()]);
    assert_eq!(tags(Begin { last: Some("W"), ..begin(&place) }).await.entries, ["w".parse().unwrap()]);
    assert_eq!(tags(Begin { last: Some("w"), place: None }).await.entries, []);
}

async fn something_happens(house: &House, chosen: &Mutex<Seeded>) {
    let below = |end: usize| chosen.lock().unwrap().below(end);
    let image = || async {
        let content = format!("image {}", below(5));
        let tag = format!("v{}", below(4));
        house.push_image("ci", &content, Some(&tag)).await.unwrap()
    };
    match below(9) {
        0 | 1 => drop(image().await),
        2 => house.sign_release(image().await).await,
        3 => house.sign_second(image().await).await,
        4 => {
            let children = [image().await, image().await];
            let tag = tag(&format!("index{}", below(2)));
            let stored = house.put("ci", &tag, media_type::OCI_INDEX, &index(&children)).await.unwrap();
            house.sign_second(stored.digest).await;
        }
        5 => house.distrust_second().await,
        6 => house.revise(&["release", "second"], POLICY, REQUIREMENTS).await,
        7 => {
            let stored = house.metadata.manifests(&repository(), None, 100).await.unwrap();
            if stored.is_empty() {
                return;
            }
            let one = &stored[below(stored.len())];
            let ci = house.registry.allow_delete(&who("ci"), &repository()).unwrap();
            drop(house.registry.delete_manifest(&ci, &one.digest, &Precondition::default()).await);
        }
        _ => {
            let ci = house.registry.allow_delete(&who("ci"), &repository()).unwrap();
            let tag = format!("v{}", below(4)).parse().unwrap();
            drop(house.registry.delete_tag(&ci, &tag, &Precondition::default()).await);
        }
    }
}

#[tokio::test]
async fn whatever_happens_a_list_shows_exactly_what_resolves() {
    let house = House::in_memory(Limits::default()).await;
    house.judged().await;
    let chosen = Mutex::new(Seeded::new(1));
    let mut shown = 0;
    for step in 0..150 {
        something_happens(&house, &chosen).await;
        if chosen.lock().unwrap().once_in(2) {
            house.judged().await;
        }
        if !house.registry.metadata.repository_exists(&repository()).await.unwrap() {
            continue;
        }
        // The list first: a pull notes what it finds met.
        let listed = house.list("deploy", 3).await.0;
        assert_eq!(listed, house.resolving("deploy").await, "after step {step}");
        shown += listed.len();
    }
    assert!(shown > 100, "{shown}");
}
