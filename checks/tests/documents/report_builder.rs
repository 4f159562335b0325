//! Reports made by hand, of runs with few results.

use apim_probe::{
    azure::Cloud,
    model::{
        Agent, Cause, Confidence, EndpointReport, Expect, Finding, FindingKind, Fix, Report, SCHEMA, SelectionReport,
        StageReports, Summary, Suspect, TcpStage, VantageReport, VantageSource, Verdict,
    },
    plan::Plan,
};

/// The result for the endpoints whose id begins like this: verdict, cause, address.
pub(crate) type SeenEndpoint = (&'static str, Verdict, Option<Cause>, &'static str);

/// The report of a run with only these results; the blocked ones share a finding.
pub(crate) fn report(plan: &Plan, seen: &[SeenEndpoint]) -> Report {
    let endpoints: Vec<EndpointReport> = plan
        .endpoints
        .iter()
        .map(|planned| {
            let seen = seen.iter().find(|(start, ..)| planned.id.starts_with(start));
            let (verdict, cause) = seen.map_or(
                (
                    Verdict::NotTested,
                    planned.untested.as_ref().map(|untested| untested.cause),
                ),
                |(_, verdict, cause, _)| (*verdict, *cause),
            );
            let tcp = seen
                .filter(|(.., address)| !address.is_empty())
                .map(|(.., address)| TcpStage {
                    address: address.parse().unwrap(),
                    outcome: cause.into(),
                    ms: 1.0,
                    source: None,
                    mss: None,
                    rtt_ms: None,
                    retransmitted: None,
                });
            EndpointReport {
                id: planned.id.clone(),
                dependency: planned.dependency.clone(),
                title: planned.title.clone(),
                service_tag: planned.service_tag.clone(),
                need: planned.need,
                feature: planned.feature.clone(),
                host: planned.host.clone(),
                pattern: planned.pattern.clone(),
                port: planned.port,
                transport: planned.transport,
                protocol: planned.protocol,
                direction: planned.direction,
                source_tag: planned.source_tag.clone(),
                verdict,
                cause,
                detail: "seen".into(),
                evidence: vec!["measured".into()],
                expect: Expect::Reachable,
                as_expected: match verdict {
                    Verdict::NotTested | Verdict::Unproven => None,
                    verdict => Some(verdict.is_proved()),
                },
                duration_ms: None,
                flows: None,
                stages: StageReports {
                    tcp: tcp.into_iter().collect(),
                    ..StageReports::default()
                },
                predicted: None,
                from_instance: None,
                elsewhere: None,
            }
        })
        .collect();
    Report {
        schema: SCHEMA.into(),
        agent: Agent {
            version: "0".into(),
            catalog_documented: None,
            catalog_sha256: String::new(),
            tier: apim_probe::model::Tier::default(),
        },
        started_at: "2026-11-21T20:00:00Z".parse().unwrap(),
        duration_ms: 1.0,
        complete: true,
        redacted: false,
        vantage: VantageReport {
            clock_skew_ms: None,
            imports: Vec::new(),
            subnet: None,
            cloud: Cloud::Public,
            region: Some("westeurope".into()),
            vnet: None,
            source: VantageSource::Flags,
            standing: None,
            metadata_failure: None,
            instance_subnet: None,
            host: None,
            addresses: vec!["10.1.2.7".parse().unwrap()],
            resolvers: Vec::new(),
            control_name: None,
            notices: Vec::new(),
        },
        selection: SelectionReport::default(),
        exit: None,
        summary: Summary::of(&endpoints),
        findings: finding(&endpoints).into_iter().collect(),
        endpoints,
    }
}

fn finding(endpoints: &[EndpointReport]) -> Option<Finding> {
    let blocked: Vec<&EndpointReport> = endpoints
        .iter()
        .filter(|endpoint| endpoint.verdict == Verdict::Blocked)
        .collect();
    blocked.first().map(|first| Finding {
        id: format!("silence/{}", first.dependency),
        kind: Some(FindingKind::Silence),
        cause: first.cause,
        title: "something is blocked".into(),
        confidence: Confidence::High,
        need: Some(first.need),
        stops_activation: false,
        docs: None,
        endpoints: blocked.iter().map(|endpoint| endpoint.id.clone()).collect(),
        evidence: vec!["measured".into()],
        path: None,
        suspects: vec![
            Suspect::Nsg,
            Suspect::FirewallNetworkRule,
            Suspect::Udr,
            Suspect::NoOutbound,
        ],
        impact: "…".into(),
        fix: Fix::new("Allow it."),
        handover: None,
    })
}
