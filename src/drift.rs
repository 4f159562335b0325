//! What a newer copy of the documentation says that the catalog does not.
//!
//! ```text
//! the page's Markdown ─ page ─┐
//! an instance's dependencies ─┴▶ Reading ─┐
//! Catalog ─ claims ───────────────────────┴ compare ─▶ Drift ─▶ text | JSON
//! ```
//! What the page adds is certain. A person must decide about what it no longer lists, since instances may still need it. What
//! could not be read is reported line by line, so an empty report means that everything was read and nothing differs.

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

/// Maximum size of a page, in bytes: the page has a sixtieth of it.
pub const MAX_SIZE: usize = 1 << 20;

/// How a page differs from the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Drift {
    /// Always [`SCHEMA`].
    pub schema: String,
    /// The page.
    pub page: PageInfo,
    /// What the page lists and the catalog lacks, in the page's order.
    pub added: Vec<PageRow>,
    /// What the catalog has from the page and the page no longer lists, in the catalog's order.
    pub dropped: Vec<PageRow>,
    /// What both list, with a different port, transport or direction.
    pub changed: Vec<RowChange>,
    /// What could not be read or compared, with its line.
    pub unread: Vec<String>,
}

/// The page or document that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Page")]
pub struct PageInfo {
    /// Its title; null if it has none.
    pub title: Option<String>,
    /// Its own date, `YYYY-MM-DD`; null if it has none.
    pub documented: Option<String>,
}

/// One thing that a page requires; what it leaves open is null.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Row")]
pub struct PageRow {
    /// The host, with placeholders in braces; null if only a service tag or a port is given.
    pub host: Option<String>,
    /// The port.
    pub port: Option<u16>,
    /// TCP or UDP.
    pub transport: Option<Transport>,
    /// Which way the traffic flows; `peer` means both ways.
    pub direction: Option<Direction>,
    /// The service tag at the other end.
    pub tag: Option<String>,
    /// The cloud.
    pub cloud: Option<Cloud>,
    /// The line on the page, from 1.
    #[serde(skip)]
    pub line: Option<usize>,
}

/// Something that both list, differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Change")]
pub struct RowChange {
    /// As the catalog has it.
    pub before: PageRow,
    /// As the page has it.
    pub after: PageRow,
}

/// The content of a page or a document.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageReading {
    /// What was read.
    pub page: PageInfo,
    /// Everything that it requires, in its order.
    pub rows: Vec<PageRow>,
    /// What could not be read.
    pub unread: Vec<String>,
    /// The anchors of its sections; `None` for a document that is not a page, which cannot drop anything.
    pub sections: Option<Vec<String>>,
}

impl PageReading {
    /// Reads the Markdown of a page, or an instance's `outboundNetworkDependenciesEndpoints` as JSON; `from` is its
    /// name in messages.
    ///
    /// # Errors
    ///
    /// A sentence that says what it is instead, or which of its tables has unknown headings, and where.
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
    /// Compares what was read with the catalog.
    pub fn between(catalog: &Catalog, reading: PageReading) -> Self {
        compare::compare(catalog, reading)
    }

    /// 1 if anything differs or could not be read, else 0.
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
