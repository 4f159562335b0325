//! The instance's network status: `GET …/service/{name}/networkstatus`, of one region or of all.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::{
    Document, Kind, MOST_ENTRIES, Place, TOO_MANY, Target,
    json::{list, text},
    name,
    service::{self, Meaning},
    some_of,
    view::{InstanceView, Location, State, Status, Subject},
};
use crate::{
    catalog::region_name,
    model::{Imported, Need},
};

/// How often the instance looks, as its documentation says; an entry that is further behind has lost its connection.
const EVERY: SignedDuration = SignedDuration::from_mins(15);

/// Reads a document of any of its shapes: the regions of an instance, one region, or PowerShell's words for them.
pub(super) fn read(document: &Value, from: &str, fetched: Option<Timestamp>) -> Result<Document, String> {
    let mut reader = Reader::default();
    let wrapped: Vec<&Value> = list(document, "value").collect();
    let items = match document {
        Value::Array(items) => items.iter().collect(),
        _ if wrapped.is_empty() => vec![document],
        _ => wrapped,
    };
    let locations = items
        .into_iter()
        .map(|item| reader.location(item))
        .collect::<Result<Vec<_>, _>>()?;
    let mut view = InstanceView { locations };
    let newest = statuses(&view).filter_map(|status| status.updated).max();
    mark_stale(&mut view, fetched.max(newest));
    let mut notices = reader.notices(from);
    if statuses(&view).next().is_none() {
        notices.push(format!("{from} says nothing of any dependency"));
    }
    Ok(Document {
        imported: Imported {
            document: Kind::NetworkStatus.word().into(),
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

fn statuses(view: &InstanceView) -> impl Iterator<Item = &Status> {
    view.locations.iter().flat_map(|location| &location.statuses)
}

fn mark_stale(view: &mut InstanceView, newest: Option<Timestamp>) {
    for status in view.locations.iter_mut().flat_map(|location| &mut location.statuses) {
        status.is_stale =
            matches!((newest, status.updated), (Some(newest), Some(updated)) if newest.duration_since(updated) > EVERY);
    }
}

/// Collects targets, and what is odd about the entries.
#[derive(Debug, Default)]
struct Reader {
    entries: usize,
    targets: Vec<Target>,
    unknown_types: Vec<String>,
    unknown_states: Vec<String>,
    no_hosts: Vec<String>,
    repeated: Vec<String>,
}

impl Reader {
    fn location(&mut self, item: &Value) -> Result<Location, String> {
        let status = item.get("networkstatus").unwrap_or(item);
        let entries: Vec<&Value> = list(status, "connectivitystatus").collect();
        if status.is_string() || entries.iter().any(|entry| entry.is_string()) {
            return Err("was cut by PowerShell: write it with ConvertTo-Json -Depth 10".into());
        }
        self.entries += entries.len();
        if self.entries > MOST_ENTRIES {
            return Err(TOO_MANY.into());
        }
        let mut statuses: Vec<Status> = Vec::new();
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
        Ok(Location {
            region: text(item, "location").and_then(region_name),
            name_servers: list(status, "dnsservers")
                .filter_map(Value::as_str)
                .map(str::to_string)
                .collect(),
            statuses,
        })
    }

    fn entry(&mut self, entry: &Value) -> Option<Status> {
        let Some(name) = text(entry, "name") else {
            self.no_hosts.push("an entry without a name".into());
            return None;
        };
        let kind = text(entry, "resourcetype").unwrap_or("no type");
        let state = self.state(name, text(entry, "status").unwrap_or_default());
        Some(Status {
            name: name.into(),
            subject: self.subject(name, kind, entry.get("isoptional").and_then(Value::as_bool)),
            state,
            error: text(entry, "error").map(str::to_string),
            updated: time(entry, "lastupdated"),
            since: time(entry, "laststatuschange"),
            is_stale: false,
        })
    }

    fn state(&mut self, name: &str, word: &str) -> State {
        match word.to_ascii_lowercase().as_str() {
            "success" => State::Success,
            "failure" => State::Failure,
            "initializing" => State::Initializing,
            _ => {
                self.unknown_states.push(format!("\"{word}\" ({name})"));
                State::Other(word.into())
            }
        }
    }

    fn subject(&mut self, name: &str, kind: &str, is_optional: Option<bool>) -> Subject {
        let (meaning, parsed) = (service::of_resource_type(kind), name::parse(name));
        let (dependency, usual_port) = match meaning {
            Some(Meaning::Inbound) => {
                return Subject::Inbound {
                    port: parsed.and_then(|(_, port)| port),
                };
            }
            Some(Meaning::Internal) => return Subject::Internal,
            Some(Meaning::Outbound(dependency, port)) => (Some(dependency), port),
            None => (None, None),
        };
        let Some((place, port)) = parsed else {
            self.no_hosts.push(format!("\"{name}\" ({kind})"));
            return Subject::Internal;
        };
        let port = port.or(usual_port);
        if dependency.is_none() {
            self.unknown_types.push(format!("\"{kind}\" ({name})"));
        }
        let need = match is_optional {
            // Nothing that the instance does today needs its old mail server.
            _ if dependency == Some("smtp") => Some(Need::Documented),
            Some(true) => Some(Need::Feature),
            Some(false) => Some(Need::Required),
            None => None,
        };
        let host = match &place {
            Place::Host(host) => host.clone(),
            Place::Addresses(addresses) => addresses.first().map(ToString::to_string).unwrap_or_default(),
        };
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
        Subject::Outbound { host, port }
    }

    fn notices(&self, from: &str) -> Vec<String> {
        let notice =
            |items: &[String], what: &str| (!items.is_empty()).then(|| format!("{from}: {what}: {}", some_of(items)));
        [
            notice(&self.unknown_types, "unknown resource types, probed all the same"),
            notice(&self.unknown_states, "unknown statuses"),
            notice(&self.no_hosts, "not a host, so not probed"),
            notice(&self.repeated, "named twice, the newer entry counts"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// A time as Azure writes it (RFC 3339), or as Windows PowerShell does: `/Date(1700000000000)/`.
fn time(entry: &Value, key: &str) -> Option<Timestamp> {
    let text = text(entry, key)?;
    if let Some(milliseconds) = text.strip_prefix("/Date(").and_then(|rest| rest.strip_suffix(")/")) {
        return Timestamp::from_millisecond(milliseconds.parse().ok()?).ok();
    }
    text.parse().ok()
}
