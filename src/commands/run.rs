//! `apim-probe run`: plan, probe, judge, report.

use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

use jiff::Timestamp;

use super::{Failure, print, session::Session, terminal};
use crate::{
    cli::{ReportArgs, RunArgs},
    diagnosis, exit,
    model::{ExitStatus, Policy, Report},
    output::{Outputs, Sinks},
    probe::{Depth, Event},
    progress::Progress,
    report::{self, Format, nagios::ServiceState},
};

/// How long a pipe may take nothing before its reader is given up.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs once and reports.
pub fn run(arguments: RunArgs) -> Result<u8, Failure> {
    let RunArgs { plan, probe, report } = arguments;
    let outputs = Outputs::pair(&report.format, &report.output).map_err(Failure::usage)?;
    // A report that cannot be written should not cost a minute of probing first.
    let mut sinks = outputs.open().map_err(Failure::agent)?;
    let session = Session::open(&plan, &probe, report.color)?;
    if !report.quiet {
        session.print_notices();
    }
    let made = conduct(&session, !report.quiet);
    // Nothing may hold the process once the report is due.
    session.close();
    publish(&made, &mut sinks, &report)
}

/// Probes and judges.
fn conduct(session: &Session, show_progress: bool) -> Report {
    let endpoints = &session.plan().endpoints;
    let testable = session.plan().testable().count();
    let progress = Progress::new(testable, show_progress && io::stderr().is_terminal());
    let started_at = Timestamp::now();
    let run = session.probe(Depth::Full, |event| match event {
        Event::Started(index) => progress.started(&endpoints[index].id),
        Event::Finished(index, trace) => {
            let endpoint = &endpoints[index];
            progress.finished(&endpoint.id, || diagnosis::preview(endpoint, trace));
        }
    });
    progress.clear();
    session.report(&run, started_at)
}

/// Writes the report everywhere it is wanted; gives the exit status.
fn publish(report: &Report, sinks: &mut Sinks, arguments: &ReportArgs) -> Result<u8, Failure> {
    let policy = Policy {
        fail_on: arguments.fail_on,
        allow_untested: arguments.allow_untested,
    };
    let verdict = exit::judge(report, policy, None);
    let fault = write_files(report, sinks, &verdict, arguments.verbose);
    let status = exit::judge(report, policy, fault.as_deref());
    let options = terminal::options(&status, arguments.color, arguments.verbose);
    print(&report::render(report, sinks.stdout, &options))?;
    if let Some(fault) = fault
        && sinks.stdout != Format::Text
    {
        let _ = writeln!(io::stderr(), "error: {fault}");
    }
    // A monitoring system reads the status of its plugins in its own way.
    Ok(match sinks.stdout {
        Format::Nagios => ServiceState::of(report, &status) as u8,
        _ => status.code,
    })
}

/// Writes the report to every file that is wanted; gives the first failure.
pub(super) fn write_files(report: &Report, sinks: &mut Sinks, exit: &ExitStatus, verbose: bool) -> Option<String> {
    let mut failed = None;
    for sink in &mut sinks.files {
        let options = terminal::file_options(exit, verbose);
        let written = sink.write(&report::render(report, sink.format, &options), PATIENCE);
        failed = failed.or(written.err());
    }
    failed.map(|error| error.to_string())
}
