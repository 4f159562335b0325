//! The lists of an instance, entry by entry: only what leads to a host or explains one.

use jiff::Timestamp;

use super::{
    link::UrlOrigin,
    part::InstancePart,
    policy::{self, ApimPolicy},
};
use crate::{
    azure::json::{JsonNode, Object},
    catalog::model::NamedCertificate,
    text::one_line,
};

/// Maximum length of a title or a message, in characters.
const MAX_CHARACTERS: usize = 200;

/// The lists of an instance.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::import) struct Records {
    pub loggers: Vec<Logger>,
    pub caches: Vec<Cache>,
    pub backends: Vec<Backend>,
    pub apis: Vec<Api>,
    pub named_values: Vec<NamedValue>,
    pub certificates: Vec<Certificate>,
    pub identity_providers: Vec<IdentityProvider>,
    /// Hosts of `OpenID` Connect providers, OAuth 2.0 servers and the credential manager.
    pub token_hosts: Vec<TokenHost>,
    /// Names of self-hosted gateways.
    pub gateways: Vec<String>,
    pub policies: Vec<ApimPolicy>,
    pub fragments: Vec<ApimPolicy>,
    products: usize,
}

/// A logger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::import) struct Logger {
    pub name: String,
    /// `applicationInsights`, `azureEventHub` or `azureMonitor`, in lower case.
    pub kind: String,
    /// The Event Hubs namespace's host, if it is reached with a managed identity.
    pub endpoint: Option<UrlOrigin>,
    pub resource: Option<String>,
}

/// An external cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::import) struct Cache {
    pub name: String,
    pub resource: Option<String>,
}

/// A backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::import) struct Backend {
    pub name: String,
    pub url: Option<UrlOrigin>,
    /// Whether the instance validates its chain and its name; both by default.
    pub chain: bool,
    pub own_name: bool,
    pub proxy: Option<UrlOrigin>,
    /// The management endpoints of a Service Fabric cluster, which replace the URL.
    pub cluster: Vec<UrlOrigin>,
    /// The thumbprints that its certificate may have, in upper-case hexadecimal.
    pub thumbprints: Vec<String>,
    /// The names and issuers that its certificate may have.
    pub issued: Vec<NamedCertificate>,
    /// The names of the backends of a pool.
    pub members: Vec<String>,
    pub is_pool: bool,
}

/// An API, or a revision of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::import) struct Api {
    pub name: String,
    pub title: String,
    pub url: Option<UrlOrigin>,
    pub is_current: bool,
}

/// A named value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::import) struct NamedValue {
    pub name: String,
    /// The name in `{{…}}`.
    pub title: String,
    /// The beginning of its value as a URL, if it is not secret.
    pub value: Option<UrlOrigin>,
    pub vault: Option<Vault>,
}

/// A client certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::import) struct Certificate {
    pub name: String,
    pub vault: Option<Vault>,
}

/// The vault secret that the instance fetches, with the result of its own last attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::import) struct Vault {
    pub url: UrlOrigin,
    /// The code of the last result: `Success`, or Azure's word for a failure.
    pub code: Option<String>,
    pub message: Option<String>,
    pub at: Option<Timestamp>,
}

/// An identity provider of the developer portal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::import) struct IdentityProvider {
    /// `aad`, `aadB2C`, `google` …
    pub kind: String,
    pub authority: Option<UrlOrigin>,
    pub tenants: Vec<String>,
}

/// A host that issues tokens or provides their metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::import) struct TokenHost {
    /// Its description: `OAuth 2.0 server x`.
    pub of: String,
    /// The user's name for it: `x`.
    pub name: String,
    pub url: UrlOrigin,
    /// What needs it, in the words of a feature.
    pub feature: &'static str,
}

impl Records {
    /// Reads one entry of a list.
    pub(super) fn add(&mut self, part: InstancePart, entry: &Object<'_>) {
        match part {
            InstancePart::Service => {}
            InstancePart::Loggers => self.loggers.push(Logger::of(entry)),
            InstancePart::Caches => self.caches.push(Cache {
                name: name(entry),
                resource: owned(entry, "resourceId"),
            }),
            InstancePart::Backends => self.backends.push(Backend::of(entry)),
            InstancePart::Apis => self.apis.push(Api::of(entry)),
            InstancePart::Products => self.products += 1,
            InstancePart::NamedValues => self.named_values.push(NamedValue::of(entry)),
            InstancePart::Certificates => self.certificates.push(Certificate {
                name: name(entry),
                vault: Vault::of(entry),
            }),
            InstancePart::IdentityProviders => self.identity_providers.push(IdentityProvider::of(entry)),
            InstancePart::OpenidConnectProviders => {
                self.token(
                    ("OpenID Connect provider", title(entry)),
                    entry.filled("metadataEndpoint").as_deref(),
                    "Sign-in and tokens of its provider",
                );
            }
            InstancePart::AuthorizationServers => {
                self.token(
                    ("OAuth 2.0 server", title(entry)),
                    entry.filled("tokenEndpoint").as_deref(),
                    "Tokens for the test console",
                );
            }
            InstancePart::AuthorizationProviders => self.credentials(entry),
            InstancePart::Gateways => self.gateways.push(name(entry)),
            InstancePart::Policies => self.policies.extend(policy::read(entry)),
            InstancePart::PolicyFragments => self.fragments.extend(policy::read(entry)),
        }
    }

    /// How many entries there are.
    pub(super) fn count(&self) -> usize {
        self.loggers.len()
            + self.caches.len()
            + self.backends.len()
            + self.apis.len()
            + self.named_values.len()
            + self.certificates.len()
            + self.identity_providers.len()
            + self.token_hosts.len()
            + self.gateways.len()
            + self.policies.len()
            + self.fragments.len()
            + self.products
    }

    pub(super) fn extend(&mut self, other: Self) {
        self.loggers.extend(other.loggers);
        self.caches.extend(other.caches);
        self.backends.extend(other.backends);
        self.apis.extend(other.apis);
        self.named_values.extend(other.named_values);
        self.certificates.extend(other.certificates);
        self.identity_providers.extend(other.identity_providers);
        self.token_hosts.extend(other.token_hosts);
        self.gateways.extend(other.gateways);
        self.policies.extend(other.policies);
        self.fragments.extend(other.fragments);
        self.products += other.products;
    }

    fn token(&mut self, (kind, name): (&str, String), url: Option<&str>, feature: &'static str) {
        if let Some(url) = url.and_then(UrlOrigin::of) {
            self.token_hosts.push(TokenHost {
                of: format!("{kind} {name}"),
                name,
                url,
                feature,
            });
        }
    }

    /// A provider of the credential manager, for each of the grants that it knows.
    fn credentials(&mut self, entry: &Object<'_>) {
        let name = title(entry);
        let oauth = entry.get("oauth2").and_then(JsonNode::object);
        let grants = oauth.and_then(|oauth| oauth.get("grantTypes")?.object());
        let Some(grants) = grants else { return };
        let hosts: Vec<String> = grants
            .fields()
            .filter_map(|(_, grant)| grant.object())
            .flat_map(|grant| {
                ["tokenUrl", "refreshUrl", "loginUri"]
                    .map(|key| owned(&grant, key))
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
            })
            .collect();
        for url in hosts {
            self.token(
                ("credential provider", name.clone()),
                Some(&url),
                "Policies that get tokens from the credential manager",
            );
        }
    }
}

impl Logger {
    fn of(entry: &Object<'_>) -> Self {
        let credentials = entry.get("credentials").and_then(JsonNode::object);
        let endpoint = credentials.and_then(|credentials| UrlOrigin::of(&credentials.filled("endpointAddress")?));
        Self {
            name: name(entry),
            kind: entry.filled("loggerType").unwrap_or_default().to_ascii_lowercase(),
            endpoint,
            resource: owned(entry, "resourceId"),
        }
    }
}

impl Backend {
    fn of(entry: &Object<'_>) -> Self {
        let tls = entry.get("tls").and_then(JsonNode::object);
        let validates = |key: &str| tls.as_ref().and_then(|tls| tls.flag(key)).unwrap_or(true);
        let proxy = entry.get("proxy").and_then(JsonNode::object);
        // The cluster is below properties.properties, or, if flattened, below properties alone.
        let inner = entry.get("properties").and_then(JsonNode::object);
        let cluster = inner
            .as_ref()
            .and_then(|inner| inner.get("serviceFabricCluster"))
            .or_else(|| entry.get("serviceFabricCluster"))
            .and_then(JsonNode::object);
        let of_cluster = |key: &str| {
            let texts = cluster.as_ref().map(|cluster| cluster.list(key)).unwrap_or_default();
            texts.into_iter().filter_map(JsonNode::text).collect::<Vec<_>>()
        };
        let issued = cluster.as_ref().map(|cluster| cluster.list("serverX509Names"));
        let pool = entry.get("pool").and_then(JsonNode::object);
        let members = pool.as_ref().map(|pool| pool.list("services")).unwrap_or_default();
        Self {
            name: name(entry),
            url: link(entry, "url"),
            chain: validates("validateCertificateChain"),
            own_name: validates("validateCertificateName"),
            proxy: proxy.and_then(|proxy| link(&proxy, "url")),
            cluster: of_cluster("managementEndpoints")
                .iter()
                .filter_map(|url| UrlOrigin::of(url))
                .collect(),
            thumbprints: of_cluster("serverCertificateThumbprints")
                .iter()
                .map(|text| hexadecimal(text))
                .collect(),
            issued: issued
                .unwrap_or_default()
                .into_iter()
                .filter_map(|node| {
                    let of = node.object()?;
                    Some(NamedCertificate {
                        name: owned(&of, "name")?,
                        issuer: hexadecimal(&of.filled("issuerCertificateThumbprint").unwrap_or_default()),
                    })
                })
                .collect(),
            members: members
                .into_iter()
                .filter_map(|member| Some(last(&member.object()?.filled("id")?).to_owned()))
                .collect(),
            is_pool: pool.is_some()
                || entry
                    .filled("type")
                    .is_some_and(|kind| kind.eq_ignore_ascii_case("Pool")),
        }
    }
}

impl Api {
    fn of(entry: &Object<'_>) -> Self {
        let name = name(entry);
        Self {
            title: title(entry),
            url: link(entry, "serviceUrl"),
            is_current: entry.flag("isCurrent").unwrap_or(!name.contains(";rev=")),
            name,
        }
    }
}

impl NamedValue {
    fn of(entry: &Object<'_>) -> Self {
        let is_secret = entry.flag("secret").unwrap_or(false);
        Self {
            name: name(entry),
            title: title(entry),
            value: link(entry, "value").filter(|_| !is_secret),
            vault: Vault::of(entry),
        }
    }
}

impl Vault {
    fn of(entry: &Object<'_>) -> Option<Self> {
        let vault = entry.get("keyVault")?.object()?;
        let status = vault.get("lastStatus").and_then(JsonNode::object);
        let text_of = |key: &str| {
            let text = status.as_ref().and_then(|status| status.filled(key));
            text.map(|text| one_line(&text, MAX_CHARACTERS))
        };
        Some(Self {
            url: link(&vault, "secretIdentifier")?,
            code: text_of("code"),
            message: text_of("message"),
            at: text_of("timeStampUtc").and_then(|time| time.parse().ok()),
        })
    }
}

impl IdentityProvider {
    fn of(entry: &Object<'_>) -> Self {
        // The list's own type is in `type`, the provider's below `properties`; `az` puts both in one place.
        let kind = entry
            .properties()
            .and_then(|inner| owned(&inner, "type"))
            .or_else(|| {
                entry
                    .own("type")
                    .and_then(JsonNode::text)
                    .filter(|word| !word.contains('/'))
                    .map(std::borrow::Cow::into_owned)
            })
            .unwrap_or_else(|| name(entry));
        let tenants = entry
            .list("allowedTenants")
            .into_iter()
            .chain(entry.get("signinTenant"));
        Self {
            kind,
            authority: link(entry, "authority"),
            tenants: tenants
                .filter_map(JsonNode::text)
                .map(std::borrow::Cow::into_owned)
                .collect(),
        }
    }
}

/// The name of an entry, or the last word of its id.
fn name(entry: &Object<'_>) -> String {
    let own = entry
        .own("name")
        .and_then(JsonNode::text)
        .filter(|name| !name.is_empty());
    match own {
        Some(name) => name.into_owned(),
        None => last(&entry.filled("id").unwrap_or_default()).to_owned(),
    }
}

/// The display name of an entry.
fn title(entry: &Object<'_>) -> String {
    let title = owned(entry, "displayName").unwrap_or_else(|| name(entry));
    // Azure allows 300 characters.
    match title.char_indices().nth(MAX_CHARACTERS) {
        Some((end, _)) => format!("{}…", &title[..end]),
        None => title,
    }
}

fn link(entry: &Object<'_>, key: &str) -> Option<UrlOrigin> {
    UrlOrigin::of(&entry.filled(key)?)
}

fn owned(entry: &Object<'_>, key: &str) -> Option<String> {
    entry.filled(key).map(std::borrow::Cow::into_owned)
}

/// The last word of a resource id.
fn last(id: &str) -> &str {
    id.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

fn hexadecimal(text: &str) -> String {
    text.chars()
        .filter(char::is_ascii_hexdigit)
        .collect::<String>()
        .to_ascii_uppercase()
}
