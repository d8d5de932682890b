//! Connections: accepted within a bound, each with its time-outs and limits.

use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::rt::Executor;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use rustix::net::sockopt::set_tcp_user_timeout;
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, Interest};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::listen::Listening;
use super::reads::Reads;
use super::tls::Certificates;
use crate::config::Limits;
use crate::http::{Http, router, while_taken};

/// What a client that speaks HTTP/2 without TLS sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Answers gather to this before they are sent: two reads of a blob, for each sending wakes the client.
const BUFFER: usize = 512 << 10;
/// Requests at once on one HTTP/2 connection. Each holds what its client does not take: a read of a blob, and one ahead.
const STREAMS: u32 = 100;
/// What a stream gathers before its client takes some: a read of a blob over HTTP/2.
const STREAM_BUFFER: usize = 64 << 10;
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// A connection on which nothing comes back is given up.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_AT_MOST: Duration = Duration::from_secs(20);
/// After a failing accept (no descriptors are left), others get the time to end.
const BREATHE: Duration = Duration::from_millis(50);

/// Runs the streams of HTTP/2 while their clients take what they asked for.
#[derive(Clone, Copy, Debug)]
struct Streams {
    idle: Duration,
}

impl<S: Future<Output = ()> + Send + 'static> Executor<S> for Streams {
    fn execute(&self, stream: S) {
        tokio::spawn(while_taken(stream, self.idle));
    }
}

#[derive(Clone)]
struct Server {
    http1: http1::Builder,
    http2: http2::Builder<Streams>,
    router: Router,
    certificates: Option<Arc<Certificates>>,
    header_timeout: Duration,
}

/// Accepts until `stopped`, then waits for the requests that are under way.
pub(super) async fn accept(listening: Listening, http: Arc<Http>, mut stopped: watch::Receiver<bool>) {
    let limits = http.limits.clone();
    let server = Server::new(&limits, listening.certificates(), router(http));
    let places = Arc::new(Semaphore::new(limits.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            _ = stopped.wait_for(|stopped| *stopped) => break,
            accepted = next(&listening, &places, limits.body_idle) => accepted,
        };
        match accepted {
            Some((stream, place)) => {
                let (server, watcher) = (server.clone(), graceful.watcher());
                tokio::spawn(async move {
                    server.serve(stream, watcher).await;
                    drop(place);
                });
            }
            None => sleep(BREATHE).await,
        }
    }
    drop(listening);
    graceful.shutdown().await;
}

/// The next connection with its place; the queue of the kernel holds who comes while all are taken.
///
/// The kernel ends one whose client takes nothing for `idle` of what was written to it: it alone sees a slow client take
/// a little, and to ask it costs nothing.
async fn next(
    listening: &Listening,
    places: &Arc<Semaphore>,
    idle: Duration,
) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    let (stream, _) = listening.listener.accept().await.ok()?;
    stream.set_nodelay(true).ok()?;
    set_tcp_user_timeout(&stream, u32::try_from(idle.as_millis()).unwrap_or(u32::MAX)).ok()?;
    Some((stream, place))
}

impl Server {
    fn new(limits: &Limits, certificates: Option<Arc<Certificates>>, router: Router) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            .timer(TokioTimer::new())
            .header_read_timeout(limits.header_timeout)
            .max_headers(limits.headers)
            .max_header_size(limits.header_bytes)
            .max_buf_size(BUFFER.max(limits.header_bytes));
        let mut http2 = http2::Builder::new(Streams { idle: limits.body_idle });
        http2
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
            .max_concurrent_streams(STREAMS)
            .max_send_buf_size(STREAM_BUFFER)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_AT_MOST);
        Self { http1, http2, router, certificates, header_timeout: limits.header_timeout }
    }

    async fn serve(self, stream: TcpStream, watcher: Watcher) {
        match &self.certificates {
            None => {
                let Ok(Some(is_http2)) = timeout(self.header_timeout, begins_with_preface(&stream)).await else {
                    return;
                };
                self.speak(stream, is_http2, watcher).await;
            }
            Some(certificates) => {
                let handshake = certificates.acceptor().accept(stream);
                let Ok(Ok(stream)) = timeout(self.header_timeout, handshake).await else { return };
                let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                self.speak(stream, is_http2, watcher).await;
            }
        }
    }

    async fn speak(self, io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, is_http2: bool, watcher: Watcher) {
        let service = TowerToHyperService::new(self.router);
        let io = TokioIo::new(Reads::of(io));
        // An error is a client that went away or spoke no HTTP; what it asked for is logged already.
        if is_http2 {
            drop(watcher.watch(self.http2.serve_connection(io, service)).await);
        } else {
            drop(watcher.watch(self.http1.serve_connection(io, service)).await);
        }
    }
}

/// Looks at the first bytes without taking them. Nothing if the client left.
///
/// `P` may be POST, so more is waited for: until more comes, and not by looking again and again, for who sends one byte
/// on each of many connections pays nothing for the looks.
async fn begins_with_preface(stream: &TcpStream) -> Option<bool> {
    loop {
        let ready = stream.ready(Interest::READABLE).await.ok()?;
        // What can't be told yet counts as nothing to read: then only what comes after this look makes it ready again.
        match stream.try_io(Interest::READABLE, || look(stream)) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if ready.is_read_closed() {
                    // No more will come, and this stays ready for ever.
                    return Some(false);
                }
            }
            answer => return answer.ok().flatten(),
        }
    }
}

/// Whether what has come so far is the preface; [`ErrorKind::WouldBlock`] while it is the beginning of it.
fn look(stream: &TcpStream) -> io::Result<Option<bool>> {
    let mut first = [0; PREFACE.len()];
    let (seen, _) = recv(stream, &mut first, RecvFlags::PEEK)?;
    let seen = first.get(..seen).unwrap_or_default();
    match seen {
        [] => Ok(None),
        PREFACE => Ok(Some(true)),
        _ if PREFACE.starts_with(seen) => Err(ErrorKind::WouldBlock.into()),
        _ => Ok(Some(false)),
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;

    use tokio::io::AsyncWriteExt as _;
    use tokio::net::TcpListener;

    use super::*;

    async fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (client, listener.accept().await.unwrap().0)
    }

    /// What is found when `pieces` come one after another, and how often was looked.
    async fn found(pieces: &[&[u8]], is_closed: bool) -> (Option<bool>, usize) {
        let (mut client, server) = connected().await;
        let mut looks = 0_usize;
        let mut answer = pin!(begins_with_preface(&server));
        let looking = poll_fn(|context| {
            looks += 1;
            answer.as_mut().poll(context)
        });
        let sending = async {
            for piece in pieces {
                client.write_all(piece).await.unwrap();
                sleep(Duration::from_millis(200)).await;
            }
            if is_closed {
                client.shutdown().await.unwrap();
            }
            std::future::pending::<()>().await;
        };
        let answer = tokio::select! {
            answer = timeout(Duration::from_secs(10), looking) => answer.unwrap(),
            () = sending => None,
        };
        (answer, looks)
    }

    #[tokio::test]
    async fn the_preface_is_known_in_pieces_and_nothing_else_is_taken_for_it() {
        assert_eq!(found(&[PREFACE], false).await.0, Some(true));
        assert_eq!(found(&[b"P", b"RI * HTTP/2.0\r\n\r\nSM\r\n", b"\r\n"], false).await.0, Some(true));
        assert_eq!(found(&[b"P", b"OST / HTTP/1.1"], false).await.0, Some(false));
        assert_eq!(found(&[b"GET"], false).await.0, Some(false));
        assert_eq!(found(&[], true).await.0, None);
    }

    #[tokio::test]
    async fn the_rest_of_a_beginning_is_waited_for_and_not_looked_for() {
        let (answer, looks) = found(&[b"P", b"R", b"X"], false).await;
        assert_eq!(answer, Some(false));
        // One for each piece, and as many when the sender wakes up.
        assert!(looks <= 12, "{looks} looks in 400 ms");
    }

    #[tokio::test]
    async fn a_client_that_ends_after_a_beginning_is_not_waited_for() {
        let (answer, looks) = found(&[b"P"], true).await;
        assert_eq!(answer, Some(false));
        assert!(looks <= 12, "{looks} looks");
    }
}
