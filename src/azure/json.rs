//! Azure's documents in every form that users have them: one reader for every flag that takes one.
//!
//! ```text
//! bytes ─ file::decode ─▶ text ─ form ─▶ JSON ─ entries ─▶ objects of the wanted kind
//!                          │ JSON with noise around it, YAML, tables, lists, CSV
//!                          └──▶ a sentence: what it looks like, and the command that creates the right file
//! ```
//! If another form is complete, it is converted to JSON. What a form omits cannot be guessed, so such a file is refused.
//!
//! Well-formed JSON is not copied: a document is sliced, not loaded, so that four megabytes of service tags only cost the
//! memory for what is kept.

use std::{borrow::Cow, fmt};

use serde_json::value::RawValue;

use crate::{file, text::escape};

mod entries;
mod failure;
mod format;
mod kind;
mod list;
mod node;
mod table;
mod terminal;
mod yaml;

pub use self::{
    format::SourceFormat,
    kind::DocumentKind,
    node::{JsonNode, Object},
};

/// Maximum size of a file, in bytes: eight times the full list of service tags.
pub const MAX_SIZE: usize = 32 << 20;

/// A document that was read as JSON, but whose content has not been parsed yet.
#[derive(Debug)]
pub struct AzureDocument<'a> {
    /// The whole document.
    json: Cow<'a, RawValue>,
    /// The form of the file.
    form: SourceFormat,
    /// The kind that the flag takes.
    wanted: DocumentKind,
}

/// Why a document is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What is wrong with it or what it looks like, worded to follow the file's name.
    pub problem: String,
    wanted: DocumentKind,
    /// Whether PowerShell wrote it.
    powershell: bool,
}

/// The problem, and the command that creates the right file.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}. To get {}: `{}`",
            self.problem,
            self.wanted.documents(),
            self.wanted.command(self.powershell)
        )
    }
}

/// Reads a file that should contain one kind of document.
pub fn parse<T>(
    bytes: &[u8],
    wanted: DocumentKind,
    make: impl FnOnce(&AzureDocument<'_>) -> Result<T, String>,
) -> Result<T, Refusal> {
    let refusal = |problem: String| Refusal {
        problem,
        wanted,
        powershell: false,
    };
    if bytes.len() > MAX_SIZE {
        return Err(refusal(format!("is larger than {} MB", MAX_SIZE >> 20)));
    }
    let text = file::decode(bytes).ok_or_else(|| refusal(format::binary(bytes).into()))?;
    parse_text(&text, wanted, make)
}

/// Reads a text as [`parse`] reads a file.
pub fn parse_text<T>(
    text: &str,
    wanted: DocumentKind,
    make: impl FnOnce(&AzureDocument<'_>) -> Result<T, String>,
) -> Result<T, Refusal> {
    let powershell = format::is_of_powershell(text);
    let result = format::json(text).and_then(|(json, form)| {
        // The code in policies can look like PowerShell's truncation; the reader of an instance checks for that itself.
        if powershell && wanted != DocumentKind::Instance && format::is_cut(json.get()) {
            return Err(
                "was truncated by PowerShell, which replaces anything nested deeper than -Depth with type names".into(),
            );
        }
        make(&AzureDocument { json, form, wanted })
    });
    result.map_err(|problem| Refusal {
        problem: escape(unquoted(&problem, wanted)).into_owned(),
        wanted,
        powershell,
    })
}

/// A problem without the values that it quotes, which may be secrets.
fn unquoted(problem: &str, wanted: DocumentKind) -> &str {
    match problem.split_once(": \"") {
        Some((before, _)) if wanted == DocumentKind::Instance && before.starts_with("shows only part of") => before,
        _ => problem,
    }
}

impl AzureDocument<'_> {
    /// Its entries, below any wrapper: all must be of the wanted kind.
    ///
    /// # Errors
    ///
    /// What it looks like instead.
    pub fn entries(&self) -> Result<Vec<Object<'_>>, String> {
        entries::of(JsonNode::of(&self.json), self.wanted, self.form)
    }

    /// The whole document, for callers that look for several kinds at once.
    pub fn root(&self) -> JsonNode<'_> {
        JsonNode::of(&self.json)
    }

    /// Whether its form may omit values.
    pub fn is_lossy(&self) -> bool {
        self.form.is_lossy()
    }

    /// Whether it is of another kind than the wanted one.
    pub fn is(&self, kind: DocumentKind) -> bool {
        entries::of(self.root(), kind, self.form).is_ok_and(|entries| !entries.is_empty())
    }

    /// What it looks like, if it is of no wanted kind.
    pub fn unlike(&self) -> String {
        entries::unlike(self.root(), self.form)
    }

    /// The link to the next page, if this is one of several.
    pub fn next_link(&self) -> Option<String> {
        let root = JsonNode::of(&self.json).object()?;
        let link = root.text("nextLink").or_else(|| root.text("@odata.nextLink"))?;
        Some(link.trim().to_owned()).filter(|link| !link.is_empty())
    }
}
