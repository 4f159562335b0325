//! The JSON Schemas (draft 2020-12) of everything that programs read from us, and of what we read from people.
//!
//! They are derived from the types that are written and read, so they always match these. The derived schemas are checked
//! in, and the binary prints those files: the code that derives them would take a fortieth of the binary.

use schemars::{JsonSchema, Schema, generate::SchemaSettings};

use crate::{catalog, compare, diff, drift, model, plan, watch};

/// A document with a schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Document {
    /// What `run` and `watch` write with `--output FILE.json`.
    Report,
    /// What `list --format json` prints.
    Plan,
    /// What `diff --format json` prints.
    Diff,
    /// What `compare --format json` prints.
    Compare,
    /// What `drift --format json` prints.
    Drift,
    /// One line of `watch --format jsonl`.
    Change,
    /// A probes.yaml.
    Probes,
}

impl Document {
    /// Its schema as a document, as `schemas/` has it: a test compares it with what [`Document::render`] makes.
    pub fn text(self) -> &'static str {
        match self {
            Self::Report => include_str!("../schemas/report.json"),
            Self::Plan => include_str!("../schemas/plan.json"),
            Self::Diff => include_str!("../schemas/diff.json"),
            Self::Compare => include_str!("../schemas/compare.json"),
            Self::Drift => include_str!("../schemas/drift.json"),
            Self::Change => include_str!("../schemas/change.json"),
            Self::Probes => include_str!("../schemas/probes.json"),
        }
    }

    /// Its schema, made from the types.
    pub fn schema(self) -> Schema {
        match self {
            Self::Report => written::<model::Report>(model::SCHEMA),
            Self::Plan => written::<plan::document::PlanDocument>(plan::document::SCHEMA),
            Self::Diff => written::<diff::Diff>(diff::SCHEMA),
            Self::Compare => written::<compare::Comparison>(compare::SCHEMA),
            Self::Drift => written::<drift::Drift>(drift::SCHEMA),
            Self::Change => written::<watch::Change>(watch::change::SCHEMA),
            Self::Probes => catalog::json_schema(),
        }
    }

    /// The same as a document, with a line feed at its end.
    ///
    /// # Panics
    ///
    /// Never: a schema is JSON.
    pub fn render(self) -> String {
        let mut text = serde_json::to_string_pretty(&self.schema()).expect("a schema is JSON");
        text.push('\n');
        text
    }
}

/// The schema of a document that we write; its `schema` key always has one value.
fn written<T: JsonSchema>(name: &str) -> Schema {
    let generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let mut schema = generator.into_root_schema_for::<T>();
    schema.insert("title".into(), name.into());
    if let Some(key) = schema
        .pointer_mut("/properties/schema")
        .and_then(|key| key.as_object_mut())
    {
        key.insert("description".into(), "The kind of document.".into());
        key.insert("const".into(), name.into());
    }
    schema
}
