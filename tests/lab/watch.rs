//! `watch` in the lab, while the network changes.

use std::{fs, thread, time::Duration};

use anyhow::{Context, Result, ensure};
use apim_probe::model::Report;
use apim_probe_lab::Forbidden;
use libtest_mimic::Trial;
use serde_json::Value;

use super::{
    obstacle, trial,
    watching_agent::{SLACK, SQL_SILENT, TestNetwork, WEB_AND_SQL},
};

/// A test's name, whether it needs nftables, and the test.
struct WatchTest(&'static str, bool, fn() -> Result<()>);

const TESTS: [WatchTest; 11] = [
    WatchTest(
        "change-is-reported-within-one-interval-and-timeout",
        false,
        changes_in_time,
    ),
    WatchTest("single-lost-packet-is-no-change", false, lost_packet),
    WatchTest("single-reset-is-no-change", true, passing_reset),
    WatchTest("until-green-ends-once-required-endpoints-work", false, until_green),
    WatchTest("until-change-ends-after-one-json-change", false, until_change),
    WatchTest("for-ends-with-the-right-exit-status", false, for_duration),
    WatchTest("differences-from-the-baseline-are-reported", false, baseline),
    WatchTest(
        "controls-and-second-name-servers-only-in-full-rounds",
        true,
        full_rounds_only,
    ),
    WatchTest(
        "unchanged-rounds-make-one-connection-per-endpoint",
        false,
        one_connection,
    ),
    WatchTest(
        "every-second-connection-dropped-is-no-change",
        false,
        differing_connections,
    ),
    WatchTest("short-interval-leaks-no-descriptors", false, leaks_nothing),
];

pub(crate) fn trials(forbidden: Option<&Forbidden>) -> Vec<Trial> {
    TESTS
        .iter()
        .map(|WatchTest(name, needs_nft, _)| trial(format!("watch/{name}"), obstacle(forbidden, *needs_nft).as_ref()))
        .collect()
}

pub(crate) fn run(wanted: &str) -> Result<()> {
    let test = TESTS.iter().find(|WatchTest(name, ..)| *name == wanted);
    let WatchTest(.., check) = test.context("no such test")?;
    check()
}

fn changes_in_time() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    let agent = network.watch(&["--interval", "400ms", "--timeout", "1500ms"])?;
    let (interval, timeout) = (Duration::from_millis(400), Duration::from_millis(1_500));
    agent.expect(&["2 of 2 endpoints are as expected"])?;
    for _ in 0..2 {
        network.fault(SQL_SILENT)?;
        let (_, took) = agent.expect(&[
            "sql.example:1433 reachable -> blocked tcp-timeout, after ",
            " (required)",
        ])?;
        ensure!(took <= interval + timeout + SLACK, "blocked after {took:?}");
        network.repair()?;
        let (_, took) = agent.expect(&["sql.example:1433 blocked tcp-timeout -> reachable, after "])?;
        ensure!(took <= interval + timeout + SLACK, "reachable after {took:?}");
    }
    network.fault(SQL_SILENT)?;
    // Interrupts it in the middle of a round that waits for a reply.
    thread::sleep(interval * 2);
    let requests = std::time::Instant::now();
    let ended = agent.interrupt()?;
    ensure!(
        requests.elapsed() < timeout / 2 + SLACK,
        "it took {:?} to end",
        requests.elapsed()
    );
    ensure!(ended.status == Some(130), "{:?}", ended.status);
    let summary = [
        "4 changes",
        "sql.example:1433: blocked for ",
        "the other 1 endpoint did not change",
    ];
    for words in summary {
        ensure!(ended.rest.contains(words), "no {words:?} in\n{}", ended.rest);
    }
    ensure!(ended.rest.ends_with("exit 130: interrupted"), "{}", ended.rest);
    ensure!(ended.rest.matches("blocked tcp-timeout").count() == 2, "{}", ended.rest);
    Ok(())
}

fn lost_packet() -> Result<()> {
    // With a timeout of 1 s the kernel sends a single SYN, and the fault drops that of one round.
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    let agent = network.watch(&["--interval", "200ms", "--timeout", "1s"])?;
    agent.expect(&["2 of 2 endpoints are as expected"])?;
    network.fault(SQL_SILENT)?;
    thread::sleep(Duration::from_millis(500));
    network.repair()?;
    let line = agent.line_within(Duration::from_millis(2_500));
    ensure!(line.is_none(), "it reported {line:?}");
    let ended = agent.interrupt()?;
    ensure!(ended.rest.contains(": 0 changes"), "{}", ended.rest);
    Ok(())
}

fn one_connection() -> Result<()> {
    let network = TestNetwork::start(
        WEB_AND_SQL,
        &format!("{{ link: {{ count_flows: true }}, faults: [ {SQL_SILENT} ] }}"),
    )?;
    let agent = network.watch(&["--interval", "200ms", "--timeout", "500ms"])?;
    agent.expect(&["sql.example:1433 blocked tcp-timeout"])?;
    while network.flows_to("web.example", 443) < 5 {
        thread::sleep(Duration::from_millis(100));
    }
    let (web, sql) = (
        network.flows_to("web.example", 443),
        network.flows_to("sql.example", 1433),
    );
    // Two in the first round, and two more because the timeout is so short; one in each other round, of which one may
    // have just started.
    ensure!(
        (web + 2..=web + 4).contains(&sql),
        "{sql} connections to SQL in {web} rounds"
    );
    agent.interrupt().map(drop)
}

fn differing_connections() -> Result<()> {
    let odd: Vec<String> = (1..60).step_by(2).map(|n| n.to_string()).collect();
    let fault = format!(
        "{{ to: 'sql.example:1433', action: drop, when: {{ nth_flow: [{}] }} }}",
        odd.join(", ")
    );
    let network = TestNetwork::start(WEB_AND_SQL, &format!("faults: [ {fault} ]"))?;
    let agent = network.watch(&["--interval", "200ms", "--timeout", "500ms"])?;
    agent.expect(&["sql.example:1433 degraded tcp-timeout"])?;
    let line = agent.line_within(Duration::from_secs(3));
    ensure!(line.is_none(), "it reported {line:?}");
    let (web, sql) = (
        network.flows_to("web.example", 443),
        network.flows_to("sql.example", 1433),
    );
    // Eight in the first round, and eight more because the timeout is so short.
    ensure!(web > 3 && sql <= web + 16, "{sql} connections to SQL in {web} rounds");
    let ended = agent.interrupt()?;
    ensure!(ended.rest.contains(": 0 changes"), "{}", ended.rest);
    Ok(())
}

fn passing_reset() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    let agent = network.watch(&["--interval", "300ms", "--timeout", "1500ms"])?;
    agent.expect(&["2 of 2 endpoints are as expected"])?;
    // Resets one connection, and no more.
    nft("add table ip once
add chain ip once out { type filter hook output priority 0; }
add rule ip once out tcp dport 1433 tcp flags syn limit rate 1/hour burst 1 packets counter reject with tcp reset")?;
    let line = agent.line_within(Duration::from_millis(1_500));
    ensure!(line.is_none(), "it reported {line:?}");
    ensure!(nft_counters()?.contains("counter packets 1 "), "no packet was reset");
    let ended = agent.interrupt()?;
    ensure!(ended.rest.contains(": 0 changes"), "{}", ended.rest);
    Ok(())
}

fn until_green() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    network.fault(SQL_SILENT)?;
    let file = network.path("after.json");
    let agent = network.watch(&[
        "--interval",
        "300ms",
        "--timeout",
        "500ms",
        "--until",
        "green",
        "-o",
        &file,
    ])?;
    agent.expect(&["1 of 2 endpoints are as expected"])?;
    agent.expect(&["  sql.example:1433 blocked tcp-timeout"])?;
    network.repair()?;
    let ended = agent.end()?;
    ensure!(ended.status == Some(0), "{:?}", ended.status);
    ensure!(
        ended
            .rest
            .ends_with("exit 0: green: every required endpoint is reachable or degraded"),
        "{}",
        ended.rest
    );
    let report: Report = serde_json::from_str(&fs::read_to_string(file)?)?;
    ensure!(report.complete && report.summary.reachable == 2, "{:?}", report.summary);
    Ok(())
}

fn until_change() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    let flags = [
        "--interval",
        "200ms",
        "--timeout",
        "500ms",
        "--until",
        "change",
        "--format",
        "jsonl",
    ];
    let agent = network.watch(&flags)?;
    thread::sleep(Duration::from_millis(800));
    network.fault(SQL_SILENT)?;
    let ended = agent.end()?;
    ensure!(ended.status == Some(0), "{:?}", ended.status);
    let change: Value = serde_json::from_str(&ended.rest).context("one change and nothing else")?;
    let expected = serde_json::json!({ "schema": "apim-probe/change/v1", "id": "service/sql.example:1433",
        "from": { "verdict": "reachable", "cause": null }, "to": { "verdict": "blocked", "cause": "tcp-timeout" } });
    for (key, value) in expected.as_object().into_iter().flatten() {
        ensure!(change[key] == *value, "{key} is {}", change[key]);
    }
    ensure!(
        change["round"].as_u64() > Some(1) && change["at"].is_string(),
        "{change}"
    );
    ensure!(ended.stderr.contains("exit 0: something changed"), "{}", ended.stderr);
    Ok(())
}

fn for_duration() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    let quick = ["--interval", "200ms", "--timeout", "500ms", "--for", "1s"];
    let over = |flags: &[&str]| -> Result<(Option<i32>, String)> {
        let ended = network.watch(&[&quick, flags].concat())?.end()?;
        Ok((ended.status, ended.rest.lines().last().unwrap_or_default().to_owned()))
    };
    ensure!(over(&[])? == (Some(0), "exit 0: finished after 1 s".into()));
    let unchanged = over(&["--until", "change"])?;
    ensure!(
        unchanged == (Some(1), "exit 1: timed out after 1 s; nothing changed".into()),
        "{unchanged:?}"
    );
    network.fault(SQL_SILENT)?;
    let red = over(&["--until", "green"])?;
    ensure!(
        red == (Some(1), "exit 1: timed out after 1 s; still blocked: A service".into()),
        "{red:?}"
    );
    Ok(())
}

fn baseline() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    let file = network.path("before.json");
    let run = network.command("run", &["--quiet", "-o", &file])?.output()?;
    ensure!(run.status.success());
    network.fault(SQL_SILENT)?;
    let quick = ["--interval", "300ms", "--timeout", "500ms"];
    let agent = network.watch(&[&quick[..], &["--baseline", &file]].concat())?;
    agent.expect(&["1 endpoint differs from the baseline of "])?;
    agent.expect(&["  sql.example:1433 reachable -> blocked tcp-timeout"])?;
    network.repair()?;
    agent.expect(&[
        "sql.example:1433 blocked tcp-timeout -> reachable, after ",
        "; as in the baseline",
    ])?;
    ensure!(agent.interrupt()?.rest.contains("no difference from the baseline"));

    let report = fs::read_to_string(&file)?;
    for (name, text, said) in [
        (
            "china.json",
            report.replace("\"cloud\": \"public\"", "\"cloud\": \"china\""),
            "from the china cloud",
        ),
        (
            "plan.json",
            "{ \"schema\": \"apim-probe/plan/v1\" }".to_owned(),
            "not a report",
        ),
        ("half.json", report[..report.len() / 2].to_owned(), "not JSON"),
    ] {
        let file = network.write(name, &text)?;
        let refused = network.watch(&["--baseline", &file])?.end()?;
        ensure!(
            refused.status == Some(2) && refused.stderr.contains(said),
            "{name}: {}",
            refused.stderr
        );
    }
    Ok(())
}

fn full_rounds_only() -> Result<()> {
    // The second name server gives another answer, which only full rounds detect, and which is no change in light
    // rounds.
    let network =
        "{ name_servers: [ { address: 10.2.0.10 }, { address: 10.2.0.11, names: { web.example: { rcode: 3 } } } ],
  services: { 'cut.example:443': { abort: { after: first-bytes, with: reset } } } }";
    let network = TestNetwork::start(
        "{ host: web.example, port: 443, protocol: https }
{ host: cut.example, port: 443, protocol: https }",
        network,
    )?;
    nft("add table ip count
add chain ip count out { type filter hook output priority 0; }
add rule ip count out ip daddr 10.2.0.10 udp dport 53 counter comment \"first\"
add rule ip count out ip daddr 10.2.0.11 udp dport 53 counter comment \"second\"
add rule ip count out ip daddr 192.0.2.1 ct state new counter comment \"control\"")?;
    let ended = network
        .watch(&["--interval", "200ms", "--timeout", "1500ms", "--for", "6s"])?
        .end()?;
    ensure!(
        ended.rest.contains("web.example:443 degraded") && ended.rest.contains(": 0 changes"),
        "{}",
        ended.rest
    );
    let counters = nft_counters()?;
    let count = |comment: &str| -> Result<u64> {
        let line = counters
            .lines()
            .find(|line| line.contains(&format!("\"{comment}\"")))
            .context("no counter")?;
        let packets = line.split("packets ").nth(1).and_then(|rest| rest.split(' ').next());
        Ok(packets.context("no packets")?.parse()?)
    };
    let (first, second) = (count("first")?, count("second")?);
    ensure!(first > 20, "{first} queries in many rounds");
    // Two names in the first round, in its second probe of both, and in the last round.
    ensure!(
        (6..=8).contains(&second),
        "{second} queries to the second server\n{counters}"
    );
    ensure!(
        (2..=4).contains(&count("control")?),
        "two controls, whose SYNs may be repeated once\n{counters}"
    );
    Ok(())
}

fn leaks_nothing() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    let agent = network.watch(&["--interval", "5ms", "--timeout", "500ms"])?;
    agent.expect(&["2 of 2 endpoints are as expected"])?;
    let descriptors = || -> Result<usize> { Ok(fs::read_dir(format!("/proc/{}/fd", agent.id()))?.count()) };
    let mut most = [0, 0];
    for half in &mut most {
        for _ in 0..20 {
            thread::sleep(Duration::from_millis(50));
            *half = descriptors()?.max(*half);
        }
    }
    ensure!(most[1] <= most[0] + 2, "descriptors: {most:?}");
    let ended = agent.interrupt()?;
    let rounds = ended.rest.split(" in ").nth(1).and_then(|rest| rest.split(' ').next());
    ensure!(rounds.context("no rounds")?.parse::<u32>()? > 50, "{}", ended.rest);
    Ok(())
}

/// Adds nftables rules in the VM.
fn nft(rules: &str) -> Result<()> {
    for rule in rules.lines() {
        let done = std::process::Command::new("nft").arg(rule).output()?;
        ensure!(
            done.status.success(),
            "{rule}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
    Ok(())
}

fn nft_counters() -> Result<String> {
    let listed = std::process::Command::new("nft").args(["list", "ruleset"]).output()?;
    Ok(String::from_utf8(listed.stdout)?)
}
