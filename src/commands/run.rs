//! `apim-probe run`: plan, probe, judge, report.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use jiff::Timestamp;

use super::{
    CommandFailure, print_line, print_with,
    session::{NoSession, Session, report_without_plan},
    stop::{Stop, WriteTimeouts},
    terminal,
};
use crate::{
    cli::{ReportArgs, RunArgs},
    diagnosis, exit,
    model::{ExitStatus, Policy, Report},
    output::{Outputs, Sinks},
    probe::{ProbeDepth, ProbeEvent, flows::FlowDepth},
    progress::Progress,
    report::{self, Detail, Format, Options, nagios::ServiceState},
};

/// Runs once and reports.
pub(super) fn run(arguments: RunArgs, typed: String) -> Result<u8, CommandFailure> {
    let RunArgs { plan, probe, report } = arguments;
    let outputs = Outputs::pair(report.format, &report.output).map_err(CommandFailure::usage)?;
    let started_at = Timestamp::now();
    let stop = Stop::begin()?;
    // A report that cannot be written should not cost a minute of probing first.
    let sinks = match stop.run_detached(None, move || outputs.open()) {
        Ok(sinks) => sinks.map_err(CommandFailure::agent)?,
        Err(_) => return Ok(ExitStatus::INTERRUPTED),
    };
    let made = match Session::open(&stop, &plan, &probe, report.color) {
        Ok(session) => {
            if !report.quiet {
                session.print_notices();
            }
            run_probes(&session, started_at, !report.quiet)
        }
        Err(NoSession::Interrupted) => report_without_plan(&stop, &plan, probe.redact, started_at),
        Err(NoSession::Failed(failure)) => return Err(failure),
    };
    let timeouts = stop.write_timeouts(probe.deadline);
    let run_detached_to_end = stop.run_detached_to_end(move || {
        let (mut made, mut sinks) = (made, sinks);
        let fault = save(&mut made, &mut sinks, &report, timeouts.files);
        (made, sinks, report, fault)
    });
    let Ok((made, sinks, report, fault)) = run_detached_to_end else {
        return Ok(ExitStatus::INTERRUPTED);
    };
    let timeouts = stop.write_timeouts(probe.deadline);
    // What was typed contains names of the user's own.
    let typed = Some(typed).filter(|_| !probe.redact);
    let shown = stop.run_detached(None, move || {
        show(made, &sinks, &report, typed.as_deref(), fault, timeouts)
    });
    shown.unwrap_or(Ok(ExitStatus::INTERRUPTED))
}

/// Probes and judges.
fn run_probes(session: &Session<'_>, started_at: Timestamp, show_progress: bool) -> Report {
    let endpoints = &session.plan().endpoints;
    let testable = session.plan().testable().count();
    let progress = Progress::new(testable, show_progress && io::stderr().is_terminal());
    let mut run = session.probe(
        ProbeDepth::Full,
        FlowDepth::default(),
        session.began(),
        progress.tick(),
        |event| match event {
            ProbeEvent::Started(index) => progress.started(&session.shown_id(&endpoints[index].id)),
            ProbeEvent::Finished(index, trace) => {
                let endpoint = &endpoints[index];
                progress.finished(&session.shown_id(&endpoint.id), || diagnosis::preview(endpoint, trace));
            }
        },
    );
    run.duration = session.began().elapsed();
    let report = session.report_with_traceroutes(run, started_at);
    progress.clear();
    if !report.complete {
        return session.shown(report);
    }
    session.shown(session.confirmed(report, show_progress))
}

fn policy(arguments: &ReportArgs) -> Policy {
    Policy {
        fail_on: arguments.fail_on,
        allow_untested: arguments.allow_untested,
    }
}

/// Writes the report to every requested file; returns the first failure.
fn save(report: &mut Report, sinks: &mut Sinks, arguments: &ReportArgs, timeouts: Duration) -> Option<String> {
    let detail = Detail::from_count(arguments.verbose);
    write_files(report, sinks, policy(arguments), detail, timeouts)
}

/// Writes the report to stdout, after its files; returns the exit status.
fn show(
    mut report: Report,
    sinks: &Sinks,
    arguments: &ReportArgs,
    typed: Option<&str>,
    fault: Option<String>,
    timeouts: WriteTimeouts,
) -> Result<u8, CommandFailure> {
    let status = exit::judge(&report, policy(arguments), fault.as_deref());
    report.exit = Some(status.clone());
    let options = Options {
        policy: policy(arguments),
        ..terminal::options(&status, arguments.color, Detail::from_count(arguments.verbose), typed)
    };
    print_with(|to| report::write(&report, sinks.stdout, &options, to), timeouts.stdout)?;
    if let Some(fault) = fault
        && sinks.stdout != Format::Text
    {
        print_line("error", &fault);
    }
    // A monitoring system reads its plugins' status in its own way.
    Ok(match sinks.stdout {
        Format::Nagios => ServiceState::of(&report, &status) as u8,
        _ => status.code,
    })
}

/// Computes the exit status and writes the report to every requested file; returns the first failure.
pub(super) fn write_files(
    report: &mut Report,
    sinks: &mut Sinks,
    policy: Policy,
    detail: Detail,
    timeouts: Duration,
) -> Option<String> {
    let exit = exit::judge(report, policy, None);
    report.exit = Some(exit.clone());
    let mut failed = None;
    for sink in &mut sinks.files {
        let options = Options {
            policy,
            ..terminal::file_options(&exit, detail)
        };
        let format = sink.format;
        let written = sink.write(|to| report::write(report, format, &options, to), timeouts);
        failed = failed.or(written.err());
    }
    failed.map(|error| {
        // Its path may contain the user's name.
        if report.redacted {
            format!("cannot write a report: {}", error.source)
        } else {
            error.to_string()
        }
    })
}
