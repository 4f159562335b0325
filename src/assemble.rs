//! From plan, run and diagnosis to the report.

use std::{borrow::Borrow, iter, time::Duration};

use jiff::{SignedDuration, Timestamp};

use crate::{
    catalog::model::Catalog,
    diagnosis::{
        Diagnosis,
        outcome::{Judgement, Outcome},
    },
    model::{
        Agent, Cause, DnsStage, EndpointReport, Finding, HelloStage, Overall, Prediction, Report, SCHEMA,
        SelectionReport, StageReports, Standing, Summary, TcpStage, TlsStage, VantageReport,
    },
    net::milliseconds,
    plan::{self, Plan},
    probe::{
        Run,
        trace::{Attempt, ServerReply, Trace},
    },
    vantage,
};

/// Facts about a run that do not concern a single endpoint.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunTiming {
    /// When it started.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration: Duration,
    /// Whether it was interrupted.
    pub interrupted: bool,
}

impl RunTiming {
    /// The facts of a run.
    pub(crate) fn of(run: &Run, started_at: Timestamp) -> Self {
        Self {
            started_at,
            duration: run.duration,
            interrupted: run.interrupted,
        }
    }
}

/// Puts everything about a run into one value; it only copies.
///
/// `traces` has one entry for each endpoint of the plan. If the caller passes ownership, each trace is freed once its
/// row is made, so that a large plan does not keep traces and report in memory together.
pub(crate) fn assemble(
    catalog: &Catalog,
    vantage: &vantage::Vantage,
    plan: &Plan,
    timing: RunTiming,
    traces: impl IntoIterator<Item = impl Borrow<Option<Trace>>>,
    diagnosis: Diagnosis,
    selection: SelectionReport,
) -> Report {
    let predictions = diagnosis.predictions.into_iter().chain(iter::repeat(None));
    let measured = plan.endpoints.iter().zip(traces).zip(diagnosis.judgements);
    let rows = measured
        .zip(predictions)
        .map(|(((endpoint, trace), judgement), predicted)| {
            row(endpoint, trace.borrow().as_ref(), judgement, predicted)
        });
    let mut endpoints = Vec::with_capacity(plan.endpoints.len());
    endpoints.extend(rows);
    let mut summary = Summary::of(&endpoints);
    let standing = if diagnosis.without_network {
        Some(Standing::NoNetwork)
    } else {
        vantage.standing
    };
    if standing == Some(Standing::NoNetwork) {
        summary.verdict = Overall::Incomplete;
    }
    // An incomplete run never counts as a pass.
    if timing.interrupted && summary.verdict == Overall::Reachable {
        summary.verdict = Overall::Incomplete;
    }
    Report {
        schema: SCHEMA.into(),
        agent: Agent {
            version: env!("CARGO_PKG_VERSION").into(),
            catalog_documented: Some(catalog.source.documented.clone()).filter(|date| !date.is_empty()),
            catalog_sha256: catalog.sha256.clone(),
            tier: catalog.tier,
        },
        started_at: timing.started_at,
        duration_ms: milliseconds(timing.duration),
        complete: !timing.interrupted,
        redacted: false,
        selection,
        exit: None,
        vantage: place(
            vantage,
            standing,
            &plan.control_name,
            diagnosis.clock_skew,
            diagnosis.refutation,
            diagnosis.notices,
        ),
        summary,
        findings: with_handover(diagnosis.findings, standing),
        endpoints,
    }
}

/// A machine without any route has nothing to ask another team for.
fn with_handover(mut findings: Vec<Finding>, standing: Option<Standing>) -> Vec<Finding> {
    if standing == Some(Standing::NoNetwork) {
        for finding in &mut findings {
            finding.handover = None;
        }
    }
    findings
}

fn place(
    vantage: &vantage::Vantage,
    standing: Option<Standing>,
    control_name: &str,
    skew: Option<SignedDuration>,
    refutation: Option<String>,
    seen: Vec<String>,
) -> VantageReport {
    let known = vantage.notices.iter().cloned();
    VantageReport {
        cloud: vantage.cloud,
        region: vantage.region.clone(),
        vnet: vantage.vnet,
        source: vantage.source,
        standing,
        metadata_failure: vantage.metadata_failure.clone(),
        instance_subnet: vantage.subnets.elsewhere().map(|subnet| subnet.id.clone()),
        host: vantage.host.clone(),
        addresses: vantage.addresses.clone(),
        subnet: vantage.subnet.clone(),
        clock_skew_ms: skew.map(|skew| skew.as_secs_f64() * 1_000.0),
        resolvers: vantage.name_servers.clone(),
        control_name: Some(control_name.to_owned()).filter(|name| !name.is_empty()),
        imports: vantage.imports.clone(),
        notices: refutation.into_iter().chain(known).chain(seen).collect(),
    }
}

fn row(
    endpoint: &plan::PlannedEndpoint,
    trace: Option<&Trace>,
    mut judgement: Judgement,
    predicted: Option<Prediction>,
) -> EndpointReport {
    judgement.evidence.shrink_to_fit();
    EndpointReport {
        id: endpoint.id.clone(),
        dependency: endpoint.dependency.clone(),
        title: endpoint.title.clone(),
        service_tag: endpoint.service_tag.clone(),
        need: endpoint.need,
        feature: endpoint.feature.clone(),
        host: endpoint.host.clone(),
        pattern: endpoint.pattern.clone(),
        port: endpoint.port,
        transport: endpoint.transport,
        protocol: endpoint.protocol,
        direction: endpoint.direction,
        source_tag: endpoint.source_tag.clone(),
        verdict: judgement.verdict,
        cause: judgement.cause,
        expect: endpoint.expect,
        as_expected: judgement.as_expected(endpoint.expect),
        duration_ms: trace.map(|trace| milliseconds(trace.duration)),
        flows: judgement.flows,
        stages: trace.map(|trace| stages(trace, &judgement)).unwrap_or_default(),
        detail: judgement.detail,
        evidence: judgement.evidence,
        predicted: predicted.map(Box::new),
        from_instance: None,
        elsewhere: None,
    }
}

fn stages(trace: &Trace, judgement: &Judgement) -> StageReports {
    let attempts = || trace.attempts.iter().zip(&judgement.outcomes);
    // The stages of the address that decided the verdict. If none did, as in an interrupted run, those of the first
    // address that got furthest.
    let decisive = judgement.decisive.and_then(|index| attempts().nth(index));
    let pick = |reached: fn(&Outcome) -> bool| {
        decisive
            .into_iter()
            .chain(attempts())
            .find(|(_, outcome)| reached(outcome))
    };
    StageReports {
        dns: dns(trace, judgement),
        tcp: connections(trace, judgement),
        tls: pick(|outcome| outcome.tls.is_some()).and_then(tls),
        hello: pick(|outcome| outcome.hello.is_some()).and_then(hello),
    }
}

fn dns(trace: &Trace, judgement: &Judgement) -> Option<DnsStage> {
    let name = trace.name.as_ref()?;
    let reply = name.decision();
    let answer = reply.and_then(|reply| reply.answer());
    let cause = match judgement.name {
        Some(Err(cause)) => Some(cause),
        _ => judgement
            .cause
            .filter(|cause| matches!(cause, Cause::DnsSinkhole | Cause::DnsPrivateAddress)),
    };
    Some(DnsStage {
        outcome: cause.into(),
        ms: milliseconds(name.duration),
        server: reply.map(|reply| reply.v4.server),
        rcode: answer.map(|answer| answer.rcode.clone()),
        cnames: answer.map(|answer| answer.cnames.clone()).unwrap_or_default(),
        addresses: reply.map(ServerReply::addresses).unwrap_or_default(),
    })
}

/// Every connection, in order of start.
fn connections(trace: &Trace, judgement: &Judgement) -> Vec<TcpStage> {
    let mut attempts: Vec<(&Attempt, &Outcome)> = trace.attempts.iter().zip(&judgement.outcomes).collect();
    attempts.sort_by_key(|(attempt, _)| attempt.started);
    let mut stages = Vec::with_capacity(attempts.len());
    stages.extend(attempts.into_iter().filter_map(tcp));
    stages
}

fn tcp((attempt, outcome): (&Attempt, &Outcome)) -> Option<TcpStage> {
    let (step, trace) = (outcome.tcp?, attempt.connection()?);
    Some(TcpStage {
        address: attempt.address.ip(),
        source: trace.source,
        outcome: step.err().into(),
        ms: milliseconds(trace.duration),
        mss: attempt.counted.map(|counted| counted.segment),
        rtt_ms: attempt.counted.and_then(|counted| counted.round_trip).map(milliseconds),
        retransmitted: attempt.counted.map(|counted| counted.retransmitted),
    })
}

fn tls((attempt, outcome): (&Attempt, &Outcome)) -> Option<TlsStage> {
    let (step, trace) = (outcome.tls?, attempt.tls.as_ref()?);
    let chain = trace.chain.as_ref();
    Some(TlsStage {
        outcome: step.err().into(),
        ms: milliseconds(trace.duration),
        address: attempt.address.ip(),
        version: trace.version.map(str::to_string),
        cipher: trace.cipher.map(str::to_string),
        subject: chain.map(|chain| chain.subject.clone()),
        issuer: chain.map(|chain| chain.issuer.clone()),
        not_after: chain.and_then(|chain| chain.not_after),
        chain_not_after: chain.and_then(|chain| chain.first_end),
    })
}

fn hello((attempt, outcome): (&Attempt, &Outcome)) -> Option<HelloStage> {
    let step = outcome.hello?;
    let conversation = attempt
        .hello
        .as_ref()
        .or(attempt.prelude.as_ref())
        .map(|hello| hello.duration);
    let duration = conversation
        .or(attempt.dns.as_ref().map(|exchange| exchange.duration))
        .or(attempt.ntp.as_ref().map(|exchange| exchange.duration))?;
    Some(HelloStage {
        outcome: step.err().into(),
        ms: milliseconds(duration),
        address: attempt.address.ip(),
        proof: outcome.proof.clone(),
    })
}
