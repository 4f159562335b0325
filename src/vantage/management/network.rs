//! This VM's network interface with its rules and routes, the service tags, and the subnets of this VM and of the instance.

use std::cell::RefCell;

use futures_util::future::join_all;
use tokio::join;

use super::session::{ManagementSession, Reason, SessionError};
use crate::{
    import::{
        instance::Location,
        subnets::{self, EndpointPolicy, NetworkInterface, Subnet, Subnets},
    },
    model::prediction::NsgAttachment,
    vantage::metadata::Identity,
};

const COMPUTE: &str = "2024-07-01";
const NETWORK: &str = "2024-05-01";
/// The interfaces of a scale set's machines are read in this version and no newer one.
const SCALE_SET: &str = "2018-10-01";

/// The management endpoint's data about the network.
#[derive(Debug, Clone, Default)]
pub(crate) struct NetworkConfig {
    /// The rules of this VM's network interface.
    pub security: Option<NsgDocuments>,
    /// Its routes.
    pub routes: Option<RouteDocuments>,
    /// The service tags.
    pub tags: Option<String>,
    /// The NSGs and routes of this VM and of the instance.
    pub subnets: Subnets,
}

/// NSG rules.
#[derive(Debug, Clone)]
pub(crate) enum NsgDocuments {
    /// Effective rules.
    Effective(String),
    /// Configured rules, one document per NSG.
    Configured(Vec<(NsgAttachment, String)>),
}

/// Routes.
#[derive(Debug, Clone)]
pub(crate) enum RouteDocuments {
    /// Effective routes.
    Effective(String),
    /// Configured routes.
    Configured {
        /// The route table of the subnet.
        table: Option<String>,
        /// The virtual network.
        network: Option<String>,
    },
}

/// The data so far: it is filled as replies arrive, since the time may run out first.
#[derive(Debug, Default)]
pub(super) struct CollectedNetwork {
    pub network: NetworkConfig,
    /// What is missing, one sentence each.
    pub notices: Vec<String>,
}

/// Requests the network interface of this VM, its NSGs and routes, and the service tags.
pub(super) async fn of_this_vm(
    session: &ManagementSession,
    machine: &Identity,
    region: Option<&str>,
    found: &RefCell<CollectedNetwork>,
) {
    let tags = tags(session, machine, region, found);
    let rules = async {
        match nic(session, machine).await {
            Ok(nic) => rules(session, nic, found).await,
            Err(why) => found.borrow_mut().notices.push(format!(
                "--service: the effective rules of this VM's network interface are not known: {why}; or pass \
                 --effective-nsg and --effective-routes"
            )),
        }
    };
    join!(tags, rules);
}

/// The service tags, which include those of this region: the list is for the whole cloud, whichever region the request
/// names.
async fn tags(
    session: &ManagementSession,
    machine: &Identity,
    region: Option<&str>,
    found: &RefCell<CollectedNetwork>,
) {
    let (Some(region), Some(subscription)) = (region, machine.subscription()) else {
        return;
    };
    let path = format!(
        "/subscriptions/{subscription}/providers/Microsoft.Network/locations/{region}/serviceTags?api-version={NETWORK}"
    );
    match session.document(&path).await {
        Ok(tags) => found.borrow_mut().network.tags = tags,
        Err(trouble) => found.borrow_mut().notices.push(format!(
            "--service: the service tags are not known ({trouble}): the identity needs \
             Microsoft.Network/locations/serviceTags/read on the subscription, as in Reader; or pass --service-tags"
        )),
    }
}

/// The interface that this VM's traffic leaves from.
async fn nic(session: &ManagementSession, machine: &Identity) -> Result<NetworkInterface, String> {
    let id = &machine.resource;
    let refused = |what: &str, scope: &str, trouble: &SessionError| {
        format!("{what} cannot be read ({trouble}): its identity needs Reader on {scope}")
    };
    let gone = || SessionError::Refused(404, Reason::default());
    let asked = session.document(&format!("{id}?api-version={COMPUTE}")).await;
    let vm = asked
        .and_then(|vm| vm.ok_or_else(gone))
        .map_err(|trouble| refused("this VM", id, &trouble))?;
    let nics = subnets::nic_ids_of(&vm);
    let read = nics.iter().map(|nic| {
        let version = if is_of_scale_set(nic) { SCALE_SET } else { NETWORK };
        let path = format!("{nic}?api-version={version}");
        async move { session.document(&path).await }
    });
    let mut why = "the management endpoint lists no network interface of this VM".to_string();
    for (id, answer) in nics.iter().zip(join_all(read).await) {
        match answer.and_then(|nic| nic.ok_or_else(gone)) {
            Ok(text) => match NetworkInterface::read(&text) {
                Some(nic) if nics.len() == 1 || Some(&nic.mac) == machine.mac.as_ref() => return Ok(nic),
                Some(_) => {
                    why =
                        "no network interface of this VM has the MAC address that the metadata service reports".into();
                }
                None => why = "the management endpoint's reply for the network interface cannot be used".into(),
            },
            Err(trouble) => why = refused("the network interface of this VM", id, &trouble),
        }
    }
    Err(why)
}

/// A machine in a uniform scale set: Azure provides no effective rules for its interfaces.
fn is_of_scale_set(nic: &str) -> bool {
    nic.to_ascii_lowercase().contains("/virtualmachinescalesets/")
}

/// The rules and routes of an interface: the effective ones if the identity may read them, else the configured ones.
async fn rules(session: &ManagementSession, nic: NetworkInterface, found: &RefCell<CollectedNetwork>) {
    let effective = async |what: &str| {
        if is_of_scale_set(&nic.id) {
            return Err("Azure provides none for VMs of a scale set".to_string());
        }
        let path = format!("{}/{what}?api-version={NETWORK}", nic.id);
        session
            .operation(&path, None)
            .await
            .map_err(|trouble| trouble.to_string())
    };
    let subnet = async { read(session, nic.subnets.first().map(String::as_str), Subnet::read).await };
    let (security, routes, subnet) = join!(
        effective("effectiveNetworkSecurityGroups"),
        effective("effectiveRouteTable"),
        subnet
    );
    let missing = security.as_ref().err().or(routes.as_ref().err()).cloned();
    let guards = subnet.clone().unwrap_or_default();
    let configured = async {
        if security.is_ok() {
            return None;
        }
        let of_nic = read(session, nic.security_group.as_deref(), whole);
        let of_subnet = read(session, guards.security_group.as_deref(), whole);
        let (of_nic, of_subnet) = join!(of_nic, of_subnet);
        let groups = [(NsgAttachment::Subnet, of_subnet), (NsgAttachment::Nic, of_nic)];
        let groups: Vec<_> = groups
            .into_iter()
            .filter_map(|(place, group)| Some((place, group?)))
            .collect();
        (!groups.is_empty()).then_some(NsgDocuments::Configured(groups))
    };
    let ways = async {
        if routes.is_ok() {
            return None;
        }
        let table = read(session, guards.route_table.as_deref(), whole);
        let network = read(session, Some(guards.network()).filter(|id| !id.is_empty()), whole);
        let (table, network) = join!(table, network);
        (table.is_some() || network.is_some()).then_some(RouteDocuments::Configured { table, network })
    };
    let (configured, ways) = join!(configured, ways);
    let mut found = found.borrow_mut();
    if let Some(why) = missing {
        let used = if configured.is_some() || ways.is_some() {
            "using the configured ones, without security admin rules and BGP routes"
        } else {
            "nothing is predicted from them"
        };
        found.notices.push(format!(
            "--service: the effective rules and routes of this VM's network interface are not known ({why}); {used}. \
             The roles Network Contributor and Virtual Machine Contributor on the interface may read them \
             (Microsoft.Network/networkInterfaces/effectiveNetworkSecurityGroups/action and effectiveRouteTable/action); or pass \
             --effective-nsg and --effective-routes"
        ));
    }
    found.network.security = security.ok().map(NsgDocuments::Effective).or(configured);
    found.network.routes = routes.ok().map(RouteDocuments::Effective).or(ways);
    found.network.subnets.here = subnet.map(|subnet| (nic.clone(), subnet));
}

/// Requests the instance's own subnet, if it is not this VM's, and the service endpoint policies of both.
pub(super) async fn of_the_instance(
    session: &ManagementSession,
    locations: &[Location],
    region: Option<&str>,
    found: &RefCell<CollectedNetwork>,
) {
    let here = found
        .borrow()
        .network
        .subnets
        .here
        .as_ref()
        .map(|(_, subnet)| subnet.clone());
    let is_here = |location: &&Location| {
        let both = location.subnet.as_deref().zip(here.as_ref());
        both.is_some_and(|(id, subnet)| id.eq_ignore_ascii_case(&subnet.id))
    };
    let is_near = |location: &&Location| region.is_some() && location.region.as_deref() == region;
    let location = locations
        .iter()
        .find(is_here)
        .or_else(|| locations.iter().find(is_near));
    let Some(location) = location else {
        if !locations.is_empty() && region.is_some() {
            let mut found = found.borrow_mut();
            found.notices.push(
                "--service: the instance runs neither in this VM's subnet nor in its region, so the rules of its subnet are not compared".into(),
            );
        }
        return;
    };
    let theirs = if is_here(&location) {
        here.clone()
    } else {
        match location.subnet.as_deref() {
            Some(id) => {
                let subnet = read(session, Some(id), Subnet::read).await;
                if subnet.is_none() {
                    let notice = format!(
                        "--service: the instance's own subnet cannot be read, so its rules are not compared with this VM's: the \
                         identity needs Reader on {id}"
                    );
                    found.borrow_mut().notices.push(notice);
                }
                subnet
            }
            None => None,
        }
    };
    let mut ids: Vec<String> = here
        .iter()
        .chain(&theirs)
        .flat_map(|subnet| subnet.policies.clone())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let policies = join_all(ids.iter().map(|id| read(session, Some(id), EndpointPolicy::read))).await;
    let mut found = found.borrow_mut();
    found.network.subnets.instance = theirs;
    found.network.subnets.policies = policies.into_iter().flatten().collect();
}

/// A resource that is only used if it can be read.
async fn read<T>(session: &ManagementSession, id: Option<&str>, parse: fn(&str) -> Option<T>) -> Option<T> {
    let path = format!("{}?api-version={NETWORK}", id?);
    parse(&session.document(&path).await.ok()??)
}

#[expect(clippy::unnecessary_wraps, reason = "one of the parsers of `read`")]
fn whole(text: &str) -> Option<String> {
    Some(text.to_owned())
}
