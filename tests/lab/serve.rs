//! `serve` in the lab: what it shows while the network changes, whatever its clients do.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use apim_probe::model::Report;
use apim_probe_lab::{self as lab, Forbidden};
use libtest_mimic::Trial;

mod access;
mod deploy;
mod faults;
mod log;
mod serving_agent;

use self::serving_agent::Served;
use super::{
    AGENT, obstacle, trial,
    watching_agent::{SLACK, SQL_SILENT, TestNetwork, WEB_AND_SQL},
};

/// A test's name, the program that it needs if it is not installed everywhere, and the test.
struct ServeTest(&'static str, Option<&'static str>, fn() -> Result<()>);

const TESTS: &[ServeTest] = &[
    ServeTest(
        "pages_and_metrics-and-metrics-show-a-change-within-one-interval-and-timeout",
        None,
        pages_and_metrics,
    ),
    ServeTest(
        "scrapes_start_nothing-start-no-round-and-no-connection",
        None,
        scrapes_start_nothing,
    ),
    ServeTest(
        "idle-slow-and-malformed-clients-do-not-delay-rounds",
        None,
        hostile_clients,
    ),
    ServeTest("sighup-reloads-and-keeps-the-old-configuration-on-errors", None, reload),
    ServeTest(
        "unchanged-failures-and-findings-keep-their-series",
        None,
        series_stay_stable,
    ),
    ServeTest("invalid-flags-exit-2-and-a-port-in-use-exits-4", None, invalid_flags),
    ServeTest(
        "redact-applies-to-pages_and_metrics-metrics-log-and-stderr",
        None,
        redacted,
    ),
    ServeTest(
        "web-config-enforces-tls-client-certificates-and-passwords",
        None,
        access::is_enforced,
    ),
    ServeTest("log-has-rounds-changes-and-faults", None, log::has_every_event),
    ServeTest("change-just-before-shutdown-is-logged", None, log::has_the_last_change),
    ServeTest(
        "log-lines-wait-while-the-folder-is-missing",
        None,
        log::waits_for_its_folder,
    ),
    ServeTest("log-lines-lost-at-shutdown-are-reported", None, log::reports_lost_lines),
    ServeTest(
        "heartbeats-continue-their-count-after-a-reload",
        None,
        log::continues_heartbeats,
    ),
    ServeTest("untried-endpoint-is-no-success", None, log::has_untried_endpoints),
    ServeTest(
        "unread-stderr-delays-neither-rounds-nor-shutdown",
        None,
        faults::unread_stderr,
    ),
    ServeTest(
        "catalog-that-is-a-silent-pipe-keeps-the-old-configuration",
        None,
        faults::catalog_pipe,
    ),
    ServeTest("full-disk-loses-no-log-line", Some("mount"), faults::full_disk),
    ServeTest("dns-outage-is-reported-and-recovers", None, faults::dns_outage),
    ServeTest(
        "hundreds-of-rounds-leak-neither-memory-nor-descriptors",
        None,
        faults::many_rounds,
    ),
    ServeTest(
        "systemd-is-notified-of-ready-reload-watchdog-and-stop",
        None,
        faults::systemd_notifications,
    ),
    ServeTest(
        "sighup-fetches-the-instance-documents-again",
        None,
        faults::documents_fetched_again,
    ),
    ServeTest(
        "alert-rules-dashboard-and-docs-name-existing-series",
        None,
        deploy::series,
    ),
    ServeTest(
        "prometheus-scrapes_start_nothing-it-and-evaluates-the-alert-rules",
        Some("prometheus"),
        deploy::prometheus,
    ),
    ServeTest("promtool-accepts-the-metrics", Some("promtool"), deploy::promtool),
];

pub(crate) fn trials(forbidden: Option<&Forbidden>) -> Vec<Trial> {
    TESTS
        .iter()
        .map(|ServeTest(name, program, _)| {
            let obstacle = obstacle(forbidden, false).or_else(|| lab::lacks(program.as_ref()?));
            trial(format!("serve/{name}"), obstacle.as_ref())
        })
        .collect()
}

pub(crate) fn run(wanted: &str) -> Result<()> {
    let test = TESTS.iter().find(|ServeTest(name, ..)| *name == wanted);
    let ServeTest(.., check) = test.context("no such test")?;
    check()
}

const SQL_FAILS: &str = "apim_probe_failure_info{id=\"service/sql.example:1433\",cause=\"tcp-timeout\"}";

fn redacted() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    network.fault(SQL_SILENT)?;
    let log = network.path("contoso-agent.jsonl");
    let web_config = network.write("contoso-web.yml", "# nothing yet\n")?;
    let mut served = serve(
        &network,
        &[
            "--redact",
            "--interval",
            "300ms",
            "--timeout",
            "1500ms",
            "--log",
            &log,
            "--web-config",
            &web_config,
        ],
    )?;
    served.until("the first round is over", |it| Ok(it.get("/-/ready")?.status == 200))?;
    let names = |served: &Served| -> Result<Vec<String>> {
        let page = served.get("/metrics")?.body;
        let ids = page.lines().filter(|line| line.starts_with("probe_success{"));
        Ok(ids
            .filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned()))
            .collect())
    };
    let before = names(&served)?;
    ensure!(before.len() == 2, "{before:?}");
    network.repair()?;
    served.expect(&["blocked tcp-timeout -> reachable"])?;
    // An error in the catalog that quotes a host name.
    let catalog = network.path("probes.yaml");
    let whole = std::fs::read_to_string(&catalog)?;
    std::fs::write(&catalog, whole.replace("port: 1433", "port: web.example"))?;
    served.signal("HUP")?;
    served.expect(&["still using the previous configuration"])?;
    std::fs::write(&catalog, whole)?;
    served.signal("HUP")?;
    served.expect(&["reloaded catalog and documents"])?;
    // Errors in the web config that quote file and user names.
    for broken in [
        "tls_server_config: { cert_file: tls/contoso.pem, key_file: tls/contoso.key }",
        "tls_server_config: { cert_file: contoso-web.yml, key_file: contoso.key }",
        "basic_auth_users: { contoso-reader: none }",
    ] {
        std::fs::write(&web_config, broken)?;
        served.signal("HUP")?;
        served.expect(&["the old one stays in effect"])?;
    }
    served.rounds(2.0)?;
    ensure!(names(&served)? == before, "{before:?} became {:?}", names(&served)?);

    let mut told = vec![("the log".to_owned(), std::fs::read_to_string(&log)?)];
    for path in ["/", "/report.json", "/metrics"] {
        told.push((path.to_owned(), served.get(path)?.body));
    }
    served.signal("TERM")?;
    served.expect(&["ended by a signal"])?;
    told.push(("stderr".into(), served.said()));
    let report: Report = serde_json::from_str(&told[2].1)?;
    ensure!(
        report.endpoints.len() == 2 && report.vantage.host.is_some(),
        "no report"
    );
    let host = nix::unistd::gethostname()?.into_string().unwrap_or_default();
    let address = network.addresses("sql.example");
    for (what, text) in &told {
        ensure!(text.len() > 100, "{what}: {text}");
        for secret in ["web.example", "sql.example", "contoso", &host]
            .into_iter()
            .chain(address.iter().map(String::as_str))
        {
            ensure!(!text.contains(secret), "{what} contains {secret}");
        }
    }
    Ok(())
}

/// Starts `serve` on a free port, with further flags.
fn serve(network: &TestNetwork, flags: &[&str]) -> Result<Served> {
    let mut command = network.command("serve", &["--listen", "127.0.0.1:0"])?;
    command.args(flags);
    Served::start(command)
}

fn pages_and_metrics() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    network.fault(SQL_SILENT)?;
    let (interval, timeout) = (Duration::from_millis(500), Duration::from_millis(1_500));
    let mut served = serve(&network, &["--interval", "500ms", "--timeout", "1500ms"])?;
    for (path, status) in [
        ("/-/healthy", 200),
        ("/-/ready", 503),
        ("/", 503),
        ("/report.json", 503),
    ] {
        ensure!(served.get(path)?.status == status, "{path} before the first round");
    }
    ensure!(
        served.metric("apim_probe_up")? == Some(0.0),
        "up before the first round"
    );
    served.until("the first round is over", |it| Ok(it.get("/-/ready")?.status == 200))?;
    ensure!(
        served.metric(SQL_FAILS)? == Some(1.0),
        "{}",
        served.get("/metrics")?.body
    );
    ensure!(served.metric("apim_probe_up")? == Some(1.0), "up");
    let html = served.get("/")?;
    ensure!(html.head.contains("content-type: text/html"), "{}", html.head);
    ensure!(
        html.body.contains("sql.example") && html.body.contains("TCP 1433"),
        "no finding on the page"
    );
    let json = served.get("/report.json")?;
    ensure!(json.head.contains("content-type: application/json"), "{}", json.head);
    let report: Report = serde_json::from_str(&json.body)?;
    ensure!(report.complete && report.summary.blocked == 1, "{:?}", report.summary);
    for (path, method, status) in [
        ("/probe?target=a", "GET", 404),
        ("/metrics", "POST", 405),
        ("/-/ready", "HEAD", 200),
    ] {
        ensure!(served.ask(method, path)?.status == status, "{method} {path}");
    }

    network.repair()?;
    served.expect(&["service/sql.example:1433: blocked tcp-timeout -> reachable"])?;
    served.until("nothing fails", |it| Ok(it.metric(SQL_FAILS)?.is_none()))?;
    for _ in 0..2 {
        // Waits for the full round that a change causes.
        served.rounds(3.0)?;
        network.fault(SQL_SILENT)?;
        let took = served.until_metric(SQL_FAILS, 1.0)?;
        ensure!(took <= interval + timeout + SLACK, "blocked after {took:?}");
        served.rounds(3.0)?;
        network.repair()?;
        let well = "probe_success{id=\"service/sql.example:1433\",dependency=\"service\",need=\"required\"}";
        let took = served.until_metric(well, 1.0)?;
        ensure!(took <= interval + timeout + SLACK, "reachable after {took:?}");
    }
    let changes = served.metric("apim_probe_changes_total")?;
    ensure!(changes == Some(5.0), "{changes:?} changes");
    // Ends it in the middle of a round that waits for a reply.
    network.fault(SQL_SILENT)?;
    std::thread::sleep(interval * 2);
    let (status, took) = served.terminate()?;
    ensure!(
        status == Some(0) && took < Duration::from_secs(1),
        "{status:?} after {took:?}"
    );
    Ok(())
}

fn scrapes_start_nothing() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{ link: { count_flows: true } }")?;
    let served = serve(&network, &["--interval", "1h"])?;
    served.until_metric("apim_probe_rounds_total", 1.0)?;
    let before = network.flows_to("web.example", 443);
    for path in [
        "/metrics",
        "/",
        "/report.json",
        "/-/healthy",
        "/-/ready",
        "/probe?target=web.example",
    ] {
        for _ in 0..20 {
            served.get(path)?;
        }
    }
    let after = network.flows_to("web.example", 443);
    ensure!(before == after, "{before} connections became {after}");
    ensure!(
        served.metric("apim_probe_rounds_total")? == Some(1.0),
        "a round was started"
    );
    Ok(())
}

fn hostile_clients() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    let mut served = serve(&network, &["--interval", "300ms", "--timeout", "1500ms"])?;
    served.until("the first round is over", |it| Ok(it.get("/-/ready")?.status == 200))?;
    let held: Vec<TcpStream> = (0..600).map(|_| served.connect()).collect::<Result<_>>()?;
    let mut slow: Vec<TcpStream> = (0..20).map(|_| served.connect()).collect::<Result<_>>()?;
    for stream in &mut slow {
        stream.write_all(b"GET /metrics HT")?;
    }
    let requests = Instant::now();
    let page = served.get("/metrics")?;
    ensure!(
        page.status == 200 && requests.elapsed() < Duration::from_secs(5),
        "{:?}",
        requests.elapsed()
    );
    served.expect(&["all 64 connections are in use"])?;

    for nonsense in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 no tls here"[..],
        b"SSH-2.0-nobody\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        &[0; 4096],
        &vec![b'A'; 100_000],
    ] {
        served.say(nonsense)?;
    }
    let long = format!("GET /metrics HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(200_000));
    let refused = served.say(long.as_bytes())?;
    ensure!(!refused.starts_with("HTTP/1.1 200"), "{refused}");
    served.expect(&["bad request from"])?;
    // A client requests a page and never reads it.
    let mut not_reading = served.connect()?;
    not_reading.write_all(b"GET /report.json HTTP/1.1\r\nHost: agent\r\n\r\n")?;

    let before = Instant::now();
    served.rounds(10.0)?;
    ensure!(
        before.elapsed() < Duration::from_millis(300) * 12 + SLACK,
        "ten rounds took {:?}",
        before.elapsed()
    );
    for (kind, least) in [("connections", 500.0), ("request", 4.0), ("late-round", 0.0)] {
        let n = served.metric(&format!("apim_probe_faults_total{{kind=\"{kind}\"}}"))?;
        ensure!(n.is_some_and(|n| n >= least), "{kind}: {n:?}");
    }
    let open = served.metric("process_open_fds")?.unwrap_or_default();
    ensure!(open < 120.0, "{open} descriptors");
    // A connection without a request is closed eventually.
    let mut last = held.into_iter().next_back().context("none")?;
    ensure!(last.read(&mut [0; 1])? == 0, "it sent a reply");
    Ok(())
}

fn reload() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    let catalog = network.path("probes.yaml");
    let whole = std::fs::read_to_string(&catalog)?;
    let mut served = serve(&network, &["--interval", "300ms", "--timeout", "1500ms"])?;
    let success = "apim_probe_config_last_reload_successful";
    let web = "probe_success{id=\"service/web.example:443\",dependency=\"service\",need=\"required\"}";
    served.until_metric(web, 1.0)?;
    ensure!(served.metric(success)? == Some(1.0), "{success}");

    std::fs::write(&catalog, "schema: 1\nnonsense: [")?;
    served.signal("HUP")?;
    served.until_metric(success, 0.0)?;
    served.expect(&["still using the previous configuration", "probes.yaml"])?;
    served.rounds(2.0)?;
    ensure!(served.metric(web)? == Some(1.0), "the old catalog is no longer used");

    let without_web: String = whole
        .lines()
        .filter(|line| !line.contains("web.example"))
        .flat_map(|line| [line, "\n"])
        .collect();
    ensure!(without_web != whole, "nothing to leave out of\n{whole}");
    std::fs::write(&catalog, without_web)?;
    served.signal("HUP")?;
    served.until_metric(success, 1.0)?;
    served.expect(&["reloaded catalog and documents: 1 endpoint"])?;
    served.until("the new catalog is in use", |it| Ok(it.metric(web)?.is_none()))?;

    // A change caused by a new catalog is reported as well.
    network.fault(SQL_SILENT)?;
    served.expect(&["service/sql.example:1433: reachable -> blocked tcp-timeout"])?;
    network.repair()?;
    std::fs::write(&catalog, whole)?;
    served.signal("HUP")?;
    served.expect(&["service/sql.example:1433: blocked tcp-timeout -> reachable"])?;
    served.until_metric(web, 1.0)?;
    let (status, _) = served.terminate()?;
    ensure!(status == Some(0), "{status:?}");
    Ok(())
}

fn series_stay_stable() -> Result<()> {
    // Full rounds identify the firewall by control connections; light rounds make none.
    let network = TestNetwork::start(
        "{ host: web.example, port: 443, protocol: https }
{ host: other.example, port: 443, protocol: https }",
        "{ firewalls: [ { ports: [443], rules: [ { fqdns: [web.example], action: { end: reset } } ], default_action: forward } ] }",
    )?;
    let served = serve(&network, &["--interval", "200ms", "--timeout", "3s"])?;
    served.until("the first round is over", |it| Ok(it.get("/-/ready")?.status == 200))?;
    let info = |served: &Served| -> Result<Vec<String>> {
        let page = served.get("/metrics")?.body;
        let is_info =
            |line: &&str| line.starts_with("apim_probe_finding_info{") || line.starts_with("apim_probe_failure_info{");
        Ok(page.lines().filter(is_info).map(str::to_owned).collect())
    };
    let first = info(&served)?;
    ensure!(first.len() >= 2, "{first:?}");
    for _ in 0..8 {
        served.rounds(1.0)?;
        ensure!(info(&served)? == first, "{:?} became {:?}", first, info(&served)?);
    }
    ensure!(
        served.metric("apim_probe_changes_total")? == Some(0.0),
        "something changed"
    );
    // Another endpoint changes. The previous findings stay until the full round that this causes has finished.
    network.fault("{ to: 'other.example:443', action: drop }")?;
    served.until_metric(
        "apim_probe_failure_info{id=\"service/other.example:443\",cause=\"tcp-timeout\"}",
        1.0,
    )?;
    let between = info(&served)?;
    let lost: Vec<_> = first.iter().filter(|line| !between.contains(line)).collect();
    ensure!(lost.is_empty(), "{lost:?} is gone: {between:?}");
    Ok(())
}

fn invalid_flags() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    let served = serve(&network, &["--interval", "1h"])?;
    let taken = served.address.to_string();
    for (flags, status, words) in [
        (&["--listen", &taken][..], 4, "cannot listen on"),
        (&["--listen", "192.0.2.1:9733"], 2, "needs an address of this machine"),
        (&["--listen", "localhost:9733"], 2, "expected an address and a port"),
        (&["--interval", "0s"], 2, "expected a time"),
        (&["--probes", "/nonexistent.yaml"], 2, "cannot read /nonexistent.yaml"),
    ] {
        let output = network.command("serve", flags)?.output()?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.code() == Some(status),
            "{flags:?}: {:?} {stderr}",
            output.status
        );
        ensure!(stderr.contains(words), "{flags:?}: {stderr}");
    }
    Ok(())
}
