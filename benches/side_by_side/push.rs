//! Pushes: of the image before the loads, and of fresh content as a load.

use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::Outcome;
use crate::client::{Caller, Connection};
use crate::hex::{digest, hex};
use crate::image::{Image, MANIFEST};

const OCTETS: &str = "application/octet-stream";

/// The size of what makes each content its own, in bytes.
const OWN: usize = 16;

/// How much of a blob goes in one chunk, in bytes.
const CHUNK: usize = 10 << 20;

/// What is pushed as a load: nobody has seen it before.
#[derive(Clone, Debug)]
pub(crate) enum Fresh {
    /// A blob, in the monolithic way: `POST`, then `PUT`.
    Blob(Arc<Contents>),
    /// A blob in chunks: `POST`, a `PATCH` for each, then an empty `PUT`.
    Chunks(Arc<Contents>),
    /// A manifest under a tag of its own.
    Manifest(Arc<Manifests>),
}

impl Fresh {
    /// Pushes one.
    pub(crate) async fn push(&self, connection: &mut Connection, caller: &Caller, repository: &str) -> Outcome<()> {
        match self {
            Self::Blob(contents) => {
                let (own, digest) = contents.one();
                put_blob(connection, caller, repository, &digest, &[&contents.beginning, &own]).await
            }
            Self::Chunks(contents) => {
                let (own, digest) = contents.one();
                put_in_chunks(connection, caller, repository, &digest, [&contents.beginning, &own]).await
            }
            Self::Manifest(manifests) => {
                let own = uuid::Uuid::new_v4().to_string();
                let manifest = manifests.one(&own)?;
                put_manifest(connection, caller, repository, &own, &manifest).await
            }
        }
    }
}

/// Contents of one size, each unlike every other, whose digests cost next to nothing.
///
/// They differ in their end only, so the hash of their beginning is taken once, outside the measurement.
#[derive(Debug)]
pub(crate) struct Contents {
    beginning: Vec<u8>,
    hash: Sha256,
}

impl Contents {
    /// Contents of `size` bytes.
    pub(crate) fn new(size: usize) -> Self {
        let beginning = crate::image::noise(size.saturating_sub(OWN));
        let hash = Sha256::new().chain_update(&beginning);
        Self { beginning, hash }
    }

    /// The end of one that nobody has seen, and its digest.
    fn one(&self) -> ([u8; OWN], String) {
        let own = uuid::Uuid::new_v4().into_bytes();
        let digest = format!("sha256:{}", hex(self.hash.clone().chain_update(own).finalize()));
        (own, digest)
    }
}

/// Manifests that name the same blobs and differ in an annotation.
#[derive(Debug)]
pub(crate) struct Manifests {
    image: Value,
}

impl Manifests {
    /// Manifests with the blobs of `image`.
    pub(crate) fn of(image: &Image) -> Outcome<Self> {
        Ok(Self { image: serde_json::from_slice(&image.manifest)? })
    }

    fn one(&self, own: &str) -> Outcome<Vec<u8>> {
        let mut manifest = self.image.clone();
        let fields = manifest.as_object_mut().ok_or("expected a manifest, found another JSON value")?;
        fields.insert("annotations".to_owned(), json!({ "bench": own }));
        Ok(serde_json::to_vec(&manifest)?)
    }
}

/// Pushes an image with all its blobs, and tags it.
pub(crate) async fn push_image(caller: &Caller, repository: &str, image: &Image) -> Outcome<()> {
    let mut connection = Connection::open(caller.address).await?;
    for blob in &image.blobs {
        put_blob(&mut connection, caller, repository, &digest(blob), &[blob]).await?;
    }
    put_manifest(&mut connection, caller, repository, &image.tag, &image.manifest).await
}

async fn put_manifest(
    connection: &mut Connection,
    caller: &Caller,
    repository: &str,
    tag: &str,
    manifest: &[u8],
) -> Outcome<()> {
    let path = format!("/v2/{repository}/manifests/{tag}");
    let length = manifest.len().to_string();
    let request = caller.request("PUT", &path, &[("Content-Type", MANIFEST), ("Content-Length", &length)]);
    connection.exchange(&request, &[manifest]).await?.expect(201)?;
    Ok(())
}

async fn open_upload(connection: &mut Connection, caller: &Caller, repository: &str) -> Outcome<String> {
    let opening = caller.request("POST", &format!("/v2/{repository}/blobs/uploads/"), &[("Content-Length", "0")]);
    connection.exchange(&opening, &[]).await?.expect(202)?.location()
}

/// Ends the upload at `location` with the last `pieces` of it.
async fn close_upload(
    connection: &mut Connection,
    caller: &Caller,
    location: &str,
    digest: &str,
    pieces: &[&[u8]],
) -> Outcome<()> {
    let joint = if location.contains('?') { '&' } else { '?' };
    let length = length(pieces).to_string();
    let fields = [("Content-Type", OCTETS), ("Content-Length", length.as_str())];
    let request = caller.request("PUT", &format!("{location}{joint}digest={digest}"), &fields);
    connection.exchange(&request, pieces).await?.expect(201)?;
    Ok(())
}

async fn put_blob(
    connection: &mut Connection,
    caller: &Caller,
    repository: &str,
    digest: &str,
    pieces: &[&[u8]],
) -> Outcome<()> {
    let location = open_upload(connection, caller, repository).await?;
    close_upload(connection, caller, &location, digest, pieces).await
}

async fn put_in_chunks(
    connection: &mut Connection,
    caller: &Caller,
    repository: &str,
    digest: &str,
    [beginning, own]: [&[u8]; 2],
) -> Outcome<()> {
    let mut location = open_upload(connection, caller, repository).await?;
    let mut first = 0_usize;
    let mut chunks = beginning.chunks(CHUNK).peekable();
    while let Some(chunk) = chunks.next() {
        let last: &[u8] = if chunks.peek().is_none() { own } else { &[] };
        let pieces = [chunk, last];
        let after = first.saturating_add(length(&pieces));
        let range = format!("{first}-{}", after.saturating_sub(1));
        let size = length(&pieces).to_string();
        let fields = [("Content-Type", OCTETS), ("Content-Length", &size), ("Content-Range", &range)];
        let request = caller.request("PATCH", &location, &fields);
        location = connection.exchange(&request, &pieces).await?.expect(202)?.location()?;
        first = after;
    }
    close_upload(connection, caller, &location, digest, &[]).await
}

fn length(pieces: &[&[u8]]) -> usize {
    pieces.iter().map(|piece| piece.len()).sum()
}
