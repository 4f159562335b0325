//! Documents of the instance: the hosts that it uses, and its own status of its network.
//!
//! ```text
//! file or answer ─ azure::json ─▶ entries ─ network_status, dependencies ─▶ Document ─┬─ join ─▶ Catalog + Values ─▶ plan
//!                                                                                     └─ view ─▶ findings
//! ```

use std::{net::IpAddr, path::Path};

use jiff::Timestamp;

use crate::{
    azure::{Cloud, json},
    catalog::{OF_DOCUMENTS, model::Catalog},
    file,
    model::{Imported, Need},
    plan::Values,
};

mod dependencies;
mod host_name;
pub mod instance;
mod join;
mod needs;
mod network_status;
mod service;
pub mod subnets;
pub mod view;

pub use crate::azure::json::DocumentKind;
use instance::Instance;
use view::InstanceView;

/// The id of the dependency for an internal instance's own host names.
pub const OWN_HOSTNAMES: &str = "own-hostnames";

/// Whether a dependency consists of what the instance itself lists.
pub fn is_own(dependency: &str) -> bool {
    OF_DOCUMENTS.contains(&dependency) && dependency != join::OTHER
}

/// Maximum number of entries in a document: the largest instances have a hundred.
const MAX_ENTRIES: usize = 5_000;
const TOO_MANY: &str = "has more than 5000 entries, more than any instance has";

/// One document, read.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedDocument {
    /// Where it is from, what it is, and how old.
    pub imported: Imported,
    /// The targets that the instance connects to.
    pub targets: Vec<InstanceTarget>,
    /// The instance's own status of them; only a network status contains any.
    pub view: InstanceView,
    /// Where the next page of the document is, if this is not all of it.
    pub next: Option<String>,
    /// Notices about it.
    pub notices: Vec<String>,
}

/// Something that the instance connects to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceTarget {
    /// Where it is.
    pub place: HostOrAddresses,
    /// The port, if the document or the kind of resource gives it.
    pub port: Option<u16>,
    /// The id of its dependency, if the kind is known.
    pub dependency: Option<&'static str>,
    /// The document's word for what it is: a resource type or a category.
    pub kind: String,
    /// How much it counts, if the document says so.
    pub need: Option<Need>,
}

/// Where a target is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostOrAddresses {
    /// A host name, in lower case.
    Host(String),
    /// Addresses without a name; at least one.
    Addresses(Vec<IpAddr>),
}

/// The content of all documents together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Imports {
    /// Where it is from, document by document.
    pub documents: Vec<Imported>,
    /// The targets that the instance connects to, each once.
    pub targets: Vec<InstanceTarget>,
    /// The instance's own status of its network.
    pub view: InstanceView,
    /// Notices about the documents.
    pub notices: Vec<String>,
    /// What `--instance` or `--service` provided.
    pub instance: Instance,
}

/// A catalog and names, completed from documents.
#[derive(Debug, Clone, PartialEq)]
pub struct CompletedCatalog {
    /// The catalog.
    pub catalog: Catalog,
    /// The names of the instance.
    pub values: Values,
    /// The instance's own results for single hosts.
    pub remarks: Vec<view::Remark>,
    /// Notices about the documents.
    pub notices: Vec<String>,
}

impl ImportedDocument {
    /// Reads a file that a flag names; `wanted` is what the flag takes.
    ///
    /// # Errors
    ///
    /// One sentence: the file cannot be read or is something else, and the command that creates the right one.
    pub fn load(path: &Path, wanted: DocumentKind) -> Result<Self, String> {
        let (bytes, written) = file::read_dated(path, json::MAX_SIZE).map_err(|error| error.to_string())?;
        let from = file::shown(path);
        let mut document = json::parse(&bytes, wanted, |document| Self::of(document, &from, wanted, None))
            .map_err(|refusal| format!("{from} {refusal}"))?;
        let written = written.and_then(|time| Timestamp::try_from(time).ok());
        document.imported.as_of = document.imported.as_of.or(written);
        Ok(document)
    }

    /// Reads the text of a document. `from` is its name in messages; with `fetched`, the time of a live reply, ages are
    /// measured from that clock.
    ///
    /// # Errors
    ///
    /// As for [`Self::load`].
    pub fn read(text: &str, from: &str, wanted: DocumentKind, fetched: Option<Timestamp>) -> Result<Self, String> {
        let refused = |refusal: json::Refusal| match fetched {
            // No command was run.
            Some(_) => format!("{from} is not {}: it {}", wanted.what(), refusal.problem),
            None => format!("{from} {refusal}"),
        };
        json::parse_text(text, wanted, |document| Self::of(document, from, wanted, fetched)).map_err(refused)
    }

    fn of(
        document: &json::AzureDocument<'_>,
        from: &str,
        wanted: DocumentKind,
        fetched: Option<Timestamp>,
    ) -> Result<Self, String> {
        match wanted {
            DocumentKind::Dependencies => dependencies::read(document, from),
            _ => network_status::read(document, from, fetched),
        }
    }
}

impl Imports {
    /// Combines documents; a target that several of them list is included once.
    pub fn gather(documents: Vec<ImportedDocument>) -> Self {
        let mut imports = Self::default();
        let pages = documents
            .iter()
            .filter(|document| document.imported.document == DocumentKind::Dependencies.word());
        let (pages, unfinished) = pages.fold((0, 0), |(pages, unfinished), page| {
            (pages + 1, unfinished + usize::from(page.next.is_some()))
        });
        // All pages but the last have a link to the next.
        if pages > 0 && unfinished == pages {
            imports.notices.push(
                "the dependencies have another page (nextLink): fetch it and pass it with another --dependencies"
                    .into(),
            );
        }
        for document in documents {
            imports.documents.push(document.imported);
            imports.view.locations.extend(document.view.locations);
            imports.notices.extend(document.notices);
            for target in document.targets {
                add(&mut imports.targets, target);
            }
        }
        imports
    }

    /// Adds the targets to the catalog and the names of the instance: matching ones replace placeholders.
    ///
    /// # Errors
    ///
    /// One sentence if the instance is in another cloud than `cloud`.
    pub fn join(
        &self,
        catalog: Catalog,
        values: &Values,
        cloud: Cloud,
        region: Option<&str>,
    ) -> Result<CompletedCatalog, String> {
        let needs = needs::of(&self.instance, cloud, region);
        let mut all = self.targets.clone();
        let mut values = values.clone();
        for target in needs.targets {
            add(&mut all, target);
        }
        for known in needs.values {
            if join::has_setting(&catalog, known.setting) {
                values.add(known.setting, [known.value]);
            } else {
                known.hosts.into_iter().for_each(|target| add(&mut all, target));
            }
        }
        let other = self
            .instance
            .other_cloud(cloud)
            .or_else(|| join::other_cloud(&catalog, &all, cloud));
        if let Some((other, host)) = other {
            let files: Vec<&str> = self.documents.iter().map(|document| document.from.as_str()).collect();
            return Err(format!(
                "{} describes an instance in the {other} cloud ({host}), but the plan is for the {cloud} cloud: pass \
                 --cloud {other}, or the right instance's document",
                files.join(", ")
            ));
        }
        let mut joined = join::join(catalog, &values, &all, cloud, region);
        join::append(&mut joined.catalog, needs.dependencies);
        let notices = self.notices.iter().chain(&self.instance.notices).cloned();
        let notices = notices
            .chain(joined.notices)
            .chain(needs.notices)
            .chain(self.place(region));
        Ok(CompletedCatalog {
            notices: notices.collect(),
            remarks: needs.remarks,
            ..joined
        })
    }

    /// With what `--instance` or `--service` provided.
    #[must_use]
    pub fn of(self, instance: Instance) -> Self {
        let mut documents = self.documents;
        documents.extend(instance.imported.iter().cloned());
        Self {
            documents,
            instance,
            ..self
        }
    }

    /// The only region with a status; `None` for several.
    pub fn only_region(&self) -> Option<&str> {
        let mut regions = self.view.locations.iter().map(|location| location.region.as_deref());
        let first = regions.next()??;
        regions.all(|other| other == Some(first)).then_some(first)
    }

    /// A notice if the instance's regions differ from the run's.
    fn place(&self, region: Option<&str>) -> Option<String> {
        let theirs: Vec<&str> = self
            .view
            .locations
            .iter()
            .filter_map(|location| location.region.as_deref())
            .collect();
        match region {
            None => theirs
                .first()
                .map(|first| format!("the instance runs in {}: pass --region {first}", theirs.join(", "))),
            Some(region) if !theirs.is_empty() && !theirs.contains(&region) => Some(format!(
                "the instance runs in {}, but this run is for {region}",
                theirs.join(", ")
            )),
            Some(_) => None,
        }
    }
}

/// Adds a target, unless it already exists with this place and port.
fn add(targets: &mut Vec<InstanceTarget>, target: InstanceTarget) {
    let same = |known: &&mut InstanceTarget| known.place == target.place && known.port == target.port;
    match targets.iter_mut().find(same) {
        Some(known) => {
            known.need = known.need.into_iter().chain(target.need).min();
            known.dependency = known.dependency.or(target.dependency);
        }
        None => targets.push(target),
    }
}

/// Up to three of many, for a notice.
fn some_of(items: &[String]) -> String {
    let named: Vec<&str> = items.iter().map(String::as_str).collect();
    crate::text::words::list(&named, 3)
}
