//! What a power cut may leave of writes that were not synced: logs that end in mid-frame, uploads with other bytes, and
//! layouts in any state between two that were whole.

use std::path::Path;
use std::time::Duration;

use crate::half_written::{self, Kept};
use crate::house::House;
use crate::random::Random;
use crate::server::QUIET;
use crate::uploads::spoil;

const STEPS: usize = 15;

/// Where the log of the metadata ends, and which log it is: it is written from its beginning again when its pages are in
/// the database, and what is behind its end is of the log before.
#[derive(Debug)]
struct Mark {
    end: usize,
    salts: Vec<u8>,
}

fn log(root: &Path) -> std::path::PathBuf {
    root.join("_metadata.sqlite-wal")
}

/// Reads what the [format of the log](https://sqlite.org/fileformat2.html#the_write_ahead_log) says: a header, then frames,
/// each with the salts of the header.
fn mark(root: &Path) -> Mark {
    const HEADER: usize = 32;
    const FRAME_HEADER: usize = 24;
    let bytes = std::fs::read(log(root)).unwrap_or_default();
    let Some(header) = bytes.get(..HEADER) else { return Mark { end: bytes.len(), salts: Vec::new() } };
    let (page, salts) = (u32::from_be_bytes(header[8..12].try_into().unwrap()), header[16..24].to_vec());
    let frames = bytes[HEADER..].chunks_exact(FRAME_HEADER + usize::try_from(page).unwrap());
    let frames = frames.take_while(|frame| frame[8..16] == salts);
    Mark { end: HEADER + frames.map(<[u8]>::len).sum::<usize>(), salts }
}

/// How long the program has for its layouts, at the most: some of them are written then, and others are not.
const LAYOUTS_HAVE: u64 = 400;

/// One worker works and stops. Then only layouts are written and noted as clean, and upload sessions go on, of which no
/// row is synced; the program is killed, and what it wrote since is spoilt, and so are layouts that are pending then. What
/// was acknowledged before must be there, a session that is shown must be whole, and layouts must come to be what the
/// metadata is.
pub(crate) fn survives(seed: u64, rounds: u64) {
    let mut house = House::of_one_worker(seed);
    let (mut torn, mut undone) = (0, 0);
    for _ in 0..rounds {
        let server = house.start(QUIET);
        house.check(&server, 0);
        let kept = Kept::take(&house.root(), house.folder().join("kept"));
        let worker = &mut house.workers[0];
        for _ in 0..STEPS {
            worker.step().expect("an answer");
        }
        let before = mark(&house.root());
        std::thread::sleep(Duration::from_millis(house.random.below(LAYOUTS_HAVE)));
        let worker = &mut house.workers[0];
        worker.open_session().expect("an answer");
        worker.go_on_with_all();
        server.kill();
        let after = mark(&house.root());
        if after.salts == before.salts && after.end > before.end {
            tear_log(&log(&house.root()), before.end..after.end, &mut house.random);
            torn += 1;
        }
        undone += half_written::leave(&house.root(), &kept, &mut house.random);
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
    eprintln!("{torn} logs torn, {undone} names in layouts undone");
    assert!(undone > 0, "expected layouts to be half-written, found none in {rounds} rounds");
}

/// Spoils what came to a log last, of which nothing may have come to the disk at all.
fn tear_log(log: &Path, last: std::ops::Range<usize>, random: &mut Random) {
    let end = if random.once_in(2) { last.start } else { last.end };
    let open = std::fs::File::options().write(true).open(log).unwrap();
    open.set_len(end.try_into().unwrap()).unwrap();
    tear(log, last.start, random);
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
