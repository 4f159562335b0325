//! What a judgement needs to know about the rest of the run.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use crate::{
    net::dns::DnsEnd,
    plan::{Plan, PlannedEndpoint, ProbeTarget},
    probe::{
        Run,
        clock::{self, ClockOffset},
        control::{ControlReason, Controls, NameControl, TEST_NET_1},
        trace::{Attempt, NameTrace},
    },
};

/// The rest of the run, as far as single judgements depend on it.
#[derive(Debug, Default)]
pub struct Context<'a> {
    names: Option<&'a BTreeMap<String, NameTrace>>,
    controls: Option<&'a Controls>,
    answering: BTreeSet<SocketAddr>,
    planned: BTreeSet<SocketAddr>,
    owners: BTreeMap<String, BTreeSet<String>>,
    clock: Option<ClockOffset>,
}

impl<'a> Context<'a> {
    /// Collects it from a whole run.
    pub fn gather(plan: &Plan, run: &'a Run) -> Self {
        let replies = run.names.values().flat_map(NameTrace::replies);
        let mut answering: BTreeSet<SocketAddr> = replies
            .filter(|reply| reply.is_final())
            .map(|reply| reply.v4.server)
            .collect();
        let mut planned = BTreeSet::new();
        let mut owners: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for (endpoint, trace) in plan.endpoints.iter().zip(&run.traces) {
            // A server whose test was skipped has no row that reports it as down.
            if let ProbeTarget::NameServer(server) = endpoint.destination
                && endpoint.untested.is_none()
            {
                planned.insert(server);
            }
            for attempt in trace.iter().flat_map(|trace| &trace.attempts) {
                if let Some(exchange) = &attempt.dns
                    && let DnsEnd::Answered(answer) = &exchange.end
                    && matches!(answer.rcode.as_str(), "NOERROR" | "NXDOMAIN")
                {
                    answering.insert(exchange.server);
                }
                if let Some(chain) = attempt.tls.as_ref().and_then(|tls| tls.chain.as_ref()) {
                    owners
                        .entry(chain.issuer.clone())
                        .or_default()
                        .insert(owner(&endpoint.host));
                }
            }
        }
        Self {
            names: Some(&run.names),
            controls: Some(&run.controls),
            answering,
            planned,
            owners,
            clock: clock::measured(run.traces.iter().flatten()),
        }
    }

    /// What the peers' times show about this machine's clock, if it is off.
    pub fn wrong_clock(&self) -> Option<ClockOffset> {
        self.clock.filter(ClockOffset::is_off)
    }

    /// What every server said about a name, once the run has ended.
    pub fn name(&self, host: &str) -> Option<&NameTrace> {
        self.names?.get(host)
    }

    /// What the controls show about an attempt that was cut or is unproven, one sentence each.
    pub fn controls(&self, endpoint: &PlannedEndpoint, attempt: &Attempt, suspicion: ControlReason) -> Vec<String> {
        let is_called_for = matches!(suspicion, ControlReason::Unproven | ControlReason::Cut);
        let Some(controls) = self.controls.filter(|_| is_called_for) else {
            return Vec::new();
        };
        let port = attempt.address.port();
        let mut evidence = Vec::new();
        if controls.intercepts(port) {
            evidence.push(format!(
                "{TEST_NET_1}:{port} (reserved, unused) accepts connections too: a middlebox answers for every address"
            ));
        }
        let name = controls
            .of_name(&endpoint.host, port)
            .filter(|control| suspicion == ControlReason::Cut && control.attempt.address == attempt.address);
        if let Some(control) = name {
            let NameControl { name, own, .. } = control;
            let answers = if control.attempt.tls.is_some() {
                "presents a certificate"
            } else {
                "answers"
            };
            evidence.push(if control.depends_on_name() {
                format!(
                    "the same address {answers} for the name {name}, but right after that a connection for this \
                     host's own name is cut: the filter matches host names"
                )
            } else if own.is_some() {
                format!(
                    "the same address {answers} for the name {name}, and right after that for this host's own name too"
                )
            } else {
                format!("the same address cuts {name} as well, so nothing shows a filter by host name")
            });
        }
        evidence
    }

    /// Whether a server answered nothing in the whole run and has an endpoint of its own that reports it.
    pub fn is_down_and_planned(&self, server: SocketAddr) -> bool {
        self.planned.contains(&server) && !self.answering.contains(&server)
    }

    /// Whether only Microsoft's hosts presented certificates from this issuer.
    pub fn is_only_microsofts(&self, issuer: &str) -> bool {
        self.owners
            .get(issuer)
            .is_none_or(|owners| owners.iter().all(|owner| owner == MICROSOFT))
    }
}

const MICROSOFT: &str = "microsoft";

/// The owner of a host in the catalog. All are Microsoft's except those of certificate authorities and those that users
/// add.
pub(super) fn owner(host: &str) -> String {
    const SUFFIXES: [&str; 16] = [
        "microsoft.com",
        "microsoft.us",
        "azure.com",
        "azure.us",
        "azure.cn",
        "azure.net",
        "windows.net",
        "windowsupdate.com",
        "live.com",
        "microsoftonline.com",
        "microsoftonline.us",
        "microsoftmetrics.com",
        "usgovcloudapi.net",
        "chinacloudapi.cn",
        "visualstudio.com",
        "trafficmanager.net",
    ];
    if SUFFIXES
        .iter()
        .any(|suffix| host == *suffix || host.ends_with(&format!(".{suffix}")))
    {
        return MICROSOFT.into();
    }
    domain(host).to_owned()
}

/// The last two labels of a name, which identify the owner among the hosts of the catalog.
pub(super) fn domain(host: &str) -> &str {
    let start = host.rmatch_indices('.').nth(1).map_or(0, |(at, _)| at + 1);
    &host[start..]
}

#[cfg(test)]
mod tests {
    use super::domain;

    #[test]
    fn owner_domain_is_two_labels_or_known_suffix() {
        for (name, expected) in [
            ("a.blob.core.windows.net", "windows.net"),
            ("digicert.com", "digicert.com"),
            ("localhost", "localhost"),
            ("", ""),
        ] {
            assert_eq!(domain(name), expected);
        }
    }
}
