//! What the relay of frames does to packets: by flow, by size, at random, by time, by direction, and hop by hop.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    os::fd::AsRawFd,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use apim_probe_lab::{RelayedFlow, network::IpProtocol};
use nix::sys::socket::{setsockopt, sockopt::Ipv4RecvErr};
use socket2::{Domain, Socket, Type};

use super::{
    LabTest,
    clients::{ConnectResult, ask, attempt, exchange, hear, icmp_error, open, time},
    test,
};

const SECOND: Duration = Duration::from_secs(1);

/// A page of 200 kB, requested over a new connection; how much of it arrived.
fn fetch(stream: &mut TcpStream) -> Result<usize> {
    stream.set_read_timeout(Some(Duration::from_millis(700)))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    Ok(hear(stream).0.len())
}

/// A socket that is not connected yet.
fn fresh() -> std::io::Result<Socket> {
    Socket::new(Domain::IPV4, Type::STREAM, None)
}

fn address(text: &str) -> Result<socket2::SockAddr> {
    Ok(text.parse::<SocketAddr>()?.into())
}

/// The ICMP error that ends a connection attempt with this TTL; `None` if it opens.
fn with_ttl(to: &str, ttl: u32) -> Result<Option<(u8, u8, Ipv4Addr)>> {
    let socket = fresh()?;
    socket.set_ttl_v4(ttl)?;
    setsockopt(&socket, Ipv4RecvErr, &true)?;
    match socket.connect(&address(to)?) {
        Ok(()) => Ok(None),
        Err(_) => icmp_error(socket.as_raw_fd()).map(Some).context("no ICMP error"),
    }
}

/// Whether a connection from this port of the VM opens within a fifth of a second.
fn opens_from(port: u16, to: &str) -> Result<bool> {
    let socket = fresh()?;
    socket.set_reuse_address(true)?;
    // Closed without TIME_WAIT, so that the same port can be used again.
    socket.set_linger(Some(Duration::ZERO))?;
    socket.bind(&address(&format!("0.0.0.0:{port}"))?)?;
    Ok(socket
        .connect_timeout(&address(to)?, Duration::from_millis(200))
        .is_ok())
}

fn expect(to: &str, wanted: &ConnectResult) -> Result<()> {
    let got = attempt(to, SECOND)?;
    ensure!(got == *wanted, "{to}: {got:?}, expected {wanted:?}");
    Ok(())
}

pub(crate) const TESTS: &[LabTest] = &[
    test(
        "relay::unaffected_flow_passes_and_is_counted",
        "link: { count_flows: true }
services: { '20.0.0.1:80': { protocol: http, http: { body_bytes: 3000000 } } }",
        |lab| {
            ensure!(fetch(&mut open("20.0.0.1:80")?)? > 3_000_000);
            let flows = lab.flows();
            let [flow] = flows.as_slice() else {
                anyhow::bail!("{flows:?}")
            };
            ensure!(flow.destination == (Ipv4Addr::new(20, 0, 0, 1), 80) && flow.nth == 1);
            ensure!(flow.transport == IpProtocol::Tcp && flow.back > 2_000, "{flow:?}");
            Ok(())
        },
    ),
    test(
        "relay::dropped_connection_records_every_syn",
        "faults: [ { to: '20.0.0.1:443', action: drop, when: { direction: from-vm } } ]",
        |lab| {
            ensure!(attempt("20.0.0.1:443", 1_500 * SECOND / 1_000)? == ConnectResult::Silent);
            let flows = lab.flows();
            ensure!(
                matches!(flows.as_slice(), [RelayedFlow { out: 2.., back: 0, .. }]),
                "{flows:?}"
            );
            Ok(())
        },
    ),
    test(
        "relay::flow_share_drops_the_same_source_ports_again",
        "services: { '20.0.0.1:443': { protocol: tcp } }
faults: [ { to: '20.0.0.1:443', action: drop, when: { flow_share: 0.5 } } ]",
        |_| {
            let ports = || 20_000..20_012;
            let first: Vec<bool> = ports()
                .map(|port| opens_from(port, "20.0.0.1:443"))
                .collect::<Result<_>>()?;
            let opened = first.iter().filter(|opened| **opened).count();
            ensure!((1..12).contains(&opened), "{opened} of 12 open");
            let second: Vec<bool> = ports()
                .map(|port| opens_from(port, "20.0.0.1:443"))
                .collect::<Result<_>>()?;
            ensure!(first == second, "{first:?} {second:?}");
            Ok(())
        },
    ),
    test(
        "relay::flow_share_drops_udp_by_source_port",
        "services: { 'time.example:123/udp': { protocol: ntp } }
names: { time.example: { addresses: [20.0.0.5] } }
faults: [ { to: 'time.example:123/udp', action: drop, when: { flow_share: 0.5 } } ]",
        |lab| {
            let request = [&[0x23][..], &[0; 47]].concat();
            for _ in 0..12 {
                let _ = exchange("20.0.0.5:123", &request)?;
            }
            let flows = lab.flows();
            let answered = flows.iter().filter(|flow| flow.back > 0).count();
            ensure!(
                flows.len() == 12 && (1..12).contains(&answered),
                "{answered} of {flows:?}"
            );
            Ok(())
        },
    ),
    test(
        "relay::nth_flow_drops_only_the_second_connection",
        "services: { '20.0.0.1:443': { protocol: tcp } }
faults: [ { to: '20.0.0.1:443', action: drop, when: { nth_flow: [2] } } ]",
        |_| {
            expect("20.0.0.1:443", &ConnectResult::Open)?;
            expect("20.0.0.1:443", &ConnectResult::Silent)?;
            expect("20.0.0.1:443", &ConnectResult::Open)
        },
    ),
    test(
        "relay::after_flows_drops_new_connections_only",
        "services: { '20.0.0.1:443': { protocol: tcp }, '20.0.0.2:80': { protocol: http } }
faults: [ { to: '*', action: drop, when: { after_flows: 1 } } ]",
        |_| {
            let mut old = open("20.0.0.2:80")?;
            expect("20.0.0.1:443", &ConnectResult::Silent)?;
            old.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")?;
            ensure!(old.read(&mut [0; 16])? > 0);
            Ok(())
        },
    ),
    test(
        "relay::larger_than_bytes_drops_full_size_packets_only",
        "services: { '20.0.0.1:80': { protocol: http, http: { body_bytes: 200000 } } }
faults: [ { to: '20.0.0.1', action: drop, when: { larger_than_bytes: 1300, direction: to-vm } } ]",
        |_| {
            let usual = fetch(&mut open("20.0.0.1:80")?)?;
            ensure!(usual < 1_300, "{usual}");
            let small = fresh()?;
            small.set_tcp_mss(536)?;
            small.connect(&address("20.0.0.1:80")?)?;
            let came = fetch(&mut small.into())?;
            ensure!(came > 200_000, "{came}");
            Ok(())
        },
    ),
    test(
        "relay::icmp_fragmentation_needed_reduces_the_packet_size",
        "services: { '20.0.0.1:80': { protocol: http, http: { body_bytes: 200000 } } }
faults: [ { to: '20.0.0.1', action: { icmp: 4 }, when: { larger_than_bytes: 1300, direction: to-vm } } ]",
        |_| {
            let came = fetch(&mut open("20.0.0.1:80")?)?;
            ensure!(came > 200_000, "{came}");
            Ok(())
        },
    ),
    test(
        "relay::packet_share_loses_packets_but_tcp_recovers",
        "services: { '20.0.0.1:80': { protocol: http, http: { body_bytes: 100000 } } }
faults: [ { to: '*', action: drop, when: { packet_share: 0.05 } } ]",
        |lab| {
            let mut stream = open("20.0.0.1:80")?;
            stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
            stream.set_read_timeout(Some(20 * SECOND))?;
            let (page, end) = hear(&mut stream);
            ensure!(end.is_ok() && page.len() > 100_000, "{} bytes, {end:?}", page.len());
            let flows = lab.flows();
            ensure!(flows[0].back > 100_000 / 1_460, "{flows:?}");
            Ok(())
        },
    ),
    test(
        "relay::reset_on_data_ends_the_connection",
        "services: { '20.0.0.1:443': { protocol: http } }
faults: [ { to: '20.0.0.1:443', action: reset, when: { packets: data, direction: from-vm } } ]",
        |_| {
            let (heard, end) = ask("20.0.0.1:443", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")?;
            ensure!(heard.is_empty());
            let kind = end.err().map(|error| error.kind());
            ensure!(kind == Some(std::io::ErrorKind::ConnectionReset), "{kind:?}");
            Ok(())
        },
    ),
    test(
        "relay::close_on_data_ends_the_connection",
        "services: { '20.0.0.1:443': { protocol: http } }
faults: [ { to: '20.0.0.1:443', action: close, when: { packets: data, direction: from-vm } } ]",
        |_| {
            let (heard, end) = ask("20.0.0.1:443", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")?;
            ensure!(heard.is_empty() && end.is_ok(), "{end:?}");
            Ok(())
        },
    ),
    test(
        "relay::icmp_and_reset_for_single_connections_need_no_nftables",
        "services: { '20.0.0.1:443': { protocol: tcp }, '20.0.0.2:443': { protocol: tcp } }
faults:
  - { to: '20.0.0.1:443', action: { icmp: 13 }, when: { nth_flow: [1] } }
  - { to: '20.0.0.2:443', action: reset, when: { nth_flow: [1] } }",
        |_| {
            let refused = ConnectResult::Failed(libc::EHOSTUNREACH, Some((3, 13, apim_probe_lab::ROUTER)));
            expect("20.0.0.1:443", &refused)?;
            expect("20.0.0.1:443", &ConnectResult::Open)?;
            expect("20.0.0.2:443", &ConnectResult::Failed(libc::ECONNREFUSED, None))?;
            expect("20.0.0.2:443", &ConnectResult::Open)
        },
    ),
    test(
        "relay::direction_to_vm_drops_the_reply_only",
        "services: { '20.0.0.1:80': { protocol: http } }
faults: [ { to: '20.0.0.1:80', action: drop, when: { direction: to-vm } } ]",
        |lab| {
            expect("20.0.0.1:80", &ConnectResult::Silent)?;
            ensure!(lab.flows()[0].back > 0, "the service has replied");
            Ok(())
        },
    ),
    test(
        "relay::flow_older_than_ms_drops_an_established_connection",
        "services: { '20.0.0.1:80': { protocol: http } }
faults: [ { to: '20.0.0.1:80', action: drop, when: { flow_older_than_ms: 300 } } ]",
        |_| {
            let mut stream = open("20.0.0.1:80")?;
            let request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n";
            stream.write_all(request)?;
            stream.set_read_timeout(Some(SECOND / 2))?;
            ensure!(!hear(&mut stream).0.is_empty());
            stream.write_all(request)?;
            ensure!(hear(&mut stream).0.is_empty());
            Ok(())
        },
    ),
    test(
        "relay::delay_ms_delays_both_directions",
        "link: { delay_ms: 150 }
services: { '20.0.0.1:443': { protocol: tcp } }",
        |_| {
            let (_, took) = time(|| open("20.0.0.1:443"))?;
            ensure!(took >= Duration::from_millis(300), "{took:?}");
            Ok(())
        },
    ),
    test(
        "relay::rate_kbit_limits_the_throughput",
        "link: { rate_kbit: 400 }
services: { '20.0.0.1:80': { protocol: http, http: { body_bytes: 20000 } } }",
        |_| {
            let (came, took) = time(|| fetch(&mut open("20.0.0.1:80")?))?;
            ensure!(
                came > 20_000 && took >= Duration::from_millis(400),
                "{came} bytes, {took:?}"
            );
            Ok(())
        },
    ),
    test(
        "relay::each_hop_answers_when_the_ttl_expires",
        "link: { hops: [10.1.0.1, 10.77.2.2] }
services: { '20.0.0.1:443': { protocol: tcp }, '20.0.0.1:80': { protocol: http } }
firewalls: [ { ports: [80], after_hops: 1, default_action: forward } ]",
        |_| {
            ensure!(with_ttl("20.0.0.1:443", 1)? == Some((11, 0, Ipv4Addr::new(10, 1, 0, 1))));
            ensure!(with_ttl("20.0.0.1:443", 2)? == Some((11, 0, Ipv4Addr::new(10, 77, 2, 2))));
            ensure!(with_ttl("20.0.0.1:443", 3)?.is_none());
            ensure!(
                with_ttl("20.0.0.1:80", 2)?.is_none(),
                "the firewall is at the first hop"
            );
            Ok(())
        },
    ),
    test(
        "relay::public_service_is_beyond_a_low_ttl_and_a_proxy_is_not",
        "services: { '20.0.0.1:443': { protocol: tcp }, '10.2.0.4:443': { protocol: tcp }, '20.0.0.1:80': { protocol: http } }
firewalls: [ { ports: [80], after_hops: 0, default_action: forward } ]",
        |_| {
            let opens = |to: &str, ttl| -> Result<bool> {
                let socket = fresh()?;
                socket.set_ttl_v4(ttl)?;
                Ok(socket
                    .connect_timeout(&address(to)?, Duration::from_millis(200))
                    .is_ok())
            };
            ensure!(!opens("20.0.0.1:443", 8)?);
            ensure!(opens("20.0.0.1:443", 64)?);
            ensure!(opens("10.2.0.4:443", 1)?, "a private address is at the first hop");
            ensure!(opens("20.0.0.1:80", 1)?);
            Ok(())
        },
    ),
];
