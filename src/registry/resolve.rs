//! The one resolver: what a reference names for the caller who asks.
//!
//! HEAD, GET, lists, conditional requests and ranges all come through here.

use crate::authz::{InRepository, Pull, PullTerms};
use crate::clock::Timestamp;
use crate::gate::{Mode, RequirementName, Unmet, Verdict};
use crate::metadata::{Kind, Push};
use crate::oci::{Digest, Reference, Tag};
use crate::requirements::TagFallback;

use super::{Allowed, Error, Lenience, Registry, Withheld};

/// A digest that may be served to the caller.
#[derive(Debug)]
pub(super) struct Resolved {
    pub(super) digest: Digest,
    /// Why it would be withheld if its requirement were enforced.
    pub(super) lenience: Option<Lenience>,
    /// When the answer may change by time alone.
    pub(super) until: Option<Timestamp>,
}

/// Whether a digest is admitted under one of several requirements.
#[derive(Debug)]
pub(super) enum Decision {
    Admitted { lenience: Option<Lenience>, until: Option<Timestamp> },
    Withheld { unmet: Vec<Unmet>, until: Option<Timestamp> },
}

/// The pushes of a tag as they were walked for a caller, from the newest.
#[derive(Debug)]
pub(super) struct Walk {
    /// Those that are not served, each with the reason.
    pub(super) passed: Vec<(Push, String)>,
    /// Why the newest is not served, if it is not.
    newest: Vec<Unmet>,
    end: End,
}

#[derive(Debug)]
enum End {
    Served(Resolved),
    /// And what more there is to say.
    Withheld(Option<String>),
}

pub(super) fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

impl Walk {
    /// Whether it came to a push that is served.
    pub(super) fn is_served(&self) -> bool {
        matches!(self.end, End::Served(_))
    }
}

impl Registry {
    /// What `reference` names for the caller: by digest, that digest if it is admitted; by tag, the newest push of the
    /// tag that is.
    pub(super) async fn resolve(&self, allowed: &Allowed<Pull>, reference: &Reference) -> Result<Resolved, Error> {
        match reference {
            Reference::Tag(tag) => self.resolve_tag(allowed, tag).await,
            Reference::Digest(digest) => self.resolve_digest(allowed, digest).await,
        }
    }

    async fn resolve_digest(&self, allowed: &Allowed<Pull>, digest: &Digest) -> Result<Resolved, Error> {
        if self.metadata.manifest(allowed.repository(), digest).await?.is_none() {
            return Err(self.unknown(allowed, Reference::Digest(*digest)).await?);
        }
        match self.decide(allowed, digest).await? {
            Decision::Admitted { lenience, until } => Ok(Resolved { digest: *digest, lenience, until }),
            Decision::Withheld { unmet, .. } => Err(self.withheld(allowed, unmet, None).await?),
        }
    }

    async fn resolve_tag(&self, allowed: &Allowed<Pull>, tag: &Tag) -> Result<Resolved, Error> {
        let walk = self.walk(allowed, tag).await?;
        self.conclude(allowed, walk).await
    }

    /// Walks the pushes of a tag until one is served or none can be.
    pub(super) async fn walk(&self, allowed: &Allowed<Pull>, tag: &Tag) -> Result<Walk, Error> {
        let pushes = self.metadata.pushes(allowed.repository(), tag).await?;
        let Some(newest) = pushes.first() else {
            return Err(self.unknown(allowed, Reference::Tag(tag.clone())).await?);
        };
        let served = match allowed.access().terms() {
            PullTerms::Everything | PullTerms::Signing => {
                Resolved { digest: newest.digest, lenience: None, until: None }
            }
            PullTerms::Conditional { requirements, mode: Mode::Enforce } => {
                return self.walk_enforced(allowed, &pushes, requirements).await;
            }
            PullTerms::Conditional { .. } | PullTerms::Nothing => self.resolve_digest(allowed, &newest.digest).await?,
        };
        Ok(Walk { passed: Vec::new(), newest: Vec::new(), end: End::Served(served) })
    }

    /// What a walk came to: the push that is served, or the refusal that speaks of the newest.
    pub(super) async fn conclude(&self, allowed: &Allowed<Pull>, walk: Walk) -> Result<Resolved, Error> {
        match walk.end {
            End::Served(resolved) => Ok(resolved),
            End::Withheld(more) => Err(self.withheld(allowed, walk.newest, more).await?),
        }
    }

    /// The newest push that meets a requirement, skipping what has not met one *yet*. What met one and lost it is
    /// refused: nobody is silently taken back to an older release.
    async fn walk_enforced(
        &self,
        allowed: &Allowed<Pull>,
        pushes: &[Push],
        requirements: &[RequirementName],
    ) -> Result<Walk, Error> {
        let mut alive = requirements.to_vec();
        let mut walk = Walk { passed: Vec::new(), newest: Vec::new(), end: End::Withheld(None) };
        let mut until = None;
        for (index, push) in pushes.iter().enumerate() {
            let target = self.judged_digest(allowed, &push.digest).await?;
            let unmet = match self.decide_under(allowed, &target, &alive).await? {
                Decision::Admitted { until: ends, .. } => {
                    let until = earlier(until, ends);
                    walk.end = End::Served(Resolved { digest: push.digest, lenience: None, until });
                    return Ok(walk);
                }
                Decision::Withheld { unmet, until: again } => {
                    until = earlier(until, again);
                    unmet
                }
            };
            walk.passed.push((push.clone(), reason_of(&unmet)));
            if index == 0 {
                walk.newest = unmet;
            }
            let ever = self.metadata.met(allowed.repository(), &target).await?;
            // A requirement that no line names here any more was replaced by what is asked for now.
            let asked = allowed.current().revision.requirements_for(allowed.repository());
            if let Some(lost) = ever.iter().find(|met| requirements.contains(met) || !asked.contains(met)) {
                let lost_it = alive.contains(lost) || !asked.contains(lost);
                let how = if lost_it { " and no longer does" } else { ", which skips no newer push" };
                let why = format!("{} met {lost}{how}, so no older push is served", push.digest);
                walk.end = End::Withheld(Some(why));
                return Ok(walk);
            }
            alive.retain(|name| falls_back(allowed, name));
            if alive.is_empty() {
                break;
            }
        }
        Ok(walk)
    }

    /// Whether `digest` is admitted to the caller.
    pub(super) async fn decide(&self, allowed: &Allowed<Pull>, digest: &Digest) -> Result<Decision, Error> {
        let (requirements, mode) = match allowed.access().terms() {
            PullTerms::Everything | PullTerms::Signing => {
                return Ok(Decision::Admitted { lenience: None, until: None });
            }
            PullTerms::Nothing => return Ok(Decision::Withheld { unmet: Vec::new(), until: None }),
            PullTerms::Conditional { requirements, mode } => (requirements, *mode),
        };
        let target = self.judged_digest(allowed, digest).await?;
        match (self.decide_under(allowed, &target, requirements).await?, mode) {
            (Decision::Withheld { unmet, until }, Mode::Warn | Mode::Audit) => {
                self.counters.count_lenient();
                let lenience = Lenience { reason: reason_of(&unmet).into(), warns: mode == Mode::Warn };
                Ok(Decision::Admitted { lenience: Some(lenience), until })
            }
            (decision, _) => Ok(decision),
        }
    }

    /// One met requirement suffices.
    pub(super) async fn decide_under<A: InRepository>(
        &self,
        allowed: &Allowed<A>,
        target: &Digest,
        requirements: &[RequirementName],
    ) -> Result<Decision, Error> {
        let mut refusals = Vec::with_capacity(requirements.len());
        let mut until = None;
        for name in requirements {
            let judged = self.verdict(allowed.current(), allowed.repository(), target, name).await?;
            match judged.verdict() {
                Verdict::Met { until, .. } => return Ok(Decision::Admitted { lenience: None, until: *until }),
                Verdict::Unmet(unmet) => refusals.push((**unmet).clone()),
            }
            until = earlier(until, judged.until());
        }
        Ok(Decision::Withheld { unmet: refusals, until })
    }

    /// What is judged for a digest: evidence and data are as visible as their subject, which may be evidence or data
    /// itself; everything else as itself.
    pub(super) async fn judged_digest(&self, allowed: &Allowed<Pull>, digest: &Digest) -> Result<Digest, Error> {
        let mut judged = *digest;
        for _ in 0..self.limits.reach_depth {
            match self.metadata.manifest(allowed.repository(), &judged).await? {
                Some(stored) if stored.kind != Kind::Object => match stored.subject {
                    Some(subject) if subject != judged => judged = subject,
                    _ => break,
                },
                _ => break,
            }
        }
        Ok(judged)
    }

    /// The right "unknown": of the manifest, or of the repository.
    pub(super) async fn unknown<A: InRepository>(
        &self,
        allowed: &Allowed<A>,
        reference: Reference,
    ) -> Result<Error, Error> {
        Ok(if self.metadata.repository_exists(allowed.repository()).await? {
            Error::ManifestUnknown(reference)
        } else {
            Error::NameUnknown
        })
    }

    /// The refusal that speaks of `unmet`, and of `more`.
    pub(super) async fn withheld<A: InRepository>(
        &self,
        allowed: &Allowed<A>,
        mut unmet: Vec<Unmet>,
        more: Option<String>,
    ) -> Result<Error, Error> {
        let mut index = None;
        for one in &mut unmet {
            let hint = self.hint(allowed.current(), allowed.repository(), one).await?;
            index = index.or(hint);
        }
        let mut reason = reason_of(&unmet);
        for more in index.into_iter().chain(more) {
            reason = format!("{reason}; {more}");
        }
        Ok(Error::Withheld(Box::new(Withheld { reason, requirements: unmet })))
    }
}

fn falls_back(allowed: &Allowed<Pull>, name: &RequirementName) -> bool {
    let requirement = allowed.current().revision.requirements().by_name(name);
    requirement.is_some_and(|requirement| requirement.tag_fallback() == TagFallback::Pending)
}

/// One clause for each requirement. What would make it pass is told beside it, for it can be long.
fn reason_of(unmet: &[Unmet]) -> String {
    let clauses: Vec<String> = unmet.iter().map(|one| format!("{}: {}", one.requirement, one.reason)).collect();
    clauses.join("; ")
}
