//! YAML, as `az -o yaml` writes complete documents.

use serde_json::Value;

/// The list or mapping in a text; `None` for anything else, and for anything larger or deeper than such a document.
pub(super) fn parse(text: &str) -> Option<Value> {
    let options = serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_depth: 24,
            flow_nesting_limit: 24,
            max_documents: 1,
            max_nodes: 1_000_000,
            max_events: 3_000_000,
            max_aliases: 10_000,
            max_recorded_anchor_events: 100_000,
        },
        alias_limits: serde_yaml::alias_limits! {
            max_total_replayed_events: 200_000,
        },
        strict_booleans: true,
        with_snippet: false,
    };
    let value: Value = serde_yaml::from_str_with_options(text, options).ok()?;
    (value.is_array() || value.is_object()).then_some(value)
}
