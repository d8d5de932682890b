//! Globs over repository names: what one may contain, and whether two can match the same name.
//!
//! The syntax is a part of globset's, which casbin matches with: `?`, `*`, classes such as `[a-z]`, alternatives such
//! as `{a,b}`, and `**` as a whole component.

use std::collections::{HashMap, VecDeque};

use globset::{Glob, GlobBuilder};

/// The characters of repository names, in the order in which examples prefer them.
const ALPHABET: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789-._/";
/// The most simple globs that alternatives may stand for.
const MAX_EXPANSIONS: usize = 256;
/// The longest glob, in bytes: as long as a repository name.
const MAX_BYTES: usize = 255;

/// Builds `text` as casbin does, if it is within our syntax.
pub(super) fn build(text: &str) -> Result<Glob, String> {
    check(text)?;
    GlobBuilder::new(text).literal_separator(true).build().map_err(|error| format!("expected a glob, found {error}"))
}

/// Whether `text` is within our syntax.
fn check(text: &str) -> Result<(), String> {
    if text.is_empty() || text.len() > MAX_BYTES {
        return Err(format!("expected a glob of 1 to {MAX_BYTES} bytes, found {} bytes", text.len()));
    }
    if text.starts_with('/') || text.ends_with('/') || text.contains("//") {
        return Err(format!("expected components joined by single slashes, found {text:?}"));
    }
    for simple in expand(text)? {
        nfa(&simple)?;
    }
    Ok(())
}

/// A text that both globs match, if there is one: a short one, over the characters of repository names.
pub(super) fn overlap(a: &str, b: &str) -> Result<Option<String>, String> {
    let b: Vec<Nfa> = expand(b)?.iter().map(|simple| nfa(simple)).collect::<Result<_, _>>()?;
    for simple in expand(a)? {
        let a = nfa(&simple)?;
        if let Some(name) = b.iter().find_map(|b| intersection(&a, b)) {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// `text` with its alternatives written out.
fn expand(text: &str) -> Result<Vec<String>, String> {
    let mut done = vec![String::new()];
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (inside, behind) = after.split_once('}').ok_or("expected a closing brace, found none")?;
        if before.contains('}') || inside.contains(['{', '*']) {
            return Err(format!("expected braces around plain alternatives, found {text:?}"));
        }
        let choices: Vec<&str> = inside.split(',').collect();
        if choices.len() < 2 || choices.iter().any(|choice| choice.is_empty()) {
            return Err(format!("expected alternatives such as {{a,b}}, none empty, found {text:?}"));
        }
        if done.len().saturating_mul(choices.len()) > MAX_EXPANSIONS {
            return Err(format!("expected alternatives for at most {MAX_EXPANSIONS} globs, found more"));
        }
        done = done.iter().flat_map(|d| choices.iter().map(move |choice| format!("{d}{before}{choice}"))).collect();
        rest = behind;
    }
    if rest.contains('}') {
        return Err("expected an opening brace, found none".to_owned());
    }
    Ok(done.into_iter().map(|d| d + rest).collect())
}

/// A set of characters, one bit for each of [`ALPHABET`].
type Set = u64;

const SLASH: Set = 1 << 39;
const ANY: Set = (1 << 40) - 1;

fn bit(byte: u8) -> Option<Set> {
    ALPHABET.iter().position(|b| *b == byte).map(|at| 1 << at)
}

/// States in a row; the last one accepts.
#[derive(Default)]
struct Nfa(Vec<State>);

#[derive(Clone, Copy, Default)]
struct State {
    /// On these it stays.
    stays: Set,
    /// On these it goes to the next.
    goes: Set,
    /// Whether it may become the next for nothing.
    skips: bool,
    /// Whether it may become the third one from here for nothing.
    jumps: bool,
}

fn nfa(simple: &str) -> Result<Nfa, String> {
    let mut states = Vec::new();
    let mut components = simple.split('/').peekable();
    while let Some(component) = components.next() {
        let is_last = components.peek().is_none();
        if component == "**" {
            if is_last {
                // Anything but nothing: no name ends in a slash.
                states.push(State { stays: ANY, goes: ANY, ..State::default() });
            } else {
                // Nothing, or anything that ends in a slash.
                states.push(State { skips: true, jumps: true, ..State::default() });
                states.push(State { stays: ANY, skips: true, ..State::default() });
                states.push(State { goes: SLASH, ..State::default() });
            }
            continue;
        }
        within(component, &mut states)?;
        if !is_last {
            states.push(State { goes: SLASH, ..State::default() });
        }
    }
    states.push(State::default());
    Ok(Nfa(states))
}

/// The states of one component that is not `**`.
fn within(component: &str, states: &mut Vec<State>) -> Result<(), String> {
    let mut rest = component;
    while let Some(first) = rest.chars().next() {
        rest = rest.get(first.len_utf8()..).unwrap_or_default();
        let state = match first {
            '*' if rest.starts_with('*') => {
                return Err(format!("expected `**` as a whole component, found {component:?}"));
            }
            '*' => State { stays: ANY & !SLASH, skips: true, ..State::default() },
            '?' => State { goes: ANY & !SLASH, ..State::default() },
            '[' => {
                let (inside, behind) = rest.split_once(']').ok_or("expected a closing bracket, found none")?;
                rest = behind;
                State { goes: class(inside)?, ..State::default() }
            }
            c => {
                let set = u8::try_from(c).ok().and_then(bit).ok_or_else(|| {
                    format!("expected [a-z0-9._-], `/`, `?`, `*`, a class or alternatives, found {c:?}")
                })?;
                State { goes: set, ..State::default() }
            }
        };
        states.push(state);
    }
    Ok(())
}

fn class(inside: &str) -> Result<Set, String> {
    let wrong = || format!("expected a class of [a-z0-9._-] such as [a-f0-9], found [{inside}]");
    let mut set = 0;
    let mut rest = inside.as_bytes();
    loop {
        rest = match rest {
            [] if set != 0 => return Ok(set),
            [from, b'-', to, rest @ ..] => {
                let same = (from.is_ascii_lowercase() && to.is_ascii_lowercase())
                    || (from.is_ascii_digit() && to.is_ascii_digit());
                if !same || from > to {
                    return Err(wrong());
                }
                set |= (*from..=*to).filter_map(bit).fold(0, |set, bit| set | bit);
                rest
            }
            [one, rest @ ..] if *one != b'/' && (*one != b'-' || rest.is_empty()) => {
                set |= bit(*one).ok_or_else(wrong)?;
                rest
            }
            _ => return Err(wrong()),
        };
    }
}

/// A state of each.
type Pair = (usize, usize);
/// From where each pair was come to, and by which character.
type Came = HashMap<Pair, Option<(Pair, Option<u8>)>>;

/// A text that both accept: a walk over pairs of states, breadth first.
fn intersection(a: &Nfa, b: &Nfa) -> Option<String> {
    let mut came: Came = HashMap::from([((0, 0), None)]);
    let mut queue = VecDeque::from([(0, 0)]);
    while let Some((i, j)) = queue.pop_front() {
        let (Some(x), Some(y)) = (a.0.get(i), b.0.get(j)) else { continue };
        if i.saturating_add(1) == a.0.len() && j.saturating_add(1) == b.0.len() {
            return Some(spell(&came, (i, j)));
        }
        let mut visit = |pair: Pair, byte: Option<u8>, free: bool| {
            if let std::collections::hash_map::Entry::Vacant(vacant) = came.entry(pair) {
                vacant.insert(Some(((i, j), byte)));
                // What costs no character goes first, so the text stays short.
                if free { queue.push_front(pair) } else { queue.push_back(pair) }
            }
        };
        let (i1, j1) = (i.saturating_add(1), j.saturating_add(1));
        let (i3, j3) = (i.saturating_add(3), j.saturating_add(3));
        for (may, pair) in [(x.skips, (i1, j)), (x.jumps, (i3, j)), (y.skips, (i, j1)), (y.jumps, (i, j3))] {
            if may {
                visit(pair, None, true);
            }
        }
        // Both staying leads nowhere new.
        for (set, pair) in [(x.goes & y.goes, (i1, j1)), (x.goes & y.stays, (i1, j)), (x.stays & y.goes, (i, j1))] {
            let at = usize::try_from(set.trailing_zeros()).unwrap_or(usize::MAX);
            if let Some(byte) = ALPHABET.get(at) {
                visit(pair, Some(*byte), false);
            }
        }
    }
    None
}

fn spell(came: &Came, end: Pair) -> String {
    let mut text = Vec::new();
    let mut at = end;
    while let Some(Some((from, byte))) = came.get(&at) {
        text.extend(byte.map(char::from));
        at = *from;
    }
    text.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn globs_within_the_syntax_are_globs() {
        for glob in ["prod/**", "**", "**/app", "a/**/b", "prod/*", "a?c", "[a-c0-9]x", "{a,b/c}/d", "_registry"] {
            assert!(build(glob).is_ok(), "{glob}: {:?}", build(glob));
        }
    }

    #[test]
    fn other_globs_are_refused() {
        let refused = [
            "",
            "a/[",
            "a/[b",
            "[!a]",
            "[^a]",
            "[z-a]",
            "[a-9]",
            "[/]",
            "[]",
            "a**",
            "**a",
            "a/",
            "/a",
            "a//b",
            "A",
            "a\\*",
            "{a}",
            "{a,}",
            "{a,{b,c}}",
            "{a,*}",
            "{a",
            "a}",
            "é",
            "a b",
            "***",
        ];
        for glob in refused {
            assert!(build(glob).is_err(), "{glob}");
        }
        assert!(build(&"{a,b}".repeat(9)).is_err());
        assert!(build(&"a".repeat(256)).is_err());
    }

    #[test]
    fn below_is_not_the_folder_itself() {
        assert_eq!(overlap("prod/**", "prod").unwrap(), None);
        assert_eq!(overlap("prod/*", "prod/a/b").unwrap(), None);
        assert_eq!(overlap("prod/**", "*/app").unwrap(), Some("prod/app".to_owned()));
    }

    fn token() -> impl Strategy<Value = String> {
        prop::sample::select(vec!["a", "b", "?", "*", "[ab]", "{a,b}", "{ab,b/a}"]).prop_map(str::to_owned)
    }

    fn glob() -> impl Strategy<Value = String> {
        let component = prop_oneof![
            3 => prop::collection::vec(token(), 1..3).prop_map(|tokens| tokens.concat()),
            1 => Just("**".to_owned()),
        ];
        prop::collection::vec(component, 1..4)
            .prop_map(|components| components.join("/"))
            .prop_filter("a glob of ours", |glob| build(glob).is_ok())
    }

    /// Every name over `a`, `b` and `/` of at most five characters.
    fn names() -> Vec<String> {
        let mut all = vec![String::new()];
        let mut last = all.clone();
        for _ in 0..5 {
            last = last.iter().flat_map(|n| ["a", "b", "/"].map(|c| format!("{n}{c}"))).collect();
            all.extend(last.clone());
        }
        all.retain(|n| n.split('/').all(|component| !component.is_empty()));
        all
    }

    proptest! {
        #[test]
        fn overlap_is_what_brute_force_finds(a in glob(), b in glob()) {
            let (x, y) = (build(&a).unwrap().compile_matcher(), build(&b).unwrap().compile_matcher());
            if let Some(name) = overlap(&a, &b).unwrap() {
                prop_assert!(x.is_match(&name) && y.is_match(&name), "{name}");
            } else {
                let both = names().into_iter().find(|n| x.is_match(n) && y.is_match(n));
                prop_assert_eq!(both, None);
            }
        }
    }
}
