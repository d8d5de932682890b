//! TLS by a self-made authority.

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::program::{Program, put};
use crate::verifier::Verifier;

#[test]
fn https_is_served_to_who_trusts_the_authority() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "chain.pem", &made.cert.pem());
    put(folder.path(), "key.pem", &made.signing_key.serialize_pem());
    let program = Program::start_in(folder, &["--tls-certificate", "chain.pem", "--tls-key", "key.pem"]);

    let answer = ask(&program, Some(made.cert.der()));
    assert!(answer.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200") && answer.ends_with("alive\n")));
    assert!(ask(&program, None).is_err());
}

#[test]
fn verify_trusts_an_authority_that_is_named() {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "chain.pem", &made.cert.pem());
    put(folder.path(), "key.pem", &made.signing_key.serialize_pem());
    let program = Program::start_in(folder, &["--tls-certificate", "chain.pem", "--tls-key", "key.pem"]);
    let verifier = Verifier::new();
    let reference = format!("localhost:{}/open/app:v1", program.address().rsplit(':').next().unwrap());
    let chain = program.folder().join("chain.pem");

    let named = verifier.verify(&reference, &["--ca-certificate", chain.to_str().unwrap()]);
    let of_the_system = verifier.verify_where(&reference, &[], &[("SSL_CERT_FILE", chain.as_os_str())]);
    for trusted in [named, of_the_system] {
        assert!(trusted.output.contains("found nothing of that name"), "{trusted:?}");
    }
    let untrusted = verifier.verify(&reference, &[]);
    assert!(untrusted.exit == 2 && untrusted.output.contains("UnknownIssuer"), "{untrusted:?}");
}

fn ask(program: &Program, trusted: Option<&CertificateDer<'static>>) -> std::io::Result<String> {
    let mut roots = RootCertStore::empty();
    if let Some(certificate) = trusted {
        roots.add(certificate.clone()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_root_certificates(roots).with_no_client_auth());
    let connection = ClientConnection::new(config, ServerName::try_from("localhost").unwrap()).unwrap();
    let mut stream = StreamOwned::new(connection, program.connect());
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
