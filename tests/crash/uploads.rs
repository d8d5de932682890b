//! Upload sessions that a worker has open, over several lives of the program.

use hallmark::oci::{Algorithm, Digest};

use crate::content::{self, Blob};
use crate::facts::Facts;
use crate::http::send;
use crate::random::Random;
use crate::worker::Worker;

/// One session, and what its server acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) path: String,
    pub(crate) repository: String,
    pub(crate) content: Blob,
    pub(crate) acknowledged: usize,
    /// What may have arrived beyond it.
    sent: usize,
    /// Whether its end was asked for and no answer came.
    ending: bool,
}

impl Session {
    pub(crate) fn digest(&self) -> Digest {
        self.content.digest
    }

    fn left(&self) -> usize {
        self.content.bytes.len() - self.acknowledged
    }
}

impl Worker {
    /// Does something with one of the sessions.
    pub(crate) fn go_on(&mut self) -> Option<()> {
        if self.sessions.len() < 2 {
            return self.open_session();
        }
        let at = self.random.index(self.sessions.len());
        let left = self.sessions[at].left();
        match self.random.below(8) {
            0 => self.cancel(at),
            1 | 2 => self.finish(at),
            _ if left < 100 => self.finish(at),
            _ => {
                let length = 1 + self.random.index(left / 2);
                self.send_chunk(at, length)
            }
        }
    }

    pub(crate) fn open_session(&mut self) -> Option<()> {
        let repository = self.repository();
        let content = self.own_blob();
        let path = self.begin_session(&repository, content.digest.algorithm())?;
        self.sessions.push(Session { path, repository, content, acknowledged: 0, sent: 0, ending: false });
        let at = self.sessions.len() - 1;
        // An offset of nothing looks like one of one byte.
        self.send_chunk(at, 20)
    }

    /// Bytes that nobody else pushes, under one digest or the other.
    pub(crate) fn own_blob(&mut self) -> Blob {
        Blob::new(content::algorithm(&mut self.random), content::own(&mut self.random))
    }

    /// The path of a new session, which may be told what it will end under.
    pub(crate) fn begin_session(&mut self, repository: &str, algorithm: Algorithm) -> Option<String> {
        let told =
            if self.random.once_in(2) { format!("?digest-algorithm={}", algorithm.as_str()) } else { String::new() };
        let answer = self.ask("POST", &format!("/v2/{repository}/blobs/uploads/{told}"), &[], b"")?;
        self.expect(answer.status == 202, || format!("expected a session in {repository}, found {answer:?}"));
        answer.header("location").map(str::to_owned)
    }

    pub(crate) fn send_chunk(&mut self, at: usize, length: usize) -> Option<()> {
        let session = &mut self.sessions[at];
        let (from, to) = (session.acknowledged, session.acknowledged + length);
        session.sent = to;
        let session = session.clone();
        let range = format!("{from}-{}", to - 1);
        self.log.push(format!("PATCH {} {range}", session.path));
        let answer =
            self.ask("PATCH", &session.path, &[("content-range", &range)], &session.content.bytes[from..to])?;
        self.expect(answer.status == 202, || format!("expected chunk {range} to be taken, found {answer:?}"));
        self.sessions[at].acknowledged = to;
        Some(())
    }

    pub(crate) fn finish(&mut self, at: usize) -> Option<()> {
        self.sessions[at].ending = true;
        self.sessions[at].sent = self.sessions[at].content.bytes.len();
        let session = self.sessions[at].clone();
        self.log.push(format!("PUT {} {}", session.path, session.digest()));
        let path = format!("{}?digest={}", session.path, session.digest());
        let answer = self.ask("PUT", &path, &[], &session.content.bytes[session.acknowledged..])?;
        self.expect(answer.status == 201, || format!("expected {} to become a blob, found {answer:?}", session.path));
        self.sessions.remove(at);
        let read = self.ask("GET", &format!("/v2/{}/blobs/{}", session.repository, session.digest()), &[], b"")?;
        self.expect(read.status == 200 && read.body == session.content.bytes, || {
            format!("expected what was uploaded to {}, found {}", session.path, read.status)
        });
        Some(())
    }

    fn cancel(&mut self, at: usize) -> Option<()> {
        self.sessions[at].ending = true;
        let path = self.sessions[at].path.clone();
        self.log.push(format!("DELETE {path}"));
        let answer = self.ask("DELETE", &path, &[], b"")?;
        self.expect(answer.status == 204, || format!("expected {path} to be cancelled, found {answer:?}"));
        self.sessions.remove(at);
        Some(())
    }

    /// After a kill: each session is where it was acknowledged, or where what was in doubt took it.
    pub(crate) fn check_sessions(&mut self, facts: &Facts) {
        for mut session in std::mem::take(&mut self.sessions) {
            let Some(answer) = send(&self.address, "GET", &session.path, &[], b"") else {
                self.failures.push(format!("expected an answer for {}", session.path));
                continue;
            };
            let id = session.path.rsplit('/').next().unwrap();
            if answer.status == 404 && session.ending && !facts.uploads.contains(id) {
                continue;
            }
            let offset = answer.header("range").and_then(|range| range.strip_prefix("0-")?.parse::<usize>().ok());
            let offset = offset.map(|last| if session.acknowledged == 0 && last == 0 { 0 } else { last + 1 });
            let known = session.acknowledged..=session.sent.max(session.acknowledged);
            self.expect(answer.status == 204 && offset.is_some_and(|offset| known.contains(&offset)), || {
                format!("expected {} within {known:?}, found {answer:?}", session.path)
            });
            session.acknowledged = offset.unwrap_or(session.acknowledged);
            session.ending = false;
            session.sent = session.acknowledged;
            self.sessions.push(session);
        }
    }
}

/// Spoils bytes as a power cut may: cut off, emptied, or something else.
pub(crate) fn spoil(random: &mut Random, bytes: &mut Vec<u8>, from: usize) {
    let at = from + random.index(bytes.len() - from + 1);
    match random.below(3) {
        0 => bytes.truncate(at),
        1 => bytes[at..].fill(0),
        _ => bytes[at..].iter_mut().for_each(|byte| *byte ^= 0x5a),
    }
}

impl Worker {
    /// One more chunk for every session.
    pub(crate) fn go_on_with_all(&mut self) {
        for at in 0..self.sessions.len() {
            let left = self.sessions[at].left();
            if left > 1 {
                self.send_chunk(at, left / 2).expect("an answer");
            }
        }
    }

    /// The sessions, about which nothing is expected any more.
    pub(crate) fn forget_sessions(&mut self) -> Vec<Session> {
        std::mem::take(&mut self.sessions)
    }

    /// A session whose bytes were spoilt may be gone. If it is shown, it is gone on with where it says it is, and what
    /// comes of it is what was sent.
    pub(crate) fn finish_if_shown(&mut self, mut session: Session) {
        let answer = self.ask("GET", &session.path, &[], b"").expect("an answer");
        self.log.push(format!("GET {} {}", session.path, answer.status));
        if answer.status == 404 {
            return;
        }
        let last = answer.header("range").and_then(|range| range.strip_prefix("0-")?.parse::<usize>().ok());
        let last = last.unwrap_or_else(|| panic!("expected a session, found {answer:?}"));
        session.acknowledged = if last == 0 { 0 } else { last + 1 };
        self.sessions.push(session);
        self.finish(self.sessions.len() - 1).expect("an answer");
    }
}
