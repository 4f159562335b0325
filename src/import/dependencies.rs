//! The instance's outbound dependencies: `GET …/service/{name}/outboundNetworkDependenciesEndpoints`, page by page.

use std::{collections::BTreeMap, net::IpAddr};

use super::{
    DocumentKind, HostOrAddresses, ImportedDocument, InstanceTarget, MAX_ENTRIES, TOO_MANY, host_name, service,
    some_of, view::InstanceView,
};
use crate::{
    address::is_impossible,
    azure::json::{self, Object},
    model::{Imported, Need},
};

/// Reads one page: categories with their endpoints, or the endpoints alone, as `--query` leaves them.
pub(super) fn read(document: &json::AzureDocument<'_>, from: &str) -> Result<ImportedDocument, String> {
    const NONE: &str = "no category";
    let mut reader = DependenciesReader::default();
    for entry in document.entries()? {
        if !entry.has("endpoints") {
            reader.endpoint(&entry, NONE)?;
            continue;
        }
        let kind = entry.filled("category").unwrap_or(NONE.into());
        for endpoint in entry.list("endpoints") {
            let endpoint = endpoint
                .object()
                .ok_or_else(|| format!("has an endpoint under {kind} that is not an object"))?;
            reader.endpoint(&endpoint, &kind)?;
        }
    }
    let mut notices = reader.notices(from);
    if reader.targets.is_empty() {
        notices.push(format!("{from} names no endpoint"));
    }
    Ok(ImportedDocument {
        imported: Imported {
            document: DocumentKind::Dependencies.word().into(),
            from: from.into(),
            as_of: None,
            endpoints: reader.targets.len(),
        },
        targets: reader.targets,
        view: InstanceView::default(),
        next: document.next_link(),
        notices,
    })
}

/// Collects targets, and notices about the entries.
#[derive(Debug, Default)]
struct DependenciesReader {
    targets: Vec<InstanceTarget>,
    unknown_categories: Vec<String>,
    no_hosts: Vec<String>,
}

impl DependenciesReader {
    fn endpoint(&mut self, endpoint: &Object<'_>, kind: &str) -> Result<(), String> {
        let dependency = service::of_category(kind);
        let named = endpoint.filled("domainName");
        let name = named.as_deref().map(host_name::parse);
        if let (Some(text), Some(None)) = (&named, &name) {
            self.no_hosts.push(format!("\"{text}\" ({kind})"));
            return Ok(());
        }
        let mut by_port: BTreeMap<Option<u16>, Vec<IpAddr>> = BTreeMap::new();
        for detail in endpoint.list("endpointDetails") {
            let Some(detail) = detail.object() else { continue };
            let addresses = by_port.entry(port(&detail)).or_default();
            let address = detail.filled("ipAddress").and_then(|text| text.parse().ok());
            addresses.extend(address.filter(|address| !is_impossible(*address)));
        }
        if by_port.is_empty() {
            by_port.insert(None, Vec::new());
        }
        for (port, addresses) in by_port {
            let (place, port) = match &name {
                Some(Some((place, written))) => (place.clone(), port.or(*written)),
                _ if addresses.is_empty() => {
                    self.no_hosts
                        .push(format!("an entry without a name or address ({kind})"));
                    continue;
                }
                _ => (HostOrAddresses::Addresses(addresses), port),
            };
            if dependency.is_none() && !self.unknown_categories.iter().any(|known| known == kind) {
                self.unknown_categories.push(kind.into());
            }
            let need = (dependency == Some("smtp")).then_some(Need::Documented);
            let target = InstanceTarget {
                place,
                port,
                dependency,
                kind: kind.into(),
                need,
            };
            if !self.targets.contains(&target) {
                self.targets.push(target);
            }
        }
        if self.targets.len() > MAX_ENTRIES {
            return Err(TOO_MANY.into());
        }
        Ok(())
    }

    fn notices(&self, from: &str) -> Vec<String> {
        let notice =
            |items: &[String], what: &str| (!items.is_empty()).then(|| format!("{from}: {what}: {}", some_of(items)));
        [
            notice(&self.unknown_categories, "unknown categories, probed anyway"),
            notice(&self.no_hosts, "not host names, so not probed"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// A port as a number or, from some tools, as text.
fn port(detail: &Object<'_>) -> Option<u16> {
    detail.filled("port")?.parse().ok().filter(|port| *port != 0)
}
