//! Whether a host is the one that an entry of the catalog means.

use crate::{
    azure,
    catalog::{REGION, SETTINGS, model::Target as To, placeholders},
    plan::fill,
};

use super::Suffixes;

/// How a host matches an entry of the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EntryMatch {
    /// It is the entry's host.
    Known,
    /// It is the instance's own host.
    Own { setting: String, value: String },
    /// It is the entry's host in another region.
    Elsewhere,
    /// It is under the entry's wildcard.
    Member,
}

/// The account in a host of a storage account with a DNS zone, `NAME.z12.blob.storage.azure.net`; `after` is what
/// follows the name of any other account.
fn zoned_account<'a>(host: &'a str, after: &str) -> Option<&'a str> {
    let service = after.strip_suffix(azure::STORAGE)?;
    let account = host.strip_suffix(azure::STORAGE_ZONES)?.strip_suffix(service)?;
    azure::is_zoned_account(account).then_some(account)
}

/// How `host` matches an entry, in the run's cloud and region.
pub(super) fn fit(to: &To, suffixes: &Suffixes, region: Option<&str>, host: &str) -> Option<EntryMatch> {
    match to {
        To::Host(template) => {
            let filled = fill(template, suffixes);
            let names: Vec<&str> = placeholders(&filled).collect();
            let [name] = names[..] else {
                return (names.is_empty() && filled == host).then_some(EntryMatch::Known);
            };
            let (before, after) = filled.split_once(&format!("{{{name}}}"))?;
            if let Some(account) = zoned_account(host, after) {
                return Some(EntryMatch::Own {
                    setting: name.into(),
                    value: account.into(),
                });
            }
            // A template that is only a placeholder would match every host.
            let value = host
                .strip_prefix(before)?
                .strip_suffix(after)
                .filter(|_| !after.is_empty())?;
            if value.is_empty() || value.contains('.') {
                None
            } else if name != REGION {
                let is_setting = SETTINGS.iter().any(|setting| setting.name == name);
                is_setting.then(|| EntryMatch::Own {
                    setting: name.into(),
                    value: value.into(),
                })
            } else if region == Some(value) {
                Some(EntryMatch::Known)
            } else {
                Some(EntryMatch::Elsewhere)
            }
        }
        To::Wildcard { pattern, members } => {
            let pattern = fill(pattern, suffixes);
            if members.iter().any(|member| member == host) {
                return Some(EntryMatch::Known);
            }
            let under = host.strip_suffix(pattern.strip_prefix('*')?)?;
            (!under.is_empty()).then_some(EntryMatch::Member)
        }
        To::Addresses { .. } | To::NameServer | To::Anything => None,
    }
}
