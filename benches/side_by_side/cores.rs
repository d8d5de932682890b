//! Which processor core serves and which ones make the load.

use std::process::{Command, Stdio};

use crate::Outcome;

/// The servers' core and the load tool's; none leaves both to the kernel.
#[derive(Clone, Debug)]
pub(crate) struct Cores {
    pinned: Option<Pinned>,
}

#[derive(Clone, Debug)]
struct Pinned {
    server: String,
    load: String,
}

impl Cores {
    /// Moves this process off the first core that it may use, which is the servers' from now on.
    pub(crate) fn divide() -> Outcome<Self> {
        let status = std::fs::read_to_string("/proc/self/status")?;
        let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap_or_default();
        let mut cores = numbers(list);
        if cores.len() < 2 {
            return Ok(Self { pinned: None });
        }
        let pinned = Pinned { server: cores.remove(0).to_string(), load: joined(&cores) };
        let moved = Command::new("taskset")
            .args(["-cp", &pinned.load, &std::process::id().to_string()])
            .stdout(Stdio::null())
            .status();
        Ok(Self { pinned: moved.is_ok_and(|status| status.success()).then_some(pinned) })
    }

    /// A command that will run on the servers' core, under its own process number.
    pub(crate) fn serving(&self, program: &str) -> Command {
        let Some(pinned) = &self.pinned else {
            return Command::new(program);
        };
        let mut command = Command::new("taskset");
        command.args(["-c", &pinned.server, program]);
        command
    }
}

impl std::fmt::Display for Cores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.pinned {
            Some(Pinned { server, load }) => write!(f, "servers on core {server}, load on core {load}"),
            None => f.write_str("NOT pinned (one core, or no taskset): servers and load disturb each other"),
        }
    }
}

/// The numbers of a list such as `0-2,5`.
fn numbers(list: &str) -> Vec<u32> {
    let range = |text: &str| {
        let (from, to) = text.split_once('-').unwrap_or((text, text));
        Some(from.trim().parse::<u32>().ok()?..=to.trim().parse::<u32>().ok()?)
    };
    list.split(',').filter_map(range).flatten().collect()
}

fn joined(cores: &[u32]) -> String {
    cores.iter().map(u32::to_string).collect::<Vec<_>>().join(",")
}
