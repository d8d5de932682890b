//! The one writer: it takes what is waiting, runs it as one transaction, and answers when that is committed.
//!
//! Work runs in a savepoint of its own, so what fails undoes itself and nothing else. A group in which anything must
//! survive a power cut is synced before anyone is answered; a group of upload sessions alone is not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::log::Log;
use crate::metadata::Unavailable;

/// The most work in one transaction, so that nobody waits long behind others.
const GROUP: usize = 256;

/// Work that may wait for the writer before callers wait too.
const QUEUE: usize = 4096;

/// What a change must survive when its caller is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Durability {
    /// The death of the process.
    Process,
    /// A power cut.
    Power,
}

impl Durability {
    const fn pragma(self) -> &'static str {
        match self {
            Self::Process => "PRAGMA synchronous = NORMAL",
            Self::Power => "PRAGMA synchronous = FULL",
        }
    }
}

/// Tells the caller what came of its work, once the transaction is committed or is known not to be.
type Answer = Box<dyn FnOnce(Result<(), Unavailable>) + Send>;

/// Work under way: whether it is to be kept, and who waits for it.
struct Done {
    kept: bool,
    answer: Answer,
}

struct Job {
    durability: Durability,
    run: Box<dyn FnOnce(&Connection) -> Done + Send>,
}

enum Message {
    Work(Job),
    Checkpoint(oneshot::Sender<Result<(), Unavailable>>),
}

/// The handle to the writer's thread, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Writer {
    queue: Option<SyncSender<Message>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread over its own connection.
    pub(super) fn start(connection: Connection) -> Result<Self, Unavailable> {
        let (queue, waiting) = sync_channel(QUEUE);
        let log = Log::of(&connection)?;
        let thread = std::thread::Builder::new()
            .name("metadata-writer".to_owned())
            .spawn(move || serve(&connection, log, &waiting))
            .map_err(|error| Unavailable::Broken(format!("the writer's thread can't start: {error}")))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Runs `work` in the next transaction; answers when it is committed.
    pub(super) async fn run<T, F>(&self, durability: Durability, work: F) -> Result<T, Unavailable>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    {
        let (caller, answered) = oneshot::channel();
        let run = Box::new(move |connection: &Connection| {
            let result = work(connection);
            let kept = result.is_ok();
            let answer: Answer = Box::new(move |committed| {
                let answer = result.map_err(Unavailable::from).and_then(|value| committed.map(|()| value));
                // A caller that went away needs no answer.
                drop(caller.send(answer));
            });
            Done { kept, answer }
        });
        self.send(Message::Work(Job { durability, run }))?;
        answered.await.map_err(|_closed| gone())?
    }

    /// Writes what is in the log back into the database.
    pub(super) async fn checkpoint(&self) -> Result<(), Unavailable> {
        let (caller, answered) = oneshot::channel();
        self.send(Message::Checkpoint(caller))?;
        answered.await.map_err(|_closed| gone())?
    }

    fn send(&self, message: Message) -> Result<(), Unavailable> {
        // The queue is full only when the disk stalls: then refusing is right, and blocking would stall the runtime.
        let queue = self.queue.as_ref().ok_or_else(gone)?;
        queue.try_send(message).map_err(|error| Unavailable::Broken(format!("the writer takes no more work: {error}")))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // It ends by itself; that it panicked was told to every caller.
            drop(thread.join());
        }
    }
}

fn gone() -> Unavailable {
    Unavailable::Broken("the writer gave up the change".to_owned())
}

fn serve(connection: &Connection, mut log: Log, waiting: &Receiver<Message>) {
    let mut current = None;
    while let Ok(first) = waiting.recv() {
        let mut group = Vec::new();
        let mut checkpoints = Vec::new();
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Work(job) => group.push(job),
                Message::Checkpoint(caller) => checkpoints.push(caller),
            }
            next = if group.len() < GROUP { waiting.try_recv().ok() } else { None };
        }
        if !group.is_empty() {
            commit(connection, group, &mut current);
            log.keep_short(connection);
        }
        for caller in checkpoints {
            drop(caller.send(checkpoint(connection)));
        }
    }
}

fn checkpoint(connection: &Connection) -> Result<(), Unavailable> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(Unavailable::from)
}

/// Runs a group as one transaction and answers everyone in it. Work that is dropped unrun answers its caller by that.
fn commit(connection: &Connection, group: Vec<Job>, current: &mut Option<Durability>) {
    let power = group.iter().any(|job| job.durability == Durability::Power);
    let wanted = if power { Durability::Power } else { Durability::Process };
    let mut answers = Vec::with_capacity(group.len());
    let committed = transact(connection, group, wanted, current, &mut answers);
    if committed.is_err() && !connection.is_autocommit() {
        // Nothing more can be done about a rollback that fails: the next BEGIN fails too, and says so.
        drop(connection.execute_batch("ROLLBACK"));
    }
    let why = committed.err().map(Unavailable::from);
    for answer in answers {
        answer(why.clone().map_or(Ok(()), Err));
    }
}

fn transact(
    connection: &Connection,
    group: Vec<Job>,
    wanted: Durability,
    current: &mut Option<Durability>,
    answers: &mut Vec<Answer>,
) -> rusqlite::Result<()> {
    if *current != Some(wanted) {
        connection.execute_batch(wanted.pragma())?;
        *current = Some(wanted);
    }
    execute(connection, "BEGIN IMMEDIATE")?;
    for job in group {
        execute(connection, "SAVEPOINT job")?;
        // A panic is a defect in one operation; it must not end the writer, and its caller is told by the dropped sender.
        let done = catch_unwind(AssertUnwindSafe(|| (job.run)(connection)));
        let kept = done.as_ref().is_ok_and(|done| done.kept);
        // Before anything else can fail: a full medium ends the whole transaction, and its caller is told why.
        answers.extend(done.ok().map(|done| done.answer));
        if !kept {
            execute(connection, "ROLLBACK TO job")?;
        }
        execute(connection, "RELEASE job")?;
    }
    execute(connection, "COMMIT")
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

#[cfg(test)]
mod tests {
    use super::super::tests::asked_once;
    use super::*;

    fn writer() -> Writer {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE notes (note TEXT)").unwrap();
        Writer::start(connection).unwrap()
    }

    fn note(connection: &Connection, note: &str) -> rusqlite::Result<()> {
        connection.execute("INSERT INTO notes VALUES (?1)", [note]).map(drop)
    }

    async fn notes(writer: &Writer) -> i64 {
        let count = |c: &Connection| c.query_row("SELECT count(*) FROM notes", [], |row| row.get(0));
        writer.run(Durability::Process, count).await.unwrap()
    }

    #[tokio::test]
    async fn work_that_fails_late_leaves_nothing_and_spares_the_others_in_its_group() {
        let writer = writer();
        let fails = writer.run(Durability::Power, |c| note(c, "half").and_then(|()| c.execute_batch("nonsense")));
        let works = writer.run(Durability::Process, |c| note(c, "whole"));
        let (failed, worked) = tokio::join!(fails, works);
        assert!(failed.is_err() && worked.is_ok());
        assert_eq!(notes(&writer).await, 1);
    }

    #[tokio::test]
    async fn work_that_panics_leaves_nothing_and_the_writer_goes_on() {
        let writer = writer();
        let panics = writer.run(Durability::Power, |c| -> rusqlite::Result<()> {
            note(c, "half")?;
            panic!("a test said so")
        });
        assert!(panics.await.is_err());
        assert_eq!(notes(&writer).await, 0);
    }

    #[tokio::test]
    async fn a_full_medium_is_told_as_such() {
        let writer = writer();
        let fill = |c: &Connection| c.execute_batch("PRAGMA max_page_count = 3");
        writer.run(Durability::Power, fill).await.unwrap();
        let large = "x".repeat(1 << 20);
        let full = writer.run(Durability::Power, move |c| note(c, &large)).await;
        assert!(matches!(full, Err(Unavailable::Full)), "{full:?}");
    }

    #[tokio::test]
    async fn more_work_than_a_stalled_medium_may_pile_up_is_refused_at_once() {
        let writer = writer();
        let (go_on, may_go_on) = std::sync::mpsc::channel::<()>();
        let (started, has_started) = std::sync::mpsc::channel();
        let mut waiting = Vec::new();
        let mut stall = Box::pin(writer.run(Durability::Power, move |_| {
            started.send(()).unwrap();
            may_go_on.recv().unwrap();
            Ok(())
        }));
        assert!(asked_once(&mut stall).is_none());
        has_started.recv().unwrap();
        let refused = loop {
            let mut next = Box::pin(writer.run(Durability::Power, |c| note(c, "waits")));
            match asked_once(&mut next) {
                None => waiting.push(next),
                Some(answer) => break answer,
            }
        };
        assert!(matches!(refused, Err(Unavailable::Broken(_))), "{refused:?}");
        assert_eq!(waiting.len(), QUEUE);
        go_on.send(()).unwrap();
        stall.await.unwrap();
        for work in waiting {
            work.await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_transaction_that_is_lost_is_told_to_everyone_in_it() {
        let writer = writer();
        let rolls_back = writer.run(Durability::Power, |c| note(c, "lost").and_then(|()| c.execute_batch("ROLLBACK")));
        assert!(rolls_back.await.is_err());
        assert_eq!(notes(&writer).await, 0);
    }
}
