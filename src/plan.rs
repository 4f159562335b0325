//! What one run tests: the catalog, applied to a cloud, a region, the instance's names, and the user's selection.

use std::{
    collections::{BTreeMap, HashSet},
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use crate::{
    azure::Cloud,
    catalog::model::{self, Catalog, Dependency, InstanceFacts, Target},
    model::{Cause, Direction, Expect, Need, Protocol, Transport, Vnet},
};

mod deduplicate;
pub mod document;
mod expand;
mod selection;
mod sql_substitute;
pub mod text;

pub use expand::Values;
pub(crate) use expand::fill;
pub use selection::Selection;
pub use sql_substitute::SqlSubstitute;

/// The endpoints of one run, in the order of the report.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The cloud whose suffixes were filled in.
    pub cloud: Cloud,
    /// Every endpoint, testable or not.
    pub endpoints: Vec<PlannedEndpoint>,
    /// The name servers, in the order in which a resolver would use them.
    pub name_servers: Vec<SocketAddr>,
    /// The name that name servers are tested with: the cloud's Entra login host.
    pub control_name: String,
}

/// One concrete thing to test.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedEndpoint {
    /// `dependency/host:port`, with `/udp` behind it for UDP.
    pub id: String,
    /// The id of its dependency.
    pub dependency: String,
    /// The title of its dependency.
    pub title: String,
    /// The service tag of the documented rule.
    pub service_tag: Option<String>,
    /// How much it counts.
    pub need: Need,
    /// Who needs it, for a feature's endpoint.
    pub feature: Option<String>,
    /// What breaks without it.
    pub impact: String,
    /// Whether the instance cannot be activated without it; only a required endpoint can have this.
    pub stops_activation: bool,
    /// The host, or its replacement in the id.
    pub host: String,
    /// The wildcard that it stands for.
    pub pattern: Option<String>,
    /// The port.
    pub port: u16,
    /// TCP or UDP.
    pub transport: Transport,
    /// The protocol.
    pub protocol: Protocol,
    /// Where to connect.
    pub destination: ProbeTarget,
    /// Names that its certificate may have; the host first, then the catalog's `names`.
    pub names: Vec<String>,
    /// The path of the request (http and https).
    pub path: Option<String>,
    /// The catalog's remark.
    pub note: Option<String>,
    /// The expected result.
    pub expect: Expect,
    /// Which way the traffic flows.
    pub direction: Direction,
    /// Where inbound traffic comes from.
    pub source_tag: Option<String>,
    /// What it is a stand-in for, if it is not the instance's own.
    pub sql_substitute: Option<SqlSubstitute>,
    /// What the instance's documents say about it, if it is the instance's own and no page lists it.
    pub of_instance: Option<Arc<InstanceFacts>>,
    /// Why it cannot be tested, if so.
    pub untested: Option<Untested>,
}

impl PlannedEndpoint {
    /// A TCP endpoint that is in no catalog, at a host or at an address.
    pub(crate) fn unplanned(host: &str, port: u16, protocol: Protocol) -> Self {
        let address = host.parse::<IpAddr>().ok();
        let host = host.to_ascii_lowercase();
        let shown = match address {
            Some(IpAddr::V6(_)) => format!("[{host}]"),
            _ => host.clone(),
        };
        Self {
            id: format!("path/{shown}:{port}"),
            dependency: "path".into(),
            title: host.clone(),
            service_tag: None,
            need: Need::Required,
            feature: None,
            impact: String::new(),
            stops_activation: false,
            pattern: None,
            port,
            transport: Transport::Tcp,
            protocol,
            destination: address.map_or(ProbeTarget::Name, |address| ProbeTarget::Addresses {
                addresses: vec![address],
                any: false,
            }),
            names: vec![host.clone()],
            host,
            path: None,
            note: None,
            expect: Expect::Reachable,
            direction: Direction::Outbound,
            source_tag: None,
            sql_substitute: None,
            of_instance: None,
            untested: None,
        }
    }

    /// `host:port`, followed by `/udp` for UDP: the id without its dependency.
    pub fn target(&self) -> &str {
        self.id.get(self.dependency.len() + 1..).unwrap_or(&self.id)
    }
}

/// Where connections to an endpoint go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeTarget {
    /// All addresses that the name resolves to.
    Name,
    /// These addresses.
    Addresses {
        /// At least one.
        addresses: Vec<IpAddr>,
        /// Whether one that works is enough.
        any: bool,
    },
    /// A name server itself.
    NameServer(SocketAddr),
}

/// Why an endpoint is not tested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Untested {
    /// One of the causes of `not-tested`.
    pub cause: Cause,
    /// How to change that, or why no action is needed.
    pub detail: String,
}

/// What the plan is made for.
#[derive(Debug, Clone)]
pub struct PlanScope {
    /// The cloud.
    pub cloud: Cloud,
    /// The region, as the VM's metadata names it.
    pub region: Option<String>,
    /// The kind of virtual network; `None` plans for both.
    pub vnet: Option<Vnet>,
    /// The name servers to test and to use.
    pub name_servers: Vec<SocketAddr>,
}

impl Plan {
    /// Applies `scope`, `values` and `selection` to `catalog`.
    ///
    /// # Errors
    ///
    /// A selection that matches nothing, in a sentence that lists the possible values.
    pub fn make(catalog: &Catalog, scope: &PlanScope, values: &Values, selection: &Selection) -> Result<Self, String> {
        selection.check(catalog)?;
        let suffixes = catalog.clouds.get(&scope.cloud).cloned().unwrap_or_default();
        let maker = PlanBuilder {
            catalog,
            scope,
            suffixes: &suffixes,
            values,
            selection,
        };
        let mut known = HashSet::new();
        let entries = catalog.dependencies.iter().map(|dependency| dependency.endpoints.len());
        let mut endpoints = Vec::with_capacity(entries.sum());
        for dependency in catalog.dependencies.iter().filter(|it| maker.applies(it)) {
            // Two entries can contain the same host, for example if a file of the instance lists a built-in one.
            let new = maker
                .endpoints(dependency)
                .filter(|endpoint| known.insert(endpoint.id.clone()));
            endpoints.extend(new);
        }
        let endpoints = deduplicate::each(endpoints);
        if endpoints.is_empty() {
            let why = selection
                .idle(catalog)
                .unwrap_or_else(|| format!("no endpoint of the catalog remains for the {} cloud", scope.cloud));
            return Err(format!("nothing is selected: {why}"));
        }
        let control_name = suffixes
            .get("login")
            .cloned()
            .unwrap_or_else(|| scope.cloud.login_host().into());
        Ok(Self {
            cloud: scope.cloud,
            endpoints,
            name_servers: scope.name_servers.clone(),
            control_name,
        })
    }

    /// The endpoints that will be probed.
    pub fn testable(&self) -> impl Iterator<Item = &PlannedEndpoint> {
        self.endpoints.iter().filter(|endpoint| endpoint.untested.is_none())
    }
}

/// Everything that is used to make a plan.
struct PlanBuilder<'a> {
    catalog: &'a Catalog,
    scope: &'a PlanScope,
    suffixes: &'a BTreeMap<String, String>,
    values: &'a Values,
    selection: &'a Selection,
}

impl PlanBuilder<'_> {
    fn applies(&self, dependency: &Dependency) -> bool {
        self.selection.includes(&dependency.id) && in_cloud(&dependency.clouds, self.scope.cloud)
    }

    fn endpoints(&self, dependency: &Dependency) -> impl Iterator<Item = PlannedEndpoint> {
        dependency
            .endpoints
            .iter()
            .filter(|spec| in_cloud(&spec.clouds, self.scope.cloud))
            .filter(|spec| in_vnet(spec.vnet.or(dependency.vnet), self.scope.vnet))
            .filter(|spec| self.selection.counts(spec.need.unwrap_or(dependency.need)))
            .flat_map(|spec| self.expand(dependency, spec))
    }

    fn expand(&self, dependency: &Dependency, spec: &model::EndpointSpec) -> Vec<PlannedEndpoint> {
        let places = match &spec.target {
            Target::NameServer => self
                .scope
                .name_servers
                .iter()
                .map(|server| FilledTarget::server(*server))
                .collect(),
            Target::Anything => vec![FilledTarget::anything()],
            Target::Addresses { addresses, any } => vec![FilledTarget::addresses(addresses.clone(), *any)],
            Target::Wildcard { pattern, members } => self.members(pattern, members),
            Target::Host(template) => match spec.of_instance.as_ref().and_then(|own| own.unknown.as_ref()) {
                Some(why) => vec![FilledTarget::unknown(template.clone(), why.clone())],
                None => self.hosts(template, spec),
            },
        };
        places
            .into_iter()
            .flat_map(|place| spec.ports.iter().map(move |port| (place.clone(), *port)))
            .map(|(place, (port, protocol))| self.endpoint(dependency, spec, place, port, protocol))
            .collect()
    }

    fn hosts(&self, template: &str, spec: &model::EndpointSpec) -> Vec<FilledTarget> {
        if let Some(gateways) = self.sql_gateways(template, spec) {
            return vec![gateways];
        }
        expand::expand(template, self.suffixes, self.scope.region.as_deref(), self.values)
            .into_iter()
            .map(FilledTarget::host)
            .collect()
    }

    fn members(&self, pattern: &str, members: &[String]) -> Vec<FilledTarget> {
        let pattern = expand::fill(pattern, self.suffixes);
        if members.is_empty() {
            let untested = Untested {
                cause: Cause::Wildcard,
                detail: format!("the documentation lists {pattern}, and no host under it is known"),
            };
            return vec![FilledTarget {
                untested: Some(untested),
                ..FilledTarget::named(pattern)
            }];
        }
        members
            .iter()
            .flat_map(|member| expand::expand(member, self.suffixes, self.scope.region.as_deref(), self.values))
            .map(|host| FilledTarget {
                pattern: Some(pattern.clone()),
                ..FilledTarget::host(host)
            })
            .collect()
    }

    /// The region's documented gateways, or the first addresses of their ranges, tested instead of a SQL server whose
    /// name is not known.
    fn sql_gateways(&self, template: &str, spec: &model::EndpointSpec) -> Option<FilledTarget> {
        let speaks_tds = spec.ports.iter().all(|(_, protocol)| *protocol == Protocol::Tds);
        if !speaks_tds || !template.contains("{sql_server}") || self.values.has("sql_server") {
            return None;
        }
        let region = self.scope.region.as_deref()?;
        let gateways = self.catalog.sql_gateways.as_ref()?;
        let (sql_substitute, addresses) = SqlSubstitute::of_region(gateways, region)?;
        let name = expand::fill(&template.replace("{sql_server}", "*"), self.suffixes);
        Some(FilledTarget {
            names: vec![name],
            destination: ProbeTarget::Addresses { addresses, any: true },
            sql_substitute: Some(sql_substitute),
            ..FilledTarget::named(format!("gateways-{region}"))
        })
    }

    fn endpoint(
        &self,
        dependency: &Dependency,
        spec: &model::EndpointSpec,
        place: FilledTarget,
        port: u16,
        protocol: Protocol,
    ) -> PlannedEndpoint {
        // A name server on another port is tested on that port.
        let port = match place.destination {
            ProbeTarget::NameServer(server) => server.port(),
            _ => port,
        };
        let suffix = if spec.transport == Transport::Udp { "/udp" } else { "" };
        let untested = self.untested(dependency, spec).or(place.untested);
        let fill = |name: &String| expand::fill(name, self.suffixes);
        let need = spec.need.unwrap_or(dependency.need);
        let is_stub = matches!(place.destination, ProbeTarget::NameServer(server) if server.ip().is_loopback());
        let (need, stub) = if is_stub {
            (Need::Documented, Some(STUB))
        } else {
            (need, None)
        };
        let own = spec.of_instance.as_deref();
        PlannedEndpoint {
            id: format!("{}/{}:{port}{suffix}", dependency.id, place.host),
            dependency: dependency.id.clone(),
            title: own.map_or(&dependency.title, |own| &own.title).clone(),
            service_tag: dependency.service_tag.clone(),
            need,
            feature: own
                .map(|own| own.feature.clone())
                .or_else(|| dependency.feature.clone())
                .filter(|_| need == Need::Feature),
            impact: own.map_or(&dependency.impact, |own| &own.impact).clone(),
            stops_activation: dependency.stops_activation && need == Need::Required,
            host: place.host,
            pattern: place.pattern,
            port,
            transport: spec.transport,
            protocol,
            destination: place.destination,
            names: place.names.into_iter().chain(spec.names.iter().map(fill)).collect(),
            path: spec.path.clone(),
            note: note(stub.or(spec.note.as_deref()), place.sql_substitute),
            expect: spec.expect,
            direction: spec.direction,
            source_tag: spec.source_tag.clone(),
            sql_substitute: place.sql_substitute,
            of_instance: spec.of_instance.clone(),
            untested,
        }
    }

    /// Why an entry of the catalog is not tested, for any host.
    fn untested(&self, dependency: &Dependency, spec: &model::EndpointSpec) -> Option<Untested> {
        let untested = |cause, detail: String| Some(Untested { cause, detail });
        if self.selection.skips(&dependency.id) {
            return untested(Cause::Skipped, "skipped by --skip".into());
        }
        if let Some(retired) = &spec.retired {
            let instead = retired
                .replaced_by
                .as_deref()
                .map(|host| expand::fill(host, self.suffixes));
            return untested(
                Cause::Retired,
                instead.map_or_else(
                    || "the host was retired without a replacement".into(),
                    |host| format!("the host was retired; its replacement is {host}"),
                ),
            );
        }
        if spec.only_when_named && !self.selection.names(&dependency.id) {
            return untested(
                Cause::Skipped,
                format!("only probed if selected: --only {}", dependency.id),
            );
        }
        match spec.direction {
            Direction::Outbound => None,
            Direction::Inbound => untested(
                Cause::NotOutbound,
                format!(
                    "inbound from {}: a machine in the subnet cannot test it",
                    spec.source_tag.as_deref().unwrap_or("outside")
                ),
            ),
            Direction::Peer => untested(
                Cause::NotOutbound,
                "between the instance's machines: another machine cannot test it".into(),
            ),
        }
    }
}

/// One target after its placeholders are filled.
#[derive(Debug, Clone)]
struct FilledTarget {
    host: String,
    pattern: Option<String>,
    names: Vec<String>,
    destination: ProbeTarget,
    sql_substitute: Option<SqlSubstitute>,
    untested: Option<Untested>,
}

impl FilledTarget {
    fn named(host: String) -> Self {
        Self {
            host,
            pattern: None,
            names: Vec::new(),
            destination: ProbeTarget::Name,
            sql_substitute: None,
            untested: None,
        }
    }

    fn host(expanded: expand::Host) -> Self {
        let needs = |detail| Untested {
            cause: Cause::NeedsValue,
            detail,
        };
        let untested = if expanded.missing.is_empty() {
            expand::invalid_reason(&expanded.host).map(needs)
        } else {
            Some(needs(expand::advice(&expanded.missing)))
        };
        Self {
            names: vec![expanded.host.clone()],
            untested,
            ..Self::named(expanded.host)
        }
    }

    fn unknown(host: String, why: String) -> Self {
        let untested = Untested {
            cause: Cause::NeedsValue,
            detail: why,
        };
        Self {
            untested: Some(untested),
            ..Self::named(host)
        }
    }

    fn addresses(addresses: Vec<IpAddr>, any: bool) -> Self {
        let first = addresses.first().map_or_else(|| "*".into(), ToString::to_string);
        Self {
            destination: ProbeTarget::Addresses { addresses, any },
            ..Self::named(first)
        }
    }

    fn server(server: SocketAddr) -> Self {
        Self {
            destination: ProbeTarget::NameServer(server),
            ..Self::named(server.ip().to_string())
        }
    }

    fn anything() -> Self {
        Self::named("*".into())
    }
}

/// The remark about a name server on this machine.
const STUB: &str = "A stub on this VM, which the instance does not use.";

/// The catalog's remark, and what a stand-in proves.
fn note(of_catalog: Option<&str>, sql_substitute: Option<SqlSubstitute>) -> Option<String> {
    let notes: Vec<&str> = of_catalog
        .into_iter()
        .chain(sql_substitute.map(SqlSubstitute::note))
        .collect();
    (!notes.is_empty()).then(|| notes.join(" "))
}

fn in_cloud(clouds: &[Cloud], cloud: Cloud) -> bool {
    clouds.is_empty() || clouds.contains(&cloud)
}

fn in_vnet(applies_to: Option<Vnet>, vnet: Option<Vnet>) -> bool {
    match (applies_to, vnet) {
        (Some(applies_to), Some(vnet)) => applies_to == vnet,
        _ => true,
    }
}
