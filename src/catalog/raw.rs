//! What a catalog file may hold, key by key. The JSON Schema of the format is derived from these records.

use super::{
    decode::{HostStatus, OpenMap, PortNumber, record},
    model::SourceMention,
    problem::Located,
};
use crate::{
    azure::Cloud,
    model::{Direction, Expect, Need, Protocol, Transport, Vnet},
};

type LocatedText = Located<String>;
type List<T> = Located<Vec<T>>;

record! {
    /// The dependencies of an API Management instance in a virtual network.
    Catalog {
        /// The version of this format: 1.
        #[schemars(with = "Option<u32>", extend("const" = 1))]
        schema: Located<i64>,
        /// The source of the facts. An overlay's source replaces the built-in one.
        source: Source,
        /// What `{name}` in a host stands for, cloud by cloud: `public`, `usgov`, `china`, or a cloud of your own,
        /// which must define every name that these define.
        clouds: Located<OpenMap<OpenMap<LocatedText>>>,
        /// The dependencies, in the order of reports.
        dependencies: List<Dependency>,
        /// Documented gateway addresses of Azure SQL, tested instead of a server whose name is not known.
        sql_gateways: SqlGateways,
    }

    /// The page that the facts are from.
    Source {
        /// Its title.
        title: LocatedText,
        /// Its address.
        url: LocatedText,
        /// Its own date, YYYY-MM-DD.
        documented: LocatedText,
        /// When a person last compared this file with the page, YYYY-MM-DD; if absent, at the page's date.
        checked: LocatedText,
    }

    /// Documented gateways of Azure SQL.
    SqlGateways {
        /// The source of the addresses.
        source: LocatedText,
        /// Addresses by region, named as the VM's metadata service names regions (`westeurope`).
        regions: OpenMap<List<LocatedText>>,
        /// Ranges by region, for regions without documented addresses that listen. The first addresses of each are
        /// tried; if none of them answers, that proves nothing.
        ranges: OpenMap<List<LocatedText>>,
    }

    /// One thing that the instance needs. In an overlay, an entry with a known id and without `endpoints` changes only
    /// the keys that it contains; with `endpoints` it replaces the known one.
    Dependency {
        /// The name that flags and reports use: lowercase letters, digits and hyphens.
        #[schemars(required)]
        id: LocatedText,
        /// The title that reports show.
        title: LocatedText,
        /// How much its endpoints count.
        need: Located<Need>,
        /// Whether an instance's network status can make it optional, whatever `need` says.
        instance_decides: Located<bool>,
        /// Who needs it, where `need` is `feature`.
        feature: LocatedText,
        /// The service tag of a network rule that allows it.
        service_tag: LocatedText,
        /// What breaks without it, in one sentence.
        impact: LocatedText,
        /// Whether the instance cannot be activated without it: findings about it come first.
        stops_activation: Located<bool>,
        /// The anchor on the source page, `#tls-functionality`, or the address of another page.
        docs: LocatedText,
        /// The clouds it exists in; if absent, all.
        clouds: List<Located<Cloud>>,
        /// The network mode that it applies to; if absent, both.
        vnet: Located<Vnet>,
        /// What the source page lists for its endpoints: their `host`, the `tag` with the port, only the `port`, or
        /// `nothing`. If absent: hosts shared by all customers, and the tags of all others.
        on_page: Located<SourceMention>,
        /// Literal addresses for routes and rules if no service tag covers the service; not probed.
        route_addresses: Located<OpenMap<List<LocatedText>>>,
        /// What to test.
        endpoints: List<Endpoint>,
    }

    /// A target and the ports to test on it.
    Endpoint {
        /// A host name. `{name}` stands for a cloud's suffix, a value of `--set`, or `{region}`; `{name_server}` alone
        /// stands for each name server; a leading `*.` makes a wildcard, which is tested through its `members`.
        host: LocatedText,
        /// An address instead of a host.
        address: LocatedText,
        /// Addresses instead of a host: one endpoint.
        addresses: List<LocatedText>,
        /// Whether one of the `addresses` is enough.
        any_address: Located<bool>,
        /// Known hosts under a wildcard `host`.
        members: List<LocatedText>,
        /// The port.
        port: Located<PortNumber>,
        /// Several ports, instead of `port`.
        ports: List<Located<PortNumber>>,
        /// The protocol on the port, or on all `ports`.
        protocol: Located<Protocol>,
        /// The protocol on each of the `ports`, by position.
        protocols: List<Located<Protocol>>,
        /// UDP or TCP, if the protocol has both (dns), and for inbound and peer rows.
        transport: Located<Transport>,
        /// Other names that count as the host's own, in its certificate and as targets of a redirect; `*.` stands for
        /// one label. Required if TLS is used with an address.
        names: List<LocatedText>,
        /// Overrides the dependency's need.
        need: Located<Need>,
        /// The direction of the traffic; if absent, outbound.
        direction: Located<Direction>,
        /// The service tag that inbound or peer traffic comes from.
        source_tag: LocatedText,
        /// The clouds it exists in; if absent, all of the dependency's.
        clouds: List<Located<Cloud>>,
        /// The network mode that it applies to; if absent, the dependency's.
        vnet: Located<Vnet>,
        /// The path to request, for http and https.
        path: LocatedText,
        /// A remark for readers.
        note: LocatedText,
        /// `blocked` makes it a negative test: it must not get out.
        expect: Located<Expect>,
        /// `retired` keeps a host that no longer exists, without testing it.
        status: Located<HostStatus>,
        /// The host that replaced it.
        replaced_by: LocatedText,
        /// Whether it is tested only if an import or `--only` lists it.
        only_when_named: Located<bool>,
        /// What the source page lists for it, if that differs from the dependency's endpoints.
        on_page: Located<SourceMention>,
    }
}
