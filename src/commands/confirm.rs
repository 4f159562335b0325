//! `--confirm`: the instance itself tests what a run leaves open.

use std::{path::PathBuf, time::Instant};

use jiff::Timestamp;

use super::{CommandFailure, planning, print_line, stop::Stop};
use crate::{
    cli::{PlanArgs, ProbeArgs},
    confirm::{self, Check},
    model::Report,
    text::words,
    vantage::{
        Vantage,
        cutoff::Cutoff,
        management::{self, Checked, ManagementRequest, ResourceId},
    },
};

/// How the instance is asked to test.
#[derive(Debug, Clone)]
pub(super) struct Confirmation {
    service: ResourceId,
    identity: Option<String>,
    management_ca_file: Option<PathBuf>,
}

impl Confirmation {
    /// `None` if it was not requested.
    pub(super) fn of(plan: &PlanArgs, probe: &ProbeArgs) -> Option<Self> {
        Some(Self {
            service: plan.service.clone().filter(|_| probe.confirm)?,
            identity: plan.identity.clone(),
            management_ca_file: plan.management_ca_file.clone(),
        })
    }

    /// Has the instance test what `report` leaves open, until `end` at the latest, and adds the results. With `aloud`,
    /// a notice announces it first, because it takes long.
    pub(super) fn carry_out(
        &self,
        report: Report,
        vantage: &Vantage,
        stop: &Stop,
        end: Instant,
        announce: bool,
    ) -> Report {
        let management = vantage.cloud.management_host();
        let line = |body: &serde_json::Value| confirm::line(management, self.service.as_str(), body);
        let region = vantage.region.as_deref();
        let checks = confirm::checks(&report, region.unwrap_or("REGION"));
        if checks.is_empty() {
            return report;
        }
        if announce {
            let about = words::count(checks.len().min(confirm::MAX_CHECKS), "endpoint");
            print_line(
                "notice",
                &format!("asking the instance itself to test {about}, one by one"),
            );
        }
        let checked = if region.is_some() {
            let asked = {
                let (this, vantage, until) = (self.clone(), vantage.clone(), stop.until(end));
                let checks: Vec<Check> = checks.iter().take(confirm::MAX_CHECKS).cloned().collect();
                move || this.ask(&checks, &vantage, &until)
            };
            stop.run_detached(Some(end), asked)
                .unwrap_or_else(|_| Ok(Checked::nothing("the run ended first")))
                .unwrap_or_else(|_| Checked::nothing("the --management-ca-file file can no longer be read"))
        } else {
            Checked::nothing("no region is known: pass --region")
        };
        let why = checked
            .why
            .unwrap_or_else(|| format!("at most {} are tested", confirm::MAX_CHECKS));
        let answers = checked.answers.into_iter().zip(&checks).map(|(answer, check)| {
            let protocol = check.body["protocol"].as_str().unwrap_or_default();
            answer.and_then(|(text, at): (String, Timestamp)| confirm::read(&text, protocol, at))
        });
        let answers = answers.collect();
        confirm::added(report, &checks, answers, &why, line)
    }

    fn ask(&self, checks: &[Check], vantage: &Vantage, until: &Cutoff) -> Result<Checked, CommandFailure> {
        let (roots, _) = planning::management_roots(self.management_ca_file.as_deref())?;
        let request = ManagementRequest {
            service: &self.service,
            identity: self.identity.as_deref(),
            roots: &roots,
        };
        let bodies = checks.iter().map(|check| &check.body);
        Ok(management::check(&request, vantage, bodies, until))
    }
}
