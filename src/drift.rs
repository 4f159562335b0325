//! What a newer copy of the documentation says that the catalog does not.
//!
//! ```text
//! the page's Markdown ─ page ─┐
//! an instance's dependencies ─┴▶ Reading ─┐
//! Catalog ─ claims ───────────────────────┴ compare ─▶ Drift ─▶ text | JSON
//! ```
//! What the page adds is certain; what it no longer names is for a person to decide, since instances outlive pages. What
//! could not be read is said, line by line: silence means that everything was read and nothing differs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    azure::Cloud,
    catalog::Catalog,
    import::{DocumentKind, HostOrAddresses, ImportedDocument},
    model::{Direction, ExitStatus, Transport},
    text::words::{count, join},
};

mod claims;
mod compare;
mod host;
mod page;
mod prose;
mod table;
pub mod text;

/// The `schema` of a drift document.
pub const SCHEMA: &str = "apim-probe/drift/v1";

/// A larger page is refused, in bytes: the page has a sixtieth of it.
pub const MAX_SIZE: usize = 1 << 20;

/// How a page differs from the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Drift {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The page.
    pub page: PageInfo,
    /// What the page names and the catalog does not, in the page's order.
    pub added: Vec<PageRow>,
    /// What the catalog has from the page and the page names no more, in the catalog's order.
    pub dropped: Vec<PageRow>,
    /// What both name, with another port, transport or direction.
    pub changed: Vec<RowChange>,
    /// What could not be read, or not be compared, with its line.
    pub unread: Vec<String>,
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Page")]
pub struct PageInfo {
    /// Its title; null where it has none.
    pub title: Option<String>,
    /// Its own date, `YYYY-MM-DD`; null where it has none.
    pub documented: Option<String>,
}

/// One thing that a page asks for; what it leaves open is null.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Row")]
pub struct PageRow {
    /// The host, with what a reader has to fill in in braces; null where a service tag or a port stands alone.
    pub host: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// TCP or UDP.
    pub transport: Option<Transport>,
    /// Which way the traffic flows; `peer` stands for both ways.
    pub direction: Option<Direction>,
    /// The service tag at the other end.
    pub tag: Option<String>,
    /// The cloud.
    pub cloud: Option<Cloud>,
    /// Where the page says so, counted from 1.
    #[serde(skip)]
    pub line: Option<usize>,
}

/// Something that both name, differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Change")]
pub struct RowChange {
    /// As the catalog has it.
    pub before: PageRow,
    /// As the page has it.
    pub after: PageRow,
}

/// What a page or a document says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageReading {
    /// What was read.
    pub page: PageInfo,
    /// All that it asks for, in its order.
    pub rows: Vec<PageRow>,
    /// What could not be read.
    pub unread: Vec<String>,
    /// The anchors of its sections; `None` for a document that is no page, in whose silence nothing is dropped.
    pub sections: Option<Vec<String>>,
}

impl PageReading {
    /// Reads the Markdown of a page, or an instance's `outboundNetworkDependenciesEndpoints` as JSON; `from` is what
    /// messages call it.
    ///
    /// # Errors
    /// A sentence that says what it is instead, or which of its tables has headings that are not known, and where.
    pub fn of(text: &str, from: &str) -> Result<Self, String> {
        let start = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
        if start.starts_with(['{', '[']) && !start.starts_with("[!") {
            return ImportedDocument::read(text, from, DocumentKind::Dependencies, None)
                .map(|document| Self::of_document(&document));
        }
        page::read(text, from)
    }

    fn of_document(document: &ImportedDocument) -> Self {
        let row = |host: String, port| PageRow {
            host: Some(host),
            port,
            direction: Some(Direction::Outbound),
            ..PageRow::default()
        };
        let rows = document.targets.iter().flat_map(|target| match &target.place {
            HostOrAddresses::Host(host) => vec![row(host.to_ascii_lowercase(), target.port)],
            HostOrAddresses::Addresses(addresses) => {
                addresses.iter().map(|it| row(it.to_string(), target.port)).collect()
            }
        });
        Self {
            rows: rows.collect(),
            unread: document.notices.clone(),
            ..Self::default()
        }
    }
}

impl Drift {
    /// Holds what was read against the catalog.
    pub fn between(catalog: &Catalog, reading: PageReading) -> Self {
        compare::compare(catalog, reading)
    }

    /// 1 where anything differs or could not be read, 0 elsewhere.
    pub fn status(&self) -> ExitStatus {
        let parts: Vec<String> = [
            (self.added.len(), "added"),
            (self.changed.len(), "changed"),
            (self.dropped.len(), "dropped"),
            (self.unread.len(), "unread"),
        ]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
        if parts.is_empty() {
            return ExitStatus::new(0, "the catalog matches everything that was read from this page");
        }
        let total = self.added.len() + self.changed.len() + self.dropped.len() + self.unread.len();
        ExitStatus::new(1, format!("{}: {}", count(total, "difference"), join(&parts, ", ")))
    }

    /// The drift as one JSON document.
    pub fn to_json(&self) -> String {
        crate::model::json::pretty(self)
    }
}
