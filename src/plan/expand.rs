//! Placeholders: `{name}` in a host stands for a suffix of the cloud, the region, or a name of the instance.

use std::collections::BTreeMap;

use crate::{
    azure,
    catalog::placeholders,
    text::{
        host::{LABEL, NAME},
        words::distinct,
    },
};

/// The names of the user's instance, by placeholder; one placeholder can have several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Values(BTreeMap<String, Vec<String>>);

impl Values {
    /// Adds values after the existing ones; a value that exists is not added again.
    pub fn add(&mut self, name: &str, values: impl IntoIterator<Item = String>) {
        let known = self.0.entry(name.to_string()).or_default();
        for value in values {
            if !known.contains(&value) {
                known.push(value);
            }
        }
    }

    /// Whether a value is known.
    pub fn has(&self, name: &str) -> bool {
        !self.of(name).is_empty()
    }

    fn of(&self, name: &str) -> &[String] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }
}

/// A host, and the placeholders in it without a value; their braces remain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    pub host: String,
    pub missing: Vec<String>,
}

/// Every host that a template expands to: one for each combination of values.
pub(super) fn expand(
    template: &str,
    suffixes: &BTreeMap<String, String>,
    region: Option<&str>,
    values: &Values,
) -> Vec<Host> {
    let filled = fill(template, suffixes);
    let mut hosts = vec![Host {
        host: filled.clone(),
        missing: Vec::new(),
    }];
    for name in distinct(placeholders(&filled)) {
        let brace = format!("{{{name}}}");
        let region_value = region.filter(|_| name == "region").map(str::to_string);
        let known: Vec<String> = region_value
            .into_iter()
            .chain(values.of(name).iter().cloned())
            .collect();
        hosts = hosts
            .into_iter()
            .flat_map(|host| {
                if known.is_empty() {
                    let missing = [host.missing, vec![name.to_string()]].concat();
                    return vec![Host {
                        host: host.host,
                        missing,
                    }];
                }
                let filled = |value: &String| Host {
                    host: in_its_zone(host.host.replace(&brace, value), value),
                    missing: host.missing.clone(),
                };
                known.iter().map(filled).collect()
            })
            .collect();
    }
    hosts
}

/// The host of a storage account with a DNS zone, which has a different suffix.
fn in_its_zone(host: String, value: &str) -> String {
    match host
        .strip_suffix(azure::STORAGE)
        .filter(|_| azure::is_zoned_account(value))
    {
        Some(before) => format!("{before}{}", azure::STORAGE_ZONES),
        None => host,
    }
}

/// Fills in the suffixes of a cloud and leaves other placeholders unchanged.
pub(crate) fn fill(template: &str, suffixes: &BTreeMap<String, String>) -> String {
    let mut host = template.to_string();
    for name in placeholders(template) {
        if let Some(suffix) = suffixes.get(name) {
            host = host.replace(&format!("{{{name}}}"), suffix);
        }
    }
    host
}

/// Why a host is not valid in DNS, if a value made it too long (RFC 1035 §2.3.4).
pub(super) fn invalid_reason(host: &str) -> Option<String> {
    if host.len() > NAME {
        return Some(format!(
            "{host} has {} characters, but a name can have at most {NAME}",
            host.len()
        ));
    }
    let label = host.split('.').find(|label| label.len() > LABEL)?;
    Some(format!(
        "{label} has {} characters, but a label can have at most {LABEL}",
        label.len()
    ))
}

/// How to provide the missing values.
pub(super) fn advice(missing: &[String]) -> String {
    let names = missing.join(" and ");
    let verb = if missing.len() == 1 { "is" } else { "are" };
    let flags: Vec<String> = missing
        .iter()
        .map(|name| {
            if name == "region" {
                "--region NAME".into()
            } else {
                format!("--set {name}=NAME")
            }
        })
        .collect();
    format!("{names} {verb} not known: pass {}", flags.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(template: &str, region: Option<&str>, values: &Values) -> Vec<(String, usize)> {
        let suffixes = BTreeMap::from([("storage".to_string(), "core.windows.net".to_string())]);
        expand(template, &suffixes, region, values)
            .into_iter()
            .map(|host| (host.host, host.missing.len()))
            .collect()
    }

    #[test]
    fn each_placeholder_value_gives_a_host() {
        let mut values = Values::default();
        values.add("storage_account", ["a".to_string(), "b".to_string(), "a".to_string()]);
        let template = "{storage_account}.blob.{storage}";
        assert_eq!(
            hosts(template, None, &values),
            [
                ("a.blob.core.windows.net".to_string(), 0),
                ("b.blob.core.windows.net".to_string(), 0)
            ]
        );
        assert_eq!(
            hosts(template, None, &Values::default()),
            [("{storage_account}.blob.core.windows.net".to_string(), 1)]
        );
    }

    #[test]
    fn storage_account_with_dns_zone_gets_the_zone_suffix() {
        let mut values = Values::default();
        values.add("storage_account", ["a.z12".to_string(), "b".to_string()]);
        assert_eq!(
            hosts("{storage_account}.table.{storage}", None, &values),
            [
                ("a.z12.table.storage.azure.net".to_string(), 0),
                ("b.table.core.windows.net".to_string(), 0)
            ]
        );
    }

    #[test]
    fn region_placeholder_is_filled_or_kept() {
        let template = "{region}.login.microsoft.com";
        assert_eq!(
            hosts(template, Some("westeurope"), &Values::default()),
            [("westeurope.login.microsoft.com".to_string(), 0)]
        );
        assert_eq!(
            hosts(template, None, &Values::default()),
            [("{region}.login.microsoft.com".to_string(), 1)]
        );
    }
}
