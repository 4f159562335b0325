//! The page of a dependency.

use std::fmt::Write as _;

use super::page::{INDENT, hanging, label, line, paragraph, section};
use crate::{
    azure::Cloud,
    catalog::{
        self, SETTINGS,
        model::{Catalog, Dependency, EndpointSpec, Target},
    },
    model::{Direction, Need, Tier, Transport},
};

/// Everything that the catalog contains about a dependency.
pub(super) fn page(dependency: &Dependency, catalog: &Catalog, cloud: Cloud) -> String {
    let mut page = String::new();
    paragraph(&mut page, 0, &format!("{} ({})", dependency.title, dependency.id));
    label(&mut page, "Needed by", &needed_by(dependency, catalog.tier));
    label(&mut page, "Impact", &dependency.impact);
    if let Some(tag) = &dependency.service_tag {
        label(&mut page, "Service tag", tag);
    }
    if !dependency.clouds.is_empty() {
        let clouds: Vec<&str> = dependency.clouds.iter().map(Cloud::as_str).collect();
        label(&mut page, "Clouds", &clouds.join(", "));
    }
    if let Some(vnet) = dependency.vnet {
        label(&mut page, "Network", &format!("{} only", vnet.as_str()));
    }
    section(&mut page, &format!("ENDPOINTS in the {cloud} cloud"));
    let in_cloud = |clouds: &[Cloud]| clouds.is_empty() || clouds.contains(&cloud);
    let here = in_cloud(&dependency.clouds);
    let endpoints: Vec<&EndpointSpec> = dependency
        .endpoints
        .iter()
        .filter(|endpoint| here && in_cloud(&endpoint.clouds))
        .collect();
    if endpoints.is_empty() {
        paragraph(&mut page, INDENT, "none");
    }
    for endpoint in endpoints {
        write_endpoint(&mut page, dependency, endpoint, catalog, cloud);
    }
    if let Some(addresses) = dependency.route_addresses.get(&cloud) {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        label(
            &mut page,
            "Addresses",
            &format!(
                "{} (use these in routes and rules: no service tag covers them)",
                addresses.join(", ")
            ),
        );
    }
    let names: Vec<&str> = names(dependency);
    if !names.is_empty() {
        section(&mut page, "NAMES TO FILL IN");
        for setting in SETTINGS.iter().filter(|setting| names.contains(&setting.name)) {
            paragraph(
                &mut page,
                INDENT,
                &format!("--set {}: {}; {}.", setting.name, setting.what, setting.how),
            );
        }
        if names.contains(&catalog::REGION) {
            paragraph(
                &mut page,
                INDENT,
                "--region: the instance's region, such as westeurope.",
            );
        }
    }
    source(&mut page, dependency, catalog);
    section(&mut page, "TRY");
    let tier = super::words::flag(catalog.tier);
    if dependency
        .endpoints
        .iter()
        .any(|endpoint| endpoint.direction == Direction::Outbound)
    {
        line(&mut page, &format!("  apim-probe run{tier} --only {}", dependency.id));
    }
    line(
        &mut page,
        &format!("  apim-probe rules{tier} --kind nsg --only {}", dependency.id),
    );
    page
}

/// Who needs it, in words.
pub(super) fn needed_by(dependency: &Dependency, tier: Tier) -> String {
    match (dependency.need, &dependency.feature) {
        (Need::Required, _) => format!("every {}: required", tier.subject()),
        (Need::Feature, Some(feature)) => feature.clone(),
        (Need::Feature, None) => "instances that use the feature".into(),
        (Need::Documented, _) => "documented only, not known to be used".into(),
    }
}

/// The need of an endpoint, to follow its ports: ` (optional)`; empty if it is its dependency's.
pub(super) fn own_need(endpoint: &EndpointSpec, dependency: &Dependency) -> String {
    let own = endpoint.need.filter(|need| *need != dependency.need);
    own.map_or_else(String::new, |need| format!(" ({})", need.label()))
}

/// The page that it is from, and the page's own date.
fn source(page: &mut String, dependency: &Dependency, catalog: &Catalog) {
    let source = &catalog.source;
    if source.url.is_empty() && dependency.docs.is_none() {
        return;
    }
    section(page, "SOURCE");
    if dependency.docs.as_deref().is_none_or(|docs| docs.starts_with('#')) {
        paragraph(page, INDENT, &format!("{}, {}", source.title, source.documented));
    }
    match dependency.docs.as_deref() {
        Some(docs) if docs.starts_with('#') => {
            paragraph(page, INDENT, &source.url);
            paragraph(page, INDENT, &format!("section {docs}"));
        }
        Some(docs) => paragraph(page, INDENT, docs),
        None => paragraph(page, INDENT, &source.url),
    }
}

fn write_endpoint(
    page: &mut String,
    dependency: &Dependency,
    endpoint: &EndpointSpec,
    catalog: &Catalog,
    cloud: Cloud,
) {
    let ports: Vec<String> = endpoint
        .ports
        .iter()
        .map(|(port, protocol)| match endpoint.direction {
            Direction::Outbound => format!("{port} {protocol}", protocol = protocol.as_str()),
            _ => port.to_string(),
        })
        .collect();
    let transport = if endpoint.transport == Transport::Udp {
        "UDP"
    } else {
        "TCP"
    };
    let mut text = format!("{}, {transport} {}", target(endpoint, catalog, cloud), ports.join(", "));
    text += &own_need(endpoint, dependency);
    if let Some(retired) = &endpoint.retired {
        let instead = retired
            .replaced_by
            .as_ref()
            .map(|host| format!("; replaced by {host}"))
            .unwrap_or_default();
        let _ = write!(text, " (retired{instead})");
    }
    hanging(page, &text, 4);
    if let Some(note) = &endpoint.note {
        paragraph(page, 4, note);
    }
}

fn target(endpoint: &EndpointSpec, catalog: &Catalog, cloud: Cloud) -> String {
    let fill = |template: &str| fill(template, catalog, cloud);
    let source = endpoint.source_tag.as_deref().unwrap_or("outside");
    match (&endpoint.target, endpoint.direction) {
        (_, Direction::Inbound) => format!("inbound from {source}"),
        (_, Direction::Peer) => "between the instance's machines".into(),
        (Target::Host(host), _) => fill(host),
        (Target::Wildcard { pattern, members }, _) if members.is_empty() => {
            format!("{} (no host known)", fill(pattern))
        }
        (Target::Wildcard { pattern, members }, _) => {
            let members: Vec<String> = members.iter().map(|member| fill(member)).collect();
            format!("{} (probed: {})", fill(pattern), members.join(", "))
        }
        (Target::Addresses { addresses, .. }, _) => {
            addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
        }
        (Target::NameServer, _) => "each name server of the network".into(),
        (Target::Anything, _) => "anything".into(),
    }
}

/// A template with the cloud's own suffixes filled in; names that the user fills in stay in braces.
pub(super) fn fill(template: &str, catalog: &Catalog, cloud: Cloud) -> String {
    let suffixes = catalog.clouds.get(&cloud).into_iter().flatten();
    suffixes.fold(template.to_owned(), |text, (name, suffix)| {
        text.replace(&format!("{{{name}}}"), suffix)
    })
}

/// The names in braces that the user can fill, each once.
fn names(dependency: &Dependency) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for endpoint in &dependency.endpoints {
        let templates: Vec<&str> = match &endpoint.target {
            Target::Host(host) => vec![host],
            Target::Wildcard { members, .. } => members.iter().map(String::as_str).collect(),
            _ => Vec::new(),
        };
        for name in templates.into_iter().flat_map(catalog::placeholders) {
            let known = name == catalog::REGION || SETTINGS.iter().any(|setting| setting.name == name);
            if known && !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}
