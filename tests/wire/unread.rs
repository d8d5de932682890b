//! Clients that do not read what they asked for are cut off; those that read slowly are not.

use std::fs;
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use h2::{Reason, RecvStream};
use hallmark::oci::Digest;
use tokio::net::TcpStream;

use crate::program::Program;

/// How long an answer may stand still here.
const IDLE: Duration = Duration::from_secs(1);

/// One connection at a time: who holds it keeps everyone else waiting.
fn program() -> Program {
    Program::start_with(&["--body-idle-seconds", "1", "--connections", "1"])
}

/// More than the kernel holds of a connection.
fn large() -> Vec<u8> {
    (0..4_u32 << 20).flat_map(u32::to_le_bytes).collect()
}

fn path_of(digest: &Digest) -> String {
    format!("/v2/open/app/blobs/{digest}")
}

fn ask_for(program: &Program, digest: &Digest) -> std::net::TcpStream {
    let mut stream = program.connect();
    stream.write_all(format!("GET {} HTTP/1.1\r\nhost: x\r\n\r\n", path_of(digest)).as_bytes()).unwrap();
    stream
}

#[test]
fn who_stops_to_read_is_cut_off_and_gives_up_the_place() {
    let program = program();
    let content = large();
    let digest = program.push_blob("open/app", &content);
    let mut stalled = ask_for(&program, &digest);
    let mut first = [0; 1024];
    stalled.read_exact(&mut first).unwrap();
    assert_eq!(program.send("GET", "/healthz").status, 200);
    let mut rest = Vec::new();
    let ended = stalled.read_to_end(&mut rest);
    assert!(rest.len() < content.len() / 2, "{ended:?} after {} bytes", rest.len());
}

#[test]
fn who_reads_slowly_gets_it_all() {
    let program = program();
    let content = large();
    let digest = program.push_blob("open/app", &content);
    let mut slow = ask_for(&program, &digest);
    let (began, mut read, mut part) = (Instant::now(), 0, vec![0; 1 << 20]);
    while read < content.len() {
        let came = slow.read(&mut part).unwrap();
        assert!(came > 0, "it ended after {read} bytes");
        read += came;
        std::thread::sleep(IDLE / 5 * u32::try_from(came).unwrap() / (1 << 20));
    }
    assert!(began.elapsed() > IDLE * 2, "{:?}", began.elapsed());
}

/// A client over HTTP/2 that grants each stream so many bytes until it takes some.
async fn client(program: &Program, window: u32) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(program.address()).await.unwrap();
    let mut builder = Builder::new();
    builder.initial_window_size(window).initial_connection_window_size(8 << 20);
    let (sender, connection) = builder.handshake(stream).await.unwrap();
    tokio::spawn(async move { drop(connection.await) });
    sender
}

async fn get(client: &SendRequest<Bytes>, path: &str) -> RecvStream {
    let request = axum::http::Request::get(format!("http://registry.example{path}")).body(()).unwrap();
    let (answer, _) = client.clone().ready().await.unwrap().send_request(request, true).unwrap();
    let answer = answer.await.unwrap();
    assert_eq!(answer.status(), 200);
    answer.into_body()
}

#[tokio::test]
async fn a_stream_of_which_nothing_is_taken_is_reset_and_the_connection_goes_on() {
    let program = program();
    let content = large();
    let digest = program.push_blob("open/app", &content);
    let client = client(&program, 64 << 10).await;
    let (began, mut came) = (Instant::now(), 0);
    let mut stalled = get(&client, &path_of(&digest)).await;
    let ended = loop {
        match tokio::time::timeout(IDLE * 20, stalled.data()).await.unwrap() {
            Some(Ok(part)) => came += part.len(),
            ended => break ended,
        }
    };
    let reason = ended.and_then(Result::err).and_then(|error| error.reason());
    assert_eq!((reason, came), (Some(Reason::CANCEL), 64 << 10));
    assert!(began.elapsed() >= IDLE, "{:?}", began.elapsed());
    assert!(get(&client, "/healthz").await.data().await.unwrap().is_ok());
}

#[tokio::test]
async fn a_stream_that_is_granted_nothing_at_all_is_reset() {
    let program = program();
    program.push_image("open/app", "v1", b"a layer");
    let client = client(&program, 0).await;
    let mut stalled = get(&client, "/v2/open/app/manifests/v1").await;
    let ended = tokio::time::timeout(IDLE * 20, stalled.data()).await.unwrap();
    let reason = ended.and_then(Result::err).and_then(|error| error.reason());
    assert_eq!(reason, Some(Reason::CANCEL));
}

#[tokio::test]
async fn a_stream_that_is_taken_slowly_is_given_it_all() {
    let program = program();
    let content = large();
    let digest = program.push_blob("open/app", &content);
    let client = client(&program, 1 << 20).await;
    let mut slow = get(&client, &path_of(&digest)).await;
    let (began, mut came, mut taken) = (Instant::now(), 0, 0);
    while came < content.len() {
        let part = slow.data().await.expect("the whole blob").unwrap();
        came += part.len();
        taken += part.len();
        if taken >= 512 << 10 {
            tokio::time::sleep(IDLE / 8).await;
            slow.flow_control().release_capacity(std::mem::take(&mut taken)).unwrap();
        }
    }
    assert!(began.elapsed() > IDLE * 2, "{:?}", began.elapsed());
}

/// The memory of the program that is resident, in MiB.
fn resident(program: &Program) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", program.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line of its memory");
    line.trim_end_matches("kB").trim().parse::<u64>().unwrap() >> 10
}

#[tokio::test]
async fn many_streams_that_stand_still_hold_little_memory() {
    let program = Program::start();
    let digest = program.push_blob("open/app", &large());
    let client = client(&program, 1).await;
    let first = get(&client, &path_of(&digest)).await;
    let before = resident(&program);
    let answered = Arc::new(AtomicUsize::new(1));
    let mut streams = tokio::task::JoinSet::new();
    for _ in 1..256 {
        let (client, path, answered) = (client.clone(), path_of(&digest), Arc::clone(&answered));
        streams.spawn(async move {
            let _stands_still = get(&client, &path).await;
            answered.fetch_add(1, Ordering::SeqCst);
            std::future::pending::<()>().await;
        });
    }
    let began = Instant::now();
    while answered.load(Ordering::SeqCst) < 100 {
        assert!(began.elapsed() < IDLE * 20, "{answered:?} streams were answered");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // As many again would be answered by now, if they could.
    tokio::time::sleep(IDLE * 2).await;
    let grown = resident(&program).saturating_sub(before);
    drop(first);
    assert!(grown < 24, "{grown} MiB for {answered:?} streams");
    assert_eq!(answered.load(Ordering::SeqCst), 100);
}
