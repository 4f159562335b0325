//! The exit statuses, and the one rule that chooses them.

use crate::{
    model::{Cause, DecidingEndpoints, EndpointReport, ExitStatus, FailOn, Overall, Policy, Report, Standing, Verdict},
    report::view,
    text::words,
};

/// Computes the exit status of a run. `fault` is the agent's own failure ("cannot write report.json: …"), which takes
/// precedence.
pub fn judge(report: &Report, policy: Policy, fault: Option<&str>) -> ExitStatus {
    if let Some(fault) = fault {
        return ExitStatus::new(ExitStatus::FAILED, fault);
    }
    if !report.complete {
        let not_tested = report
            .endpoints
            .iter()
            .filter(|e| e.verdict == Verdict::NotTested)
            .count();
        let reason = format!(
            "interrupted, {not_tested} of {} not tested",
            words::count(report.endpoints.len(), "endpoint")
        );
        return ExitStatus::new(ExitStatus::INTERRUPTED, reason);
    }
    if report.vantage.standing == Some(Standing::NoNetwork) {
        let reason = "cannot tell from here: this machine has no route to anything in the plan";
        return ExitStatus::new(ExitStatus::FAILED, reason);
    }
    if let Some(reason) = nothing_could_be_tried(&report.endpoints) {
        return ExitStatus::new(ExitStatus::FAILED, reason);
    }
    let status = status(&DecidingEndpoints::of(&report.endpoints, policy));
    if policy.fail_on == Some(FailOn::Never) && status.code != ExitStatus::REACHABLE {
        let reason = format!("--fail-on never; otherwise {}, {}", status.code, status.reason);
        return ExitStatus::new(ExitStatus::REACHABLE, reason);
    }
    status
}

/// The results of the endpoints that decide, in words.
fn status(decision: &DecidingEndpoints<'_>) -> ExitStatus {
    match decision.overall() {
        Overall::Blocked => ExitStatus::new(ExitStatus::BLOCKED, why_blocked(decision)),
        Overall::Incomplete => ExitStatus::new(ExitStatus::INCOMPLETE, why_incomplete(&decision.undecided)),
        Overall::Reachable => ExitStatus::new(ExitStatus::REACHABLE, why_reachable(decision)),
    }
}

fn why_reachable(decision: &DecidingEndpoints<'_>) -> String {
    let scope = decision.scope;
    match (decision.deciding, decision.allowed) {
        (0, _) => "nothing that decides the exit status was selected".into(),
        (_, 0) => format!("every {scope} endpoint is reachable or degraded"),
        (_, n) => format!(
            "nothing {scope} is blocked, {} not verified",
            words::count(n, "endpoint")
        ),
    }
}

fn why_blocked(decision: &DecidingEndpoints<'_>) -> String {
    let mut reasons = Vec::new();
    let titles = words::distinct(decision.blocked.iter().map(|e| e.title.as_str()));
    if !titles.is_empty() {
        let verb = if titles.len() == 1 { "is" } else { "are" };
        reasons.push(format!("{} {verb} blocked", words::list(&titles, NAMED)));
    }
    if !decision.lost.is_empty() {
        let titles = words::distinct(decision.lost.iter().map(|e| e.title.as_str()));
        reasons.push(format!(
            "fewer than three quarters of the connections to {} pass",
            words::list(&titles, NAMED)
        ));
    }
    let (reached, unknown): (Vec<&EndpointReport>, Vec<&EndpointReport>) =
        decision.open.iter().partition(|e| e.verdict.is_proved());
    if !reached.is_empty() {
        let verb = if reached.len() == 1 { "is" } else { "are" };
        reasons.push(format!("{} must be blocked but {verb} not", targets(&reached)));
    }
    if !unknown.is_empty() {
        reasons.push(format!(
            "{} must be blocked, but the name lookup failed",
            targets(&unknown)
        ));
    }
    reasons.join("; ")
}

/// Maximum number of names in a reason, which is one line.
const NAMED: usize = 3;

fn targets(endpoints: &[&EndpointReport]) -> String {
    let targets: Vec<&str> = endpoints.iter().map(|e| e.target()).collect();
    words::list(&targets, NAMED)
}

fn why_incomplete(unsettled: &[&EndpointReport]) -> String {
    let of_cause = |cause| -> Vec<&EndpointReport> {
        unsettled
            .iter()
            .copied()
            .filter(|e| e.verdict == Verdict::NotTested && e.cause == Some(cause))
            .collect()
    };
    let mut reasons = Vec::new();
    let (late, faulty, nameless) = (
        of_cause(Cause::Deadline),
        of_cause(Cause::LocalFault),
        of_cause(Cause::NeedsValue),
    );
    if !late.is_empty() {
        reasons.push(format!(
            "{} not reached before the deadline, raise --deadline",
            words::count(late.len(), "endpoint")
        ));
    }
    if !faulty.is_empty() {
        reasons.push(format!(
            "this machine could not probe {}",
            words::count(faulty.len(), "endpoint")
        ));
    }
    if !nameless.is_empty() {
        reasons.push(view::what_to_pass(&nameless));
    }
    let unproven: Vec<&EndpointReport> = unsettled
        .iter()
        .copied()
        .filter(|e| e.verdict == Verdict::Unproven)
        .collect();
    if !unproven.is_empty() {
        let titles = words::distinct(unproven.iter().map(|e| e.title.as_str()));
        let verb = if titles.len() == 1 { "is" } else { "are" };
        reasons.push(format!("{} {verb} not verified", words::list(&titles, NAMED)));
    }
    let rest = unsettled.len() - late.len() - faulty.len() - nameless.len() - unproven.len();
    if rest > 0 {
        reasons.push(format!("{} not tested", words::count(rest, "endpoint")));
    }
    reasons.join("; ")
}

/// Why the agent could not try anything, if so.
fn nothing_could_be_tried(endpoints: &[EndpointReport]) -> Option<String> {
    let is_fault = |e: &&EndpointReport| e.verdict == Verdict::NotTested && e.cause == Some(Cause::LocalFault);
    let was_tried = |e: &EndpointReport| e.verdict != Verdict::NotTested || e.cause == Some(Cause::Deadline);
    let first = endpoints.iter().find(is_fault)?;
    let detail = first.detail.trim_end_matches('.');
    (!endpoints.iter().any(was_tried)).then(|| format!("nothing could be tried: {detail}"))
}

#[cfg(test)]
mod tests;
