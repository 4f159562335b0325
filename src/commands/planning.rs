//! From flags to catalog, vantage and plan: the first step of every command that plans.

use std::{path::Path, time::Duration};

use jiff::Zoned;

use crate::{
    azure::{
        Cloud, region,
        resources::{KnownResources, Resource},
    },
    catalog::{self, Catalog},
    cli::{IdPatterns, PlanArgs},
    file,
    import::{
        CompletedCatalog, DocumentKind, ImportedDocument, Imports,
        instance::{Instance, ServiceResource},
        subnets::Subnets,
    },
    model::{self, Tier},
    net::tls::roots::Roots,
    network::{NetworkRules, Origin},
    plan::{Plan, PlanScope, Selection, Values},
    vantage::{
        Overrides, Vantage,
        cutoff::Cutoff,
        descriptors, hosts,
        management::{self, Fetched, ManagementRequest, ResourceId},
    },
};

use super::{CommandFailure, network};

/// How long the platform may take if no deadline applies.
pub(super) const FETCH_TIMEOUT: Duration = Duration::from_secs(60);

/// Everything that is known before the first packet.
#[derive(Debug)]
pub(super) struct Planned {
    /// The catalog, overlays included.
    pub catalog: Catalog,
    /// Where the agent runs.
    pub vantage: Vantage,
    /// What to probe.
    pub plan: Plan,
    /// The network's own rules, if any were given.
    pub network: Option<NetworkRules>,
    /// The user's own resources, as far as they are known.
    pub known: KnownResources,
    /// Which part of the catalog was selected.
    pub selection: model::SelectionReport,
    /// The names in the documents that belong to the user, each with the word for what it names.
    pub own_names: Vec<(&'static str, String)>,
    /// Notices about the instance's documents, which decide what is planned. They are among the other notices, too.
    pub fetch_notices: Vec<String>,
}

/// What files contain, before anything is queried.
struct Given {
    network: network::NetworkDocuments,
    documents: Vec<ImportedDocument>,
    instance: Instance,
}

/// Makes a plan from flags. `added` describes the roots that verify the probes, and `colour` is for the errors of a
/// catalog. The platform is queried until `until` at most.
///
/// Any mistake in a flag or a file is reported before the first packet.
pub(super) fn plan(
    arguments: &PlanArgs,
    added: Option<String>,
    colour: bool,
    until: &Cutoff,
) -> Result<Planned, CommandFailure> {
    let overlays = arguments
        .probes
        .iter()
        .map(|path| catalog::CatalogFile::read(path).map_err(CommandFailure::usage))
        .collect::<Result<Vec<_>, _>>()?;
    let of_tier = |tier| {
        catalog::load(tier, !arguments.no_builtin, &overlays).map_err(|errors| CommandFailure::catalog(&errors, colour))
    };
    let mut catalog = of_tier(arguments.tier.unwrap_or_default())?;
    check_cloud(arguments, &catalog)?;
    let Given {
        network: mut given,
        mut documents,
        instance,
    } = files(arguments)?;
    let (roots, trusted) = management_roots(arguments.management_ca_file.as_deref())?;
    if !arguments.no_metadata {
        // A query needs a runtime, which needs descriptors.
        descriptors::prepare().map_err(CommandFailure::agent)?;
    }
    let place = Vantage::detect(&overrides(arguments), until);
    let service = arguments.service.as_ref();
    let trusted = trusted.filter(|_| service.is_some());
    let fetched = service.map_or_else(Fetched::default, |service| {
        let request = ManagementRequest {
            service,
            identity: arguments.identity.as_deref(),
            roots: &roots,
        };
        management::fetch(&request, &place, until)
    });
    let unusable = given.complete(&fetched.network);
    documents.extend(fetched.documents);
    let mut fetch_notices: Vec<String> = fetched.notices.into_iter().chain(unusable).collect();
    let instance = instance
        .and(fetched.instance)
        .map_err(|error| CommandFailure::usage(format!("--service: {error}")).after(fetch_notices.clone()))?;
    let tier = tier(arguments, instance.service.as_ref());
    if tier != catalog.tier {
        catalog = of_tier(tier)?;
    }
    fetch_notices.extend(tier_notice(arguments, instance.service.as_ref()));
    let network = given
        .rules()
        .map(|rules| rules.with_activation_at(catalog.route_addresses()));
    let own_names = own_names(&instance, network.as_ref());
    let mut imports = Imports::gather(documents).of(instance);
    let (place, moved) = located(place, arguments, &imports);
    let mut notices: Vec<String> = place.assumed(arguments.cloud.is_some()).into_iter().collect();
    notices.extend(catalog.source.age(Zoned::now().date()));
    notices.extend(place.region.as_deref().and_then(unknown_region));
    notices.extend(trusted);
    fetch_notices.extend(moved);
    let joined = imports
        .join(catalog, &values(arguments), place.cloud, place.region.as_deref())
        .map_err(|error| CommandFailure::usage(error).after(fetch_notices.clone()))?;
    let CompletedCatalog {
        catalog,
        values,
        remarks,
        notices: joined,
    } = joined;
    imports.view.remarks = remarks;
    fetch_notices.extend(joined);
    let scope = PlanScope {
        cloud: place.cloud,
        region: place.region.clone(),
        vnet: place.vnet,
        name_servers: place.name_servers.clone(),
    };
    let selection = Selection {
        only: arguments.only.clone().map(|ids| ids.0).unwrap_or_default(),
        skip: arguments.skip.clone().map(|ids| ids.0).unwrap_or_default(),
        required_only: arguments.required_only,
    };
    let plan = Plan::make(&catalog, &scope, &values, &selection)
        .map_err(|error| CommandFailure::usage(error).after(fetch_notices.clone()))?;
    fetch_notices.extend(selection.idle(&catalog));
    notices.extend(fetch_notices.iter().cloned());
    notices.extend(hosts::notices(plan.testable().map(|endpoint| endpoint.host.as_str())));
    if let Some(rules) = &network {
        notices.extend(rules.notices(&origin(&place)));
    }
    notices.extend(added);
    let subnets = fetched.network.subnets;
    let known = known(&place, service, network.as_ref(), &subnets);
    Ok(Planned {
        vantage: Vantage {
            standing: subnets.standing().or(place.standing),
            subnets,
            ..place.with_imports(imports, notices)
        },
        catalog,
        plan,
        network,
        known,
        selection: selected(arguments),
        own_names,
        fetch_notices,
    })
}

/// The user's names in the instance's documents and in the network's rules.
fn own_names(instance: &Instance, network: Option<&NetworkRules>) -> Vec<(&'static str, String)> {
    let rules = network.into_iter().flat_map(NetworkRules::own_names);
    instance.own_names().into_iter().chain(rules).collect()
}

/// Reads the files that flags name.
fn files(arguments: &PlanArgs) -> Result<Given, CommandFailure> {
    let network = network::NetworkDocuments::from_files(&arguments.network)?;
    let mut documents = documents(arguments)?;
    let mut instance = Instance::default();
    for path in &arguments.instance {
        let failed = |error: String| CommandFailure::usage(format!("--instance: {error}"));
        let loaded = Instance::load(path).map_err(failed)?;
        documents.extend(loaded.documents);
        let of = |error| failed(format!("{} {error}", file::shown(path)));
        instance = instance.and(loaded.instance).map_err(of)?;
    }
    Ok(Given {
        network,
        documents,
        instance,
    })
}

/// Which part of the catalog the flags select, as reports show it.
pub(super) fn selected(arguments: &PlanArgs) -> model::SelectionReport {
    let patterns = |ids: &Option<IdPatterns>| ids.as_ref().map(|ids| ids.0.clone());
    model::SelectionReport {
        only: patterns(&arguments.only),
        skip: patterns(&arguments.skip),
        required_only: arguments.required_only,
    }
}

/// The user's resources, as `--service`, the given rules and the VM's metadata name them.
fn known(
    place: &Vantage,
    service: Option<&ResourceId>,
    network: Option<&NetworkRules>,
    subnets: &Subnets,
) -> KnownResources {
    let service = service.and_then(ResourceId::resource);
    let ids = network.map(NetworkRules::ids).unwrap_or_default();
    let here = subnets.here.as_ref();
    let guarded = subnets.instance.as_ref().or(here.map(|(_, subnet)| subnet));
    // Where this VM's own rules are given, findings about routes are about its own table.
    let routed = here.map(|(_, subnet)| subnet).filter(|_| ids.own.is_some()).or(guarded);
    let of_id = |id: &String| Resource::of_id(id);
    let any = [&service, &ids.own, &ids.subnet, &place.vm]
        .into_iter()
        .flatten()
        .next();
    KnownResources {
        subscription: any.map(|resource| resource.subscription.clone()),
        vm: place.vm.clone(),
        service,
        nsg: ids.own.or_else(|| {
            guarded
                .and_then(|subnet| subnet.security_group.as_ref())
                .and_then(of_id)
        }),
        table: routed.and_then(|subnet| subnet.route_table.as_ref()).and_then(of_id),
        subnet: ids.subnet.or_else(|| guarded.map(|subnet| &subnet.id).and_then(of_id)),
        nic: ids.nic.or_else(|| here.map(|(nic, _)| &nic.id).and_then(of_id)),
        region: place.region.clone(),
    }
}

/// Refuses a cloud that is in no catalog, and a query to a management endpoint that is not known.
fn check_cloud(arguments: &PlanArgs, catalog: &Catalog) -> Result<(), CommandFailure> {
    let Some(cloud) = arguments.cloud else { return Ok(()) };
    catalog.knows(cloud).map_err(CommandFailure::usage)?;
    if matches!(cloud, Cloud::Other(_)) && arguments.service.is_some() {
        return Err(CommandFailure::usage(format!(
            "--service: the management endpoint of the cloud {cloud} is not known; fetch the documents yourself"
        )));
    }
    Ok(())
}

/// The tier whose catalog is used: that of the flag, else the instance's.
fn tier(arguments: &PlanArgs, service: Option<&ServiceResource>) -> Tier {
    arguments.tier.or_else(|| service?.tier()).unwrap_or_default()
}

/// A notice about the catalog, if it is not the default or not the instance's, and where to run the agent for it.
fn tier_notice(arguments: &PlanArgs, service: Option<&ServiceResource>) -> Option<String> {
    let theirs = service.and_then(|service| Some((service.tier()?, service.tier_name()?)));
    let stand = |tier: Tier| format!("run this {}", tier.standpoint());
    match (arguments.tier, theirs) {
        (Some(tier), Some((other, name))) if tier != other => Some(format!(
            "the instance's tier is {name}, but --tier {} is used; {}",
            tier.as_str(),
            stand(tier)
        )),
        (Some(tier), _) if tier != Tier::Classic => Some(format!(
            "using the catalog of --tier {}; {}",
            tier.as_str(),
            stand(tier)
        )),
        (None, Some((tier, name))) if tier != Tier::Classic => {
            let catalog = if arguments.no_builtin {
                String::new()
            } else {
                format!(", so the catalog of --tier {} is used", tier.as_str())
            };
            Some(format!("the instance's tier is {name}{catalog}; {}", stand(tier)))
        }
        _ => None,
    }
}

/// The place, with the network mode and the region from the instance's own documents unless a flag gives them. The VM
/// may be in a region in which the instance does not run.
fn located(place: Vantage, arguments: &PlanArgs, imports: &Imports) -> (Vantage, Option<String>) {
    let Some(service) = imports.instance.service.as_ref() else {
        // A network status contains the region that it was checked from; if it has several, it is not known which one
        // is meant.
        let region = place
            .region
            .clone()
            .or_else(|| imports.only_region().map(str::to_owned));
        return (Vantage { region, ..place }, None);
    };
    let regions: Vec<&str> = service.locations.iter().filter_map(|it| it.region.as_deref()).collect();
    let is_settled = arguments.region.is_some() || place.region.as_deref().is_some_and(|here| regions.contains(&here));
    let region = match regions.first() {
        Some(primary) if !is_settled => Some((*primary).to_owned()),
        _ => place.region.clone(),
    };
    let moved = match (&place.region, &region) {
        (Some(here), Some(there)) if here != there => Some(format!(
            "this VM is in {here}, but the instance runs in {}: planning for {there}; pass --region to choose another",
            regions.join(", ")
        )),
        _ => None,
    };
    let vnet = place.vnet.or_else(|| service.vnet());
    (Vantage { region, vnet, ..place }, moved)
}

/// The notice about an unknown region. The region is used anyway: the catalog may be older than the region.
pub(super) fn unknown_region(region: &str) -> Option<String> {
    let meant = region::unknown(region)?;
    let or = meant.map_or_else(String::new, |known| format!(": did you mean {known}?"));
    Some(format!("the region {region} is not known to this version{or}"))
}

/// Whose point of view the network's rules are evaluated from.
pub(super) fn origin(place: &Vantage) -> Origin<'_> {
    Origin {
        region: place.region.as_deref(),
        addresses: &place.addresses,
    }
}

/// The instance's names that flags give.
fn values(arguments: &PlanArgs) -> Values {
    let mut values = Values::default();
    for setting in &arguments.set {
        values.add(&setting.name, setting.values.iter().cloned());
    }
    values
}

/// What the flags give about the place.
pub(super) fn overrides(arguments: &PlanArgs) -> Overrides {
    Overrides {
        cloud: arguments.cloud,
        region: arguments.region.clone(),
        vnet: arguments.vnet,
        name_servers: arguments.dns_server.clone(),
        metadata: !arguments.no_metadata,
    }
}

/// The roots that are trusted with the token: the built-in ones, regardless of what `--ca-file` adds for the probes,
/// and those of `--management-ca-file`, with a notice about them.
pub(super) fn management_roots(path: Option<&Path>) -> Result<(Roots, Option<String>), CommandFailure> {
    let mut roots = Roots::builtin();
    let Some(path) = path else {
        return Ok((roots, None));
    };
    roots
        .add_file(path)
        .map_err(|error| CommandFailure::usage(format!("--management-ca-file: {error}")))?;
    let notice = format!(
        "the certificates in {} are trusted with this VM's token: anyone who holds one of their keys can read it in \
         transit",
        file::shown(path)
    );
    Ok((roots, Some(notice)))
}

/// The instance's documents that flags name.
fn documents(arguments: &PlanArgs) -> Result<Vec<ImportedDocument>, CommandFailure> {
    let status = arguments
        .network_status
        .iter()
        .map(|path| (path, DocumentKind::NetworkStatus));
    let dependencies = arguments
        .dependencies
        .iter()
        .map(|path| (path, DocumentKind::Dependencies));
    status
        .chain(dependencies)
        .map(|(path, kind)| {
            ImportedDocument::load(path, kind)
                .map_err(|error| CommandFailure::usage(format!("--{}: {error}", kind.word())))
        })
        .collect()
}
