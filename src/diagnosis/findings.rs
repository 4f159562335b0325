//! From many rows to few root causes.

use std::collections::BTreeMap;

use super::{
    Diagnosis, Judgement,
    cause::{Cause, Confidence, Verdict},
    fix,
};
use crate::{
    catalog::model::{Expect, Need},
    plan::{Endpoint, Plan},
    report::Finding,
};

/// How many sentences of evidence a finding carries; the rest stands with its endpoints.
const MOST_EVIDENCE: usize = 6;

/// One endpoint and what we say of it.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// What was planned.
    pub endpoint: &'a Endpoint,
    /// What came of it.
    pub judgement: &'a Judgement,
}

/// The root causes of a run, the weightiest first. Every endpoint that is not as expected belongs to exactly one.
pub fn find(plan: &Plan, diagnosis: &Diagnosis) -> Vec<Finding> {
    let rows: Vec<Row<'_>> = plan
        .endpoints
        .iter()
        .zip(&diagnosis.judgements)
        .map(|(endpoint, judgement)| Row { endpoint, judgement })
        .collect();
    let mut findings: Vec<(Weight, Finding)> = Vec::new();
    for group in groups(&rows) {
        findings.push((weight(&group), finding(&group)));
    }
    findings.sort_by_key(|(weight, _)| *weight);
    findings.into_iter().map(|(_, finding)| finding).collect()
}

/// What decides the order: need first, then how many endpoints, then the catalog's order.
type Weight = (Need, std::cmp::Reverse<usize>);

fn weight(group: &[Row<'_>]) -> Weight {
    let need = group
        .iter()
        .map(|row| row.endpoint.need)
        .min()
        .unwrap_or(Need::Documented);
    (need, std::cmp::Reverse(group.len()))
}

/// Rows that are not as expected, by dependency and cause, in the catalog's order.
fn groups<'a>(rows: &[Row<'a>]) -> Vec<Vec<Row<'a>>> {
    let mut order: Vec<(String, Option<Cause>)> = Vec::new();
    let mut groups: BTreeMap<(String, Option<Cause>), Vec<Row<'a>>> = BTreeMap::new();
    for row in rows
        .iter()
        .filter(|row| row.judgement.as_expected(row.endpoint.expect) == Some(false))
    {
        let cause = row
            .judgement
            .cause
            .filter(|_| row.judgement.verdict == Verdict::Blocked);
        let key = (row.endpoint.dependency.clone(), cause);
        if !groups.contains_key(&key) {
            order.push(key.clone());
        }
        groups.entry(key).or_default().push(*row);
    }
    order.into_iter().filter_map(|key| groups.remove(&key)).collect()
}

fn finding(group: &[Row<'_>]) -> Finding {
    let Some(first) = group.first() else {
        unreachable!("a group has a first row")
    };
    let (endpoint, judgement) = (first.endpoint, first.judgement);
    let cause = judgement.cause.filter(|_| judgement.verdict == Verdict::Blocked);
    let ports = ports(group);
    let only_documented = group.iter().all(|row| row.endpoint.need == Need::Documented);
    let unexpected = endpoint.expect == Expect::Blocked;
    let title = match cause {
        Some(cause) if !unexpected => format!("{}: {}", endpoint.title, fix::headline(cause, &ports)),
        _ => format!("{}: {ports} must be blocked and is not", endpoint.title),
    };
    let word = cause.map_or("open", Cause::as_str);
    let confidence = match cause {
        _ if only_documented => Confidence::Low,
        Some(cause) => fix::confidence(cause),
        None => Confidence::Certain,
    };
    let evidence = group
        .iter()
        .map(|row| format!("{}:{} - {}", row.endpoint.host, row.endpoint.port, row.judgement.detail))
        .take(MOST_EVIDENCE)
        .collect();
    Finding {
        id: format!("{word}/{}", endpoint.dependency),
        cause,
        title,
        confidence,
        endpoints: group.iter().map(|row| row.endpoint.id.clone()).collect(),
        evidence,
        suspects: cause.map(fix::suspects).unwrap_or_default().to_vec(),
        impact: endpoint.impact.clone(),
        fix: fix::fix(cause, endpoint, &ports),
    }
}

/// The ports of a group, as a rule names them: `TCP 5671, 5672`.
fn ports(group: &[Row<'_>]) -> String {
    let mut by_transport: BTreeMap<&str, Vec<u16>> = BTreeMap::new();
    for row in group {
        let ports = by_transport.entry(row.endpoint.transport.as_str()).or_default();
        if !ports.contains(&row.endpoint.port) {
            ports.push(row.endpoint.port);
        }
    }
    let list = |ports: &[u16]| ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ");
    by_transport
        .iter()
        .map(|(transport, ports)| format!("{} {}", transport.to_uppercase(), list(ports)))
        .collect::<Vec<_>>()
        .join(" and ")
}
