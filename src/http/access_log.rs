//! One line for each request, written by a thread that requests never wait for.

use std::fmt::Write as _;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use axum::http::header::USER_AGENT;
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};

use super::endpoint::Kind;
use super::error::Refusal;
use crate::clock::Timestamp;
use crate::gate::Who;
use crate::oci::RepositoryName;
use crate::registry::Lenience;

/// How log lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line.
    #[default]
    Json,
    /// Words for people.
    Text,
}

/// What the writer of the log is handed.
#[derive(Debug)]
pub enum Line {
    /// Whole lines, each with its line feed.
    Text(String),
    /// Answer when everything before this is written.
    Flush(SyncSender<()>),
}

/// The way to the writer of the log.
#[derive(Clone, Debug)]
pub struct Lines(SyncSender<Line>);

impl Lines {
    /// Room for `bound` lines.
    pub fn channel(bound: usize) -> (Self, Receiver<Line>) {
        let (sender, receiver) = sync_channel(bound);
        (Self(sender), receiver)
    }

    /// Hands over a line; false if there is no room.
    pub fn push(&self, line: String) -> bool {
        self.0.try_send(Line::Text(line)).is_ok()
    }

    /// Waits, at most `bound`, until everything handed over before is written.
    pub fn flush(&self, bound: Duration) {
        let (sender, receiver) = sync_channel(1);
        if self.0.try_send(Line::Flush(sender)).is_ok() && receiver.recv_timeout(bound).is_err() {
            // The writer is stuck; nobody is left to tell.
        }
    }
}

/// What is known of a request so far, until it becomes a line.
#[derive(Debug)]
pub struct Entry {
    /// When its head was read.
    pub began: Instant,
    /// Its head.
    pub parts: Parts,
    /// Its identifier, which the answer repeats.
    pub id: HeaderValue,
    /// Who asks, once that is known.
    pub who: Option<Who>,
    /// What it asks for.
    pub kind: Kind,
    /// Where.
    pub repository: Option<RepositoryName>,
    /// Why it was refused: the reason's word and the sentence.
    pub refusal: Option<(&'static str, String)>,
    /// Why it would have been refused if its requirement were enforced.
    pub lenience: Option<Lenience>,
    /// The answer's status.
    pub status: StatusCode,
}

impl Entry {
    /// An entry for a request that was just read.
    pub fn new(parts: Parts, id: HeaderValue) -> Self {
        Self {
            began: Instant::now(),
            parts,
            id,
            who: None,
            kind: Kind::None,
            repository: None,
            refusal: None,
            lenience: None,
            status: StatusCode::OK,
        }
    }

    /// Notes why it is refused.
    pub fn refuse(&mut self, refusal: &Refusal) {
        self.refusal = Some((refusal.reason().as_str(), refusal.log_text().to_owned()));
    }

    /// The line: never a token, a key or a body.
    pub fn line(&self, format: Format, at: Timestamp, bytes: u64, took: Duration) -> String {
        let mut line = String::with_capacity(448);
        let user_agent = self.parts.headers.get(USER_AGENT).map_or(&b""[..], HeaderValue::as_bytes);
        let written = match format {
            Format::Json => self.write_json(&mut line, at, bytes, took, user_agent),
            Format::Text => self.write_text(&mut line, at, bytes, took, user_agent),
        };
        if written.is_err() {
            line.clear();
        }
        line.push('\n');
        line
    }

    fn write_json(
        &self,
        line: &mut String,
        at: Timestamp,
        bytes: u64,
        took: Duration,
        user_agent: &[u8],
    ) -> std::fmt::Result {
        write!(line, "{{\"time\":\"{at}\",\"event\":\"request\",\"id\":")?;
        quote(line, self.id.as_bytes(), 64);
        match &self.who {
            Some(who) => {
                line.push_str(",\"who\":");
                match who {
                    Who::Anonymous => line.push_str("\"anonymous\""),
                    Who::User(name) => {
                        line.push_str("\"user:");
                        escape(line, name.as_bytes(), 128);
                        line.push('"');
                    }
                    Who::Operator => line.push_str("\"operator\""),
                }
            }
            None => line.push_str(",\"who\":null"),
        }
        line.push_str(",\"method\":");
        quote(line, self.parts.method.as_str().as_bytes(), 16);
        line.push_str(",\"path\":");
        quote(line, self.parts.uri.path().as_bytes(), 512);
        line.push_str(",\"endpoint\":\"");
        line.push_str(self.kind.as_str());
        line.push('"');
        if let Some(repository) = &self.repository {
            line.push_str(",\"repository\":\"");
            line.push_str(repository.as_str());
            line.push('"');
        }
        let status = self.status.as_u16();
        write!(line, ",\"status\":{status},\"bytes\":{bytes},\"duration_us\":{}", took.as_micros())?;
        line.push_str(",\"user_agent\":");
        quote(line, user_agent, 256);
        if let Some((reason, text)) = &self.refusal {
            write!(line, ",\"refusal\":\"{reason}\",\"reason\":")?;
            quote(line, text.as_bytes(), 1024);
        }
        if let Some(lenience) = &self.lenience {
            line.push_str(",\"unmet\":");
            quote(line, lenience.reason.as_bytes(), 1024);
        }
        line.push('}');
        Ok(())
    }

    fn write_text(
        &self,
        line: &mut String,
        at: Timestamp,
        bytes: u64,
        took: Duration,
        user_agent: &[u8],
    ) -> std::fmt::Result {
        write!(line, "{at} {} ", self.status.as_u16())?;
        escape(line, self.parts.method.as_str().as_bytes(), 16);
        line.push(' ');
        escape(line, self.parts.uri.path().as_bytes(), 512);
        match &self.who {
            Some(who) => write!(line, " {who}")?,
            None => line.push_str(" -"),
        }
        write!(line, " {bytes}B {}us ", took.as_micros())?;
        escape(line, self.id.as_bytes(), 64);
        line.push(' ');
        quote(line, user_agent, 256);
        if let Some((reason, text)) = &self.refusal {
            write!(line, " {reason}: ")?;
            escape(line, text.as_bytes(), 1024);
        }
        if let Some(lenience) = &self.lenience {
            line.push_str(" unmet: ");
            escape(line, lenience.reason.as_bytes(), 1024);
        }
        Ok(())
    }
}

/// Appends at most `bound` bytes of `text` as a JSON string.
pub fn quote(line: &mut String, text: &[u8], bound: usize) {
    line.push('"');
    escape(line, text, bound);
    line.push('"');
}

/// Appends at most `bound` bytes of `text`, escaped so that no reader of the log is steered by them.
fn escape(line: &mut String, text: &[u8], bound: usize) {
    let bounded = text.get(..bound).unwrap_or(text);
    let plain = |b: &u8| matches!(b, b' '..=b'~') && *b != b'"' && *b != b'\\';
    if bounded.iter().all(plain) {
        line.push_str(std::str::from_utf8(bounded).unwrap_or_default());
    } else {
        for c in String::from_utf8_lossy(bounded).chars() {
            escape_one(line, c);
        }
    }
    if bounded.len() < text.len() {
        line.push_str("...");
    }
}

fn escape_one(line: &mut String, c: char) {
    match c {
        '"' => line.push_str("\\\""),
        '\\' => line.push_str("\\\\"),
        ' '..='~' => line.push(c),
        c if c.is_control() || !c.is_alphanumeric() => {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                if write!(line, "\\u{unit:04x}").is_err() {
                    line.push('?');
                }
            }
        }
        c => line.push(c),
    }
}
