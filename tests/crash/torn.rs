//! What a power cut may leave of writes that were not synced: logs that end in mid-frame, uploads with other bytes, and
//! layouts in any state between two that were whole.

use std::path::Path;

use crate::half_written::{self, Kept};
use crate::house::House;
use crate::random::Random;
use crate::server::QUIET;
use crate::uploads::spoil;

const STEPS: usize = 15;

/// Where the log of the metadata ends, and which log it is.
#[derive(Debug)]
struct Mark {
    length: usize,
    salts: Vec<u8>,
}

fn log(root: &Path) -> std::path::PathBuf {
    root.join("_metadata.sqlite-wal")
}

fn mark(root: &Path) -> Mark {
    let bytes = std::fs::read(log(root)).unwrap_or_default();
    Mark { length: bytes.len(), salts: bytes.get(16..24).unwrap_or_default().to_vec() }
}

/// One worker works and stops. Then only upload sessions go on, of which nothing is synced; the program is killed, and
/// what it wrote since is spoilt, and so are layouts that were pending. What was acknowledged before must be there, a
/// session that is shown must be whole, and layouts must come to be what the metadata is.
pub(crate) fn survives(seed: u64, rounds: u64) {
    let mut house = House::of_one_worker(seed);
    let (mut torn, mut unmade) = (0, 0);
    for _ in 0..rounds {
        let server = house.start(QUIET);
        house.check(&server, 0);
        let kept = Kept::take(&house.root(), house.folder().join("kept"));
        let worker = &mut house.workers[0];
        for _ in 0..STEPS {
            worker.step().expect("an answer");
        }
        let before = mark(&house.root());
        let worker = &mut house.workers[0];
        worker.open_session().expect("an answer");
        worker.go_on_with_all();
        server.kill();
        if mark(&house.root()).salts == before.salts {
            tear(&log(&house.root()), before.length, &mut house.random);
            torn += 1;
        }
        unmade += half_written::leave(&house.root(), &kept, &mut house.random);
        let sessions = house.workers[0].forget_sessions();
        for session in &sessions {
            let file = house.root().join("_uploads").join(session.path.rsplit('/').next().unwrap());
            tear(&file, 0, &mut house.random);
        }
        let server = house.start(QUIET);
        let worker = &mut house.workers[0];
        for session in sessions {
            worker.finish_if_shown(session);
        }
        house.check(&server, u64::MAX);
        server.kill();
    }
    assert!(torn > rounds / 2, "expected logs to be torn, found {torn} in {rounds} rounds");
    eprintln!("{torn} logs torn, {unmade} names of layouts unmade");
    assert!(unmade > 0, "expected layouts to be pending, found none in {rounds} rounds");
}

/// Spoils a file from some place behind `from` on. One that is absent stays so.
fn tear(file: &Path, from: usize, random: &mut Random) {
    let Ok(mut bytes) = std::fs::read(file) else { return };
    if bytes.len() > from {
        spoil(random, &mut bytes, from);
    }
    // In place: links to it must see it too.
    let mut open = std::fs::File::options().write(true).truncate(true).open(file).unwrap();
    std::io::Write::write_all(&mut open, &bytes).unwrap();
}
