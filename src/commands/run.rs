//! `apim-probe run`: plan, probe, judge, report.

use std::{
    io::{self, IsTerminal, Write},
    sync::Arc,
};

use jiff::Timestamp;
use tokio::runtime::Runtime;

use super::{Failure, interrupt, planning, print, terminal};
use crate::{
    catalog::Catalog,
    cli::{ProbeArgs, ReportArgs, RunArgs},
    diagnosis,
    exit::{self, Policy},
    net::tls::{TlsClient, roots::Roots},
    output::{self, Outputs},
    plan::Plan,
    probe::{self, ControlPolicy, Event, Limits},
    progress::Progress,
    report::{self, Format, Report, assemble::assemble, nagios::ServiceState},
    vantage::{Vantage, descriptors, resolvers::PLATFORM},
};

/// Runs once and reports.
pub fn run(arguments: RunArgs) -> Result<u8, Failure> {
    interrupt::hold();
    let RunArgs { plan, probe, report } = arguments;
    // First of all: without descriptors even a file of the user's cannot be read, and the error would be beside the point.
    let sockets = descriptors::prepare().map_err(Failure::agent)?;
    let outputs = Outputs::pair(&report.format, &report.output).map_err(Failure::usage)?;
    let (roots, added) = roots(&probe)?;
    let mut planned = planning::plan(&plan, &roots, terminal::colour(report.color, &io::stderr()))?;
    planned.vantage.notices.extend(added);
    // A report that cannot be written should not cost a minute of probing first.
    outputs.check().map_err(Failure::agent)?;
    if !report.quiet {
        notices(&planned.vantage);
    }
    let limits = Limits {
        timeout: probe.timeout,
        deadline: probe.deadline,
        concurrency: probe.concurrency,
        sockets,
        ipv6: probe.ipv6,
    };
    let made = conduct(
        &planned.catalog,
        &planned.vantage,
        &Arc::new(planned.plan),
        roots,
        limits,
        !probe.no_control,
        !report.quiet,
    )?;
    publish(&made, &outputs, &report)
}

/// The roots that judge, and a notice about those that the user added.
fn roots(arguments: &ProbeArgs) -> Result<(Arc<Roots>, Option<String>), Failure> {
    let mut roots = Roots::builtin();
    let mut notice = None;
    if let Some(path) = &arguments.ca_file {
        let added = roots.add_file(path).map_err(Failure::usage)?;
        let noun = if added == 1 { "root" } else { "roots" };
        notice = Some(format!(
            "{added} {noun} of {} treated as public, although the instance may not trust them",
            path.display()
        ));
    }
    Ok((Arc::new(roots), notice))
}

fn notices(vantage: &Vantage) {
    for notice in &vantage.notices {
        let _ = writeln!(io::stderr(), "notice: {}", crate::plain::plain(notice));
    }
}

/// Probes and judges.
fn conduct(
    catalog: &Catalog,
    vantage: &Vantage,
    plan: &Arc<Plan>,
    roots: Arc<Roots>,
    limits: Limits,
    controls: bool,
    show_progress: bool,
) -> Result<Report, Failure> {
    let runtime = runtime().map_err(|error| Failure::agent(format!("cannot start: {error}")))?;
    let progress = Progress::new(plan.testable().count(), show_progress && io::stderr().is_terminal());
    let on_event = |event: Event<'_>| match event {
        Event::Started(index) => progress.started(&plan.endpoints[index].id),
        Event::Finished(index, trace) => {
            let endpoint = &plan.endpoints[index];
            progress.finished(&endpoint.id, Some(diagnosis::preview(endpoint, trace)));
        }
    };
    let started_at = Timestamp::now();
    let interrupted = interrupt::listen(&runtime);
    let tls = TlsClient::new(roots);
    let policy = ControlPolicy {
        platform: (controls && vantage.in_azure).then_some(PLATFORM),
        connections: controls,
        suspect: diagnosis::suspect,
    };
    let run = runtime.block_on(probe::run(plan.clone(), tls, limits, policy, interrupted, on_event));
    // Nothing may hold the process once the report is due.
    runtime.shutdown_background();
    progress.clear();
    let diagnosis = diagnosis::diagnose(plan, &run);
    Ok(assemble(catalog, vantage, plan, &run, &diagnosis, started_at))
}

/// Two threads: cryptography on one must not delay the deadline on the other.
fn runtime() -> io::Result<Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}

/// Writes the report everywhere it is wanted; gives the exit status.
fn publish(report: &Report, outputs: &Outputs, arguments: &ReportArgs) -> Result<u8, Failure> {
    let policy = Policy {
        fail_on: arguments.fail_on,
        allow_untested: arguments.allow_untested,
    };
    let verdict = exit::judge(report, policy, None);
    let mut failed = None;
    for (path, format) in &outputs.files {
        let options = terminal::file_options(&verdict, arguments.verbose);
        let written = output::write(path, &report::render(report, *format, &options));
        failed = failed.or(written.err());
    }
    let fault = failed.map(|error| error.to_string());
    let status = exit::judge(report, policy, fault.as_deref());
    let options = terminal::options(&status, arguments.color, arguments.verbose);
    print(&report::render(report, outputs.stdout, &options))?;
    if let Some(fault) = fault
        && outputs.stdout != Format::Text
    {
        let _ = writeln!(io::stderr(), "error: {fault}");
    }
    // A monitoring system reads the status of its plugins in its own way.
    Ok(match outputs.stdout {
        Format::Nagios => ServiceState::of(report, &status) as u8,
        _ => status.code,
    })
}
