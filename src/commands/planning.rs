//! From flags to catalog, vantage and plan: what every command that plans does first.

use crate::{
    catalog::{self, Catalog},
    cli::PlanArgs,
    plan::{Plan, Scope, Selection, Values},
    vantage::{Claims, Vantage, hosts},
};

use super::Failure;

/// Everything that is known before the first packet.
#[derive(Debug)]
pub struct Planned {
    /// The catalog, overlays included.
    pub catalog: Catalog,
    /// Where the agent stands.
    pub vantage: Vantage,
    /// What to probe.
    pub plan: Plan,
}

/// Makes a plan from flags; `colour` is for the errors of a catalog.
pub fn plan(arguments: &PlanArgs, colour: bool) -> Result<Planned, Failure> {
    let overlays = arguments
        .probes
        .iter()
        .map(|path| {
            catalog::File::read(path)
                .map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let catalog = catalog::load(!arguments.no_builtin, &overlays).map_err(|errors| Failure {
        text: catalog::render(&errors, colour),
        ..Failure::usage("")
    })?;
    let mut vantage = Vantage::look(&Claims {
        cloud: arguments.cloud,
        region: arguments.region.clone(),
        vnet: arguments.vnet,
        name_servers: arguments.dns_server.clone(),
    });
    let mut values = Values::default();
    for setting in &arguments.set {
        values.add(&setting.name, setting.values.iter().cloned());
    }
    let selection = Selection {
        only: arguments.only.clone().map(|ids| ids.0).unwrap_or_default(),
        skip: arguments.skip.clone().map(|ids| ids.0).unwrap_or_default(),
        required_only: arguments.required_only,
    };
    let scope = Scope {
        cloud: vantage.cloud,
        region: vantage.region.clone(),
        vnet: vantage.vnet,
        name_servers: vantage.name_servers.clone(),
    };
    let plan = Plan::make(&catalog, &scope, &values, &selection).map_err(Failure::usage)?;
    let hidden = hosts::notices(plan.testable().map(|endpoint| endpoint.host.as_str()));
    vantage.notices.extend(hidden);
    Ok(Planned { catalog, vantage, plan })
}
