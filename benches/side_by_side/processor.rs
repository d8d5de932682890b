//! What a server costs: processor time and memory, as the kernel counts them.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::Outcome;

/// Ticks of `/proc/<pid>/stat`; Linux shows programs 100 a second on every machine.
const TICK: Duration = Duration::from_millis(10);

/// How far the two counts may lie apart when no thread has ended in between.
const TOLERANCE: Duration = Duration::from_millis(30);

/// The processor time that a process has used until now.
///
/// `/proc/<pid>/task/*/schedstat` counts nanoseconds, but only of the threads that live; `/proc/<pid>/stat` counts
/// every thread there ever was, but in ticks of 10 ms. So the first is taken, unless the second shows that threads ended.
#[derive(Debug)]
pub(crate) struct Sample {
    whole: Duration,
    threads: BTreeMap<String, u64>,
}

impl Sample {
    /// What the process has used until now.
    pub(crate) fn take(pid: u32) -> Outcome<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let (_, fields) = stat.rsplit_once(')').ok_or("expected a name in brackets in /proc/<pid>/stat")?;
        // The state is field 3, so user time (14) and system time (15) are the twelfth and thirteenth from there.
        let ticks: u32 = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>).sum::<Result<_, _>>()?;
        let mut threads = BTreeMap::new();
        for task in std::fs::read_dir(format!("/proc/{pid}/task"))? {
            let task = task?;
            // A thread may end between the listing and the reading.
            let Ok(schedstat) = std::fs::read_to_string(task.path().join("schedstat")) else { continue };
            let nanoseconds = schedstat.split_whitespace().next().ok_or("expected numbers in schedstat")?.parse()?;
            threads.insert(task.file_name().to_string_lossy().into_owned(), nanoseconds);
        }
        Ok(Self { whole: TICK.saturating_mul(ticks), threads })
    }

    /// What was used since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Duration {
        let whole = self.whole.saturating_sub(earlier.whole);
        let used =
            |(thread, now): (&String, &u64)| now.saturating_sub(earlier.threads.get(thread).copied().unwrap_or(0));
        let precise = Duration::from_nanos(self.threads.iter().map(used).sum());
        if precise.abs_diff(whole) <= TOLERANCE { precise } else { whole }
    }
}

/// The resident memory of a process, in bytes.
pub(crate) fn resident(pid: u32) -> Outcome<u64> {
    status(pid, "VmRSS:")
}

/// The most that its resident memory ever was, in bytes.
pub(crate) fn most_resident(pid: u32) -> Outcome<u64> {
    status(pid, "VmHWM:")
}

fn status(pid: u32, name: &str) -> Outcome<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let line = line.ok_or_else(|| format!("expected {name} in /proc/<pid>/status, found none"))?;
    let kibibytes: u64 = line.split_whitespace().next().unwrap_or_default().parse()?;
    Ok(kibibytes.saturating_mul(1024))
}
