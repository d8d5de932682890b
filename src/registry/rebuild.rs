//! Rebuild: the metadata made afresh from the layouts and the objects alone.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;

use crate::clock::Clock;
use crate::config::Config;
use crate::metadata::{FILE, Metadata, Sqlite};
use crate::oci::{Digest, RepositoryName};
use crate::store::{FoundLayout, ImageLayout, LayoutView, ObjectKey, Store};

use super::import::bounds;
use super::objects::{Hashed, Held, Objects, RottenObject};
use super::offline::own;
use super::take::{Source, Taken, take};
use super::{Error, Housekeeping, Parts, view};

/// What is read at once.
const PAGE: usize = 1000;

/// What layouts can't know, and what a rebuild therefore has not.
pub const LAYOUTS_DO_NOT_TELL: [&str; 9] = [
    "older pushes of tags: each tag has its newest only",
    "who pushed what and when: everything came from the operator, now",
    "who uploaded a blob",
    "leases: a blob that nothing holds, and evidence whose subject is not there, stays as long as a new one",
    "what was met, and which evidence verified: it is judged anew",
    "what a manifest was pushed as: each is what one push under its tags would make it now",
    "the last good revision of policy and trust",
    "the audit trail: it begins again, and the one so far stays in the old metadata",
    "upload sessions, and trash that waited to be removed",
];

/// What came of a rebuild.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rebuilt {
    /// Whether the new metadata took the place of the old.
    pub in_place: bool,
    /// Whether there was any metadata before.
    pub was_there: bool,
    /// What was taken from the layouts.
    pub taken: Taken,
    /// What was hashed before it was taken.
    pub hashed: Hashed,
    /// Objects that are not what their names say, and that were not taken as sound. They are quarantined once the new metadata
    /// is in place. What is in `taken` all the same was found elsewhere.
    pub rotten: Vec<RottenObject>,
    /// Objects that lie in the store and that no layout names. They were left where they are.
    pub surplus: u64,
    /// Why the old metadata could not bring the layouts up to date before: what was stored in its last moments may be
    /// missing.
    pub behind: Option<String>,
    /// Where the old metadata is kept, if there was any.
    pub kept: Option<PathBuf>,
}

/// How the metadata is made afresh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rebuild {
    /// Whether it takes the place of the old even if something could not be taken.
    pub partial: bool,
    /// Whether objects are taken for what their names say. They are hashed else, whatever the old metadata says of them.
    pub unhashed: bool,
}

/// Makes the metadata of the root of `config` afresh, beside the old, and puts it in its place. Refused while a server or
/// another command owns the root.
pub async fn rebuild(config: &Config, clock: Arc<dyn Clock>, how: Rebuild) -> Result<Rebuilt, Error> {
    if !config.root.is_dir() {
        let root = config.root.display();
        return Err(Error::Conflict(format!("expected the data of a registry in {root}, found no folder")));
    }
    let store = own(&config.root, "rebuild")?;
    let [old, new] = [FILE.to_owned(), format!("{FILE}.rebuilt")].map(|name| config.root.join(name));
    let rebuilt = make((config, clock, how), store, (&old, &new)).await;
    if rebuilt.is_err() {
        // What is begun there may be all that fills the medium. Why it failed is to be told, and not this.
        drop(Sqlite::discard(&new));
    }
    rebuilt
}

async fn make(
    (config, clock, how): (&Config, Arc<dyn Clock>, Rebuild),
    store: Arc<dyn Store>,
    (old, new): (&Path, &Path),
) -> Result<Rebuilt, Error> {
    let Some(layouts) = store.layout() else {
        return Err(Error::Unavailable("expected a store that shows layouts, found one that does not".to_owned()));
    };
    // Opened, an empty one would be made whole, and its log removed as another database's.
    let was_there = !Sqlite::is_blank(old);
    let behind = if was_there { catch_up(&*store, old).await.err().map(|error| error.to_string()) } else { None };
    let census = layouts.census().await?;
    let metadata = Arc::new(Sqlite::create(new, census.highest_generation())?);
    let parts = Parts::over(Arc::clone(&store), metadata, config, Arc::clone(&clock));
    let objects = Objects::new(&census, (!how.unhashed).then(|| keeper(&parts)));
    let mut taken = fill(&parts, layouts, &objects, how.partial).await?;
    let (hashed, rotten) = objects.report();
    let named = parts.metadata.totals().await?.blobs.saturating_sub(taken.linked.saturating_add(taken.copied));
    let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
    let known = named.saturating_sub(count(objects.held().len())).saturating_add(count(rotten.len()));
    let surplus = census.objects().saturating_sub(known);
    let in_place = how.partial || taken.refused.is_empty();
    if in_place {
        // Only now: it writes index.json anew, without what could not be taken.
        view::flush(&*store, &*parts.metadata).await?.refuse_in(&mut taken);
    }
    parts.metadata.close().await?;
    drop(objects);
    drop(parts);
    let kept = config.root.join(format!("{FILE}.kept-{}", clock.now().micros()));
    if in_place {
        Sqlite::replace(old, new, &kept)?;
        for key in rotten.keys() {
            store.quarantine(key).await?;
        }
    } else {
        Sqlite::discard(new)?;
    }
    let (rotten, kept) = (rotten.into_values().collect(), kept.exists().then_some(kept));
    Ok(Rebuilt { in_place, was_there, taken, hashed, rotten, surplus, behind, kept })
}

/// What hashes the objects.
fn keeper(parts: &Parts) -> Housekeeping {
    let Parts { store, metadata, clock, limits, .. } = parts;
    Housekeeping::alone(Arc::clone(store), Arc::clone(metadata), Arc::clone(clock), limits.clone())
}

/// Brings the layouts up to date with the old metadata, and what it knows to be rotten out of reach.
async fn catch_up(store: &dyn Store, old: &Path) -> Result<(), Error> {
    let metadata = Sqlite::open(old)?;
    for rotten in metadata.quarantined(usize::MAX).await? {
        // A crash may have come between the note and the move; where it lay, it would be taken for whole.
        if let Some(key) = rotten.key {
            store.quarantine(&ObjectKey(key)).await?;
        }
    }
    let noted = show_all(&metadata).await;
    let aside = view::flush(store, &metadata).await?;
    metadata.close().await?;
    noted?;
    aside.tell()
}

/// Has every manifest and every `index.json` shown again, should its file be lost. One whose bytes rotted in the metadata
/// is left as it is shown, and blobs are: their objects may be lost, and the layout's file all that there is.
async fn show_all(metadata: &Sqlite) -> Result<(), Error> {
    let mut after: Option<RepositoryName> = None;
    loop {
        let page = metadata.repositories(after.as_ref().map(RepositoryName::as_str), PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.clone());
        for repository in page {
            metadata.show_again(&repository, &[]).await?;
            show_manifests(metadata, &repository).await?;
        }
    }
}

async fn show_manifests(metadata: &Sqlite, repository: &RepositoryName) -> Result<(), Error> {
    let mut after: Option<Digest> = None;
    loop {
        let page = metadata.manifests(repository, after.as_ref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.digest);
        let sound = page.iter().filter(|it| Digest::of(it.digest.algorithm(), &it.bytes) == it.digest);
        let digests: Vec<Digest> = sound.map(|it| it.digest).collect();
        metadata.show_again(repository, &digests).await?;
    }
}

/// Fills the empty metadata of `parts` from the layouts that its store shows, and from the objects of that store.
async fn fill(parts: &Parts, layouts: &dyn LayoutView, objects: &Objects<'_>, partial: bool) -> Result<Taken, Error> {
    let mut taken = Taken::default();
    take_all(parts, layouts, objects, &mut taken).await?;
    let again = |taken: Taken| Taken { repositories: 0, refused: Vec::new(), ..taken };
    if objects.is_any_rotten() && !taken.refused.is_empty() {
        // What one layout has lost, one that came after it may have had.
        taken = again(taken);
        take_all(parts, layouts, objects, &mut taken).await?;
    }
    if partial && !taken.refused.is_empty() {
        // What is found nowhere else may be pushed again: what holds it stays, as it does when a scrub finds it.
        objects.hold();
        taken = again(taken);
        take_all(parts, layouts, objects, &mut taken).await?;
        quarantine(parts, objects).await?;
    }
    Ok(taken)
}

/// Notes what is held though it is rotten or lost: nobody gets it.
async fn quarantine(parts: &Parts, objects: &Objects<'_>) -> Result<(), Error> {
    let held = objects.held().clone();
    for (digest, Held { key, why, .. }) in held {
        parts.metadata.quarantine_content(&digest, &key.0, &why, parts.clock.now()).await?;
    }
    Ok(())
}

async fn take_all(
    parts: &Parts,
    layouts: &dyn LayoutView,
    objects: &Objects<'_>,
    taken: &mut Taken,
) -> Result<(), Error> {
    let shown = layouts.shown().await?;
    taken.refuse_folders(&shown.unreadable);
    for FoundLayout { name, folder } in shown.layouts {
        let repository: RepositoryName = match name.parse() {
            Ok(repository) => repository,
            Err(error) => {
                taken.refuse(folder.display().to_string(), error.to_string());
                continue;
            }
        };
        match ImageLayout::open(&folder, bounds(parts)) {
            Ok(layout) => take(parts, layouts, (&layout, &repository), Source::Own(objects), taken).await?,
            Err(error) => taken.refuse(repository.as_str(), error.to_string()),
        }
    }
    Ok(())
}
