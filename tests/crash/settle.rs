//! After a kill: what a worker was told, beside what is there and what is served.

use std::collections::BTreeSet;

use hallmark::oci::Digest;

use crate::facts::Facts;
use crate::worker::Worker;

impl Worker {
    /// After a kill: the world is as it was acknowledged, or as the change in doubt made it.
    pub(crate) fn settle(&mut self, facts: &Facts) {
        let after = self.doubt.take();
        let before = self.world.differences(after.as_ref().unwrap_or(&self.world), facts);
        if before.is_empty() {
            self.tally.unmade += u64::from(after.is_some());
            return;
        }
        let Some(after) = after else { return self.failures.extend(before) };
        let made = after.differences(&self.world, facts);
        if made.is_empty() {
            self.log.push("  it was made".to_owned());
            self.tally.made += 1;
            self.world = after;
            return;
        }
        self.failures.push(format!("neither as it was: {before:#?}\nnor as the change in doubt makes it: {made:#?}"));
    }

    /// What the program serves is what the world is.
    pub(crate) fn check_served(&mut self) {
        let repositories: Vec<String> = self.world.0.keys().cloned().collect();
        for repository in repositories {
            if self.pull(&repository).and_then(|()| self.check_referrers(&repository)).is_none() {
                self.failures.push("expected answers after the start".to_owned());
            }
        }
    }

    fn check_referrers(&mut self, repository: &str) -> Option<()> {
        let own = self.world.repository(repository).manifests.clone();
        let subjects: BTreeSet<Digest> = own.values().filter_map(|m| m.subject).collect();
        for subject in subjects {
            let answer = self.ask("GET", &format!("/v2/{repository}/referrers/{subject}"), &[], b"")?;
            let list: serde_json::Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            let listed = list["manifests"].as_array().cloned().unwrap_or_default();
            let mut listed: Vec<String> =
                listed.iter().map(|entry| entry["digest"].as_str().unwrap().to_owned()).collect();
            listed.sort();
            let about = own.values().filter(|manifest| manifest.subject == Some(subject));
            let mut expected: Vec<String> = about.map(|manifest| manifest.digest.to_string()).collect();
            expected.sort();
            self.expect(listed == expected, || {
                format!("expected the referrers of {subject} to be {expected:?}, each once, found {listed:?}")
            });
        }
        Some(())
    }
}
