//! What a process has spent: its CPU clock and its resident set, as the kernel counts them (Linux).
//!
//! Knows `/proc` and the kernel's clocks. Knows nothing of who the process is.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;

/// The CPU clock of one process: user and kernel time of all its threads, in nanoseconds.
///
/// `/proc/PID/stat` counts in ticks of 10 ms, and `schedstat` lags by up to a tick while a thread runs: neither is fine
/// enough for a window of a second. The work of the loopback device is done in the sender's time and is in here.
#[derive(Clone, Copy, Debug)]
pub struct CpuClock(ClockId);

impl CpuClock {
    /// The clock of the process with this id.
    pub fn of(pid: u32) -> Result<Self> {
        let id = clock_getcpuclockid(Pid::from_raw(pid.cast_signed()))
            .with_context(|| format!("no CPU clock of process {pid}: is it still there?"))?;
        Ok(Self(id))
    }

    /// This process's own clock.
    pub fn own() -> Self {
        Self(ClockId::CLOCK_PROCESS_CPUTIME_ID)
    }

    /// CPU time spent since the process began.
    pub fn now(self) -> Result<Duration> {
        let time = self.0.now().context("the process is gone")?;
        Ok(time.into())
    }
}

/// The resident set of a process, bytes, counted page by page.
///
/// `statm` and `status` read per-CPU counters that are off by up to some hundred KiB; `smaps_rollup` walks the pages.
pub fn resident_bytes(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/smaps_rollup");
    let text = fs::read_to_string(&path).with_context(|| format!("can't read {path}"))?;
    parse_resident(&text).with_context(|| format!("{path} has no line `Rss:`"))
}

fn parse_resident(text: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix("Rss:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Binds this thread, and what it starts later, to one core.
pub fn pin(core: usize) -> Result<()> {
    let mut set = CpuSet::new();
    set.set(core).with_context(|| format!("there is no core {core}"))?;
    sched_setaffinity(Pid::from_raw(0), &set).with_context(|| format!("can't pin to core {core}: is it there, and allowed?"))
}

/// Raises the limit of open files as far as it goes, and fails if `wanted` of them don't fit.
pub fn allow_files(wanted: u64) -> Result<()> {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    anyhow::ensure!(hard >= wanted, "{wanted} open files are needed, the hard limit is {hard} (ulimit -Hn)");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resident_set_is_read_from_its_line_and_no_other() {
        let text = "00400000-7fff [rollup]\nRss:                1844 kB\nPss:  700 kB\n";
        assert_eq!(parse_resident(text), Some(1844 * 1024));
        assert_eq!(parse_resident("Pss: 700 kB\n"), None);
        assert_eq!(parse_resident("Rss: many kB\n"), None);
    }

    #[test]
    fn a_process_that_works_spends_cpu_time() {
        let clock = CpuClock::of(std::process::id()).unwrap();
        let before = clock.now().unwrap();
        let mut sum = 0u64;
        while clock.now().unwrap() < before + Duration::from_millis(2) {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(sum > 0);
        assert!(resident_bytes(std::process::id()).unwrap() > 100_000);
    }
}
