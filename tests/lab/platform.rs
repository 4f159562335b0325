//! The agent with a metadata service and a management endpoint that are slow or misbehave: what they may cost, and what
//! must never be printed.

use std::{
    fs,
    process::Stdio,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};
use apim_probe_lab::{Forbidden, Lab, LabNetwork, ResolverWatch};
use libtest_mimic::Trial;

use super::{AGENT, trial};

mod memory;
mod readme;
mod secrets;
mod sent_packets;

const INSTANCE: &str = "/subscriptions/1-2/resourceGroups/rg/providers/Microsoft.ApiManagement/service/contoso";
/// A token in three parts, like Entra ID's; none of them may appear anywhere.
const TOKEN: [&str; 3] = [
    "eyJhbGciOiJSUzI1NiJ9",
    "eyJzZWNyZXQiOiJ5ZXMifQ",
    "c2lnbmVkLWJ5LW5vYm9keQ",
];

/// The metadata service's path for tokens, and its reply with one, as a line for a service in the lab.
fn token_reply(token: &str) -> String {
    format!(r#"/metadata/identity/oauth2/token: {{ body: '{{"access_token":"{token}","token_type":"Bearer"}}' }}"#)
}

const SLOW_METADATA: &str = "slow-metadata-service-delays-list-by-at-most-1-s";
const DEADLINE: &str = "deadline-includes-slow-management-requests";
const HIDDEN_TOKEN: &str = "token-is-not-printed";
const SECRETS: &str = "token-and-instance-secrets-are-not-printed";
const MEMORY: &str = "memory-is-unreadable-while-the-token-is-held";
const README: &str = "report-in-the-readme-is-the-demo-output";
const RESOLVER: &str = "system-resolver-is-never-used";
const SENT_PACKETS: &str = "sent-packets-are-those-listed-in-the-readme";
const VM_AND_DOCUMENTS: &str = "report-names-the-vm-and-the-documents-used";

pub(crate) fn trials(forbidden: Option<&Forbidden>) -> Vec<Trial> {
    let slow = SLOW.iter().map(|(name, _)| format!("platform/{SLOW_METADATA}/{name}"));
    let echoes = ECHOES.iter().map(|(name, _)| format!("platform/{HIDDEN_TOKEN}/{name}"));
    slow.chain(echoes)
        .chain(
            [
                DEADLINE,
                MEMORY,
                README,
                RESOLVER,
                SECRETS,
                VM_AND_DOCUMENTS,
                SENT_PACKETS,
            ]
            .map(|name| format!("platform/{name}")),
        )
        .map(|name| trial(name, forbidden))
        .collect()
}

pub(crate) fn run(name: &str) -> Result<()> {
    match name.split_once('/').unwrap_or((name, "")) {
        (SLOW_METADATA, which) => answers_within_a_second(described(&SLOW, which)?),
        (HIDDEN_TOKEN, which) => prints_no_token(described(&ECHOES, which)?),
        (DEADLINE, _) => ends_by_its_deadline(),
        (MEMORY, _) => memory::is_unreadable(),
        (README, _) => readme::shows_what_the_demo_prints(),
        (RESOLVER, _) => uses_no_system_resolver(),
        (SECRETS, _) => secrets::are_not_printed(),
        (VM_AND_DOCUMENTS, _) => names_vm_and_documents(),
        (SENT_PACKETS, _) => sent_packets::are_those_listed(),
        _ => bail!("no test is called {name}"),
    }
}

fn described(services: &[(&str, &'static str)], wanted: &str) -> Result<&'static str> {
    let found = services.iter().find(|(name, _)| *name == wanted);
    found.map(|(_, service)| *service).context("no such service")
}

/// Slow metadata services.
const SLOW: [(&str, &str); 4] = [
    ("silent", "{ protocol: tcp }"),
    (
        "one-byte-per-half-second",
        "{ protocol: http, http: { body_bytes: 999 }, pacing: { interval_ms: 500 } }",
    ),
    (
        "first-byte-after-5-s",
        "{ protocol: http, pacing: { initial_delay_ms: 5000 } }",
    ),
    ("endless-headers", "{ protocol: http, http: { endless_headers: true } }"),
];

/// `list` queries the metadata service and does nothing else that waits.
fn answers_within_a_second(service: &str) -> Result<()> {
    let network = network(&format!("services: {{ '169.254.169.254:80': {service} }}"))?;
    let lab = started(&network)?;
    let begun = Instant::now();
    let listed = lab.agent(AGENT)?.arg("list").stdin(Stdio::null()).output()?;
    let taken = begun.elapsed();
    ensure!(listed.status.success(), "{}", String::from_utf8_lossy(&listed.stderr));
    ensure!(taken < Duration::from_millis(1_500), "it took {taken:?}");
    Ok(())
}

/// Management endpoints that send back what they received, where a message might repeat it.
const ECHOES: [(&str, &str); 7] = [
    (
        "echoed-in-an-error",
        "{ status: 403, body: '{\"error\":{\"code\":\"TOKEN\",\"message\":\"TOKEN\"}}' }",
    ),
    ("echoed-in-garbage", "{ body: 'TOKEN' }"),
    ("echoed-in-broken-json", "{ body: '{\"value\": TOKEN' }"),
    (
        "echoed-in-headers",
        "{ status: 302, headers: { Location: 'https://other.example/TOKEN', X-Echo: 'TOKEN' } }",
    ),
    (
        "echoed-in-names",
        "{ body: '[{\"networkStatus\":{\"connectivityStatus\":[{\"name\":\"TOKEN\",\"status\":\"TOKEN\",\"error\":\"TOKEN\",\"resourceType\":\"TOKEN\"},{\"name\":\"TOKEN.blob.core.windows.net\",\"resourceType\":\"TOKEN\"}]}}]' }",
    ),
    (
        "echoed-in-the-next-link",
        "{ body: '{\"value\":[],\"nextLink\":\"https://other.example/TOKEN\"}' }",
    ),
    (
        "not-echoed",
        "{ body: '{\"value\":[{\"category\":\"Azure \
         SQL\",\"endpoints\":[{\"domainName\":\"x7.database.windows.net\"}]}]}' }",
    ),
];

fn prints_no_token(answer: &str) -> Result<()> {
    let token = TOKEN.join(".");
    let reply = token_reply(&token);
    let answer = answer.replace("TOKEN", &token);
    // The token is required, so that a run which never sent it does not pass.
    let demanding = answer.replacen(
        '{',
        &format!("{{ required_headers: ['Authorization: Bearer {token}'],"),
        1,
    );
    let network = network(&format!(
        "names: {{ management.azure.com: {{ addresses: [20.0.0.9] }} }}
services:
  '169.254.169.254:80':
    protocol: http
    http:
      status: 404
      paths:
        {reply}
  'management.azure.com:443': {{ protocol: https, http: {demanding} }}"
    ))?;
    let said = prints_none_of(&network, &TOKEN)?;
    ensure!(
        !said.contains("HTTP 400") && !said.contains("cannot be queried"),
        "the token was never sent to the endpoint:\n{said}"
    );
    Ok(())
}

/// Runs the agent with everything that may produce output; returns its stderr.
fn prints_none_of(network: &LabNetwork, forbidden: &[&str]) -> Result<String> {
    let lab = started(network)?;
    let files = ["report.json", "report.txt"].map(|name| lab.folder().join(name));
    let mut run = lab.agent(AGENT)?;
    run.args([
        "run",
        "--only",
        "sql,storage,event-hubs",
        "--timeout",
        "200ms",
        "--verbose",
        "--service",
        INSTANCE,
        "--ca-file",
    ])
    .arg(lab.ca_file()?)
    .arg("--management-ca-file")
    .arg(lab.ca_file()?)
    .env("RUST_LOG", "trace")
    .env("RUST_BACKTRACE", "full")
    .stdin(Stdio::null());
    for file in &files {
        run.arg("-o").arg(file);
    }
    let said = run.output()?;
    let mut everything = vec![
        ("stdout", String::from_utf8_lossy(&said.stdout).into_owned()),
        ("stderr", String::from_utf8_lossy(&said.stderr).into_owned()),
    ];
    for file in &files {
        everything.push((
            "a report",
            fs::read_to_string(file).with_context(|| file.display().to_string())?,
        ));
    }
    for (place, text) in &everything {
        for part in forbidden {
            // Hosts are shown in lower case.
            ensure!(
                !text.to_lowercase().contains(&part.to_lowercase()),
                "{part} is in {place}:\n{text}"
            );
        }
    }
    Ok(everything.swap_remove(1).1)
}

/// A management endpoint that never finishes uses only its share of the deadline, and the run continues without it.
fn ends_by_its_deadline() -> Result<()> {
    let network = network(
        "names: { management.azure.com: { addresses: [20.0.0.9] } }
services:
  '169.254.169.254:80':
    protocol: http
    http:
      status: 404
      paths: { /metadata/identity/oauth2/token: { body: '{\"access_token\":\"eyJ.a.b\",\"token_type\":\"Bearer\"}' } }
  'management.azure.com:443': { protocol: https, http: { body_bytes: 100000 }, pacing: { segment_bytes: 400, interval_ms: 200 } }
faults: [ { to: '*:1433', action: drop } ]",
    )?;
    let lab = started(&network)?;
    let mut run = lab.agent(AGENT)?;
    run.args([
        "run",
        "--only",
        "sql,entra-id",
        "--format",
        "json",
        "--deadline",
        "3s",
        "--timeout",
        "60s",
    ])
    .args(["--region", "westeurope", "--service", INSTANCE, "--ca-file"])
    .arg(lab.ca_file()?)
    .arg("--management-ca-file")
    .arg(lab.ca_file()?);
    let began = Instant::now();
    let said = run.output()?;
    let report: serde_json::Value =
        serde_json::from_slice(&said.stdout).with_context(|| String::from_utf8_lossy(&said.stderr).into_owned())?;
    let notices = report["vantage"]["notices"].to_string();
    ensure!(notices.contains("the management endpoint was too slow"), "{notices}");
    ensure!(report["complete"] == true, "a run that its deadline ends is complete");
    // The time before and after depends on the build and the machine; a hang does not.
    let duration = report["duration_ms"].as_f64().unwrap_or(f64::MAX);
    ensure!(
        duration < 3_250.0 && began.elapsed() < Duration::from_secs(15),
        "{duration} ms"
    );
    Ok(())
}

/// A run that queries the metadata service and the management endpoint, by names and by addresses, never uses the
/// system's resolver, which opens a file that is watched.
fn uses_no_system_resolver() -> Result<()> {
    let network = network(
        "names: { management.azure.com: { addresses: [20.0.0.9] } }
services:
  '169.254.169.254:80':
    protocol: http
    http:
      status: 404
      paths: { /metadata/identity/oauth2/token: { body: '{\"access_token\":\"eyJ.a.b\",\"token_type\":\"Bearer\"}' } }
  'management.azure.com:443': { protocol: https, http: { required_headers: ['Authorization: Bearer eyJ.a.b'], body: '{\"value\":[]}' } }",
    )?;
    let lab = started(&network)?;
    let Some(watch) = ResolverWatch::begin(&lab)? else {
        println!("the system has no nsswitch.conf, whose opening shows that the resolver is used");
        return Ok(());
    };
    let mut run = lab.agent(AGENT)?;
    run.args([
        "run",
        "--only",
        "sql,entra-id",
        "--format",
        "json",
        "--timeout",
        "200ms",
    ])
    .args(["--service", INSTANCE, "--management-ca-file"])
    .arg(lab.ca_file()?);
    let said = run.stdin(Stdio::null()).output()?;
    let report = String::from_utf8_lossy(&said.stdout);
    ensure!(
        report.contains("management endpoint"),
        "the management endpoint was not queried:\n{report}{}",
        String::from_utf8_lossy(&said.stderr)
    );
    let openings = watch.openings()?;
    ensure!(openings == 0, "the system's resolver was used {openings} times");
    Ok(())
}

/// The first lines of a report: the VM, and the documents used.
fn names_vm_and_documents() -> Result<()> {
    let compute = r#"{"azEnvironment":"AzurePublicCloud","location":"westeurope"}"#;
    let interface =
        r#"{"ipv4":{"ipAddress":[{"privateIpAddress":"10.1.0.4"}],"subnet":[{"address":"10.1.0.0","prefix":"24"}]}}"#;
    let network = network(&format!(
        "services:
  '169.254.169.254:80':
    protocol: http
    http: {{ body: '{{\"compute\":{compute},\"network\":{{\"interface\":[{interface}]}}}}' }}
vm: {{ env: {{ HTTPS_PROXY: 'http://10.9.9.9:3128' }}, hosts_file: '10.9.9.9 apirpsqlmain3.database.windows.net' }}"
    ))?;
    let lab = started(&network)?;
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/imports/status-by-service.json");
    let mut run = lab.agent(AGENT)?;
    run.args([
        "run",
        "--only",
        "sql",
        "--timeout",
        "200ms",
        "--network-status",
        file,
        "--color",
        "never",
    ]);
    let said = String::from_utf8(run.stdin(Stdio::null()).output()?.stdout)?;
    for phrase in [
        "public cloud",
        "westeurope",
        "10.1.0.4",
        "subnet 10.1.0.0/24",
        "DNS 168.63.129.16",
        "status-by-service.json: network status (14, as of 2026-11-21 16:41 UTC, ",
        "HTTPS_PROXY is set and ignored",
        "/etc/hosts maps apirpsqlmain3.database.windows.net to 10.9.9.9",
    ] {
        // Long lines are broken between words.
        let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
        ensure!(flat.contains(phrase), "“{phrase}” is missing:\n{said}");
    }
    Ok(())
}

fn network(yaml: &str) -> Result<LabNetwork> {
    serde_yaml::from_str(yaml).map_err(|error| anyhow::anyhow!("{error}\n{yaml}"))
}

fn started(network: &LabNetwork) -> Result<Lab> {
    let lab = Lab::enter(network)?;
    lab.serve(network)?;
    Ok(lab)
}
