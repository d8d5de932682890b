//! Connections: accepted within a bound, each with its time-outs and limits.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::{sleep, timeout};

use super::listen::Listening;
use super::tls::Certificates;
use crate::config::Limits;
use crate::http::{Http, router};

/// What a client that speaks HTTP/2 without TLS sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Read buffers grow to this while bodies come in.
const BUFFER: usize = 256 << 10;
/// Requests at once on one HTTP/2 connection.
const STREAMS: u32 = 256;
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// A connection on which nothing comes back is given up.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_AT_MOST: Duration = Duration::from_secs(20);
/// After a failing accept (no descriptors are left), others get the time to end.
const BREATHE: Duration = Duration::from_millis(50);

#[derive(Clone)]
struct Server {
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
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
            accepted = next(&listening, &places) => accepted,
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
async fn next(listening: &Listening, places: &Arc<Semaphore>) -> Option<(TcpStream, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.ok()?;
    let (stream, _) = listening.listener.accept().await.ok()?;
    stream.set_nodelay(true).ok()?;
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
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .max_header_list_size(u32::try_from(limits.header_bytes).unwrap_or(u32::MAX))
            .max_concurrent_streams(STREAMS)
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
        let io = TokioIo::new(io);
        // An error is a client that went away or spoke no HTTP; what it asked for is logged already.
        if is_http2 {
            drop(watcher.watch(self.http2.serve_connection(io, service)).await);
        } else {
            drop(watcher.watch(self.http1.serve_connection(io, service)).await);
        }
    }
}

/// Looks at the first bytes without taking them. Nothing if the client left.
async fn begins_with_preface(stream: &TcpStream) -> Option<bool> {
    let mut first = [0; PREFACE.len()];
    loop {
        let seen = stream.peek(&mut first).await.ok().filter(|seen| *seen > 0)?;
        let seen = first.get(..seen)?;
        if seen == PREFACE {
            return Some(true);
        }
        if !PREFACE.starts_with(seen) {
            return Some(false);
        }
        // `P` may be POST: a peek does not wait for more, so wait here.
        sleep(Duration::from_millis(5)).await;
    }
}
