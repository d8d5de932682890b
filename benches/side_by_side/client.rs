//! The load tool's HTTP/1.1: one connection, one request at a time, every answer checked.
//!
//! It costs a few microseconds a request, so that the server is what is measured, and it can do HEAD, which `wrk` can't.

use std::io::ErrorKind;
use std::net::SocketAddr;

use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::TcpStream;

use crate::Outcome;

/// The largest head of an answer, in bytes.
const HEAD_MAX: usize = 32 << 10;

/// How much of a body is discarded at once, in bytes.
const DISCARD: usize = 1 << 20;

/// Whom to ask, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) address: SocketAddr,
    /// The value of `Authorization`.
    pub(crate) authorization: Option<String>,
}

/// The head of a request, ready to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    head: Vec<u8>,
    answer_has_body: bool,
}

impl Caller {
    /// A request for `path` with these header fields.
    pub(crate) fn request(&self, method: &str, path: &str, fields: &[(&str, &str)]) -> Request {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.address);
        let authorization = self.authorization.as_deref().map(|value| ("Authorization", value));
        for (name, value) in fields.iter().copied().chain(authorization) {
            head.extend([name, ": ", value, "\r\n"]);
        }
        head.push_str("\r\n");
        Request { head: head.into_bytes(), answer_has_body: method != "HEAD" }
    }
}

/// What came back, without its body.
#[derive(Debug)]
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    /// `Content-Length`, in bytes.
    pub(crate) length: u64,
    head: &'a [u8],
}

impl Answer<'_> {
    /// The answer, if it has this status.
    pub(crate) fn expect(self, status: u16) -> Outcome<Self> {
        if self.status == status {
            return Ok(self);
        }
        let head = String::from_utf8_lossy(self.head);
        Err(format!("expected status {status}, found {:?}", head.trim_end()).into())
    }

    /// The path and query of `Location`.
    pub(crate) fn location(&self) -> Outcome<String> {
        let value = field(self.head, b"location").ok_or("expected a Location, found none")?;
        let value = std::str::from_utf8(value)?;
        let Some((_, after_scheme)) = value.split_once("://") else {
            return Ok(value.to_owned());
        };
        let (_, path) = after_scheme.split_once('/').ok_or("expected a path in Location, found none")?;
        Ok(format!("/{path}"))
    }
}

/// A connection that is kept alive.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: TcpStream,
    head: Vec<u8>,
    body: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub(crate) async fn open(address: SocketAddr) -> Outcome<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, head: vec![0; HEAD_MAX], body: vec![0; DISCARD] })
    }

    /// Sends a request with its body, and reads the whole answer, whose body is thrown away.
    pub(crate) async fn exchange(&mut self, request: &Request, body: &[&[u8]]) -> Outcome<Answer<'_>> {
        self.send(request, body).await?;
        let (end, filled) = self.read_head().await?;
        let (status, length) = status_and_length(self.head.get(..end).unwrap_or_default())?;
        let mut left = if request.answer_has_body { length } else { 0 };
        left = left.saturating_sub(u64::try_from(filled.saturating_sub(end))?);
        while left > 0 {
            let discarded = self.discard(usize::try_from(left)?.min(DISCARD)).await?;
            if discarded == 0 {
                return Err(format!("expected {left} more bytes of body, found the end").into());
            }
            left = left.saturating_sub(u64::try_from(discarded)?);
        }
        Ok(Answer { status, length, head: self.head.get(..end).unwrap_or_default() })
    }

    /// Takes at most `length` bytes from the kernel without copying them (`MSG_TRUNC`): copying is the client's own cost,
    /// and with it one client core is slower than the server that is measured.
    async fn discard(&mut self, length: usize) -> Outcome<usize> {
        let room = self.body.get_mut(..length).unwrap_or_default();
        loop {
            self.stream.readable().await?;
            let taken = self.stream.try_io(Interest::READABLE, || {
                let (_, taken) = recv(&self.stream, &mut *room, RecvFlags::TRUNC)?;
                Ok(taken)
            });
            match taken {
                Ok(taken) => return Ok(taken),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends a request without a body; gives the status and the body of the answer.
    pub(crate) async fn fetch(&mut self, request: &Request) -> Outcome<(u16, Vec<u8>)> {
        self.send(request, &[]).await?;
        let (end, filled) = self.read_head().await?;
        let (status, length) = status_and_length(self.head.get(..end).unwrap_or_default())?;
        let mut body = self.head.get(end..filled).unwrap_or_default().to_vec();
        let already = body.len();
        body.resize(usize::try_from(length)?.max(already), 0);
        self.stream.read_exact(body.get_mut(already..).unwrap_or_default()).await?;
        Ok((status, body))
    }

    async fn send(&mut self, request: &Request, body: &[&[u8]]) -> Outcome<()> {
        self.stream.write_all(&request.head).await?;
        for piece in body {
            self.stream.write_all(piece).await?;
        }
        Ok(())
    }

    /// Reads until the head is whole; gives where it ends and how much was read.
    async fn read_head(&mut self) -> Outcome<(usize, usize)> {
        let mut filled = 0_usize;
        loop {
            let room = self.head.get_mut(filled..).filter(|room| !room.is_empty());
            let read = self.stream.read(room.ok_or("expected a shorter head")?).await?;
            if read == 0 {
                return Err("expected an answer, found the end of the connection".into());
            }
            filled = filled.saturating_add(read);
            let head = self.head.get(..filled).unwrap_or_default();
            if let Some(at) = head.windows(4).position(|window| window == b"\r\n\r\n") {
                return Ok((at.saturating_add(4), filled));
            }
        }
    }
}

fn status_and_length(head: &[u8]) -> Outcome<(u16, u64)> {
    let status = head.get(9..12).ok_or("expected a status line, found less")?;
    let status = std::str::from_utf8(status)?.parse()?;
    match field(head, b"content-length") {
        Some(length) => Ok((status, std::str::from_utf8(length)?.parse()?)),
        None if status == 204 => Ok((status, 0)),
        None => Err(format!("expected a Content-Length, found {:?}", String::from_utf8_lossy(head)).into()),
    }
}

/// The value of the field called `name`, which is in lower case.
fn field<'a>(head: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    head.split(|byte| *byte == b'\n').find_map(|line| {
        let (found, rest) = line.split_at_checked(name.len())?;
        let value = rest.strip_prefix(b":").filter(|_| found.eq_ignore_ascii_case(name))?;
        Some(value.trim_ascii())
    })
}
