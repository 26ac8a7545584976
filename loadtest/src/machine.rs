//! What the machine says: CPU time and memory of a process, and what kind of machine this is.

use std::io;
use std::time::Duration;

/// CPU time a process used so far, user and system, all threads.
///
/// # Errors
/// When there is no such process.
pub fn cpu_time(pid: u32) -> io::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The command may hold spaces and brackets; the fields start behind its last bracket.
    let fields = stat.rsplit_once(") ").map(|(_, fields)| fields).unwrap_or_default();
    let mut fields = fields.split(' ').skip(11).map(str::parse::<u64>);
    let (Some(Ok(user)), Some(Ok(system))) = (fields.next(), fields.next()) else {
        return Err(io::Error::other("/proc/<pid>/stat has another form"));
    };
    let per_second = rustix::param::clock_ticks_per_second().max(1);
    Ok(Duration::from_micros((user + system) * 1_000_000 / per_second))
}

/// Resident memory of a process in KiB.
///
/// # Errors
/// When there is no such process.
pub fn rss_kib(pid: u32) -> io::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    kib.ok_or_else(|| io::Error::other("/proc/<pid>/status has no VmRSS"))
}

/// Raises the limit of open files to the hard limit and returns it.
pub fn raise_open_files() -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum.unwrap_or(u64::MAX),
        Err(_) => limit.current.unwrap_or(u64::MAX),
    }
}

/// The machine in one line: processor, cores, memory, kernel.
#[must_use]
pub fn describe() -> String {
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let memory = field(&read("/proc/meminfo"), "MemTotal");
    let gib = memory.trim_end_matches(" kB").parse::<u64>().unwrap_or(0) / (1024 * 1024);
    let kernel = read("/proc/sys/kernel/osrelease");
    let processor = field(&read("/proc/cpuinfo"), "model name");
    format!("{processor}, {cores} cores, {gib} GiB, Linux {}", kernel.trim())
}

/// The commit of the working tree, `unknown` outside of one.
#[must_use]
pub fn commit() -> String {
    let run = std::process::Command::new("git")
        .args(["describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"])
        .output();
    let text = run.ok().filter(|run| run.status.success()).map(|run| run.stdout);
    let text = text.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
    if text.trim().is_empty() { "unknown".to_owned() } else { text.trim().to_owned() }
}

/// Now as `2026-01-31 12:00 UTC`.
#[must_use]
pub fn date() -> String {
    let run = std::process::Command::new("date").args(["-u", "+%F %H:%M UTC"]).output();
    let text = run.ok().and_then(|run| String::from_utf8(run.stdout).ok()).unwrap_or_default();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_uses_time() {
        let pid = std::process::id();
        assert!(rss_kib(pid).unwrap() > 500);
        let before = cpu_time(pid).unwrap();
        let mut rng = crate::rng::Rng::new(1);
        while cpu_time(pid).unwrap() < before + Duration::from_millis(20) {
            for _ in 0..10_000 {
                std::hint::black_box(rng.next_u64());
            }
        }
        assert!(rss_kib(u32::MAX).is_err());
    }
}
