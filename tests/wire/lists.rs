//! Lists of which little is shown to who asks: bounded looks, and links that name nothing that is not.

use hallmark::oci::Digest;

use crate::concurrency::at_once;
use crate::program::{MANIFEST, Program, put};

/// More repositories than one page passes by.
const HIDDEN: usize = 2100;
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A program in which nobody may see most of what is there.
fn program() -> Program {
    let program = Program::start();
    let index = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[]}}"#);
    at_once(12, |thread| {
        for number in (thread..HIDDEN).step_by(12) {
            let path = format!("/v2/open/hidden-{number:05}/manifests/v1");
            assert_eq!(program.send_with("PUT", &path, &[("content-type", INDEX)], index.as_bytes()).status, 201);
        }
    });
    for name in ["open/a", "open/shown"] {
        program.push_image(name, "v1", b"layer");
    }
    show(&program, &["open/a", "open/shown"]);
    program
}

/// Lets everybody pull these repositories and no others.
fn show(program: &Program, names: &[&str]) {
    let pulls = names.iter().map(|name| format!("p, anonymous, {name}, pull, unverified, allow\n"));
    let lines: Vec<String> = pulls.chain(["p, anonymous, **, admin, unverified, allow\n".to_owned()]).collect();
    put(program.folder(), "policies/policy.csv", &lines.concat());
    assert_eq!(program.send("POST", "/_hallmark/reload").status, 204);
}

/// The path that a link leads to.
fn target(link: &str) -> &str {
    link.strip_prefix('<').unwrap().split_once('>').unwrap().0
}

#[test]
fn a_catalog_of_which_little_is_shown_is_paged_by_links_that_name_nothing_hidden() {
    let program = program();
    let first = program.send("GET", "/v2/_catalog?n=10");
    assert_eq!(first.text(), r#"{"repositories":["open/a"]}"#);
    let link = first.header("link").unwrap();
    assert!(link.starts_with("</v2/_catalog?n=10&last=open/a&next="), "{link}");
    assert!(!link.contains("hidden"), "{link}");
    let second = program.send("GET", target(link));
    assert_eq!((second.text(), second.header("link")), (r#"{"repositories":["open/shown"]}"#, None));

    // What no process wrote, or another one, is as good as none: the list goes on from `last`.
    let altered = target(link).replace("next=", "next=A");
    for path in [altered.as_str(), "/v2/_catalog?n=10&last=open/a&next=", "/v2/_catalog?n=10&last=open/a&next=%21"] {
        let again = program.send("GET", path);
        assert_eq!((again.status, again.text()), (200, r#"{"repositories":[]}"#), "{path}");
        let link = again.header("link").unwrap();
        assert!(link.starts_with("</v2/_catalog?n=10&last=open/a&next="), "{link}");
        assert_eq!(program.send("GET", target(link)).text(), r#"{"repositories":["open/shown"]}"#);
    }

    // After what is hidden, or is not there, the list is looked through from its beginning: where it ends tells nothing.
    for last in ["open/hidden-00000", "open/hidden-02099", "open/hidden-02099x", "open/a0"] {
        let first = program.send("GET", &format!("/v2/_catalog?n=10&last={last}"));
        assert_eq!(first.text(), r#"{"repositories":[]}"#, "{last}");
        let link = first.header("link").unwrap();
        assert!(link.starts_with(&format!("</v2/_catalog?n=10&last={last}&next=")), "{link}");
        assert_eq!(program.send("GET", target(link)).text(), r#"{"repositories":["open/shown"]}"#, "{last}");
    }
}

#[test]
fn a_page_before_the_first_entry_has_a_link_without_last() {
    let program = program();
    show(&program, &["open/shown"]);
    let first = program.send("GET", "/v2/_catalog");
    assert_eq!(first.text(), r#"{"repositories":[]}"#);
    let link = first.header("link").unwrap();
    assert!(link.starts_with("</v2/_catalog?n=1000&next="), "{link}");
    assert_eq!(program.send("GET", target(link)).text(), r#"{"repositories":["open/shown"]}"#);
}

#[test]
fn a_list_of_referrers_of_which_none_is_shown_is_paged_by_links_that_name_none() {
    let program = Program::start();
    let (subject, _) = program.push_image("open/app", "v1", b"layer");
    at_once(12, |thread| {
        for number in (thread..HIDDEN).step_by(12) {
            let index = format!(
                r#"{{"schemaVersion":2,"mediaType":"{INDEX}","artifactType":"text/a+b","manifests":[],"subject":{{"mediaType":"{MANIFEST}","digest":"{subject}","size":1}},"annotations":{{"number":"{number}"}}}}"#
            );
            let path = format!("/v2/open/app/manifests/{}", Digest::sha256(index.as_bytes()));
            assert_eq!(program.send_with("PUT", &path, &[("content-type", INDEX)], index.as_bytes()).status, 201);
        }
    });
    put(program.folder(), "policies/requirements.toml", "[signed]\nany = []\n");
    let lines = "p, anonymous, open/app, pull, signed, allow\np, anonymous, **, admin, unverified, allow\n";
    put(program.folder(), "policies/policy.csv", lines);
    assert_eq!(program.send("POST", "/_hallmark/reload").status, 204);

    let path = format!("/v2/open/app/referrers/{subject}");
    let empty = format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[]}}"#);
    for filter in ["", "artifactType=text/a%2Bb"] {
        let first = program.send("GET", &format!("{path}?{filter}"));
        assert_eq!(first.text(), empty);
        let link = target(first.header("link").unwrap());
        assert!(
            link.starts_with(&format!("{path}?next=")) && !link.replacen(&path, "", 1).contains("sha256"),
            "{link}"
        );
        assert!(link.ends_with(filter), "{link}");
        let second = program.send("GET", link);
        assert_eq!((second.text(), second.header("link")), (empty.as_str(), None));
        let altered = program.send("GET", &link.replace("next=", "next=A"));
        assert!(altered.header("link").is_some(), "a word that nobody sealed leads nowhere");
    }
}
