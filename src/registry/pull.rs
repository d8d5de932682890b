//! Pull: resolve → read → admission → [`Admitted`] → body.

use std::sync::Arc;

use crate::authz::{Pull, PullTerms};
use crate::clock::Timestamp;
use crate::metadata::{Event, Holder, Kind};
use crate::oci::{Digest, EMPTY_CONFIG, Reference, RepositoryName};
use crate::store::{ObjectKey, StoreError};

use super::resolve::Decision;
use super::{Admitted, Allowed, BlobContent, Error, Lenience, ManifestContent, Registry};

/// How often a pull looks where a blob's bytes are, if they moved while it opened them.
const LOOKS: usize = 4;

/// How many of the objects that once met a requirement are tried before the others.
const LIKELY: usize = 16;

/// What an answer was asked for: the terms of the caller are part of the question.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Question<R> {
    repository: RepositoryName,
    reference: R,
    terms: PullTerms,
}

/// An answer with all that it depends on, ready to be given again.
#[derive(Debug)]
pub(super) struct Answer<T> {
    admitted: T,
    serial: u64,
    epoch: u64,
    until: Option<Timestamp>,
}

/// Where an admitted blob's bytes are.
#[derive(Clone, Debug)]
pub(super) struct BlobTicket {
    key: ObjectKey,
    size: u64,
    lenience: Option<Lenience>,
}

impl Answer<Admitted<ManifestContent>> {
    pub(super) fn bytes(&self) -> u64 {
        u64::try_from(self.admitted.bytes.len()).unwrap_or(u64::MAX)
    }
}

impl Registry {
    fn stands<T>(&self, allowed: &Allowed<Pull>, answer: &Answer<T>) -> bool {
        answer.serial == allowed.current().serial
            && answer.epoch == self.epochs.of(allowed.repository())
            && answer.until.is_none_or(|until| self.clock.now() < until)
    }

    /// The manifest that `reference` names for the caller.
    pub async fn manifest(
        &self,
        allowed: &Allowed<Pull>,
        reference: &Reference,
    ) -> Result<Admitted<ManifestContent>, Error> {
        let question = question(allowed, reference.clone());
        if let Some(answer) = self.manifests.get(&question)
            && self.stands(allowed, &answer)
        {
            return Ok(answer.admitted.clone());
        }
        let epoch = self.epochs.of(allowed.repository());
        let resolved = self.resolve(allowed, reference).await.inspect_err(|error| {
            if let Error::Withheld(withheld) = error {
                self.count_refusal(Event::PullRefused, allowed, reference, withheld);
            }
        })?;
        let Some(stored) = self.metadata.manifest(allowed.repository(), &resolved.digest).await? else {
            return Err(Error::ManifestUnknown(reference.clone()));
        };
        if Digest::of(stored.digest.algorithm(), &stored.bytes) != resolved.digest {
            self.housekeeping.quarantine_manifest(allowed.repository(), &resolved.digest, &stored.bytes).await?;
            return Err(Error::Quarantined(resolved.digest));
        }
        let content = ManifestContent { bytes: stored.bytes, media_type: stored.media_type, digest: resolved.digest };
        let admitted = Admitted::new(content, resolved.lenience);
        let answer =
            Answer { admitted: admitted.clone(), serial: allowed.current().serial, epoch, until: resolved.until };
        self.manifests.insert(question, Arc::new(answer));
        Ok(admitted)
    }

    /// A blob, through the objects of this repository that hold it.
    pub async fn blob(&self, allowed: &Allowed<Pull>, digest: &Digest) -> Result<Admitted<BlobContent>, Error> {
        let question = question(allowed, *digest);
        if let Some(answer) = self.blobs.get(&question)
            && self.stands(allowed, &answer)
        {
            match self.open_blob(allowed.repository(), digest, &answer.admitted).await {
                Ok(Some(opened)) => return Ok(opened),
                Ok(None) | Err(Error::BlobUnknown(_) | Error::Unavailable(_)) => self.blobs.remove(&question),
                Err(error) => return Err(error),
            };
        }
        for _ in 0..LOOKS {
            if let Some(opened) = self.look_for_blob(allowed, digest, &question).await? {
                return Ok(opened);
            }
        }
        Err(Error::Unavailable(format!("stored blob {digest} moved each time it was opened")))
    }

    /// A blob where the metadata says that it is; none if it was stored anew or repaired meanwhile, under another key.
    async fn look_for_blob(
        &self,
        allowed: &Allowed<Pull>,
        digest: &Digest,
        question: &Question<Digest>,
    ) -> Result<Option<Admitted<BlobContent>>, Error> {
        let epoch = self.epochs.of(allowed.repository());
        let Some(blob) = self.metadata.blob(allowed.repository(), digest).await? else {
            return Err(Error::BlobUnknown(*digest));
        };
        let Decision::Admitted { lenience, until } = self.decide_blob(allowed, digest).await? else {
            return Err(Error::BlobUnknown(*digest));
        };
        if blob.quarantined {
            return Err(Error::Quarantined(*digest));
        }
        let ticket = BlobTicket { key: ObjectKey(blob.key), size: blob.size, lenience };
        let Some(opened) = self.open_blob(allowed.repository(), digest, &ticket).await? else { return Ok(None) };
        if self.metadata.holders(allowed.repository(), digest, 1).await?.is_empty() {
            let now = self.clock.now();
            let lease = now.plus(self.limits.blob_lease);
            let touch = || async { Ok(self.metadata.touch_blob(allowed.repository(), digest, lease, now).await?) };
            // It is open already, and is given out whether its lease could be extended or not.
            drop(self.housekeeping.with_reserve(touch).await);
        } else {
            let answer = Answer { admitted: ticket, serial: allowed.current().serial, epoch, until };
            self.blobs.insert(question.clone(), Arc::new(answer));
        }
        Ok(Some(opened))
    }

    /// Opens a blob where it was; none if it is elsewhere by now.
    async fn open_blob(
        &self,
        repository: &RepositoryName,
        digest: &Digest,
        ticket: &BlobTicket,
    ) -> Result<Option<Admitted<BlobContent>>, Error> {
        let why = match self.store.open(&ticket.key).await {
            Ok(object) if object.size() == ticket.size => {
                return Ok(Some(Admitted::new(BlobContent { digest: *digest, object }, ticket.lenience.clone())));
            }
            Ok(object) => format!("expected {} bytes, found {}", ticket.size, object.size()),
            Err(StoreError::Absent(_)) => "expected a file, found none".to_owned(),
            Err(error) => return Err(error.into()),
        };
        match self.metadata.blob(repository, digest).await? {
            Some(blob) if blob.key == ticket.key.0 => {
                self.housekeeping.note_rot(digest, &blob.key, &why).await?;
                Err(Error::Quarantined(*digest))
            }
            Some(_) => Ok(None),
            // It was collected since the metadata was read.
            None => Err(Error::BlobUnknown(*digest)),
        }
    }

    /// A blob that any object holds is judged only as an object's; else it is as visible as the subject of the
    /// evidence or data that holds it. `{}` is nobody's secret: evidence and objects share it.
    pub(super) async fn decide_blob(&self, allowed: &Allowed<Pull>, digest: &Digest) -> Result<Decision, Error> {
        let admitted = Decision::Admitted { lenience: None, until: None };
        let withheld = Decision::Withheld { unmet: Vec::new(), until: None };
        let shared = digest.to_string() == EMPTY_CONFIG;
        match allowed.access().terms() {
            PullTerms::Everything => Ok(admitted),
            PullTerms::Nothing => Ok(withheld),
            PullTerms::Signing => {
                let holders = self.metadata.holders(allowed.repository(), digest, 1).await?;
                let visible = match holders.first() {
                    Some(holder) => shared || holder.kind != Kind::Object,
                    None => shared || self.metadata.uploaded_by(allowed.repository(), digest, allowed.who()).await?,
                };
                Ok(if visible { admitted } else { withheld })
            }
            PullTerms::Conditional { .. } => self.decide_through_holders(allowed, digest, shared).await,
        }
    }

    async fn decide_through_holders(
        &self,
        allowed: &Allowed<Pull>,
        digest: &Digest,
        shared: bool,
    ) -> Result<Decision, Error> {
        for object in self.metadata.holders_once_met(allowed.repository(), digest, LIKELY).await? {
            if let admitted @ Decision::Admitted { .. } = self.decide(allowed, &object).await? {
                return Ok(admitted);
            }
        }
        let holders = self.metadata.holders(allowed.repository(), digest, self.limits.reach_objects).await?;
        let is_object = |holder: &Holder| holder.kind == Kind::Object;
        let judged_as_object = !shared && holders.iter().any(is_object);
        for holder in holders.iter().filter(|holder| !judged_as_object || is_object(holder)) {
            let target = if is_object(holder) { Some(holder.digest) } else { holder.subject };
            let Some(target) = target else { continue };
            if let admitted @ Decision::Admitted { .. } = self.decide(allowed, &target).await? {
                return Ok(admitted);
            }
        }
        Ok(Decision::Withheld { unmet: Vec::new(), until: None })
    }
}

fn question<R>(allowed: &Allowed<Pull>, reference: R) -> Question<R> {
    Question { repository: allowed.repository().clone(), reference, terms: allowed.access().terms().clone() }
}
