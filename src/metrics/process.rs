//! What the operating system and the allocator say of this process, read when somebody asks.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// Ticks of the kernel's CPU accounting in a second: a constant of Linux towards programs.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU, memory and files of this process.
#[derive(Debug, Default)]
pub struct Process;

/// A look at the process.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Look {
    cpu_seconds: f64,
    resident_bytes: u64,
    allocated_bytes: u64,
    threads: u64,
    files_open: u64,
}

impl Look {
    /// What cannot be read is left at zero: metrics never fail a scrape.
    fn now() -> Self {
        let read = |name| std::fs::read_to_string(name).unwrap_or_default();
        let files = std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count);
        Self {
            files_open: u64::try_from(files).unwrap_or(u64::MAX),
            allocated_bytes: allocated_bytes(),
            ..Self::parse(&read("/proc/self/stat"), &read("/proc/self/status"))
        }
    }

    fn parse(stat: &str, status: &str) -> Self {
        // The second field is the program's name in brackets and may hold anything.
        let fields: Vec<&str> =
            stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |idx: usize| fields.get(idx).and_then(|it| it.parse().ok()).unwrap_or(0.0);
        let line = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let number = line.and_then(|line| line.split_whitespace().next());
            number.and_then(|number| number.parse::<u64>().ok()).unwrap_or(0)
        };
        Self {
            // User and system time, fields 14 and 15 of proc_pid_stat(5).
            cpu_seconds: (ticks(11_usize) + ticks(12)) / TICKS_PER_SECOND,
            resident_bytes: line("VmRSS:") * 1_024,
            threads: line("Threads:"),
            ..Self::default()
        }
    }
}

/// What the program has of the allocator at this moment.
fn allocated_bytes() -> u64 {
    // What the allocator counts it sums up when it is told to.
    let summed_up = tikv_jemalloc_ctl::epoch::advance();
    let allocated = summed_up.and_then(|_| tikv_jemalloc_ctl::stats::allocated::read());
    allocated.ok().and_then(|bytes| bytes.try_into().ok()).unwrap_or(0)
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let look = Look::now();
        let mut encode =
            |name: &str, help: &str, unit: Option<&Unit>, metric: &dyn EncodeMetric| {
                let name = format!("process_{name}");
                let encoder = encoder.encode_descriptor(&name, help, unit, metric.metric_type())?;
                metric.encode(encoder)
            };
        let cpu = ConstCounter::new(look.cpu_seconds);
        encode("cpu", "CPU time used, user and system.", Some(&Unit::Seconds), &cpu)?;
        let resident = ConstGauge::new(look.resident_bytes);
        encode("resident", "Memory resident.", Some(&Unit::Bytes), &resident)?;
        let allocated = ConstGauge::new(look.allocated_bytes);
        let help = "Memory that the program holds; what is resident beyond it is code, stacks and \
                    room between things.";
        encode("allocated", help, Some(&Unit::Bytes), &allocated)?;
        let threads = ConstGauge::new(look.threads);
        encode("threads_running", "Threads running now.", None, &threads)?;
        let files = ConstGauge::new(look.files_open);
        encode("files_open", "Files and sockets open now.", None, &files)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_brackets_and_spaces_does_not_shift_the_fields() {
        let stat = "7 (a) b (c) S 1 1 1 0 -1 4 10 0 0 0 250 50 0 0 20 0 5 0 100 1 2";
        let status = "Name:\ta\nVmRSS:\t   2048 kB\nThreads:\t5\n";
        let expected =
            Look { cpu_seconds: 3.0, resident_bytes: 2_097_152, threads: 5, ..Look::default() };
        assert_eq!(Look::parse(stat, status), expected);
    }

    #[test]
    fn a_running_process_has_memory_threads_and_files() {
        let look = Look::now();
        assert!(look.resident_bytes > 1_000_000 && look.threads >= 1 && look.files_open >= 3);
    }

    /// Of room that is never touched, and far more than other tests take and give back meanwhile.
    #[test]
    fn what_is_allocated_is_counted_whether_it_is_used_or_not() {
        let before = allocated_bytes();
        let taken = Vec::<u8>::with_capacity(1 << 30);
        let grown = allocated_bytes().saturating_sub(before);
        drop(taken);
        assert!((60 << 24..80 << 24).contains(&grown), "{grown} of 1,073,741,824");
    }
}
