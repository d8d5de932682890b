//! The properties that `fuzz/` searches to break, asked of its seeds and of a fixed number of their mutations: the same
//! inputs at every run.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "tests"
)]

#[path = "properties/mod.rs"]
mod properties;

use std::path::{Path, PathBuf};

/// How many mutations each property is asked.
const CASES: usize = 1_000;

/// Pieces that parsers treat in a way of their own.
const WORDS: [&[u8]; 24] = [
    b"/",
    b"..",
    b"_",
    b"__",
    b"-",
    b"%2f",
    b"%",
    b"=",
    b"&",
    b":",
    b"@",
    b"sha256:",
    b"sha512-",
    b"{",
    b"}",
    b"[",
    b"]",
    b"\"",
    b",",
    b"\0",
    b"\xff",
    b"18446744073709551615",
    b"null",
    b"\xc5\xbf",
];

fn seeds(name: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds").join(name);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

/// Numbers that are the same at every run: xorshift.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    fn mutate(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = seeds[self.below(seeds.len())].clone();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let end = at + self.below((bytes.len() - at).min(40) + 1);
            match self.below(6) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 => drop(bytes.splice(at..at, WORDS[self.below(WORDS.len())].iter().copied())),
                2 => drop(bytes.drain(at..end)),
                3 => {
                    let piece = bytes[at..end].to_vec();
                    drop(bytes.splice(at..at, piece));
                }
                4 => {
                    let other = &seeds[self.below(seeds.len())];
                    let from = self.below(other.len() + 1);
                    bytes.truncate(at);
                    bytes.extend_from_slice(&other[from..]);
                }
                _ => drop(bytes.splice(at..end, WORDS[self.below(WORDS.len())].iter().copied())),
            }
        }
        bytes
    }
}

#[test]
fn every_property_holds_for_its_seeds_and_their_mutations() {
    for (name, property) in properties::ALL {
        let seeds = seeds(name);
        let (mut taken, mut refused) = (0, 0);
        let mut ask = |bytes: &[u8]| if property(bytes) { taken += 1 } else { refused += 1 };
        for seed in &seeds {
            ask(seed);
        }
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        for _ in 0..CASES {
            ask(&numbers.mutate(&seeds));
        }
        // A property of which nothing is taken, or nothing refused, is asked of the wrong inputs.
        assert!(taken > 0 && refused > 0, "{name}: {taken} taken, {refused} refused");
    }
}

#[test]
fn each_property_has_its_fuzz_target_and_each_target_its_property() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let mut targets: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    targets.sort();
    assert_eq!(targets, properties::ALL.map(|(name, _)| name));
    for (name, property) in properties::ALL {
        assert!(std::ptr::fn_addr_eq(properties::named(name), property), "{name}");
    }
}
