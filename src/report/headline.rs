//! The run in one word and one sentence, the same in every format for people.

use std::fmt::Write as _;

use super::view::{self, Group, Status};
use crate::{
    azure::Cloud,
    model::{Endpoint, Need, Report, Standing, Verdict},
    text::words::{count, join, milliseconds},
};

/// The run in one word and one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headline {
    /// How good the news is.
    pub tone: Tone,
    /// `BLOCKED`, `REACHABLE` and the like.
    pub word: &'static str,
    /// Without a capital and without a full stop.
    pub sentence: String,
}

/// How good the news is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// All is well.
    Good,
    /// Something is not known, or the run was interrupted.
    Doubtful,
    /// Something is broken.
    Bad,
}

impl Headline {
    /// The headline of a run.
    pub fn of(report: &Report) -> Self {
        let mut headline = Self::of_dependencies(report);
        headline.add_negative_tests(&report.endpoints);
        if report.vantage.standing == Some(Standing::NoNetwork) {
            headline = Self {
                tone: Tone::Doubtful,
                word: "CANNOT TELL",
                sentence: "cannot tell from here: this machine has no route to anything in the plan, so nothing is \
                           known about the instance's network"
                    .into(),
            };
        }
        let flags = report.selection.flags();
        if !flags.is_empty() {
            let _ = write!(headline.sentence, " (with {flags})");
        }
        if report.vantage.standing == Some(Standing::NotAzure) {
            headline.sentence += "; this is not an Azure VM, so the instance's network may differ";
        }
        if let Some(subnet) = &report.vantage.instance_subnet {
            let name = subnet.rsplit('/').next().unwrap_or(subnet);
            let _ = write!(headline.sentence, "; the instance is in another subnet, {name}");
        }
        if !report.complete {
            let tried = report
                .endpoints
                .iter()
                .filter(|e| e.verdict != Verdict::NotTested)
                .count();
            let all = report.endpoints.len();
            headline = Self {
                tone: Tone::Doubtful,
                word: "INTERRUPTED",
                sentence: format!("{tried} of {all} endpoints were tested; so far {}", headline.sentence),
            };
        }
        headline
    }

    fn of_dependencies(report: &Report) -> Self {
        let place = place(report);
        let required = view::groups(report, Need::Required);
        let optional = view::groups(report, Need::Feature);
        if required.is_empty() {
            return Self::of_groups(&optional, "optional", place);
        }
        let mut headline = Self::of_groups(&required, "required", place);
        let blocked = with(&optional, Status::Blocked);
        if blocked > 0 {
            let verb = if blocked == 1 { "is" } else { "are" };
            let _ = write!(
                headline.sentence,
                "; {blocked} of {} optional ones {verb} blocked",
                optional.len()
            );
        }
        headline
    }

    /// The headline of dependencies that are all required or all optional.
    fn of_groups(groups: &[Group], kind: &str, place: &str) -> Self {
        let all = groups.len();
        let noun = if all == 1 { "dependency" } else { "dependencies" };
        let blocked = with(groups, Status::Blocked);
        let doubtful: usize = [Status::Unproven, Status::Incomplete, Status::NotTested]
            .map(|s| with(groups, s))
            .iter()
            .sum();
        let degraded = match with(groups, Status::Degraded) {
            0 => String::new(),
            1 if all == 1 => ", degraded".to_owned(),
            some if blocked + doubtful == 0 => format!(", {some} of them degraded"),
            1 => ", 1 is degraded".to_owned(),
            some => format!(", {some} are degraded"),
        };
        let (tone, word, sentence) = if all == 0 {
            (
                Tone::Doubtful,
                "NOTHING TO TEST",
                "no required or optional dependency was selected".to_owned(),
            )
        } else if blocked > 0 {
            let verb = if blocked == 1 { "is" } else { "are" };
            (
                Tone::Bad,
                "BLOCKED",
                format!("{blocked} of {all} {kind} {noun} {verb} blocked {place}{degraded}"),
            )
        } else if doubtful > 0 {
            let verb = if doubtful == 1 { "is" } else { "are" };
            let counted = format!("{doubtful} of {all} {kind} {noun} {verb} not proved");
            (
                Tone::Doubtful,
                "INCOMPLETE",
                format!("nothing {kind} is blocked, but {counted}{degraded}"),
            )
        } else if all == 1 {
            (
                Tone::Good,
                "REACHABLE",
                format!("the {kind} dependency works {place}{degraded}"),
            )
        } else {
            (
                Tone::Good,
                "REACHABLE",
                format!("all {all} {kind} dependencies work {place}{degraded}"),
            )
        };
        Self { tone, word, sentence }
    }

    fn add_negative_tests(&mut self, endpoints: &[Endpoint]) {
        let open = || {
            endpoints
                .iter()
                .filter(|e| e.need != Need::Documented && view::status(e) == Status::Open)
        };
        let reached = open().filter(|e| e.verdict.is_proved()).count();
        let unknown = open().count() - reached;
        for (n, what) in [(unknown, "was not resolved"), (reached, "is open")] {
            if n > 0 {
                let what = if n == 1 {
                    what.to_owned()
                } else {
                    what.replace("is ", "are ").replace("was ", "were ")
                };
                let sentence = format!(
                    "{} that must be blocked {what}; {}",
                    count(n, "endpoint"),
                    self.sentence
                );
                let word = if self.tone == Tone::Bad { self.word } else { "OPEN" };
                *self = Self {
                    tone: Tone::Bad,
                    word,
                    sentence,
                };
            }
        }
    }
}

/// Where that is seen from.
fn place(report: &Report) -> &'static str {
    match report.vantage.standing {
        Some(Standing::InSubnet) => "from the instance's subnet",
        Some(Standing::AzureVm) => "from this VM's subnet",
        Some(Standing::NotAzure | Standing::NoNetwork) | None => "from here",
    }
}

fn with(groups: &[Group], status: Status) -> usize {
    groups.iter().filter(|g| g.status() == status).count()
}

/// What people call a cloud.
pub fn cloud(cloud: Cloud) -> String {
    match cloud {
        Cloud::Public => "public cloud".into(),
        Cloud::Usgov => "US Government cloud".into(),
        Cloud::China => "21Vianet cloud".into(),
        Cloud::Other(name) => format!("cloud {}", name.as_str()),
    }
}

/// Where the agent stood, item by item: version, cloud, region, machine, name servers.
pub fn vantage(report: &Report) -> Vec<String> {
    let vantage = &report.vantage;
    let mut items = vec![format!("apim-probe {}", report.agent.version), cloud(vantage.cloud)];
    items.extend(vantage.region.clone());
    items.extend(vantage.vnet.map(|vnet| format!("{} network", vnet.as_str())));
    items.extend(machine(report).map(|machine| format!("from {machine}")));
    items.extend(vantage.subnet.as_ref().map(|subnet| format!("subnet {subnet}")));
    items.extend(vantage.clock_skew_ms.map(|skew| {
        let side = if skew > 0.0 { "ahead" } else { "behind" };
        format!("clock {} {side}", milliseconds(skew.abs()))
    }));
    if !vantage.resolvers.is_empty() {
        let resolvers = vantage.resolvers.iter().map(|server| match server.port() {
            53 => server.ip().to_string(),
            _ => server.to_string(),
        });
        items.push(format!("DNS {}", join(resolvers, ", ")));
    }
    items
}

/// The machine by name and address, as far as either is known.
pub fn machine(report: &Report) -> Option<String> {
    let addresses = join(&report.vantage.addresses, ", ");
    match (&report.vantage.host, addresses.as_str()) {
        (Some(host), "") => Some(host.clone()),
        (Some(host), _) => Some(format!("{host} {addresses}")),
        (None, "") => None,
        (None, _) => Some(addresses),
    }
}

/// What was run and when, item by item.
pub fn run(report: &Report) -> [String; 2] {
    let endpoints = count(report.endpoints.len(), "endpoint");
    let documented = report
        .agent
        .catalog_documented
        .as_ref()
        .map(|date| format!(", catalog of {date}"));
    [
        format!("{endpoints}{}", documented.unwrap_or_default()),
        format!("{}, took {}", time(report), milliseconds(report.duration_ms)),
    ]
}

/// When the run began: `2026-11-21 20:00:00 UTC`.
pub fn time(report: &Report) -> String {
    report.started_at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}
