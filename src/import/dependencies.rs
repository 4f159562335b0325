//! The instance's outbound dependencies: `GET …/service/{name}/outboundNetworkDependenciesEndpoints`, page by page.

use std::{collections::BTreeMap, net::IpAddr};

use serde_json::Value;

use super::{
    Document, Kind, MOST_ENTRIES, Place, TOO_MANY, Target,
    json::{list, text},
    name, service, some_of,
    view::InstanceView,
};
use crate::{
    address::is_impossible,
    model::{Imported, Need},
};

/// Reads one page.
pub(super) fn read(document: &Value, from: &str) -> Result<Document, String> {
    let categories: Vec<&Value> = match document {
        Value::Array(items) => items.iter().collect(),
        _ => list(document, "value").collect(),
    };
    let mut reader = Reader::default();
    for category in &categories {
        let kind = text(category, "category").unwrap_or("no category");
        for endpoint in list(category, "endpoints") {
            if endpoint.is_string() {
                return Err("was cut by PowerShell: write it with ConvertTo-Json -Depth 10".into());
            }
            reader.endpoint(endpoint, kind);
            if reader.targets.len() > MOST_ENTRIES {
                return Err(TOO_MANY.into());
            }
        }
    }
    let mut notices = reader.notices(from);
    if reader.targets.is_empty() {
        notices.push(format!("{from} names no endpoint"));
    }
    Ok(Document {
        imported: Imported {
            document: Kind::Dependencies.word().into(),
            from: from.into(),
            as_of: None,
            endpoints: reader.targets.len(),
        },
        targets: reader.targets,
        view: InstanceView::default(),
        next: text(document, "nextlink").map(str::to_string),
        notices,
    })
}

/// Collects targets, and what is odd about the entries.
#[derive(Debug, Default)]
struct Reader {
    targets: Vec<Target>,
    unknown_categories: Vec<String>,
    no_hosts: Vec<String>,
}

impl Reader {
    fn endpoint(&mut self, endpoint: &Value, kind: &str) {
        let dependency = service::of_category(kind);
        let named = text(endpoint, "domainname");
        let name = named.map(name::parse);
        if let (Some(text), Some(None)) = (named, &name) {
            self.no_hosts.push(format!("\"{text}\" ({kind})"));
            return;
        }
        let mut by_port: BTreeMap<Option<u16>, Vec<IpAddr>> = BTreeMap::new();
        for detail in list(endpoint, "endpointdetails") {
            let port = detail.get("port").and_then(port);
            let addresses = by_port.entry(port).or_default();
            let address = text(detail, "ipaddress").and_then(|text| text.parse().ok());
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
                        .push(format!("an entry without name and address ({kind})"));
                    continue;
                }
                _ => (Place::Addresses(addresses), port),
            };
            if dependency.is_none() && !self.unknown_categories.iter().any(|known| known == kind) {
                self.unknown_categories.push(kind.into());
            }
            let need = (dependency == Some("smtp")).then_some(Need::Documented);
            let target = Target {
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
    }

    fn notices(&self, from: &str) -> Vec<String> {
        let notice =
            |items: &[String], what: &str| (!items.is_empty()).then(|| format!("{from}: {what}: {}", some_of(items)));
        [
            notice(&self.unknown_categories, "unknown categories, probed all the same"),
            notice(&self.no_hosts, "not a host, so not probed"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// A port as a number or, as some tools write it, as text.
fn port(value: &Value) -> Option<u16> {
    let number = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())?;
    u16::try_from(number).ok().filter(|port| *port != 0)
}
