//! Whether one condition surely implies another, by their structure alone.

use super::condition::{Clause, Leaf};

/// Whether whatever meets `a` surely meets `b`; when in doubt, no.
pub(super) fn implies(a: &Clause, b: &Clause) -> bool {
    if a == b {
        return true;
    }
    if let Clause::Any(ways) = a {
        return ways.iter().all(|way| implies(way, b));
    }
    if let Clause::All(parts) = b {
        return parts.iter().all(|part| implies(a, part));
    }
    if let Clause::All(parts) = a
        && parts.iter().any(|part| implies(part, b))
    {
        return true;
    }
    if let (Some((k, from)), Some((m, among))) = (as_threshold(a), as_threshold(b)) {
        // Of the k that are met, all but those outside `among` are met in it.
        let outside = from.iter().filter(|leaf| !among.contains(leaf)).count();
        return k.saturating_sub(outside) >= m;
    }
    matches!(b, Clause::Any(ways) if ways.iter().any(|way| implies(a, way)))
}

/// A leaf is 1 of 1; any of leaves is 1 of them.
fn as_threshold(clause: &Clause) -> Option<(usize, Vec<&Leaf>)> {
    match clause {
        Clause::Threshold { count, of } => Some((*count, of.iter().collect())),
        Clause::Leaf(leaf) => Some((1, vec![leaf])),
        Clause::Any(ways) => ways.iter().map(as_leaf).collect::<Option<Vec<_>>>().map(|leaves| (1, leaves)),
        Clause::All(_) => None,
    }
}

fn as_leaf(clause: &Clause) -> Option<&Leaf> {
    if let Clause::Leaf(leaf) = clause { Some(leaf) } else { None }
}
