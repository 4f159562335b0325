//! The cost of a machine without Azure around it, and what must never be shown: the agent with a metadata service and a
//! management endpoint that misbehave.

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

const SLOW_METADATA: &str = "no_metadata_service_costs_more_than_a_second";
const DEADLINE: &str = "the_deadline_covers_the_platform";
const HIDDEN_TOKEN: &str = "the_token_is_never_shown";
const SECRETS: &str = "neither_the_token_nor_a_secret_of_the_instance_is_ever_shown";
const MEMORY: &str = "nobody_looks_into_the_agent_while_it_holds_the_token";
const README: &str = "the_report_in_the_readme_is_the_demos";
const RESOLVER: &str = "the_system_is_asked_for_no_name";
const WIRE: &str = "what_leaves_is_what_is_listed";
const STANDPOINT: &str = "the_report_says_where_it_stands";

pub(crate) fn trials(forbidden: Option<&Forbidden>) -> Vec<Trial> {
    let slow = SLOW.iter().map(|(name, _)| format!("platform/{SLOW_METADATA}/{name}"));
    let telltales = TELLTALES
        .iter()
        .map(|(name, _)| format!("platform/{HIDDEN_TOKEN}/{name}"));
    slow.chain(telltales)
        .chain([DEADLINE, MEMORY, README, RESOLVER, SECRETS, STANDPOINT, WIRE].map(|name| format!("platform/{name}")))
        .map(|name| trial(name, forbidden))
        .collect()
}

pub(crate) fn run(name: &str) -> Result<()> {
    match name.split_once('/').unwrap_or((name, "")) {
        (SLOW_METADATA, which) => answers_within_a_second(described(&SLOW, which)?),
        (HIDDEN_TOKEN, which) => shows_no_token(described(&TELLTALES, which)?),
        (DEADLINE, _) => ends_by_its_deadline(),
        (MEMORY, _) => memory::is_kept_to_itself(),
        (README, _) => readme::shows_what_the_demo_prints(),
        (RESOLVER, _) => asks_no_system(),
        (SECRETS, _) => secrets::are_shown_nowhere(),
        (STANDPOINT, _) => says_where_it_stands(),
        (WIRE, _) => sent_packets::is_what_is_listed(),
        _ => bail!("no test is called {name}"),
    }
}

fn described(services: &[(&str, &'static str)], wanted: &str) -> Result<&'static str> {
    let found = services.iter().find(|(name, _)| *name == wanted);
    found.map(|(_, service)| *service).context("no such service")
}

/// Metadata services that take their time.
const SLOW: [(&str, &str); 4] = [
    ("silent", "{ protocol: tcp }"),
    (
        "a_byte_every_half_second",
        "{ protocol: http, http: { body_bytes: 999 }, pacing: { interval_ms: 500 } }",
    ),
    ("late", "{ protocol: http, pacing: { initial_delay_ms: 5000 } }"),
    ("endless", "{ protocol: http, http: { endless_headers: true } }"),
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
const TELLTALES: [(&str, &str); 7] = [
    (
        "in_a_refusal",
        "{ status: 403, body: '{\"error\":{\"code\":\"TOKEN\",\"message\":\"TOKEN\"}}' }",
    ),
    ("in_garbage", "{ body: 'TOKEN' }"),
    ("in_broken_json", "{ body: '{\"value\": TOKEN' }"),
    (
        "in_a_header",
        "{ status: 302, headers: { Location: 'https://other.example/TOKEN', X-Echo: 'TOKEN' } }",
    ),
    (
        "in_names",
        "{ body: '[{\"networkStatus\":{\"connectivityStatus\":[{\"name\":\"TOKEN\",\"status\":\"TOKEN\",\"error\":\"TOKEN\",\"resourceType\":\"TOKEN\"},{\"name\":\"TOKEN.blob.core.windows.net\",\"resourceType\":\"TOKEN\"}]}}]' }",
    ),
    (
        "in_the_next_page",
        "{ body: '{\"value\":[],\"nextLink\":\"https://other.example/TOKEN\"}' }",
    ),
    (
        "nowhere",
        "{ body: '{\"value\":[{\"category\":\"Azure \
         SQL\",\"endpoints\":[{\"domainName\":\"x7.database.windows.net\"}]}]}' }",
    ),
];

fn shows_no_token(answer: &str) -> Result<()> {
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
    let said = shows_none_of(&network, &TOKEN)?;
    ensure!(
        !said.contains("HTTP 400") && !said.contains("cannot be queried"),
        "the token never came to the endpoint:\n{said}"
    );
    Ok(())
}

/// Runs the agent with everything that may produce output; returns its stderr.
fn shows_none_of(network: &LabNetwork, forbidden: &[&str]) -> Result<String> {
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

/// A management endpoint that never finishes uses its share of the time, and the run continues without it.
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
fn asks_no_system() -> Result<()> {
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
        println!("the system has no nsswitch.conf, so nobody can be seen reading it");
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
        "the management endpoint was not asked:\n{report}{}",
        String::from_utf8_lossy(&said.stderr)
    );
    let openings = watch.openings()?;
    ensure!(openings == 0, "the system's resolver was asked {openings} times");
    Ok(())
}

/// The first lines of a report: the place, and the documents used.
fn says_where_it_stands() -> Result<()> {
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
