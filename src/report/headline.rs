//! The overall result in one word and one sentence, the same in every format for people.

use std::fmt::Write as _;

use super::view::{self, DependencyGroup, GroupStatus};
use crate::{
    azure::Cloud,
    model::{EndpointReport, Need, Report, Standing, Verdict},
    text::words::{count, join, milliseconds},
};

/// The overall result in one word and one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Headline {
    /// How good the result is.
    pub tone: Tone,
    /// `BLOCKED`, `REACHABLE` and so on.
    pub word: &'static str,
    /// Without a capital and without a full stop.
    pub sentence: String,
}

/// How good the result is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Everything works.
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
        if report.vantage.is_place_unknown() {
            headline.sentence += "; without the metadata service, it is unknown whether this is an Azure VM";
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
            let verb = if tried == 1 { "was" } else { "were" };
            headline = Self {
                tone: Tone::Doubtful,
                word: "INTERRUPTED",
                sentence: format!(
                    "{tried} of {} {verb} tested; so far {}",
                    count(all, "endpoint"),
                    headline.sentence
                ),
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
        let blocked = with(&optional, GroupStatus::Blocked);
        if blocked > 0 {
            let share = share(blocked, optional.len(), "optional one");
            let _ = write!(headline.sentence, "; {share} blocked");
        }
        headline
    }

    /// The headline of dependencies that are all required or all optional.
    fn of_groups(groups: &[DependencyGroup], kind: &str, place: &str) -> Self {
        let all = groups.len();
        let of_all = |part| share(part, all, &format!("{kind} dependency"));
        let blocked = with(groups, GroupStatus::Blocked);
        let doubtful: usize = [GroupStatus::Unproven, GroupStatus::Incomplete, GroupStatus::NotTested]
            .map(|s| with(groups, s))
            .iter()
            .sum();
        let degraded = match with(groups, GroupStatus::Degraded) {
            0 => String::new(),
            1 if all == 1 => ", degraded".to_owned(),
            some if blocked + doubtful == 0 => format!(", {some} of them degraded"),
            1 => ", and 1 is degraded".to_owned(),
            some => format!(", and {some} are degraded"),
        };
        let (tone, word, sentence) = if all == 0 {
            (
                Tone::Doubtful,
                "NOTHING TO TEST",
                "no required or optional dependency was selected".to_owned(),
            )
        } else if blocked > 0 {
            (
                Tone::Bad,
                "BLOCKED",
                format!("{} blocked {place}{degraded}", of_all(blocked)),
            )
        } else if doubtful > 0 {
            let doubtful = of_all(doubtful);
            (
                Tone::Doubtful,
                "INCOMPLETE",
                format!("nothing {kind} is blocked, but {doubtful} not verified{degraded}"),
            )
        } else if all == 1 {
            (
                Tone::Good,
                "REACHABLE",
                format!("the {kind} dependency works {place}{degraded}"),
            )
        } else {
            let all = if all == 2 {
                "both".to_owned()
            } else {
                format!("all {all}")
            };
            (
                Tone::Good,
                "REACHABLE",
                format!("{all} {kind} dependencies work {place}{degraded}"),
            )
        };
        Self { tone, word, sentence }
    }

    fn add_negative_tests(&mut self, endpoints: &[EndpointReport]) {
        let open = || {
            endpoints
                .iter()
                .filter(|e| e.need != Need::Documented && view::status(e) == GroupStatus::Open)
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

/// Some of all, up to the verb: `the required dependency is`, `1 of 3 optional ones is`, `4 of 7 required dependencies
/// are`.
fn share(part: usize, all: usize, noun: &str) -> String {
    let verb = if part == 1 { "is" } else { "are" };
    if all == 1 {
        format!("the {noun} {verb}")
    } else {
        format!("{part} of {} {verb}", count(all, noun))
    }
}

/// Where that was seen from.
fn place(report: &Report) -> &'static str {
    match report.vantage.standing {
        Some(Standing::InSubnet) => "from the instance's subnet",
        Some(Standing::AzureVm) => "from this VM's subnet",
        Some(Standing::NotAzure | Standing::NoNetwork) | None => "from here",
    }
}

fn with(groups: &[DependencyGroup], status: GroupStatus) -> usize {
    groups.iter().filter(|g| g.status() == status).count()
}

/// The usual name of a cloud.
pub fn cloud(cloud: Cloud) -> String {
    match cloud {
        Cloud::Public => "public cloud".into(),
        Cloud::Usgov => "US Government cloud".into(),
        Cloud::China => "21Vianet cloud".into(),
        Cloud::Other(name) => format!("cloud {}", name.as_str()),
    }
}

/// Where the agent ran, item by item: version, cloud, region, machine, name servers.
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

/// The machine by name and address, as far as they are known.
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

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn headline_handles_singular_and_plural() {
        for (part, all, noun, words) in [
            (1, 1, "required dependency", "the required dependency is"),
            (1, 7, "required dependency", "1 of 7 required dependencies is"),
            (4, 7, "required dependency", "4 of 7 required dependencies are"),
            (1, 1, "optional one", "the optional one is"),
            (1, 3, "optional one", "1 of 3 optional ones is"),
            (3, 3, "optional one", "3 of 3 optional ones are"),
        ] {
            assert_eq!(share(part, all, noun), words);
        }
    }
}
