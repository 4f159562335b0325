//! The rules that a plan needs, for a network security group, an Azure Firewall or a route table.
//!
//! ```text
//! catalog ─ slots ─▶ stable names and priorities ─┐
//! plan or report ─ requirements ─────────────────▶┴─ nsg | firewall | routes ─▶ az | bicep | terraform | json
//! ```
//! Names and priorities of rules depend only on the catalog and its order; the requirements only select rules. So a rule is
//! the same whatever was selected, and applying one set after another changes nothing else.
//!
//! `apim-probe rules` and every finding whose fix is a rule use this module.

use std::collections::BTreeSet;

use crate::{
    azure::{Cloud, region::regional},
    catalog::model::Catalog,
    network::{NetworkRules, Origin},
    text::Shell,
};

mod az;
mod bicep;
mod firewall;
mod json;
mod literal;
mod nsg;
mod priorities;
mod requirement;
mod routes;
mod slots;
mod terraform;

pub use self::{
    az::{CommandWithUndo, Style},
    firewall::FirewallRule,
    nsg::{NsgRules, SecurityRule},
    priorities::DenyRule,
    requirement::{Requirement, is_forced, missing},
};

use self::slots::RuleSlot;

/// The target of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum RuleFamily {
    /// A network security group.
    Nsg,
    /// An Azure Firewall policy.
    Firewall,
    /// A route table.
    Routes,
}

/// The syntax of rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Syntax {
    /// Azure CLI commands.
    Az,
    /// A Bicep module.
    Bicep,
    /// Terraform, for the azurerm provider.
    Terraform,
    /// Resources as Azure Resource Manager (ARM) represents them.
    Json,
}

/// The input for rules of any kind.
#[derive(Debug, Clone, Copy)]
pub struct RuleBasis<'a> {
    /// Every dependency, for names and priorities.
    pub catalog: &'a Catalog,
    /// The cloud, for literal addresses.
    pub cloud: Cloud,
    /// The region, whose tags replace global ones if the documentation says that they are enough, and from whose point
    /// of view the rules in force are evaluated.
    pub from: Origin<'a>,
    /// Whether another route covers 0.0.0.0/0 instead of Azure's, so that nothing counts as `Internet`; `None` if
    /// unknown.
    pub is_forced: Option<bool>,
    /// The rules in force, for free priorities, and the service tags in Azure's spelling.
    pub network: Option<&'a NetworkRules>,
    /// The priority of the first rule of a security group in each direction; 2000 unless given.
    pub first_priority: Option<u16>,
    /// Whether the name servers are those of a machine outside the network: no rule is about them.
    pub own_servers: bool,
    /// The prefix of the instance's subnet, or [`ANYWHERE`]: the source of firewall rules.
    pub subnet: &'a str,
}

/// Every source.
pub const ANYWHERE: &str = "*";

/// Every rule that a catalog and a plan or report require, each in its slot.
#[derive(Debug, Clone)]
pub struct RuleSet<'a> {
    basis: RuleBasis<'a>,
    requirements: Vec<Requirement>,
    slots: Vec<RuleSlot>,
}

/// Which rules of a set are written.
#[derive(Debug, Clone, Copy)]
pub enum RuleFilter<'a> {
    /// Every rule that something requires.
    All,
    /// The rules that these endpoints require, by their ids: complete rules, as part of one would close the rest.
    For(&'a BTreeSet<String>),
}

/// The rules of one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RenderedRules {
    /// Rules of a network security group.
    Nsg(NsgRules),
    /// A rule collection group of a firewall policy.
    Firewall(firewall::CollectionGroup),
    /// Routes of a route table.
    Routes(Vec<routes::InternetRoute>),
}

impl<'a> RuleSet<'a> {
    /// Assigns requirements to the slots of a catalog.
    pub fn new(basis: RuleBasis<'a>, requirements: Vec<Requirement>) -> Self {
        let slots = slots::slots(basis.catalog, &requirements);
        Self {
            basis,
            requirements,
            slots,
        }
    }

    /// The rules of a kind.
    ///
    /// # Errors
    ///
    /// A sentence, if a security group cannot contain so many rules.
    pub fn rules(&self, kind: RuleFamily, choice: RuleFilter<'_>) -> Result<RenderedRules, String> {
        Ok(match kind {
            RuleFamily::Nsg => RenderedRules::Nsg(nsg::rules(self, choice)?),
            RuleFamily::Firewall => RenderedRules::Firewall(firewall::rules(self, choice)),
            RuleFamily::Routes => RenderedRules::Routes(routes::routes(self, choice)),
        })
    }

    /// A service tag as written in a rule: the region's part if the documentation says that it is enough.
    pub fn tag(&self, tag: &str) -> String {
        self.basis.tag(tag)
    }

    /// The prefix from which firewall rules allow traffic, if it is known.
    pub fn subnet(&self) -> Option<&str> {
        Some(self.basis.subnet).filter(|subnet| *subnet != ANYWHERE)
    }

    /// The region, if it has regional tags: otherwise rules name the global tags.
    pub fn unknown_region(&self) -> Option<&str> {
        // Every region has storage.
        let region = self.basis.from.region;
        region.filter(|_| self.basis.tag("Storage") == "Storage")
    }

    /// The index of a dependency in the catalog; after the last for one that it lacks.
    fn place_of(&self, dependency: &str) -> usize {
        let dependencies = &self.basis.catalog.dependencies;
        let of_catalog = dependencies.iter().position(|known| known.id == dependency);
        of_catalog.unwrap_or_else(|| {
            let mut others: Vec<&str> = Vec::new();
            for requirement in &self.requirements {
                let id = requirement.dependency.as_str();
                if !others.contains(&id) && !dependencies.iter().any(|known| known.id == id) {
                    others.push(id);
                }
            }
            dependencies.len() + others.iter().position(|id| *id == dependency).unwrap_or_default()
        })
    }

    /// The requirements of a slot.
    fn required_by(&self, slot: &RuleSlot) -> impl Iterator<Item = &Requirement> {
        slot.requirements.iter().map(|index| &self.requirements[*index])
    }
}

impl RuleBasis<'_> {
    /// A tag as written in a rule: the region's part if the documentation says that it is enough.
    pub fn tag(&self, tag: &str) -> String {
        let region = self.from.region;
        let listed = self.network.and_then(|network| network.tags().regional(tag, region));
        listed
            .map(str::to_owned)
            .or_else(|| regional(tag, region))
            .unwrap_or_else(|| tag.to_owned())
    }
}

impl RuleFilter<'_> {
    /// Whether a single rule fulfils all of these requirements.
    fn takes<'r>(self, mut requirements: impl Iterator<Item = &'r Requirement>) -> bool {
        match self {
            Self::All => requirements.next().is_some(),
            Self::For(ids) => requirements.any(|requirement| ids.contains(&requirement.id)),
        }
    }
}

impl RenderedRules {
    /// How many rules there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Nsg(group) => group.rules.len(),
            Self::Firewall(group) => group.len(),
            Self::Routes(routes) => routes.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A command for each of them and for the resources that contain them, with the command that undoes it, for the
    /// Azure CLI in a POSIX shell.
    pub fn changes(&self) -> Vec<CommandWithUndo> {
        az::changes(self, Shell::Bash)
    }

    /// Writes them, with remarks for the reader first; `style` is how commands are written.
    pub fn render(&self, syntax: Syntax, style: &Style<'_>) -> String {
        match syntax {
            Syntax::Az => az::render(self, style),
            Syntax::Bicep => bicep::render(self),
            Syntax::Terraform => terraform::render(self),
            Syntax::Json => json::render(self),
        }
    }

    /// Remarks for the reader, one per line: comments if the syntax has them.
    pub fn remarks(&self) -> Vec<String> {
        let count = |n: usize, noun: &str| crate::text::words::count(n, noun);
        let made = format!("Generated by apim-probe {}", env!("CARGO_PKG_VERSION"));
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
                     Hubs namespace in another region needs the tags of that region."
                        .into(),
                ];
                remarks.extend(group.remarks());
                remarks
            }
            Self::Firewall(_) => vec![
                format!("{made}: {} for an Azure Firewall policy.", count(self.len(), "rule")),
                "Hosts whose names are not known yet are allowed by service tag; pass --set to make the rules exact."
                    .into(),
            ],
            Self::Routes(routes) => vec![
                format!(
                    "{made}: {} for the route table of the instance's subnet.",
                    count(routes.len(), "route")
                ),
                "Needed if another route covers 0.0.0.0/0; harmless otherwise.".into(),
            ],
        }
    }
}
