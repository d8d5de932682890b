//! A registry of a few lines that answers whatever a test says, and remembers what it was asked.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) path: String,
    pub(crate) authorization: Option<String>,
    pub(crate) body: String,
}

/// What is answered.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    endless: bool,
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), endless: false }
    }

    pub(crate) fn of(kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::status(200) }.with("content-type", kind)
    }

    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same, as an answer of that status.
    pub(crate) fn but(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// A body that never ends.
    pub(crate) fn endless() -> Self {
        Self { endless: true, ..Self::status(200) }
    }
}

/// A registry on a port of its own.
pub(crate) struct Tiny {
    pub(crate) address: String,
    asked: Arc<Mutex<Vec<Ask>>>,
}

impl Tiny {
    /// Answers each question as `answer` says, given its own address.
    pub(crate) fn start(answer: impl Fn(&Ask, &str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (remember, own) = (Arc::clone(&asked), address.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                serve(stream, &remember, |ask| answer(ask, &own));
            }
        });
        Self { address, asked }
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<Ask> {
        self.asked.lock().unwrap().clone()
    }
}

/// One question a connection. Whoever speaks TLS is hung up on.
fn serve(stream: TcpStream, remember: &Mutex<Vec<Ask>>, answer: impl Fn(&Ask) -> Reply) {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut first = [0];
    if stream.peek(&mut first).is_err() || first[0] == 0x16 {
        return;
    }
    let Some(ask) = read(&stream) else { return };
    remember.lock().unwrap().push(ask.clone());
    let reply = answer(&ask);
    let mut head = format!("HTTP/1.1 {} x\r\nconnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    if !reply.endless {
        write!(head, "content-length: {}\r\n", reply.body.len()).unwrap();
    }
    let mut stream = stream;
    let mut sent = stream.write_all(format!("{head}\r\n").as_bytes()).and_then(|()| stream.write_all(&reply.body));
    while reply.endless && sent.is_ok() {
        sent = stream.write_all(&[b' '; 8192]);
    }
}

fn read(stream: &TcpStream) -> Option<Ask> {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let header = |name: &str| {
        let find = |line: &String| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then(|| value.to_owned())
        };
        lines.iter().find_map(find)
    };
    let length = header("content-length").and_then(|text| text.parse().ok()).unwrap_or(0_usize);
    let mut body = vec![0; length];
    std::io::Read::read_exact(&mut reader, &mut body).ok()?;
    Some(Ask {
        path: lines.first()?.split(' ').nth(1)?.to_owned(),
        authorization: header("authorization"),
        body: String::from_utf8(body).ok()?,
    })
}
