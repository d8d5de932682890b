//! Which loads there are, with how much of each.

use std::time::Duration;

use crate::load::{Load, Ratio, Target, Verb};

const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// The sizes of the image's layers, in bytes.
pub(crate) const LAYERS: [usize; 3] = [KIB, MIB, 100 * MIB];

/// The same of the image whose manifests are pushed.
pub(crate) const SMALL: [usize; 1] = [KIB];

/// The loads that are compared with each other: whether commits are grouped.
pub(crate) const MANIFESTS_BY_ONE: &str = "manifest PUT, 1 client";
pub(crate) const MANIFESTS_BY_MANY: &str = "manifest PUT, 64 clients";

/// How many pushes make a round.
struct Pushes {
    small: u64,
    medium: u64,
    large: u64,
    manifests_by_one: u64,
    manifests_by_many: u64,
}

/// How much is asked.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) rounds: usize,
    /// Short rounds with the gate on, and as many with it off, in turn.
    pub(crate) slices: usize,
    pub(crate) loads: Vec<Load>,
}

impl Plan {
    /// What the published figures come from: about half an hour.
    pub(crate) fn full() -> Self {
        const PUSHES: Pushes =
            Pushes { small: 1_600, medium: 160, large: 4, manifests_by_one: 400, manifests_by_many: 3_200 };
        let [cheap, bulk] = [6, 3].map(Duration::from_secs);
        Self { rounds: 5, slices: 40, loads: loads(200_000, cheap, bulk, &PUSHES) }
    }

    /// The same, too short to be believed: under a minute.
    pub(crate) fn quick() -> Self {
        const FEW: Pushes = Pushes { small: 80, medium: 16, large: 2, manifests_by_one: 20, manifests_by_many: 160 };
        let short = Duration::from_millis(300);
        Self { rounds: 1, slices: 4, loads: loads(4_000, short, short, &FEW) }
    }
}

fn loads(requests: u64, cheap: Duration, bulk: Duration, pushes: &Pushes) -> Vec<Load> {
    use Ratio::{Bare, BareProcessor, DockerProcessor, DockerRegistry};
    // A share of the bare server's rate is asked for in processor time too: one core of load tool is often the bound.
    const MANIFEST: Target = &[(DockerRegistry, 10.0), (DockerProcessor, 50.0), (Bare, 0.6), (BareProcessor, 0.5)];
    const SMALL: Target = &[(DockerRegistry, 10.0), (DockerProcessor, 70.0), (Bare, 0.6), (BareProcessor, 0.6)];
    const MEDIUM: Target = &[(DockerProcessor, 8.0), (Bare, 0.85), (BareProcessor, 0.85)];
    const LARGE: Target = &[(DockerRegistry, 1.0), (DockerProcessor, 1.0), (Bare, 0.95), (BareProcessor, 0.95)];
    const PUSH_SMALL: Target = &[(DockerRegistry, 4.0)];
    const PUSH_MEDIUM: Target = &[(DockerRegistry, 3.5)];
    const PUSH_LARGE: Target = &[(DockerRegistry, 2.0), (Bare, 0.9), (BareProcessor, 0.9)];
    let small = |name, verb, target| Load { name, verb, clients: 32, requests, at_most: cheap, target };
    let blob =
        |name, size, clients, target| Load { name, verb: Verb::Blob(size), clients, requests, at_most: bulk, target };
    let write = |name, verb, clients, requests, target| {
        let at_most = Duration::from_secs(10);
        Load { name, verb, clients, requests, at_most, target }
    };
    vec![
        small("manifest GET by tag", Verb::ManifestByTag, MANIFEST),
        small("manifest GET by digest", Verb::ManifestByDigest, MANIFEST),
        small("manifest HEAD by tag", Verb::HeadByTag, MANIFEST),
        small("manifest HEAD by digest", Verb::HeadByDigest, MANIFEST),
        small("blob GET 1 KiB", Verb::Blob(KIB), SMALL),
        blob("blob GET 1 MiB", MIB, 8, MEDIUM),
        blob("blob GET 100 MiB", 100 * MIB, 2, LARGE),
        write("push 1 KiB, 8 clients", Verb::Push(KIB), 8, pushes.small, PUSH_SMALL),
        write("push 1 MiB, 8 clients", Verb::Push(MIB), 8, pushes.medium, PUSH_MEDIUM),
        write("push 100 MiB, 2 clients", Verb::Push(100 * MIB), 2, pushes.large, PUSH_LARGE),
        write("push 100 MiB, in chunks", Verb::PushInChunks(100 * MIB), 2, pushes.large, PUSH_LARGE),
        write(MANIFESTS_BY_ONE, Verb::PutManifest, 1, pushes.manifests_by_one, &[]),
        write(MANIFESTS_BY_MANY, Verb::PutManifest, 64, pushes.manifests_by_many, &[]),
    ]
}
