//! What the process tells its operator: one line for each event and each request, on standard error.
//!
//! Nobody waits for the terminal or the disk behind it: lines go through a bounded channel to one thread, and what
//! does not fit is dropped and counted.

use std::fmt::{Display, Write as _};
use std::io::Write as _;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use crate::clock::Clock;
use crate::http::{Format, Line, Lines, quote};

/// Room for lines: at 100,000 requests a second, what gathers in [`GATHER`] and as much again.
const BOUND: usize = 4096;
/// While the writer sleeps, handing over a line wakes nobody: the cheapest way for those who answer requests.
const GATHER: Duration = Duration::from_millis(20);
const FLUSH_AT_MOST: Duration = Duration::from_secs(2);

/// The log.
#[derive(Clone)]
pub struct Telemetry {
    lines: Lines,
    format: Format,
    clock: Arc<dyn Clock>,
}

impl Telemetry {
    /// Starts the thread that writes to standard error.
    pub fn start(format: Format, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let (lines, receiver) = Lines::channel(BOUND);
        std::thread::Builder::new().name("log".to_owned()).spawn(move || write_all(&receiver))?;
        Ok(Self { lines, format, clock })
    }

    /// Where lines go, for the access log.
    pub fn lines(&self) -> Lines {
        self.lines.clone()
    }

    /// How lines are written.
    pub const fn format(&self) -> Format {
        self.format
    }

    /// One event with its fields: a word such as `start`, and names that are plain words themselves.
    pub fn event(&self, event: &str, fields: &[(&str, &dyn Display)]) {
        let mut line = String::with_capacity(256);
        let at = self.clock.now();
        let written = match self.format {
            Format::Json => write!(line, "{{\"time\":\"{at}\",\"event\":\"{event}\""),
            Format::Text => write!(line, "{at} {event}"),
        };
        if written.is_err() {
            return;
        }
        for (name, value) in fields {
            match self.format {
                Format::Json => line.extend([",\"", *name, "\":"]),
                Format::Text => line.extend([" ", *name, "="]),
            }
            quote(&mut line, value.to_string().as_bytes(), 4096);
        }
        line.push_str(if self.format == Format::Json { "}\n" } else { "\n" });
        // A full channel is a writer that is stuck: the event is lost with the lines before it.
        self.lines.push(line);
    }

    /// Waits until what was told is written.
    pub fn flush(&self) {
        self.lines.flush(FLUSH_AT_MOST);
    }
}

fn write_all(receiver: &Receiver<Line>) {
    let mut gathered = Vec::with_capacity(64 << 10);
    while let Ok(first) = receiver.recv() {
        let mut flush = take(first, &mut gathered);
        if flush.is_none() {
            std::thread::sleep(GATHER);
        }
        for line in receiver.try_iter() {
            flush = take(line, &mut gathered).or(flush);
        }
        // Nobody is left to tell that standard error is gone.
        drop(std::io::stderr().lock().write_all(&gathered));
        gathered.clear();
        if flush.is_some_and(|done| done.try_send(()).is_err()) {
            // Whoever waited has left.
        }
    }
}

fn take(line: Line, gathered: &mut Vec<u8>) -> Option<std::sync::mpsc::SyncSender<()>> {
    match line {
        Line::Text(text) => {
            gathered.extend_from_slice(text.as_bytes());
            None
        }
        Line::Flush(done) => Some(done),
    }
}
