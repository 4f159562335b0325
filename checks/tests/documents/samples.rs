//! Reports made by hand, as runs in simulated networks would create them.

use std::net::IpAddr;

use apim_probe::{
    azure::{Cloud, PLATFORM_DNS},
    model::{
        Agent, Cause, Confidence, Direction, DnsStage, EndpointReport, Expect, Finding, FindingKind, Fix, Handover,
        HelloStage, Hop, HopDoes, Need, Owner, Path, Placeholder, Protocol, Query, QueryLanguage, QueryTarget, Report,
        Request, SCHEMA, SeenFlow, SelectionReport, StageOutcome, StageReports, Summary, Suspect, TcpStage, TlsStage,
        Transport, VantageReport, VantageSource, Verdict,
    },
};

use jiff::Timestamp;

/// A dependency that endpoints are made from.
#[derive(Clone, Copy)]
pub(crate) struct SampleDependency {
    id: &'static str,
    title: &'static str,
    need: Need,
    tag: Option<&'static str>,
    feature: Option<&'static str>,
}

const fn dependency(id: &'static str, title: &'static str, need: Need, tag: &'static str) -> SampleDependency {
    SampleDependency {
        id,
        title,
        need,
        tag: Some(tag),
        feature: None,
    }
}

pub(crate) const DNS: SampleDependency = SampleDependency {
    tag: None,
    ..dependency("dns", "Name servers", Need::Required, "")
};
pub(crate) const STORAGE: SampleDependency = dependency("storage", "Azure Storage", Need::Required, "Storage");
pub(crate) const SQL: SampleDependency = dependency("sql", "Azure SQL", Need::Required, "Sql");
pub(crate) const KEY_VAULT: SampleDependency =
    dependency("key-vault", "Azure Key Vault", Need::Required, "AzureKeyVault");
pub(crate) const ENTRA: SampleDependency =
    dependency("entra", "Microsoft Entra ID", Need::Required, "AzureActiveDirectory");
pub(crate) const MONITOR: SampleDependency = dependency(
    "monitor",
    "Azure Monitor metrics and health",
    Need::Required,
    "AzureMonitor",
);
pub(crate) const REVOCATION: SampleDependency =
    dependency("revocation", "Certificate revocation", Need::Required, "Internet");
pub(crate) const MANAGEMENT: SampleDependency =
    dependency("management", "Management endpoint", Need::Required, "ApiManagement");
pub(crate) const EVENT_HUBS: SampleDependency = SampleDependency {
    feature: Some("the log-to-eventhub policy"),
    ..dependency("event-hubs", "Azure Event Hubs", Need::Feature, "EventHub")
};
pub(crate) const CAPTCHA: SampleDependency = SampleDependency {
    feature: Some("CAPTCHA in the developer portal"),
    ..dependency("captcha", "Developer portal CAPTCHA", Need::Feature, "Internet")
};
pub(crate) const KMS: SampleDependency = SampleDependency {
    feature: Some("Windows activation"),
    ..dependency("kms", "Windows activation", Need::Feature, "Internet")
};
pub(crate) const EGRESS: SampleDependency =
    dependency("egress", "Traffic that must not get out", Need::Feature, "Internet");

impl SampleDependency {
    fn documented(self) -> Self {
        Self {
            need: Need::Documented,
            ..self
        }
    }

    /// A reachable endpoint.
    pub(crate) fn at(self, host: &str, port: u16, protocol: Protocol) -> EndpointReport {
        let udp = matches!(protocol, Protocol::Dns | Protocol::Ntp);
        let address = IpAddr::from([20, 60, 1, 4]);
        let stages = StageReports {
            dns: Some(DnsStage {
                outcome: StageOutcome::Ok,
                ms: 3.12,
                server: Some(PLATFORM_DNS),
                rcode: Some("NOERROR".into()),
                cnames: vec![],
                addresses: vec![address],
            }),
            tcp: vec![TcpStage {
                address,
                outcome: StageOutcome::Ok,
                ms: 8.26,
                source: None,
                mss: None,
                rtt_ms: None,
                retransmitted: None,
            }],
            tls: matches!(
                protocol,
                Protocol::Https | Protocol::Tls | Protocol::Tds | Protocol::Amqps
            )
            .then(|| TlsStage {
                outcome: StageOutcome::Ok,
                ms: 17.5,
                address,
                version: Some("TLSv1.3".into()),
                cipher: Some("TLS13_AES_256_GCM_SHA384".into()),
                subject: Some(format!("CN={host}")),
                issuer: Some("CN=Microsoft Azure RSA TLS Issuing CA 03".into()),
                not_after: Some("2027-03-01T00:00:00Z".parse().unwrap()),
                chain_not_after: Some("2027-03-01T00:00:00Z".parse().unwrap()),
            }),
            hello: (protocol == Protocol::Https).then(|| HelloStage {
                outcome: StageOutcome::Ok,
                ms: 4.0,
                address,
                proof: Some("HTTP 400 behind a verified handshake".into()),
            }),
        };
        EndpointReport {
            id: format!("{}/{host}:{port}{}", self.id, if udp { "/udp" } else { "" }),
            dependency: self.id.into(),
            title: self.title.into(),
            service_tag: self.tag.map(Into::into),
            need: self.need,
            feature: self.feature.map(Into::into),
            host: host.into(),
            pattern: None,
            port,
            transport: if udp { Transport::Udp } else { Transport::Tcp },
            protocol,
            direction: Direction::Outbound,
            source_tag: None,
            verdict: Verdict::Reachable,
            cause: None,
            detail: "The service proved itself.".into(),
            evidence: vec![],
            expect: Expect::Reachable,
            as_expected: Some(true),
            duration_ms: Some(33.04),
            flows: None,
            stages,
            predicted: None,
            from_instance: None,
            elsewhere: None,
        }
    }
}

/// The result for an endpoint.
pub(crate) trait WithVerdict: Sized {
    fn with_verdict(self, verdict: Verdict, cause: impl Into<Option<Cause>>, detail: &str) -> Self;
    fn blocked(self, cause: Cause, detail: &str) -> Self;
    fn untested(self, cause: Cause, detail: &str) -> Self;
    fn must_be_blocked(self) -> Self;
}

impl WithVerdict for EndpointReport {
    fn with_verdict(mut self, verdict: Verdict, cause: impl Into<Option<Cause>>, detail: &str) -> Self {
        self.verdict = verdict;
        self.cause = cause.into();
        detail.clone_into(&mut self.detail);
        self.as_expected = match verdict {
            Verdict::Reachable | Verdict::Degraded => Some(self.expect == Expect::Reachable),
            Verdict::Blocked => Some(self.expect == Expect::Blocked && self.stages.dns.is_some()),
            Verdict::Unproven | Verdict::NotTested => None,
        };
        self
    }

    fn blocked(mut self, cause: Cause, detail: &str) -> Self {
        let word = cause.as_str();
        let failed_dns = word.starts_with("dns-");
        self.stages.hello = None;
        if !word.starts_with("tls-") {
            self.stages.tls = None;
        }
        if let Some(tls) = &mut self.stages.tls {
            *tls = TlsStage {
                outcome: StageOutcome::Failed(cause),
                ms: tls.ms,
                address: tls.address,
                version: None,
                cipher: None,
                subject: None,
                issuer: None,
                not_after: None,
                chain_not_after: None,
            };
        }
        if failed_dns {
            self.stages.tcp.clear();
            if let Some(dns) = &mut self.stages.dns {
                dns.outcome = StageOutcome::Failed(cause);
                dns.rcode = Some("NXDOMAIN".into());
                dns.addresses.clear();
            }
        } else if word.starts_with("tcp-") {
            for tcp in &mut self.stages.tcp {
                tcp.outcome = StageOutcome::Failed(cause);
                tcp.ms = 5_000.41;
            }
        }
        self.with_verdict(Verdict::Blocked, cause, detail)
    }

    fn untested(mut self, cause: Cause, detail: &str) -> Self {
        self.stages = StageReports::default();
        self.duration_ms = None;
        self.with_verdict(Verdict::NotTested, cause, detail)
    }

    fn must_be_blocked(mut self) -> Self {
        self.expect = Expect::Blocked;
        let (verdict, cause, detail) = (self.verdict, self.cause, self.detail.clone());
        self.with_verdict(verdict, cause, &detail)
    }
}

pub(crate) fn report(endpoints: Vec<EndpointReport>, findings: Vec<Finding>) -> Report {
    Report {
        schema: SCHEMA.into(),
        agent: Agent {
            version: "0.1.0".into(),
            catalog_documented: Some("2026-04-30".into()),
            catalog_sha256: "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".into(),
            tier: apim_probe::model::Tier::default(),
        },
        started_at: "2026-11-21T20:00:00.0001Z".parse().unwrap(),
        duration_ms: 2_310.44,
        complete: true,
        redacted: false,
        vantage: VantageReport {
            cloud: Cloud::Public,
            region: Some("westeurope".into()),
            vnet: None,
            source: VantageSource::Metadata,
            standing: None,
            metadata_failure: None,
            instance_subnet: None,
            host: Some("vm-probe-1".into()),
            addresses: vec![IpAddr::from([10, 1, 0, 4])],
            subnet: None,
            clock_skew_ms: None,
            resolvers: vec![PLATFORM_DNS],
            control_name: Some("login.microsoftonline.com".into()),
            imports: vec![],
            notices: vec![],
        },
        selection: SelectionReport::default(),
        exit: None,
        summary: Summary::of(&endpoints),
        findings,
        endpoints,
    }
}

pub(crate) fn finding(
    (kind, cause): (FindingKind, Cause),
    scope: &str,
    title: &str,
    confidence: Confidence,
    endpoints: &[&EndpointReport],
) -> Finding {
    Finding {
        id: format!("{kind}/{scope}"),
        kind: Some(kind),
        cause: Some(cause),
        title: title.into(),
        confidence,
        need: endpoints.iter().map(|e| e.need).min(),
        stops_activation: false,
        docs: Some(kind.docs().into()),
        endpoints: endpoints.iter().map(|e| e.id.clone()).collect(),
        evidence: vec![],
        path: None,
        suspects: vec![],
        impact: String::new(),
        fix: Fix::default(),
        handover: None,
    }
}

/// The hand-over of a finding about one host.
fn handover(endpoint: &EndpointReport, owners: &[Owner], allow: &str) -> Handover {
    let at: Timestamp = "2026-11-21T20:00:00.25Z".parse().unwrap();
    let query = |target, language, title: &str, text: String| Query {
        target,
        language,
        title: title.into(),
        text,
    };
    let host = &endpoint.host;
    Handover {
        from: at,
        to: "2026-11-21T20:00:05.251Z".parse().unwrap(),
        flows: [50_112, 50_113]
            .map(|port| SeenFlow {
                source: Some((IpAddr::from([10, 1, 0, 4]), port).into()),
                destination: (IpAddr::from([20, 60, 1, 4]), endpoint.port).into(),
                host: host.clone(),
                transport: endpoint.transport,
                at,
                cause: endpoint.cause,
            })
            .into(),
        more: 3,
        queries: vec![
            query(
                QueryTarget::AzureFirewall,
                QueryLanguage::Kql,
                "Azure Firewall, application rules",
                format!("AZFWApplicationRule\n| where Fqdn in~ ({host:?})"),
            ),
            query(
                QueryTarget::FlowLogs,
                QueryLanguage::Kql,
                "Virtual network flow logs",
                format!("NTANetAnalytics\n| where DestPort in ({})", endpoint.port),
            ),
            query(
                QueryTarget::Nva,
                QueryLanguage::Text,
                "Any other appliance, five-tuple",
                "tcp src 10.1.0.4 sport 50112,50113 dst 20.60.1.4".into(),
            ),
        ],
        owners: owners
            .iter()
            .map(|owner| Request {
                owner: *owner,
                need: endpoint.need,
                stops_activation: false,
                impact: "activation fails".into(),
                allow: vec![allow.into()],
                change: vec![format!("az network change --name {host:?}")],
                undo: vec![Some("az network undo".into())],
                placeholders: vec![Placeholder {
                    name: "RG".into(),
                    meaning: "the resource group".into(),
                }],
                reproduce: vec![format!("curl -v -m 5 telnet://20.60.1.4:{}", endpoint.port)],
            })
            .collect(),
    }
}

/// Every documented endpoint of a small instance, all reachable.
pub(crate) fn healthy() -> Vec<EndpointReport> {
    let https = Protocol::Https;
    let mut endpoints = vec![DNS.at("168.63.129.16", 53, Protocol::Dns)];
    for kind in ["blob", "table"] {
        endpoints.push(STORAGE.at(&format!("apimstx7k2m4qn8dvw3.{kind}.core.windows.net"), 443, https));
    }
    endpoints.push(SQL.at("apirpsqlfi6mahlotrqv5mnk.database.windows.net", 1433, Protocol::Tds));
    endpoints.push(KEY_VAULT.at("apikv-x7k2m4qn8dvw3.vault.azure.net", 443, https));
    endpoints.push(ENTRA.at("login.microsoftonline.com", 443, https));
    endpoints.push(ENTRA.at("westeurope.login.microsoft.com", 443, https));
    for name in ["global", "shoebox2", "shoebox2-red", "shoebox2-black"] {
        endpoints.push(MONITOR.at(&format!("{name}.prod.microsoftmetrics.com"), 443, Protocol::Tls));
    }
    for name in ["prod3", "prod3-red", "prod3-black"] {
        endpoints.push(MONITOR.at(&format!("{name}.prod.microsoftmetrics.com"), 1886, Protocol::Tls));
    }
    for host in [
        "crl.microsoft.com",
        "mscrl.microsoft.com",
        "oneocsp.microsoft.com",
        "crl3.digicert.com",
    ] {
        endpoints.push(REVOCATION.at(host, 80, Protocol::Http));
        endpoints.push(REVOCATION.documented().at(host, 443, Protocol::Tls));
    }
    let hub = "apimeh4.servicebus.windows.net";
    endpoints.push(EVENT_HUBS.at(hub, 5671, Protocol::Amqps));
    endpoints.push(EVENT_HUBS.at(hub, 5672, Protocol::Amqp));
    endpoints.push(EVENT_HUBS.at(hub, 443, https));
    endpoints.push(CAPTCHA.at("partner.prod.repmap.microsoft.com", 443, https));
    endpoints.push(KMS.at("azkms.core.windows.net", 1688, Protocol::Kms));
    endpoints.push(
        MANAGEMENT
            .at("*", 3443, Protocol::Tcp)
            .untested(Cause::NotOutbound, "Inbound from ApiManagement."),
    );
    endpoints
}

fn replace(endpoints: &mut [EndpointReport], id_part: &str, with: impl Fn(EndpointReport) -> EndpointReport) {
    let mut hits = 0;
    for endpoint in endpoints.iter_mut().filter(|e| e.id.contains(id_part)) {
        *endpoint = with(endpoint.clone());
        hits += 1;
    }
    assert!(hits > 0, "no endpoint has {id_part} in its id");
}

fn matching<'a>(endpoints: &'a [EndpointReport], id_part: &str) -> Vec<&'a EndpointReport> {
    endpoints
        .iter()
        .filter(|e| e.id.contains(id_part) && e.need != Need::Documented)
        .collect()
}

pub(crate) fn all_healthy() -> Report {
    report(healthy(), vec![])
}

/// A firewall with one fault of each kind.
#[expect(clippy::too_many_lines, reason = "one network, told in one piece")]
pub(crate) fn broken_firewall() -> Report {
    let mut endpoints = healthy();
    replace(&mut endpoints, "sql/", |e| {
        let mut e = e.blocked(Cause::TcpTimeout, "No reply to 5 SYNs in 5.0 s.");
        e.evidence = vec!["20.60.1.4: no reply to 5 SYNs in 5.0 s".into()];
        e
    });
    for port in ["5671", "5672"] {
        replace(&mut endpoints, port, |e| {
            e.blocked(
                Cause::TcpUnreachable,
                "10.1.0.1 answered with an ICMP error: administratively prohibited.",
            )
        });
    }
    replace(&mut endpoints, "revocation/", |e| {
        if e.need == Need::Documented {
            return e.with_verdict(
                Verdict::Unproven,
                Cause::TlsWrongName,
                "The certificate is for *.azureedge.net.",
            );
        }
        e.blocked(
            Cause::HttpDenied,
            "A firewall answered: HTTP 470, \"Action: Deny. Reason: No rule matched.\"",
        )
    });
    replace(&mut endpoints, "shoebox2-red", |e| {
        e.blocked(Cause::TlsReset, "Reset 3 ms after the ClientHello.")
    });
    replace(&mut endpoints, "westeurope.login", |e| {
        e.blocked(Cause::DnsNxdomain, "The name does not exist.")
    });
    replace(&mut endpoints, "table", |mut e| {
        e.stages.tcp.push(TcpStage {
            address: IpAddr::from([20, 60, 1, 9]),
            outcome: StageOutcome::Failed(Cause::TcpTimeout),
            ms: 5_000.41,
            source: None,
            mss: None,
            rtt_ms: None,
            retransmitted: None,
        });
        e.with_verdict(
            Verdict::Degraded,
            Cause::TcpTimeout,
            "1 of 2 addresses does not answer: 20.60.1.9.",
        )
    });

    let sql = Finding {
        evidence: vec![
            "No reply to 5 SYNs in 5.0 s.".into(),
            "12 hosts answer on TCP 443, so only this port is affected.".into(),
        ],
        path: Some(Path {
            endpoint: "sql/apirpsqlx7k2m4qn8dvw3.database.windows.net:1433".into(),
            from: Some("10.1.0.4".into()),
            to: "20.61.99.192:1433".into(),
            label: "Sql 1433".into(),
            hops: vec![Hop {
                hop: 1,
                does: HopDoes::Forwards,
                address: Some("10.1.9.4".into()),
                icmp_type: Some(11),
                icmp_code: Some(0),
                rtt_ms: Some(0.8),
            }],
        }),
        suspects: vec![Suspect::Nsg, Suspect::FirewallNetworkRule],
        impact: "the instance keeps its configuration here; activation and every management operation fail".into(),
        fix: Fix::new("Allow TCP 1433 outbound to the service tag Sql.WestEurope.").change([(
            "az network nsg rule create --resource-group RG --nsg-name NSG --name AllowSql --priority 200 \
                 --direction Outbound --access Allow --protocol Tcp --source-address-prefixes VirtualNetwork \
                 --destination-address-prefixes Sql.WestEurope --destination-port-ranges 1433",
            Some("az network nsg rule delete --resource-group RG --nsg-name NSG --name AllowSql".to_owned()),
        )]).verify(["az rest --method post --url \"https://management.azure.com/subscriptions/SUB/resourceGroups/RG/providers/\
                 Microsoft.ApiManagement/service/NAME/connectivityCheck?api-version=2024-05-01\" --body \
                 '{\"source\":{\"region\":\"westeurope\"},\"destination\":{\"address\":\
                 \"apirpsqlfi6mahlotrqv5mnk.database.windows.net\",\"port\":1433},\"protocol\":\"TCP\"}'",
        ]),
        stops_activation: true,
        handover: Some(handover(
            matching(&endpoints, "sql/")[0],
            &[Owner::NsgAndRoutes, Owner::Firewall],
            "TCP 1433 to Sql.WestEurope",
        )),
        ..finding(
            (FindingKind::Silence, Cause::TcpTimeout),
            "sql",
            "Azure SQL: TCP 1433 gets no reply (dropped)",
            Confidence::Certain,
            &matching(&endpoints, "sql/"),
        )
    };
    let revocation = Finding {
        evidence: vec![
            "4 hosts answer HTTP 470: \"Action: Deny. Reason: No rule matched. Proceeding with default action.\""
                .into(),
        ],
        suspects: vec![Suspect::FirewallApplicationRule],
        impact: "certificates cannot be validated; TLS to backends and the gateway's own certificates fail".into(),
        fix: Fix::new(
            "Add an application rule for HTTP:80 to crl.microsoft.com, mscrl.microsoft.com, \
                      oneocsp.microsoft.com and crl3.digicert.com.",
        ),
        ..finding(
            (FindingKind::DenyPage, Cause::HttpDenied),
            "revocation",
            "Certificate revocation: an Azure Firewall denies HTTP on port 80",
            Confidence::Certain,
            &matching(&endpoints, "revocation/"),
        )
    };
    let monitor = Finding {
        evidence: vec!["Reset 3 ms after the ClientHello; another planned name to the same address is served.".into()],
        suspects: vec![Suspect::FirewallApplicationRule, Suspect::Nva],
        impact: "metrics and resource health of the instance are lost".into(),
        fix: Fix::new("Allow shoebox2-red.prod.microsoftmetrics.com on 443."),
        handover: Some(handover(
            matching(&endpoints, "shoebox2-red")[0],
            &[Owner::Firewall],
            "https:443 to shoebox2-red.prod.microsoftmetrics.com",
        )),
        ..finding(
            (FindingKind::NameFilter, Cause::TlsReset),
            "shoebox2-red.prod.microsoftmetrics.com",
            "Azure Monitor: shoebox2-red.prod.microsoftmetrics.com is filtered by name",
            Confidence::High,
            &matching(&endpoints, "shoebox2-red"),
        )
    };
    let entra = Finding {
        evidence: vec!["168.63.129.16 answers NXDOMAIN with the SOA of azureprivatedns.net.".into()],
        suspects: vec![Suspect::PrivateDnsZone],
        impact: "managed identities and Key Vault access through the regional login fail".into(),
        fix: Fix::new("Add the record to the private zone, or unlink the zone."),
        ..finding(
            (FindingKind::PrivateZone, Cause::DnsNxdomain),
            "westeurope.login.microsoft.com",
            "westeurope.login.microsoft.com is hidden by a private DNS zone",
            Confidence::Certain,
            &matching(&endpoints, "westeurope.login"),
        )
    };
    let hubs = Finding {
        evidence: vec!["10.1.0.1 answers with ICMP: administratively prohibited.".into()],
        suspects: vec![Suspect::Nva, Suspect::Udr],
        impact: "the log-to-eventhub policy drops events".into(),
        fix: Fix::new("Allow TCP 5671 and 5672 to the service tag EventHub.WestEurope."),
        ..finding(
            (FindingKind::IcmpRefusal, Cause::TcpUnreachable),
            "event-hubs",
            "Azure Event Hubs: the router 10.1.0.1 refuses AMQP",
            Confidence::Certain,
            &matching(&endpoints, "event-hubs/")
                .into_iter()
                .filter(|e| e.port != 443)
                .collect::<Vec<_>>(),
        )
    };
    let mut report = report(endpoints, vec![sql, revocation, entra, monitor, hubs]);
    report.vantage.notices = vec!["HTTPS_PROXY is set and was ignored: the instance has no proxy.".into()];
    report.duration_ms = 5_012.7;
    report
}

/// Sixty endpoints that do not answer.
pub(crate) fn all_silent() -> Report {
    let mut endpoints = healthy();
    for n in 1..=34 {
        endpoints.push(MONITOR.at(&format!("metrichost{n}.prod.microsoftmetrics.com"), 443, Protocol::Tls));
    }
    let endpoints: Vec<EndpointReport> = endpoints
        .into_iter()
        .map(|e| {
            if e.verdict == Verdict::NotTested || e.dependency == "dns" {
                e
            } else {
                e.blocked(Cause::TcpTimeout, "No reply to 5 SYNs in 5.0 s.")
            }
        })
        .collect();
    let counting: Vec<&EndpointReport> = endpoints
        .iter()
        .filter(|e| e.verdict == Verdict::Blocked && e.need != Need::Documented)
        .collect();
    let finding = Finding {
        evidence: vec![
            "Nothing outside the virtual network answers on any port, and 168.63.129.16 does.".into(),
            "The address of this VM is private and its subnet has no NAT gateway.".into(),
        ],
        suspects: vec![Suspect::NoOutbound, Suspect::Udr, Suspect::Nsg],
        impact: "nothing can be said about the instance from here: it has its own outbound access".into(),
        fix: Fix::new(
            "Give the subnet a NAT gateway, or the VM a public address, and run again. \
                      If 0.0.0.0/0 goes to an appliance, check that the appliance is up.",
        ),
        ..finding(
            (FindingKind::NoOutbound, Cause::TcpTimeout),
            "everything",
            "This VM has no outbound access",
            Confidence::High,
            &counting,
        )
    };
    report(endpoints, vec![finding])
}

/// The instance was not given.
pub(crate) fn nothing_tested() -> Report {
    let nameless = |of: SampleDependency, host: &str, port, protocol| {
        of.at(host, port, protocol)
            .untested(Cause::NeedsValue, "The name is not known.")
    };
    let https = Protocol::Https;
    report(
        vec![
            nameless(DNS, "{name_server}", 53, Protocol::Dns),
            nameless(STORAGE, "{storage_account}.blob.core.windows.net", 443, https),
            nameless(STORAGE, "{storage_account}.table.core.windows.net", 443, https),
            nameless(SQL, "gateways-{region}", 1433, Protocol::Tds),
            nameless(KEY_VAULT, "{key_vault}.vault.azure.net", 443, https),
            nameless(
                EVENT_HUBS,
                "{event_hub_namespace}.servicebus.windows.net",
                5671,
                Protocol::Amqps,
            ),
            CAPTCHA
                .at("*.captcha.example", 443, https)
                .untested(Cause::Wildcard, "No host under it is known."),
            REVOCATION
                .at("ocsp.msocsp.com", 80, Protocol::Http)
                .untested(Cause::Retired, "Retired."),
            MANAGEMENT
                .at("*", 3443, Protocol::Tcp)
                .untested(Cause::NotOutbound, "Inbound."),
            KMS.at("azkms.core.windows.net", 1688, Protocol::Kms)
                .untested(Cause::Skipped, "Left out by --skip."),
        ],
        vec![],
    )
}

/// Names are missing, the rest works.
pub(crate) fn names_missing() -> Report {
    let mut endpoints = healthy();
    replace(&mut endpoints, "storage/", |e| {
        let kind = if e.host.contains("blob") { "blob" } else { "table" };
        STORAGE
            .at(
                &format!("{{storage_account}}.{kind}.core.windows.net"),
                443,
                Protocol::Https,
            )
            .untested(Cause::NeedsValue, "The name of the storage account is not known.")
    });
    replace(&mut endpoints, "key-vault/", |_| {
        KEY_VAULT
            .at("{key_vault}.vault.azure.net", 443, Protocol::Https)
            .untested(Cause::NeedsValue, "The name of the key vault is not known.")
    });
    report(endpoints, vec![])
}

/// Ctrl-C before the first timeouts.
pub(crate) fn interrupted() -> Report {
    let mut endpoints = healthy();
    for endpoint in endpoints.iter_mut().skip(9) {
        *endpoint = endpoint.clone().untested(Cause::Deadline, "Interrupted.");
    }
    let mut report = report(endpoints, vec![]);
    report.complete = false;
    report.duration_ms = 812.0;
    report
}

/// Half of a name's addresses are dead, and a port answers without identifying itself.
pub(crate) fn doubtful() -> Report {
    let mut endpoints = healthy();
    replace(&mut endpoints, "sql/", |mut e| {
        e.stages.tcp = ["20.60.1.4", "20.60.1.5", "20.60.1.6", "20.60.1.7"]
            .iter()
            .enumerate()
            .map(|(n, address)| TcpStage {
                address: address.parse().unwrap(),
                outcome: (n >= 2).then_some(Cause::TcpTimeout).into(),
                ms: if n < 2 { 8.26 } else { 5_000.41 },
                source: None,
                mss: None,
                rtt_ms: None,
                retransmitted: None,
            })
            .collect();
        e.with_verdict(
            Verdict::Degraded,
            Cause::TcpTimeout,
            "2 of 4 addresses do not answer: 20.60.1.6, 20.60.1.7.",
        )
    });
    replace(&mut endpoints, "mscrl.microsoft.com:80", |e| {
        e.with_verdict(
            Verdict::Unproven,
            Cause::HelloUnexpected,
            "HTTP 503 instead of a revocation list.",
        )
    });
    report(endpoints, vec![])
}

/// Negative tests: one passes, one fails, one is undecided.
pub(crate) fn must_be_blocked() -> Report {
    let https = Protocol::Https;
    let mut endpoints = healthy();
    endpoints.push(
        EGRESS
            .at("example.com", 443, https)
            .blocked(Cause::TcpTimeout, "No reply to 5 SYNs in 5.0 s.")
            .must_be_blocked(),
    );
    endpoints.push(EGRESS.at("example.net", 443, https).must_be_blocked());
    let unproven = EGRESS.at("example.org", 8080, Protocol::Tcp);
    endpoints.push(
        unproven
            .with_verdict(Verdict::Unproven, None, "The connection was accepted.")
            .must_be_blocked(),
    );
    report(endpoints, vec![])
}

/// Only endpoints that need not answer.
pub(crate) fn documented_only() -> Report {
    let endpoint = REVOCATION.documented().at("csp.digicert.com", 80, Protocol::Http);
    report(
        vec![endpoint.untested(Cause::Retired, "No server knows the name.")],
        vec![],
    )
}

/// Everything that a hostile network can put into a report.
pub(crate) fn hostile() -> Report {
    let nasty = "\u{1b}]0;owned\u{7}\u{1b}[2J\r\n\u{9b}31m\u{202e}<script>alert(1)</script>\0\u{2028}=cmd|'/c calc'!A1,\"x\";`|*_[a](javascript:b)";
    let mut endpoint = SQL
        .at("evil.example", 1433, Protocol::Tds)
        .blocked(Cause::HttpDenied, nasty);
    endpoint.evidence = vec![nasty.into(), nasty.repeat(20)];
    for text in [
        &mut endpoint.id,
        &mut endpoint.host,
        &mut endpoint.title,
        &mut endpoint.dependency,
    ] {
        text.push_str(nasty);
    }
    endpoint.pattern = Some(nasty.into());
    endpoint.feature = Some(nasty.into());
    endpoint.service_tag = Some(nasty.into());
    endpoint.source_tag = Some(nasty.into());
    if let Some(dns) = &mut endpoint.stages.dns {
        dns.cnames = vec![nasty.into()];
    }
    endpoint.stages.tls = Some(TlsStage {
        outcome: StageOutcome::Failed(Cause::HttpDenied),
        ms: 1.0,
        address: IpAddr::from([20, 60, 1, 4]),
        version: Some(nasty.into()),
        cipher: Some(nasty.into()),
        subject: Some(nasty.into()),
        issuer: Some(nasty.into()),
        not_after: None,
        chain_not_after: None,
    });
    endpoint.stages.hello = Some(HelloStage {
        outcome: StageOutcome::Failed(Cause::HttpDenied),
        ms: 1.0,
        address: IpAddr::from([20, 60, 1, 4]),
        proof: Some(nasty.into()),
    });
    let mut unproven = STORAGE
        .at("{evil}", 443, Protocol::Https)
        .with_verdict(Verdict::Unproven, None, nasty);
    unproven.id.push_str(nasty);
    let mut noted = KMS.documented().at("kms.example", 1688, Protocol::Kms);
    noted = noted.with_verdict(Verdict::Unproven, Cause::HelloUnexpected, nasty);
    noted.id.push_str(nasty);
    let untested = ENTRA
        .at(&format!("{{{nasty}}}"), 443, Protocol::Https)
        .untested(Cause::NeedsValue, nasty);
    let faulty = KEY_VAULT
        .at("vault", 443, Protocol::Https)
        .untested(Cause::LocalFault, nasty);
    let finding = Finding {
        handover: Some(handover(&endpoint, &Owner::ALL, nasty)),
        evidence: vec![nasty.into(); 3],
        suspects: vec![Suspect::Nva],
        impact: nasty.into(),
        fix: Fix::new(nasty)
            .look([nasty])
            .change([(nasty, Some(nasty.to_owned()))])
            .verify([nasty]),
        ..finding(
            (FindingKind::DenyPage, Cause::HttpDenied),
            nasty,
            nasty,
            Confidence::Low,
            &[&endpoint],
        )
    };
    let mut report = report(vec![endpoint, unproven, noted, untested, faulty], vec![finding]);
    let vantage = &mut report.vantage;
    vantage.region = Some(nasty.into());
    vantage.host = Some(nasty.into());
    vantage.control_name = Some(nasty.into());
    vantage.notices = vec![nasty.into()];
    report.agent.version.push_str(nasty);
    report.agent.catalog_documented = Some(nasty.into());
    report
}
