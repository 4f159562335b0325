//! Everything that is known about a dependency or a cause, on one page of 80 columns.

use std::fmt::Write as _;

use crate::{
    azure::Cloud,
    catalog::{
        self, SETTINGS,
        model::{Catalog, Dependency, Endpoint, Target},
    },
    model::{Cause, Direction, Need, Transport},
    text::{escape, wrap},
};

/// Columns of the page.
const WIDTH: usize = 80;
/// Where text below a heading begins.
const INDENT: usize = 2;
/// Where text behind a label begins.
const LABELLED: usize = 15;

/// Explains the id of a dependency or a cause, in any case.
///
/// # Errors
/// A sentence that suggests the nearest words, where there is no such word.
pub fn explain(word: &str, catalog: &Catalog, cloud: Cloud) -> Result<String, String> {
    if let Some(dependency) = catalog
        .dependencies
        .iter()
        .find(|dependency| dependency.id.eq_ignore_ascii_case(word))
    {
        return Ok(dependency_page(dependency, catalog, cloud));
    }
    match word.to_ascii_lowercase().parse() {
        Ok(cause) => Ok(cause_page(cause)),
        Err(_) => Err(unknown(word, catalog)),
    }
}

/// What a word might have meant.
fn unknown(word: &str, catalog: &Catalog) -> String {
    const MOST: usize = 3;
    /// Below this two words have nothing in common (Jaro-Winkler similarity, 0 to 1).
    const NEAR: f64 = 0.75;
    let asked = word.to_ascii_lowercase();
    let near = |other: &str| strsim::jaro_winkler(&asked, &other.to_ascii_lowercase());
    let dependencies = catalog.dependencies.iter().map(|dependency| {
        let tag = dependency
            .service_tag
            .as_deref()
            .filter(|tag| !matches!(*tag, "Internet" | "VirtualNetwork"));
        let names = [Some(dependency.id.as_str()), Some(dependency.title.as_str()), tag];
        (
            names.into_iter().flatten().map(near).fold(0.0, f64::max),
            dependency.id.as_str(),
        )
    });
    let causes = Cause::ALL.iter().map(|cause| (near(cause.as_str()), cause.as_str()));
    let mut nearest: Vec<(f64, &str)> = dependencies.chain(causes).filter(|(score, _)| *score >= NEAR).collect();
    nearest.sort_by(|a, b| b.0.total_cmp(&a.0));
    nearest.truncate(MOST);
    let word = escape(word);
    if nearest.is_empty() {
        let ids: Vec<&str> = catalog
            .dependencies
            .iter()
            .map(|dependency| dependency.id.as_str())
            .collect();
        return format!(
            "there is no dependency and no cause `{word}`; the dependencies are {}",
            ids.join(", ")
        );
    }
    let words: Vec<&str> = nearest.into_iter().map(|(_, word)| word).collect();
    format!(
        "there is no dependency and no cause `{word}`; did you mean {}?",
        words.join(" or ")
    )
}

fn cause_page(cause: Cause) -> String {
    let mut page = String::new();
    line(&mut page, cause.as_str());
    paragraph(&mut page, 0, cause.meaning());
    section(&mut page, "ON THE WIRE");
    paragraph(&mut page, INDENT, cause.wire());
    section(&mut page, "USUALLY");
    for text in cause.usually() {
        bullet(&mut page, text);
    }
    section(&mut page, "CHECK FIRST");
    for text in cause.check() {
        bullet(&mut page, text);
    }
    page
}

fn dependency_page(dependency: &Dependency, catalog: &Catalog, cloud: Cloud) -> String {
    let mut page = String::new();
    paragraph(&mut page, 0, &format!("{} ({})", dependency.title, dependency.id));
    label(&mut page, "Needed by", &needed_by(dependency));
    label(&mut page, "Without it", &dependency.impact);
    if let Some(tag) = &dependency.service_tag {
        label(&mut page, "Service tag", tag);
    }
    if !dependency.clouds.is_empty() {
        let clouds: Vec<&str> = dependency.clouds.iter().map(|cloud| cloud.as_str()).collect();
        label(&mut page, "Clouds", &clouds.join(", "));
    }
    if let Some(vnet) = dependency.vnet {
        label(&mut page, "Network", &format!("{} only", vnet.as_str()));
    }
    section(&mut page, &format!("ENDPOINTS in the {cloud} cloud"));
    let in_cloud = |clouds: &[Cloud]| clouds.is_empty() || clouds.contains(&cloud);
    let here = in_cloud(&dependency.clouds);
    let endpoints: Vec<&Endpoint> = dependency
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
            &format!("{} for routes and rules: no tag covers them", addresses.join(", ")),
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
    if dependency
        .endpoints
        .iter()
        .any(|endpoint| endpoint.direction == Direction::Outbound)
    {
        line(&mut page, &format!("  apim-probe run --only {}", dependency.id));
    }
    line(
        &mut page,
        &format!("  apim-probe rules --kind nsg --only {}", dependency.id),
    );
    page
}

fn needed_by(dependency: &Dependency) -> String {
    match (dependency.need, &dependency.feature) {
        (Need::Required, _) => "every instance: required".into(),
        (Need::Feature, Some(feature)) => feature.clone(),
        (Need::Feature, None) => "who uses the feature".into(),
        (Need::Documented, _) => "nobody for certain: documented, but not known to be offered".into(),
    }
}

/// The page that it comes from, and the page's own date.
fn source(page: &mut String, dependency: &Dependency, catalog: &Catalog) {
    let source = &catalog.source;
    if source.url.is_empty() && dependency.docs.is_none() {
        return;
    }
    section(page, "SOURCE");
    paragraph(page, INDENT, &format!("{}, {}", source.title, source.documented));
    match dependency.docs.as_deref() {
        Some(docs) if docs.starts_with('#') => {
            paragraph(page, INDENT, &source.url);
            paragraph(page, INDENT, &format!("section {docs}"));
        }
        Some(docs) => paragraph(page, INDENT, docs),
        None => paragraph(page, INDENT, &source.url),
    }
}

fn write_endpoint(page: &mut String, dependency: &Dependency, endpoint: &Endpoint, catalog: &Catalog, cloud: Cloud) {
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
    if let Some(need) = endpoint.need.filter(|need| *need != dependency.need) {
        let _ = write!(text, " ({})", need.as_str());
    }
    if let Some(retired) = &endpoint.retired {
        let instead = retired
            .replaced_by
            .as_ref()
            .map(|host| format!("; {host} took its place"))
            .unwrap_or_default();
        let _ = write!(text, " (retired{instead})");
    }
    hanging(page, &text, 4);
    if let Some(note) = &endpoint.note {
        paragraph(page, 4, note);
    }
}

fn target(endpoint: &Endpoint, catalog: &Catalog, cloud: Cloud) -> String {
    let fill = |template: &str| {
        let suffixes = catalog.clouds.get(&cloud).into_iter().flatten();
        suffixes.fold(template.to_owned(), |text, (name, suffix)| {
            text.replace(&format!("{{{name}}}"), suffix)
        })
    };
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

fn section(page: &mut String, heading: &str) {
    page.push('\n');
    line(page, heading);
}

fn label(page: &mut String, label: &str, text: &str) {
    for (at, part) in wrap(text, WIDTH - LABELLED).iter().enumerate() {
        let label = if at == 0 { label } else { "" };
        line(page, &format!("  {label:<width$}{part}", width = LABELLED - 2));
    }
}

fn paragraph(page: &mut String, indent: usize, text: &str) {
    for part in wrap(text, WIDTH - indent) {
        line(page, &format!("{:indent$}{part}", ""));
    }
}

fn bullet(page: &mut String, text: &str) {
    hanging(page, &format!("- {text}"), 4);
}

/// A paragraph whose further lines stand deeper than its first.
fn hanging(page: &mut String, text: &str, indent: usize) {
    for (at, part) in wrap(text, WIDTH - indent).iter().enumerate() {
        let indent = if at == 0 { INDENT } else { indent };
        line(page, &format!("{:indent$}{part}", ""));
    }
}

fn line(page: &mut String, text: &str) {
    page.push_str(text.trim_end());
    page.push('\n');
}
