//! Every protocol, healthy and misbehaving.

use std::{
    io::{ErrorKind, Read, Write},
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use apim_probe_lab::Lab;

use super::{
    LabTest,
    clients::{TdsClientStream, ask, exchange, hear, open, time},
    test,
    tls::{shake_hands, shake_hands_over},
};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
/// A PRELOGIN with VERSION and ENCRYPTION.
const PRELOGIN: &[u8] = &[
    0x12, 1, 0, 26, 0, 0, 0, 0, 0, 0, 11, 0, 6, 1, 0, 17, 0, 1, 0xff, 9, 0, 0, 0, 0, 0, 1,
];
/// A bind without any context, which the simulated server accepts.
const BIND: &[u8] = &[5, 0, 11, 3, 0x10, 0, 0, 0, 20, 0, 0, 0, 7, 0, 0, 0, 1, 2, 3, 4];

fn get(to: &str, path: &str) -> Result<Vec<u8>> {
    Ok(ask(to, format!("GET {path} HTTP/1.1\r\nHost: a.example\r\n\r\n").as_bytes())?.0)
}

fn inside(lab: &Lab, to: &str, words: &[u8]) -> Result<Vec<u8>> {
    let mut client = shake_hands(lab, to, "a.example")??;
    client.write_all(words)?;
    Ok(hear(&mut client).0)
}

fn ends_with(bytes: &[u8], end: &[u8]) -> Result<()> {
    ensure!(bytes.ends_with(end), "{}", bytes.escape_ascii());
    Ok(())
}

fn starts_with(bytes: &[u8], start: &[u8]) -> Result<()> {
    ensure!(bytes.starts_with(start), "{}", bytes.escape_ascii());
    Ok(())
}

pub(crate) const TESTS: &[LabTest] = &[
    test("services::http_body_is_of_the_kind_that_the_path_requests", "services: { '20.0.0.1:80': { protocol: http } }", |_| {
        let body = |path| {
            let answer = get("20.0.0.1:80", path)?;
            let at = answer.windows(4).position(|end| end == b"\r\n\r\n").context("a head")?;
            anyhow::Ok(answer[at + 4..].to_vec())
        };
        starts_with(&body("/pki/a.crl")?, &[0x30, 0x81])?;
        starts_with(&body("/a.crt")?, &[0x30, 0x82])?;
        starts_with(&body("/a.cab")?, b"MSCF")?;
        starts_with(&body("/ocsp/MFAwTjBMMEowSDAHBgUrDgMCGgQUAAAAAAAAAAAAAAAAAAAAAAA")?, &[0x30, 3, 0x0a, 1])?;
        ensure!(body("/")?.is_empty());
        Ok(())
    }),
    test(
        "services::http_status_headers_body_and_block_pages_are_as_configured",
        "services:
  '20.0.0.1:80': { protocol: http, http: { status: 404, headers: { Server: x }, body: no, paths: { /yes: { body: yes } } } }
  '20.0.0.2:80': { protocol: http, http: { block_page: azure-firewall } }
  '20.0.0.3:80': { protocol: http, http: { block_page: proxy-login } }
  '20.0.0.4:80': { protocol: http, http: { block_page: captive-portal } }",
        |_| {
            let answer = String::from_utf8(get("20.0.0.1:80", "/")?)?;
            ensure!(answer.starts_with("HTTP/1.1 404 Not Found\r\n") && answer.contains("Server: x\r\n"), "{answer}");
            ends_with(&get("20.0.0.1:80", "/yes")?, b"\r\n\r\nyes")?;
            starts_with(&get("20.0.0.2:80", "/")?, b"HTTP/1.1 470 ")?;
            starts_with(&get("20.0.0.3:80", "/")?, b"HTTP/1.1 407 ")?;
            starts_with(&get("20.0.0.4:80", "/")?, b"HTTP/1.1 302 ")
        },
    ),
    test(
        "services::http_can_be_slow_large_or_endless",
        "services:
  '20.0.0.1:80': { protocol: http, pacing: { interval_ms: 200 } }
  '20.0.0.2:80': { protocol: http, http: { body_bytes: 100000000 } }
  '20.0.0.3:80': { protocol: http, http: { endless_headers: true } }",
        |_| {
            let mut stream = open("20.0.0.1:80")?;
            stream.write_all(GET)?;
            let ((), took) = time(|| Ok(stream.read_exact(&mut [0; 4])?))?;
            ensure!(took > Duration::from_millis(580), "a drip: {took:?}");
            let (heard, end) = ask("20.0.0.2:80", GET)?;
            ensure!(heard.len() > 100_000_000 && end.is_ok(), "{} bytes", heard.len());
            let mut stream = open("20.0.0.3:80")?;
            stream.write_all(GET)?;
            stream.read_exact(&mut vec![0; 1_000_000])?;
            Ok(())
        },
    ),
    test(
        "services::connection_aborts_as_configured",
        "services:
  '20.0.0.1:80': { protocol: http, abort: { after: accept, with: reset } }
  '20.0.0.2:80': { protocol: http, abort: { after: accept, with: close } }
  '20.0.0.3:80': { protocol: http, abort: { after: accept, with: silence } }
  '20.0.0.4:80': { protocol: http, abort: { after: { bytes: 10 }, with: { hex: 'de ad be ef' } } }
  '20.0.0.5:25': { banner: \"220 mail.example ESMTP\\r\\n\" }
  '20.0.0.6:80': { protocol: http, closed: true }",
        |_| {
            // The reset may arrive before connect() has returned.
            if let Ok((_, end)) = ask("20.0.0.1:80", b"") {
                ensure!(end.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset));
            }
            let (heard, end) = ask("20.0.0.2:80", GET)?;
            ensure!(heard.is_empty() && end.is_ok(), "a FIN: {end:?}");
            let (_, end) = ask("20.0.0.3:80", GET)?;
            ensure!(end.is_err_and(|error| error.kind() == ErrorKind::WouldBlock));
            ensure!(ask("20.0.0.4:80", b"GET / HT")?.0.is_empty());
            ends_with(&ask("20.0.0.4:80", GET)?.0, &[0xde, 0xad, 0xbe, 0xef])?;
            ends_with(&ask("20.0.0.5:25", b"")?.0, b"220 mail.example ESMTP\r\n")?;
            ensure!(open("20.0.0.6:80").is_err());
            Ok(())
        },
    ),
    test(
        "services::pacing_sends_one_byte_per_segment",
        "services: { '20.0.0.1:80': { protocol: http, pacing: { segment_bytes: 1, interval_ms: 1 } } }",
        |_| {
            let mut stream = open("20.0.0.1:80")?;
            stream.write_all(GET)?;
            let mut most = 0;
            let mut part = [0; 64];
            for _ in 0..50 {
                most = most.max(stream.read(&mut part)?);
            }
            ensure!(most < 8, "{most} bytes at once");
            Ok(())
        },
    ),
    test(
        "services::tds_carries_tls_in_its_packets",
        "names: { a.example: { addresses: [20.0.0.1] } }
services:
  'a.example:1433': { protocol: tds }
  '20.0.0.2:1433': { protocol: tds, tds: { encryption: 2 } }
  '20.0.0.3:1433': { protocol: tds, abort: { after: { replies: 1 }, with: reset } }
  '20.0.0.4:1433': { protocol: tds, tls: { certificate: { names: ['*.other.example'] } }, pacing: { segment_bytes: 1 } }",
        |lab| {
            let mut stream = open("20.0.0.1:1433")?;
            stream.write_all(PRELOGIN)?;
            let mut reply = [0; 26];
            stream.read_exact(&mut reply)?;
            ensure!(reply[0] == 4 && reply[25] == 3, "ENCRYPTION is required: {reply:x?}");
            shake_hands_over(TdsClientStream::new(stream), lab, "a.example")?.map(drop)?;
            ends_with(&ask("20.0.0.2:1433", PRELOGIN)?.0, &[2])?;
            let mut stream = open("20.0.0.3:1433")?;
            stream.write_all(PRELOGIN)?;
            stream.read_exact(&mut reply)?;
            let error = shake_hands_over(TdsClientStream::new(stream), lab, "a.example")?.err().context("a cut")?;
            ensure!(error.kind() == ErrorKind::ConnectionReset, "{error}");
            let mut stream = open("20.0.0.4:1433")?;
            stream.write_all(PRELOGIN)?;
            stream.read_exact(&mut reply)?;
            let error = shake_hands_over(TdsClientStream::new(stream), lab, "a.example")?.err().context("another name")?;
            ensure!(error.to_string().contains("not valid for name"), "{error}");
            // A bare ClientHello is not TDS.
            let (heard, end) = ask("20.0.0.1:1433", &[22, 3, 1, 0, 4, 1, 0, 0, 0])?;
            ensure!(heard.is_empty() && end.is_ok());
            Ok(())
        },
    ),
    test(
        "services::amqp_answers_with_and_without_tls",
        "names: { a.example: { addresses: [20.0.0.1, 20.0.0.2] } }
services:
  'a.example:5671': { protocol: amqps }
  '20.0.0.1:5672': { protocol: amqp }
  '20.0.0.2:5672': { protocol: amqp, amqp: other-header }
  '20.0.0.3:5671': { protocol: amqps, tls: { certificate: { names: [a.example] } }, amqp: header-only }",
        |lab| {
            let sasl = inside(lab, "20.0.0.1:5671", b"AMQP\x03\x01\0\0")?;
            starts_with(&sasl, b"AMQP\x03\x01\0\0\0\0\0")?;
            ensure!(usize::from(sasl[11]) == sasl.len() - 8, "the frame's length: {}", sasl.escape_ascii());
            ensure!(sasl.windows(5).any(|name| name == b"PLAIN"));
            ends_with(&ask("20.0.0.1:5672", b"AMQP\x02\x01\0\0")?.0, b"AMQP\x02\x01\0\0")?;
            let (heard, end) = ask("20.0.0.2:5672", b"AMQP\x02\x01\0\0")?;
            ensure!(heard == b"AMQP\0\x01\0\0" && end.is_ok());
            ensure!(inside(lab, "20.0.0.3:5671", b"AMQP\x03\x01\0\0")?.len() == 8);
            Ok(())
        },
    ),
    test(
        "services::smb_kms_and_redis_answer_as_configured",
        "names: { a.example: { addresses: [20.0.0.1] } }
services:
  'a.example:445': { protocol: smb }
  'a.example:446': { protocol: smb, smb: smb1 }
  'a.example:1688': { protocol: kms }
  'a.example:1689': { protocol: kms, kms: reject }
  'a.example:1690': { protocol: kms, kms: nak }
  'a.example:1691': { protocol: kms, kms: fault }
  'a.example:6380': { protocol: redis }
  'a.example:6381': { protocol: redis, redis: \"+PONG\\r\\n\" }",
        |lab| {
            let negotiate = [0, 0, 0, 4, 0xfe, b'S', b'M', b'B'];
            let smb = ask("20.0.0.1:445", &negotiate)?.0;
            ensure!(smb[3] as usize == smb.len() - 4 && smb[4..8] == negotiate[4..] && smb[68] == 65, "{smb:x?}");
            ensure!(ask("20.0.0.1:446", &negotiate)?.0[4] == 0xff);
            for (port, kind) in [(1688, 12), (1689, 12), (1690, 13), (1691, 3)] {
                let reply = ask(&format!("20.0.0.1:{port}"), BIND)?.0;
                ensure!(reply[2] == kind && usize::from(reply[8]) == reply.len(), "{port}: {reply:x?}");
                ensure!(reply[12..16] == [7, 0, 0, 0], "the call's number");
            }
            let result = |port: u16| Ok::<_, anyhow::Error>(ask(&format!("20.0.0.1:{port}"), BIND)?.0[36]);
            ensure!(result(1688)? == 0 && result(1689)? == 2);
            starts_with(&inside(lab, "20.0.0.1:6380", b"PING\r\n")?, b"-NOAUTH ")?;
            starts_with(&inside(lab, "20.0.0.1:6381", b"PING\r\n")?, b"+PONG")
        },
    ),
    test(
        "services::ntp_answers_as_configured",
        "services:
  '20.0.0.1:123/udp': { protocol: ntp }
  '20.0.0.2:123/udp': { protocol: ntp, ntp: { reply: wrong-origin } }
  '20.0.0.3:123/udp': { protocol: ntp, ntp: { reply: { kiss-then-good: RATE } } }
  '20.0.0.4:123/udp': { protocol: ntp, ntp: { reply: short } }
  '20.0.0.5:123/udp': { protocol: ntp, ntp: { reply: silent } }
  '20.0.0.6:123/udp': { protocol: ntp, ntp: { reply: wrong-mode } }",
        |_| {
            let mut asking = vec![0; 40];
            asking[0] = 0x23;
            asking.extend(b"origin!!");
            let reply = |host: u8| exchange(&format!("20.0.0.{host}:123"), &asking);
            let good = reply(1)??;
            ensure!(good.len() == 48 && good[0] & 7 == 4 && good[1] == 2 && &good[24..32] == b"origin!!");
            ensure!(&reply(2)??[24..32] != b"origin!!");
            let kiss = reply(3)??;
            ensure!(kiss[1] == 0 && &kiss[12..16] == b"RATE");
            ensure!(reply(3)??[1] == 2, "the second answer is good");
            ensure!(reply(4)??.len() == 24);
            ensure!(reply(5)?.is_err());
            ensure!(reply(6)??[0] & 7 == 3);
            Ok(())
        },
    ),
];
