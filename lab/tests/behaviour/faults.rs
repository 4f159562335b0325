//! What the network does to packets, shown as errno, ICMP error and sender.

use std::{net::Ipv4Addr, os::fd::AsRawFd, time::Duration};

use anyhow::{Result, ensure};
use apim_probe_lab::{Lab, ROUTER, VM, network::LabNetwork};

use super::{
    LabTest,
    clients::{ConnectResult, attempt, icmp_error, knock, open, time},
    test, test_with_nft,
};

const SECOND: Duration = Duration::from_secs(1);

fn expect(to: &str, wanted: &ConnectResult) -> Result<()> {
    let got = attempt(to, SECOND)?;
    ensure!(got == *wanted, "{to}: {got:?}, expected {wanted:?}");
    Ok(())
}

fn icmp(errno: i32, kind: u8, code: u8, from: Ipv4Addr) -> ConnectResult {
    ConnectResult::Failed(errno, Some((kind, code, from)))
}

pub(crate) const TESTS: &[LabTest] = &[
    test(
        "faults::drop_affects_one_port_only",
        "services: { '20.0.0.1:443': { protocol: tcp }, '20.0.0.1:1433': { protocol: tcp } }
faults: [ { to: '20.0.0.1:1433', action: drop } ]",
        |_| {
            expect("20.0.0.1:443", &ConnectResult::Open)?;
            expect("20.0.0.1:1433", &ConnectResult::Silent)
        },
    ),
    test(
        "faults::drop_for_any_address",
        "services: { '20.0.0.1:443': { protocol: tcp }, '20.0.0.2:443': { protocol: tcp } }
faults: [ { to: '*:443', action: drop } ]",
        |_| {
            expect("20.0.0.1:443", &ConnectResult::Silent)?;
            expect("20.0.0.2:443", &ConnectResult::Silent)
        },
    ),
    test("faults::port_without_a_listener_resets", "{}", |_| {
        expect("20.0.0.1:443", &ConnectResult::Failed(libc::ECONNREFUSED, None))
    }),
    test("faults::unassigned_address_does_not_reply", "{}", |_| {
        expect("192.0.2.1:443", &ConnectResult::Silent)
    }),
    test(
        "faults::prohibited_and_unreachable_need_no_nftables",
        "faults: [ { to: '20.0.0.1', action: prohibited }, { to: '20.0.0.0/30:80', action: unreachable } ]",
        |_| {
            expect("20.0.0.1:443", &icmp(libc::EHOSTUNREACH, 3, 13, ROUTER))?;
            expect("20.0.0.2:80", &icmp(libc::ENETUNREACH, 3, 0, ROUTER))
        },
    ),
    test_with_nft(
        "faults::icmp_codes_come_from_the_router_for_tcp_and_udp",
        "faults:
  - { to: '20.0.0.1:443', action: { icmp: 13 } }
  - { to: '20.0.0.2:443', action: { icmp: 10 } }
  - { to: '20.0.0.3:443', action: { icmp: 3 } }
  - { to: '20.0.0.4:123/udp', action: { icmp: 13 } }",
        |_| {
            expect("20.0.0.1:443", &icmp(libc::EHOSTUNREACH, 3, 13, ROUTER))?;
            expect("20.0.0.2:443", &icmp(libc::EHOSTUNREACH, 3, 10, ROUTER))?;
            expect("20.0.0.3:443", &icmp(libc::ECONNREFUSED, 3, 3, ROUTER))?;
            let socket = knock("20.0.0.4:123")?;
            ensure!(socket.recv(&mut [0; 1]).is_err());
            ensure!(icmp_error(socket.as_raw_fd()) == Some((3, 13, ROUTER)));
            Ok(())
        },
    ),
    test_with_nft(
        "faults::icmp_has_no_rate_limit_by_default",
        "faults: [ { to: '20.0.0.0/24:443', action: { icmp: 13 } } ]",
        |_| {
            for host in 1..60 {
                expect(&format!("20.0.0.{host}:443"), &icmp(libc::EHOSTUNREACH, 3, 13, ROUTER))?;
            }
            Ok(())
        },
    ),
    test_with_nft(
        "faults::icmp_rate_limit_leaves_most_connections_unanswered",
        "icmp_rate_limit: true
faults: [ { to: '20.0.0.0/24:443', action: { icmp: 13 } } ]",
        |_| {
            let attempts = (1..30).map(|host| attempt(&format!("20.0.0.{host}:443"), Duration::from_millis(20)));
            let silent = attempts
                .filter(|attempt| matches!(attempt, Ok(ConnectResult::Silent)))
                .count();
            ensure!((10..29).contains(&silent), "{silent} of 29 were silent");
            Ok(())
        },
    ),
    test_with_nft(
        "faults::reset_comes_from_the_destination",
        "services: { '20.0.0.1:443': { protocol: tcp } }
faults: [ { to: '20.0.0.1:443', action: reset } ]",
        |_| expect("20.0.0.1:443", &ConnectResult::Failed(libc::ECONNREFUSED, None)),
    ),
    test_with_nft(
        "faults::ttl_exceeded_comes_from_the_router",
        "faults: [ { to: '20.0.0.1:443', action: ttl-exceeded } ]",
        |_| expect("20.0.0.1:443", &icmp(libc::EHOSTUNREACH, 11, 0, ROUTER)),
    ),
    test(
        "faults::dead_next_hop_is_reported_by_the_vm_after_3_s",
        "faults: [ { to: '20.0.0.1', action: dead-next-hop } ]",
        |_| {
            let (got, took) = time(|| attempt("20.0.0.1:443", 5 * SECOND))?;
            ensure!(got == icmp(libc::EHOSTUNREACH, 3, 1, VM), "{got:?}");
            ensure!(took > 2 * SECOND, "{took:?}");
            Ok(())
        },
    ),
    test(
        "faults::local_routes_fail_at_once",
        "faults:
  - { to: '20.0.0.1', action: local-prohibit }
  - { to: '20.0.0.2', action: local-unreachable }
  - { to: '20.0.0.3', action: local-blackhole }",
        |_| {
            expect("20.0.0.1:443", &ConnectResult::Failed(libc::EACCES, None))?;
            expect("20.0.0.2:443", &ConnectResult::Failed(libc::EHOSTUNREACH, None))?;
            expect("20.0.0.3:443", &ConnectResult::Failed(libc::EINVAL, None))
        },
    ),
    test_with_nft(
        "faults::local_reject_comes_from_the_vm_address",
        "faults: [ { to: '20.0.0.1:443', action: local-reject }, { to: '20.0.0.2:443', action: local-drop } ]",
        |_| {
            expect("20.0.0.1:443", &icmp(libc::EHOSTUNREACH, 3, 13, VM))?;
            expect("20.0.0.2:443", &ConnectResult::Silent)
        },
    ),
    test(
        "faults::added_and_lifted_while_services_run",
        "services: { '20.0.0.1:443': { protocol: tcp } }",
        |lab: &Lab| {
            let network = LabNetwork::default();
            let faults = serde_yaml::from_str("[ { to: '20.0.0.1:443', action: drop } ]")?;
            open("20.0.0.1:443")?;
            lab.fault(&network, faults)?;
            expect("20.0.0.1:443", &ConnectResult::Silent)?;
            lab.lift_faults()?;
            open("20.0.0.1:443").map(drop)
        },
    ),
];
