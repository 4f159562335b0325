//! Firewalls that answer for every address.

use std::io::ErrorKind;

use anyhow::{Context, ensure};

use super::{
    LabTest,
    clients::{ConnectResult, ask, attempt, open},
    test,
    tls::shake_hands,
};

const NETWORK: &str = "names:
  a.example: { addresses: [20.0.0.1] }
  b.example: { addresses: [20.0.0.2] }
  c.example: { addresses: [20.0.0.3] }
services:
  'a.example:443': { protocol: https }
  'b.example:443': { protocol: https }
  'c.example:443': { protocol: https }
  'a.example:80': { protocol: http }
  'b.example:80': { protocol: http }
  'a.example:1433': { protocol: tds }
firewalls:
  - ports: [443]
    rules: [ { fqdns: [a.*], action: forward }, { fqdns: [b.example], action: inspect } ]
    default_action: { end: reset }
  - { ports: [80], rules: [ { fqdns: [a.example], action: forward } ], default_action: { deny: azure-firewall } }
  - { ports: [1433], default_action: { end: close } }";

fn issuer_is_unknown(error: &std::io::Error) -> bool {
    error.to_string().contains("UnknownIssuer")
}

pub(crate) const TESTS: &[LabTest] = &[
    test("firewalls::accept_for_any_address_on_their_ports_only", NETWORK, |_| {
        let second = std::time::Duration::from_millis(500);
        for to in ["20.0.0.1:443", "20.0.0.99:443", "192.0.2.1:443", "203.0.113.7:1433"] {
            ensure!(attempt(to, second)? == ConnectResult::Open, "{to}");
        }
        ensure!(attempt("192.0.2.1:5671", second)? == ConnectResult::Silent);
        ensure!(attempt("20.0.0.1:5671", second)? == ConnectResult::Failed(libc::ECONNREFUSED, None));
        Ok(())
    }),
    test("firewalls::decide_by_sni", NETWORK, |lab| {
        shake_hands(lab, "20.0.0.1:443", "a.example")?.map(drop)?;
        let inspected = shake_hands(lab, "20.0.0.2:443", "b.example")?
            .err()
            .context("inspected")?;
        ensure!(issuer_is_unknown(&inspected), "{inspected}");
        let reset = shake_hands(lab, "20.0.0.3:443", "c.example")?.err().context("cut")?;
        ensure!(reset.kind() == ErrorKind::ConnectionReset, "{reset}");
        // The SNI decides, not the address: a.example is forwarded at any address.
        let elsewhere = shake_hands(lab, "20.0.0.3:443", "a.example")?
            .err()
            .context("another certificate")?;
        ensure!(elsewhere.to_string().contains("not valid for name"), "{elsewhere}");
        Ok(())
    }),
    test("firewalls::decide_by_the_host_header", NETWORK, |_| {
        let get =
            |to, host| Ok::<_, anyhow::Error>(ask(to, format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())?.0);
        ensure!(get("20.0.0.1:80", "a.example")?.starts_with(b"HTTP/1.1 200 "));
        ensure!(get("20.0.0.2:80", "b.example")?.starts_with(b"HTTP/1.1 470 "));
        Ok(())
    }),
    test("firewalls::apply_the_default_action_without_a_name", NETWORK, |_| {
        let (heard, end) = ask("20.0.0.1:1433", &[0x12, 1, 0, 8, 0, 0, 0, 0])?;
        ensure!(heard.is_empty() && end.is_ok(), "a FIN: {end:?}");
        let (_, end) = ask("20.0.0.1:443", b"\x00 not TLS")?;
        ensure!(
            end.is_ok(),
            "named by its address, let through, and closed by the server: {end:?}"
        );
        Ok(())
    }),
    test(
        "firewalls::silent_action_keeps_the_connection_open",
        "firewalls: [ { ports: [443], default_action: { end: silence } } ]",
        |lab| {
            open("20.0.0.1:443")?;
            let error = shake_hands(lab, "20.0.0.1:443", "a.example")?
                .err()
                .context("silence")?;
            ensure!(error.kind() == ErrorKind::WouldBlock, "{error}");
            Ok(())
        },
    ),
];
