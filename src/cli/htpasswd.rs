//! `hallmark htpasswd`

use std::fs::File;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};

use serde_json::json;

use super::{Exit, told};
use crate::authn::{Htpasswd, MAX_PASSWORD_BYTES, hash};
use crate::gate::Who;

/// What `htpasswd` takes.
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The file; made if it is absent
    pub file: PathBuf,
    /// The user, added or changed
    pub user: String,
    /// Make a random password and print it, instead of reading one line of standard input
    #[arg(long)]
    pub random: bool,
    /// Write JSON
    #[arg(long)]
    pub json: bool,
}

/// Sets the password of a user: 0 it is set, 1 it is refused, 2 a file or a stream can't be read or written.
/// The file is replaced whole, or stays as it was.
pub fn run(args: &Args, input: &mut dyn BufRead, out: &mut dyn Write) -> Exit {
    match set(args, input) {
        Ok(Ok(password)) => told(tell(args, password.as_deref(), out).map(|()| Exit::Yes)),
        Ok(Err(message)) => told(refuse(args, &message, out).map(|()| Exit::No)),
        Err(error) => told(refuse(args, &error.to_string(), out).map(|()| Exit::CouldNotTell)),
    }
}

/// The password, if it was made here.
fn set(args: &Args, input: &mut dyn BufRead) -> io::Result<Result<Option<String>, String>> {
    if let Err(error) = Who::user(&args.user) {
        return Ok(Err(error.to_string()));
    }
    let before = match std::fs::read_to_string(&args.file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error),
    };
    if let Err(mistakes) = Htpasswd::parse(&args.file.display().to_string(), &before) {
        return Ok(Err(mistakes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")));
    }
    let made = if args.random { Some(random_password()?) } else { None };
    let password = if let Some(password) = &made {
        password.clone()
    } else {
        let mut line = String::new();
        input.read_line(&mut line)?;
        line.trim_end_matches(['\r', '\n']).to_owned()
    };
    if password.is_empty() || password.len() > MAX_PASSWORD_BYTES {
        return Ok(Err(format!("expected a password of 1 to {MAX_PASSWORD_BYTES} bytes, found {}", password.len())));
    }
    let line = line(&args.user, &password)?;
    replace(&args.file, &with(&before, &args.user, &line))?;
    Ok(Ok(made))
}

/// A line of an htpasswd file, with its end.
pub(super) fn line(user: &str, password: &str) -> io::Result<String> {
    let hash = hash(password).map_err(io::Error::other)?;
    Ok(format!("{user}:{hash}\n"))
}

/// 24 characters out of 64: 144 bits.
pub(super) fn random_password() -> io::Result<String> {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()))?;
    let character = |byte: &u8| ALPHABET.get(usize::from(*byte & 63)).map(|c| char::from(*c));
    Ok(bytes.iter().filter_map(character).collect())
}

/// `before` with `line` in the place of the user's, or at the end.
fn with(before: &str, user: &str, line: &str) -> String {
    let prefix = format!("{user}:");
    let mut after = String::new();
    let mut done = false;
    for old in before.lines() {
        if old.starts_with(&prefix) {
            after.push_str(line);
            done = true;
        } else {
            after.push_str(old);
            after.push('\n');
        }
    }
    if !done {
        after.push_str(line);
    }
    after
}

/// Writes beside `path`, then renames: a reader sees the old file or the new one.
#[expect(clippy::disallowed_methods, reason = "a file of the user's, not of the store's")]
fn replace(path: &Path, text: &str) -> io::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    let mut file = create_private(&beside).map_err(|error| {
        let shown = beside.display();
        io::Error::new(
            error.kind(),
            format!("expected to write {shown}: {error}; if nobody else changes it, remove it"),
        )
    })?;
    let allowed = match std::fs::metadata(path) {
        // Who may read it now may read it then.
        Ok(before) => file.set_permissions(before.permissions()),
        Err(_absent) => Ok(()),
    };
    let written = allowed.and_then(|()| file.write_all(text.as_bytes())).and_then(|()| file.sync_all());
    if let Err(error) = written.and_then(|()| std::fs::rename(&beside, path)) {
        std::fs::remove_file(&beside)?;
        return Err(error);
    }
    Ok(())
}

/// A new file that nobody else may read.
pub(super) fn create_private(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt;
    File::options().write(true).create_new(true).mode(0o600).open(path)
}

fn tell(args: &Args, password: Option<&str>, out: &mut dyn Write) -> io::Result<()> {
    match (args.json, password) {
        (true, password) => writeln!(out, "{}", json!({ "ok": true, "user": args.user, "password": password })),
        (false, Some(password)) => writeln!(out, "{password}"),
        (false, None) => writeln!(out, "the password of {} is set", args.user),
    }
}

fn refuse(args: &Args, message: &str, out: &mut dyn Write) -> io::Result<()> {
    if args.json {
        return writeln!(out, "{}", json!({ "ok": false, "message": message }));
    }
    writeln!(out, "{message}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_with(file: &Path, user: &str, input: &str, random: bool) -> (Exit, String) {
        let args = Args { file: file.to_owned(), user: user.to_owned(), random, json: false };
        let mut out = Vec::new();
        let exit = run(&args, &mut input.as_bytes(), &mut out);
        (exit, String::from_utf8(out).unwrap())
    }

    fn hash_of(file: &Path, user: &str) -> String {
        let text = std::fs::read_to_string(file).unwrap();
        let prefix = format!("{user}:");
        text.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap().to_owned()
    }

    #[test]
    fn a_user_is_added_and_changed_and_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users");
        assert_eq!(run_with(&file, "a", "one\n", false).0, Exit::Yes);
        let first = hash_of(&file, "a");
        assert_eq!(run_with(&file, "b", "two\n", false).0, Exit::Yes);
        assert_eq!(hash_of(&file, "a"), first);
        assert_eq!(run_with(&file, "a", "three", false).0, Exit::Yes);
        assert!(bcrypt::verify("three", &hash_of(&file, "a")).unwrap());
        assert!(bcrypt::verify("two", &hash_of(&file, "b")).unwrap());
    }

    #[test]
    fn a_random_password_is_printed_and_works() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users");
        let (exit, printed) = run_with(&file, "a", "", true);
        assert_eq!((exit, printed.trim_end().len()), (Exit::Yes, 24));
        assert!(bcrypt::verify(printed.trim_end(), &hash_of(&file, "a")).unwrap());
    }

    #[test]
    fn a_new_file_is_private_and_an_old_one_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users");
        let mode = || std::fs::metadata(&file).unwrap().permissions().mode() & 0o777;
        assert_eq!(run_with(&file, "a", "one\n", false).0, Exit::Yes);
        assert_eq!(mode(), 0o600);
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(run_with(&file, "b", "two\n", false).0, Exit::Yes);
        assert_eq!(mode(), 0o640);
    }

    #[test]
    fn what_another_run_left_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users");
        create_private(&folder.path().join("users.new")).unwrap();
        let (exit, told) = run_with(&file, "a", "one\n", false);
        assert!(exit == Exit::CouldNotTell && told.contains("users.new"), "{told}");
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("users");
        for (user, password) in [("a:b", "x"), ("a", ""), ("a", &"x".repeat(73))] {
            assert_eq!(run_with(&file, user, password, false).0, Exit::No);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
