//! The JSON documents, key by key and type by type, from a separate table.

use anyhow::{Result, bail, ensure};
use serde_json::Value;

use super::{AgentTest, ids, json, list};

pub(super) const TESTS: &[AgentTest] = &[
    AgentTest {
        name: "json/report-of-a-healthy-network-has-the-expected-keys",
        catalog: None,
        network: || "{}".to_owned(),
        check: |vm| {
            let output = vm.output("run", &["--format", "json", "--timeout", "2s", "--allow-untested"])?;
            let report = json(&output)?;
            check(&report, REPORT, "report")?;
            ensure!(ids(&report) == vm.planned()?, "another order than the plan's");
            connections(&report)?;
            counts(&report)
        },
    },
    AgentTest {
        name: "json/report-with-findings-has-the-expected-keys",
        catalog: None,
        network: || {
            "
firewalls: [ { ports: [443, 80], rules: [ { fqdns: ['login.*', 'crl*'], action: forward } ], default_action: { end: reset } } ]
faults: [ { to: '*:1433', action: drop }, { to: '*:123/udp', action: drop }, { to: '*:1886', action: prohibited } ]"
                .to_owned()
        },
        check: |vm| {
            let flags = [
                "--format",
                "json",
                "--timeout",
                "1s",
                "--region",
                "westeurope",
                "--set",
                "key_vault=a,b",
                "--set",
                "sql_server=s",
            ];
            let output = vm.output("run", &flags)?;
            let report = json(&output)?;
            check(&report, REPORT, "report")?;
            counts(&report)?;
            findings(&report)
        },
    },
    AgentTest {
        name: "json/plan-has-the-expected-keys",
        catalog: None,
        network: || "{}".to_owned(),
        check: |vm| {
            for flags in [
                &["--format", "json"][..],
                &["--format", "json", "--cloud", "usgov", "--region", "usgovvirginia"],
                &["--format", "json", "--cloud", "AzureChinaCloud", "--vnet", "internal"],
            ] {
                check(&json(&vm.output("list", flags)?)?, PLAN, "plan")?;
            }
            Ok(())
        },
    },
];

/// A key's path, and its possible values: `s` string, `n` number, `b` boolean, `?` null as well, `word|word` one of
/// these; `[]` goes into a list.
type Shape = &'static [(&'static str, &'static str)];

const CAUSES: &str = "?dns-timeout|dns-refused|dns-servfail|dns-nxdomain|dns-no-address|dns-sinkhole|dns-private-address|tcp-timeout|tcp-refused|tcp-unreachable|tcp-no-route|path-mtu|tls-reset|tls-closed|tls-timeout|tls-alert|tls-not-tls|tls-untrusted|tls-wrong-name|tls-expired|hello-timeout|hello-reset|hello-closed|hello-unexpected|http-denied|udp-refused|udp-unreachable|needs-value|wildcard|retired|not-outbound|deadline|skipped|local-fault";
const NEEDS: &str = "required|feature|documented";
const PROTOCOLS: &str = "dns|tcp|tls|http|https|tds|amqp|amqps|smb|kms|ntp|redis";

const REPORT: Shape = &[
    ("schema", "apim-probe/report/v1"),
    ("agent.version", "s"),
    ("agent.catalog_documented", "s"),
    ("agent.catalog_sha256", "s"),
    ("agent.tier", "s"),
    ("started_at", "s"),
    ("duration_ms", "n"),
    ("complete", "b"),
    ("redacted", "b"),
    ("vantage.cloud", "public|usgov|china"),
    ("vantage.region", "?s"),
    ("vantage.vnet", "?external|internal"),
    ("vantage.source", "flags|metadata|default"),
    ("vantage.standing", "?in-subnet|azure-vm|not-azure|no-network"),
    ("vantage.metadata_failure", "?s"),
    ("vantage.instance_subnet", "?s"),
    ("vantage.host", "?s"),
    ("vantage.addresses[]", "s"),
    ("vantage.subnet", "?s"),
    ("vantage.clock_skew_ms", "?n"),
    ("vantage.imports[]", "s"),
    ("vantage.resolvers[]", "s"),
    ("vantage.control_name", "?s"),
    ("vantage.notices[]", "s"),
    ("summary.verdict", "reachable|blocked|incomplete"),
    ("summary.total", "n"),
    ("summary.counted", "n"),
    ("summary.reachable", "n"),
    ("summary.degraded", "n"),
    ("summary.blocked", "n"),
    ("summary.unproven", "n"),
    ("summary.not_tested", "n"),
    ("summary.noted", "n"),
    ("summary.required_blocked", "n"),
    ("summary.unexpectedly_open", "n"),
    ("exit.status", "n"),
    ("exit.reason", "s"),
    ("selection.only", "?s"),
    ("selection.skip", "?s"),
    ("selection.required_only", "b"),
    ("findings[].id", "s"),
    ("findings[].kind", "s"),
    ("findings[].cause", CAUSES),
    ("findings[].title", "s"),
    ("findings[].confidence", "certain|high|medium|low"),
    ("findings[].need", "?required|feature|documented"),
    ("findings[].stops_activation", "b"),
    ("findings[].docs", "s"),
    ("findings[].endpoints[]", "s"),
    ("findings[].evidence[]", "s"),
    ("findings[].path.endpoint", "s"),
    ("findings[].path.from", "?s"),
    ("findings[].path.to", "s"),
    ("findings[].path.label", "s"),
    ("findings[].path.hops[].hop", "n"),
    ("findings[].path.hops[].does", "forwards|accepts|refuses"),
    ("findings[].path.hops[].address", "?s"),
    ("findings[].path.hops[].icmp_type", "?n"),
    ("findings[].path.hops[].icmp_code", "?n"),
    ("findings[].path.hops[].rtt_ms", "?n"),
    (
        "findings[].suspects[]",
        "nsg|udr|no-outbound|firewall-network-rule|firewall-application-rule|tls-inspection|nva|dns-server|private-dns-zone|proxy|vm-nic-nsg|local-host|service|documentation",
    ),
    ("findings[].impact", "s"),
    ("findings[].fix.summary", "s"),
    ("findings[].fix.change[]", "s"),
    ("findings[].fix.undo[]", "?s"),
    ("findings[].fix.look[]", "s"),
    ("findings[].fix.verify[]", "s"),
    ("findings[].fix.placeholders[].name", "s"),
    ("findings[].fix.placeholders[].meaning", "s"),
    ("findings[].handover.from", "s"),
    ("findings[].handover.to", "s"),
    ("findings[].handover.more", "n"),
    ("findings[].handover.flows[].source", "?s"),
    ("findings[].handover.flows[].destination", "s"),
    ("findings[].handover.flows[].host", "s"),
    ("findings[].handover.flows[].transport", "tcp|udp"),
    ("findings[].handover.flows[].at", "s"),
    ("findings[].handover.flows[].cause", CAUSES),
    ("findings[].handover.queries[].for", "azure-firewall|flow-logs|nva"),
    ("findings[].handover.queries[].language", "kql|text"),
    ("findings[].handover.queries[].title", "s"),
    ("findings[].handover.queries[].text", "s"),
    ("findings[].handover.owners[].owner", "firewall|nsg-and-routes|dns"),
    ("findings[].handover.owners[].need", NEEDS),
    ("findings[].handover.owners[].stops_activation", "b"),
    ("findings[].handover.owners[].impact", "s"),
    ("findings[].handover.owners[].allow[]", "s"),
    ("findings[].handover.owners[].change[]", "s"),
    ("findings[].handover.owners[].undo[]", "?s"),
    ("findings[].handover.owners[].placeholders[].name", "s"),
    ("findings[].handover.owners[].placeholders[].meaning", "s"),
    ("findings[].handover.owners[].reproduce[]", "s"),
    ("endpoints[].id", "s"),
    ("endpoints[].dependency", "s"),
    ("endpoints[].title", "s"),
    ("endpoints[].service_tag", "?s"),
    ("endpoints[].need", NEEDS),
    ("endpoints[].feature", "?s"),
    ("endpoints[].host", "s"),
    ("endpoints[].pattern", "?s"),
    ("endpoints[].port", "n"),
    ("endpoints[].transport", "tcp|udp"),
    ("endpoints[].protocol", PROTOCOLS),
    ("endpoints[].direction", "outbound|inbound|peer"),
    ("endpoints[].source_tag", "?s"),
    ("endpoints[].verdict", "reachable|degraded|blocked|unproven|not-tested"),
    ("endpoints[].cause", CAUSES),
    ("endpoints[].detail", "s"),
    ("endpoints[].evidence[]", "s"),
    ("endpoints[].expect", "reachable|blocked"),
    ("endpoints[].as_expected", "?b"),
    ("endpoints[].duration_ms", "?n"),
    ("endpoints[].flows.tried", "n"),
    ("endpoints[].flows.passed", "n"),
    ("endpoints[].elsewhere.report", "s"),
    ("endpoints[].elsewhere.verdict", "s"),
    ("endpoints[].elsewhere.cause", CAUSES),
    ("endpoints[].stages.dns.outcome", "s"),
    ("endpoints[].stages.dns.ms", "n"),
    ("endpoints[].stages.dns.server", "?s"),
    ("endpoints[].stages.dns.rcode", "?s"),
    ("endpoints[].stages.dns.cnames[]", "s"),
    ("endpoints[].stages.dns.addresses[]", "s"),
    ("endpoints[].stages.tcp[].address", "s"),
    ("endpoints[].stages.tcp[].source", "?s"),
    ("endpoints[].stages.tcp[].outcome", "s"),
    ("endpoints[].stages.tcp[].ms", "n"),
    ("endpoints[].stages.tcp[].mss", "?n"),
    ("endpoints[].stages.tcp[].rtt_ms", "?n"),
    ("endpoints[].stages.tcp[].retransmitted", "?n"),
    ("endpoints[].stages.tls.outcome", "s"),
    ("endpoints[].stages.tls.ms", "n"),
    ("endpoints[].stages.tls.address", "s"),
    ("endpoints[].stages.tls.version", "?TLSv1.2|TLSv1.3"),
    ("endpoints[].stages.tls.cipher", "?s"),
    ("endpoints[].stages.tls.subject", "?s"),
    ("endpoints[].stages.tls.issuer", "?s"),
    ("endpoints[].stages.tls.chain_not_after", "?s"),
    ("endpoints[].stages.tls.not_after", "?s"),
    ("endpoints[].stages.hello.outcome", "s"),
    ("endpoints[].stages.hello.ms", "n"),
    ("endpoints[].stages.hello.address", "s"),
    ("endpoints[].stages.hello.proof", "?s"),
];

const PLAN: Shape = &[
    ("schema", "apim-probe/plan/v1"),
    ("vantage.cloud", "public|usgov|china"),
    ("vantage.region", "?s"),
    ("vantage.vnet", "?external|internal"),
    ("vantage.source", "flags|metadata|default"),
    ("endpoints[].id", "s"),
    ("endpoints[].dependency", "s"),
    ("endpoints[].title", "s"),
    ("endpoints[].service_tag", "?s"),
    ("endpoints[].need", NEEDS),
    ("endpoints[].feature", "?s"),
    ("endpoints[].host", "s"),
    ("endpoints[].pattern", "?s"),
    ("endpoints[].port", "n"),
    ("endpoints[].transport", "tcp|udp"),
    ("endpoints[].protocol", PROTOCOLS),
    ("endpoints[].testable", "b"),
    ("endpoints[].cause", CAUSES),
    ("endpoints[].detail", "?s"),
    // In addition to the endpoints: what else may be queried.
    ("controls[]", "s"),
];

/// Checks that every key of the shape exists with an allowed value, and that there is no other.
fn check(document: &Value, shape: Shape, what: &str) -> Result<()> {
    for (path, kind) in shape {
        let steps: Vec<&str> = path.split('.').collect();
        descend(document, &steps, kind, what)?;
    }
    known(document, "", shape, what)
}

fn descend(value: &Value, steps: &[&str], kind: &str, path: &str) -> Result<()> {
    let Some((step, rest)) = steps.split_first() else {
        ensure!(is_kind(value, kind), "{path} is {value}, expected {kind}");
        return Ok(());
    };
    let (key, in_list) = step.strip_suffix("[]").map_or((*step, false), |key| (key, true));
    let Some(value) = value.get(key) else {
        bail!("{path} has no {key}");
    };
    let path = format!("{path}.{key}");
    if in_list {
        let Some(items) = value.as_array() else {
            bail!("{path} is {value}, expected a list");
        };
        return items.iter().try_for_each(|item| descend(item, rest, kind, &path));
    }
    // A stage that was not reached, and flows if there was one connection to each address.
    let may_lack = path.contains(".stages.")
        || matches!(
            path.as_str(),
            "report.endpoints.flows"
                | "report.endpoints.elsewhere"
                | "report.findings.handover"
                | "report.findings.path"
        );
    if value.is_null() && !rest.is_empty() && may_lack {
        return Ok(());
    }
    descend(value, rest, kind, &path)
}

fn is_kind(value: &Value, kind: &str) -> bool {
    if let Some(kind) = kind.strip_prefix('?') {
        return value.is_null() || is_kind(value, kind);
    }
    match kind {
        "s" => value.is_string(),
        "n" => value.is_number(),
        "b" => value.is_boolean(),
        words => value
            .as_str()
            .is_some_and(|text| words.split('|').any(|word| word == text)),
    }
}

/// Every key of the document is in the shape.
fn known(value: &Value, path: &str, shape: Shape, what: &str) -> Result<()> {
    match value {
        Value::Object(fields) => fields.iter().try_for_each(|(key, value)| {
            let path = if path.is_empty() {
                key.clone()
            } else {
                format!("{path}.{key}")
            };
            let is_known = shape.iter().any(|(known, _)| {
                known
                    .strip_prefix(&path)
                    .is_some_and(|rest| !rest.starts_with(char::is_alphanumeric))
            });
            ensure!(is_known, "{what}: the key {path} is not in the table");
            known(value, &path, shape, what)
        }),
        Value::Array(items) => items
            .iter()
            .try_for_each(|item| known(item, &format!("{path}[]"), shape, what)),
        _ => Ok(()),
    }
}

/// Every open connection has its source port and the kernel's counts, including a name server's.
fn connections(report: &Value) -> Result<()> {
    let rows = list(report, "endpoints");
    ensure!(
        rows.iter()
            .any(|row| row["protocol"] == "dns" && row["transport"] == "tcp"),
        "no name server is asked over TCP"
    );
    for row in rows {
        for connection in list(&row["stages"], "tcp") {
            for key in ["source", "mss", "rtt_ms", "retransmitted"] {
                ensure!(
                    connection["outcome"] != "ok" || !connection[key].is_null(),
                    "{}: {key} is missing in {connection}",
                    row["id"]
                );
            }
        }
    }
    Ok(())
}

/// The summary is the sum of the rows.
fn counts(report: &Value) -> Result<()> {
    let rows = list(report, "endpoints");
    let deciding = |verdict: &str| {
        rows.iter()
            .filter(|row| row["need"] != "documented" && row["verdict"] == verdict)
            .count()
    };
    let noted = rows
        .iter()
        .filter(|row| row["need"] == "documented" && row["verdict"] != "reachable")
        .count();
    let required_blocked = rows
        .iter()
        .filter(|row| row["need"] == "required" && row["verdict"] == "blocked" && row["as_expected"] == false)
        .count();
    for (key, count) in [
        ("total", rows.len()),
        ("counted", rows.iter().filter(|row| row["need"] != "documented").count()),
        ("reachable", deciding("reachable")),
        ("degraded", deciding("degraded")),
        ("blocked", deciding("blocked")),
        ("unproven", deciding("unproven")),
        ("not_tested", deciding("not-tested")),
        ("noted", noted),
        ("required_blocked", required_blocked),
    ] {
        ensure!(
            report["summary"][key] == count,
            "summary.{key} is {}, the rows say {count}",
            report["summary"][key]
        );
    }
    Ok(())
}

/// Every endpoint that is blocked against expectation belongs to exactly one finding.
fn findings(report: &Value) -> Result<()> {
    for row in list(report, "endpoints") {
        let explained = list(report, "findings")
            .iter()
            .filter(|finding| list(finding, "endpoints").contains(&row["id"]))
            .count();
        let blocked = row["verdict"] == "blocked" && row["as_expected"] == false;
        ensure!(!blocked || explained == 1, "{} is in {explained} findings", row["id"]);
        ensure!(explained <= 1, "{} is in {explained} findings", row["id"]);
    }
    Ok(())
}
