//! The mark that every process of a call carries, and the sweep that ends whoever carries it.
//!
//! A process may leave its group, its session, its parent and its environment behind, not its limits: so the mark is one
//! (`shared::os::Resource::Mark`). It names the worker, so that the next start finds what a killed worker left running.

use std::{
    fs::{self, File},
    io::Read,
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use shared::os::{ProcessHandle, Signal};

/// Twelve bits that make an accident unlikely, then 22 of the worker's process id, 14 of when it started, 16 of the call.
const MAGIC: u64 = 0xD0C;

/// How long killed processes are waited for; the kernel needs a moment for those with much memory.
const PATIENCE: Duration = Duration::from_secs(5);

/// The mark of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark(u64);

impl Mark {
    /// A mark that no other running call has.
    pub(super) fn next() -> Self {
        static CALLS: AtomicU64 = AtomicU64::new(0);
        let worker = std::process::id();
        Self::of(worker, start_bits(worker).unwrap_or_default(), CALLS.fetch_add(1, Ordering::Relaxed))
    }

    fn of(worker: u32, started: u64, call: u64) -> Self {
        Self(MAGIC << 52 | u64::from(worker) << 30 | (started & 0x3FFF) << 16 | (call & 0xFFFF))
    }

    /// The number that stands for it as a limit.
    pub(super) fn number(self) -> u64 {
        self.0
    }

    /// Ends every process that carries this mark and waits until they are gone. Blocks; a scan is about 2 ms. `first` is the
    /// first process of a call that began a moment ago: only younger ones can carry the mark, which spares most of the scan.
    pub(super) fn kill_all(self, first: Option<u32>) {
        kill_until_gone(first, |mark, _| mark == self.0);
    }
}

/// Ends what calls of workers that are no longer alive left running. Blocks; for the start of a worker.
pub(crate) fn sweep_leftovers() {
    let own_namespace = fs::read_link("/proc/self/ns/pid").ok();
    kill_until_gone(None, |mark, pid| {
        let worker = u32::try_from(mark >> 30 & 0x3F_FFFF).unwrap_or_default();
        let is_left_over = mark >> 52 == MAGIC && start_bits(worker) != Some(mark >> 16 & 0x3FFF);
        // in another container, or outside of ours, the worker's number means another process
        is_left_over && own_namespace.is_some() && fs::read_link(format!("/proc/{pid}/ns/pid")).ok() == own_namespace
    });
}

fn kill_until_gone(first: Option<u32>, is_wanted: impl Fn(u64, u32) -> bool) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut found = 0_usize;
        // numbers rise until they begin again, and then the last one given is a low one
        let from = first.filter(|first| last_process_id().is_some_and(|last| last >= *first)).unwrap_or_default();
        for pid in process_ids().filter(|pid| *pid >= from) {
            let is_wanted = || mark_of(pid).is_some_and(|mark| is_wanted(mark, pid)) && !has_ended(pid);
            if !is_wanted() {
                continue;
            }
            found += 1;
            // looked at again through the handle: the number may have gone to another process meanwhile
            if let Some(process) = ProcessHandle::open(pid)
                && is_wanted()
            {
                process.signal(Signal::Kill);
            }
        }
        if found == 0 {
            return;
        }
        if Instant::now() > deadline {
            tracing::warn!(processes = found, "processes of an AI command line do not end although they were killed");
            return;
        }
        thread::sleep(Duration::from_millis(2));
    }
}

/// The number that was given to a process last (`proc_loadavg`, section 5 of the manual, the fifth field).
fn last_process_id() -> Option<u32> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().nth(4)?.parse().ok()
}

fn process_ids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// The mark of a process, if it has one.
fn mark_of(pid: u32) -> Option<u64> {
    // the table has 1.3 kB and comes whole in one read
    let mut buffer = [0; 4096];
    let length = File::open(format!("/proc/{pid}/limits")).ok()?.read(&mut buffer).ok()?;
    let limits = std::str::from_utf8(&buffer[..length]).ok()?;
    let locks = limits.lines().find_map(|line| line.strip_prefix("Max file locks"))?;
    locks.split_whitespace().next()?.parse().ok()
}

/// Whether a process is gone, or has ended and was not yet waited for.
fn has_ended(pid: u32) -> bool {
    stat_field(pid, 0).is_none_or(|state| matches!(state.as_str(), "Z" | "X"))
}

/// When a process started, in the kernel's ticks since boot, cut to what a mark has room for.
fn start_bits(pid: u32) -> Option<u64> {
    let ticks: u64 = stat_field(pid, 19)?.parse().ok()?;
    Some(ticks & 0x3FFF)
}

/// A field of `/proc/PID/stat`, counted from the state, the first one behind the command's name.
fn stat_field(pid: u32, index: usize) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    fields.split_whitespace().nth(index).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command};

    use shared::os::{self, Resource};

    use super::*;

    fn marked_sleeper(mark: Mark) -> Child {
        let mut command = Command::new("sleep");
        command.arg("90100");
        os::limit(&mut command, vec![(Resource::Mark, mark.number())]);
        command.spawn().unwrap()
    }

    #[test]
    fn a_start_ends_what_dead_workers_left_and_nothing_else() {
        let mut worker = Command::new("true").spawn().unwrap();
        let left_over = Mark::of(worker.id(), start_bits(worker.id()).unwrap_or_default() + 1, 7);
        worker.wait().unwrap();
        let (mut of_dead, mut of_us) = (marked_sleeper(left_over), marked_sleeper(Mark::next()));
        sweep_leftovers();
        assert!(!of_dead.wait().unwrap().success());
        assert!(of_us.try_wait().unwrap().is_none(), "a process of a living worker was killed");
        of_us.kill().unwrap();
        of_us.wait().unwrap();
    }

    #[test]
    fn marks_of_calls_differ_and_no_other_software_has_them() {
        assert_ne!(Mark::next(), Mark::next());
        assert_eq!(Mark::next().number() >> 52, MAGIC);
        assert_eq!(mark_of(std::process::id()), None);
    }
}
