//! The endpoints of a plan or a report that need rules.

use std::{
    collections::{BTreeSet, HashMap},
    net::IpAddr,
};

use super::RuleFamily;
use crate::{
    address, import,
    model::{
        self, Cause, Direction, Expect, Need, Protocol, Report, Suspect, Transport, Verdict, prediction::RouteSource,
    },
    plan::{self, Plan, ProbeTarget, Selection},
};

/// The properties of one endpoint that matter for rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Requirement {
    /// Its id in plans and reports.
    pub id: String,
    /// The id of its dependency.
    pub dependency: String,
    /// The title of its dependency.
    pub title: String,
    /// The service tag of the documented rule.
    pub service_tag: Option<String>,
    /// How much it counts.
    pub need: Need,
    /// The host, with braces if a name is missing.
    pub host: String,
    /// The wildcard that covers the host.
    pub pattern: Option<String>,
    /// Its addresses, if the catalog or the network provides them.
    pub addresses: Vec<IpAddr>,
    /// The port.
    pub port: u16,
    /// TCP or UDP.
    pub transport: Transport,
    /// The protocol.
    pub protocol: Protocol,
    /// Which way the traffic flows.
    pub direction: Direction,
    /// Where inbound traffic comes from.
    pub source_tag: Option<String>,
}

impl Requirement {
    /// The endpoints of a plan that rules can allow.
    pub fn of_plan(plan: &Plan) -> Vec<Self> {
        plan.endpoints
            .iter()
            .filter(|endpoint| endpoint.expect == Expect::Reachable)
            .filter_map(Self::planned)
            .collect()
    }

    /// The endpoints of a report that rules can allow, as far as they are selected. The plan of the same catalog
    /// contains all addresses of an entry; a report contains one.
    pub fn of_report(report: &Report, plan: &Plan, selection: &Selection) -> Vec<Self> {
        let selected = |endpoint: &model::EndpointReport| {
            let id = &endpoint.dependency;
            selection.includes(id) && !selection.skips(id) && selection.counts(endpoint.need)
        };
        let planned: HashMap<&str, &plan::PlannedEndpoint> = plan
            .endpoints
            .iter()
            .map(|endpoint| (endpoint.id.as_str(), endpoint))
            .collect();
        report
            .endpoints
            .iter()
            .filter(|endpoint| endpoint.expect == Expect::Reachable && selected(endpoint))
            .filter_map(|endpoint| Self::reported(endpoint, planned.get(endpoint.id.as_str()).copied()))
            .collect()
    }

    fn planned(endpoint: &plan::PlannedEndpoint) -> Option<Self> {
        let cause = endpoint.untested.as_ref().map(|untested| untested.cause);
        has_place(cause, endpoint.service_tag.as_deref(), endpoint.direction).then(|| Self {
            id: endpoint.id.clone(),
            dependency: endpoint.dependency.clone(),
            title: endpoint.title.clone(),
            service_tag: endpoint.service_tag.clone(),
            need: endpoint.need,
            host: endpoint.host.clone(),
            pattern: endpoint.pattern.clone(),
            addresses: addresses(endpoint),
            port: endpoint.port,
            transport: endpoint.transport,
            protocol: endpoint.protocol,
            direction: endpoint.direction,
            source_tag: endpoint.source_tag.clone(),
        })
    }

    fn reported(endpoint: &model::EndpointReport, planned: Option<&plan::PlannedEndpoint>) -> Option<Self> {
        // Endpoints that the plan excluded stay excluded, but not those that only this run found to be retired.
        let left_out = endpoint.verdict == Verdict::NotTested && endpoint.duration_ms.is_none();
        let cause = endpoint.cause.filter(|_| left_out);
        has_place(cause, endpoint.service_tag.as_deref(), endpoint.direction).then(|| Self {
            id: endpoint.id.clone(),
            dependency: endpoint.dependency.clone(),
            title: endpoint.title.clone(),
            service_tag: endpoint.service_tag.clone(),
            need: endpoint.need,
            host: endpoint.host.clone(),
            pattern: endpoint.pattern.clone(),
            addresses: planned.map_or_else(|| endpoint.host.parse().into_iter().collect(), addresses),
            port: endpoint.port,
            transport: endpoint.transport,
            protocol: endpoint.protocol,
            direction: endpoint.direction,
            source_tag: endpoint.source_tag.clone(),
        })
    }
}

/// The addresses of an endpoint that need no lookup.
fn addresses(endpoint: &plan::PlannedEndpoint) -> Vec<IpAddr> {
    match &endpoint.destination {
        ProbeTarget::Name => endpoint.host.parse().into_iter().collect(),
        ProbeTarget::Addresses { addresses, .. } => addresses.clone(),
        ProbeTarget::NameServer(server) => vec![server.ip()],
    }
}

/// The endpoints of a report that rules of a kind would fix, by their ids.
pub fn missing(report: &Report, kind: RuleFamily) -> BTreeSet<String> {
    let missing = report
        .endpoints
        .iter()
        .filter(|endpoint| is_missing(endpoint, report, kind));
    missing.map(|endpoint| endpoint.id.clone()).collect()
}

/// Whether another route covers 0.0.0.0/0 instead of Azure's, according to the predictions of a report.
pub fn is_forced(report: &Report) -> Option<bool> {
    let routes = report
        .endpoints
        .iter()
        .filter_map(|endpoint| endpoint.predicted.as_ref()?.route.as_ref());
    let default = routes
        .filter(|route| route.prefix == "0.0.0.0/0")
        .map(|route| route.source);
    default
        .map(|source| matches!(source, RouteSource::User | RouteSource::Gateway))
        .max()
}

/// Whether a rule could be for it. A retired host needs none, a skipped one needs none now, and only a tag can cover a
/// name that was not given.
fn has_place(untested: Option<Cause>, tag: Option<&str>, direction: Direction) -> bool {
    match untested {
        Some(Cause::Retired | Cause::Skipped) => false,
        Some(Cause::NeedsValue) => tag.is_some() || direction != Direction::Outbound,
        _ => true,
    }
}

/// Whether a report shows that it is blocked, or that rules of this kind are the cause.
fn is_missing(endpoint: &model::EndpointReport, report: &Report, kind: RuleFamily) -> bool {
    let causes = match kind {
        RuleFamily::Nsg => Some(Suspect::Nsg),
        RuleFamily::Routes => Some(Suspect::Udr),
        // The rules made here never apply to inbound traffic.
        RuleFamily::Firewall => None,
    };
    let names = |finding: &model::Finding| {
        finding.endpoints.contains(&endpoint.id) && causes.is_some_and(|suspect| finding.suspects.contains(&suspect))
    };
    // If connections differ, or packets are too large or lost, no rule is missing.
    let of_the_line =
        |finding: &model::Finding| finding.is_about_the_link() && finding.endpoints.contains(&endpoint.id);
    let blocked = endpoint.verdict == Verdict::Blocked
        && !report.findings.iter().any(of_the_line)
        && endpoint.cause.is_some_and(|cause| can_fix(kind, cause, endpoint))
        && !is_behind_a_private_endpoint(endpoint);
    blocked || (endpoint.verdict == Verdict::NotTested && report.findings.iter().any(names))
}

/// Whether a service with a tag, or the instance's own host, was tried at private addresses only: a tag, or a route to
/// the internet, does not cover those.
fn is_behind_a_private_endpoint(endpoint: &model::EndpointReport) -> bool {
    let is_private = |stage: &model::TcpStage| address::is_private(stage.address);
    let tcp = &endpoint.stages.tcp;
    let is_somewhere = endpoint.service_tag.is_some() || import::is_own(&endpoint.dependency);
    is_somewhere && !tcp.is_empty() && tcp.iter().all(is_private)
}

/// Whether a rule of this kind can fix a cause. If a connection was accepted, packets pass and only a firewall that
/// inspects them can block it; a wrong name or certificate has nothing to do with rules.
fn can_fix(kind: RuleFamily, cause: Cause, endpoint: &model::EndpointReport) -> bool {
    let is_silence = cause.is_drop(endpoint.transport, endpoint.protocol);
    let is_refusal = matches!(
        cause,
        Cause::TcpRefused | Cause::TcpUnreachable | Cause::UdpRefused | Cause::UdpUnreachable
    );
    match kind {
        RuleFamily::Nsg => is_silence,
        RuleFamily::Routes => is_silence || is_refusal,
        RuleFamily::Firewall => {
            is_silence || is_refusal || cause.is_behind_the_connection() || cause == Cause::HttpDenied
        }
    }
}
