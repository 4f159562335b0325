//! Service tags: the names for the addresses of services in Azure's rules.

use std::{collections::HashMap, sync::Arc};

use super::addresses::{AddressSet, prefix};
use crate::azure::{
    json::{self, AzureDocument, DocumentKind},
    region::is_regional,
};

/// The addresses of service tags, by tag in any case.
///
/// A regional tag is found by its name, `Storage.WestEurope`: its suffix in lower case is the region as the VM's
/// metadata names it, unlike `properties.region` (`germanywc`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceTags {
    tags: HashMap<String, Tag>,
    incomplete: bool,
}

/// A tag as Azure spells it, and its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Tag {
    name: String,
    addresses: Arc<AddressSet>,
}

impl ServiceTags {
    /// Reads Microsoft's download, or the list from the REST API, the command line or PowerShell.
    ///
    /// # Errors
    ///
    /// A sentence that says what the document is instead, or which part of it cannot be understood.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        json::parse(bytes, DocumentKind::ServiceTags, Self::of).map_err(|refusal| refusal.to_string())
    }

    fn of(document: &AzureDocument<'_>) -> Result<Self, String> {
        let mut tags = Self::default();
        for entry in document.entries()? {
            let (Some(name), Some(prefixes)) = (entry.text("name"), entry.get("addressPrefixes")) else {
                return Err("has a service tag without a name or addressPrefixes".into());
            };
            let addresses = prefixes
                .words()
                .iter()
                .map(|text| prefix(text).ok_or_else(|| format!("has \"{text}\" in {name}, which is not a prefix")))
                .collect::<Result<AddressSet, _>>()?;
            tags.add(&name, &addresses);
        }
        tags.incomplete = document.next_link().is_some();
        Ok(tags)
    }

    /// The addresses of a tag.
    pub fn addresses(&self, tag: &str) -> Option<&Arc<AddressSet>> {
        self.tags.get(&tag.to_ascii_lowercase()).map(|tag| &tag.addresses)
    }

    /// A tag in Azure's spelling.
    pub fn canonical_name(&self, tag: &str) -> Option<&str> {
        self.tags.get(&tag.to_ascii_lowercase()).map(|tag| tag.name.as_str())
    }

    /// The region's part of a tag in Azure's spelling, if the documentation says that it is enough and the list
    /// contains it.
    pub fn regional(&self, tag: &str, region: Option<&str>) -> Option<&str> {
        let region = region.filter(|_| is_regional(tag))?;
        self.canonical_name(&format!("{tag}.{region}"))
    }

    /// Notices about the document.
    pub(super) fn notice(&self) -> Option<String> {
        if self.tags.is_empty() {
            return Some("the list of service tags is empty: tags are not resolved".into());
        }
        self.incomplete
            .then(|| "the service tags are only the first page of several: missing tags are not resolved".into())
    }

    /// Adds addresses to a tag. No addresses at all means unknown: exports omit what they do not spell out.
    pub fn add(&mut self, tag: &str, addresses: &AddressSet) {
        if addresses.is_empty() {
            return;
        }
        let empty = || Tag {
            name: tag.to_owned(),
            addresses: Arc::default(),
        };
        let known = &mut self
            .tags
            .entry(tag.to_ascii_lowercase())
            .or_insert_with(empty)
            .addresses;
        // Hundreds of rules can list the same tag's addresses.
        if !addresses.difference(known).is_empty() {
            Arc::make_mut(known).extend(addresses);
        }
    }

    /// Makes a tag stand for these addresses only, or for nothing if there are none.
    pub fn set(&mut self, tag: &str, addresses: &AddressSet) {
        let tag_of = Tag {
            name: tag.to_owned(),
            addresses: Arc::new(addresses.clone()),
        };
        self.tags.insert(tag.to_ascii_lowercase(), tag_of);
    }

    /// Adds the tags of `others`; if both contain a tag, that of `others` counts.
    pub fn replace(&mut self, others: Self) {
        self.tags.extend(others.tags);
    }
}
