//! `path`: the output for one target.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use apim_probe_lab::{Forbidden, Lab, LabNetwork};
use libtest_mimic::Trial;

use super::{AGENT, trial};

/// A network, the target, and the expected output.
struct PathCase {
    name: &'static str,
    network: &'static str,
    target: &'static str,
    exit: i32,
    expected: &'static [&'static str],
    unexpected: &'static [&'static str],
}

const CATALOG: &str = "schema: 1
source: { title: t, url: 'https://example.com', documented: 2026-01-01 }
clouds: { public: { login: login.example } }
dependencies:
  - id: sql
    title: A database
    need: required
    service_tag: Sql
    impact: nothing is kept
    endpoints:
      - { host: sql.example, port: 1433, protocol: tds }
      - { host: '*.wild.example', port: 1433, protocol: tds }
  - id: time
    title: A clock
    need: required
    impact: nothing is on time
    endpoints:
      - { host: time.example, port: 123, protocol: ntp, transport: udp }
  - id: web
    title: A page
    need: feature
    feature: pages
    impact: nothing is shown
    endpoints:
      - { host: web.example, ports: [443, 80], protocols: [https, http] }
";

const CASES: &[PathCase] = &[
    PathCase {
        name: "drop-behind-hop-1-shows-the-last-hop-that-answers",
        network: "link: { hops: [10.1.9.4, 10.77.2.2] }
faults: [ { to: 'sql.example:1433', action: drop, when: { after_hops: 1 } } ]",
        target: "sql/sql.example:1433",
        exit: 1,
        expected: &[
            "VM 10.1.0.4 -- hop 1 10.1.9.4 --x Sql 1433",
            "10.1.9.4 answers (11/0)",
            "2-8",
            "it or the next hop drops them",
            "exit 1",
        ],
        unexpected: &["10.77.2.2"],
    },
    PathCase {
        name: "reachable-endpoint-shows-every-hop",
        network: "link: { hops: [10.1.9.4, 10.77.2.2] }",
        target: "web.example:443",
        exit: 0,
        expected: &[
            "reachable",
            "10.77.2.2 answers (11/0)",
            "accepted",
            "HTTP 200",
            "source port",
            "exit 0: web.example:443 is reachable",
        ],
        unexpected: &["--x", "it drops"],
    },
    PathCase {
        name: "host-with-several-ports-traces-one-and-names-the-others",
        network: "link: { hops: [10.1.9.4] }",
        target: "web.example",
        exit: 0,
        expected: &[
            "web.example:443",
            "notice: this is the path to web.example:443; web.example:80 is also in the plan",
        ],
        unexpected: &[],
    },
    PathCase {
        name: "unplanned-address-is-traced-and-unproven",
        network: "link: { hops: [10.1.9.4] }
services: { '20.7.7.7:8443': { protocol: tcp } }",
        target: "20.7.7.7:8443",
        exit: 3,
        expected: &[
            "unproven",
            "10.1.9.4 answers (11/0)",
            "accepted",
            "the device that accepts is no farther than hop 2",
        ],
        unexpected: &["--x"],
    },
    PathCase {
        name: "one-of-two-parallel-hops-that-drops-is-named",
        network: "link: { hops: [10.0.2.5 or 10.0.2.6] }
faults: [ { to: 'web.example:443', action: drop, when: { after_hops: 1, even_source_ports: true } } ]",
        target: "web/web.example:443",
        exit: 1,
        expected: &[
            "10.0.2.5 ",
            "10.0.2.6 ",
            "onnections over 10.0.2.5 work, connections over 10.0.2.6 do not",
        ],
        unexpected: &[],
    },
    PathCase {
        name: "reset-by-a-middlebox-is-located",
        network: "link: { hops: [10.1.9.4, 10.77.2.2] }
faults: [ { to: 'web.example:443', action: reset, when: { after_hops: 1, packets: data, direction: from-vm } } ]",
        target: "web/web.example:443",
        exit: 1,
        expected: &[
            "The reset comes from hop 2 or nearer",
            "data on a connection",
            "TTL expired at a hop",
            "reset after our ClientHello",
        ],
        unexpected: &[],
    },
    PathCase {
        name: "unresolvable-name-is-blocked",
        network: "{}",
        target: "nobody.example:443",
        exit: 1,
        expected: &["blocked"],
        unexpected: &["hop"],
    },
    PathCase {
        name: "mistyped-endpoint-gets-a-suggestion",
        network: "{}",
        target: "sql/sql.exampl:1433",
        exit: 2,
        expected: &["error: ", "did you mean sql/sql.example:1433?", "apim-probe list"],
        unexpected: &["hop"],
    },
    PathCase {
        name: "port-99999-is-refused",
        network: "{}",
        target: "web.example:99999",
        exit: 2,
        expected: &["the colon must be followed by a port from 1 to 65535"],
        unexpected: &["hop"],
    },
    PathCase {
        name: "reset-by-the-service-is-located",
        network: "link: { hops: [10.1.9.4, 10.77.2.2] }
services: { 'sql.example:1433': { closed: true } }",
        target: "sql.example",
        exit: 1,
        expected: &["reset", "the device that resets is no farther than hop 3"],
        unexpected: &[],
    },
    PathCase {
        name: "proxy-at-the-first-hop-is-named",
        network: "link: { hops: [10.1.9.4] }
firewalls: [ { ports: [1433], after_hops: 0, default_action: { end: reset } } ]",
        target: "sql/sql.example:1433",
        exit: 1,
        expected: &[
            "VM 10.1.0.4 -- proxy here or at hop 1 --x Sql 1433",
            "a proxy on this machine or at the first hop answers instead",
        ],
        unexpected: &["could not try", "could not probe"],
    },
    PathCase {
        name: "nat-that-rewrites-icmp-senders-hides-the-hop",
        network: "link: { hops: [10.1.9.4, 20.77.2.2, 20.77.3.2], nat: { hop: 1, icmp_errors: from-nat } }
faults: [ { to: 'sql.example:1433', action: drop, when: { after_hops: 3 } } ]",
        target: "sql.example",
        exit: 1,
        expected: &[
            "1 10.1.9.4 answers (11/0)",
            "2-3 10.1.9.4* answers (11/0)",
            "* came through a NAT",
            "it or a device beyond it drops them: a NAT hides which device answers",
        ],
        unexpected: &["the next hop drops"],
    },
    PathCase {
        name: "no-route-to-ipv6-exits-4",
        network: "{}",
        target: "[2001:db8::1]:443",
        exit: 4,
        expected: &[
            "blocked 2001:db8::1: this machine has no route to it",
            "exit 4: cannot tell from here",
        ],
        unexpected: &["hop", "source port", "…"],
    },
    PathCase {
        name: "no-route-exits-4",
        network: "faults: [ { to: '20.7.7.7', action: local-unreachable } ]",
        target: "20.7.7.7",
        exit: 4,
        expected: &["no route to 20.7.7.7"],
        unexpected: &["hop"],
    },
    PathCase {
        name: "closed-port-on-loopback-is-a-reset",
        network: "{}",
        target: "127.0.0.1:9",
        exit: 1,
        expected: &["refused with a reset"],
        unexpected: &["--x", "answers instead"],
    },
    PathCase {
        name: "udp-endpoint-is-refused",
        network: "{}",
        target: "time.example",
        exit: 2,
        expected: &["time/time.example:123/udp: only TCP can be traced"],
        unexpected: &["hop"],
    },
    PathCase {
        name: "udp-port-is-refused",
        network: "{}",
        target: "time.example:123",
        exit: 2,
        expected: &["time/time.example:123/udp: only TCP can be traced"],
        unexpected: &["hop"],
    },
    PathCase {
        name: "wildcard-host-is-refused",
        network: "{}",
        target: "*.wild.example:1433",
        exit: 2,
        expected: &["sql/*.wild.example:1433: ", "no host under it is known"],
        unexpected: &["hop"],
    },
    PathCase {
        name: "dependency-is-refused-with-a-suggestion",
        network: "{}",
        target: "sql",
        exit: 2,
        expected: &["sql is a dependency", "did you mean sql/sql.example:1433?"],
        unexpected: &["hop"],
    },
    PathCase {
        name: "port-0-is-refused",
        network: "{}",
        target: "web.example:0",
        exit: 2,
        expected: &["web.example:0: the colon must be followed by a port from 1 to 65535"],
        unexpected: &["hop"],
    },
    PathCase {
        name: "url-is-refused",
        network: "{}",
        target: "https://web.example/x",
        exit: 2,
        expected: &["https://web.example/x is a URL"],
        unexpected: &["hop", "port from 1"],
    },
    PathCase {
        name: "ipv6-zone-is-refused",
        network: "{}",
        target: "fe80::1%eth0",
        exit: 2,
        expected: &["fe80::1%eth0 has a zone"],
        unexpected: &["hop", "port from 1"],
    },
    PathCase {
        name: "empty-target-is-refused",
        network: "{}",
        target: "",
        exit: 2,
        expected: &["error: an empty target is neither"],
        unexpected: &["hop"],
    },
    PathCase {
        name: "upper-case-and-final-dot-are-accepted",
        network: "link: { hops: [10.1.9.4] }",
        target: "WEB.example.:443",
        exit: 0,
        expected: &["web.example:443 reachable"],
        unexpected: &[],
    },
];

pub(crate) fn trials(forbidden: Option<&Forbidden>) -> Vec<Trial> {
    CASES
        .iter()
        .map(|case| trial(format!("path/{}", case.name), forbidden))
        .collect()
}

pub(crate) fn run(name: &str) -> Result<()> {
    let case = CASES.iter().find(|case| case.name == name).context("no such test")?;
    let network: LabNetwork = serde_yaml::from_str(case.network).with_context(|| case.network.to_owned())?;
    let lab = Lab::enter(&network)?;
    let catalog = lab.write("probes.yaml", CATALOG)?;
    let plan = ["--no-metadata", "--no-builtin", "--probes"];
    let flags = plan
        .map(Into::into)
        .into_iter()
        .chain([catalog.into_os_string()])
        .collect::<Vec<std::ffi::OsString>>();
    lab.serve_plan(AGENT, &flags, &network)?;
    let output = lab
        .agent(AGENT)?
        .args(["path", case.target, "--timeout", "2s", "--ca-file"])
        .arg(lab.ca_file()?)
        .args(&flags)
        .env("LC_ALL", "C")
        .env_remove("COLUMNS")
        .stdin(Stdio::null())
        .output()?;
    let said = format!(
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    println!("{said}");
    ensure!(
        output.status.code() == Some(case.exit),
        "it ended with {}:\n{said}",
        output.status
    );
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        ensure!(line.chars().count() <= 80, "too long: {line}");
    }
    // Sentences are wrapped over several lines.
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let has = |phrase: &str| words.contains(phrase.trim());
    for phrase in case.expected {
        ensure!(has(phrase), "it does not say “{phrase}”:\n{said}");
    }
    for phrase in case.unexpected {
        ensure!(!has(phrase), "it says “{phrase}”:\n{said}");
    }
    Ok(())
}
