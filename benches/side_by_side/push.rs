//! Pushes: of the image before the loads, and of fresh content as a load.

use sha2::{Digest, Sha256};

use crate::Outcome;
use crate::client::{Caller, Connection};
use crate::hex::{digest, hex};
use crate::image::{Image, MANIFEST};

/// The size of what makes each content its own, in bytes.
const OWN: usize = 16;

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

    /// Pushes one that nobody has seen, in the monolithic way: `POST`, then `PUT`.
    pub(crate) async fn push(&self, connection: &mut Connection, caller: &Caller, repository: &str) -> Outcome<()> {
        let own = uuid::Uuid::new_v4().into_bytes();
        let digest = format!("sha256:{}", hex(self.hash.clone().chain_update(own).finalize()));
        put_blob(connection, caller, repository, &digest, &[&self.beginning, &own]).await
    }
}

/// Pushes an image with all its blobs, and tags it.
pub(crate) async fn push_image(caller: &Caller, repository: &str, image: &Image) -> Outcome<()> {
    let mut connection = Connection::open(caller.address).await?;
    for blob in &image.blobs {
        put_blob(&mut connection, caller, repository, &digest(blob), &[blob]).await?;
    }
    let path = format!("/v2/{repository}/manifests/{}", image.tag);
    let length = image.manifest.len().to_string();
    let request = caller.request("PUT", &path, &[("Content-Type", MANIFEST), ("Content-Length", &length)]);
    connection.exchange(&request, &[&image.manifest]).await?.expect(201)?;
    Ok(())
}

async fn put_blob(
    connection: &mut Connection,
    caller: &Caller,
    repository: &str,
    digest: &str,
    pieces: &[&[u8]],
) -> Outcome<()> {
    let opening = caller.request("POST", &format!("/v2/{repository}/blobs/uploads/"), &[("Content-Length", "0")]);
    let location = connection.exchange(&opening, &[]).await?.expect(202)?.location()?;
    let joint = if location.contains('?') { '&' } else { '?' };
    let length = pieces.iter().map(|piece| piece.len()).sum::<usize>().to_string();
    let fields = [("Content-Type", "application/octet-stream"), ("Content-Length", length.as_str())];
    let request = caller.request("PUT", &format!("{location}{joint}digest={digest}"), &fields);
    connection.exchange(&request, pieces).await?.expect(201)?;
    Ok(())
}
