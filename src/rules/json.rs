//! Rules as resources of Azure Resource Manager.

use super::{RenderedRules, literal::resources};

/// A list of `{name, properties}`.
pub(super) fn render(rules: &RenderedRules) -> String {
    let json = serde_json::to_string_pretty(&resources(rules)).expect("text, numbers and lists always serialize");
    format!("{json}\n")
}
