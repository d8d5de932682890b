//! What goes over the wire: requests as bytes to the program itself, answers as bytes from it.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

#[path = "wire/answers.rs"]
mod answers;
#[path = "wire/audit.rs"]
mod audit;
#[path = "wire/bad_input.rs"]
mod bad_input;
#[path = "wire/concurrency.rs"]
mod concurrency;
#[path = "wire/conditional.rs"]
mod conditional;
#[path = "wire/disk.rs"]
mod disk;
#[path = "wire/distribution.rs"]
mod distribution;
#[path = "wire/explain.rs"]
mod explain;
#[path = "wire/full_disk.rs"]
mod full_disk;
#[path = "wire/housekeeping.rs"]
mod housekeeping;
#[path = "wire/http2.rs"]
mod http2;
#[path = "wire/lists.rs"]
mod lists;
#[path = "wire/log.rs"]
mod log;
#[path = "wire/offline.rs"]
mod offline;
#[path = "wire/operate.rs"]
mod operate;
#[path = "wire/program.rs"]
mod program;
#[path = "wire/read_only.rs"]
mod read_only;
#[path = "wire/restart.rs"]
mod restart;
#[path = "wire/sha512.rs"]
mod sha512;
#[path = "wire/tiny.rs"]
mod tiny;
#[path = "wire/tls.rs"]
mod tls;
#[path = "wire/unread.rs"]
mod unread;
#[path = "wire/uploads.rs"]
mod uploads;
#[path = "wire/verifier.rs"]
mod verifier;
#[path = "wire/verify.rs"]
mod verify;
#[path = "wire/verify_credentials.rs"]
mod verify_credentials;
#[path = "wire/verify_hostile.rs"]
mod verify_hostile;
