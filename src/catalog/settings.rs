//! The names that only the user, or a document of the instance, can fill in.

/// A `{name}` in a host that `--set name=value` fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SettingDefinition {
    /// The name between the braces and in `--set`.
    pub name: &'static str,
    /// What its value is.
    pub what: &'static str,
    /// The dependency that needs it.
    pub dependency: &'static str,
    /// Where to find the value.
    pub how: &'static str,
}

/// Every name that `--set` takes. An import fills most of them.
pub const SETTINGS: [SettingDefinition; 8] = [
    SettingDefinition {
        name: "storage_account",
        what: "the name of a storage account that the instance uses, without its suffix (with its DNS zone, if it has one: NAME.z12)",
        dependency: "storage",
        how: "or pass --network-status or --dependencies; before the instance exists, use one of your own accounts in \
            the region",
    },
    SettingDefinition {
        name: "sql_server",
        what: "the name of the instance's SQL server, without its suffix",
        dependency: "sql",
        how: "or pass --network-status or --dependencies; without any of these, the region's documented gateways are tested",
    },
    SettingDefinition {
        name: "key_vault",
        what: "the name of a key vault that the instance uses, without its suffix",
        dependency: "key-vault",
        how: "or pass --network-status; before the instance exists, use one of your own vaults in the region",
    },
    SettingDefinition {
        name: "event_hub_namespace",
        what: "the name of an Event Hubs namespace, without its suffix",
        dependency: "event-hubs",
        how: "or pass --dependencies; the connection of your Event Hubs logger contains it",
    },
    SettingDefinition {
        name: "redis_host",
        what: "the full host name of an external Azure Cache for Redis (port 6380)",
        dependency: "redis",
        how: "the portal shows it under the instance's External cache",
    },
    SettingDefinition {
        name: "managed_redis_host",
        what: "the full host name of an Azure Managed Redis (port 10000)",
        dependency: "redis",
        how: "the portal shows it under the instance's External cache",
    },
    SettingDefinition {
        name: "configuration_host",
        what: "the full host name of a self-hosted gateway's configuration endpoint (NAME.configuration.azure-api.net, or your own)",
        dependency: "configuration",
        how: "it is the host in config.service.endpoint of the gateway's deployment; the portal shows it under Gateways, Deployment",
    },
    SettingDefinition {
        name: "diagnostics_host",
        what: "the full host name or address of something that listens on port 12000",
        dependency: "diagnostics-port",
        how: "no listener is documented: set one only if Microsoft support gives you one",
    },
];

/// `{region}`: filled by `--region` or by the VM's metadata.
pub const REGION: &str = "region";

/// A region as the VM's metadata names it: `westeurope`; `West Europe` is accepted. `None` for anything that cannot be
/// a region's name, since it becomes part of host names.
pub fn region_name(text: &str) -> Option<String> {
    let name: String = text
        .chars()
        .filter(|character| *character != ' ')
        .collect::<String>()
        .to_ascii_lowercase();
    let valid = !name.is_empty() && name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    valid.then_some(name)
}

/// `{name_server}`: stands for each name server; it must be the whole host.
pub const NAME_SERVER: &str = "name_server";

/// The names between braces, in order: of `{a}.{b}.net`, `a` and `b`.
pub fn placeholders(template: &str) -> impl Iterator<Item = &str> {
    template
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split_once('}'))
        .map(|(name, _)| name)
}

/// The names in a host that a flag can fill; none if the instance's own `{{named values}}` hide the host.
pub fn missing(host: &str) -> impl Iterator<Item = &str> {
    placeholders(host).filter(|_| !is_hidden(host))
}

/// Whether a named value of the instance replaces a host.
pub fn is_hidden(host: &str) -> bool {
    host.contains("{{")
}

/// Replaces the braces with values.
///
/// # Errors
/// The first name for which there is no value.
pub fn fill(template: &str, value: impl Fn(&str) -> Option<String>) -> Result<String, &str> {
    let mut pieces = template.split('{');
    let mut filled = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once('}').unwrap_or((piece, ""));
        filled.push_str(&value(name).ok_or(name)?);
        filled.push_str(rest);
    }
    Ok(filled)
}

/// Whether a host matches a template: `{name}` stands for one label, or part of one, and a leading `*.` for any.
pub(crate) fn stands_for(template: &str, host: &str) -> bool {
    if let Some(domain) = template.strip_prefix("*.") {
        let labels = host.len().checked_sub(domain.len() + 1);
        return labels.is_some_and(|labels| labels > 0) && host.ends_with(&format!(".{domain}"));
    }
    let Some((before, rest)) = template.split_once('{') else {
        return template.eq_ignore_ascii_case(host);
    };
    let Some((_, after)) = rest.split_once('}') else {
        return false;
    };
    let Some(rest) = host.strip_prefix(before) else {
        return false;
    };
    let most = rest.find('.').unwrap_or(rest.len());
    (1..=most).any(|length| rest.is_char_boundary(length) && stands_for(after, &rest[length..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn region_names_are_normalised_as_in_metadata() {
        assert_eq!(region_name("West Europe").as_deref(), Some("westeurope"));
        assert_eq!(region_name("Central US EUAP").as_deref(), Some("centraluseuap"));
        for wrong in ["", "west-europe", "westeurope.evil.example", &"x".repeat(41)] {
            assert_eq!(region_name(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn templates_match_hosts() {
        for (template, host, fitting) in [
            ("login.microsoftonline.com", "login.microsoftonline.com", true),
            (
                "{sql_server}.database.windows.net",
                "apirpsql1.database.windows.net",
                true,
            ),
            ("{sql_server}.database.windows.net", "a.b.database.windows.net", false),
            ("{sql_server}.database.windows.net", ".database.windows.net", false),
            ("gcs-{region}.prod.example", "gcs-weu.prod.example", true),
            ("{a}-{b}.example", "x-y.example", true),
            ("*.data.microsoft.com", "v10.data.microsoft.com", true),
            ("*.data.microsoft.com", "data.microsoft.com", false),
        ] {
            assert_eq!(stands_for(template, host), fitting, "{template} {host}");
        }
    }

    #[test]
    fn placeholders_are_found_and_filled() {
        let template = "{a}.x.{b}";
        assert_eq!(placeholders(template).collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(placeholders("plain").count(), 0);
        assert_eq!(fill(template, |name| Some(name.to_uppercase())), Ok("A.x.B".to_owned()));
        assert_eq!(fill(template, |name| (name == "a").then(String::new)), Err("b"));
    }

    #[test]
    fn stray_braces_do_not_break_placeholders() {
        assert_eq!(placeholders("{a}.b.{c}").collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(placeholders("}a{b").count(), 0);
    }
}
