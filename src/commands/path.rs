//! `apim-probe path`: which hops answer on the path to one address, and where packets stop.

use std::{convert::Infallible, future::pending, net::IpAddr};

use jiff::Timestamp;

use super::{
    CommandFailure, print_line, print_within,
    session::{NoSession, Session},
    stop::Stop,
    terminal,
};
use crate::{
    cli::{PathArgs, ProbeArgs},
    exit,
    model::{self, Cause, ExitStatus, Expect, Need, Policy, Protocol, Report, Transport},
    plan::{Plan, PlannedEndpoint, ProbeTarget},
    probe::{ProbeDepth, flows::FlowDepth},
    report::{Detail, hops},
    text::{host, nearest},
};

/// The default port of a target.
const USUAL_PORT: u16 = 443;

/// Connects to one endpoint, and traces the path to it.
pub(super) fn path(arguments: &PathArgs) -> Result<u8, CommandFailure> {
    let PathArgs {
        target,
        plan,
        dial,
        deadline,
        quiet,
        color,
    } = arguments;
    let probe = ProbeArgs {
        dial: dial.clone(),
        deadline: *deadline,
        no_control: false,
        redact: false,
        confirm: false,
        elsewhere: None,
    };
    let started_at = Timestamp::now();
    let stop = Stop::begin()?;
    let mut session = match Session::open(&stop, plan, &probe, *color) {
        Ok(session) => session,
        Err(NoSession::Interrupted) => return Ok(ExitStatus::INTERRUPTED),
        Err(NoSession::Failed(failure)) => return Err(failure),
    };
    let endpoint = endpoint(session.plan(), target)?;
    if !quiet {
        session.print_notices();
        if let Some(other) = others(session.plan(), target, &endpoint) {
            print_line("notice", &other);
        }
    }
    session.restrict_to(endpoint.clone());
    let beside = pending::<Infallible>();
    let mut run = session.probe(ProbeDepth::Full, FlowDepth::default(), session.began(), beside, |_| {});
    session.trace_paths(&mut run);
    let report = session.report(&run, started_at);
    let status = status(&report);
    let options = terminal::options(&status, *color, Detail::NotOk, None);
    let text = hops::render(&endpoint, &report, &run, &options);
    let timeouts = stop.write_timeouts(probe.deadline);
    let printed = stop.run_detached(None, move || print_within(&text, timeouts.stdout));
    printed.map_or(Ok(ExitStatus::INTERRUPTED), |printed| printed.map(|_| status.code))
}

/// If nothing left this machine, nothing is known about the network, whatever the kind of address.
fn status(report: &Report) -> ExitStatus {
    let is_without_route = |row: &&model::EndpointReport| row.cause == Some(Cause::TcpNoRoute);
    match report.endpoints.first().filter(is_without_route) {
        Some(row) if report.complete => {
            let reason = format!("cannot tell from here: this machine has no route to {}", row.host);
            ExitStatus::new(ExitStatus::FAILED, reason)
        }
        _ => match (exit::judge(report, Policy::default(), None), report.endpoints.first()) {
            (status, Some(row)) if status.code == ExitStatus::REACHABLE => {
                ExitStatus::new(status.code, format!("{} is {}", row.target(), row.verdict))
            }
            (status, _) => status,
        },
    }
}

/// The target: an endpoint of the plan, by its id, its host and port, its host or one of its addresses; otherwise any
/// other host or address.
fn endpoint(plan: &Plan, target: &str) -> Result<PlannedEndpoint, CommandFailure> {
    let is_meant = |endpoint: &&PlannedEndpoint| endpoint.id == target || endpoint.target() == target;
    let exact = plan.endpoints.iter().find(is_meant);
    let found = exact.or_else(|| at_host(plan, target, Transport::Tcp).next());
    let found = found.or_else(|| at_host(plan, target, Transport::Udp).next());
    let Some(endpoint) = found else {
        return other(plan, target);
    };
    if let Some(untested) = &endpoint.untested {
        return Err(CommandFailure::usage(format!("{}: {}", endpoint.id, untested.detail)));
    }
    if endpoint.transport != Transport::Tcp {
        return Err(CommandFailure::usage(format!(
            "{}: only TCP can be traced, such as {}:{USUAL_PORT}",
            endpoint.id, endpoint.host
        )));
    }
    Ok(counted(endpoint.clone()))
}

/// The endpoints of a transport at a host or an address, on the port if one is given.
fn at_host<'a>(plan: &'a Plan, target: &str, transport: Transport) -> impl Iterator<Item = &'a PlannedEndpoint> {
    let (host, port) = split(target);
    plan.endpoints.iter().filter(move |endpoint| {
        let is_there = endpoint.host.eq_ignore_ascii_case(host)
            || matches!(&endpoint.destination, ProbeTarget::Addresses { addresses, .. }
                if host.parse::<IpAddr>().is_ok_and(|address| addresses.contains(&address)));
        is_there && endpoint.transport == transport && port.is_none_or(|port| port == Ok(endpoint.port))
    })
}

/// The other planned endpoints at a host that was given without a port.
fn others(plan: &Plan, target: &str, chosen: &PlannedEndpoint) -> Option<String> {
    let ports: Vec<String> = at_host(plan, target, Transport::Tcp)
        .filter(|other| other.id != chosen.id && other.port != chosen.port)
        .map(|other| other.target().to_owned())
        .collect();
    (!ports.is_empty()).then(|| {
        format!(
            "this is the path to {}; {} also in the plan",
            chosen.target(),
            are(&ports)
        )
    })
}

/// `a:1 is`, `a:1 and b:2 are`.
fn are(ports: &[String]) -> String {
    let verb = if ports.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", ports.join(" and "))
}

/// Host and port: `host`, `host:443`, `10.0.0.4`, `2001:db8::1`, `[2001:db8::1]:443`. The dot at the end of an absolute
/// name is dropped.
fn split(target: &str) -> (&str, Option<Result<u16, ()>>) {
    if target.parse::<IpAddr>().is_ok() {
        return (target, None);
    }
    let number = |port: &str| port.parse().ok().filter(|port| *port > 0).ok_or(());
    let (host, port) = match target.rsplit_once(':') {
        Some((host, port)) if host.starts_with('[') || !host.contains(':') => (host, Some(number(port))),
        _ => (target, None),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = bare.unwrap_or(host);
    (host.strip_suffix('.').unwrap_or(host), port)
}

/// An endpoint that is not part of a plan.
fn other(plan: &Plan, target: &str) -> Result<PlannedEndpoint, CommandFailure> {
    let (host, port) = split(target);
    let address = host.parse::<IpAddr>().ok();
    let is_dependency = plan.endpoints.iter().any(|endpoint| endpoint.dependency == target);
    if is_dependency || target.contains("://") || address.is_none() && !host::is_name(host) {
        return Err(CommandFailure::usage(unknown(plan, target)));
    }
    let port = match port {
        None => USUAL_PORT,
        Some(Ok(port)) => port,
        Some(Err(())) => {
            return Err(CommandFailure::usage(format!(
                "{target}: the colon must be followed by a port from 1 to 65535"
            )));
        }
    };
    Ok(PlannedEndpoint::unplanned(
        host,
        port,
        protocol(port, address.is_some()),
    ))
}

/// Why this is not a target, and what may have been meant.
fn unknown(plan: &Plan, target: &str) -> String {
    let of_dependency = plan.endpoints.iter().find(|endpoint| endpoint.dependency == target);
    let ids: Vec<&str> = plan.endpoints.iter().map(|endpoint| endpoint.id.as_str()).collect();
    let meant = of_dependency
        .map(|endpoint| endpoint.id.as_str())
        .or_else(|| nearest(target, &ids));
    let meant = meant.map_or_else(String::new, |id| format!(" (did you mean {id}?)"));
    let what = match target {
        _ if of_dependency.is_some() => "is a dependency, but `path` takes an endpoint",
        "" => "an empty target is neither an endpoint in the plan nor a host or address",
        _ if target.contains("://") => "is a URL, but `path` takes a host or an address, with or without a port",
        _ if target.contains('%') => "has a zone, but `path` takes routed addresses",
        _ => "is neither an endpoint in the plan nor a host or address, with or without a port",
    };
    format!("{target} {what}{meant}; `apim-probe list` shows the plan")
        .trim_start()
        .to_owned()
}

/// The endpoint as a required one, so that it alone decides the exit status.
fn counted(endpoint: PlannedEndpoint) -> PlannedEndpoint {
    PlannedEndpoint {
        need: Need::Required,
        expect: Expect::Reachable,
        feature: None,
        ..endpoint
    }
}

/// The protocol of a port, if it can be tested without a name. A bare address has no name to verify, so protocols that
/// need one are not used.
fn protocol(port: u16, is_address: bool) -> Protocol {
    match port {
        80 => Protocol::Http,
        _ if is_address => Protocol::Tcp,
        443 => Protocol::Tls,
        1433 => Protocol::Tds,
        5671 => Protocol::Amqps,
        5672 => Protocol::Amqp,
        6380 => Protocol::Redis,
        445 => Protocol::Smb,
        1688 => Protocol::Kms,
        _ => Protocol::Tcp,
    }
}
