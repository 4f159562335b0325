//! What is sent in a healthy network.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use anyhow::ensure;
use apim_probe_lab::network::IpProtocol;

use super::{AgentTest, json, list};

pub(super) const TESTS: &[AgentTest] = &[AgentTest {
    name: "traffic/healthy-run-makes-one-connection-per-address-and-one-query-per-name",
    catalog: None,
    network: || "link: { count_flows: true }".to_owned(),
    check: |vm| {
        let report = json(&vm.output("run", &["--format", "json", "--allow-untested"])?)?;
        let (mut connections, mut hosts) = (BTreeMap::<(Ipv4Addr, u64), usize>::new(), BTreeSet::new());
        let mut servers = 0;
        for row in list(&report, "endpoints") {
            ensure!(row["flows"].is_null(), "{}: {}", row["id"], row["flows"]);
            if !row["stages"]["dns"].is_null() {
                hosts.insert(row["host"].as_str().unwrap_or_default());
            }
            servers += usize::from(row["protocol"] == "dns" && row["transport"] == "udp");
            for connection in list(&row["stages"], "tcp") {
                let address = connection["address"].as_str().unwrap_or_default().parse()?;
                let port = row["port"].as_u64().unwrap_or_default();
                *connections.entry((address, port)).or_default() += 1;
            }
        }
        ensure!(connections.len() > 30 && hosts.len() > 20, "{connections:?} {hosts:?}");
        let mut questions = 0;
        for flow in vm.lab.flows() {
            let (address, port) = flow.destination;
            match flow.transport {
                IpProtocol::Tcp => {
                    let left = connections.get_mut(&(address, port.into()));
                    let left = left.filter(|left| **left > 0);
                    ensure!(left.is_some(), "one connection more than planned: {flow:?}");
                    if let Some(left) = left {
                        *left -= 1;
                    }
                }
                IpProtocol::Udp => {
                    ensure!(flow.out == 1 && flow.back == 1, "queried more than once: {flow:?}");
                    questions += usize::from(port == 53);
                }
            }
        }
        ensure!(connections.values().all(|left| *left == 0), "{connections:?}");
        let requests = hosts.len() + servers;
        ensure!(
            questions == requests,
            "{questions} questions for {requests} names and servers"
        );
        Ok(())
    },
}];
