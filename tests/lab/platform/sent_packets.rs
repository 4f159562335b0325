//! What leaves the VM in a whole run, packet by packet, compared with what README.md and `list` say in advance.
//!
//! Whatever else the agent sends in future needs a point in README's list and a row in [`LISTED`]: without the row this
//! test fails for the packet, without the point it fails for the row.

mod packet_capture;

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    process::Stdio,
};

use anyhow::{Context, Result, ensure};
use apim_probe_lab::{Lab, LabNetwork, VM};
use serde_json::Value;

use self::packet_capture::{
    CapturedConnection, CapturedTraffic, Destination, question, questions, request, server_name,
};
use super::{AGENT, INSTANCE, TOKEN, network, token_reply};

/// The flags with which each kind of packet is sent.
const FLAGS: [&str; 14] = [
    "--region",
    "westeurope",
    "--set",
    "storage_account=apimst7",
    "--set",
    "sql_server=apirpsql7",
    "--set",
    "event_hub_namespace=apim7eh",
    "--set",
    "redis_host=cache7.redis.cache.windows.net",
    "--set",
    "key_vault=apimkv7",
    "--set",
    "diagnostics_host=diagnostics7.example",
];
/// Linux's default TTL.
const USUAL_TTL: u8 = 64;
const LOGIN: &str = "login.microsoftonline.com";
const MANAGEMENT: &str = "management.azure.com";
const METADATA: Destination = (Ipv4Addr::new(169, 254, 169, 254), 80);
const PLATFORM: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);
/// The management endpoint in this lab.
const MANAGED: Ipv4Addr = Ipv4Addr::new(20, 70, 0, 1);
const TEST_NET_1: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const NAME_SERVERS: [Ipv4Addr; 2] = [Ipv4Addr::new(10, 2, 0, 10), Ipv4Addr::new(10, 2, 0, 11)];

/// One thing that was sent to a host.
#[derive(Debug)]
enum SentMessage {
    /// A DNS query.
    DnsQuery { server: Ipv4Addr, name: String },
    /// A `ClientHello`; the name is empty if it has none.
    ClientHello { to: Destination, name: String },
    /// An HTTP request.
    HttpRequest {
        to: Destination,
        line: String,
        host: String,
        agent: String,
    },
    /// Other bytes over TCP.
    Bytes { to: Destination, bytes: Vec<u8> },
    /// A connection without data, and the MSS of its SYN.
    Connection { to: Destination, segments: u16 },
    /// A connection with packets that reach the first hops only, and their lowest TTL.
    LowTtl { to: Destination, ttl: u8 },
    /// Any datagram that is not a DNS query.
    Datagram { to: Destination, bytes: Vec<u8> },
}

/// What may be sent: a phrase of its point in README's list, and how it is recognised.
struct DocumentedTraffic {
    readme: &'static str,
    is: fn(&SentMessage, &ProbePlan) -> bool,
}

const LISTED: &[DocumentedTraffic] = &[
    DocumentedTraffic {
        readme: "DNS queries for the plan's names",
        is: |said, plan| matches!(said, SentMessage::DnsQuery { server, name } if NAME_SERVERS.contains(server) && plan.names(name)),
    },
    DocumentedTraffic {
        readme: "asked for the cloud's login host",
        is: |said, _| matches!(said, SentMessage::DnsQuery { server, name } if NAME_SERVERS.contains(server) && name == LOGIN),
    },
    DocumentedTraffic {
        readme: "one TCP connection to each address of each planned endpoint",
        is: |said, plan| matches!(said, SentMessage::Connection { to, .. } if plan.is_at(*to, "tcp")),
    },
    DocumentedTraffic {
        readme: "TLS ClientHellos that carry the planned host's name",
        is: |said, plan| matches!(said, SentMessage::ClientHello { to, name } if plan.hosts_at(*to).contains(name)),
    },
    DocumentedTraffic {
        readme: "one `GET`",
        is: |said, plan| {
            matches!(said, SentMessage::HttpRequest { to, line, host, agent } if line.starts_with("GET /")
                && agent.starts_with("apim-probe/") && plan.hosts_at(*to).contains(host))
        },
    },
    DocumentedTraffic {
        readme: "SQL: a TDS PRELOGIN and a TLS handshake inside it",
        is: |said, plan| {
            plan.protocol(said, "tds", |bytes, host| {
                inside_tds(bytes).is_none_or(|name| name == host)
            })
        },
    },
    DocumentedTraffic {
        readme: "the AMQP header",
        is: |said, plan| plan.protocol(said, "amqp", |bytes, _| bytes.starts_with(b"AMQP\x02\x01\0\0")),
    },
    DocumentedTraffic {
        readme: "Redis: one",
        is: |said, plan| plan.protocol(said, "redis", |bytes, host| server_name(bytes).as_deref() == Some(host)),
    },
    DocumentedTraffic {
        readme: "KMS: a DCE/RPC bind",
        is: |said, plan| plan.protocol(said, "kms", |bytes, _| bytes.starts_with(&[5, 0, 11])),
    },
    DocumentedTraffic {
        readme: "NTP: one query",
        is: |said, plan| {
            matches!(said, SentMessage::Datagram { to, bytes } if plan.is_at(*to, "udp") && to.1 == 123
                && bytes.len() == 48 && bytes[0] == 0x23 && bytes[1..40].iter().all(|byte| *byte == 0))
        },
    },
    DocumentedTraffic {
        readme: "SMB: a NEGOTIATE on port 445",
        is: |said, plan| plan.protocol(said, "smb", |bytes, _| bytes.get(4..8) == Some(b"\xfeSMB")),
    },
    DocumentedTraffic {
        readme: "segments of 536 bytes",
        is: |said, plan| matches!(said, SentMessage::Connection { to, segments: 536 } if plan.is_at(*to, "tcp")),
    },
    DocumentedTraffic {
        readme: "the same at that address with another name of the plan",
        is: |said, plan| match said {
            SentMessage::ClientHello { to, name } | SentMessage::HttpRequest { to, host: name, .. } => {
                plan.is_at(*to, "tcp") && plan.names(name) && !plan.hosts_at(*to).contains(name)
            }
            _ => false,
        },
    },
    DocumentedTraffic {
        readme: "the same connection to 192.0.2.1",
        is: |said, plan| {
            matches!(said, SentMessage::Connection { to: (TEST_NET_1, port), .. } if plan.has_port(*port))
                && plan.controls.contains("192.0.2.1")
        },
    },
    DocumentedTraffic {
        readme: "one more connection to an endpoint that has answered before",
        is: |said, plan| matches!(said, SentMessage::Connection { to, .. } if plan.is_at(*to, "tcp")),
    },
    DocumentedTraffic {
        readme: "SYNs with a TTL from 1 to 8",
        is: |said, plan| {
            matches!(said, SentMessage::LowTtl { to, ttl: 1..=8 } if plan.is_at(*to, "tcp"))
                && plan.controls.contains("from 1 to 8")
        },
    },
    DocumentedTraffic {
        readme: "Azure's own name server 168.63.129.16",
        is: |said, plan| {
            matches!(said, SentMessage::DnsQuery { server: PLATFORM, name } if plan.names(name))
                && plan.controls.contains("168.63.129.16")
        },
    },
    DocumentedTraffic {
        readme: "the VM's metadata service, 169.254.169.254",
        is: |said, _| matches!(said, SentMessage::HttpRequest { to: METADATA, line, .. } if line.starts_with("GET /metadata/instance?")),
    },
    DocumentedTraffic {
        readme: "the metadata service for a token",
        is: |said, _| {
            matches!(said, SentMessage::HttpRequest { to: METADATA, line, .. }
                if line.starts_with("GET /metadata/identity/oauth2/token?"))
        },
    },
    DocumentedTraffic {
        readme: "to the cloud's management endpoint",
        is: |said, _| match said {
            SentMessage::ClientHello { to, name } => *to == (MANAGED, 443) && name == MANAGEMENT,
            SentMessage::DnsQuery { server, name } => NAME_SERVERS.contains(server) && name == MANAGEMENT,
            _ => false,
        },
    },
];

pub(super) fn are_those_listed() -> Result<()> {
    let points = points_of_readme()?;
    for DocumentedTraffic { readme, .. } in LISTED {
        ensure!(
            points.iter().any(|point| point.contains(readme)),
            "README.md does not list “{readme}”"
        );
    }
    for point in &points {
        ensure!(
            LISTED.iter().any(|listed| point.contains(listed.readme)),
            "nothing of this test is about “{point}”"
        );
    }

    let vm = RecordedVm::make()?;
    is_one_place(&vm)?;
    let before = vm.lab.sent().len();
    let mut run = vm.agent("run")?;
    run.args(["--timeout", "2s", "--format", "json", "--ca-file"])
        .arg(vm.lab.ca_file()?);
    let output = run.output()?;
    let report: Value =
        serde_json::from_slice(&output.stdout).with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())?;
    ensure!(report["complete"] == true);
    let said = sent_since(&vm, before)?;
    let low_ttl = low_ttl(&said);
    ensure!(low_ttl.len() <= 4, "small times to live to {low_ttl:?}");
    let mut ports = BTreeSet::new();
    for one in &said {
        if let SentMessage::Connection {
            to: (TEST_NET_1, port), ..
        } = one
        {
            ensure!(ports.insert(*port), "two connections to {TEST_NET_1}:{port}");
        }
    }
    for DocumentedTraffic { readme, is } in LISTED {
        ensure!(
            said.iter().any(|one| is(one, &vm.plan)),
            "the run did nothing of “{readme}”"
        );
    }
    Ok(())
}

/// `path` sends to one host what a run sends to all, and nothing to others.
fn is_one_place(vm: &RecordedVm) -> Result<()> {
    const TARGET: &str = "partner.hip.live.com";
    let before = vm.lab.sent().len();
    let mut path = vm.agent("path")?;
    path.args(["--timeout", "1s", "--ca-file"]).arg(vm.lab.ca_file()?);
    let output = path.arg(format!("{TARGET}:443")).output()?;
    ensure!(
        output.status.code() == Some(1),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said = sent_since(vm, before)?;
    ensure!(!low_ttl(&said).is_empty(), "no small time to live");
    let requests = [MANAGEMENT, TARGET, LOGIN];
    for one in &said {
        let is_there = |to: &Destination| vm.plan.hosts_at(*to).contains(TARGET) || *to == METADATA || to.0 == MANAGED;
        let is_expected = match one {
            SentMessage::DnsQuery { name, .. } => requests.contains(&name.as_str()),
            SentMessage::ClientHello { to, name } => is_there(to) && requests.contains(&name.as_str()),
            SentMessage::Connection { to, .. } => is_there(to) || to.0 == TEST_NET_1,
            SentMessage::HttpRequest { to, .. }
            | SentMessage::Bytes { to, .. }
            | SentMessage::LowTtl { to, .. }
            | SentMessage::Datagram { to, .. } => is_there(to),
        };
        ensure!(is_expected, "path to {TARGET}: {one:02x?}");
    }
    Ok(())
}

/// The destinations of packets with a low TTL.
fn low_ttl(said: &[SentMessage]) -> BTreeSet<Destination> {
    let low_ttl = said.iter().filter_map(|one| match one {
        SentMessage::LowTtl { to, .. } => Some(*to),
        _ => None,
    });
    low_ttl.collect()
}

/// Everything sent after this many frames; fails if anything is not listed.
fn sent_since(vm: &RecordedVm, before: usize) -> Result<Vec<SentMessage>> {
    let seen = CapturedTraffic::read(&vm.lab.sent()[before..], VM);
    ensure!(seen.forged.is_empty(), "packets in another's name: {:?}", seen.forged);
    ensure!(seen.odd.is_empty(), "frames of another kind: {:02x?}", seen.odd.first());
    // The kernel's own answers to packets that arrive too late.
    let strange = seen
        .others
        .iter()
        .find(|(protocol, to)| *protocol != 1 || !(vm.plan.knows(*to) || *to == PLATFORM || NAME_SERVERS.contains(to)));
    ensure!(strange.is_none(), "IP protocol and destination: {strange:?}");
    let said = everything(seen)?;
    for one in &said {
        ensure!(
            LISTED.iter().any(|listed| (listed.is)(one, &vm.plan)),
            "not listed: {one:02x?}"
        );
    }
    Ok(said)
}

/// The points of README's list.
fn points_of_readme() -> Result<Vec<String>> {
    let readme = include_str!("../../../README.md");
    let (_, section) = readme
        .split_once("## What your security team will see")
        .context("no such section")?;
    let (section, _) = section
        .split_once("\n\n`apim-probe list` prints")
        .context("no end of the list")?;
    let points: Vec<String> = section
        .split("\n- ")
        .skip(1)
        .map(|point| point.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    ensure!(points.len() > 8, "{points:?}");
    Ok(points)
}

/// The content of the frames.
fn everything(seen: CapturedTraffic) -> Result<Vec<SentMessage>> {
    let mut said = Vec::new();
    for (to, bytes) in seen.datagrams {
        said.push(match question(&bytes).filter(|_| to.1 == 53) {
            Some(name) => SentMessage::DnsQuery { server: to.0, name },
            None => SentMessage::Datagram { to, bytes },
        });
    }
    for CapturedConnection {
        to,
        segments,
        ttl,
        bytes,
    } in seen.connections
    {
        if ttl < USUAL_TTL {
            said.push(SentMessage::LowTtl { to, ttl });
        }
        if segments == 536 || bytes.is_empty() {
            said.push(SentMessage::Connection { to, segments });
        }
        if bytes.is_empty() {
            continue;
        }
        if to.1 == 53 {
            let names = questions(&bytes).with_context(|| format!("no DNS to {to:?}: {bytes:02x?}"))?;
            said.extend(
                names
                    .into_iter()
                    .map(|name| SentMessage::DnsQuery { server: to.0, name }),
            );
        } else if let Some(name) = server_name(&bytes) {
            said.push(SentMessage::ClientHello { to, name });
        } else if let Some((line, host, agent)) = request(&bytes) {
            said.push(SentMessage::HttpRequest { to, line, host, agent });
        } else {
            said.push(SentMessage::Bytes { to, bytes });
        }
    }
    Ok(said)
}

/// The name in the `ClientHello` that follows a PRELOGIN, each in packets of their own (MS-TDS 2.2.3.1).
fn inside_tds(bytes: &[u8]) -> Option<String> {
    let length = usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]));
    server_name(bytes.get(length + 8..)?)
}

/// The output of `list`, with the addresses of this network.
struct ProbePlan {
    endpoints: Vec<ProbeEndpoint>,
    controls: String,
}

struct ProbeEndpoint {
    host: String,
    addresses: Vec<Ipv4Addr>,
    port: u16,
    transport: String,
    protocol: String,
}

impl ProbePlan {
    fn read(list: &Value, network: &LabNetwork) -> Self {
        let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let rows = list["endpoints"].as_array().map(Vec::as_slice).unwrap_or_default();
        let endpoints = rows
            .iter()
            .filter(|row| row["testable"] == true)
            .map(|row| ProbeEndpoint {
                host: text(row, "host"),
                addresses: network
                    .addresses(&text(row, "host"))
                    .into_iter()
                    .filter_map(|address| match address {
                        IpAddr::V4(address) => Some(address),
                        IpAddr::V6(_) => None,
                    })
                    .collect(),
                port: row["port"]
                    .as_u64()
                    .and_then(|port| port.try_into().ok())
                    .unwrap_or_default(),
                transport: text(row, "transport"),
                protocol: text(row, "protocol"),
            });
        Self {
            endpoints: endpoints.collect(),
            controls: list["controls"].to_string(),
        }
    }

    fn names(&self, name: &str) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.host == name)
    }

    fn has_port(&self, port: u16) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.port == port)
    }

    fn knows(&self, address: Ipv4Addr) -> bool {
        NAME_SERVERS.contains(&address)
            || address == PLATFORM
            || self
                .endpoints
                .iter()
                .any(|endpoint| endpoint.addresses.contains(&address))
    }

    fn at(&self, to: Destination) -> impl Iterator<Item = &ProbeEndpoint> {
        self.endpoints
            .iter()
            .filter(move |endpoint| endpoint.port == to.1 && endpoint.addresses.contains(&to.0))
    }

    fn is_at(&self, to: Destination, transport: &str) -> bool {
        self.at(to).any(|endpoint| endpoint.transport == transport)
    }

    fn hosts_at(&self, to: Destination) -> BTreeSet<String> {
        self.at(to).map(|endpoint| endpoint.host.clone()).collect()
    }

    /// Whether these are the first bytes of a protocol that is planned there.
    fn protocol(&self, said: &SentMessage, protocol: &str, so: fn(&[u8], &str) -> bool) -> bool {
        let is_so = |to: Destination, bytes: &[u8]| {
            self.at(to)
                .any(|endpoint| endpoint.protocol == protocol && so(bytes, &endpoint.host))
        };
        match said {
            SentMessage::Bytes { to, bytes } => is_so(*to, bytes),
            SentMessage::ClientHello { to, name } if protocol == "redis" => self
                .at(*to)
                .any(|endpoint| endpoint.protocol == "redis" && endpoint.host == *name),
            _ => false,
        }
    }
}

/// An Azure VM, with an instance to query, and a fault of every kind that makes the agent send more.
struct RecordedVm {
    lab: Lab,
    plan: ProbePlan,
    ids: String,
}

impl RecordedVm {
    fn make() -> Result<Self> {
        let reply = token_reply(&TOKEN.join("."));
        let compute = r#"{"azEnvironment":"AzurePublicCloud","location":"westeurope"}"#;
        let interface = r#"{"ipv4":{"ipAddress":[{"privateIpAddress":"10.1.0.4"}],"subnet":[{"address":"10.1.0.0","prefix":"24"}]}}"#;
        let deviations = network(&format!(
            "link: {{ record_frames: true }}
name_servers: [ {{ address: 10.2.0.10 }}, {{ address: 10.2.0.11, udp: truncated }}, {{ address: {PLATFORM}, not_in_resolv_conf: true }} ]
names:
  {MANAGEMENT}: {{ addresses: [{MANAGED}] }}
  go.microsoft.com: {{ rcode: 3 }}
services:
  '169.254.169.254:80':
    protocol: http
    http:
      status: 404
      paths:
        /metadata/instance: {{ body: '{{\"compute\":{compute},\"network\":{{\"interface\":[{interface}]}}}}' }}
        {reply}
  '{MANAGEMENT}:443': {{ protocol: https, http: {{ body: '{{\"value\":[]}}' }} }}
  'wdcp.microsoft.com:443': {{ abort: {{ after: first-bytes, with: reset }} }}
  'crl3.digicert.com:80': {{ script: [ read, {{ end: silence }} ] }}
  'fe2.update.microsoft.com:443': {{ script: [ read, {{ end: silence }} ] }}
faults:
  - {{ to: 'apimst7.blob.core.windows.net:443', action: drop, when: {{ nth_flow: [1] }} }}
  - {{ to: 'time.windows.com:123/udp', action: drop }}
  - {{ to: 'partner.hip.live.com:443', action: drop }}"
        ))?;
        let lab = Lab::enter(&deviations)?;
        let all = lab
            .agent(AGENT)?
            .args(["list", "--no-metadata", "--format", "json"])
            .args(FLAGS)
            .output()?;
        let all: Value = serde_json::from_slice(&all.stdout).context("list")?;
        let rows = all["endpoints"].as_array().context("no endpoints")?;
        let ids: BTreeSet<&str> = rows.iter().filter_map(|row| row["dependency"].as_str()).collect();
        let ids = ids.into_iter().collect::<Vec<_>>().join(",");
        let flags = [&FLAGS[..], &["--no-metadata", "--only", &ids]].concat();
        let whole = lab.serve_plan(AGENT, flags, &deviations)?;
        let mut vm = Self {
            lab,
            plan: ProbePlan {
                endpoints: Vec::new(),
                controls: String::new(),
            },
            ids,
        };
        let listed = vm.agent("list")?.args(["--format", "json"]).output()?;
        let list = serde_json::from_slice(&listed.stdout)
            .with_context(|| String::from_utf8_lossy(&listed.stderr).into_owned())?;
        vm.plan = ProbePlan::read(&list, &whole);
        Ok(vm)
    }

    /// A command of the agent for the whole plan.
    fn agent(&self, command: &str) -> Result<std::process::Command> {
        let mut agent = self.lab.agent(AGENT)?;
        agent
            .arg(command)
            .args(FLAGS)
            .args(["--only", &self.ids, "--service", INSTANCE]);
        agent
            .arg("--management-ca-file")
            .arg(self.lab.ca_file()?)
            .stdin(Stdio::null());
        Ok(agent)
    }
}
