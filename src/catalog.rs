//! The catalog: every documented dependency as data, read from YAML and checked.
//!
//! ```text
//! files ─ tree ─▶ raw records ─ overlay ─▶ one raw catalog ─ lint ─▶ Catalog
//!          └───────────┴──────── problems ────────┴──▶ Errors ─ render ─▶ text
//! ```
//! Every step continues after a mistake, so that one run shows all of them, each with its position and a correction.

mod decode;
mod lint;
pub mod model;
mod overlay;
mod problem;
mod raw;
mod render;
mod settings;
mod tree;

use std::{borrow::Cow, collections::BTreeSet, fmt::Write as _, net::IpAddr, path::Path};

use ring::digest;

pub use model::{
    Catalog, Dependency, EndpointSpec, OF_DOCUMENTS, Retired, SourceMention, SourcePage, SqlGateways, Target,
    title_of_documents,
};
pub use problem::{CatalogErrors, ProblemSummary};
pub use render::render;
pub(crate) use settings::stands_for;
pub use settings::{
    NAME_SERVER, REGION, SETTINGS, SettingDefinition, fill, is_hidden, missing, placeholders, region_name,
};

use decode::Decode as _;
use problem::{ByteRange, Problem, SourceText};

use crate::{azure::Cloud, file, model::Tier, text::nearest};

/// The built-in catalog of the classic tiers, as in the repository.
pub const BUILTIN: &str = include_str!("../probes.yaml");

/// Maximum size of a file, in bytes: the built-in catalog has a hundredth of it.
pub const MAX_SIZE: usize = 4 << 20;

/// Maximum number of problems that are kept: more would only fill memory.
const MAX_PROBLEMS: usize = 1_000;

/// A catalog file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogFile {
    /// The name that errors use for it: its path as given.
    pub name: String,
    /// Its content, which may not be text.
    pub bytes: Vec<u8>,
}

impl CatalogFile {
    /// Reads a file of at most [`MAX_SIZE`].
    pub fn read(path: &Path) -> Result<Self, file::FileReadError> {
        Ok(Self {
            name: path.display().to_string(),
            bytes: file::read(path, MAX_SIZE)?,
        })
    }

    fn builtin(tier: Tier) -> Self {
        let (path, text) = builtin(tier);
        Self {
            name: format!("the built-in {path}"),
            bytes: text.as_bytes().to_vec(),
        }
    }

    fn is_too_large(&self) -> bool {
        self.bytes.len() > MAX_SIZE
    }

    /// How many bytes from its start on are UTF-8.
    fn valid_utf8(&self) -> usize {
        std::str::from_utf8(&self.bytes).map_or_else(|error| error.valid_up_to(), str::len)
    }
}

/// The catalog that is compiled in for a tier: its path in the repository, and its text.
pub fn builtin(tier: Tier) -> (&'static str, &'static str) {
    match tier {
        Tier::Classic => ("probes.yaml", BUILTIN),
        Tier::PremiumV2 => ("tiers/premium-v2.yaml", include_str!("../tiers/premium-v2.yaml")),
        Tier::WorkspaceGateway => (
            "tiers/workspace-gateway.yaml",
            include_str!("../tiers/workspace-gateway.yaml"),
        ),
        Tier::SelfHostedGateway => (
            "tiers/self-hosted-gateway.yaml",
            include_str!("../tiers/self-hosted-gateway.yaml"),
        ),
    }
}

impl Catalog {
    /// The catalog that is compiled in for the classic tiers.
    ///
    /// # Panics
    /// Never in a build whose tests passed: one of them loads it.
    pub fn builtin() -> Self {
        Self::of(Tier::Classic)
    }

    /// The catalog that is compiled in for a tier.
    ///
    /// # Panics
    /// Never in a build whose tests passed: one of them loads each.
    pub fn of(tier: Tier) -> Self {
        load(tier, true, &[]).expect("the built-in catalogs are checked by a test")
    }

    /// Whether hosts can be formed in a cloud.
    ///
    /// # Errors
    ///
    /// What an overlay must define, if they cannot.
    pub fn knows(&self, cloud: Cloud) -> Result<(), String> {
        if self.clouds.contains_key(&cloud) || Cloud::ALL.contains(&cloud) {
            return Ok(());
        }
        let known: BTreeSet<&str> = self.clouds.keys().map(Cloud::as_str).collect();
        let names: BTreeSet<&str> = self
            .clouds
            .values()
            .flat_map(|it| it.keys().map(String::as_str))
            .collect();
        let (known, names) = (
            known.into_iter().collect::<Vec<_>>(),
            names.into_iter().collect::<Vec<_>>(),
        );
        let meant = nearest(cloud.as_str(), &known).map_or_else(String::new, |it| format!(" (did you mean {it}?)"));
        Err(format!(
            "the catalog has no cloud {cloud}, only {}{meant}: add it with --probes, `clouds: {{ {cloud}: {{ … }} }}` \
             with {}; anything else that API Management needs there must be in entries with `clouds: [{cloud}]`",
            known.join(", "),
            names.join(", ")
        ))
    }

    /// The addresses that need a route of their own, in every cloud: those of Windows activation.
    pub fn route_addresses(&self) -> impl Iterator<Item = IpAddr> {
        let clouds = self
            .dependencies
            .iter()
            .flat_map(|dependency| dependency.route_addresses.values());
        clouds.flatten().copied()
    }
}

/// Reads the built-in catalog of a tier, if wanted, and lays the other files over it in order.
///
/// An entry of a later file with a known id replaces the earlier one; without `endpoints` it changes only the keys that
/// it contains; an entry with a new id is added. `clouds` and `sql_gateways` are merged, name by name and region by
/// region; a `source` replaces the earlier one. If no file has a source, its parts are empty.
///
/// # Errors
///
/// Every mistake in every file.
pub fn load(tier: Tier, builtin: bool, overlays: &[CatalogFile]) -> Result<Catalog, CatalogErrors> {
    let builtin = builtin.then(|| CatalogFile::builtin(tier));
    let files: Vec<&CatalogFile> = builtin.iter().chain(overlays).collect();
    let mut problems = Vec::new();
    let mut digest = digest::Context::new(&digest::SHA256);
    let mut merged: Option<raw::Catalog> = None;
    let mut readable = true;
    for (index, file) in files.iter().enumerate() {
        digest.update(&file.bytes);
        let read = text(index, file, &mut problems).and_then(|text| read(index, &text, &mut problems));
        match (read, &mut merged) {
            (Some(over), Some(base)) => overlay::apply(base, over, &mut problems),
            (Some(over), None) => merged = Some(overlay::alone(over, &mut problems)),
            (None, _) => readable = false,
        }
    }
    let sha256 = hexadecimal(digest.finish().as_ref());
    // A file that could not be read may define what the others refer to.
    let catalog = readable.then(|| lint::check(merged.unwrap_or_default(), tier, sha256, &mut problems));
    match catalog {
        Some(catalog) if problems.is_empty() => Ok(catalog),
        _ => {
            problems.sort_by_key(|problem| (problem.at.file(), problem.at.span().start));
            problems.truncate(MAX_PROBLEMS);
            let files = sources(&files);
            Err(CatalogErrors { files, problems })
        }
    }
}

/// The texts that problems point into, for their snippets: of each file, as far as it is text.
fn sources(files: &[&CatalogFile]) -> Vec<SourceText> {
    if files.is_empty() {
        let (name, text) = ("no file".to_owned(), String::new());
        return vec![SourceText { name, text }];
    }
    let source = |file: &&CatalogFile| SourceText {
        name: file.name.clone(),
        text: match file::decode(&file.bytes) {
            _ if file.is_too_large() => String::new(),
            Some(text) => text.into_owned(),
            None => {
                let (text, _) = file.bytes.split_at(file.valid_utf8());
                String::from_utf8_lossy(text).into_owned()
            }
        },
    };
    files.iter().map(source).collect()
}

/// The JSON Schema of a catalog file.
pub fn json_schema() -> schemars::Schema {
    let mut schema = schemars::schema_for!(raw::Catalog);
    schema.insert("title".to_owned(), "probes.yaml".into());
    schema
}

/// The text of a file.
fn text<'a>(index: usize, file: &'a CatalogFile, problems: &mut Vec<Problem>) -> Option<Cow<'a, str>> {
    if file.is_too_large() {
        let message = format!("this file is larger than {} MB", MAX_SIZE >> 20);
        problems.push(Problem::new(
            ByteRange::top_of(index),
            message,
            "if it is a catalog, split it",
        ));
        return None;
    }
    let text = file::decode(&file.bytes);
    if text.is_none() {
        let valid = file.valid_utf8();
        let message = format!("byte 0x{:02X} is not UTF-8 text", file.bytes.get(valid).unwrap_or(&0));
        problems.push(Problem::new(
            ByteRange::new(index, valid..valid),
            message,
            "save the file as UTF-8; a catalog is a text file",
        ));
    }
    text
}

fn read(index: usize, text: &str, problems: &mut Vec<Problem>) -> Option<raw::Catalog> {
    let tree = tree::parse(index, text, problems)?;
    if tree.value == tree::NodeValue::Null {
        problems.push(Problem::new(
            ByteRange::top_of(index),
            "this file is empty",
            "start with `dependencies:`",
        ));
        return None;
    }
    let raw = raw::Catalog::decode(tree, "a catalog", problems)?;
    if let Some(format) = raw.schema.as_ref().filter(|format| format.value != 1) {
        let message = format!("this catalog has format {}, but only format 1 is known", format.value);
        problems.push(Problem::new(
            format.at,
            message,
            "write `schema: 1`, or use a newer apim-probe",
        ));
    }
    Some(raw)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
