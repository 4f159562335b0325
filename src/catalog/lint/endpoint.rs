//! The rules for one entry of `endpoints`.

use std::net::IpAddr;

use super::{
    cloud_list,
    host::{CloudSuffixes, PlaceholderNames, Wildcard, address, plain_host},
    prose,
};
use crate::{
    azure::Cloud,
    catalog::{
        decode::PortNumber,
        model::{EndpointSpec, Retired, Target},
        problem::{ByteRange, Located, Problem},
        raw,
        settings::NAME_SERVER,
    },
    model::{Direction, Expect, Protocol, Transport, Vnet},
};

/// What an endpoint inherits.
pub(super) struct Inherited<'a> {
    /// The clouds of its dependency: at least one.
    pub clouds: Vec<Cloud>,
    pub vnet: Option<Vnet>,
    pub suffixes: &'a CloudSuffixes,
}

/// Checks one entry.
pub(super) fn check(raw: &raw::Endpoint, scope: &Inherited, problems: &mut Vec<Problem>) -> Option<EndpointSpec> {
    let clouds = own_clouds(raw, scope, problems);
    let applicable = if clouds.is_empty() { &scope.clouds } else { &clouds };
    let names = PlaceholderNames {
        suffixes: scope.suffixes,
        clouds: applicable,
    };
    let direction = raw
        .direction
        .as_ref()
        .map_or(Direction::Outbound, |direction| direction.value);
    let target = if direction == Direction::Outbound {
        outbound_target(raw, &names, problems)
    } else {
        check_no_target(raw, problems);
        Some(Target::Anything)
    };
    let ports = ports(raw, direction, problems);
    let transport = ports
        .as_deref()
        .and_then(|ports| transport(raw, direction, ports, problems));
    if let Some(ports) = ports.as_ref().filter(|_| direction == Direction::Outbound) {
        check_conversation(raw, ports, problems);
    }
    check_dependent_keys(raw, direction, problems);
    let replaced_by = raw.replaced_by.as_ref().and_then(|host| plain_host(host, problems));
    Some(EndpointSpec {
        names: raw
            .names
            .iter()
            .flat_map(|list| &list.value)
            .filter_map(|name| names.host(name, Wildcard::Allowed, problems))
            .collect(),
        need: raw.need.as_ref().map(|need| need.value),
        direction,
        source_tag: raw.source_tag.as_ref().map(|tag| tag.value.clone()),
        vnet: raw.vnet.as_ref().map(|vnet| vnet.value),
        path: raw.path.as_ref().map(|path| path.value.clone()),
        note: raw.note.as_ref().and_then(|note| prose(note, problems)),
        expect: raw.expect.as_ref().map_or(Expect::Reachable, |expect| expect.value),
        retired: raw.status.as_ref().map(|_| Retired {
            replaced_by: replaced_by.clone(),
        }),
        replaced_by,
        only_when_named: raw.only_when_named.as_ref().is_some_and(|flag| flag.value),
        on_page: raw.on_page.as_ref().map(|named| named.value),
        of_instance: None,
        target: target?,
        ports: ports?,
        transport: transport?,
        clouds,
    })
}

fn own_clouds(raw: &raw::Endpoint, scope: &Inherited, problems: &mut Vec<Problem>) -> Vec<Cloud> {
    let Some(list) = &raw.clouds else { return Vec::new() };
    for cloud in list.value.iter().filter(|cloud| !scope.clouds.contains(&cloud.value)) {
        let message = format!("the dependency does not apply to `{}`", cloud.value);
        problems.push(Problem::new(
            cloud.at,
            message,
            "add the cloud to the dependency's `clouds:`, or leave it out here",
        ));
    }
    cloud_list(list, scope.suffixes, problems)
}

fn outbound_target(raw: &raw::Endpoint, names: &PlaceholderNames, problems: &mut Vec<Problem>) -> Option<Target> {
    let given = [
        raw.host.as_ref().map(|host| ("host", host.at)),
        raw.address.as_ref().map(|address| ("address", address.at)),
        raw.addresses.as_ref().map(|list| ("addresses", list.at)),
    ];
    let at = one_of(&given, raw, "host, address or addresses", problems)?;
    if let Some(any) = raw.any_address.as_ref().filter(|_| raw.addresses.is_none()) {
        let message = "`any_address` needs `addresses`, and there are none";
        problems.push(Problem::new(
            any.at,
            message,
            "list the `addresses`, or leave `any_address` out",
        ));
    }
    if let Some(members) = raw.members.as_ref().filter(|_| !is_wildcard(raw)) {
        let help = "write a `host` like \"*.example.com\", or one entry for each host";
        problems.push(Problem::new(members.at, "only a wildcard has members", help));
    }
    if let Some(host) = &raw.host {
        return host_target(raw, host, names, problems);
    }
    if let Some(status) = &raw.status {
        problems.push(Problem::new(status.at, "only a host can be retired", "remove the entry").label(""));
    }
    let single = raw.address.iter();
    let many = raw.addresses.iter().flat_map(|list| &list.value);
    let addresses: Vec<IpAddr> = single.chain(many).filter_map(|text| address(text, problems)).collect();
    if speaks_tls(raw) && raw.names.is_none() {
        let help = "add `names: [name.in.its.certificate]`";
        problems.push(Problem::new(
            at,
            "a certificate cannot be checked against an address without a name",
            help,
        ));
    }
    let any = raw.any_address.as_ref().is_some_and(|any| any.value);
    (!addresses.is_empty()).then_some(Target::Addresses { addresses, any })
}

fn host_target(
    raw: &raw::Endpoint,
    host: &Located<String>,
    names: &PlaceholderNames,
    problems: &mut Vec<Problem>,
) -> Option<Target> {
    if host.value == format!("{{{NAME_SERVER}}}") {
        return Some(Target::NameServer);
    }
    let name = names.host(host, Wildcard::Allowed, problems)?;
    let Some(parent) = name.strip_prefix('*') else {
        return Some(Target::Host(name));
    };
    let mut members = Vec::new();
    for member in raw.members.iter().flat_map(|list| &list.value) {
        let Some(checked) = names.host(member, Wildcard::Forbidden, problems) else {
            continue;
        };
        if !checked.ends_with(parent) {
            let message = format!("`{}` is not a member of `{name}`", member.value);
            problems.push(Problem::new(member.at, message, "give it its own entry").related(host.at, "the wildcard"));
        }
        members.push(checked);
    }
    Some(Target::Wildcard { pattern: name, members })
}

/// Inbound and peer rows are for rules and for information: nothing connects to them.
fn check_no_target(raw: &raw::Endpoint, problems: &mut Vec<Problem>) {
    let given = [
        raw.host.as_ref().map(|it| ("host", it.at)),
        raw.address.as_ref().map(|it| ("address", it.at)),
        raw.addresses.as_ref().map(|it| ("addresses", it.at)),
        raw.members.as_ref().map(|it| ("members", it.at)),
        raw.path.as_ref().map(|it| ("path", it.at)),
        raw.names.as_ref().map(|it| ("names", it.at)),
        raw.status.as_ref().map(|it| ("status", it.at)),
    ];
    for (key, at) in given.into_iter().flatten() {
        let help = "add `source_tag` for where the traffic comes from, or remove `direction`";
        problems.push(Problem::new(at, format!("`{key}` belongs to outbound traffic"), help));
    }
}

/// The ports and what is spoken on each.
fn ports(raw: &raw::Endpoint, direction: Direction, problems: &mut Vec<Problem>) -> Option<Vec<(u16, Protocol)>> {
    let given_ports = [
        raw.port.as_ref().map(|it| ("port", it.at)),
        raw.ports.as_ref().map(|it| ("ports", it.at)),
    ];
    let given_protocols = [
        raw.protocol.as_ref().map(|it| ("protocol", it.at)),
        raw.protocols.as_ref().map(|it| ("protocols", it.at)),
    ];
    let ports_ok = one_of(&given_ports, raw, "port or ports", problems);
    let silent = direction != Direction::Outbound && given_protocols.iter().all(Option::is_none);
    if !silent {
        one_of(&given_protocols, raw, "protocol or protocols", problems)?;
    }
    ports_ok?;
    let ports: Vec<u16> = match &raw.ports {
        Some(list) => list
            .value
            .iter()
            .map(
                |Located {
                     value: PortNumber(port),
                     ..
                 }| *port,
            )
            .collect(),
        None => vec![raw.port.as_ref()?.value.0],
    };
    match &raw.protocols {
        None => {
            let protocol = raw.protocol.as_ref().map_or(Protocol::Tcp, |protocol| protocol.value);
            Some(ports.into_iter().map(|port| (port, protocol)).collect())
        }
        Some(protocols) if protocols.value.len() != ports.len() => {
            let message = format!(
                "{} for {}",
                count(protocols.value.len(), "protocol"),
                count(ports.len(), "port")
            );
            let help = "`ports` and `protocols` pair up by position; one `protocol` serves all ports";
            problems.push(Problem::new(protocols.at, message, help));
            None
        }
        Some(protocols) => Some(
            ports
                .into_iter()
                .zip(protocols.value.iter().map(|it| it.value))
                .collect(),
        ),
    }
}

fn transport(
    raw: &raw::Endpoint,
    direction: Direction,
    ports: &[(u16, Protocol)],
    problems: &mut Vec<Problem>,
) -> Option<Transport> {
    let usual = ports.first()?.1.transports()[0];
    let transport = raw.transport.as_ref().map_or(usual, |transport| transport.value);
    if direction != Direction::Outbound {
        return Some(transport);
    }
    let Some((_, other)) = ports
        .iter()
        .find(|(_, protocol)| !protocol.transports().contains(&transport))
    else {
        return Some(transport);
    };
    let (word, its) = (other.as_str(), other.transports()[0].as_str());
    problems.push(if let Some(written) = &raw.transport {
        let message = format!("`{word}` does not run over {}", transport.as_str());
        Problem::new(written.at, message, "leave `transport` out")
    } else {
        let message = format!("`{word}` runs over {its}, the others do not");
        Problem::new(raw.at, message, "write one entry for UDP and one for TCP")
    });
    None
}

/// What depends on the protocols.
fn check_conversation(raw: &raw::Endpoint, ports: &[(u16, Protocol)], problems: &mut Vec<Problem>) {
    if let Some(path) = &raw.path {
        if !ports.iter().any(|(_, protocol)| protocol.has_path()) {
            problems.push(Problem::new(
                path.at,
                "only http and https have paths",
                "leave `path` out, or change the protocol",
            ));
        } else if !path.value.starts_with('/') {
            let help = format!("write `path: \"/{}\"`", path.value);
            problems.push(Problem::new(path.at, "a path begins with a slash", help));
        } else if path.value.contains(|c: char| !c.is_ascii_graphic()) {
            let help = "write spaces and other letters percent-encoded, a space as %20";
            problems.push(Problem::new(
                path.at,
                "a path can contain printable ASCII characters only",
                help,
            ));
        }
    }
    let name_server = raw
        .host
        .as_ref()
        .is_some_and(|host| host.value == format!("{{{NAME_SERVER}}}"));
    if let Some((_, other)) = ports
        .iter()
        .find(|(_, protocol)| name_server && *protocol != Protocol::Dns)
    {
        let at = raw.protocol.as_ref().map_or(raw.at, |protocol| protocol.at);
        let message = format!("a name server does not speak `{}`", other.as_str());
        problems.push(Problem::new(at, message, "write `protocol: dns`"));
    }
}

/// Keys that have no meaning without another key.
fn check_dependent_keys(raw: &raw::Endpoint, direction: Direction, problems: &mut Vec<Problem>) {
    if let Some(tag) = &raw.source_tag {
        super::check_tag(tag, problems);
        if direction == Direction::Outbound {
            let help =
                "add `direction: inbound`; the destination of outbound traffic is the dependency's `service_tag`";
            problems.push(Problem::new(
                tag.at,
                "outbound traffic comes from the subnet itself",
                help,
            ));
        }
    }
}

fn speaks_tls(raw: &raw::Endpoint) -> bool {
    let many = raw.protocols.iter().flat_map(|list| &list.value);
    raw.protocol
        .iter()
        .chain(many)
        .any(|protocol| protocol.value.speaks_tls())
}

fn is_wildcard(raw: &raw::Endpoint) -> bool {
    raw.host.as_ref().is_some_and(|host| host.value.starts_with('*'))
}

/// Requires exactly one of some keys, and returns its position.
fn one_of(
    given: &[Option<(&str, ByteRange)>],
    raw: &raw::Endpoint,
    keys: &str,
    problems: &mut Vec<Problem>,
) -> Option<ByteRange> {
    let mut given = given.iter().flatten();
    match (given.next(), given.next()) {
        (Some((_, at)), None) => Some(*at),
        (Some((first, first_at)), Some((second, at))) => {
            let message = format!("`{first}` and `{second}` exclude each other");
            problems.push(Problem::new(*at, message, "keep one of them").related(*first_at, "the other"));
            None
        }
        (None, _) => {
            if !raw.broken {
                problems.push(Problem::new(
                    raw.at,
                    format!("this endpoint has no {keys}"),
                    format!("add {keys}"),
                ));
            }
            None
        }
    }
}

fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}
