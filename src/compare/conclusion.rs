//! What the differences mean: endpoints of one pattern together, with its suspects.

use std::collections::{HashMap, HashSet};

use super::{ComparedEndpoint, Conclusion, DifferenceKind, NamedReport};
use crate::{
    model::{Cause, EndpointReport, Expect, FailureMode, Need, Report, Stage, Standing, Suspect, Verdict},
    text::words::{self, list},
};

/// Names that a sentence spells out.
const NAMED: usize = 4;

/// What one endpoint shows. Endpoints with the same pattern share a conclusion.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct OutcomePattern {
    kind: DifferenceKind,
    /// Where it fails, by the index of the place.
    failing: Vec<usize>,
    /// The causes, in the same order.
    causes: Vec<Option<Cause>>,
    /// Where it works.
    working: Vec<usize>,
    /// Where something answers without proving the service.
    unproven: Vec<usize>,
    /// Where it was not tested.
    unmeasured: Vec<usize>,
    what: FailedLayer,
}

/// How an endpoint fails, as far as that shows where to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum FailedLayer {
    /// Its name cannot be looked up, or resolves to the wrong address.
    Name,
    /// No connection is established.
    Connection,
    /// The connection is accepted and fails later.
    Conversation,
    /// Differently at different places.
    Several,
    /// It works or answers everywhere, but not equally well.
    Quality,
    /// It must be blocked, and gets out.
    Open,
}

/// Every conclusion, required ones first.
pub(super) fn conclusions(reports: &[NamedReport], rows: &[ComparedEndpoint]) -> Vec<Conclusion> {
    let mut groups: Vec<(OutcomePattern, Vec<&ComparedEndpoint>)> = Vec::new();
    let mut position: HashMap<OutcomePattern, usize> = HashMap::new();
    for row in rows.iter().filter(|row| row.need != Need::Documented) {
        let Some(pattern) = OutcomePattern::of(row) else {
            continue;
        };
        let at = *position.entry(pattern.clone()).or_insert(groups.len());
        match groups.get_mut(at) {
            Some((_, members)) => members.push(row),
            None => groups.push((pattern, vec![row])),
        }
    }
    let mut conclusions: Vec<Conclusion> = groups
        .iter()
        .map(|(pattern, rows)| PatternGroup { reports, pattern, rows }.conclude())
        .collect();
    conclusions.sort_by_key(|conclusion| (conclusion.need, conclusion.kind));
    conclusions
}

impl OutcomePattern {
    /// `None` if places do not differ and nothing is blocked, or if only one place tested it.
    fn of(row: &ComparedEndpoint) -> Option<Self> {
        if row.measured().count() < 2 {
            return None;
        }
        let of = |is_so: &dyn Fn(Verdict) -> bool| -> Vec<usize> {
            let so = row.measured().filter(|(_, state)| is_so(state.verdict));
            so.map(|(place, _)| place).collect()
        };
        let known: HashSet<usize> = row.measured().map(|(place, _)| place).collect();
        let unmeasured = (0..row.seen.len()).filter(|place| !known.contains(place)).collect();
        let (blocked, proved) = (of(&|it| it == Verdict::Blocked), of(&Verdict::is_proved));
        let unproven = of(&|it| it == Verdict::Unproven);
        if row.expect == Expect::Blocked {
            let differs = !proved.is_empty() && proved.len() < known.len();
            return differs.then(|| Self {
                kind: DifferenceKind::Differs,
                causes: causes(row, &proved),
                failing: proved,
                working: blocked,
                unproven,
                unmeasured,
                what: FailedLayer::Open,
            });
        }
        if blocked.is_empty() {
            let degraded = of(&|it| it == Verdict::Degraded);
            return (!row.agrees()).then(|| Self {
                kind: DifferenceKind::Differs,
                causes: causes(row, &degraded),
                failing: degraded,
                working: of(&|it| it == Verdict::Reachable),
                unproven,
                unmeasured,
                what: FailedLayer::Quality,
            });
        }
        let kind = match (blocked.len(), proved.len()) {
            (1, 0) => DifferenceKind::Differs,
            (_, 0) => DifferenceKind::Everywhere,
            (1, _) => DifferenceKind::OnlyHere,
            (_, 1) => DifferenceKind::AllButHere,
            _ => DifferenceKind::Differs,
        };
        Some(Self {
            // An answer that does not prove the service is neither blocked nor working.
            kind: if unproven.is_empty() {
                kind
            } else {
                DifferenceKind::Differs
            },
            what: failure(&causes(row, &blocked)),
            causes: causes(row, &blocked),
            failing: blocked,
            working: proved,
            unproven,
            unmeasured,
        })
    }
}

/// Why an endpoint fails at some places, in their order.
fn causes(row: &ComparedEndpoint, places: &[usize]) -> Vec<Option<Cause>> {
    let cause = |place: &usize| row.seen[*place].and_then(|state| state.cause);
    places.iter().map(cause).collect()
}

/// The layer at which something fails that is blocked for these causes.
fn failure(causes: &[Option<Cause>]) -> FailedLayer {
    let mut ways = causes.iter().map(|cause| match cause.and_then(Cause::stage) {
        Some(Stage::Dns) => FailedLayer::Name,
        Some(Stage::Prelude | Stage::Tls | Stage::Hello) => FailedLayer::Conversation,
        Some(Stage::Tcp) | None => FailedLayer::Connection,
    });
    let first = ways.next().unwrap_or(FailedLayer::Connection);
    if ways.all(|way| way == first) {
        first
    } else {
        FailedLayer::Several
    }
}

/// The endpoints with one pattern.
struct PatternGroup<'a> {
    reports: &'a [NamedReport],
    pattern: &'a OutcomePattern,
    rows: &'a [&'a ComparedEndpoint],
}

impl PatternGroup<'_> {
    fn conclude(&self) -> Conclusion {
        let about = match self.pattern.kind {
            DifferenceKind::AllButHere => &self.pattern.working,
            _ if self.pattern.failing.is_empty() => &self.pattern.unproven,
            _ => &self.pattern.failing,
        };
        let suspects = self.suspects();
        Conclusion {
            kind: self.pattern.kind,
            vantages: about.iter().map(|place| self.reports[*place].name.clone()).collect(),
            endpoints: self.rows.iter().map(|row| row.id.clone()).collect(),
            text: self.text(&suspects),
            suspects,
            need: self.rows.iter().map(|row| row.need).min().unwrap_or(Need::Required),
        }
    }

    /// Where to look: the reports' own suspects that fit the pattern.
    fn suspects(&self) -> Vec<Suspect> {
        let pattern = self.pattern;
        if self.is_outside_alone() {
            return self.of_another_network();
        }
        let reported = self.reported();
        let of = |is_so: fn(Suspect) -> bool| reported.iter().copied().filter(move |suspect| is_so(*suspect));
        let suspects: Vec<Suspect> = match (pattern.kind, pattern.what) {
            (_, FailedLayer::Open) => vec![Suspect::Nsg, Suspect::Udr, Suspect::FirewallNetworkRule],
            // The other VM is subject to the same subnet rules.
            (DifferenceKind::OnlyHere, FailedLayer::Connection) if self.is_next_to_a_working_one() => {
                vec![Suspect::VmNicNsg, Suspect::LocalHost]
            }
            (DifferenceKind::OnlyHere, FailedLayer::Connection) => of(Suspect::is_local)
                .chain(self.own().iter().copied())
                .chain(of(goes_by_source))
                .collect(),
            (DifferenceKind::OnlyHere, FailedLayer::Name) => of(|_| true).chain([Suspect::DnsServer]).collect(),
            (DifferenceKind::OnlyHere, _) => [Suspect::Udr].into_iter().chain(of(|_| true)).collect(),
            // A machine outside Azure does not use its network: what it shares with one VM is the service.
            (DifferenceKind::Everywhere, _) if self.is_one_next_to_the_outside() => {
                self.service().into_iter().chain(of(|_| true)).collect()
            }
            (DifferenceKind::AllButHere, FailedLayer::Connection | FailedLayer::Conversation)
                if self.is_one_next_to_the_outside() =>
            {
                self.own()
                    .iter()
                    .copied()
                    .chain(of(|suspect| suspect != Suspect::Service))
                    .collect()
            }
            (DifferenceKind::Everywhere, _) if self.is_one_subnet() => reported.clone(),
            (DifferenceKind::Everywhere | DifferenceKind::AllButHere, FailedLayer::Name) => of(is_shared)
                .chain([Suspect::DnsServer, Suspect::PrivateDnsZone])
                .collect(),
            (DifferenceKind::Everywhere, _) => {
                let (before, behind) = if self.outside().is_empty() {
                    (None, self.service())
                } else {
                    (self.service(), None)
                };
                before
                    .into_iter()
                    .chain(of(is_shared))
                    .chain(self.common())
                    .chain(behind)
                    .collect()
            }
            (DifferenceKind::AllButHere, _) => of(is_shared)
                .filter(|suspect| *suspect != Suspect::Service)
                .chain(self.common())
                .chain([Suspect::Udr])
                .collect(),
            (DifferenceKind::Differs, _) => reported.clone(),
        };
        let mut known = HashSet::new();
        suspects.into_iter().filter(|suspect| known.insert(*suspect)).collect()
    }

    /// What the places' own reports suspect: from their findings, or else from the causes.
    fn reported(&self) -> Vec<Suspect> {
        let ids: HashSet<&str> = self.rows.iter().map(|row| row.id.as_str()).collect();
        let mut suspects = Vec::new();
        let is_alone = self.is_outside_alone();
        let places = self.pattern.failing.iter();
        for place in places.filter(|place| is_alone || !self.is_outside(**place)) {
            let report = &self.reports[*place].report;
            let explains = |ids_of: &[String]| ids_of.iter().any(|id| ids.contains(id.as_str()));
            let findings = report.findings.iter().filter(|finding| explains(&finding.endpoints));
            suspects.extend(findings.flat_map(|finding| finding.suspects.clone()));
        }
        let causes = self.pattern.causes.iter().flatten();
        suspects.extend(causes.flat_map(|cause| cause.suspects()));
        suspects
    }

    /// What is specific to a place and can prevent connections.
    fn own(&self) -> &'static [Suspect] {
        match self.pattern.causes.first().copied().flatten().map(Cause::ending) {
            // Azure's own rules drop, and never refuse.
            Some(FailureMode::Silence) | None => &[Suspect::Nsg, Suspect::Udr, Suspect::VmNicNsg],
            Some(FailureMode::NotSent) => &[Suspect::LocalHost],
            Some(_) => &[Suspect::Udr, Suspect::Nva],
        }
    }

    /// What places share that can block traffic.
    fn common(&self) -> impl Iterator<Item = Suspect> {
        let rule = match self.pattern.what {
            FailedLayer::Conversation => Suspect::FirewallApplicationRule,
            _ => Suspect::FirewallNetworkRule,
        };
        [rule, Suspect::Nva].into_iter()
    }

    /// The service itself, unless the report shows another device. It may be down if there is no reply, if its address
    /// refuses, or if a machine outside Azure fails in the same way. A name server's failure, a block page and a
    /// company's certificate are never the service's.
    fn service(&self) -> Option<Suspect> {
        let fits = |cause: &Cause| cause.ending() == FailureMode::Silence || *cause == Cause::TcpRefused;
        let is_anothers = |cause: &Cause| {
            cause.stage() == Some(Stage::Dns)
                || matches!(cause, Cause::HttpDenied | Cause::TlsUntrusted | Cause::TlsWrongName)
        };
        let causes = || self.pattern.causes.iter().flatten();
        let fails_outside = !self.outside().is_empty() && !causes().any(is_anothers);
        (self.pattern.what != FailedLayer::Name && (causes().any(fits) || fails_outside)).then_some(Suspect::Service)
    }

    fn is_outside(&self, place: usize) -> bool {
        self.reports[place].report.vantage.standing == Some(Standing::NotAzure)
    }

    /// The failing places that are outside Azure.
    fn outside(&self) -> Vec<&str> {
        let failing = self.pattern.failing.iter().filter(|place| self.is_outside(**place));
        failing.map(|place| self.reports[*place].name.as_str()).collect()
    }

    /// Whether it fails outside Azure only.
    fn is_outside_alone(&self) -> bool {
        let failing = &self.pattern.failing;
        !failing.is_empty() && failing.iter().all(|place| self.is_outside(*place))
    }

    /// Whether one place in Azure fails, and others outside.
    fn is_one_next_to_the_outside(&self) -> bool {
        let outside = self.outside().len();
        outside > 0 && self.pattern.failing.len() == outside + 1
    }

    /// What may block a machine outside Azure: nothing in Azure's network.
    fn of_another_network(&self) -> Vec<Suspect> {
        let service = self
            .service()
            .filter(|_| self.pattern.kind == DifferenceKind::Everywhere);
        let own = match self.pattern.what {
            FailedLayer::Name => vec![Suspect::DnsServer, Suspect::LocalHost],
            _ => vec![Suspect::LocalHost, Suspect::Proxy, Suspect::Nva],
        };
        service.into_iter().chain(own).collect()
    }

    /// Whether a machine in the same subnet as the failing one gets through.
    fn is_next_to_a_working_one(&self) -> bool {
        let Some(here) = self.pattern.failing.first() else {
            return false;
        };
        let is_beside = |place: &&usize| {
            !self.is_one_machine([*here, **place])
                && is_one_subnet(&self.reports[*here].report, &self.reports[**place].report)
        };
        self.pattern.working.iter().any(|place| is_beside(&place))
    }

    /// Whether all places are in one subnet, judged by its prefix.
    fn is_one_subnet(&self) -> bool {
        let reports: Vec<&Report> = self
            .pattern
            .failing
            .iter()
            .map(|place| &self.reports[*place].report)
            .collect();
        let mut pairs = reports.iter().enumerate().flat_map(|(at, one)| {
            let others = reports[at + 1..].iter();
            others.map(move |other| (*one, *other))
        });
        reports.len() > 1 && pairs.all(|(one, other)| is_one_subnet(one, other))
    }

    fn is_one_machine(&self, places: impl IntoIterator<Item = usize>) -> bool {
        let mut reports = places.into_iter().map(|place| &self.reports[place].report);
        let first = reports.next();
        first.is_some_and(|first| reports.all(|other| is_one_machine(first, other)))
    }

    /// Where to look, in words. If the text says that the service may be down, the other possibilities.
    fn look(&self, suspects: &[Suspect]) -> String {
        let is_everywhere = self.pattern.kind == DifferenceKind::Everywhere;
        let is_said = is_everywhere && !self.outside().is_empty() && !self.is_outside_alone();
        let others = suspects
            .iter()
            .filter(|suspect| !is_said || **suspect != Suspect::Service);
        let labels: Vec<&str> = others.map(|suspect| label(*suspect)).collect();
        list(&labels, NAMED + 1)
    }

    fn text(&self, suspects: &[Suspect]) -> String {
        let pattern = self.pattern;
        let places: Vec<&str> = self.reports.iter().map(|named| named.name.as_str()).collect();
        let at = |indices: &[usize]| {
            let names: Vec<&str> = indices.iter().map(|place| places[*place]).collect();
            list(&names, NAMED)
        };
        let titles: Vec<&str> = self.rows.iter().map(|row| row.dependency.1.as_str()).collect();
        let titles = list(&words::distinct(titles), NAMED);
        let what = format!("{titles}: {}", words::count(self.rows.len(), "endpoint"));
        let is = if self.rows.len() == 1 { "is" } else { "are" };
        let how = self.causes();
        let look = self.look(suspects);
        let mut parts = Vec::new();
        let failing = at(&pattern.failing);
        let working = at(&pattern.working);
        match (pattern.kind, pattern.what) {
            (_, FailedLayer::Open) => {
                parts.push(format!(
                    "{what} that must be blocked {is} open at {failing}, blocked at {working}"
                ));
                parts.push(format!("check how traffic gets out at {failing}: {look}"));
            }
            (_, FailedLayer::Quality) => {
                if pattern.failing.is_empty() {
                    parts.push(what);
                } else {
                    parts.push(format!("{what} {is} degraded at {failing}{how}"));
                }
                if !pattern.working.is_empty() {
                    parts.push(format!("reachable at {working}"));
                }
            }
            (DifferenceKind::OnlyHere, _) => {
                parts.push(format!(
                    "{what} {is} blocked only at {failing}{how}; reachable at {working}"
                ));
                if self.is_one_machine(pattern.failing.iter().chain(&pattern.working).copied()) {
                    parts.push("these reports are from one machine, so they may differ in time, not in place".into());
                }
                if self.is_next_to_a_working_one() && pattern.what == FailedLayer::Connection {
                    parts.push(format!(
                        "if {} is the same subnet, its NSG and route table allow this traffic: check {look}",
                        subnet(&self.reports[pattern.failing[0]].report).unwrap_or_default()
                    ));
                } else if self.is_outside_alone() {
                    parts.push(self.another_network(&look));
                } else {
                    parts.push(format!(
                        "the service answers{}, so check what is specific to {failing}: {look}",
                        self.other_addresses(&failing)
                    ));
                }
            }
            (DifferenceKind::Everywhere, _) => {
                parts.push(format!(
                    "{what} {is} blocked at all {} places that tested it{how}",
                    pattern.failing.len()
                ));
                parts.push(self.everywhere(&look));
            }
            (DifferenceKind::AllButHere, _) => {
                parts.push(format!(
                    "{what} {is} blocked at {failing}{how}, and reachable only at {working}"
                ));
                parts.push(if self.is_outside_alone() {
                    self.another_network(&look)
                } else if self.is_one_next_to_the_outside() {
                    format!(
                        "the service answers{}; {} is outside Azure's network, so for the other place look at what lies \
                         between it and the service: {look}",
                        self.other_addresses(&failing),
                        list(&self.outside(), NAMED)
                    )
                } else {
                    format!(
                        "the service answers{}, so check what the others share and {working} does not use: {look}",
                        self.other_addresses(&failing)
                    )
                });
            }
            (DifferenceKind::Differs, _) => {
                parts.push(format!("{what} {is} blocked at {failing}{how}"));
                if !pattern.working.is_empty() {
                    parts.push(format!(
                        "reachable at {working}: check what differs between them, such as {look}"
                    ));
                }
            }
        }
        if !pattern.unproven.is_empty() {
            parts.push(format!(
                "something answers at {}, but does not prove the service",
                at(&pattern.unproven)
            ));
        }
        if !pattern.unmeasured.is_empty() {
            parts.push(format!("not tested at {}", at(&pattern.unmeasured)));
        }
        words::sentences(&parts.iter().map(|part| capital(part)).collect::<Vec<_>>())
    }

    /// What makes it less certain that the service answers: the places where it works may have tried other addresses. A
    /// name may resolve to different addresses, for example if only one place has a private endpoint. Stand-ins show
    /// nothing.
    fn other_addresses(&self, failing: &str) -> String {
        let pattern = self.pattern;
        let places = || pattern.failing.iter().chain(&pattern.working);
        if pattern.what == FailedLayer::Name || places().any(|place| self.reports[*place].report.redacted) {
            return String::new();
        }
        let seen: HashMap<(usize, &str), &EndpointReport> = places()
            .flat_map(|place| {
                let endpoints = self.reports[*place].report.endpoints.iter();
                endpoints.map(|endpoint| ((*place, endpoint.id.as_str()), endpoint))
            })
            .collect();
        let is_shared = |row: &ComparedEndpoint| {
            let of = |places: &[usize]| -> Vec<&EndpointReport> {
                let known = places.iter().filter_map(|place| seen.get(&(*place, row.id.as_str())));
                known.copied().collect()
            };
            let working = of(&pattern.working);
            let mut failing = of(&pattern.failing).into_iter();
            failing.any(|here| working.iter().any(|there| here.shares_address_with(there)))
        };
        let others = self.rows.iter().filter(|row| !is_shared(row)).count();
        let some = match others {
            0 => return String::new(),
            n if n == self.rows.len() => String::new(),
            n => format!("{n} of them "),
        };
        format!(", but {some}at addresses that were not tried at {failing} (compare how the names resolve)")
    }

    /// What it means if only machines outside Azure fail.
    fn another_network(&self, look: &str) -> String {
        let outside = self.outside();
        let are = if outside.len() == 1 {
            "is not an Azure VM"
        } else {
            "are not Azure VMs"
        };
        format!(
            "this shows nothing about Azure's network, as {} {are}: check {look}",
            list(&outside, NAMED)
        )
    }

    /// What it means if machines outside Azure fail like those inside.
    fn outside_as_well(&self, look: &str) -> String {
        let outside = list(&self.outside(), NAMED);
        let service = self
            .service()
            .map_or("", |_| "the service itself may be down; otherwise ");
        let rest = if self.is_one_next_to_the_outside() {
            "each network may block it on its own"
        } else {
            "check what the Azure VMs share"
        };
        format!("it fails outside Azure as well ({outside}), so {service}{rest}: {look}")
    }

    /// What it means if an endpoint is blocked wherever it was tested.
    fn everywhere(&self, look: &str) -> String {
        let failing = &self.pattern.failing;
        let outside = self.outside();
        if self.is_one_machine(failing.iter().copied()) {
            format!("these reports are from one machine, which shows nothing about other places: check {look}")
        } else if self.is_outside_alone() {
            self.another_network(look)
        } else if self.pattern.what == FailedLayer::Several {
            format!(
                "they fail in different ways, so each may have its own fault, or a nearer fault hides a shared one: {look}"
            )
        } else if self.is_one_subnet() {
            let prefix = subnet(&self.reports[failing[0]].report).unwrap_or_default();
            format!("if {prefix} is one subnet, its own rules may also be at fault, besides anything shared: {look}")
        } else if !outside.is_empty() {
            self.outside_as_well(look)
        } else {
            format!("check what they share: {look}")
        }
    }

    /// The causes in brackets, with a leading space; with their places, if they differ.
    fn causes(&self) -> String {
        let word = |cause: &Option<Cause>| cause.map_or("no cause", Cause::as_str);
        let causes = &self.pattern.causes;
        match causes.first() {
            None | Some(None) => String::new(),
            Some(first) if causes.iter().all(|cause| cause == first) => format!(" ({})", word(first)),
            Some(_) => {
                let named = self.pattern.failing.iter().zip(causes).take(NAMED);
                let named = named.map(|(place, cause)| format!("{}: {}", self.reports[*place].name, word(cause)));
                format!(" ({})", words::join(named, "; "))
            }
        }
    }
}

/// What several subnets share.
fn is_shared(suspect: Suspect) -> bool {
    !suspect.is_local() && suspect != Suspect::Documentation
}

/// Shared components that may still treat one subnet differently.
fn goes_by_source(suspect: Suspect) -> bool {
    matches!(
        suspect,
        Suspect::FirewallNetworkRule | Suspect::FirewallApplicationRule | Suspect::Nva
    )
}

/// Where to look, without reference to a place.
fn label(suspect: Suspect) -> &'static str {
    match suspect {
        Suspect::VmNicNsg => "the NSG of the VM's own network interface",
        Suspect::LocalHost => "the VM's own firewall, routes and clock",
        other => other.label(),
    }
}

/// The prefix of the subnet that a report was made in; nothing for a stand-in, and outside Azure.
fn subnet(report: &Report) -> Option<&str> {
    let is_azure = report.vantage.standing != Some(Standing::NotAzure);
    report
        .vantage
        .subnet
        .as_deref()
        .filter(|_| is_azure && !report.redacted)
}

/// Whether two reports may be from one subnet. Networks that are not connected can have the same prefix: then another
/// region, or an address that two machines cannot share, shows that they differ.
fn is_one_subnet(one: &Report, other: &Report) -> bool {
    let (here, there) = (&one.vantage, &other.vantage);
    let shares_address = here.addresses.iter().any(|address| there.addresses.contains(address));
    let is_one = subnet(one).is_some()
        && subnet(one) == subnet(other)
        && !differ(here.region.as_deref(), there.region.as_deref());
    is_one && (!shares_address || is_one_machine(one, other))
}

/// Whether two reports may be from one machine: same name and addresses, in one subnet, and one run after the other.
/// Two networks made from one template have machines with the same name and address.
pub(super) fn is_one_machine(one: &Report, other: &Report) -> bool {
    let (here, there) = (&one.vantage, &other.vantage);
    let is_one = machine(one).is_some() && machine(one) == machine(other);
    let is_elsewhere = differ(here.region.as_deref(), there.region.as_deref())
        || differ(here.subnet.as_deref(), there.subnet.as_deref());
    is_one && !is_elsewhere && !overlap(one, other)
}

fn differ(one: Option<&str>, other: Option<&str>) -> bool {
    one.is_some() && other.is_some() && one != other
}

/// Whether one run began before the other had ended.
fn overlap(one: &Report, other: &Report) -> bool {
    let (first, second) = if one.started_at <= other.started_at {
        (one, other)
    } else {
        (other, one)
    };
    let between = second.started_at.duration_since(first.started_at);
    between.as_secs_f64() * 1_000.0 < first.duration_ms
}

/// What identifies a machine; nothing for stand-ins.
fn machine(report: &Report) -> Option<(&str, &[std::net::IpAddr])> {
    let host = report.vantage.host.as_deref().filter(|_| !report.redacted)?;
    Some((host, &report.vantage.addresses))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
