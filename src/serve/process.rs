//! This process's use of the machine, as proc(5) reports it and under the names that Prometheus' own clients use.

use std::fs;

use nix::unistd::{SysconfVar, sysconf};

use crate::report::metric_families::Families;

/// The resources that a process uses.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct ProcessUsage {
    processor_seconds: f64,
    resident_bytes: f64,
}

/// Adds the families; those that the system does not report have no sample.
pub(super) fn render(page: &mut Families) {
    let (stat, ticks, size) = (
        fs::read_to_string("/proc/self/stat").unwrap_or_default(),
        sysconf(SysconfVar::CLK_TCK).ok().flatten().unwrap_or(100),
        sysconf(SysconfVar::PAGE_SIZE).ok().flatten().unwrap_or(4096),
    );
    let taken = read(&stat, ticks, size);
    page.counter("process_cpu_seconds_total", "Processor time that the agent has used.");
    if let Some(taken) = taken {
        page.sample("process_cpu_seconds_total", &[], taken.processor_seconds);
    }
    page.gauge("process_resident_memory_bytes", "Memory that the agent uses.");
    if let Some(taken) = taken {
        page.sample("process_resident_memory_bytes", &[], taken.resident_bytes);
    }
    page.gauge("process_open_fds", "Files and sockets that the agent has open.");
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        // Excluding the descriptor used to count them.
        let open = u32::try_from(open.count()).unwrap_or(u32::MAX).saturating_sub(1);
        page.sample("process_open_fds", &[], f64::from(open));
    }
}

/// Reads `/proc/self/stat`: fields 14 and 15 are ticks of the processor, 24 is in pages.
#[expect(clippy::cast_precision_loss, reason = "ticks and pages fit a double")]
fn read(stat: &str, ticks: i64, page: i64) -> Option<ProcessUsage> {
    // The program's name, in brackets, may contain anything.
    let (_, rest) = stat.rsplit_once(')')?;
    let field = |n: usize| rest.split_whitespace().nth(n - 3)?.parse::<u64>().ok();
    Some(ProcessUsage {
        processor_seconds: (field(14)? + field(15)?) as f64 / ticks.max(1) as f64,
        resident_bytes: field(24)? as f64 * page as f64,
    })
}

#[cfg(test)]
mod tests {
    use super::{ProcessUsage, read};

    #[test]
    fn proc_stat_is_parsed_for_any_program_name() {
        let stat = "7 (a (b) c) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 4 0 99 1000 300 18446744073709551615 1";
        let taken = ProcessUsage {
            processor_seconds: 2.0,
            resident_bytes: 300.0 * 4096.0,
        };
        assert_eq!(read(stat, 100, 4096), Some(taken));
        for nonsense in ["", "7 (a) S 1", "7 (a) S x"] {
            assert_eq!(read(nonsense, 100, 4096), None, "{nonsense}");
        }
    }
}
