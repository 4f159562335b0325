//! Whether a host is the one that an entry of the catalog means.

use crate::{
    azure,
    catalog::{REGION, SETTINGS, model::Target as To, placeholders},
    plan::fill,
};

use super::Suffixes;

/// How a host matches an entry of the catalog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fit {
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
pub(super) fn fit(to: &To, suffixes: &Suffixes, region: Option<&str>, host: &str) -> Option<Fit> {
    match to {
        To::Host(template) => {
            let filled = fill(template, suffixes);
            let names: Vec<&str> = placeholders(&filled).collect();
            let [name] = names[..] else {
                return (names.is_empty() && filled == host).then_some(Fit::Known);
            };
            let (before, after) = filled.split_once(&format!("{{{name}}}"))?;
            if let Some(account) = zoned_account(host, after) {
                return Some(Fit::Own {
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
                is_setting.then(|| Fit::Own {
                    setting: name.into(),
                    value: value.into(),
                })
            } else if region == Some(value) {
                Some(Fit::Known)
            } else {
                Some(Fit::Elsewhere)
            }
        }
        To::Wildcard { pattern, members } => {
            let pattern = fill(pattern, suffixes);
            if members.iter().any(|member| member == host) {
                return Some(Fit::Known);
            }
            let under = host.strip_suffix(pattern.strip_prefix('*')?)?;
            (!under.is_empty()).then_some(Fit::Member)
        }
        To::Addresses { .. } | To::NameServer | To::Anything => None,
    }
}
