//! Azure's answer to a check.

use jiff::Timestamp;
use serde_json::Value;

use crate::{
    model::{FromInstance, InstanceHop},
    text::one_line,
};

/// Maximum number of hops and issues that are kept.
const MAX_ITEMS: usize = 30;
/// Maximum length of Azure's words, in characters.
const MAX_CHARACTERS: usize = 200;

/// Reads the result of a check over `protocol`.
///
/// # Errors
/// What is wrong with it, in a few words.
pub fn read(answer: &str, protocol: &str, at: Timestamp) -> Result<FromInstance, String> {
    let answer: Value = serde_json::from_str(answer).map_err(|_| "the reply is not JSON".to_string())?;
    let status = answer["connectionStatus"].as_str().filter(|status| !status.is_empty());
    let status = status.ok_or("the reply has no connectionStatus")?;
    let hops = answer["hops"].as_array().into_iter().flatten().take(MAX_ITEMS);
    Ok(FromInstance {
        status: one_line(status, MAX_CHARACTERS),
        at,
        protocol: protocol.into(),
        probes_sent: answer["probesSent"].as_u64(),
        probes_failed: answer["probesFailed"].as_u64(),
        hops: hops.map(hop).collect(),
    })
}

fn hop(hop: &Value) -> InstanceHop {
    let issues = hop["issues"].as_array().into_iter().flatten().take(MAX_ITEMS);
    InstanceHop {
        kind: one_line(hop["type"].as_str().unwrap_or("unknown"), MAX_CHARACTERS),
        address: hop["address"]
            .as_str()
            .filter(|address| !address.is_empty())
            .map(|address| one_line(address, MAX_CHARACTERS)),
        issues: issues.filter_map(issue).collect(),
    }
}

/// The type of an issue, and what its context names, such as a rule.
fn issue(issue: &Value) -> Option<String> {
    let kind = issue["type"].as_str()?;
    let context = issue["context"].as_array().into_iter().flatten().take(MAX_ITEMS);
    let pairs = context.flat_map(|pair| match pair.as_object() {
        // `{"key": …, "value": …}`, or the pair itself.
        Some(pair) if pair.contains_key("value") => vec![pair["value"].clone()],
        Some(pair) => pair.values().cloned().collect(),
        None => Vec::new(),
    });
    let named: Vec<String> = pairs.filter_map(|value| value.as_str().map(str::to_string)).collect();
    let text = if named.is_empty() {
        kind.to_owned()
    } else {
        format!("{kind} ({})", named.join(", "))
    };
    Some(one_line(&text, MAX_CHARACTERS))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn connectivity_check_hops_and_issues_are_parsed() {
        let answer = r#"{"connectionStatus":"Disconnected","probesSent":30,"probesFailed":30,"hops":[
            {"type":"Source","address":"10.1.1.4","issues":[{"origin":"Outbound","severity":"Error","type":"NetworkSecurityRule",
                "context":[{"key":"RuleName","value":"UserRule_no-sql"}]}]},
            {"type":"Internet","address":"","issues":[{"type":"Unknown"}]}]}"#;
        let answer = read(answer, "TCP", Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!((answer.got_through(), answer.probes_failed), (Some(false), Some(30)));
        assert_eq!(answer.hops[0].issues, ["NetworkSecurityRule (UserRule_no-sql)"]);
        assert_eq!(
            (answer.hops[1].address.as_deref(), &answer.hops[1].issues[0][..]),
            (None, "Unknown")
        );
        assert!(
            read("{}", "TCP", Timestamp::UNIX_EPOCH).is_err() && read("<html>", "TCP", Timestamp::UNIX_EPOCH).is_err()
        );
    }

    #[test]
    fn azure_text_is_truncated_and_escaped() {
        let long = "x\u{1b}[2J\n".repeat(1_000);
        let answer = serde_json::json!({ "connectionStatus": long, "hops": [ { "type": long, "address": long, "issues": [
            { "type": long, "context": [ { "key": "RuleName", "value": long } ] } ] } ] });
        let answer = read(&answer.to_string(), "TCP", Timestamp::UNIX_EPOCH).unwrap();
        let hop = &answer.hops[0];
        for text in [&answer.status, &hop.kind, hop.address.as_ref().unwrap(), &hop.issues[0]] {
            assert!(
                !text.contains(crate::text::is_harmful) && text.len() < 8 * MAX_CHARACTERS,
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn any_answer_does_not_panic(text: String) {
            let _ = read(&text, "TCP", Timestamp::UNIX_EPOCH);
        }
    }
}
