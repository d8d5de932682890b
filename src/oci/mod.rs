//! The nouns of the OCI specifications, parsed at the door. No IO.

mod digest;
mod error;
pub mod json;
mod manifest;
pub mod media_type;
mod name;
mod precondition;
mod range;
mod reference;
mod tag;

pub use digest::{Algorithm, Digest, DigestError, Hasher};
pub use error::{ErrorBody, ErrorCode};
pub use manifest::{Descriptor, EMPTY_CONFIG, Link, LinkKind, Manifest, ManifestError, ManifestKind};
pub use name::{NameError, RepositoryName};
pub use precondition::{Precondition, PreconditionError};
pub use range::{ByteRange, ContentRange, RangeError};
pub use reference::{Reference, ReferenceError};
pub use tag::{EvidenceTag, Tag, TagError};
