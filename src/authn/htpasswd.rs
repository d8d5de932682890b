//! The htpasswd file: `name:$2y$…` a line, bcrypt only.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use crate::gate::Who;
use crate::mistake::Mistake;

/// The longest password, in bytes: bcrypt sees no more.
pub const MAX_PASSWORD_BYTES: usize = 72;
/// The dearest cost that is accepted: one password at 16 takes seconds.
const MAX_COST: u32 = 16;
/// The cost of hashes that we make.
const COST: u32 = 10;

/// Users with their bcrypt hashes.
#[derive(Clone, Default)]
pub struct Htpasswd {
    users: BTreeMap<String, User>,
    /// A hash that no password is known for, as dear as the dearest of the file.
    nobody: Arc<str>,
}

/// One user.
#[derive(Clone)]
pub(super) struct User {
    pub(super) who: Who,
    pub(super) hash: Arc<str>,
}

impl Htpasswd {
    /// Reads `text`; `file` names it in mistakes, all of which are told at once.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut users = BTreeMap::<String, User>::new();
        let mut dearest = COST;
        for (line, content) in (1..).zip(text.lines()) {
            let content = content.trim_end();
            if content.trim_start().is_empty() || content.trim_start().starts_with('#') {
                continue;
            }
            match user(content) {
                Ok((name, _, _)) if users.contains_key(name) => {
                    mistakes.push(Mistake::new(file, line, format!("expected each user once, found {name} again")));
                }
                Ok((name, user, cost)) => {
                    dearest = dearest.max(cost);
                    users.insert(name.to_owned(), user);
                }
                Err(message) => mistakes.push(Mistake::new(file, line, message)),
            }
        }
        if mistakes.is_empty() { Ok(Self { users, nobody: nobody(dearest) }) } else { Err(mistakes) }
    }

    /// The user of that name.
    pub(super) fn user(&self, name: &str) -> Option<&User> {
        self.users.get(name)
    }

    /// What a user who is not there is verified against, so that the answer takes as long.
    pub(super) fn nobody(&self) -> &Arc<str> {
        &self.nobody
    }

    /// Every user.
    pub fn iter(&self) -> impl Iterator<Item = &Who> {
        self.users.values().map(|user| &user.who)
    }

    /// How many users there are.
    pub fn len(&self) -> usize {
        self.users.len()
    }

    /// Whether there is no user.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty()
    }
}

/// Names alone: hashes are nobody's business.
impl std::fmt::Debug for Htpasswd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.users.keys()).finish()
    }
}

fn user(content: &str) -> Result<(&str, User, u32), String> {
    let (name, hash) = content.split_once(':').ok_or("expected <name>:<bcrypt hash>, found no colon")?;
    let who = Who::user(name).map_err(|_less_said| format!("expected the name of a user, found {name:?}"))?;
    if !["$2a$", "$2b$", "$2y$"].iter().any(|prefix| hash.starts_with(prefix)) {
        return Err(format!("expected a bcrypt hash ($2y$…) for {name}, found another kind: use `hallmark htpasswd`"));
    }
    let parts = bcrypt::HashParts::from_str(hash)
        .map_err(|_less_said| format!("expected a bcrypt hash for {name}, found a broken one"))?;
    let cost = parts.get_cost();
    if cost > MAX_COST {
        return Err(format!("expected a bcrypt cost of at most {MAX_COST} for {name}, found {cost}"));
    }
    Ok((name, User { who, hash: hash.into() }, cost))
}

fn nobody(cost: u32) -> Arc<str> {
    format!("$2b${cost:02}$......................{}", ".".repeat(31)).into()
}

/// The bcrypt hash of `password` for a line of an htpasswd file; at most [`MAX_PASSWORD_BYTES`].
pub fn hash(password: &str) -> Result<String, bcrypt::BcryptError> {
    bcrypt::non_truncating_hash(password, COST)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: &str = "$2y$05$......................................................";

    fn refused(text: &str, line: usize, clause: &str) {
        let mistakes = Htpasswd::parse("users", text).unwrap_err();
        assert_eq!(mistakes.first().unwrap().line, line);
        assert!(mistakes.first().unwrap().message.contains(clause), "{mistakes:?}");
    }

    fn good() -> String {
        format!("ci:{}", HASH.get(..60).unwrap())
    }

    #[test]
    fn comments_and_blank_lines_are_left_out() {
        let users = Htpasswd::parse("users", &format!("# who\n\n{}\r\n", good())).unwrap();
        assert_eq!(users.iter().map(ToString::to_string).collect::<Vec<_>>(), ["user:ci"]);
    }

    #[test]
    fn a_user_twice_is_refused() {
        refused(&format!("{0}\n{0}", good()), 2, "each user once");
    }

    #[test]
    fn other_hashes_are_refused() {
        for hash in ["{SHA}x", "$apr1$x$y", "plain", "$2x$05$abc"] {
            refused(&format!("ci:{hash}"), 1, "bcrypt hash ($2y$…)");
        }
        refused("ci:$2y$05$short", 1, "broken");
        refused(&good().replace("$05$", "$17$"), 1, "cost of at most");
    }

    #[test]
    fn names_that_are_none_are_refused() {
        refused(&good().replace("ci:", "c i:"), 1, "name of a user");
        refused("ci", 1, "no colon");
    }

    #[test]
    fn no_hash_is_shown() {
        assert_eq!(format!("{:?}", Htpasswd::parse("users", &good()).unwrap()), "{\"ci\"}");
    }
}
