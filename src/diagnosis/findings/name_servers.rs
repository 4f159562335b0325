//! Name servers that fail, and everything that fails because of them.

use std::net::{IpAddr, SocketAddr};

mod reading;

use self::reading::ServerBehaviour;
use super::{
    phrases,
    platform::{self, POLICIES},
};
use crate::{
    azure::PLATFORM,
    diagnosis::{
        fix,
        grounds::{EvidenceWeight, Grounds},
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{NameServerView, ProbedEndpoint, RunView},
    },
    model::{Basis, Cause, FindingKind, Fix, Stage, Suspect, Transport},
    plan::ProbeTarget,
    probe::trace::Attempt,
    text::words::{count, distinct, list},
};

/// No name resolves at all: one finding, with every host and every server in it. An answer for one name, of any kind,
/// shows nothing about other names.
pub(super) const NO_NAMES: FindingRule = FindingRule {
    kind: FindingKind::NoNames,
    claims: EndpointMatcher::Groups(|view, unexplained| {
        let resolves = |row: &ProbedEndpoint<'_>| {
            matches!(row.endpoint.destination, ProbeTarget::Name)
                && row.judgement.outcomes.iter().any(|outcome| outcome.stage > Stage::Dns)
        };
        let liars = denying_servers(unexplained);
        let failed = |row: &ProbedEndpoint<'_>| is_failed_lookup(row, &liars);
        if view.rows.iter().any(|row| resolves(row) || passes_over_udp(row)) || !unexplained.iter().any(failed) {
            return Vec::new();
        }
        let rows: Vec<ProbedEndpoint<'_>> = unexplained
            .iter()
            .filter(|row| row.tested_server().is_some() || failed(row))
            .copied()
            .collect();
        if is_one_name(view, &rows) && any_server_answers(view) {
            return Vec::new();
        }
        vec![FindingGroup::new("name-servers", rows)]
    }),
    describe: nothing_resolves,
};

/// One server fails for some names: a zone that it forwards to a dead server, or queries that are lost or rate-limited.
pub(super) const SOME_NAMES: FindingRule = FindingRule {
    kind: FindingKind::SomeNames,
    claims: EndpointMatcher::Groups(|_, unexplained| {
        let liars = denying_servers(unexplained);
        FindingGroup::by(unexplained, |row| {
            let server = row
                .deciding_server()
                .map_or_else(|| "nobody".into(), |server| server.ip().to_string());
            is_failed_lookup(row, &liars).then(|| format!("names-of-{server}"))
        })
    }),
    describe: some_names_fail,
};

/// A server fails in its own test, while names resolve.
pub(super) const NAME_SERVER: FindingRule = FindingRule {
    kind: FindingKind::NameServer,
    claims: EndpointMatcher::Each(|_, row| row.tested_server().map(|server| server.ip().to_string())),
    describe: server_fails,
};

/// Whether a server answers its own test, over the transport that names are looked up with.
fn passes_over_udp(row: &ProbedEndpoint<'_>) -> bool {
    row.tested_server().is_some() && !row.is_tcp() && row.judgement.verdict.is_proved()
}

/// Whether everything concerns one name: no server was tested, and no other name was queried.
fn is_one_name(view: &RunView<'_>, rows: &[ProbedEndpoint<'_>]) -> bool {
    let asked = |row: &ProbedEndpoint<'_>| matches!(row.endpoint.destination, ProbeTarget::Name) && row.trace.is_some();
    let is_tested = rows.iter().any(|row| row.tested_server().is_some());
    !is_tested && phrases::hosts(view.rows.iter().filter(|row| asked(row))).len() == 1
}

/// Whether connections were made to hosts other than name servers, and none was answered.
fn is_cut_off(view: &RunView<'_>) -> bool {
    let attempts = view.needed().flat_map(ProbedEndpoint::attempts);
    let mut tried = attempts.filter(|attempt| attempt.tcp.is_some()).peekable();
    tried.peek().is_some() && tried.all(Attempt::is_silent)
}

fn any_server_answers(view: &RunView<'_>) -> bool {
    let mut servers = view.plan.name_servers.iter();
    servers.any(|server| view.server(server.ip()).is_alive())
}

/// Servers that deny an existing name in their own test. Their denials of other names do not count.
fn denying_servers(rows: &[ProbedEndpoint<'_>]) -> Vec<SocketAddr> {
    let denies_name = |row: &&ProbedEndpoint<'_>| {
        let cause = row.cause();
        matches!(
            cause,
            Some(Cause::DnsNxdomain | Cause::DnsNoAddress | Cause::DnsSinkhole)
        )
    };
    rows.iter()
        .filter(denies_name)
        .filter_map(ProbedEndpoint::tested_server)
        .collect()
}

/// Whether the lookup of its name failed because of the server.
fn is_failed_lookup(row: &ProbedEndpoint<'_>, liars: &[SocketAddr]) -> bool {
    match row.cause() {
        Some(Cause::DnsTimeout | Cause::DnsRefused | Cause::DnsServfail) => row.tested_server().is_none(),
        Some(Cause::DnsNxdomain | Cause::DnsNoAddress | Cause::DnsSinkhole) => {
            row.deciding_server().is_some_and(|server| liars.contains(&server))
        }
        _ => false,
    }
}

/// The cause that all of these share; `None` if they have several.
fn shared(rows: &[ProbedEndpoint<'_>]) -> Option<Cause> {
    let first = rows.first()?.cause()?;
    rows.iter().all(|row| row.cause() == Some(first)).then_some(first)
}

fn nothing_resolves<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let addresses: Vec<String> = view
        .plan
        .name_servers
        .iter()
        .map(|server| server.ip().to_string())
        .collect();
    let servers = distinct(addresses.iter().map(String::as_str));
    let names: Vec<ProbedEndpoint<'a>> = rows
        .iter()
        .filter(|row| row.tested_server().is_none())
        .copied()
        .collect();
    let readings: Vec<(IpAddr, ServerBehaviour)> = servers
        .iter()
        .filter_map(|server| server.parse().ok())
        .map(|server| (server, ServerBehaviour::of(&view.server(server), shared(&names))))
        .collect();
    let one = match readings.as_slice() {
        [(server, reading)] => Some((*server, *reading)),
        _ => None,
    };
    let title = match one {
        Some((server, reading)) => format!("Name server {server} {}: no name resolves", reading.words()),
        None => format!(
            "No name resolves: none of {} name servers gives an answer",
            servers.len()
        ),
    };
    let all = match phrases::hosts(&names)[..] {
        [one] => format!("{one} does not resolve"),
        ref many => format!("none of {} names resolves", many.len()),
    };
    let shows = readings.iter().all(|(_, reading)| reading.is_an_answer()) || view.platform_dns == Some(true);
    let basis = if shows { Basis::Proof } else { Basis::Pattern };
    let mut grounds = Grounds::default()
        .all(control_weight(view), platform::answers(view))
        .with(EvidenceWeight::Supports(basis), all);
    for (server, reading) in &readings {
        let sentence = (readings.len() > 1).then(|| format!("{server} {}", reading.words()));
        grounds = grounds.all(EvidenceWeight::Notes, reading.evidence(*server).or(sentence));
    }
    if is_one_name(view, rows) {
        grounds = grounds.open("only one name was queried, so only that name may be affected");
    }
    if is_cut_off(view) {
        grounds = grounds.open("no connection to an address was answered either, so the link itself may be down");
    }
    let tests = tests(rows);
    let seen = if tests.is_empty() {
        names.iter().take(1).map(|row| row.judgement.detail.clone()).collect()
    } else {
        tests
    };
    let grounds = grounds.all(EvidenceWeight::Notes, seen);
    let mut suspects = Vec::new();
    for suspect in readings
        .iter()
        .flat_map(|(server, reading)| reading.suspects(view, *server))
    {
        if !suspects.contains(&suspect) {
            suspects.push(suspect);
        }
    }
    Explanation {
        title,
        grounds,
        suspects,
        fix: each_fixed(view, &readings),
        impact: None,
    }
}

/// What the platform's answer contributes to a finding about servers that give none: it shows that queries leave this
/// subnet.
fn control_weight(view: &RunView<'_>) -> EvidenceWeight {
    match view.platform_dns {
        Some(true) => EvidenceWeight::Supports(Basis::Proof),
        _ => EvidenceWeight::Notes,
    }
}

/// What to change if no server works. One working server is enough, so the first is the example; another is named if it
/// needs a different fix.
fn each_fixed(view: &RunView<'_>, readings: &[(IpAddr, ServerBehaviour)]) -> Fix {
    let Some(((server, reading), others)) = readings.split_first() else {
        return Fix::default();
    };
    let fix = reading.fix(view, *server);
    match others.iter().find(|(_, other)| other != reading) {
        Some((other, needs)) => {
            let second = needs.fix(view, *other);
            let both = format!(
                "{} One working server is enough, so alternatively: {}",
                fix.summary, second.summary
            );
            if both.chars().count() > MAX_FIX {
                return fix;
            }
            Fix::new(both).look(fix.look).look(second.look)
        }
        None => fix,
    }
}

/// Maximum length of a fix, in characters.
const MAX_FIX: usize = 300;

fn some_names_fail<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let server = rows
        .first()
        .and_then(ProbedEndpoint::deciding_server)
        .map(|server| server.ip());
    let name = server.map_or_else(|| "the name server".into(), |server| server.to_string());
    let seen = server.map(|server| view.server(server)).unwrap_or_default();
    let cause = shared(rows);
    let hosts = phrases::hosts(rows);
    let verb = if hosts.len() == 1 { "does" } else { "do" };
    let cut_short = cut_short(rows);
    let behaviour = match (cut_short, cause) {
        (Some(reading), _) => reading.words(),
        (None, Some(Cause::DnsTimeout)) => "does not answer for them",
        (None, Some(Cause::DnsRefused)) => "refuses them (REFUSED)",
        (None, Some(Cause::DnsServfail)) => "answers SERVFAIL",
        (None, Some(cause)) => ServerBehaviour::of(&seen, Some(cause)).words(),
        (None, None) => "fails for them in several ways",
    };
    // Single queries get lost, and one name may fail for a reason of its own; a zone fails as a whole.
    let scattered = zones_that_resolve(view, &hosts);
    let are_zones = fail_as_a_whole(&hosts);
    let is_whole = are_zones || (cause != Some(Cause::DnsTimeout) && hosts.len() > 1);
    let basis = if is_whole || cut_short.is_some() {
        Basis::Pattern
    } else {
        Basis::Ambiguous
    };
    let mut grounds = Grounds::default().all(EvidenceWeight::Supports(basis), phrases::examples(rows));
    if let Some(reading) = cut_short {
        if reading == ServerBehaviour::Dropped(Transport::Tcp) {
            grounds = with_tcp_evidence(view, grounds);
        }
        grounds = grounds.note("its replies over UDP are truncated (TC=1), so clients must use TCP 53");
    } else if !scattered.is_empty() {
        grounds = grounds.against(format!(
            "other names in {} resolve, so the zone is not missing: queries were lost or rate-limited",
            list(&scattered, 2)
        ));
    } else if !is_whole && cause == Some(Cause::DnsTimeout) {
        grounds = grounds
            .open("no other name in the same zone was queried, so queries may also have been lost or rate-limited");
    } else if !is_whole && !platform::gives_all(view, rows) {
        grounds = grounds.open("no other name in the same zone was queried, so only this name may be affected");
    } else if seen.is_alive() && are_zones {
        grounds = grounds.note("it answers for other names, so only these zones are affected");
    }
    let fix = if let Some((reading, server)) = cut_short.zip(server) {
        reading.fix(view, server)
    } else if !scattered.is_empty() {
        Fix::new(format!(
            "Check whether {name} rate-limits this subnet or is overloaded, and whether the path to it loses packets."
        ))
    } else if server == Some(PLATFORM) {
        // It has no forwarders unless they are configured.
        Fix::new(
            "Look for a DNS security policy that blocks these names, or a DNS forwarding ruleset that sends them to a \
             server that fails: 168.63.129.16 does neither by default.",
        )
        .look(POLICIES)
    } else if let Some((server, cause)) = server
        .zip(cause)
        .filter(|(_, cause)| !is_whole && *cause == Cause::DnsServfail)
    {
        ServerBehaviour::AtTimes(cause).fix(view, server)
    } else {
        Fix::new(format!(
            "Configure {name} to forward these names' zones, ultimately to 168.63.129.16."
        ))
    };
    Explanation {
        title: format!("{} {verb} not resolve: {name} {behaviour}", count(hosts.len(), "name")),
        grounds: platform::of_names(view, rows, grounds),
        suspects: vec![Suspect::DnsServer],
        fix: fix.look(
            rows.first()
                .map(|row| fix::dig(row.deciding_server(), &row.endpoint.host)),
        ),
        impact: None,
    }
}

/// How the server handles TCP, if all of these queries were referred to TCP by truncated UDP replies.
fn cut_short(rows: &[ProbedEndpoint<'_>]) -> Option<ServerBehaviour> {
    let questions = || {
        rows.iter()
            .filter_map(|row| row.trace?.name.as_ref()?.decision())
            .map(|reply| &reply.v4)
    };
    let is_cut = questions().count() == rows.len() && questions().all(|question| question.truncated);
    is_cut.then(|| ServerBehaviour::of(&NameServerView::over(questions()), None))
}

/// Whether several names of each zone fail, and not one each.
fn fail_as_a_whole(hosts: &[&str]) -> bool {
    let zone = |host: &str| host.split_once('.').map(|(_, zone)| zone.to_owned());
    hosts
        .iter()
        .all(|host| hosts.iter().any(|other| other != host && zone(other) == zone(host)))
}

/// The zones of these hosts in which other names resolve.
fn zones_that_resolve<'a>(view: &RunView<'_>, hosts: &[&'a str]) -> Vec<&'a str> {
    let zones = distinct(hosts.iter().filter_map(|host| Some(host.split_once('.')?.1)));
    let resolves = |zone: &&str| {
        view.rows.iter().any(|row| {
            let resolves = row.judgement.outcomes.iter().any(|outcome| outcome.stage > Stage::Dns);
            let name = matches!(row.endpoint.destination, ProbeTarget::Name) && resolves;
            name && row
                .endpoint
                .host
                .split_once('.')
                .is_some_and(|(_, other)| other == *zone)
        })
    };
    zones.into_iter().filter(resolves).collect()
}

fn server_fails<'a>(view: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let Some(server) = rows
        .first()
        .and_then(ProbedEndpoint::tested_server)
        .map(|server| server.ip())
    else {
        return Explanation::default();
    };
    let seen = view.server(server);
    let reading = ServerBehaviour::of(&seen, shared(rows));
    let others = view
        .plan
        .name_servers
        .iter()
        .any(|other| other.ip() != server && view.server(other.ip()).is_alive());
    let shows = reading.is_an_answer() || (!seen.is_alive() && view.platform_dns == Some(true));
    let weight = EvidenceWeight::Supports(if shows { Basis::Proof } else { Basis::Pattern });
    let mut grounds = Grounds::default()
        .all(weight, tests(rows))
        .all(EvidenceWeight::Notes, reading.evidence(server));
    if matches!(reading, ServerBehaviour::Sometimes | ServerBehaviour::AtTimes(_)) {
        grounds = grounds.against("it answered other queries in this run");
    }
    if reading == ServerBehaviour::Dropped(Transport::Tcp) {
        grounds = with_tcp_evidence(view, grounds);
    }
    if others && !seen.is_alive() {
        grounds = grounds.note("names resolve through another server");
    }
    let impact = if matches!(reading, ServerBehaviour::Sometimes | ServerBehaviour::AtTimes(_)) {
        "Names fail to resolve intermittently."
    } else if seen.udp.answered > 0 {
        "Answers that do not fit in a UDP datagram are lost."
    } else if others {
        "Names resolve more slowly, and only while another server works."
    } else {
        "Names resolve for now, but not for a resolver that uses this transport."
    };
    Explanation {
        title: format!("Name server {server} {}", reading.words()),
        grounds: grounds.all(EvidenceWeight::Notes, platform::answers(view)),
        suspects: reading.suspects(view, server),
        fix: reading.fix(view, server),
        impact: Some(impact.into()),
    }
}

/// What a connection to another host, made once TCP 53 had not replied, shows about the missing reply: if a NAT has run
/// out of ports, no new connection gets a reply, while UDP queries still work.
fn with_tcp_evidence(view: &RunView<'_>, grounds: Grounds) -> Grounds {
    if let Some(host) = view.controls.lost_after() {
        return grounds.against(phrases::lost(host));
    }
    match &view.controls.late {
        Some(late) if late.attempt.is_answered() => {
            grounds.note(format!("{} answered a connection right after, so connections get out", late.host))
        }
        _ => grounds.open(
            "no connection to another host was answered right after, so connections may be lost regardless of their destination",
        ),
    }
}

/// The results of the servers' own tests, one sentence for each server and transport.
fn tests(rows: &[ProbedEndpoint<'_>]) -> Vec<String> {
    let tested = rows.iter().filter(|row| row.tested_server().is_some()).take(3);
    tested
        .map(|row| {
            format!(
                "{} {}: {}",
                row.endpoint.transport.as_str().to_uppercase(),
                row.endpoint.port,
                row.judgement.detail
            )
        })
        .collect()
}
