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
        /// Where the facts come from. An overlay's source takes the place of the built-in one.
        source: Source,
        /// What `{name}` in a host stands for, cloud by cloud: `public`, `usgov`, `china`, or a cloud of your own, which has
        /// to give every name that these give.
        clouds: Located<OpenMap<OpenMap<LocatedText>>>,
        /// The dependencies, in the order of reports.
        dependencies: List<Dependency>,
        /// Documented gateway addresses of Azure SQL, which stand in for a server whose name is not known.
        sql_gateways: SqlGateways,
    }

    /// The page that the facts come from.
    Source {
        /// Its title.
        title: LocatedText,
        /// Its address.
        url: LocatedText,
        /// Its own date, YYYY-MM-DD.
        documented: LocatedText,
        /// When a person last held this file against the page, YYYY-MM-DD; without it, at the page's date.
        checked: LocatedText,
    }

    /// Documented gateways of Azure SQL.
    SqlGateways {
        /// Where the addresses come from.
        source: LocatedText,
        /// Addresses by region, named as the VM's metadata service names regions (`westeurope`).
        regions: OpenMap<List<LocatedText>>,
        /// Ranges by region, where no address is documented that listens. The first addresses of each are tried; that
        /// none of them answers proves nothing.
        ranges: OpenMap<List<LocatedText>>,
    }

    /// One thing that the instance needs. In an overlay an entry with a known id and without `endpoints` changes only
    /// the keys that it names; with `endpoints` it takes the place of the known one.
    Dependency {
        /// The name that flags and reports use: lowercase letters, digits and dashes.
        #[schemars(required)]
        id: LocatedText,
        /// The name that people use.
        title: LocatedText,
        /// How much its endpoints count.
        need: Located<Need>,
        /// Whether a network status of the instance that calls it optional is right, whatever `need` says.
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
        /// The clouds it exists in; without it, all.
        clouds: List<Located<Cloud>>,
        /// The kind of virtual network that it applies to; without it, both.
        vnet: Located<Vnet>,
        /// What the source page names of its endpoints: their `host`, the `tag` with the port, only the `port`, or
        /// `nothing`. Without it, hosts shared by all customers and the tags of all others.
        on_page: Located<SourceMention>,
        /// Literal addresses that a route or rule has to name because no service tag covers them; not probed.
        route_addresses: Located<OpenMap<List<LocatedText>>>,
        /// What to test.
        endpoints: List<Endpoint>,
    }

    /// A target and the ports to test on it.
    Endpoint {
        /// A host name. `{name}` stands for a cloud's suffix, a value of `--set`, or `{region}`; `{name_server}` alone
        /// stands for each name server; `*.` in front makes a wildcard, which is tested through its `members`.
        host: LocatedText,
        /// An address in place of a host.
        address: LocatedText,
        /// Addresses in place of a host: one endpoint.
        addresses: List<LocatedText>,
        /// Whether one of the `addresses` is enough.
        any_address: Located<bool>,
        /// Hosts known to live under a wildcard `host`.
        members: List<LocatedText>,
        /// The port.
        port: Located<PortNumber>,
        /// Several ports, in place of `port`.
        ports: List<Located<PortNumber>>,
        /// What is spoken on the port, or on all `ports`.
        protocol: Located<Protocol>,
        /// What is spoken on each of the `ports`, by position.
        protocols: List<Located<Protocol>>,
        /// UDP or TCP, where the protocol has both (dns), and for inbound and peer rows.
        transport: Located<Transport>,
        /// Other names that count as the host's own, in its certificate and as targets of a redirect; `*.` stands for
        /// one label. Needed where TLS is spoken to an address.
        names: List<LocatedText>,
        /// Overrides the dependency's need.
        need: Located<Need>,
        /// Which way the traffic flows; without it, outbound.
        direction: Located<Direction>,
        /// The service tag that inbound or peer traffic comes from.
        source_tag: LocatedText,
        /// The clouds it exists in; without it, all of the dependency's.
        clouds: List<Located<Cloud>>,
        /// The kind of virtual network that it applies to; without it, the dependency's.
        vnet: Located<Vnet>,
        /// The path to ask for, with http and https.
        path: LocatedText,
        /// A remark for people.
        note: LocatedText,
        /// `blocked` makes it a negative test: it must not get out.
        expect: Located<Expect>,
        /// `retired` keeps a host that is gone, without testing it.
        status: Located<HostStatus>,
        /// The host that took its place.
        replaced_by: LocatedText,
        /// Whether it is tested only when an import or `--only` names it.
        only_when_named: Located<bool>,
        /// What the source page names of it, where that is not what it names of the dependency's endpoints.
        on_page: Located<SourceMention>,
    }
}
