//! What name servers answer, byte by byte.

use std::{
    io::{Read, Write},
    time::Duration,
};

use anyhow::{Context, Result, ensure};

use super::{
    LabTest,
    clients::{ask, exchange, open, time},
    test,
};

const SERVER: &str = "168.63.129.16:53";
const NAMES: &str = "names: { a.example: { addresses: [20.0.0.1] } }";

/// A query for addresses.
fn query(name: &str) -> Vec<u8> {
    let mut bytes = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        bytes.push(u8::try_from(label.len()).expect("a short label"));
        bytes.extend(label.bytes());
    }
    bytes.extend([0, 0, 1, 0, 1]);
    bytes
}

fn udp(name: &str) -> Result<Vec<u8>> {
    exchange(SERVER, &query(name))?.context("an answer over UDP")
}

fn tcp(name: &str) -> Result<Vec<u8>> {
    let mut stream = open(SERVER)?;
    let query = query(name);
    stream.write_all(&[&u16::try_from(query.len())?.to_be_bytes()[..], &query].concat())?;
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut answer).context("the whole answer")?;
    Ok(answer)
}

fn rcode(message: &[u8]) -> u8 {
    message[3] & 0x0f
}

pub(crate) const TESTS: &[LabTest] = &[
    test("dns::answers_over_udp_and_tcp", NAMES, |_| {
        for answer in [udp("a.example")?, tcp("a.example")?] {
            ensure!(
                answer[..2] == [0x12, 0x34] && answer.ends_with(&[20, 0, 0, 1]),
                "{answer:x?}"
            );
        }
        Ok(())
    }),
    test("dns::unknown_name_is_nxdomain", NAMES, |_| {
        ensure!(rcode(&udp("b.example")?) == 3);
        Ok(())
    }),
    test(
        "dns::name_without_address_with_rcode_or_without_reply",
        "names: { nodata.example: {}, silent.example: { silent: true }, broken.example: { rcode: 2 } }",
        |_| {
            let answer = udp("nodata.example")?;
            ensure!(rcode(&answer) == 0 && answer[7] == 0);
            ensure!(rcode(&udp("broken.example")?) == 2);
            ensure!(udp("silent.example").is_err());
            Ok(())
        },
    ),
    test(
        "dns::closed_server_refuses_udp_and_tcp",
        "name_servers: [ { udp: closed, tcp: closed } ]",
        |_| {
            let udp = exchange(SERVER, &query("a.example"))?.err().context("no answer")?;
            ensure!(udp.raw_os_error() == Some(libc::ECONNREFUSED), "{udp}");
            ensure!(open(SERVER).is_err());
            Ok(())
        },
    ),
    test(
        "dns::silent_server_does_not_reply",
        "name_servers: [ { udp: silent, tcp: silent } ]",
        |_| {
            let udp = exchange(SERVER, &query("a.example"))?.err().context("no answer")?;
            ensure!(udp.kind() == std::io::ErrorKind::WouldBlock, "{udp}");
            let (heard, end) = ask(SERVER, &[0, 1, 0])?;
            ensure!(heard.is_empty() || end.is_err());
            Ok(())
        },
    ),
    test(
        "dns::truncated_udp_reply_is_complete_over_tcp",
        "name_servers: [ { udp: truncated } ]
names: { a.example: { addresses: [20.0.0.1] } }",
        |_| {
            ensure!(udp("a.example")?[2] & 2 == 2, "TC is set");
            ensure!(tcp("a.example")?.ends_with(&[20, 0, 0, 1]));
            Ok(())
        },
    ),
    test(
        "dns::tcp_reply_is_short_or_connection_closed",
        "name_servers: [ { tcp: short }, { address: 168.63.129.17, tcp: close } ]",
        |_| {
            let error = tcp("a.example").err().context("no whole answer")?;
            ensure!(format!("{error:#}").contains("the whole answer"), "{error:#}");
            let query = query("a.example");
            let framed = [&[0, u8::try_from(query.len())?], &query[..]].concat();
            let (heard, end) = ask("168.63.129.17:53", &framed)?;
            ensure!(heard.is_empty() && end.is_ok(), "a FIN: {heard:x?} {end:?}");
            Ok(())
        },
    ),
    test(
        "dns::wrong_id_and_wrong_question",
        "name_servers: [ { udp: wrong-id, tcp: wrong-question } ]
names: { a.example: { addresses: [20.0.0.1] } }",
        |_| {
            ensure!(udp("a.example")?[..2] != [0x12, 0x34]);
            ensure!(tcp("a.example")?[12..21] != query("a.example")[12..21]);
            Ok(())
        },
    ),
    test(
        "dns::garbage_and_compression_loop",
        "name_servers: [ { udp: garbage, tcp: compression-loop } ]",
        |_| {
            ensure!(udp("a.example")?.starts_with(&[0xde, 0xad]));
            let looped = tcp("a.example")?;
            let at = query("a.example").len();
            ensure!(
                usize::from(u16::from_be_bytes([looped[at] & 0x3f, looped[at + 1]])) == at,
                "points at itself"
            );
            Ok(())
        },
    ),
    test(
        "dns::refused_rcode_and_delayed_reply",
        "name_servers: [ { udp: { rcode: 5 }, tcp: { delayed: 300 } } ]",
        |_| {
            ensure!(rcode(&udp("a.example")?) == 5);
            let (_, took) = time(|| tcp("a.example"))?;
            ensure!(took > Duration::from_millis(290), "{took:?}");
            Ok(())
        },
    ),
    test(
        "dns::every_third_query_is_answered",
        "name_servers: [ { udp: { every-nth: 3 } } ]
names: { a.example: { addresses: [20.0.0.1] } }",
        |_| {
            let answered: Vec<bool> = (0..6).map(|_| udp("a.example").is_ok()).collect();
            ensure!(answered == [false, false, true, false, false, true], "{answered:?}");
            Ok(())
        },
    ),
    test(
        "dns::servers_give_their_own_answers",
        "name_servers:
  - { names: { a.example: { cnames: [a.privatelink.example], rcode: 3, soa_zone: azureprivatedns.net } } }
  - { address: 10.2.0.10 }
names: { a.example: { addresses: [20.0.0.1] } }",
        |_| {
            let own = udp("a.example")?;
            ensure!(
                rcode(&own) == 3 && own[7] == 1 && own[9] == 1,
                "an alias and an authority: {own:x?}"
            );
            let other = exchange("10.2.0.10:53", &query("a.example"))??;
            ensure!(other.ends_with(&[20, 0, 0, 1]));
            Ok(())
        },
    ),
];
