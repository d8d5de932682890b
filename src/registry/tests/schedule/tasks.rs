//! Who takes part in a run.

use std::sync::Arc;
use std::time::Duration;

use super::client::{Client, IMAGES};
use super::defects::Defect;
use super::harm::{Damage, Harm};
use super::record::Record;
use super::repositories;
use super::scheduler::Task;
use crate::oci::Digest;
use crate::registry::tests::House;
use crate::seeded::Seeded;

const TAGS: [&str; 2] = ["v1", "v2"];

/// How far the clock goes before a sweep: nowhere, within a lease, beyond it, beyond what deleted manifests leave.
const STEPS: [Duration; 5] =
    [Duration::ZERO, Duration::from_mins(1), Duration::from_mins(6), Duration::from_mins(11), Duration::from_mins(70)];

/// Chooses the tasks of a run.
pub(super) struct Cast {
    house: Arc<House>,
    record: Arc<Record>,
    damage: Arc<Damage>,
    seed: u64,
    random: Seeded,
}

impl Cast {
    pub(super) fn new(house: &Arc<House>, record: &Arc<Record>, damage: &Arc<Damage>, seed: u64) -> Self {
        // Apart from the numbers that the scheduler draws from the same seed.
        let random = Seeded::new(!seed);
        Self { house: Arc::clone(house), record: Arc::clone(record), damage: Arc::clone(damage), seed, random }
    }

    fn client(&mut self) -> Client {
        let repository = self.random.of(&[0, 0, 1]);
        let repository = repositories()[repository].clone();
        let (house, record, damage) = (Arc::clone(&self.house), Arc::clone(&self.record), Arc::clone(&self.damage));
        Client { house, record, damage, seed: self.seed, repository }
    }

    /// Some that push, some that delete, one or two that sweep, and whoever else.
    pub(super) fn tasks(mut self, defect: Option<Defect>) -> Vec<Task> {
        let mut tasks = vec![self.push(), self.push_or_mount(), self.delete()];
        match defect {
            Some(Defect::PushThatAsksBefore) => {
                // It comes to its commit late: someone must still sweep then.
                tasks.extend([self.defective(Defect::PushThatAsksBefore), self.sweep(5)]);
            }
            Some(Defect::MoveBesideThePass) => {
                tasks.extend([self.defective(Defect::MoveBesideThePass), self.scrub(12)]);
                tasks.extend((0..5).map(|_| self.harm_by(Harm::Absence)).collect::<Vec<_>>());
            }
            Some(Defect::ScrubThatCondemnsWhatIsLive) => {
                // What it looked at must be collected and pushed again meanwhile.
                tasks.extend([self.defective(Defect::ScrubThatCondemnsWhatIsLive), self.sweep(5)]);
                tasks.extend([self.delete(), self.delete(), self.push(), self.push()]);
            }
            Some(defect) => tasks.push(self.defective(defect)),
            None => tasks.push(self.sweep(1)),
        }
        if self.random.once_in(2) {
            let passes = 2 + self.random.below(3);
            tasks.push(self.scrub(passes));
            for _ in 0..self.random.below(3) {
                tasks.push(self.harm());
            }
        }
        for _ in 0..2 + self.random.below(3) {
            tasks.push(self.anyone());
        }
        tasks
    }

    fn anyone(&mut self) -> Task {
        match self.random.below(9) {
            0 | 1 => self.push(),
            2 => self.push_or_mount(),
            3 => self.delete(),
            4 => self.sweep(1),
            5 => self.pull(),
            6 => self.sign(),
            _ => self.flush(),
        }
    }

    fn tag(&mut self) -> Option<&'static str> {
        self.random.of(&[Some(TAGS[0]), Some(TAGS[1]), None])
    }

    /// Pushes an image, and perhaps deletes and pushes it again.
    fn push(&mut self) -> Task {
        let (client, number, tag) = (self.client(), self.random.below(IMAGES), self.tag());
        let (chunked, again, index) = (self.random.once_in(4), self.random.once_in(3), self.random.once_in(5));
        let what = format!("push of {number} to {} as {tag:?}, again: {again}", client.repository);
        task(what, true, async move {
            client.push(number, tag, chunked).await;
            if again {
                client.delete(client.digest(number)).await;
                client.push(number, tag, false).await;
            }
            if index {
                client.push_index("all").await;
            }
        })
    }

    fn push_or_mount(&mut self) -> Task {
        let (client, number, tag) = (self.client(), self.random.below(IMAGES), self.tag());
        let from = repositories().into_iter().find(|other| *other != client.repository).unwrap();
        let what = format!("push of {number} to {} as {tag:?}, mounted from {from}", client.repository);
        task(what, true, async move { client.push_mounted(number, &from, tag).await })
    }

    fn delete(&mut self) -> Task {
        let client = self.client();
        let doomed: Vec<_> = (0..3).map(|_| (self.random.below(4), self.random.below(IMAGES))).collect();
        let what = format!("deletion in {} of {doomed:?}", client.repository);
        task(what, true, async move {
            for (kind, number) in doomed {
                match kind {
                    0 => client.delete_tag(TAGS[number % TAGS.len()]).await,
                    1 => client.delete_blob(Digest::sha256(&client.layer(number))).await,
                    _ => client.delete(client.digest(number)).await,
                }
            }
        })
    }

    fn steps(&mut self) -> Vec<Duration> {
        (0..3).map(|_| self.random.of(&STEPS)).collect()
    }

    fn sweep(&mut self, times: usize) -> Task {
        let (client, steps) = (self.client(), self.steps().repeat(times));
        task(format!("sweep after {steps:?}"), false, async move {
            for step in steps {
                client.house.clock.advance(step);
                client.house.registry.sweep().await.unwrap();
            }
        })
    }

    fn defective(&mut self, defect: Defect) -> Task {
        let (client, steps) = (self.client(), self.steps());
        task(format!("{defect:?} after {steps:?}"), false, async move { defect.act(&client, &steps).await })
    }

    fn pull(&mut self) -> Task {
        let (client, tag) = (self.client(), self.random.of(&TAGS));
        task(format!("pull of {tag} from {}", client.repository), true, async move {
            client.pull(tag).await;
            client.pull("all").await;
            client.pull(tag).await;
        })
    }

    fn sign(&mut self) -> Task {
        let (client, number) = (self.client(), self.random.below(IMAGES));
        task(format!("signature of {number}"), true, async move { client.sign(number).await })
    }

    /// Passes of the scrub, one after another; to it, every object that nothing names is old enough to go.
    fn scrub(&mut self, passes: usize) -> Task {
        let client = self.client();
        task(format!("{passes} passes of the scrub"), false, async move {
            for _ in 0..passes {
                client.house.registry.housekeeping().scrub_at_once().await.unwrap();
                client.damage.settle(&client.house);
            }
        })
    }

    fn harm(&mut self) -> Task {
        let harm = self.random.of(&[Harm::Rot, Harm::Loss, Harm::Absence]);
        self.harm_by(harm)
    }

    fn harm_by(&mut self, harm: Harm) -> Task {
        let (client, number) = (self.client(), self.random.below(IMAGES + 1));
        let (copied, before, absent_for) = (self.random.once_in(2), self.random.below(40), self.random.below(40));
        let what = format!("{harm:?} of {number} in {} after {before}, copied: {copied}", client.repository);
        task(what, false, async move {
            let bytes = if number == IMAGES { client.config() } else { client.layer(number) };
            client.wait(before).await;
            client.harm(Digest::sha256(&bytes), harm, copied, absent_for).await;
        })
    }

    fn flush(&mut self) -> Task {
        let (client, abandons) = (self.client(), self.random.once_in(2));
        task("views of layouts and judgements".to_owned(), false, async move {
            client.house.registry.flush_views().await.unwrap();
            client.house.registry.judge_queue().await.unwrap();
            if abandons {
                client.abandon().await;
            }
            client.house.registry.flush_views().await.unwrap();
        })
    }
}

fn task(what: String, may_leave: bool, work: impl Future<Output = ()> + Send + 'static) -> Task {
    Task { what, may_leave, work: Box::pin(work) }
}
