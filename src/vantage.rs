//! Where the agent runs: the only part that queries the machine about itself.

use std::{
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
};

use crate::{
    azure::{Cloud, resources::Resource},
    import::{Imports, subnets::Subnets, view::InstanceView},
    model::{Imported, Standing, VantageSource, Vnet},
    text::words,
};

pub(crate) mod cutoff;
pub(crate) mod descriptors;
mod firmware;
pub mod fuzz;
pub(crate) mod hosts;
mod http;
pub(crate) mod management;
pub(crate) mod metadata;
pub(crate) mod resolvers;
mod secret;

use cutoff::Cutoff;
use firmware::Firmware;
use metadata::{Identity, VmMetadata};

/// Where the agent runs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Vantage {
    /// The cloud whose hosts are probed.
    pub cloud: Cloud,
    /// The region, as the VM's metadata names regions.
    pub region: Option<String>,
    /// The network mode; `None` plans for both.
    pub vnet: Option<Vnet>,
    /// Where cloud and region are from.
    pub source: VantageSource,
    /// Whether the metadata service answered, so that this is an Azure VM.
    pub in_azure: bool,
    /// What the place shows about the instance's network, as far as this machine knows; `None` if it was not queried.
    pub standing: Option<Standing>,
    /// This machine's name.
    pub host: Option<String>,
    /// This machine's addresses, except loopback and link-local ones.
    pub addresses: Vec<IpAddr>,
    /// The subnet that its traffic leaves from, as the VM's metadata names it.
    pub subnet: Option<String>,
    /// This VM as a resource, as its metadata names it.
    pub vm: Option<Resource>,
    /// What identifies this VM at the management endpoint, if the metadata service provides it.
    pub identity: Option<Identity>,
    /// The name servers to test and to use.
    pub name_servers: Vec<SocketAddr>,
    /// Whether these belong to a machine that is not known to be an Azure VM: no rule of the network concerns a
    /// laptop's own name servers.
    pub own_servers: bool,
    /// The documents of the instance that are used for the plan.
    pub imports: Vec<Imported>,
    /// The instance's own status of its network.
    pub instance: InstanceView,
    /// The NSGs and routes of this VM and of the instance, as far as the management endpoint provides them.
    pub subnets: Subnets,
    /// Why the VM's metadata service provided nothing, if it was queried.
    pub metadata_failure: Option<String>,
    /// Notices before the results.
    pub notices: Vec<String>,
}

/// The place according to flags.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Overrides {
    /// `--cloud`.
    pub cloud: Option<Cloud>,
    /// `--region`.
    pub region: Option<String>,
    /// `--vnet`.
    pub vnet: Option<Vnet>,
    /// `--dns-server`; empty means the system's.
    pub name_servers: Vec<SocketAddr>,
    /// Whether the VM's metadata service may be queried: unless `--no-metadata` is given.
    pub metadata: bool,
}

impl Vantage {
    /// Finds out about this machine; flags take precedence, then the VM's metadata.
    ///
    /// Takes a second if no metadata service answers, and no longer than `until`. Must not be called by a task of a
    /// runtime.
    pub(crate) fn detect(claims: &Overrides, until: &Cutoff) -> Self {
        let asked = async {
            tokio::select! {
                said = metadata::ask() => said,
                () = until.clone().over() => Err("the metadata service did not answer before the run had to start".into()),
            }
        };
        let machine = claims
            .metadata
            .then(|| block_on(asked).unwrap_or_else(|error| Err(format!("cannot start: {error}"))));
        Self::from(claims, machine, &Firmware::of_this_machine())
    }

    /// The place from flags and from this machine itself: nothing is queried.
    pub(crate) fn without_metadata(claims: &Overrides) -> Self {
        Self::from(claims, None, &Firmware::Unknown)
    }

    fn from(claims: &Overrides, machine: Option<Result<VmMetadata, String>>, firmware: &Firmware) -> Self {
        let (mut notices, mut unheard) = (Vec::new(), None);
        let standing = machine.as_ref().and_then(|machine| standing(machine.is_ok(), firmware));
        let in_azure = standing == Some(Standing::AzureVm);
        let machine = match machine {
            Some(Ok(machine)) => {
                notices.extend(machine.notices.iter().cloned());
                notices.extend(contradiction(claims, &machine));
                machine
            }
            Some(Err(why)) => {
                unheard = Some(format!("{why}; {}", without_metadata(firmware)));
                VmMetadata::default()
            }
            None => VmMetadata::default(),
        };
        let name_servers = if claims.name_servers.is_empty() {
            let system = resolvers::system();
            notices.extend(system.notices);
            system.servers
        } else {
            claims.name_servers.clone()
        };
        notices.extend(proxy_notice());
        let source = if claims.cloud.is_some() || claims.region.is_some() {
            VantageSource::Flags
        } else if machine.cloud.is_some() || machine.region.is_some() {
            VantageSource::Metadata
        } else {
            VantageSource::Default
        };
        Self {
            cloud: claims.cloud.or(machine.cloud).unwrap_or(Cloud::Public),
            region: claims.region.clone().or(machine.region),
            vnet: claims.vnet,
            source,
            in_azure,
            standing,
            own_servers: claims.name_servers.is_empty() && !in_azure,
            host: nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()),
            // A machine can have addresses that its network does not know, such as a container bridge's.
            addresses: if machine.addresses.is_empty() {
                addresses()
            } else {
                machine.addresses
            },
            vm: machine.resource,
            subnet: machine.subnet.map(|subnet| subnet.trunc().to_string()),
            identity: machine.identity,
            name_servers,
            imports: Vec::new(),
            instance: InstanceView::default(),
            subnets: Subnets::default(),
            metadata_failure: unheard,
            notices,
        }
    }

    /// What is assumed because neither the metadata service nor a document provides it, and how to set it.
    pub(crate) fn assumed(&self, cloud_is_told: bool) -> Option<String> {
        let why = self.metadata_failure.as_deref()?;
        match (cloud_is_told, &self.region) {
            (false, None) => Some(format!(
                "{why}; assuming the public cloud and no region: pass --cloud and --region"
            )),
            (false, Some(_)) => Some(format!("{why}; assuming the public cloud: pass --cloud")),
            (true, None) => Some(format!("{why}; the region is not known: pass --region")),
            (true, Some(_)) => None,
        }
    }

    /// Compares with a later query of the same place: if the platform no longer provides something, a plan made with it
    /// would lack known names. An empty document provides nothing.
    pub(crate) fn check_complete(&self, later: &Self) -> Result<(), String> {
        if self.in_azure
            && self.metadata_failure.is_none()
            && let Some(why) = &later.metadata_failure
        {
            return Err(why.clone());
        }
        for known in &self.imports {
            let Imported { document, from, .. } = known;
            match later.imported(known) {
                None => return Err(format!("{from} no longer provided {document}")),
                Some(now) if now.endpoints == 0 && known.endpoints > 0 => {
                    return Err(format!("{from} provided an empty {document}"));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// What a later query of the same place lists less of: a sentence for each document.
    pub(crate) fn missing_now(&self, later: &Self) -> Vec<String> {
        let less = |known: &Imported| {
            let now = later.imported(known)?;
            let Imported { document, from, .. } = known;
            let (before, now) = (known.endpoints, now.endpoints);
            (now < before).then(|| {
                let before = words::count(before, "entry");
                format!("{document} from {from} had {before} before, and now has {now}")
            })
        };
        self.imports.iter().filter_map(less).collect()
    }

    /// The same document.
    fn imported(&self, known: &Imported) -> Option<&Imported> {
        let mut imports = self.imports.iter();
        imports.find(|it| it.document == known.document && it.from == known.from)
    }

    /// The same place, with the data from the instance's documents, and with further notices.
    #[must_use]
    pub(crate) fn with_imports(self, imports: Imports, notices: impl IntoIterator<Item = String>) -> Self {
        Self {
            imports: imports.documents,
            instance: imports.view,
            notices: self.notices.into_iter().chain(notices).collect(),
            ..self
        }
    }
}

/// Waits for an answer before the run has a runtime.
fn block_on<T>(asked: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(asked))
}

/// What is known about a machine's place. A metadata service that does not answer shows nothing: access to it may be
/// blocked, and a device on the path may answer instead.
fn standing(answered: bool, firmware: &Firmware) -> Option<Standing> {
    match firmware {
        _ if answered => Some(Standing::AzureVm),
        Firmware::Azure => Some(Standing::AzureVm),
        Firmware::Other(_) => Some(Standing::NotAzure),
        Firmware::Unknown => None,
    }
}

/// What is known about the place without the metadata service, as the rest of a sentence.
fn without_metadata(firmware: &Firmware) -> String {
    match firmware {
        Firmware::Azure => "this is still an Azure VM, according to its chassis asset tag (DMI)".into(),
        Firmware::Other(vendor) => format!("this is not an Azure VM, but a machine from {vendor} (DMI)"),
        Firmware::Unknown => "cannot tell whether this is an Azure VM".into(),
    }
}

/// Flags take precedence, but the instance is unlikely to be in another cloud or region than a VM in its subnet.
fn contradiction(claims: &Overrides, machine: &VmMetadata) -> Option<String> {
    let differs = |claimed: Option<&str>, found: Option<&str>| match (claimed, found) {
        (Some(claimed), Some(found)) if claimed != found => Some(format!("{found}, not {claimed}")),
        _ => None,
    };
    let cloud = differs(
        claims.cloud.as_ref().map(Cloud::as_str),
        machine.cloud.as_ref().map(Cloud::as_str),
    );
    let region = differs(claims.region.as_deref(), machine.region.as_deref());
    let both: Vec<String> = cloud.into_iter().chain(region).collect();
    (!both.is_empty()).then(|| {
        format!(
            "this VM's metadata says {}; using the flags instead",
            both.join(" and ")
        )
    })
}

/// The variables in which other tools look for a proxy.
const PROXY_VARIABLES: [&str; 6] = [
    "HTTP_PROXY",
    "http_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "ALL_PROXY",
    "all_proxy",
];

fn proxy_notice() -> Option<String> {
    let set: Vec<&str> = PROXY_VARIABLES
        .into_iter()
        .filter(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
        .collect();
    let verb = if set.len() == 1 { "is" } else { "are" };
    (!set.is_empty()).then(|| format!("{} {verb} set and ignored: the instance has no proxy", set.join(", ")))
}

fn addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else {
        return Vec::new();
    };
    let mut addresses: Vec<IpAddr> = Vec::new();
    for storage in interfaces.filter_map(|interface| interface.address) {
        let v4 = storage
            .as_sockaddr_in()
            .map(nix::sys::socket::SockaddrIn::ip)
            .filter(|ip| !ip.is_loopback() && !ip.is_link_local());
        let v6 = storage
            .as_sockaddr_in6()
            .map(nix::sys::socket::SockaddrIn6::ip)
            .filter(|ip| !ip.is_loopback() && !ip.is_unicast_link_local());
        let address = v4.map(IpAddr::from).or(v6.map(IpAddr::from));
        addresses.extend(address.filter(|address| !addresses.contains(address)));
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(cloud: Cloud, region: &str) -> VmMetadata {
        VmMetadata {
            cloud: Some(cloud),
            region: Some(region.into()),
            addresses: vec!["10.1.0.4".parse().unwrap()],
            subnet: "10.1.0.4/24".parse().ok(),
            resource: None,
            identity: None,
            notices: vec![],
        }
    }

    #[test]
    fn missing_document_is_refused_and_shorter_one_gives_a_notice() {
        let imported = |documents: &[(&str, usize)]| {
            let imported = |(document, endpoints): &(&str, usize)| Imported {
                document: (*document).into(),
                from: "management.azure.com".into(),
                as_of: None,
                endpoints: *endpoints,
            };
            Vantage {
                imports: documents.iter().map(imported).collect(),
                ..Vantage::without_metadata(&claims(None, None))
            }
        };
        let known = imported(&[("network-status", 4), ("dependencies", 0)]);
        for (now, wrong) in [
            (&[("network-status", 5), ("dependencies", 1)][..], None),
            (&[("network-status", 1), ("dependencies", 0)], None),
            (&[("network-status", 4)], Some("no longer provided dependencies")),
            (
                &[("network-status", 0), ("dependencies", 9)],
                Some("provided an empty network-status"),
            ),
        ] {
            let wrong = wrong.map(|words| format!("management.azure.com {words}"));
            assert_eq!(known.check_complete(&imported(now)).err(), wrong, "{now:?}");
        }
        let on_vm = Vantage {
            in_azure: true,
            ..imported(&[])
        };
        let throttled = Vantage {
            metadata_failure: Some("the metadata service throttles this VM (HTTP 429)".into()),
            ..imported(&[])
        };
        let wrong = on_vm.check_complete(&throttled).unwrap_err();
        assert!(wrong.contains("HTTP 429"), "{wrong}");
        let less = known.missing_now(&imported(&[("network-status", 1), ("dependencies", 3)]));
        assert_eq!(
            less,
            ["network-status from management.azure.com had 4 entries before, and now has 1"]
        );
    }

    fn claims(cloud: Option<Cloud>, region: Option<&str>) -> Overrides {
        Overrides {
            cloud,
            region: region.map(str::to_string),
            name_servers: vec!["10.1.0.9:53".parse().unwrap()],
            ..Overrides::default()
        }
    }

    #[test]
    fn metadata_fills_missing_flags() {
        let seen = Vantage::from(
            &claims(None, None),
            Some(Ok(machine(Cloud::Usgov, "usgovvirginia"))),
            &Firmware::Unknown,
        );
        assert_eq!((seen.cloud, seen.source), (Cloud::Usgov, VantageSource::Metadata));
        assert_eq!(seen.region.as_deref(), Some("usgovvirginia"));
        assert_eq!(
            (seen.addresses, seen.subnet.as_deref()),
            (vec!["10.1.0.4".parse().unwrap()], Some("10.1.0.0/24"))
        );
        let half = Vantage::from(
            &claims(None, Some("usgovtexas")),
            Some(Ok(machine(Cloud::Usgov, "usgovvirginia"))),
            &Firmware::Unknown,
        );
        assert_eq!((half.cloud, half.source), (Cloud::Usgov, VantageSource::Flags));
        assert_eq!(half.region.as_deref(), Some("usgovtexas"));
        assert!(
            half.notices
                .iter()
                .any(|notice| notice.contains("usgovvirginia, not usgovtexas")),
            "{:?}",
            half.notices
        );
    }

    #[test]
    fn failed_metadata_service_falls_back_to_the_firmware() {
        let seen = |firmware: &Firmware| {
            let silent = Some(Err("no answer".to_string()));
            let seen = Vantage::from(&claims(None, None), silent, firmware);
            (seen.standing, seen.in_azure, seen.metadata_failure.unwrap_or_default())
        };
        for (firmware, standing, words) in [
            (
                Firmware::Unknown,
                None,
                "no answer; cannot tell whether this is an Azure VM",
            ),
            (Firmware::Azure, Some(Standing::AzureVm), "this is still an Azure VM"),
            (
                Firmware::Other("QEMU".into()),
                Some(Standing::NotAzure),
                "not an Azure VM, but a machine from QEMU",
            ),
        ] {
            let (seen, in_azure, why) = seen(&firmware);
            assert_eq!(
                (seen, in_azure),
                (standing, standing == Some(Standing::AzureVm)),
                "{firmware:?}"
            );
            assert!(why.contains(words), "{why}");
        }
    }

    #[test]
    fn missing_metadata_gives_one_notice() {
        let silent = || Some(Err("no answer".to_string()));
        let lost = Vantage::from(&claims(None, None), silent(), &Firmware::Unknown);
        assert_eq!(
            (lost.cloud, lost.region.as_deref(), lost.source),
            (Cloud::Public, None, VantageSource::Default)
        );
        assert!(lost.assumed(false).unwrap().contains("--cloud and --region"));
        // A document contained the region.
        let vantage = Vantage {
            region: Some("westeurope".into()),
            ..lost
        };
        assert!(vantage.assumed(false).unwrap().ends_with("pass --cloud"));
        assert_eq!(vantage.assumed(true), None);
        assert_eq!(Vantage::without_metadata(&claims(None, None)).assumed(false), None);
    }
}
