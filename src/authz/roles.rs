//! Who has which role: the `g` lines.

use std::collections::{BTreeMap, BTreeSet};

use super::Policy;
use crate::mistake::Mistake;

/// How many roles may stand one behind the other. casbin 2.20 counts whom it asks about as the first of its ten
/// levels, so the tenth role is not seen, and a deny line for it would do nothing.
const MAX_HOPS: usize = 9;

/// The members of roles.
#[derive(Clone, Debug, Default)]
pub struct Roles {
    /// Member → the roles it has directly, each with its line.
    of: BTreeMap<String, BTreeMap<String, usize>>,
}

impl Roles {
    pub(super) fn new(members: Vec<(usize, String, String)>) -> Self {
        let mut of = BTreeMap::<_, BTreeMap<_, _>>::new();
        for (line, member, role) in members {
            of.entry(member).or_default().entry(role).or_insert(line);
        }
        Self { of }
    }

    /// Each `g` line: member, role, line.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, usize)> {
        self.of
            .iter()
            .flat_map(|(member, roles)| roles.iter().map(move |(role, line)| (member.as_str(), role.as_str(), *line)))
    }

    /// `subject` and every role that it has, through however many others.
    pub fn closure<'a>(&'a self, subject: &'a str) -> BTreeSet<&'a str> {
        let mut all = BTreeSet::new();
        let mut open = vec![subject];
        while let Some(next) = open.pop() {
            if all.insert(next) {
                open.extend(self.direct(next).map(|(role, _)| role));
            }
        }
        all
    }

    /// How `subject` comes to `role`: the shortest chain of `g` lines, each as member, role and line.
    pub fn chain<'a>(&'a self, subject: &'a str, role: &str) -> Vec<(&'a str, &'a str, usize)> {
        let mut chains: Vec<Vec<(&str, &str, usize)>> = vec![Vec::new()];
        let mut seen = BTreeSet::new();
        let mut next = 0;
        while let Some(chain) = chains.get(next).cloned() {
            next = next.saturating_add(1);
            let last = chain.last().map_or(subject, |(_, role, _)| *role);
            if last == role {
                return chain;
            }
            for (above, line) in self.direct(last).filter(|(above, _)| seen.insert(*above)) {
                chains.push(chain.iter().copied().chain([(last, above, line)]).collect());
            }
        }
        Vec::new()
    }

    /// The roles that `member` has directly, each with its line.
    pub(super) fn direct(&self, member: &str) -> impl Iterator<Item = (&str, usize)> {
        self.of.get(member).into_iter().flatten().map(|(role, line)| (role.as_str(), *line))
    }

    /// Circles, and chains that are longer than casbin follows: beyond, a deny line would not be seen.
    pub(super) fn mistakes(&self) -> Vec<Mistake> {
        let mut depths = BTreeMap::new();
        let mut mistakes = Vec::new();
        for member in self.of.keys() {
            if let Err(mistake) = self.depth(member, &mut Vec::new(), &mut depths) {
                mistakes.push(mistake);
                break;
            }
        }
        for (member, depth) in depths {
            if depth == MAX_HOPS.saturating_add(1) {
                let line = self.direct(member).map(|(_, line)| line).min().unwrap_or(0);
                let message =
                    format!("expected at most {MAX_HOPS} roles one behind the other, found {depth} from {member}");
                mistakes.push(Mistake::new(Policy::FILE, line, message));
            }
        }
        mistakes
    }

    /// How many hops the longest chain from `member` has.
    fn depth<'a>(
        &'a self,
        member: &'a str,
        path: &mut Vec<&'a str>,
        depths: &mut BTreeMap<&'a str, usize>,
    ) -> Result<usize, Mistake> {
        if let Some(depth) = depths.get(member) {
            return Ok(*depth);
        }
        path.push(member);
        let mut longest = 0;
        for (role, line) in self.direct(member) {
            if path.contains(&role) {
                let message = format!("expected roles without a circle, found {role} among its own roles");
                return Err(Mistake::new(Policy::FILE, line, message));
            }
            if path.len() > MAX_HOPS {
                let message = format!("expected at most {MAX_HOPS} roles one behind the other, found more");
                return Err(Mistake::new(Policy::FILE, line, message));
            }
            longest = longest.max(self.depth(role, path, depths)?.saturating_add(1));
        }
        path.pop();
        depths.insert(member, longest);
        Ok(longest)
    }
}
