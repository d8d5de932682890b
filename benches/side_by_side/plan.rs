//! Which loads there are, with how much of each.

use std::time::Duration;

use crate::load::{Load, Target, Verb};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// The sizes of the image's layers, in bytes.
pub(crate) const LAYERS: [usize; 3] = [KIB, MIB, 100 * MIB];

/// How much is asked.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    pub(crate) loads: Vec<Load>,
}

impl Plan {
    /// What the published figures come from: about twenty minutes.
    pub(crate) fn full() -> Self {
        let [cheap, bulk] = [6, 3].map(Duration::from_secs);
        Self { rounds: 5, loads: loads(200_000, cheap, bulk, [160, 4]) }
    }

    /// The same, too short to be believed: under a minute.
    pub(crate) fn quick() -> Self {
        let short = Duration::from_millis(300);
        Self { rounds: 1, loads: loads(4_000, short, short, [16, 2]) }
    }
}

fn loads(requests: u64, cheap: Duration, bulk: Duration, pushes: [u64; 2]) -> Vec<Load> {
    const MANIFEST: Target = Target::Rates { docker_registry: 10.0, bare: 0.5 };
    const SMALL: Target = Target::Rate { docker_registry: 10.0 };
    const PUSH: Target = Target::Rate { docker_registry: 1.5 };
    let small = |name, verb, target| Load { name, verb, clients: 32, requests, at_most: cheap, target };
    let blob =
        |name, size, clients, target| Load { name, verb: Verb::Blob(size), clients, requests, at_most: bulk, target };
    let push = |name, size, clients, requests| Load {
        name,
        verb: Verb::Push(size),
        clients,
        requests,
        at_most: Duration::from_secs(10),
        target: PUSH,
    };
    let [small_pushes, large_pushes] = pushes;
    vec![
        small("manifest GET by tag", Verb::ManifestByTag, MANIFEST),
        small("manifest GET by digest", Verb::ManifestByDigest, MANIFEST),
        small("manifest HEAD by tag", Verb::HeadByTag, Target::None),
        small("blob GET 1 KiB", Verb::Blob(KIB), SMALL),
        blob("blob GET 1 MiB", MIB, 8, Target::None),
        blob("blob GET 100 MiB", 100 * MIB, 2, Target::RateForLess),
        push("push 1 MiB, 8 clients", MIB, 8, small_pushes),
        push("push 100 MiB, 2 clients", 100 * MIB, 2, large_pushes),
    ]
}
