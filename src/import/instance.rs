//! An instance's own documents: its settings, and the lists of what it connects to.
//!
//! ```text
//! file ─ sorted ─┐
//!                ├─▶ (Part, JSON) ─ add ─▶ Instance: typed, and without a secret
//! answers ───────┘
//! ```
//! A *bundle* is a JSON object whose keys are those of [`InstancePart`] and whose values are the management API's replies,
//! or lists of its replies, page by page. Only what leads to a host or explains one is read: credentials, passwords, keys
//! and everything after the host of a URL are ignored.

mod classify;
mod link;
mod names;
mod part;
mod policy;
mod records;
mod service;

use std::path::Path;

use jiff::Timestamp;

use super::{ImportedDocument, MAX_ENTRIES};
use crate::{
    azure::{
        Cloud,
        json::{self, DocumentKind, JsonNode},
    },
    file,
    model::Imported,
};

use self::part::{EntryType, instance_of};
pub(super) use self::{
    link::UrlOrigin,
    policy::{ApimPolicy, Mention, PolicyScope},
    records::{Api, Backend, NamedValue, Records, Vault},
};
pub use self::{
    names::OwnName,
    part::InstancePart,
    service::{HostName, InstanceLocation as Location, Role, ServiceResource},
};

/// The content of one file about the instance: what [`Instance`] holds, and documents of the network.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The instance, as far as the file describes it.
    pub instance: Instance,
    /// A network status, or outbound dependencies.
    pub documents: Vec<ImportedDocument>,
}

/// Everything that documents contain about one instance.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Instance {
    /// Its resource id, in lower case, if a document contains it.
    pub id: Option<String>,
    /// The instance itself.
    pub service: Option<ServiceResource>,
    /// Its lists.
    pub(super) records: Records,
    /// Where all of it is from.
    pub imported: Vec<Imported>,
    /// Notices about it.
    pub notices: Vec<String>,
}

impl Instance {
    /// Reads a file that `--instance` names: one document, a list, a page of one, or a bundle.
    ///
    /// # Errors
    ///
    /// One sentence: the file cannot be read, or is something else.
    pub fn load(path: &Path) -> Result<Loaded, String> {
        let (bytes, written) = file::read_dated(path, json::MAX_SIZE).map_err(|error| error.to_string())?;
        let from = file::shown(path);
        let mut loaded = json::parse(&bytes, DocumentKind::Instance, |document| Self::sorted(document, &from))
            .map_err(|refusal| format!("{from} {refusal}"))?;
        let written = written.and_then(|time| Timestamp::try_from(time).ok());
        for imported in &mut loaded.instance.imported {
            imported.as_of = imported.as_of.or(written);
        }
        Ok(loaded)
    }

    /// Reads the text of a file like [`Instance::load`]; `from` is its name in messages.
    ///
    /// # Errors
    ///
    /// As for [`Instance::load`].
    pub fn read(text: &str, from: &str) -> Result<Loaded, String> {
        json::parse_text(text, DocumentKind::Instance, |document| Self::sorted(document, from))
            .map_err(|refusal| format!("{from} {refusal}"))
    }

    fn sorted(document: &json::AzureDocument<'_>, from: &str) -> Result<Loaded, String> {
        let sorted = classify::sorted(document)?;
        let mut loaded = Loaded::default();
        for (kind, text) in sorted.of_the_network {
            let of = |document: &json::AzureDocument<'_>| ImportedDocument::of(document, from, kind, None);
            let read = json::parse_text(text, kind, of).map_err(|refusal| refusal.problem)?;
            loaded.documents.push(read);
        }
        let instance = &mut loaded.instance;
        for (part, node) in sorted.entries {
            instance.entry(part, node, from)?;
        }
        instance
            .notices
            .extend(sorted.notices.into_iter().map(|notice| format!("{from} {notice}")));
        instance.note(from);
        Ok(loaded)
    }

    /// Reads one reply of the management API: a resource, or a page of a list. `from` is the sender.
    ///
    /// # Errors
    ///
    /// One sentence, which begins with what is wrong: "is not JSON".
    pub fn add(&mut self, part: InstancePart, answer: &str, from: &str) -> Result<(), String> {
        let root = JsonNode::parse(answer).ok_or("is not JSON")?;
        let object = root.object().ok_or("is not a JSON object")?;
        match object.own("value").filter(|_| EntryType::of(&object).is_none()) {
            Some(list) => {
                for item in list.items().ok_or("has a value that is not a list")? {
                    self.entry(part, item, from)?;
                }
            }
            None => self.entry(part, root, from)?,
        }
        self.note(from);
        Ok(())
    }

    /// Combines two.
    ///
    /// # Errors
    ///
    /// One sentence if they are from two instances.
    pub fn and(mut self, other: Self) -> Result<Self, String> {
        if let (Some(one), Some(two)) = (&self.id, &other.id)
            && one != two
        {
            return Err(two_instances(one, two));
        }
        self.id = self.id.or(other.id);
        self.service = other.service.or(self.service);
        self.records.extend(other.records);
        for imported in other.imported {
            self.count(&imported.from, imported.endpoints, imported.as_of);
        }
        self.notices.extend(other.notices);
        Ok(self)
    }

    /// A cloud other than `cloud` that the instance is in, according to a host name from Azure, and that name.
    pub(super) fn other_cloud(&self, cloud: Cloud) -> Option<(Cloud, String)> {
        let names = self.service.iter().flat_map(|service| &service.host_names);
        let mut default = names.filter_map(|name| Some((service::cloud_of(&name.host)?, &name.host)));
        let (theirs, host) = default.next()?;
        (theirs != cloud).then(|| (theirs, host.clone()))
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.service.is_none() && self.records.count() == 0 && self.imported.is_empty()
    }

    fn entry(&mut self, part: InstancePart, node: JsonNode<'_>, from: &str) -> Result<(), String> {
        let Some(entry) = node.object() else {
            return Err(format!("has an entry of {} that is not an object", part.key()));
        };
        let part = match EntryType::of(&entry) {
            Some(EntryType::Foreign(kind)) => {
                return Err(part::foreign(&kind));
            }
            Some(EntryType::OtherPart(_)) => return Ok(()),
            Some(EntryType::Part(part)) => part,
            None => part,
        };
        if let Some(id) = instance_of(&entry) {
            match &self.id {
                Some(known) if *known != id => return Err(two_instances(known, &id)),
                _ => self.id = Some(id),
            }
        }
        match part {
            InstancePart::Service => {
                let service = ServiceResource::of(&entry);
                self.notices.extend(service.notices(from));
                self.service = Some(service);
            }
            _ => self.records.add(part, &entry),
        }
        if self.records.count() > MAX_RECORDS {
            return Err(format!(
                "has more than {MAX_RECORDS} entries, more than any instance has"
            ));
        }
        Ok(())
    }

    /// Records how much a source provided.
    fn note(&mut self, from: &str) {
        let known: usize = self.imported.iter().map(|imported| imported.endpoints).sum();
        let all = self.records.count() + usize::from(self.service.is_some());
        self.count(from, all - known.min(all), None);
    }

    fn count(&mut self, from: &str, entries: usize, as_of: Option<Timestamp>) {
        match self.imported.iter_mut().find(|imported| imported.from == from) {
            Some(imported) => imported.endpoints += entries,
            None => self.imported.push(Imported {
                document: DocumentKind::Instance.word().into(),
                from: from.into(),
                as_of,
                endpoints: entries,
            }),
        }
    }
}

/// Maximum number of entries: four times what the largest tier allows in total.
const MAX_RECORDS: usize = 20 * MAX_ENTRIES;

fn two_instances(one: &str, two: &str) -> String {
    format!("is from a different instance than the others: {two}, not {one}")
}

/// The resource ids of the entries of a list that have policies of their own, below `…/policies`. Revisions of an API that
/// are not current are left out.
pub fn scopes(part: InstancePart, answer: &str) -> Vec<String> {
    let entries = JsonNode::parse(answer)
        .and_then(JsonNode::object)
        .map(|page| page.list("value"));
    let entries = entries.unwrap_or_default().into_iter().filter_map(JsonNode::object);
    let is_current =
        |name: &str, current: Option<bool>| part != InstancePart::Apis || current.unwrap_or(!name.contains(";rev="));
    entries
        .filter(|entry| is_current(&entry.filled("name").unwrap_or_default(), entry.flag("isCurrent")))
        .filter_map(|entry| entry.filled("id").map(std::borrow::Cow::into_owned))
        .collect()
}
