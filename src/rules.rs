//! The rules that a plan needs, for a network security group, an Azure Firewall or a route table.
//!
//! ```text
//! catalog ─ slots ─▶ stable names and priorities ─┐
//! plan or report ─ wanted ───────────────────────▶┴─ nsg | firewall | routes ─▶ az | bicep | terraform | json
//! ```
//! The catalog alone, in its order, gives each rule its name and its priority; what is wanted only chooses among them. So a
//! rule is the same whatever was selected, and applying one set after another changes nothing that was not asked for.

use std::net::IpAddr;

use crate::{
    azure::{Cloud, region::regional},
    catalog::model::Catalog,
    model::{Direction, Need, Protocol, Transport},
    network::service_tags::ServiceTags,
};

mod az;
mod bicep;
mod firewall;
mod json;
mod literal;
mod nsg;
mod routes;
mod slots;
mod terraform;
mod wanted;

pub use nsg::{NsgRules, SecurityRule, clashes};
pub use wanted::is_forced;

/// For what rules are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Kind {
    /// A network security group.
    Nsg,
    /// A policy of an Azure Firewall.
    Firewall,
    /// A route table.
    Routes,
}

/// How rules are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Syntax {
    /// Lines for the Azure CLI.
    Az,
    /// A Bicep module.
    Bicep,
    /// Terraform, for the azurerm provider.
    Terraform,
    /// Resources in the shape of Azure Resource Manager.
    Json,
}

/// One endpoint as far as rules care.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The id of its dependency.
    pub dependency: String,
    /// The title of its dependency.
    pub title: String,
    /// The service tag of the documented rule.
    pub service_tag: Option<String>,
    /// How much it counts.
    pub need: Need,
    /// The host, with braces where a name is missing.
    pub host: String,
    /// The wildcard that the host stands for.
    pub pattern: Option<String>,
    /// Its addresses, where the catalog or the network gives them.
    pub addresses: Vec<IpAddr>,
    /// The port.
    pub port: u16,
    /// TCP or UDP.
    pub transport: Transport,
    /// What is spoken there.
    pub protocol: Protocol,
    /// Which way the traffic flows.
    pub direction: Direction,
    /// Where inbound traffic comes from.
    pub source_tag: Option<String>,
    /// Whether a report says that it is blocked, or that rules of this kind are at fault.
    pub missing: bool,
}

/// What rules are made from.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    /// Every dependency, for names and priorities.
    pub catalog: &'a Catalog,
    /// The cloud, for literal addresses.
    pub cloud: Cloud,
    /// The region: regional tags take the place of global ones where the documentation allows it.
    pub region: Option<&'a str>,
    /// Whether a route takes 0.0.0.0/0 away from Azure, so that nothing counts as `Internet`; `None` where nobody told.
    pub is_forced: Option<bool>,
    /// Where tags are spelled as Azure spells them.
    pub tags: Option<&'a ServiceTags>,
    /// The prefix of the instance's subnet, or `*`: the source of firewall rules.
    pub subnet: &'a str,
    /// What the rules are for.
    pub wanted: Vec<Wanted>,
    /// Only rules for what is missing.
    pub missing_only: bool,
}

/// The rules of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rules {
    /// Rules of a network security group.
    Nsg(NsgRules),
    /// A rule collection group of a firewall policy.
    Firewall(firewall::CollectionGroup),
    /// Routes of a route table.
    Routes(Vec<routes::Route>),
}

impl Rules {
    /// Makes the rules of a kind.
    ///
    /// # Errors
    /// A sentence, where a security group cannot hold so many rules.
    pub fn make(kind: Kind, request: &Request<'_>) -> Result<Self, String> {
        Ok(match kind {
            Kind::Nsg => Self::Nsg(nsg::rules(request)?),
            Kind::Firewall => Self::Firewall(firewall::rules(request)),
            Kind::Routes => Self::Routes(routes::routes(request)),
        })
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Nsg(group) => group.rules.len(),
            Self::Firewall(group) => group.network.len() + group.application.len(),
            Self::Routes(routes) => routes.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes them.
    pub fn render(&self, syntax: Syntax) -> String {
        match syntax {
            Syntax::Az => az::render(self),
            Syntax::Bicep => bicep::render(self),
            Syntax::Terraform => terraform::render(self),
            Syntax::Json => json::render(self),
        }
    }

    /// What a reader should know first, a line each: comments where the syntax has them.
    pub fn remarks(&self) -> Vec<String> {
        let count = |n: usize, noun: &str| crate::text::words::count(n, noun);
        let made = format!("Made by apim-probe {}", env!("CARGO_PKG_VERSION"));
        match self {
            _ if self.is_empty() => vec![format!("{made}: no rule is needed.")],
            Self::Nsg(group) => {
                let inbound = group.rules.iter().filter(|rule| rule.inbound).count();
                let mut remarks = vec![
                    format!(
                        "{made}: {} for the NSG of the instance's subnet, {inbound} of them inbound (apim-in-…).",
                        count(group.rules.len(), "rule")
                    ),
                    "An instance in several regions also needs the regional tags of its primary region, and an Event \
                     Hubs namespace elsewhere those of its own."
                        .into(),
                ];
                remarks.extend(group.remark().map(str::to_owned));
                remarks
            }
            Self::Firewall(_) => vec![
                format!("{made}: {} for a policy of Azure Firewall.", count(self.len(), "rule")),
                "Names that are not known yet are allowed by service tag; --set makes them exact.".into(),
            ],
            Self::Routes(routes) => vec![
                format!(
                    "{made}: {} for the route table of the instance's subnet.",
                    count(routes.len(), "route")
                ),
                "Needed where another route takes 0.0.0.0/0; harmless elsewhere.".into(),
            ],
        }
    }
}

impl Request<'_> {
    /// What rules are made for: all that is wanted, as `missing_only` chooses among rules and not within one.
    fn has_place(&self, missing: bool) -> bool {
        missing || !self.missing_only
    }

    /// A tag as it stands in a rule: the region's part where the documentation allows it.
    fn tag(&self, tag: &str) -> String {
        let listed = self.tags.and_then(|tags| tags.regional(tag, self.region));
        listed
            .map(str::to_owned)
            .or_else(|| regional(tag, self.region))
            .unwrap_or_else(|| tag.to_owned())
    }

    /// The region, where tags cannot be narrowed to it: rules then name whole tags.
    pub fn unknown_region(&self) -> Option<&str> {
        // Every region has storage.
        self.region.filter(|_| self.tag("Storage") == "Storage")
    }
}
