//! Simulated networks with one fault each, and the finding that must come first.

use apim_probe::{
    model::{Confidence, Suspect},
    plan::PlannedEndpoint,
};

use super::network::{Fault, Network};

mod firewalls;
mod names;
mod no_outbound;
mod other;
mod routers;
mod rules;

/// A network with one fault, and the finding that must come first.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// The fault, in words; if the field's symptom table has it, quoted from there.
    pub what: &'static str,
    pub network: Network,
    /// The id of the first finding.
    pub id: &'static str,
    /// Words of its title.
    pub title: &'static str,
    pub confidence: Confidence,
    /// The first place to look at.
    pub suspect: Suspect,
}

pub(super) fn case(
    what: &'static str,
    network: Network,
    (id, title): (&'static str, &'static str),
    confidence: Confidence,
    suspect: Suspect,
) -> Case {
    Case {
        what,
        network,
        id,
        title,
        confidence,
        suspect,
    }
}

pub(super) fn dependency(dependency: &str) -> impl Fn(&PlannedEndpoint) -> bool {
    move |endpoint| endpoint.dependency == dependency
}

pub(super) fn host(host: &str) -> impl Fn(&PlannedEndpoint) -> bool {
    move |endpoint| endpoint.host == host
}

pub(super) fn port(port: u16) -> impl Fn(&PlannedEndpoint) -> bool {
    move |endpoint| endpoint.port == port && endpoint.dependency != "dns"
}

pub(super) fn tag(tag: &str) -> impl Fn(&PlannedEndpoint) -> bool {
    move |endpoint| endpoint.service_tag.as_deref() == Some(tag)
}

pub(super) fn not_dns(endpoint: &PlannedEndpoint) -> bool {
    endpoint.dependency != "dns"
}

pub(super) fn speaks_tls(endpoint: &PlannedEndpoint) -> bool {
    endpoint.protocol.speaks_tls()
}

pub(super) fn icmp(code: u8) -> Fault {
    Fault::Icmp {
        sender: "10.1.2.4".parse().unwrap(),
        kind: 3,
        code,
    }
}

pub(super) const AZURE_FIREWALL_DENY: Fault = Fault::Page {
    status: 470,
    body: "Action: Deny. Reason: No rule matched. Proceeding with default action.",
};
pub(super) const TERMS_PAGE: Fault = Fault::Page {
    status: 200,
    body: "<html><title>Terms of use</title><p>Please read them first.",
};
pub(super) const CONTOSO_INSPECTION: Fault = Fault::Inspected {
    issuer: "O=Contoso, CN=Contoso Inspection CA",
    trusted_by_vm: true,
};
pub(super) const CUSTOM_DNS: &str = "10.0.0.4";

pub(super) fn healthy() -> Network {
    Network::healthy()
}

pub(super) const MUST_BE_BLOCKED: &str = "
schema: 1
dependencies:
  - id: egress
    title: Traffic that must not get out
    need: required
    impact: Data could leave the network.
    endpoints:
      - { host: pastebin.example.net, port: 443, protocol: https, expect: blocked }
";

/// Every case.
pub(super) fn all() -> Vec<Case> {
    [
        no_outbound::cases(),
        names::cases(),
        rules::cases(),
        firewalls::cases(),
        routers::cases(),
        other::cases(),
    ]
    .concat()
}
