//! The documents of an instance, and their paths.

use crate::azure::{
    json::{JsonNode, Object},
    normalised,
};

/// A document of an instance: the instance itself, or one of its lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstancePart {
    /// The instance itself: kind of network, host names, addresses, locations.
    Service,
    /// Loggers.
    Loggers,
    /// External caches.
    Caches,
    /// Backends.
    Backends,
    /// APIs; each revision of an API is a separate entry.
    Apis,
    /// Products, which contain policies.
    Products,
    /// Named values.
    NamedValues,
    /// Client certificates.
    Certificates,
    /// Identity providers of the developer portal.
    IdentityProviders,
    /// `OpenID` Connect providers.
    OpenidConnectProviders,
    /// OAuth 2.0 servers.
    AuthorizationServers,
    /// Providers of the credential manager.
    AuthorizationProviders,
    /// Self-hosted gateways.
    Gateways,
    /// Policies of any scope: of the instance, of products, of APIs and of their operations.
    Policies,
    /// Fragments of policies.
    PolicyFragments,
}

impl InstancePart {
    /// All of them, in the order in which they are requested.
    pub const ALL: [Self; 15] = [
        Self::Service,
        Self::Loggers,
        Self::Caches,
        Self::Backends,
        Self::Apis,
        Self::Products,
        Self::NamedValues,
        Self::Certificates,
        Self::IdentityProviders,
        Self::OpenidConnectProviders,
        Self::AuthorizationServers,
        Self::AuthorizationProviders,
        Self::Gateways,
        Self::Policies,
        Self::PolicyFragments,
    ];

    /// The lists whose entries have policies of their own, below `…/policies`.
    pub const WITH_POLICIES: [Self; 2] = [Self::Products, Self::Apis];

    /// Its key in a bundle.
    pub fn key(self) -> &'static str {
        match self {
            Self::Service => "service",
            _ => self.path(),
        }
    }

    /// Its path below the resource id of the instance; empty for the instance itself. For policies, the path of the
    /// instance's: all others are below the ids that [`super::scopes`] returns.
    pub fn path(self) -> &'static str {
        match self {
            Self::Service => "",
            Self::Loggers => "loggers",
            Self::Caches => "caches",
            Self::Backends => "backends",
            Self::Apis => "apis",
            Self::Products => "products",
            Self::NamedValues => "namedValues",
            Self::Certificates => "certificates",
            Self::IdentityProviders => "identityProviders",
            Self::OpenidConnectProviders => "openidConnectProviders",
            Self::AuthorizationServers => "authorizationServers",
            Self::AuthorizationProviders => "authorizationProviders",
            Self::Gateways => "gateways",
            Self::Policies => "policies",
            Self::PolicyFragments => "policyFragments",
        }
    }

    /// Its name within a sentence.
    pub fn what(self) -> &'static str {
        match self {
            Self::Service => "the instance itself",
            Self::Loggers => "its loggers",
            Self::Caches => "its external caches",
            Self::Backends => "its backends",
            Self::Apis => "its APIs",
            Self::Products => "its products",
            Self::NamedValues => "its named values",
            Self::Certificates => "its client certificates",
            Self::IdentityProviders => "its identity providers",
            Self::OpenidConnectProviders => "its OpenID Connect providers",
            Self::AuthorizationServers => "its OAuth 2.0 servers",
            Self::AuthorizationProviders => "its credential providers",
            Self::Gateways => "its self-hosted gateways",
            Self::Policies => "its policies",
            Self::PolicyFragments => "its policy fragments",
        }
    }

    /// The part for a key of a bundle, in any case and with or without hyphens.
    pub(super) fn of_key(key: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|part| normalised(part.key()) == normalised(key))
    }
}

/// What an entry is, according to its `type` or its `id`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum EntryType {
    /// A part of an instance.
    Part(InstancePart),
    /// Something else in an instance, with Azure's word for it.
    OtherPart(String),
    /// Something in another service, with its type.
    Foreign(String),
}

/// The provider and type of instances, with which all types begin and which all ids contain.
const SERVICE: &str = "microsoft.apimanagement/service";

impl EntryType {
    /// Recognises what an entry is; `None` if it has neither `type` nor `id`, as after `--query`.
    pub(super) fn of(entry: &Object<'_>) -> Option<Self> {
        let of_type = entry
            .own("type")
            .and_then(JsonNode::text)
            .filter(|word| word.contains('/'));
        let word = match of_type {
            Some(word) => word.to_ascii_lowercase(),
            None => type_in(&entry.own("id").and_then(JsonNode::text)?.to_ascii_lowercase())?,
        };
        let Some(rest) = word.strip_prefix(SERVICE) else {
            return Some(Self::Foreign(word));
        };
        let mut words = rest.split('/').filter(|word| !word.is_empty() && *word != "workspaces");
        let Some(last) = words.next_back() else {
            return Some(if rest.is_empty() {
                Self::Part(InstancePart::Service)
            } else {
                Self::OtherPart("workspaces".into())
            });
        };
        // An entry below an API or a product is different from one below the instance, except for policies.
        let is_below = words.next().is_some();
        let part = InstancePart::ALL
            .into_iter()
            .find(|part| part.path().eq_ignore_ascii_case(last));
        Some(match part {
            Some(part) if !is_below || part == InstancePart::Policies => Self::Part(part),
            _ => Self::OtherPart(last.into()),
        })
    }
}

/// Why an entry of another service is refused, as the rest of a sentence.
pub(super) fn foreign(kind: &str) -> String {
    if kind.starts_with("microsoft.apimanagement/gateways") {
        return "describes a workspace gateway, not an instance: remove the file, and use --tier workspace-gateway"
            .into();
    }
    format!("contains an entry of type {kind}, which belongs to another service")
}

/// The type in an id: `/subscriptions/…/providers/microsoft.apimanagement/service/x/loggers/y` is of the type
/// `microsoft.apimanagement/service/loggers`.
fn type_in(id: &str) -> Option<String> {
    let (_, path) = id.rsplit_once("/providers/")?;
    let mut words = path.split('/');
    let mut kind = words.next()?.to_owned();
    for word in words.step_by(2) {
        kind.push('/');
        kind.push_str(word);
    }
    Some(kind)
}

/// The resource id of the instance that an entry belongs to, in lower case.
pub(super) fn instance_of(entry: &Object<'_>) -> Option<String> {
    let id = entry.own("id").and_then(JsonNode::text)?.to_ascii_lowercase();
    let (before, path) = id.split_once(&format!("/providers/{SERVICE}/"))?;
    let name = path.split('/').next().filter(|name| !name.is_empty())?;
    // `az rest` may print ids with the endpoint before them.
    let before = &before[before.find("/subscriptions/")?..];
    Some(format!("{before}/providers/{SERVICE}/{name}"))
}
