//! The metadata made afresh from the layouts: the same rows, and the same answers.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use rusqlite::types::Value as Column;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::import::{config, refusals, rows};
use super::{House, Keys, POLICY, REQUIREMENTS, files, image, index, load, reason, tag};
use crate::clock::{Clock, ManualClock};
use crate::forge::{Authority, Forge, Format, LeafSpec, Target, signature_manifest};
use crate::metadata::{FILE, Metadata as _, Sqlite};
use crate::oci::{Digest, Reference, media_type};
use crate::registry::{Error, Parts, Rebuild, Rebuilt, Registry, rebuild};

/// What a rebuild must bring back, row by row; of a tag's pushes the newest.
const SAME: [(&str, &str); 7] = [
    ("repositories", "SELECT name FROM repositories ORDER BY name"),
    (
        "manifests",
        "SELECT r.name, digest, media_type, artifact_type, annotations, kind, subject, is_referrer, bytes,
                orphan_lease IS NULL FROM manifests m JOIN repositories r ON r.id = m.repository ORDER BY 1, 2",
    ),
    (
        "links",
        "SELECT r.name, child, rank, via, m.digest FROM links l JOIN repositories r ON r.id = l.repository
         JOIN manifests m ON m.id = l.parent ORDER BY 1, 2, 3, 4, 5",
    ),
    (
        "tags",
        "SELECT r.name, t.name, p.digest FROM tags t JOIN repositories r ON r.id = t.repository
         JOIN pushes p ON p.repository = t.repository AND p.tag = t.name AND p.sequence = t.newest ORDER BY 1, 2",
    ),
    (
        "blobs",
        "SELECT r.name, digest, lease IS NULL FROM blobs b JOIN repositories r ON r.id = b.repository ORDER BY 1, 2",
    ),
    ("contents", "SELECT digest, key, size FROM contents ORDER BY 1"),
    (
        "generations of what is there",
        "SELECT r.name, digest, change > 0 FROM generations g
         JOIN repositories r ON r.id = g.repository ORDER BY 1, 2",
    ),
];

pub(super) fn facts(database: &Path) -> BTreeMap<&'static str, Vec<Vec<Column>>> {
    SAME.into_iter().map(|(what, sql)| (what, rows(database, sql))).collect()
}

/// Puts something of every kind into a house, and closes it; gives its folder, a signed image and an unsigned one.
pub(super) async fn furnished() -> (House, Digest, Digest) {
    let house = House::new().await;
    house.push_image("ci", "replaced", Some("v1")).await.unwrap();
    let signed = house.push_image("ci", "a release", Some("v1")).await.unwrap();
    let unsigned = house.push_image("ci", "unsigned", Some("v2")).await.unwrap();
    let untagged = house.push_image("ci", "untagged", None).await.unwrap();
    house.sign_release(signed).await;
    house.sign("signer", &house.keys.second, unsigned).await.unwrap();
    house.sign("signer", &house.keys.stranger, unsigned).await.unwrap();
    let parent = index(&[signed, untagged, Digest::sha256(b"a child that is not here")]);
    house.put("ci", &tag("multi"), media_type::OCI_INDEX, &parent).await.unwrap();
    let (bundle, _) = house.signature("signer", &house.keys.release, untagged).await.unwrap();
    let mut referrer = bundle;
    referrer["subject"] = json!({"mediaType": media_type::OCI_MANIFEST, "digest": untagged, "size": 1});
    house
        .put("signer", &Reference::Digest(super::digest_of(&referrer)), media_type::OCI_MANIFEST, &referrer)
        .await
        .unwrap();
    attach_data(&house, signed).await;
    list_referrers(&house, signed).await;
    notation(&house, signed).await;
    wide(&house).await;
    house.upload("ci", b"a blob that nothing holds").await.unwrap();
    (house, signed, unsigned)
}

async fn attach_data(house: &House, subject: Digest) {
    let empty = house.upload("signer", b"{}").await.unwrap();
    let layer = house.upload("signer", b"{\"spdxVersion\": \"SPDX-2.3\"}").await.unwrap();
    let sbom = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST, "artifactType": "application/spdx+json",
        "config": {"mediaType": media_type::OCI_EMPTY, "digest": empty, "size": 2},
        "layers": [{"mediaType": "application/spdx+json", "digest": layer, "size": 27}],
        "subject": {"mediaType": media_type::OCI_MANIFEST, "digest": subject, "size": 1},
        "annotations": {"org.example": "an annotation"}
    });
    let digest = super::digest_of(&sbom);
    house.put("signer", &Reference::Digest(digest), media_type::OCI_MANIFEST, &sbom).await.unwrap();
    let attached = json!({
        "schemaVersion": 2, "mediaType": media_type::OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": empty, "size": 2},
        "layers": [{"mediaType": "text/spdx+json", "digest": layer, "size": 27}]
    });
    let under = tag(&format!("sha256-{}.sbom", subject.hex()));
    house.put("signer", &under, media_type::OCI_MANIFEST, &attached).await.unwrap();
}

async fn list_referrers(house: &House, subject: Digest) {
    let listed = house.metadata.referrers(&super::repository(), &subject, None, 10).await.unwrap();
    let entries: Vec<_> = listed.iter().map(|it| it.digest).collect();
    assert!(!entries.is_empty());
    let under = tag(&format!("sha256-{}", subject.hex()));
    house.put("signer", &under, media_type::OCI_INDEX, &index(&entries)).await.unwrap();
}

async fn notation(house: &House, subject: Digest) {
    let stored = house.metadata.manifest(&super::repository(), &subject).await.unwrap().unwrap();
    let target = Target::of(&stored.media_type, &stored.bytes);
    let leaf = Authority::new("C=GB, O=Acme, CN=root").issue(&LeafSpec::new("C=GB, O=Acme, CN=release"));
    for format in [Format::Jws, Format::Cose] {
        let forge = Forge::new(format, &leaf, &target);
        house.upload("signer", b"{}").await.unwrap();
        let envelope = forge.bytes();
        house.upload("signer", &envelope).await.unwrap();
        let manifest = signature_manifest(format, &envelope, &forge.chain, &target);
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        let by_digest = Reference::Digest(super::digest_of(&manifest));
        house.put("signer", &by_digest, media_type::OCI_MANIFEST, &manifest).await.unwrap();
    }
}

/// An image named by its sha512.
async fn wide(house: &House) {
    let config = house.upload("ci", b"{\"a\": \"config\"}").await.unwrap();
    let layer = house.upload("ci", b"a layer of a wide digest").await.unwrap();
    let wide = image(config, layer);
    let bytes = serde_json::to_vec(&wide).unwrap();
    let digest = Digest::of(crate::oci::Algorithm::Sha512, &bytes);
    house.put("ci", &Reference::Digest(digest), media_type::OCI_MANIFEST, &wide).await.unwrap();
}

/// What is left of a house whose server ended.
pub(super) struct Ruin {
    pub(super) folder: TempDir,
    pub(super) keys: Keys,
    pub(super) clock: Arc<dyn Clock>,
}

impl Ruin {
    /// After a clean stop.
    pub(super) async fn of(house: House) -> Self {
        house.registry.flush_views().await.unwrap();
        house.registry.close().await.unwrap();
        Self::of_crash(house)
    }

    /// After the process died.
    pub(super) fn of_crash(house: House) -> Self {
        let House { registry, metadata, store, folder, keys, clock } = house;
        drop((registry, metadata, store));
        Self { folder, keys, clock }
    }

    fn database(&self) -> std::path::PathBuf {
        self.folder.path().join(FILE)
    }

    pub(super) async fn rebuilds(&self, partial: bool) -> Result<Rebuilt, Error> {
        self.rebuilds_as(Rebuild { partial, ..Rebuild::default() }).await
    }

    pub(super) async fn rebuilds_as(&self, how: Rebuild) -> Result<Rebuilt, Error> {
        rebuild(&config(self.folder.path()), Arc::clone(&self.clock), how).await
    }

    /// The registry served again, under the keys that it trusted.
    pub(super) async fn serves(self) -> House {
        house(self.folder, self.keys, self.clock).await
    }
}

/// A house over `folder`, with another clock at the same time.
pub(super) async fn house(folder: TempDir, keys: Keys, clock: Arc<dyn Clock>) -> House {
    let revision = load(files(&keys, &["release", "second"], POLICY, REQUIREMENTS)).await;
    let clock = Arc::new(ManualClock::at(clock.now()));
    let metadata = Arc::new(crate::metadata::Failing::new(Sqlite::open(&folder.path().join(FILE)).unwrap()));
    let store = Arc::new(crate::store::Failing::new(crate::store::Filesystem::open(folder.path()).unwrap()));
    let parts = Parts {
        store: Arc::<crate::store::Failing<crate::store::Filesystem>>::clone(&store),
        metadata: Arc::<crate::metadata::Failing<Sqlite>>::clone(&metadata),
        verifier: Arc::new(crate::verify::SignatureVerifier),
        clock: Arc::<ManualClock>::clone(&clock),
        limits: crate::config::Limits::default(),
        tag_history: 20,
        sparse_images: false,
        data_types: vec!["application/spdx+json".to_owned()],
    };
    let registry = Registry::open(parts, revision).await.unwrap();
    House { registry, metadata, store, keys, clock, folder }
}

/// Of `of` the rows that are in `among`.
fn subset(of: &[Vec<Column>], among: &[Vec<Column>]) -> Vec<Vec<Column>> {
    of.iter().filter(|row| among.contains(row)).cloned().collect()
}

#[tokio::test]
async fn a_rebuild_brings_back_every_row_that_layouts_can_know() {
    let (house, ..) = furnished().await;
    let ruin = Ruin::of(house).await;
    let before = facts(&ruin.database());
    for kind in ["data", "cosign-signature", "notation-signature", "referrers-list", "object"] {
        let kind = Column::Text(kind.to_owned());
        assert!(before["manifests"].iter().any(|row| row[5] == kind), "expected {kind:?} in the test's own registry");
    }
    fs::remove_file(ruin.database()).unwrap();
    let rebuilt = ruin.rebuilds(false).await.unwrap();
    assert_eq!(refusals(&rebuilt.taken), [""; 0]);
    assert!(rebuilt.in_place && rebuilt.kept.is_none() && rebuilt.behind.is_none(), "{rebuilt:?}");
    assert_eq!((rebuilt.surplus, rebuilt.taken.linked, rebuilt.taken.copied), (0, 0, 0));
    let after = facts(&ruin.database());
    for (what, rows) in &before {
        let found = if what.starts_with("generations") { subset(&after[what], rows) } else { after[what].clone() };
        assert_eq!(*rows, found, "{what}");
    }
}

#[tokio::test]
async fn what_was_rebuilt_is_judged_as_before() {
    let (house, signed, unsigned) = furnished().await;
    let second = house.pull("deploy", &tag("v2")).await;
    assert_eq!(second.unwrap(), unsigned, "signed by the second key");
    let ruin = Ruin::of(house).await;
    fs::remove_file(ruin.database()).unwrap();
    ruin.rebuilds(false).await.unwrap();
    let house = ruin.serves().await;
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), signed);
    assert_eq!(house.pull("deploy", &tag("v2")).await.unwrap(), unsigned);
    house.distrust_second().await;
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), signed);
    assert!(reason(house.pull("deploy", &tag("v2")).await).contains("signed-release"));
    assert_eq!(house.pull_blob("deploy", Digest::sha256(b"a release")).await.unwrap(), 9);
}

#[tokio::test]
async fn what_was_rebuilt_is_pushed_to_and_collected_as_before() {
    let (house, ..) = furnished().await;
    let ruin = Ruin::of(house).await;
    fs::remove_file(ruin.database()).unwrap();
    ruin.rebuilds(false).await.unwrap();
    let house = ruin.serves().await;
    let unheld = Digest::sha256(b"a blob that nothing holds");
    assert_eq!(house.files_of(unheld).len(), 1);
    house.push_image("ci", "pushed afterwards", Some("v3")).await.unwrap();
    house.clock.advance(std::time::Duration::from_hours(25));
    house.registry.sweep().await.unwrap();
    assert_eq!(house.files_of(unheld).len(), 0);
    assert_eq!(house.files_of(Digest::sha256(b"a release")).len(), 1);
    assert_eq!(house.files_of(Digest::sha256(b"pushed afterwards")).len(), 1);
}

#[tokio::test]
async fn generations_go_on_above_those_of_the_objects() {
    let (house, ..) = furnished().await;
    let generation = |house: &House, what: &[u8]| {
        let file = house.files_of(Digest::sha256(what)).remove(0);
        file.extension().unwrap().to_str().unwrap().parse::<u64>().unwrap()
    };
    let before = generation(&house, b"a release");
    let ruin = Ruin::of(house).await;
    fs::remove_file(ruin.database()).unwrap();
    ruin.rebuilds(false).await.unwrap();
    let house = ruin.serves().await;
    house.upload("ci", b"something new").await.unwrap();
    assert!(generation(&house, b"something new") > before);
}

#[tokio::test]
async fn a_rebuild_keeps_the_old_metadata_under_another_name() {
    let (house, ..) = furnished().await;
    let ruin = Ruin::of(house).await;
    let before = facts(&ruin.database());
    let kept = ruin.rebuilds(false).await.unwrap().kept.unwrap();
    assert_eq!(facts(&kept), before);
    assert!(!ruin.folder.path().join(format!("{FILE}.rebuilt")).exists());
}

#[tokio::test]
async fn what_layouts_did_not_show_yet_is_rebuilt_as_well() {
    let house = House::new().await;
    house.registry.flush_views().await.unwrap();
    let digest = house.push_image("ci", "in the last moment", Some("v1")).await.unwrap();
    let ruin = Ruin::of_crash(house);
    let rebuilt = ruin.rebuilds(false).await.unwrap();
    assert_eq!(rebuilt.taken.manifests, 1);
    assert_eq!(ruin.serves().await.pull("ci", &tag("v1")).await.unwrap(), digest);
}

#[tokio::test]
async fn metadata_that_can_not_be_read_is_told_and_kept() {
    let (house, signed, _) = furnished().await;
    let ruin = Ruin::of(house).await;
    overwrite(&ruin.database(), b"no database, but something of this length at the least");
    let rebuilt = ruin.rebuilds(false).await.unwrap();
    assert!(rebuilt.behind.is_some() && rebuilt.in_place, "{rebuilt:?}");
    assert!(fs::read(rebuilt.kept.unwrap()).unwrap().starts_with(b"no database"));
    assert_eq!(ruin.serves().await.pull("deploy", &tag("v1")).await.unwrap(), signed);
}

#[tokio::test]
async fn what_can_not_be_taken_keeps_the_old_metadata_in_place() {
    let (house, signed, unsigned) = furnished().await;
    let ruin = Ruin::of(house).await;
    let before = facts(&ruin.database());
    let manifest = ruin.folder.path().join("prod/app/blobs/sha256").join(unsigned.hex());
    let rotten = vec![b'x'; usize::try_from(fs::metadata(&manifest).unwrap().len()).unwrap()];
    overwrite(&manifest, &rotten);
    let rebuilt = ruin.rebuilds(false).await.unwrap();
    assert!(!rebuilt.in_place && rebuilt.kept.is_none(), "{rebuilt:?}");
    assert!(refusals(&rebuilt.taken)[0].contains(&unsigned.to_string()), "{rebuilt:?}");
    assert_eq!(facts(&ruin.database()), before);
    assert!(!ruin.folder.path().join(format!("{FILE}.rebuilt")).exists());
    assert!(ruin.rebuilds(true).await.unwrap().in_place);
    let house = ruin.serves().await;
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), signed);
    assert!(matches!(house.pull("ci", &tag("v2")).await, Err(Error::ManifestUnknown(_))));
}

#[tokio::test]
async fn a_blob_whose_object_is_gone_is_taken_from_the_layout() {
    let (house, signed, _) = furnished().await;
    let layer = Digest::sha256(b"a release");
    house.registry.flush_views().await.unwrap();
    let object = house.files_of(layer).remove(0);
    let ruin = Ruin::of(house).await;
    fs::remove_file(&object).unwrap();
    fs::remove_file(ruin.database()).unwrap();
    let rebuilt = ruin.rebuilds(false).await.unwrap();
    assert_eq!((rebuilt.taken.linked, rebuilt.surplus), (1, 0));
    let house = ruin.serves().await;
    assert_eq!(house.pull("deploy", &tag("v1")).await.unwrap(), signed);
    assert_eq!(house.pull_blob("deploy", layer).await.unwrap(), 9);
}

#[tokio::test]
async fn a_root_that_is_served_is_not_rebuilt() {
    let house = House::new().await;
    let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&house.clock);
    let refused = rebuild(&config(house.folder.path()), clock, Rebuild::default()).await.unwrap_err().to_string();
    assert!(refused.contains("found its lock taken"), "{refused}");
}

fn overwrite(file: &Path, bytes: &[u8]) {
    use std::io::Write as _;
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    fs::File::create(file).unwrap().write_all(bytes).unwrap();
}

#[tokio::test]
async fn a_layout_that_can_not_be_written_keeps_no_rebuild_from_its_place() {
    let (house, signed, _) = furnished().await;
    let ruin = Ruin::of(house).await;
    fs::remove_file(ruin.database()).unwrap();
    // Where an index.json is drafted.
    let draft = ruin.folder.path().join("prod/app/_writing");
    fs::create_dir(&draft).unwrap();
    let rebuilt = ruin.rebuilds(false).await.unwrap();
    let told = refusals(&rebuilt.taken);
    assert!(told.len() == 1 && told[0].starts_with("prod/app: expected to write its layout, "), "{told:?}");
    assert!(rebuilt.in_place && !rebuilt.was_there, "{rebuilt:?}");
    fs::remove_dir(draft).unwrap();
    assert_eq!(ruin.serves().await.pull("deploy", &tag("v1")).await.unwrap(), signed);
}

#[tokio::test]
async fn what_the_old_metadata_knows_is_shown_again_where_the_layout_has_lost_it() {
    for lost in ["manifest", "index", "folder"] {
        let (house, signed, _) = furnished().await;
        let ruin = Ruin::of(house).await;
        let before = facts(&ruin.database());
        let layout = ruin.folder.path().join("prod/app");
        match lost {
            "manifest" => fs::remove_file(layout.join("blobs/sha256").join(signed.hex())).unwrap(),
            "index" => overwrite(&layout.join("index.json"), b"{"),
            _ => fs::remove_dir_all(&layout).unwrap(),
        }
        let rebuilt = ruin.rebuilds(false).await.unwrap();
        assert!(rebuilt.in_place && rebuilt.was_there && rebuilt.behind.is_none(), "{lost}: {rebuilt:?}");
        for what in ["manifests", "tags", "links"] {
            assert_eq!(facts(&ruin.database())[what], before[what], "{lost}");
        }
    }
}

#[tokio::test]
async fn a_manifest_that_rotted_in_the_old_metadata_alone_is_taken_from_its_layout() {
    let (house, signed, _) = furnished().await;
    let ruin = Ruin::of(house).await;
    let connection = rusqlite::Connection::open(ruin.database()).unwrap();
    let rots =
        "UPDATE manifests SET bytes = zeroblob(length(bytes)) WHERE digest = (SELECT digest FROM pushes LIMIT 1)";
    assert_eq!(connection.execute(rots, []).unwrap(), 1);
    drop(connection);
    let rebuilt = ruin.rebuilds(false).await.unwrap();
    assert!(rebuilt.in_place, "{rebuilt:?}");
    assert_eq!(ruin.serves().await.pull("deploy", &tag("v1")).await.unwrap(), signed);
}

#[tokio::test]
async fn a_rebuild_that_fails_leaves_nothing_of_what_it_began() {
    let (house, ..) = furnished().await;
    let ruin = Ruin::of(house).await;
    let before = facts(&ruin.database());
    let kept = ruin.folder.path().join(format!("{FILE}.kept-{}", ruin.clock.now().micros()));
    fs::File::create(kept).unwrap();
    ruin.rebuilds(false).await.unwrap_err();
    for left in ["", "-wal", "-shm"] {
        assert!(!ruin.folder.path().join(format!("{FILE}.rebuilt{left}")).exists(), "{left}");
    }
    assert_eq!(facts(&ruin.database()), before);
}
