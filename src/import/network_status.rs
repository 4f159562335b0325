//! The instance's network status: `GET …/service/{name}/networkstatus`, of one region or of all.

use std::borrow::Cow;

use jiff::{SignedDuration, Timestamp};

use super::{
    DocumentKind, HostOrAddresses, ImportedDocument, InstanceTarget, MAX_ENTRIES, TOO_MANY, host_name,
    service::{self, Meaning},
    some_of,
    view::{InstanceView, Location, ReportedStatus, StatusState, StatusSubject},
};
use crate::{
    azure::json::{self, JsonNode, Object},
    catalog::region_name,
    model::{Imported, Need},
    text::one_line,
};

/// Maximum length of its text about a failure, in characters.
const MAX_ERROR: usize = 400;
/// How often the instance checks, according to its documentation; an entry that is older than this has lost its
/// connection.
const EVERY: SignedDuration = SignedDuration::from_mins(15);

/// Reads a document in any form: the regions of an instance, one region, PowerShell's words for them, or only the
/// entries, as `--query` and `Format-List` leave them.
pub(super) fn read(
    document: &json::AzureDocument<'_>,
    from: &str,
    fetched: Option<Timestamp>,
) -> Result<ImportedDocument, String> {
    let mut reader = NetworkStatusReader::default();
    let (regions, entries): (Vec<_>, Vec<_>) = document.entries()?.into_iter().partition(is_region);
    let mut locations = regions
        .iter()
        .map(|region| reader.location(region))
        .collect::<Result<Vec<_>, _>>()?;
    if !entries.is_empty() {
        reader.is_bare = true;
        locations.push(Location {
            statuses: reader.statuses(&entries)?,
            ..Location::default()
        });
    }
    let mut view = InstanceView {
        locations,
        ..InstanceView::default()
    };
    let newest = statuses(&view).filter_map(|status| status.updated).max();
    mark_stale(&mut view, fetched.max(newest));
    let mut notices = reader.notices(from);
    if statuses(&view).next().is_none() {
        notices.push(format!("{from} contains no dependencies"));
    }
    Ok(ImportedDocument {
        imported: Imported {
            document: DocumentKind::NetworkStatus.word().into(),
            from: from.into(),
            as_of: newest,
            endpoints: reader.targets.len(),
        },
        targets: reader.targets,
        view,
        next: None,
        notices,
    })
}

fn is_region(entry: &Object<'_>) -> bool {
    ["networkStatus", "connectivityStatus", "dnsServers"]
        .iter()
        .any(|key| entry.has(key))
}

fn statuses(view: &InstanceView) -> impl Iterator<Item = &ReportedStatus> {
    view.locations.iter().flat_map(|location| &location.statuses)
}

fn mark_stale(view: &mut InstanceView, newest: Option<Timestamp>) {
    for status in view.locations.iter_mut().flat_map(|location| &mut location.statuses) {
        status.is_stale =
            matches!((newest, status.updated), (Some(newest), Some(updated)) if newest.duration_since(updated) > EVERY);
    }
}

/// Collects targets, and notices about the entries.
#[derive(Debug, Default)]
struct NetworkStatusReader {
    /// Whether there are entries without their region and its name servers.
    is_bare: bool,
    entries: usize,
    targets: Vec<InstanceTarget>,
    unknown_types: Vec<String>,
    unknown_states: Vec<String>,
    no_hosts: Vec<String>,
    repeated: Vec<String>,
    odd_times: Vec<String>,
}

impl NetworkStatusReader {
    fn location(&mut self, region: &Object<'_>) -> Result<Location, String> {
        const CUT: &str = "has statuses that are not objects";
        // An instance that is being activated has none yet.
        let inner = region
            .get("networkStatus")
            .filter(|inner| !inner.is_null())
            .map(JsonNode::object);
        let status = match &inner {
            Some(inner) => inner.as_ref().ok_or(CUT)?,
            None => region,
        };
        let entries = status.list("connectivityStatus");
        if entries.iter().any(|entry| entry.is_string()) {
            return Err(CUT.into());
        }
        let entries: Vec<Object<'_>> = entries.into_iter().filter_map(JsonNode::object).collect();
        Ok(Location {
            region: region.filled("location").and_then(|name| region_name(&name)),
            name_servers: status
                .get("dnsServers")
                .map(JsonNode::words)
                .unwrap_or_default()
                .into_iter()
                .map(Cow::into_owned)
                .collect(),
            statuses: self.statuses(&entries)?,
        })
    }

    fn statuses(&mut self, entries: &[Object<'_>]) -> Result<Vec<ReportedStatus>, String> {
        self.entries += entries.len();
        if self.entries > MAX_ENTRIES {
            return Err(TOO_MANY.into());
        }
        let mut statuses: Vec<ReportedStatus> = Vec::new();
        for entry in entries {
            let Some(status) = self.entry(entry) else { continue };
            match statuses.iter_mut().find(|known| known.name == status.name) {
                Some(known) => {
                    self.repeated.push(status.name.clone());
                    if status.updated > known.updated {
                        *known = status;
                    }
                }
                None => statuses.push(status),
            }
        }
        Ok(statuses)
    }

    fn entry(&mut self, entry: &Object<'_>) -> Option<ReportedStatus> {
        let Some(name) = entry.filled("name") else {
            self.no_hosts.push("an entry without a name".into());
            return None;
        };
        let kind = entry.filled("resourceType").unwrap_or("no type".into());
        let state = self.state(&name, &entry.filled("status").unwrap_or_default());
        Some(ReportedStatus {
            subject: self.subject(&name, &kind, entry.flag("isOptional")),
            state,
            error: entry.filled("error").map(|error| one_line(&error, MAX_ERROR)),
            updated: self.time(entry, "lastUpdated"),
            since: self.time(entry, "lastStatusChange"),
            is_stale: false,
            name: name.into_owned(),
        })
    }

    /// A time as Azure writes it (RFC 3339), or as Windows PowerShell does: `/Date(1700000000000)/`. The output of
    /// `Format-List` depends on the machine's locale.
    fn time(&mut self, entry: &Object<'_>, key: &str) -> Option<Timestamp> {
        let text = entry.filled(key)?;
        let milliseconds = text.strip_prefix("/Date(").and_then(|rest| rest.strip_suffix(")/"));
        let time = match milliseconds {
            Some(milliseconds) => Timestamp::from_millisecond(milliseconds.parse().ok()?).ok(),
            None => text.parse().ok(),
        };
        if time.is_none() && key == "lastUpdated" {
            self.odd_times.push(format!("\"{text}\""));
        }
        time
    }

    fn state(&mut self, name: &str, word: &str) -> StatusState {
        match word.to_ascii_lowercase().as_str() {
            "success" => StatusState::Success,
            "failure" => StatusState::Failure,
            "initializing" => StatusState::Initializing,
            _ => {
                self.unknown_states.push(format!("\"{word}\" ({name})"));
                StatusState::Other(word.into())
            }
        }
    }

    fn subject(&mut self, name: &str, kind: &str, is_optional: Option<bool>) -> StatusSubject {
        let (meaning, parsed) = (service::of_resource_type(kind), host_name::parse(name));
        let (dependency, usual_port) = match meaning {
            Some(Meaning::Inbound) => {
                return StatusSubject::Inbound {
                    port: parsed.and_then(|(_, port)| port),
                };
            }
            Some(Meaning::Internal) => return StatusSubject::Internal,
            Some(Meaning::Outbound(dependency, port)) => (Some(dependency), port),
            None => (None, None),
        };
        let Some((place, port)) = parsed else {
            self.no_hosts.push(format!("\"{name}\" ({kind})"));
            return StatusSubject::Internal;
        };
        let port = port.or(usual_port);
        if dependency.is_none() {
            self.unknown_types.push(format!("\"{kind}\" ({name})"));
        }
        let need = match is_optional {
            // The instance no longer needs its old mail server.
            _ if dependency == Some("smtp") => Some(Need::Documented),
            Some(true) => Some(Need::Feature),
            Some(false) => Some(Need::Required),
            None => None,
        };
        let host = match &place {
            HostOrAddresses::Host(host) => host.clone(),
            HostOrAddresses::Addresses(addresses) => addresses.first().map(ToString::to_string).unwrap_or_default(),
        };
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
        StatusSubject::Outbound { host, port }
    }

    fn notices(&self, from: &str) -> Vec<String> {
        let notice =
            |items: &[String], what: &str| (!items.is_empty()).then(|| format!("{from}: {what}: {}", some_of(items)));
        [
            notice(&self.unknown_types, "unknown resource types, probed anyway"),
            notice(&self.unknown_states, "unknown statuses"),
            notice(&self.no_hosts, "not host names, so not probed"),
            notice(&self.repeated, "listed twice, using the newer entry"),
            notice(&self.odd_times, "times without a time zone, so ages are not compared"),
            self.is_bare.then(|| {
                format!("{from} does not contain the region and name servers, so they are not compared with this VM's")
            }),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
