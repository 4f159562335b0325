//! The VM's metadata service: cloud, region, addresses and subnet, from an address that only this machine can reach.
//!
//! <https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service>. Whatever it answers, or if it does
//! not, the run continues: anything unusual is a notice.

use std::{net::IpAddr, time::Duration};

use ipnet::Ipv4Net;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use socket2::{Domain, Socket, Type};

use super::{
    http::{ApiReply, Client, RequestFailure},
    secret::Secret,
};
use crate::{
    azure::{Cloud, METADATA, PLATFORM_DNS, resources::Resource},
    catalog::region_name,
    import::subnets::digits,
};

/// It does not answer without this header, so that no web page can query it.
const HEADER: (HeaderName, HeaderValue) = (HeaderName::from_static("metadata"), HeaderValue::from_static("true"));
/// Old enough to be supported in every cloud.
const PATH: &str = "/metadata/instance?api-version=2021-02-01";
/// Time limit for everything: outside Azure there is no answer, and users should not have to wait for that.
const LIMIT: Duration = Duration::from_secs(1);

/// The service's data about this machine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct VmMetadata {
    /// Its cloud, if API Management exists there.
    pub cloud: Option<Cloud>,
    /// Its region.
    pub region: Option<String>,
    /// Its private addresses, starting with those of the interface that traffic leaves from.
    pub addresses: Vec<IpAddr>,
    /// The subnet of that interface.
    pub subnet: Option<Ipv4Net>,
    /// The VM as a resource.
    pub resource: Option<Resource>,
    /// What identifies it at the management endpoint.
    pub identity: Option<Identity>,
    /// Notices about the reply.
    pub notices: Vec<String>,
}

/// What identifies a VM at the management endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Its resource id, which begins with `/subscriptions/`.
    pub resource: String,
    /// The MAC address of the interface that traffic leaves from: twelve hexadecimal digits in upper case.
    pub mac: Option<String>,
}

impl Identity {
    /// `None` if the id is not valid: it becomes part of a URL.
    fn new(resource: &str, mac: Option<&str>) -> Option<Self> {
        let is_id = |text: &str| {
            text.starts_with("/subscriptions/")
                && text.split('/').all(|part| !matches!(part, "." | ".."))
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.()/".contains(&byte))
        };
        is_id(resource).then(|| Self {
            resource: resource.to_owned(),
            mac: mac.map(digits).filter(|mac| mac.len() == 12),
        })
    }

    /// Its subscription.
    pub(crate) fn subscription(&self) -> Option<&str> {
        self.resource.split('/').nth(2).filter(|id| !id.is_empty())
    }
}

/// Queries the service. A failure is returned as one sentence.
pub(super) async fn ask() -> Result<VmMetadata, String> {
    match get(PATH, LIMIT).await {
        Ok(reply) => read(&reply, leaving()),
        Err(RequestFailure::Silent) => Err("the metadata service did not answer within a second".into()),
        Err(RequestFailure::Untrusted(why) | RequestFailure::Other(why)) => {
            Err(format!("the metadata service cannot be queried ({why})"))
        }
    }
}

/// Requests one of the service's documents.
async fn get(path: &str, limit: Duration) -> Result<ApiReply, RequestFailure> {
    Client::plain(HEADER)?.get(&at(path), HeaderMap::new(), limit).await
}

/// Requests something secret: the status, and a body of at most this many bytes.
pub(super) async fn get_secret(path: &str, most: usize, limit: Duration) -> Result<(u16, Secret), RequestFailure> {
    Client::plain(HEADER)?.get_secret(&at(path), most, limit).await
}

fn at(path: &str) -> String {
    format!("http://{METADATA}{path}")
}

/// The source address of this machine's traffic: the kernel chooses the interface that leads beyond the subnet, and
/// nothing is sent.
fn leaving() -> Option<IpAddr> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).ok()?;
    socket.connect(&PLATFORM_DNS.into()).ok()?;
    Some(socket.local_addr().ok()?.as_socket()?.ip())
}

/// The relevant parts of the document; everything else in it changes with its version.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct MetadataDocument {
    compute: Option<Compute>,
    network: NetworkMetadata,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Compute {
    #[serde(rename = "azEnvironment")]
    environment: String,
    location: String,
    #[serde(rename = "resourceId")]
    id: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct NetworkMetadata {
    interface: Vec<InterfaceMetadata>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct InterfaceMetadata {
    ipv4: Ipv4,
    #[serde(rename = "macAddress")]
    mac: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Ipv4 {
    #[serde(rename = "ipAddress")]
    addresses: Vec<AddressMetadata>,
    subnet: Vec<SubnetMetadata>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct AddressMetadata {
    #[serde(rename = "privateIpAddress")]
    private: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct SubnetMetadata {
    address: String,
    prefix: String,
}

impl InterfaceMetadata {
    fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.ipv4
            .addresses
            .iter()
            .filter_map(|address| address.private.parse().ok())
    }

    fn subnet(&self) -> Option<Ipv4Net> {
        let subnet = self.ipv4.subnet.first()?;
        Ipv4Net::new(subnet.address.parse().ok()?, subnet.prefix.parse().ok()?).ok()
    }
}

/// Reads a reply; `leaving` is the source address of this machine's traffic.
pub(super) fn read(reply: &ApiReply, leaving: Option<IpAddr>) -> Result<VmMetadata, String> {
    match reply.status {
        200 => {}
        404 => {
            return Err(
                "the metadata service answered with HTTP 404, as another cloud's or a device on the path would".into(),
            );
        }
        429 => return Err("the metadata service throttles this VM (HTTP 429)".into()),
        status => return Err(format!("the metadata service answered with HTTP {status}")),
    }
    let document: MetadataDocument = match serde_json::from_str(&reply.body) {
        Ok(document) => document,
        Err(_) if reply.body.trim_start().starts_with('<') => {
            return Err("a web page came back instead of the metadata: something intercepts plain HTTP".into());
        }
        Err(_) => return Err("what answered instead of the metadata service did not send valid metadata JSON".into()),
    };
    let compute = document
        .compute
        .ok_or("what answered instead of the metadata service did not describe a VM")?;
    let mut notices = Vec::new();
    let cloud = Cloud::known(&compute.environment);
    if cloud.is_none() {
        notices.push(format!(
            "the metadata service places this VM in the cloud \"{}\", for which the built-in catalog has no host \
             names: add them with --probes (`clouds:`) and select it with --cloud; otherwise those of the public cloud \
             are probed",
            compute.environment
        ));
    }
    let region = region_name(&compute.location);
    if region.is_none() {
        notices.push(format!(
            "the metadata service reports the region \"{}\": pass --region",
            compute.location
        ));
    }
    // The service lists interfaces in no particular order.
    let mut interfaces: Vec<&InterfaceMetadata> = document.network.interface.iter().collect();
    interfaces.sort_by_key(|interface| !interface.addresses().any(|address| Some(address) == leaving));
    Ok(VmMetadata {
        cloud,
        region,
        addresses: interfaces.iter().flat_map(|interface| interface.addresses()).collect(),
        subnet: interfaces.first().and_then(|interface| interface.subnet()),
        resource: Resource::of_id(&compute.id),
        identity: Identity::new(&compute.id, interfaces.first().map(|interface| &interface.mac[..])),
        notices,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn answer(status: u16, body: &str) -> Result<VmMetadata, String> {
        let leaving = Some("10.1.0.4".parse().unwrap());
        read(&ApiReply::of(status, body), leaving)
    }

    fn interface(address: &str, subnet: &str, prefix: &str) -> String {
        format!(
            r#"{{"ipv4":{{"ipAddress":[{{"privateIpAddress":"{address}","publicIpAddress":""}}],
                "subnet":[{{"address":"{subnet}","prefix":"{prefix}"}}]}},"ipv6":{{"ipAddress":[]}},"macAddress":"0"}}"#
        )
    }

    #[test]
    fn metadata_gives_cloud_region_and_subnet() {
        let interfaces = [
            interface("10.9.0.4", "10.9.0.0", "16"),
            interface("10.1.0.4", "10.1.0.0", "24"),
        ]
        .join(",");
        for (environment, cloud) in [
            ("AzurePublicCloud", Cloud::Public),
            ("AZUREPUBLICCLOUD", Cloud::Public),
            ("AzureUSGovernmentCloud", Cloud::Usgov),
            ("azurechinacloud", Cloud::China),
        ] {
            let body = format!(
                r#"{{"compute":{{"azEnvironment":"{environment}","location":"westeurope","Priority":"Regular"}},
                    "network":{{"interface":[{interfaces}]}}}}"#
            );
            let machine = answer(200, &body).unwrap();
            assert_eq!(machine.cloud, Some(cloud));
            assert_eq!(machine.region.as_deref(), Some("westeurope"));
            assert_eq!(
                machine.addresses,
                ["10.1.0.4".parse::<IpAddr>().unwrap(), "10.9.0.4".parse().unwrap()]
            );
            assert_eq!(machine.subnet.unwrap().to_string(), "10.1.0.0/24");
            assert!(machine.notices.is_empty(), "{:?}", machine.notices);
        }
    }

    #[test]
    fn missing_metadata_fields_give_notices() {
        let machine = answer(200, r#"{"compute":{"azEnvironment":"AzureGermanCloud","location":""}}"#).unwrap();
        assert_eq!((machine.cloud, machine.region, machine.subnet), (None, None, None));
        assert_eq!(machine.notices.len(), 2, "{:?}", machine.notices);
        // None of the clouds that --cloud takes is this one.
        let [cloud, _] = &machine.notices[..] else {
            unreachable!()
        };
        assert!(
            cloud.contains("AzureGermanCloud") && cloud.contains("--probes"),
            "{cloud}"
        );
        // A region becomes part of host names, so it must look like one.
        let odd = answer(
            200,
            r#"{"compute":{"azEnvironment":"AzurePublicCloud","location":"a.evil.example/"}}"#,
        )
        .unwrap();
        assert_eq!(odd.region, None);
    }

    #[test]
    fn other_metadata_answers_give_one_error() {
        for (status, body, phrase) in [
            (404, "", "HTTP 404"),
            (429, "{}", "HTTP 429"),
            (400, r#"{"error":"Bad request","newest-versions":[]}"#, "HTTP 400"),
            (302, "", "HTTP 302"),
            (200, "<html>Sign in</html>", "web page"),
            (200, "", "did not send valid metadata JSON"),
            (200, "[]", "did not describe a VM"),
            (200, r#"{"network":{}}"#, "did not describe a VM"),
            (
                200,
                r#"{"compute":{"azEnvironment":7}}"#,
                "did not send valid metadata JSON",
            ),
        ] {
            let error = answer(status, body).unwrap_err();
            assert!(error.contains(phrase), "{status} {body}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_answer_does_not_panic(status in 100_u16..600, body: String) {
            let _ = answer(status, &body);
        }
    }
}
