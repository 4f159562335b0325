//! Wrong statements in a report, in a network where everything is allowed.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Findings that are true of such a network: about the line, not about rules or names.
const TRUE: [&str; 2] = ["flows/", "loss/"];
/// How many examples of each error are printed.
const EXAMPLES: usize = 5;

/// The results of one run.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Statements {
    /// Endpoints that were tested.
    tested: usize,
    /// Endpoints that are called blocked, with their cause; those that a finding about the line explains are separate.
    blocked: Vec<String>,
    explained: usize,
    degraded: usize,
    /// Findings that are not true of this network, by their ids, with more confidence than `medium`; certain ones are
    /// separate.
    high: Vec<String>,
    certain: Vec<String>,
    /// Findings that are true, by their ids.
    told: Vec<String>,
    ms: f64,
}

impl Statements {
    /// Reads a report.
    pub(crate) fn of(report: &[u8]) -> Result<Self> {
        let report: Value = serde_json::from_slice(report).context("no report")?;
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let findings = list(&report["findings"]);
        let is_true = |finding: &Value| TRUE.iter().any(|kind| text(&finding["id"]).starts_with(kind));
        let explains = |id: &str| {
            let holds = |finding: &&Value| list(&finding["endpoints"]).iter().any(|known| known == id);
            findings
                .iter()
                .filter(|finding| is_true(finding))
                .any(|finding| holds(&finding))
        };
        let of_confidence = |confidence: &str| {
            let wrong = findings.iter().filter(|f| !is_true(f) && f["confidence"] == confidence);
            wrong.map(|finding| text(&finding["id"])).collect()
        };
        let endpoints = list(&report["endpoints"]);
        let of_verdict = |verdict: &str| {
            let is_so = move |row: &&Value| row["need"] != "documented" && row["verdict"] == verdict;
            endpoints.iter().filter(is_so).collect::<Vec<&Value>>()
        };
        let blocked: Vec<&Value> = of_verdict("blocked");
        let (explained, unexplained): (Vec<&Value>, Vec<&Value>) = blocked
            .into_iter()
            .partition(|row| explains(row["id"].as_str().unwrap_or_default()));
        Ok(Self {
            tested: endpoints.iter().filter(|row| row["verdict"] != "not-tested").count(),
            blocked: unexplained
                .iter()
                .map(|row| format!("{} {}", text(&row["id"]), text(&row["cause"])))
                .collect(),
            explained: explained.len(),
            degraded: of_verdict("degraded").len(),
            high: of_confidence("high"),
            certain: of_confidence("certain"),
            told: findings.iter().filter(|f| is_true(f)).map(|f| text(&f["id"])).collect(),
            ms: report["duration_ms"].as_f64().unwrap_or_default(),
        })
    }
}

/// The results of many runs.
#[derive(Debug, Default)]
pub(crate) struct Sum {
    runs: usize,
    tested: usize,
    blocked: usize,
    explained: usize,
    degraded: usize,
    most_blocked: usize,
    high: usize,
    certain: usize,
    told: BTreeMap<String, usize>,
    times: Vec<f64>,
    examples: Vec<String>,
}

impl Sum {
    /// The head of the table.
    pub(crate) const HEAD: &str = "network                         runs  endpoints  blocked  (explained)  at most  degraded  \
                            high  certain  median s  longest s";

    /// Adds one run.
    pub(crate) fn add(&mut self, job: &str, seen: Statements) {
        self.runs += 1;
        self.tested += seen.tested;
        self.blocked += seen.blocked.len();
        self.explained += seen.explained;
        self.degraded += seen.degraded;
        self.most_blocked = self.most_blocked.max(seen.blocked.len());
        self.high += seen.high.len();
        self.certain += seen.certain.len();
        self.times.push(seen.ms / 1_000.0);
        for id in seen.told {
            *self.told.entry(id).or_default() += 1;
        }
        let wrong = seen.blocked.into_iter().chain(seen.high).chain(seen.certain);
        for example in wrong {
            if self.examples.len() < EXAMPLES {
                self.examples.push(format!("{job}: {example}"));
            }
        }
    }

    /// One row of the table.
    pub(crate) fn row(&self, what: &str) -> String {
        let mut times = self.times.clone();
        times.sort_by(f64::total_cmp);
        let (median, longest) = (times.get(times.len() / 2), times.last());
        format!(
            "{what:<30}  {:>4}  {:>9}  {:>7}  {:>11}  {:>7}  {:>8}  {:>4}  {:>7}  {:>8.2}  {:>9.2}",
            self.runs,
            self.tested,
            self.blocked,
            self.explained,
            self.most_blocked,
            self.degraded,
            self.high,
            self.certain,
            median.copied().unwrap_or_default(),
            longest.copied().unwrap_or_default()
        )
    }

    /// How often each true finding was reported, and examples of errors.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let told = self
            .told
            .iter()
            .map(|(id, runs)| format!("{id} in {runs} of {} runs", self.runs));
        told.chain(self.examples.iter().cloned()).collect()
    }

    /// How many of a hundred endpoints are called blocked without an explanation by a finding about the line.
    pub(crate) fn blocked_in_a_hundred(&self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "counts of endpoints are small")]
        let share = |part: usize, all: usize| part as f64 / all.max(1) as f64;
        share(self.blocked, self.tested) * 100.0
    }

    /// Whether nothing false was reported with confidence.
    pub(crate) fn is_honest(&self) -> bool {
        self.high == 0 && self.certain == 0
    }
}
