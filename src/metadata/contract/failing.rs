//! What the fault-injecting wrapper alone does: it answers nothing and changes nothing when it is told so.

use super::*;
use crate::metadata::Failing;

/// Metadata that can't answer, over an empty database.
fn switched_off() -> (TempDir, Failing<Sqlite>) {
    let folder = TempDir::new().unwrap();
    let m = Failing::new(Sqlite::open(&folder.path().join("metadata")).unwrap());
    m.fail(true);
    (folder, m)
}

#[tokio::test]
async fn switched_off_metadata_answers_nothing_and_changes_nothing() {
    let (_folder, m) = switched_off();
    assert!(m.put_manifest(object("i")).await.is_err());
    assert!(m.manifest(&repo("r"), &digest("i")).await.is_err());
    assert!(m.manifests(&repo("r"), None, 2).await.is_err());
    assert!(m.contents(None, 2).await.is_err());
    m.fail(false);
    assert_eq!(m.manifest(&repo("r"), &digest("i")).await.unwrap(), None);
}
