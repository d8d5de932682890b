//! The run: load, kill, start, check.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hallmark::oci::Digest;
use tempfile::TempDir;

use crate::contended::{self, Contended};
use crate::content;
use crate::facts::Facts;
use crate::http::send;
use crate::layouts;
use crate::random::Random;
use crate::server::{RESTLESS, Server, furnish};
use crate::worker::Worker;

const WORKERS: u64 = 4;
/// How many bytes of objects are hashed after each kill; all of them are at the end.
const HASHED: u64 = 300_000;
/// How often a difference is looked at again: collection goes on while it is looked for.
const LOOKS: usize = 40;
/// No start may take longer, whatever is stored.
const START_AT_MOST: Duration = Duration::from_secs(10);

pub(crate) struct House {
    folder: Option<TempDir>,
    seed: u64,
    pub(crate) random: Random,
    pub(crate) workers: Vec<Worker>,
    contended: Arc<Contended>,
    starts: Vec<Duration>,
}

fn folder_in(place: &str) -> std::io::Result<TempDir> {
    tempfile::Builder::new().prefix("hallmark-crash-").tempdir_in(place)
}

impl House {
    pub(crate) fn new(seed: u64) -> Self {
        Self::open(seed, WORKERS, folder_in(env!("CARGO_TARGET_TMPDIR")).unwrap())
    }

    /// One worker, in memory where the machine has a folder for that: so much happens between two looks of the program at
    /// its layouts that some are behind at any moment.
    pub(crate) fn of_one_worker(seed: u64) -> Self {
        let folder = folder_in("/dev/shm").or_else(|_| folder_in(env!("CARGO_TARGET_TMPDIR"))).unwrap();
        Self::open(seed, 1, folder)
    }

    fn open(seed: u64, workers: u64, folder: TempDir) -> Self {
        eprintln!("HALLMARK_CRASH_SEED={seed}");
        let key = content::key();
        furnish(folder.path(), &key.public_key_to_pem().unwrap());
        let contended = Arc::new(Contended::default());
        let worker = |number| {
            let seed = seed.wrapping_add(1 + number);
            Worker::new(format!("w{number}"), seed, Arc::clone(&contended), key.clone())
        };
        let workers = (0..workers).map(worker).collect();
        Self { folder: Some(folder), seed, random: Random::new(seed), workers, contended, starts: Vec::new() }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.folder().join("data")
    }

    pub(crate) fn survives(mut self, kills: u64) {
        let mut killed = 0;
        while killed < kills {
            if self.random.once_in(4) {
                let after = Duration::from_millis(self.random.below(120));
                Server::start_in_vain(self.folder(), after);
                killed += 1;
            }
            let server = self.start(RESTLESS);
            self.check(&server, HASHED);
            self.work_until_killed(server);
            killed += 1;
        }
        let server = self.start(RESTLESS);
        self.check(&server, u64::MAX);
        self.starts.sort();
        let (median, longest) = (self.starts[self.starts.len() / 2], self.starts[self.starts.len() - 1]);
        for worker in &self.workers {
            eprintln!("{:?}", worker.tally);
            assert!(worker.tally.acknowledged > 0, "expected work to be done, found {:?}", worker.tally);
        }
        eprintln!("{killed} kills; starts took {median:?} at the median, {longest:?} at the most");
        assert!(longest < START_AT_MOST, "expected starts that are bounded, found one of {longest:?}");
    }

    pub(crate) fn start(&mut self, flags: &[&str]) -> Server {
        let server = Server::start(self.folder(), flags);
        self.starts.push(server.took);
        for worker in &mut self.workers {
            worker.address.clone_from(&server.address);
        }
        server
    }

    fn work_until_killed(&mut self, server: Server) {
        let killed = AtomicBool::new(false);
        let lives = if self.random.once_in(10) { 2_000 } else { 500 };
        let lives = Duration::from_millis(self.random.below(lives));
        std::thread::scope(|scope| {
            for worker in &mut self.workers {
                scope.spawn(|| worker.work(&killed));
            }
            std::thread::sleep(lives);
            killed.store(true, Ordering::SeqCst);
            server.kill();
        });
    }

    /// Everything that must hold after a start.
    pub(crate) fn check(&mut self, server: &Server, hashed: u64) {
        self.check_again_and_again("files and the metadata", Self::unnamed_files);
        let facts = Facts::read(&self.root());
        for worker in &mut self.workers {
            worker.settle(&facts);
        }
        let mut failures = facts.contradictions.clone();
        failures.extend(self.contended.settle(facts.pushes(contended::REPOSITORY, contended::TAG).first().copied()));
        failures.extend(self.strangers(&facts));
        failures.extend(self.spoilt_objects(hashed));
        for worker in &mut self.workers {
            worker.check_served();
            worker.check_sessions(&facts);
        }
        self.report(failures);
        self.check_again_and_again("layouts and the metadata", |house| {
            let flushed = send(&server.address, "POST", "/_hallmark/flush", &[], b"").map(|answer| answer.status);
            if flushed != Some(204) {
                return vec![format!("expected layouts to be flushed, found {flushed:?}")];
            }
            layouts::differences(&house.root(), &Facts::read(&house.root()))
        });
    }

    fn check_again_and_again(&mut self, what: &str, look: impl Fn(&Self) -> Vec<String>) {
        let mut found = Vec::new();
        for _ in 0..LOOKS {
            found = look(self);
            if found.is_empty() {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        found.insert(0, format!("{what} differ for good:"));
        self.report(found);
    }

    /// Files that the metadata does not name, and objects that it names and are not there.
    fn unnamed_files(&self) -> Vec<String> {
        let root = self.root();
        let facts = Facts::read(&root);
        let mut found: Vec<String> = facts.intents.iter().map(|key| format!("{key} is intended by nobody")).collect();
        let uploads = layouts::names(&root.join("_uploads"));
        found.extend(
            uploads.iter().filter(|name| !facts.uploads.contains(*name)).map(|name| format!("_uploads/{name}")),
        );
        let objects = layouts::objects(&root);
        let named = |key: &String| facts.contents.contains_key(key) || facts.trash.contains(key);
        found.extend(objects.iter().filter(|key| !named(key)).map(|key| format!("_cas/{key} is named by nothing")));
        let lost = facts.contents.keys().filter(|key| !objects.contains(*key));
        found.extend(lost.map(|key| format!("_cas/{key} is not there")));
        found
    }

    /// Manifests that no worker has pushed, or that were deleted.
    fn strangers(&self, facts: &Facts) -> Vec<String> {
        let mut own: BTreeMap<&String, BTreeSet<Digest>> = BTreeMap::new();
        for (name, repository) in self.workers.iter().flat_map(|worker| &worker.world.0) {
            own.entry(name).or_default().extend(repository.manifests.keys());
        }
        let none = BTreeSet::new();
        let strange = |(name, found): (&String, &BTreeSet<Digest>)| {
            let known = own.get(name).unwrap_or(&none);
            found.difference(known).map(|digest| format!("{name}: nobody pushed {digest}")).collect::<Vec<_>>()
        };
        facts.manifests.iter().flat_map(strange).collect()
    }

    /// Objects whose bytes are not what their name says; some of them are looked at, from a random place on.
    fn spoilt_objects(&mut self, hashed: u64) -> Vec<String> {
        let contents: Vec<_> = Facts::read(&self.root()).contents.into_iter().collect();
        let mut found = Vec::new();
        if contents.is_empty() {
            return found;
        }
        let (first, mut left) = (self.random.index(contents.len()), hashed);
        for (key, (size, digest)) in contents.iter().cycle().skip(first).take(contents.len()) {
            // Collected meanwhile.
            let Ok(bytes) = std::fs::read(self.root().join("_cas").join(key)) else { continue };
            if u64::try_from(bytes.len()).unwrap() != *size
                || (left > 0 && Digest::of(digest.algorithm(), &bytes) != *digest)
            {
                found.push(format!("_cas/{key} does not hold what it is named for"));
            }
            left = left.saturating_sub(*size);
        }
        found
    }

    /// Ends the run if anything failed: with the seed, what was done to the names, and the folder, which stays.
    fn report(&mut self, mut failures: Vec<String>) {
        for worker in &mut self.workers {
            failures.append(&mut worker.failures);
        }
        if failures.is_empty() {
            return;
        }
        let folder = self.folder.take().unwrap().keep();
        let histories: Vec<String> = self.workers.iter().map(Worker::history).collect();
        std::fs::File::create(folder.join("histories"))
            .and_then(|mut file| std::io::Write::write_all(&mut file, histories.join("\n\n").as_bytes()))
            .unwrap();
        let mentioned: Vec<String> = self.workers.iter().flat_map(|worker| worker.mentions(&failures)).collect();
        panic!(
            "HALLMARK_CRASH_SEED={} failed; {} is kept, with the histories of all workers.\n{}\nWhat was done to these names:\n{}",
            self.seed,
            folder.display(),
            failures.join("\n"),
            mentioned.join("\n")
        );
    }
}

impl Worker {
    /// Everything it did.
    fn history(&self) -> String {
        self.log.join("\n")
    }

    /// What it did to the digests and sessions that `failures` speak of.
    fn mentions(&self, failures: &[String]) -> Vec<String> {
        let text = failures.join("\n");
        let is_name =
            |word: &str| (word.len() >= 36 || (word.starts_with('w') && word.contains('-'))) && text.contains(word);
        let split = |line: &str| line.split(['/', ':', ' ', '?', '=', '&', ',', ')', '(']).any(is_name);
        let lines = self.log.iter().enumerate().filter(|(_, line)| split(line));
        // Each with what was answered.
        lines.flat_map(|(at, _)| self.log.iter().skip(at).take(2)).cloned().collect()
    }
}
