//! What the differences come to: endpoints of one pattern together, with what that accuses.

use std::collections::{HashMap, HashSet};

use super::{Conclusion, Kind, Named, Row};
use crate::{
    model::{Cause, Ending, Expect, Need, Report, Stage, Standing, Suspect, Verdict},
    text::words::{self, list},
};

/// Names that a sentence spells out.
const NAMED: usize = 4;

/// What one endpoint shows. Endpoints of one pattern share a conclusion.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Pattern {
    kind: Kind,
    /// Where it fails, by the index of the place.
    failing: Vec<usize>,
    /// Why, in the same order.
    causes: Vec<Option<Cause>>,
    /// Where it works.
    working: Vec<usize>,
    /// Where something answers that proves nothing.
    unproven: Vec<usize>,
    /// Where nobody looked.
    unmeasured: Vec<usize>,
    what: Failure,
}

/// How an endpoint fails, as far as that tells where to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Failure {
    /// Its name cannot be looked up, or leads astray.
    Name,
    /// No connection comes about.
    Connection,
    /// It is accepted, and goes wrong later.
    Conversation,
    /// In another way at one place than at another.
    Several,
    /// It works, or answers, but not equally well.
    Quality,
    /// It must be blocked, and gets out.
    Open,
}

/// Every conclusion, what is required first.
pub(super) fn conclusions(reports: &[Named], rows: &[Row]) -> Vec<Conclusion> {
    let mut groups: Vec<(Pattern, Vec<&Row>)> = Vec::new();
    let mut position: HashMap<Pattern, usize> = HashMap::new();
    for row in rows.iter().filter(|row| row.need != Need::Documented) {
        let Some(pattern) = Pattern::of(row) else { continue };
        let at = *position.entry(pattern.clone()).or_insert(groups.len());
        match groups.get_mut(at) {
            Some((_, members)) => members.push(row),
            None => groups.push((pattern, vec![row])),
        }
    }
    let mut conclusions: Vec<Conclusion> = groups
        .iter()
        .map(|(pattern, rows)| Group { reports, pattern, rows }.conclude())
        .collect();
    conclusions.sort_by_key(|conclusion| (conclusion.need, conclusion.kind));
    conclusions
}

impl Pattern {
    /// `None` where places do not differ and nothing is blocked, or one place alone looked.
    fn of(row: &Row) -> Option<Self> {
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
                kind: Kind::Differs,
                causes: causes(row, &proved),
                failing: proved,
                working: blocked,
                unproven,
                unmeasured,
                what: Failure::Open,
            });
        }
        if blocked.is_empty() {
            let degraded = of(&|it| it == Verdict::Degraded);
            return (!row.agrees()).then(|| Self {
                kind: Kind::Differs,
                causes: causes(row, &degraded),
                failing: degraded,
                working: of(&|it| it == Verdict::Reachable),
                unproven,
                unmeasured,
                what: Failure::Quality,
            });
        }
        let kind = match (blocked.len(), proved.len()) {
            (1, 0) => Kind::Differs,
            (_, 0) => Kind::Everywhere,
            (1, _) => Kind::OnlyHere,
            (_, 1) => Kind::AllButHere,
            _ => Kind::Differs,
        };
        Some(Self {
            // Something that answers without proof is neither blocked nor well.
            kind: if unproven.is_empty() { kind } else { Kind::Differs },
            what: failure(&causes(row, &blocked)),
            causes: causes(row, &blocked),
            failing: blocked,
            working: proved,
            unproven,
            unmeasured,
        })
    }
}

/// Why a row fails at some places, in their order.
fn causes(row: &Row, places: &[usize]) -> Vec<Option<Cause>> {
    let cause = |place: &usize| row.seen[*place].and_then(|state| state.cause);
    places.iter().map(cause).collect()
}

/// How something fails that is blocked for these causes.
fn failure(causes: &[Option<Cause>]) -> Failure {
    let mut ways = causes.iter().map(|cause| match cause.and_then(Cause::stage) {
        Some(Stage::Dns) => Failure::Name,
        Some(Stage::Prelude | Stage::Tls | Stage::Hello) => Failure::Conversation,
        Some(Stage::Tcp) | None => Failure::Connection,
    });
    let first = ways.next().unwrap_or(Failure::Connection);
    if ways.all(|way| way == first) {
        first
    } else {
        Failure::Several
    }
}

/// The endpoints of one pattern.
struct Group<'a> {
    reports: &'a [Named],
    pattern: &'a Pattern,
    rows: &'a [&'a Row],
}

impl Group<'_> {
    fn conclude(&self) -> Conclusion {
        let about = match self.pattern.kind {
            Kind::AllButHere => &self.pattern.working,
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

    /// Where to look: of what the reports themselves suspect, what fits the pattern.
    fn suspects(&self) -> Vec<Suspect> {
        let pattern = self.pattern;
        let reported = self.reported();
        let of = |is_so: fn(Suspect) -> bool| reported.iter().copied().filter(move |suspect| is_so(*suspect));
        let suspects: Vec<Suspect> = match (pattern.kind, pattern.what) {
            (_, Failure::Open) => vec![Suspect::Nsg, Suspect::Udr, Suspect::FirewallNetworkRule],
            // The subnet's own rules are those of the other VM too.
            (Kind::OnlyHere, Failure::Connection) if self.is_beside_a_working_one() => {
                vec![Suspect::VmNicNsg, Suspect::LocalHost]
            }
            (Kind::OnlyHere, Failure::Connection) => of(Suspect::is_local)
                .chain(self.own().iter().copied())
                .chain(of(goes_by_source))
                .collect(),
            (Kind::OnlyHere, Failure::Name) => of(|_| true).chain([Suspect::DnsServer]).collect(),
            (Kind::OnlyHere, _) => [Suspect::Udr].into_iter().chain(of(|_| true)).collect(),
            (Kind::Everywhere, _) if self.is_one_subnet() => reported.clone(),
            (Kind::Everywhere | Kind::AllButHere, Failure::Name) => of(is_shared)
                .chain([Suspect::DnsServer, Suspect::PrivateDnsZone])
                .collect(),
            (Kind::Everywhere, _) => of(is_shared)
                .chain(self.common())
                .chain(self.may_be_the_service().then_some(Suspect::Service))
                .collect(),
            (Kind::AllButHere, _) => of(is_shared)
                .filter(|suspect| *suspect != Suspect::Service)
                .chain(self.common())
                .chain([Suspect::Udr])
                .collect(),
            (Kind::Differs, _) => reported.clone(),
        };
        let mut known = HashSet::new();
        suspects.into_iter().filter(|suspect| known.insert(*suspect)).collect()
    }

    /// What the places' own reports suspect: their findings, else the causes alone.
    fn reported(&self) -> Vec<Suspect> {
        let ids: HashSet<&str> = self.rows.iter().map(|row| row.id.as_str()).collect();
        let mut suspects = Vec::new();
        for place in &self.pattern.failing {
            let report = &self.reports[*place].report;
            let explains = |ids_of: &[String]| ids_of.iter().any(|id| ids.contains(id.as_str()));
            let findings = report.findings.iter().filter(|finding| explains(&finding.endpoints));
            suspects.extend(findings.flat_map(|finding| finding.suspects.clone()));
        }
        let causes = self.pattern.causes.iter().flatten();
        suspects.extend(causes.flat_map(|cause| cause.suspects()));
        suspects
    }

    /// What a place has to itself that lets no connection come about.
    fn own(&self) -> &'static [Suspect] {
        match self.pattern.causes.first().copied().flatten().map(Cause::ending) {
            // Azure's own rules drop, and never refuse.
            Some(Ending::Silence) | None => &[Suspect::Nsg, Suspect::Udr, Suspect::VmNicNsg],
            Some(Ending::NotSent) => &[Suspect::LocalHost],
            Some(_) => &[Suspect::Udr, Suspect::Nva],
        }
    }

    /// What places share that lets nothing pass.
    fn common(&self) -> impl Iterator<Item = Suspect> {
        let rule = match self.pattern.what {
            Failure::Conversation => Suspect::FirewallApplicationRule,
            _ => Suspect::FirewallNetworkRule,
        };
        [rule, Suspect::Nva].into_iter()
    }

    /// Whether nothing shows that the service is there: nobody refuses, or a machine outside Azure fares no better.
    fn may_be_the_service(&self) -> bool {
        let is_silent = |cause: &Cause| cause.ending() == Ending::Silence;
        self.pattern.causes.iter().flatten().any(is_silent) || !self.outside().is_empty()
    }

    /// The failing places that are outside Azure.
    fn outside(&self) -> Vec<&str> {
        let failing = self.pattern.failing.iter().map(|place| &self.reports[*place]);
        failing
            .filter(|named| named.report.vantage.standing == Some(Standing::NotAzure))
            .map(|named| named.name.as_str())
            .collect()
    }

    /// Whether a machine in the same subnet as the failing one gets through.
    fn is_beside_a_working_one(&self) -> bool {
        let subnet = |place: &usize| subnet(&self.reports[*place].report);
        let here = self.pattern.failing.first().and_then(subnet);
        let is_other = |place: &&usize| !self.is_one_machine([self.pattern.failing[0], **place]);
        here.is_some()
            && self
                .pattern
                .working
                .iter()
                .filter(is_other)
                .any(|place| subnet(place) == here)
    }

    /// Whether everywhere is one subnet.
    fn is_one_subnet(&self) -> bool {
        let mut subnets = self
            .pattern
            .failing
            .iter()
            .map(|place| subnet(&self.reports[*place].report));
        let first = subnets.next().flatten();
        first.is_some() && subnets.all(|subnet| subnet == first)
    }

    fn is_one_machine(&self, places: impl IntoIterator<Item = usize>) -> bool {
        let mut machines = places.into_iter().map(|place| machine(&self.reports[place].report));
        let first = machines.next().flatten();
        first.is_some() && machines.all(|machine| machine == first)
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
        let labels: Vec<&str> = suspects.iter().map(|suspect| label(*suspect)).collect();
        let look = list(&labels, NAMED + 1);
        let mut parts = Vec::new();
        let failing = at(&pattern.failing);
        let working = at(&pattern.working);
        match (pattern.kind, pattern.what) {
            (_, Failure::Open) => {
                parts.push(format!(
                    "{what} that must be blocked {is} open at {failing}, blocked at {working}"
                ));
                parts.push(format!("look at what {failing} may use to get out: {look}"));
            }
            (_, Failure::Quality) => {
                if pattern.failing.is_empty() {
                    parts.push(what);
                } else {
                    parts.push(format!("{what} {is} degraded at {failing}{how}"));
                }
                if !pattern.working.is_empty() {
                    parts.push(format!("reachable at {working}"));
                }
            }
            (Kind::OnlyHere, _) => {
                parts.push(format!(
                    "{what} {is} blocked at {failing} alone{how}; the same works at {working}"
                ));
                if self.is_one_machine(pattern.failing.iter().chain(&pattern.working).copied()) {
                    parts.push("these reports are of one machine, so it may be time that tells them apart".into());
                }
                if self.is_beside_a_working_one() && pattern.what == Failure::Connection {
                    parts.push(format!(
                        "if {} is one and the same subnet, its NSG and route table let others pass: look at {look}",
                        subnet(&self.reports[pattern.failing[0]].report).unwrap_or_default()
                    ));
                } else {
                    parts.push(format!(
                        "the service answers, so look at what {failing} has to itself: {look}"
                    ));
                }
            }
            (Kind::Everywhere, _) => {
                parts.push(format!(
                    "{what} {is} blocked at all {} places that tried{how}",
                    pattern.failing.len()
                ));
                parts.push(self.everywhere(&look));
            }
            (Kind::AllButHere, _) => {
                parts.push(format!(
                    "{what} {is} blocked at {failing}{how}, and works at {working} alone"
                ));
                parts.push(format!(
                    "the service answers, so look at what the others share and {working} does not pass: {look}"
                ));
            }
            (Kind::Differs, _) => {
                parts.push(format!("{what} {is} blocked at {failing}{how}"));
                if !pattern.working.is_empty() {
                    parts.push(format!(
                        "works at {working}: look at what tells them apart, such as {look}"
                    ));
                }
            }
        }
        if !pattern.unproven.is_empty() {
            parts.push(format!(
                "something answers at {}, which proves nothing",
                at(&pattern.unproven)
            ));
        }
        if !pattern.unmeasured.is_empty() {
            parts.push(format!("not measured at {}", at(&pattern.unmeasured)));
        }
        words::sentences(&parts.iter().map(|part| capital(part)).collect::<Vec<_>>())
    }

    /// What it accuses that a thing is blocked wherever it was tried.
    fn everywhere(&self, look: &str) -> String {
        let failing = &self.pattern.failing;
        let outside = self.outside();
        if self.is_one_machine(failing.iter().copied()) {
            format!("these reports are of one machine, which tells nothing of other places: look at {look}")
        } else if self.pattern.what == Failure::Several {
            format!(
                "they fail in different ways, so each may have a fault of its own, or the nearer one hides a shared one: {look}"
            )
        } else if self.is_one_subnet() {
            format!("all stand in one subnet, so its own rules stay in question beside what is shared: {look}")
        } else if !outside.is_empty() {
            format!(
                "{} is no Azure VM and fails as well, so the service itself may be at fault; else look at what they share: {look}",
                list(&outside, NAMED)
            )
        } else {
            format!("look at what they share: {look}")
        }
    }

    /// The causes in brackets, with a blank in front; where they differ, with their places.
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

/// What is shared, and yet may treat one subnet differently.
fn goes_by_source(suspect: Suspect) -> bool {
    matches!(
        suspect,
        Suspect::FirewallNetworkRule | Suspect::FirewallApplicationRule | Suspect::Nva
    )
}

/// Where to look, from nowhere in particular.
fn label(suspect: Suspect) -> &'static str {
    match suspect {
        Suspect::VmNicNsg => "the NSG of the VM's own network interface",
        Suspect::LocalHost => "the VM's own firewall, routes and clock",
        other => other.label(),
    }
}

/// The prefix of the subnet that a report was made in; nothing for a stand-in.
fn subnet(report: &Report) -> Option<&str> {
    report.vantage.subnet.as_deref().filter(|_| !report.redacted)
}

/// What tells machines apart; nothing for stand-ins.
pub(super) fn machine(report: &Report) -> Option<(&str, &[std::net::IpAddr])> {
    let host = report.vantage.host.as_deref().filter(|_| !report.redacted)?;
    Some((host, &report.vantage.addresses))
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
