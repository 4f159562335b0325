//! JSON as people save it: by a shell, by a portal, by accident.

use serde_json::{Map, Value, error::Category};

/// What a document is, as far as this program has a flag for it or people mistake it for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The instance's network status.
    NetworkStatus,
    /// The instance's `outboundNetworkDependenciesEndpoints`.
    Dependencies,
    /// Effective security rules of a network interface.
    EffectiveNsg,
    /// Effective routes of a network interface.
    EffectiveRoutes,
    /// Azure's service tags and their prefixes.
    ServiceTags,
    /// A report or plan of this program.
    Ours,
    /// An error of the management endpoint.
    Refusal,
    /// The instance itself, as `az apim show` prints it.
    Instance,
}

impl Kind {
    /// The kind of a document that [`parse`] gave.
    pub fn of(document: &Value) -> Option<Self> {
        let first = match document {
            Value::Array(items) => items.first(),
            Value::Object(_) => list(document, "value").next().or(Some(document)),
            _ => None,
        };
        let Some(first) = first else {
            // A list of nothing is what a status without locations looks like.
            return matches!(document, Value::Array(_)).then_some(Self::NetworkStatus);
        };
        let has = |key: &str| first.get(key).is_some();
        let at_top = |key: &str| document.get(key).is_some();
        if has("connectivitystatus") || has("networkstatus") || has("dnsservers") {
            Some(Self::NetworkStatus)
        } else if has("effectivesecurityrules") || has("networksecuritygroup") {
            Some(Self::EffectiveNsg)
        } else if has("nexthoptype") {
            Some(Self::EffectiveRoutes)
        } else if has("category") && has("endpoints") || is_empty_page(document) {
            Some(Self::Dependencies)
        } else if at_top("changenumber") || first.pointer("/properties/addressprefixes").is_some() {
            Some(Self::ServiceTags)
        } else if text(document, "schema").is_some_and(|schema| schema.starts_with("apim-probe/")) {
            Some(Self::Ours)
        } else if at_top("error") {
            Some(Self::Refusal)
        } else if has("gatewayurl") || first.pointer("/properties/gatewayurl").is_some() {
            Some(Self::Instance)
        } else {
            None
        }
    }

    /// The word in reports.
    pub fn word(self) -> &'static str {
        match self {
            Self::NetworkStatus => "network-status",
            Self::Dependencies => "dependencies",
            Self::EffectiveNsg => "effective-nsg",
            Self::EffectiveRoutes => "effective-routes",
            Self::ServiceTags => "service-tags",
            Self::Ours | Self::Refusal | Self::Instance => "",
        }
    }

    /// The kind within a sentence, with its article.
    pub fn what(self) -> &'static str {
        match self {
            Self::NetworkStatus => "an instance's network status",
            Self::Dependencies => "an instance's list of outbound dependencies",
            Self::EffectiveNsg => "a list of effective security rules",
            Self::EffectiveRoutes => "a list of effective routes",
            Self::ServiceTags => "a list of service tags",
            Self::Ours => "a document that apim-probe wrote",
            Self::Refusal => "an error that Azure sent in place of the document",
            Self::Instance => "a description of the instance",
        }
    }

    /// What to do where this was given and `wanted` expected.
    pub(super) fn advice(self, wanted: Self) -> String {
        match self.word() {
            "" => format!(", not {}: {}", wanted.what(), wanted.how_to_get()),
            flag => format!(": pass it as --{flag}"),
        }
    }

    /// The request that gives the document.
    pub(super) fn how_to_get(self) -> &'static str {
        match self {
            Self::Dependencies => {
                "it is the answer of `az rest --method get --url \"RESOURCE_ID/outboundNetworkDependenciesEndpoints?api-version=2024-05-01\"`"
            }
            _ => {
                "it is the answer of `az rest --method get --url \"RESOURCE_ID/networkstatus?api-version=2024-05-01\"`"
            }
        }
    }
}

/// Reads JSON. Keys become lower case, since PowerShell writes them its own way, and what the examples of Azure's
/// specifications wrap around a document is taken off.
///
/// # Errors
/// The rest of a sentence that begins with the document's name.
pub fn parse(text: &str) -> Result<Value, String> {
    let start = text.trim_start();
    if start.is_empty() {
        return Err("is empty".into());
    }
    if start.starts_with('<') {
        return Err("is a web page and not JSON: a login page was saved in its place".into());
    }
    let value: Value = serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Eof => format!("ends in the middle, in line {}: it was cut short", error.line()),
        _ => format!("is not JSON, from line {} column {} on", error.line(), error.column()),
    })?;
    let mut value = lower_keys(value);
    let body = value.pointer_mut("/responses/200/body").map(Value::take);
    Ok(body.unwrap_or(value))
}

/// The text under a key; `None` where there is none or nothing in it.
pub(super) fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value
        .get(key)
        .and_then(Value::as_str)
        .map(str::trim)
        .filter(|text| !text.is_empty())
}

/// The items under a key. PowerShell writes a list of one as the one.
pub(super) fn list<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    match value.get(key) {
        None | Some(Value::Null) => [].iter(),
        Some(Value::Array(items)) => items.iter(),
        Some(one) => std::slice::from_ref(one).iter(),
    }
}

fn is_empty_page(document: &Value) -> bool {
    document
        .get("value")
        .and_then(Value::as_array)
        .is_some_and(Vec::is_empty)
}

fn lower_keys(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let lower = map
                .into_iter()
                .map(|(key, value)| (key.to_ascii_lowercase(), lower_keys(value)));
            Value::Object(lower.collect::<Map<_, _>>())
        }
        Value::Array(items) => items.into_iter().map(lower_keys).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_wrong_with_the_text_is_said() {
        for (text, phrase) in [
            ("", "is empty"),
            (" \n", "is empty"),
            ("<!DOCTYPE html><title>Sign in</title>", "web page"),
            ("{\"value\": [\n{", "cut short"),
            ("{\"value\": nothing}", "is not JSON, from line 1"),
            (&"[".repeat(100_000), "is not JSON"),
        ] {
            let said = parse(text).unwrap_err();
            assert!(said.contains(phrase), "{said}");
        }
    }

    #[test]
    fn kinds_are_told_apart() {
        use Kind::{Dependencies, EffectiveNsg, EffectiveRoutes, Instance, NetworkStatus, Ours, Refusal, ServiceTags};
        for (text, kind) in [
            (
                r#"[{"location":"West Europe","networkStatus":{}}]"#,
                Some(NetworkStatus),
            ),
            (r#"{"DnsServers":[],"ConnectivityStatus":[]}"#, Some(NetworkStatus)),
            ("[]", Some(NetworkStatus)),
            (
                r#"{"responses":{"200":{"body":{"dnsServers":[]}}}}"#,
                Some(NetworkStatus),
            ),
            (
                r#"{"value":[{"category":"Azure SQL","endpoints":[]}]}"#,
                Some(Dependencies),
            ),
            (r#"[{"category":"Azure SQL","endpoints":[]}]"#, Some(Dependencies)),
            (r#"{"value":[]}"#, Some(Dependencies)),
            (
                r#"{"value":[{"networkSecurityGroup":{},"effectiveSecurityRules":[]}]}"#,
                Some(EffectiveNsg),
            ),
            (
                r#"{"value":[{"source":"Default","nextHopType":"None"}]}"#,
                Some(EffectiveRoutes),
            ),
            (r#"{"changeNumber":1,"cloud":"Public","values":[]}"#, Some(ServiceTags)),
            (r#"{"schema":"apim-probe/report/v1"}"#, Some(Ours)),
            (r#"{"error":{"code":"AuthorizationFailed"}}"#, Some(Refusal)),
            (r#"{"properties":{"gatewayUrl":"https://x"}}"#, Some(Instance)),
            (r#"{"a":1}"#, None),
            ("7", None),
        ] {
            assert_eq!(Kind::of(&parse(text).unwrap()), kind, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text: String) {
            if let Ok(value) = parse(&text) {
                Kind::of(&value);
            }
        }
    }
}
