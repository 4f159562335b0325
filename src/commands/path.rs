//! `apim-probe path`: which hops answer on the way to one address, and where it stops.

use std::{convert::Infallible, future::pending, net::IpAddr};

use jiff::Timestamp;

use super::{
    Failure, print,
    session::{Session, Unopened},
    stop::Stop,
    tell, terminal,
};
use crate::{
    cli::PathArgs,
    exit,
    model::{Direction, ExitStatus, Expect, Need, Policy, Protocol, Transport},
    plan::{Destination, Endpoint, Plan},
    probe::{Depth, flows::Reach},
    report::{Detail, hops},
    text::{host, nearest},
};

/// The port of what is given without one.
const USUAL_PORT: u16 = 443;

/// Connects to one endpoint, and looks at the way there.
pub(super) fn path(arguments: &PathArgs) -> Result<u8, Failure> {
    let PathArgs {
        target,
        plan,
        probe,
        quiet,
        color,
    } = arguments;
    if probe.no_control {
        return Err(Failure::usage("--no-control turns off what path does: leave it out"));
    }
    if probe.confirm {
        return Err(Failure::usage("--confirm goes with `apim-probe run`: leave it out"));
    }
    if probe.redact {
        return Err(Failure::usage(
            "--redact goes with `apim-probe run`, `watch` and `serve`: leave it out",
        ));
    }
    let started_at = Timestamp::now();
    let stop = Stop::begin()?;
    let mut session = match Session::open(&stop, plan, probe, *color) {
        Ok(session) => session,
        Err(Unopened::Interrupted) => return Ok(ExitStatus::INTERRUPTED),
        Err(Unopened::Failed(failure)) => return Err(failure),
    };
    let endpoint = endpoint(session.plan(), target)?;
    if !quiet {
        session.print_notices();
        if let Some(other) = others(session.plan(), target, &endpoint) {
            tell("notice", &other);
        }
    }
    session.narrow(endpoint.clone());
    let beside = pending::<Infallible>();
    let mut run = session.probe(Depth::Full, Reach::default(), session.began(), beside, |_| {});
    session.follow(&mut run);
    let report = session.report(&run, started_at);
    let status = exit::judge(&report, Policy::default(), None);
    let options = terminal::options(&status, *color, Detail::Unwell, None);
    print(&hops::render(&endpoint, &report, &run, &options))?;
    Ok(status.code)
}

/// What is meant: an endpoint of the plan, by its id, its host and port, its host or one of its addresses; or else any other
/// host or address.
fn endpoint(plan: &Plan, target: &str) -> Result<Endpoint, Failure> {
    let exact = plan
        .endpoints
        .iter()
        .find(|endpoint| endpoint.id == target || endpoint.target() == target);
    let found = exact.or_else(|| at_host(plan, target).next());
    if let Some(endpoint) = found {
        if let Some(untested) = &endpoint.untested {
            return Err(Failure::usage(format!("{}: {}", endpoint.id, untested.detail)));
        }
        if endpoint.transport != Transport::Tcp {
            return Err(Failure::usage(format!(
                "{}: only connections over TCP can be followed",
                endpoint.id
            )));
        }
        return Ok(counted(endpoint.clone()));
    }
    other(plan, target)
}

/// The endpoints over TCP at a host, or at an address, on the port where one is given.
fn at_host<'a>(plan: &'a Plan, target: &str) -> impl Iterator<Item = &'a Endpoint> {
    let (host, port) = split(target);
    plan.endpoints.iter().filter(move |endpoint| {
        let is_there = endpoint.host.eq_ignore_ascii_case(host)
            || matches!(&endpoint.destination, Destination::Addresses { addresses, .. }
                if host.parse::<IpAddr>().is_ok_and(|address| addresses.contains(&address)));
        is_there && endpoint.transport == Transport::Tcp && port.is_none_or(|port| port == Ok(endpoint.port))
    })
}

/// What else is planned at a host of which no port was given.
fn others(plan: &Plan, target: &str, chosen: &Endpoint) -> Option<String> {
    let ports: Vec<String> = at_host(plan, target)
        .filter(|other| other.id != chosen.id && other.port != chosen.port)
        .map(|other| other.target().to_owned())
        .collect();
    (!ports.is_empty()).then(|| {
        format!(
            "this is the way to {}; {} planned as well",
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

/// Host and port: `host`, `host:443`, `10.0.0.4`, `2001:db8::1`, `[2001:db8::1]:443`.
fn split(target: &str) -> (&str, Option<Result<u16, ()>>) {
    if target.parse::<IpAddr>().is_ok() {
        return (target, None);
    }
    let (host, port) = match target.rsplit_once(':') {
        Some((host, port)) => (
            host,
            Some(
                port.parse()
                    .map_err(drop)
                    .and_then(|port| if port == 0 { Err(()) } else { Ok(port) }),
            ),
        ),
        None => (target, None),
    };
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    (bare.unwrap_or(host), port)
}

/// An endpoint that nobody planned.
fn other(plan: &Plan, target: &str) -> Result<Endpoint, Failure> {
    let (host, port) = split(target);
    let port = match port {
        None => USUAL_PORT,
        Some(Ok(port)) => port,
        Some(Err(())) => {
            return Err(Failure::usage(format!(
                "{target}: no port from 1 to 65535 follows the colon"
            )));
        }
    };
    let address = host.parse::<IpAddr>().ok();
    if address.is_none() && !host::is_name(host) {
        let ids: Vec<&str> = plan.endpoints.iter().map(|endpoint| endpoint.id.as_str()).collect();
        let meant = nearest(target, &ids).map_or_else(String::new, |id| format!(": did you mean {id}?"));
        return Err(Failure::usage(format!(
            "{target} is neither an endpoint of the plan nor a host or an address{meant} `apim-probe list` shows the plan"
        )));
    }
    let host = host.to_ascii_lowercase();
    let shown = if address.is_some_and(|address| address.is_ipv6()) {
        format!("[{host}]")
    } else {
        host.clone()
    };
    Ok(Endpoint {
        id: format!("path/{shown}:{port}"),
        dependency: "path".into(),
        title: host.clone(),
        service_tag: None,
        need: Need::Required,
        feature: None,
        impact: String::new(),
        stops_activation: false,
        pattern: None,
        port,
        transport: Transport::Tcp,
        protocol: protocol(port, address.is_some()),
        destination: address.map_or(Destination::Name, |address| Destination::Addresses {
            addresses: vec![address],
            any: false,
        }),
        names: vec![host.clone()],
        host,
        path: None,
        note: None,
        expect: Expect::Reachable,
        direction: Direction::Outbound,
        source_tag: None,
        stand_in: None,
        of_instance: None,
        untested: None,
    })
}

/// The endpoint as what counts: the exit status is about nothing else.
fn counted(endpoint: Endpoint) -> Endpoint {
    Endpoint {
        need: Need::Required,
        expect: Expect::Reachable,
        feature: None,
        ..endpoint
    }
}

/// What is spoken on a port, as far as anything can be said to whoever is there. A bare address has no name to prove, so
/// nothing is said to it where that takes one.
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
