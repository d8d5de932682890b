//! Answers over HTTP/2 on their way out: whether their client takes them.
//!
//! What a client does not read of a connection, the kernel sees and ends. Of one stream among many it sees nothing: who
//! grants it no more window can read the connection on, and the stream waits.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::time::sleep;

/// Who is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Turn {
    /// Who was before.
    #[default]
    AsBefore,
    /// The client, which was given a part of the answer.
    Client,
    /// Ourselves: the next part is still to be read.
    Ours,
}

tokio::task_local! {
    static TURN: Cell<Turn>;
}

/// Notes, in the task of a stream, that a part of its answer was handed over: what came before that was taken.
pub(super) fn handed() {
    turn(Turn::Client);
}

/// Notes, in the task of a stream, that the next part of its answer is not there yet.
pub(super) fn reading() {
    turn(Turn::Ours);
}

fn turn(to: Turn) {
    // Other tasks, as those of HTTP/1.1, wait for nothing but their connection.
    TURN.try_with(|turn| turn.set(to)).unwrap_or_default();
}

/// Runs a stream to its end, or until its client took nothing of the answer for `idle`: it is reset then.
pub(crate) async fn while_taken(stream: impl Future<Output = ()>, idle: Duration) {
    TURN.scope(Cell::default(), run(stream, idle)).await;
}

async fn run(stream: impl Future<Output = ()>, idle: Duration) {
    let mut stream = pin!(stream);
    let mut patience = None;
    poll_fn(|context| {
        if stream.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        match TURN.with(Cell::take) {
            Turn::AsBefore => {}
            Turn::Client => patience = Some(Box::pin(sleep(idle))),
            Turn::Ours => patience = None,
        }
        patience.as_mut().map_or(Poll::Pending, |patience| patience.as_mut().poll(context))
    })
    .await;
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    const IDLE: Duration = Duration::from_millis(400);

    /// A stream that notes each turn it is told, and never ends by itself.
    async fn stream(mut turns: mpsc::UnboundedReceiver<Turn>) {
        while let Some(next) = turns.recv().await {
            turn(next);
        }
        std::future::pending::<()>().await;
    }

    /// Whether a stream is reset that sees `turns`, one each half of the time it may stand still, and then nothing more
    /// for five times as long.
    async fn is_reset(turns: &[Turn]) -> bool {
        let (teller, told) = mpsc::unbounded_channel();
        let run = while_taken(stream(told), IDLE);
        let telling = async {
            for turn in turns {
                teller.send(*turn).unwrap();
                sleep(IDLE / 2).await;
            }
            sleep(IDLE * 5).await;
        };
        tokio::select! {
            () = run => true,
            () = telling => false,
        }
    }

    #[tokio::test]
    async fn a_stream_is_reset_whose_client_took_nothing_for_too_long() {
        assert!(is_reset(&[Turn::Client]).await);
        assert!(is_reset(&[Turn::Ours, Turn::Client, Turn::AsBefore]).await);
    }

    #[tokio::test]
    async fn a_stream_is_not_reset_for_what_is_still_read() {
        assert!(!is_reset(&[]).await);
        assert!(!is_reset(&[Turn::Client, Turn::Ours]).await);
    }

    #[tokio::test]
    async fn a_stream_goes_on_while_parts_are_taken() {
        let mut turns = vec![Turn::Client; 8];
        turns.push(Turn::Ours);
        assert!(!is_reset(&turns).await);
    }

    #[tokio::test]
    async fn a_stream_that_ends_is_not_waited_for() {
        let ends = while_taken(async { handed() }, Duration::from_hours(1));
        assert!(tokio::time::timeout(Duration::from_secs(5), ends).await.is_ok());
    }
}
