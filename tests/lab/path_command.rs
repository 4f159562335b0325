//! `path`: the path to one address, as a reader sees it.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use apim_probe_lab::{Forbidden, Lab, Network};
use libtest_mimic::Trial;

use super::{AGENT, trial};

/// One network, the command, and the expected output.
struct Look {
    name: &'static str,
    network: &'static str,
    target: &'static str,
    exit: i32,
    says: &'static [&'static str],
    never: &'static [&'static str],
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

const LOOKS: &[Look] = &[
    Look {
        name: "dropped",
        network: "line: { hops: [10.1.9.4, 10.77.2.2] }
faults: [ { to: 'sql.example:1433', does: silence, when: { hop: 1 } } ]",
        target: "sql/sql.example:1433",
        exit: 1,
        says: &[
            "VM 10.1.0.4 -- hop 1 10.1.9.4 --x Sql 1433",
            "10.1.9.4 answers (11/0)",
            "2-8",
            "it or the next hop drops them",
            "exit 1",
        ],
        never: &["10.77.2.2"],
    },
    Look {
        name: "well",
        network: "line: { hops: [10.1.9.4, 10.77.2.2] }",
        target: "web.example:443",
        exit: 0,
        says: &[
            "reachable",
            "10.77.2.2 answers (11/0)",
            "accepted",
            "HTTP 200",
            "source port",
            "exit 0",
        ],
        never: &["--x", "it drops"],
    },
    Look {
        name: "a-host-with-several-ports",
        network: "line: { hops: [10.1.9.4] }",
        target: "web.example",
        exit: 0,
        says: &[
            "web.example:443",
            "notice: this is the path to web.example:443; web.example:80 is also in the plan",
        ],
        never: &[],
    },
    Look {
        name: "an-address-that-nobody-planned",
        network: "line: { hops: [10.1.9.4] }
services: { '20.7.7.7:8443': { speaks: tcp } }",
        target: "20.7.7.7:8443",
        exit: 3,
        says: &[
            "unproven",
            "10.1.9.4 answers (11/0)",
            "accepted",
            "the device that accepts is no farther than hop 2",
        ],
        never: &["--x"],
    },
    Look {
        name: "a-pair",
        network: "line: { hops: [10.0.2.5 or 10.0.2.6] }
faults: [ { to: 'web.example:443', does: silence, when: { hop: 1, even: true } } ]",
        target: "web/web.example:443",
        exit: 1,
        says: &[
            "10.0.2.5 ",
            "10.0.2.6 ",
            "onnections over 10.0.2.5 work, connections over 10.0.2.6 do not",
        ],
        never: &[],
    },
    Look {
        name: "a-reset-from-the-way",
        network: "line: { hops: [10.1.9.4, 10.77.2.2] }
faults: [ { to: 'web.example:443', does: reset, when: { hop: 1, on: data, way: out } } ]",
        target: "web/web.example:443",
        exit: 1,
        says: &[
            "The reset comes from hop 2 or nearer",
            "data on a connection",
            "TTL expired at a hop",
            "reset after our ClientHello",
        ],
        never: &[],
    },
    Look {
        name: "an-unknown-name",
        network: "{}",
        target: "nobody.example:443",
        exit: 1,
        says: &["blocked"],
        never: &["hop"],
    },
    Look {
        name: "no-host",
        network: "{}",
        target: "sql/sql.exampl:1433",
        exit: 2,
        says: &["error: ", "did you mean sql/sql.example:1433?", "apim-probe list"],
        never: &["hop"],
    },
    Look {
        name: "no-port",
        network: "{}",
        target: "web.example:99999",
        exit: 2,
        says: &["the colon must be followed by a port from 1 to 65535"],
        never: &["hop"],
    },
    Look {
        name: "a-closed-port",
        network: "line: { hops: [10.1.9.4, 10.77.2.2] }
services: { 'sql.example:1433': { closed: true } }",
        target: "sql.example",
        exit: 1,
        says: &["reset", "the device that resets is no farther than hop 3"],
        never: &[],
    },
    Look {
        name: "a-proxy",
        network: "line: { hops: [10.1.9.4] }
firewalls: [ { ports: [1433], hop: 0, otherwise: { end: reset } } ]",
        target: "sql/sql.example:1433",
        exit: 1,
        says: &[
            "VM 10.1.0.4 -- proxy here or at hop 1 --x Sql 1433",
            "a proxy on this machine or at the first hop answers instead",
        ],
        never: &["could not try", "could not probe"],
    },
    Look {
        name: "a-nat-that-renames",
        network: "line: { hops: [10.1.9.4, 20.77.2.2, 20.77.3.2], nat: { hop: 1, errors: renamed } }
faults: [ { to: 'sql.example:1433', does: silence, when: { hop: 3 } } ]",
        target: "sql.example",
        exit: 1,
        says: &[
            "1 10.1.9.4 answers (11/0)",
            "2-3 10.1.9.4* answers (11/0)",
            "* came through a NAT",
            "it or a device beyond it drops them: a NAT hides which device answers",
        ],
        never: &["the next hop drops"],
    },
    Look {
        name: "no-route-to-ipv6",
        network: "{}",
        target: "[2001:db8::1]:443",
        exit: 4,
        says: &[
            "blocked 2001:db8::1: this machine has no route to it",
            "exit 4: cannot tell from here",
        ],
        never: &["hop", "source port", "…"],
    },
    Look {
        name: "no-route",
        network: "faults: [ { to: '20.7.7.7', does: local-unreachable } ]",
        target: "20.7.7.7",
        exit: 4,
        says: &["no route to 20.7.7.7"],
        never: &["hop"],
    },
    Look {
        name: "this-machine",
        network: "{}",
        target: "127.0.0.1:9",
        exit: 1,
        says: &["refused with a reset"],
        never: &["--x", "answers instead"],
    },
    Look {
        name: "udp",
        network: "{}",
        target: "time.example",
        exit: 2,
        says: &["time/time.example:123/udp: only TCP can be traced"],
        never: &["hop"],
    },
    Look {
        name: "udp-by-its-port",
        network: "{}",
        target: "time.example:123",
        exit: 2,
        says: &["time/time.example:123/udp: only TCP can be traced"],
        never: &["hop"],
    },
    Look {
        name: "a-wildcard",
        network: "{}",
        target: "*.wild.example:1433",
        exit: 2,
        says: &["sql/*.wild.example:1433: ", "no host under it is known"],
        never: &["hop"],
    },
    Look {
        name: "a-dependency",
        network: "{}",
        target: "sql",
        exit: 2,
        says: &["sql is a dependency", "did you mean sql/sql.example:1433?"],
        never: &["hop"],
    },
    Look {
        name: "port-0",
        network: "{}",
        target: "web.example:0",
        exit: 2,
        says: &["web.example:0: the colon must be followed by a port from 1 to 65535"],
        never: &["hop"],
    },
    Look {
        name: "a-url",
        network: "{}",
        target: "https://web.example/x",
        exit: 2,
        says: &["https://web.example/x is a URL"],
        never: &["hop", "port from 1"],
    },
    Look {
        name: "a-zone",
        network: "{}",
        target: "fe80::1%eth0",
        exit: 2,
        says: &["fe80::1%eth0 has a zone"],
        never: &["hop", "port from 1"],
    },
    Look {
        name: "nothing",
        network: "{}",
        target: "",
        exit: 2,
        says: &["error: an empty target is neither"],
        never: &["hop"],
    },
    Look {
        name: "a-whole-name",
        network: "line: { hops: [10.1.9.4] }",
        target: "WEB.example.:443",
        exit: 0,
        says: &["web.example:443 reachable"],
        never: &[],
    },
];

pub(crate) fn trials(forbidden: Option<&Forbidden>) -> Vec<Trial> {
    LOOKS
        .iter()
        .map(|look| trial(format!("path/{}", look.name), forbidden))
        .collect()
}

pub(crate) fn run(name: &str) -> Result<()> {
    let look = LOOKS.iter().find(|look| look.name == name).context("no such test")?;
    let network: Network = serde_yaml::from_str(look.network).with_context(|| look.network.to_owned())?;
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
        .args(["path", look.target, "--timeout", "2s", "--ca-file"])
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
        output.status.code() == Some(look.exit),
        "it ended with {}:\n{said}",
        output.status
    );
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        ensure!(line.chars().count() <= 80, "too long: {line}");
    }
    // Sentences are wrapped.
    let words = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let has = |phrase: &str| words.contains(phrase.trim());
    for phrase in look.says {
        ensure!(has(phrase), "it does not say “{phrase}”:\n{said}");
    }
    for phrase in look.never {
        ensure!(!has(phrase), "it says “{phrase}”:\n{said}");
    }
    Ok(())
}
