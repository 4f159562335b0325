//! From flags to catalog, vantage and plan: what every command that plans does first.

use std::path::Path;

use crate::{
    catalog::{self, Catalog},
    cli::PlanArgs,
    file,
    import::{Document, Imports, Kind},
    net::tls::roots::Roots,
    network::NetworkRules,
    plan::{Plan, Scope, Selection, Values},
    vantage::{Claims, Vantage, descriptors, hosts, management},
};

use super::{Failure, network};

/// Everything that is known before the first packet.
#[derive(Debug)]
pub struct Planned {
    /// The catalog, overlays included.
    pub catalog: Catalog,
    /// Where the agent stands.
    pub vantage: Vantage,
    /// What to probe.
    pub plan: Plan,
    /// The network's own rules, where some were given.
    pub network: Option<NetworkRules>,
}

/// Makes a plan from flags; `colour` is for the errors of a catalog.
///
/// Whatever is wrong with a flag or a file is said before the first packet.
pub fn plan(arguments: &PlanArgs, colour: bool) -> Result<Planned, Failure> {
    let overlays = arguments
        .probes
        .iter()
        .map(|path| catalog::File::read(path).map_err(Failure::usage))
        .collect::<Result<Vec<_>, _>>()?;
    let mut catalog = catalog::load(!arguments.no_builtin, &overlays).map_err(|errors| Failure {
        text: catalog::render(&errors, colour),
        ..Failure::usage("")
    })?;
    let selection = Selection {
        only: arguments.only.clone().map(|ids| ids.0).unwrap_or_default(),
        skip: arguments.skip.clone().map(|ids| ids.0).unwrap_or_default(),
        required_only: arguments.required_only,
    };
    let network = network::rules(&arguments.network)?;
    let mut documents = documents(arguments)?;
    let (roots, trusted) = management_roots(arguments.management_ca_file.as_deref())?;
    if !arguments.no_metadata {
        // Asking takes a runtime, which takes descriptors.
        descriptors::prepare().map_err(Failure::agent)?;
    }
    let mut vantage = Vantage::look(&Claims {
        cloud: arguments.cloud,
        region: arguments.region.clone(),
        vnet: arguments.vnet,
        name_servers: arguments.dns_server.clone(),
        metadata: !arguments.no_metadata,
    });
    if let Some(service) = &arguments.service {
        vantage.notices.extend(trusted);
        let fetched = management::fetch(service, &vantage, &roots);
        documents.extend(fetched.documents);
        vantage.notices.extend(fetched.notices);
    }
    let mut values = Values::default();
    for setting in &arguments.set {
        values.add(&setting.name, setting.values.iter().cloned());
    }
    let mut imports = Imports::gather(documents);
    imports
        .join(&mut catalog, &mut values, vantage.cloud, vantage.region.as_deref())
        .map_err(Failure::usage)?;
    vantage.learn(imports);
    let scope = Scope {
        cloud: vantage.cloud,
        region: vantage.region.clone(),
        vnet: vantage.vnet,
        name_servers: vantage.name_servers.clone(),
    };
    let plan = Plan::make(&catalog, &scope, &values, &selection).map_err(Failure::usage)?;
    let hidden = hosts::notices(plan.testable().map(|endpoint| endpoint.host.as_str()));
    vantage.notices.extend(hidden);
    Ok(Planned {
        catalog,
        vantage,
        plan,
        network,
    })
}

/// The roots that the token is entrusted to: the built-in ones, whatever `--ca-file` adds for the probes, and those of
/// `--management-ca-file`, with the notice that they call for.
fn management_roots(path: Option<&Path>) -> Result<(Roots, Option<String>), Failure> {
    let mut roots = Roots::builtin();
    let Some(path) = path else {
        return Ok((roots, None));
    };
    roots
        .add_file(path)
        .map_err(|error| Failure::usage(format!("--management-ca-file: {error}")))?;
    let notice = format!(
        "the certificates of {} are trusted with this VM's token: whoever holds the key of one can read it on its way to \
         the management endpoint",
        file::shown(path)
    );
    Ok((roots, Some(notice)))
}

/// The documents of the instance that flags name.
fn documents(arguments: &PlanArgs) -> Result<Vec<Document>, Failure> {
    let status = arguments.network_status.iter().map(|path| (path, Kind::NetworkStatus));
    let dependencies = arguments.dependencies.iter().map(|path| (path, Kind::Dependencies));
    status
        .chain(dependencies)
        .map(|(path, kind)| Document::load(path, kind).map_err(Failure::usage))
        .collect()
}
