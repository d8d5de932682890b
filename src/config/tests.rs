//! What is refused, and what wins over what.
#![expect(clippy::disallowed_methods, reason = "tests")]

use super::*;

fn load(text: &str, flags: &Flags) -> Result<Config, Vec<Mistake>> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("hallmark.toml");
    std::fs::write(&file, text).unwrap();
    let config = Config::load(Some(&file), flags)?;
    assert_eq!(config.file.as_deref(), Some(file.as_path()));
    Ok(Config { root: config.root.strip_prefix(folder.path()).unwrap_or(&config.root).to_owned(), ..config })
}

fn refused(text: &str, line: usize, clause: &str) {
    let mistakes = load(text, &Flags::default()).unwrap_err();
    assert_eq!((mistakes[0].line, mistakes.len()), (line, 1), "{mistakes:?}");
    assert!(mistakes[0].message.contains(clause), "{mistakes:?}");
}

#[test]
fn an_empty_file_is_the_default() {
    let config = load("", &Flags::default()).unwrap();
    assert_eq!((config.listen.to_string().as_str(), config.hostname.as_str()), ("127.0.0.1:5000", "localhost:5000"));
    assert_eq!((config.root.as_path(), config.tag_history, config.limits), (Path::new("data"), 20, Limits::default()));
}

#[test]
fn unknown_keys_are_refused_with_their_line() {
    refused("aliases = []\nlisten_on = 1", 2, "unknown field");
    refused("[limits]\nmanifest = 1", 2, "unknown field");
    refused("[authn]\nldap = 1", 2, "unknown field");
}

#[test]
fn a_limit_of_nothing_is_refused() {
    refused("[limits]\nheaders = 0", 2, "nonzero");
}

#[test]
fn a_hostname_that_is_none_is_refused() {
    for host in ["https://a", "A", "a/b", "a:b", "", "a_b", "-a", "a..b", "[::g]", "a:0"] {
        refused(&format!("# what references name\nhostname = {host:?}"), 2, "<host>");
    }
    for host in ["a", "a-b.c", "a:5000", "[::1]:5000", "127.0.0.1:1"] {
        assert!(load(&format!("hostname = {host:?}"), &Flags::default()).is_ok(), "{host}");
    }
}

#[test]
fn plain_http_off_loopback_is_refused() {
    refused("listen = \"0.0.0.0:5000\"", 1, "plain HTTP");
    assert!(load("listen = \"0.0.0.0:5000\"\ndanger_plain_http = true", &Flags::default()).is_ok());
    assert!(load("listen = \"0.0.0.0:5000\"\n[tls]\ncertificate = \"c\"\nkey = \"k\"", &Flags::default()).is_ok());
    assert!(load("listen = \"[::1]:5000\"", &Flags::default()).is_ok());
}

#[test]
fn a_certificate_without_a_key_is_refused() {
    refused("[tls]\ncertificate = \"c\"", 1, "key");
    let flags = Flags { tls_key: Some("k".into()), ..Flags::default() };
    assert!(load("", &flags).is_err());
}

#[test]
fn flags_win_over_the_file() {
    let flags = Flags {
        listen: Some("127.0.0.1:7000".parse().unwrap()),
        root: Some("elsewhere".into()),
        limits: LimitKeys { headers: std::num::NonZeroU64::new(7), ..LimitKeys::default() },
        ..Flags::default()
    };
    let config =
        load("listen = \"127.0.0.1:6000\"\nroot = \"here\"\n[limits]\nheaders = 5\npage_max = 5", &flags).unwrap();
    assert_eq!((config.listen.port(), config.root.as_path()), (7000, Path::new("elsewhere")));
    assert_eq!((config.limits.headers, config.limits.page_max), (7, 5));
    assert_eq!(config.hostname, "localhost:7000");
}

#[test]
fn paths_in_the_file_are_relative_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("h.toml");
    std::fs::write(&file, "[authn]\nhtpasswd = \"users\"").unwrap();
    let config = Config::load(Some(&file), &Flags::default()).unwrap();
    assert_eq!(config.htpasswd, Some(folder.path().join("users")));
    assert_eq!(config.policies, folder.path().join("policies"));
}

#[test]
fn a_file_that_is_named_and_absent_is_refused() {
    assert!(Config::load(Some(Path::new("/nonexistent/h.toml")), &Flags::default()).is_err());
}
