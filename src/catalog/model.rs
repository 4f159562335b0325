//! The checked catalog: what `probes.yaml` says once every rule of the format has been verified.
//!
//! These types hold no positions and no raw text: those end with the linter.

use std::{collections::BTreeMap, net::IpAddr, sync::Arc};

use ipnet::IpNet;
use jiff::{Span, civil::Date};
use schemars::JsonSchema;

use crate::{
    azure::Cloud,
    model::{Direction, Expect, Need, Protocol, Tier, Transport, Vnet},
};

/// The ids of dependencies that are in no file: they are created from the instance's own documents.
pub const OF_DOCUMENTS: [&str; 5] = [
    "backends",
    "identity-providers",
    "policy-targets",
    "own-hostnames",
    "imported",
];

/// What a dependency of [`OF_DOCUMENTS`] is called as a whole; its endpoints have titles of their own: `Backend orders`.
pub fn title_of_documents(id: &str) -> Option<&'static str> {
    Some(match id {
        "backends" => "Backends",
        "identity-providers" => "Identity providers",
        "policy-targets" => "Targets of policies",
        "own-hostnames" => "The instance's own host names",
        _ => return None,
    })
}

/// Every documented dependency of an instance, in the order in which reports show them.
#[derive(Debug, Clone, PartialEq)]
pub struct Catalog {
    /// What kind of API Management it is for.
    pub tier: Tier,
    /// The page that the catalog was made from.
    pub source: SourcePage,
    /// What `{name}` in a host stands for, cloud by cloud.
    pub clouds: BTreeMap<Cloud, BTreeMap<String, String>>,
    /// The dependencies, in file order.
    pub dependencies: Vec<Dependency>,
    /// The documented gateway addresses of Azure SQL, where the catalog has them.
    pub sql_gateways: Option<SqlGateways>,
    /// SHA-256 over the files that the catalog was read from, in hexadecimal.
    pub sha256: String,
}

/// Where the facts of a catalog come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePage {
    /// The page's title.
    pub title: String,
    /// The page's address.
    pub url: String,
    /// The page's own date, `YYYY-MM-DD`.
    pub documented: String,
    /// When the catalog was last compared with the page, `YYYY-MM-DD`, if that was later.
    pub checked: Option<String>,
}

impl SourcePage {
    /// A notice if the catalog was last compared with its page more than a year before `today`.
    pub fn age(&self, today: Date) -> Option<String> {
        let date = |text: &str| text.parse::<Date>().ok();
        let documented = date(&self.documented)?;
        let known = self
            .checked
            .as_deref()
            .and_then(date)
            .map_or(documented, |it| it.max(documented));
        let is_old = known.checked_add(Span::new().years(1)).is_ok_and(|end| end < today);
        is_old.then(|| {
            format!(
                "the catalog follows the documentation of {known}, which is more than a year old: hosts may have been \
                 added or removed since. Use a newer apim-probe, or compare it with today's page (apim-probe drift)"
            )
        })
    }
}

/// One thing the instance needs: Azure SQL, Entra ID, certificate revocation …
#[derive(Debug, Clone, PartialEq)]
pub struct Dependency {
    /// The name that `--only`, `--skip`, findings and endpoint ids use.
    pub id: String,
    /// The name that people use.
    pub title: String,
    /// How much its endpoints count, unless an endpoint says otherwise.
    pub need: Need,
    /// Whether an instance's network status can make it optional, whatever `need` says.
    pub instance_decides: bool,
    /// Who needs it, where `need` is [`Need::Feature`].
    pub feature: Option<String>,
    /// The service tag of the documented NSG rule.
    pub service_tag: Option<String>,
    /// What breaks without it, in one sentence.
    pub impact: String,
    /// Whether the instance cannot be activated without it.
    pub stops_activation: bool,
    /// The anchor on the source page, or a full address.
    pub docs: Option<String>,
    /// The clouds it exists in; empty means all.
    pub clouds: Vec<Cloud>,
    /// The kind of virtual network it applies to; `None` means both.
    pub vnet: Option<Vnet>,
    /// What the source page lists for its endpoints, if that is not the default.
    pub on_page: Option<SourceMention>,
    /// Literal addresses for routes and rules where no service tag covers the service; not probed.
    pub route_addresses: BTreeMap<Cloud, Vec<IpAddr>>,
    /// What to test, in file order.
    pub endpoints: Vec<EndpointSpec>,
}

/// One entry of a dependency's `endpoints`: a target and the ports to test on it.
#[derive(Debug, Clone, PartialEq)]
pub struct EndpointSpec {
    /// What to reach.
    pub target: Target,
    /// The ports and the protocol on each, paired. Inbound and peer rows have no protocol: for them it is `tcp`.
    pub ports: Vec<(u16, Protocol)>,
    /// As written if the protocol has both (dns, UDP by default) and for inbound and peer rows; otherwise the
    /// protocol's own transport.
    pub transport: Transport,
    /// Other names that count as the host's own, in a certificate or as target of a redirect; `*.` matches one label.
    pub names: Vec<String>,
    /// Overrides the dependency's need.
    pub need: Option<Need>,
    /// Which way the traffic flows.
    pub direction: Direction,
    /// Where inbound traffic comes from.
    pub source_tag: Option<String>,
    /// The clouds it exists in; empty means all of the dependency's.
    pub clouds: Vec<Cloud>,
    /// The kind of virtual network it applies to; `None` means the dependency's.
    pub vnet: Option<Vnet>,
    /// The path of the request (http and https).
    pub path: Option<String>,
    /// A remark for readers.
    pub note: Option<String>,
    /// Whether it should be reachable or must be blocked.
    pub expect: Expect,
    /// Set if the host is retired.
    pub retired: Option<Retired>,
    /// The host that replaces it, now or later: a host may still answer after it was replaced.
    pub replaced_by: Option<String>,
    /// Whether to test it only if an import or `--only` lists it.
    pub only_when_named: bool,
    /// What the source page lists for it, if that is neither the default nor the dependency's.
    pub on_page: Option<SourceMention>,
    /// What the instance's documents say about it, if it is the instance's own and no page lists it.
    pub of_instance: Option<Arc<InstanceFacts>>,
}

/// What the source page lists for an endpoint: `drift` compares a newer copy of the page with this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[schemars(rename = "Named")]
pub enum SourceMention {
    /// Its host.
    Host,
    /// Its service tag and port, in the table of required ports.
    Tag,
    /// Its port alone.
    Port,
    /// Nothing: it comes from another source.
    Nothing,
}

impl SourceMention {
    /// Every word, as error messages list them.
    pub const ALL: [Self; 4] = [Self::Host, Self::Tag, Self::Port, Self::Nothing];

    /// The word in catalogs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Tag => "tag",
            Self::Port => "port",
            Self::Nothing => "nothing",
        }
    }
}

/// What the instance's documents say about something of its own: a backend, an identity provider, a host name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceFacts {
    /// Its title, in the user's words, instead of the dependency's.
    pub title: String,
    /// Who needs it, instead of the dependency's.
    pub feature: String,
    /// What breaks without it, instead of the dependency's.
    pub impact: String,
    /// How the instance judges its certificate.
    pub validation: CertificateValidation,
    /// Why its host is not known, if it is not.
    pub unknown: Option<String>,
    /// The addresses that its name must resolve to, the preferred one first; empty if any will do.
    pub leads_to: Vec<IpAddr>,
}

/// How an instance judges the certificate of something that it connects to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateValidation {
    /// Whether the chain must end in a root that the instance trusts.
    pub chain: bool,
    /// Whether the certificate must be for the host.
    pub name: bool,
    /// The SHA-1 thumbprints that the certificate may have, in upper-case hexadecimal; if there are any, nothing else
    /// counts.
    pub thumbprints: Vec<String>,
    /// The names that it may have, with their issuers; if there are any, nothing else counts either.
    pub issued: Vec<NamedCertificate>,
    /// The CA certificates that were uploaded to the instance.
    pub authorities: Arc<[TrustedAuthority]>,
}

impl Default for CertificateValidation {
    fn default() -> Self {
        Self {
            chain: true,
            name: true,
            thumbprints: Vec::new(),
            issued: Vec::new(),
            authorities: Arc::default(),
        }
    }
}

/// A certificate by name and issuer, as a Service Fabric cluster's are configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedCertificate {
    /// Its common name or one of its other names.
    pub name: String,
    /// The SHA-1 thumbprint of its issuer's certificate, in upper-case hexadecimal; empty if none is required.
    pub issuer: String,
}

/// A CA certificate that an instance trusts because it was uploaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedAuthority {
    /// Its subject, as Azure writes it: `CN=Contoso Root, O=Contoso`.
    pub subject: String,
    /// Its SHA-1 thumbprint, in upper-case hexadecimal; empty if it is not known.
    pub thumbprint: String,
    /// Whether it ends chains (store `Root`) or is a link in them (store `CertificateAuthority`).
    pub is_root: bool,
}

/// The target of an [`EndpointSpec`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A host name, possibly with `{name}` placeholders.
    Host(String),
    /// A wildcard such as `*.data.microsoft.com`, probed through its known members.
    Wildcard {
        /// The wildcard as documented.
        pattern: String,
        /// Known hosts under it; without any, it cannot be tested.
        members: Vec<String>,
    },
    /// Addresses instead of a name: one endpoint.
    Addresses {
        /// At least one.
        addresses: Vec<IpAddr>,
        /// Whether one working address is enough.
        any: bool,
    },
    /// Each configured name server (`host: "{name_server}"`).
    NameServer,
    /// Inbound and peer rows have no target of their own.
    Anything,
}

/// A host that the documentation once listed and that is retired.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retired {
    /// The host that replaced it, if any.
    pub replaced_by: Option<String>,
}

/// The gateway addresses of Azure SQL, tested instead of a server whose name is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlGateways {
    /// Where the addresses come from.
    pub source: String,
    /// Addresses by region, named as the VM's metadata names regions (`westeurope`).
    pub regions: BTreeMap<String, Vec<IpAddr>>,
    /// Ranges by region, for regions without documented addresses that listen.
    pub ranges: BTreeMap<String, Vec<IpNet>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catalog_older_than_a_year_gives_a_notice() {
        let source = |documented: &str, checked: Option<&str>| SourcePage {
            title: String::new(),
            url: String::new(),
            documented: documented.into(),
            checked: checked.map(Into::into),
        };
        let today = |text: &str| text.parse::<Date>().unwrap();
        for (documented, checked, date, old) in [
            ("2026-04-30", None, "2026-11-25", false),
            ("2026-04-30", None, "2027-04-30", false),
            ("2026-04-30", None, "2027-05-01", true),
            ("2024-02-29", None, "2025-03-01", true),
            ("2025-04-30", Some("2026-11-01"), "2027-05-01", false),
            ("2025-04-30", Some("2026-11-01"), "2027-11-02", true),
            ("2026-04-30", Some("2020-01-01"), "2026-11-25", false),
            ("", None, "2099-01-01", false),
        ] {
            let text = source(documented, checked).age(today(date));
            assert_eq!(text.is_some(), old, "{documented} {checked:?} {date}: {text:?}");
        }
    }
}
