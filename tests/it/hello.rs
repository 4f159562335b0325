//! Hellos over a pipe, with peers that answer, are slow, send wrong or endless data, or disconnect.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use apim_probe::hello::{
    BOUND, ExchangeEnd, Greeting, KEPT, Parsed, ProtocolReply, amqp, exchange, http, kms, redis, smb, tds,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf, duplex},
    time::{Instant, interval},
};

type Parse = fn(&[u8]) -> Parsed<ProtocolReply>;

/// The result of a read after a peer's last byte.
type Ending = fn() -> io::Result<()>;

/// One protocol: its request, its parser, and a reply of a real service.
struct Protocol {
    name: &'static str,
    request: Vec<u8>,
    parse: Parse,
    reply: Vec<u8>,
}

fn protocols() -> Vec<Protocol> {
    vec![
        Protocol {
            name: "tds",
            request: tds::request(),
            parse: tds::parse,
            reply: b"\x04\x01\0\x1a\0\0\x01\0\0\0\x0b\0\x06\x01\0\x11\0\x01\xff\x0c\0\x07\xd0\0\0\x03".to_vec(),
        },
        Protocol {
            name: "amqp tls",
            request: amqp::TLS.to_vec(),
            parse: amqp::parse_tls,
            reply: amqp::TLS.to_vec(),
        },
        Protocol {
            name: "amqp sasl",
            request: amqp::SASL.to_vec(),
            parse: amqp::parse_sasl,
            reply: b"AMQP\x03\x01\0\0\0\0\0\x15\x02\x01\0\0\0\x53\x40\xc0\x08\x01\xa3\x05PLAIN".to_vec(),
        },
        Protocol {
            name: "kms",
            request: kms::request(),
            parse: kms::parse,
            reply: b"\x05\0\x0c\x03\x10\0\0\0\x3c\0\0\0\x02\0\0\0\xd0\x16\xd0\x16\x01\0\0\0\x05\x001688\0\0\
                \x01\0\0\0\0\0\0\0\x04\x5d\x88\x8a\xeb\x1c\xc9\x11\x9f\xe8\x08\0\x2b\x10\x48\x60\x02\0\0\0"
                .to_vec(),
        },
        Protocol {
            name: "smb",
            request: smb::request([7; 32]),
            parse: smb::parse,
            reply: smb_negotiate_reply(),
        },
        Protocol {
            name: "redis",
            request: redis::request().to_vec(),
            parse: redis::parse,
            reply: b"-NOAUTH Authentication required.\r\n".to_vec(),
        },
    ]
}

/// An SMB2 NEGOTIATE response that chose dialect 3.1.1, without a security buffer.
fn smb_negotiate_reply() -> Vec<u8> {
    let header = [b"\xfeSMB\x40\0", &[0; 10][..], &[1], &[0; 47]].concat();
    let body = [&[65, 0, 1, 0, 0x11, 3][..], &[0; 58]].concat();
    [&[0, 0, 0, 128], &header[..], &body].concat()
}

#[tokio::test]
async fn reply_is_read_in_any_segmentation() {
    for protocol in protocols() {
        for segment in [1, 2, 7, 4096] {
            let (mut ours, mut theirs) = duplex(segment);
            let peer = async {
                let mut request = vec![0; protocol.request.len()];
                theirs.read_exact(&mut request).await.unwrap();
                assert_eq!(request, protocol.request, "{}", protocol.name);
                theirs.write_all(&protocol.reply).await.unwrap();
            };
            let ours = async { greet(&mut ours, &protocol, generous_deadline()).await };
            let (greeting, ()) = tokio::join!(ours, peer);
            assert!(
                matches!(greeting.end, ExchangeEnd::Replied(_)),
                "{} by {segment}: {:?}",
                protocol.name,
                greeting.end
            );
            assert_eq!(greeting.received, protocol.reply, "{}", protocol.name);
        }
    }
}

#[tokio::test]
async fn repeated_reply_is_foreign_only_before_a_tls_handshake() {
    for protocol in protocols() {
        let greeting = greet(
            &mut peer_sending(&protocol.reply.repeat(2)),
            &protocol,
            generous_deadline(),
        )
        .await;
        match protocol.name {
            "tds" | "amqp tls" => {
                let ExchangeEnd::Foreign { why } = greeting.end else {
                    panic!("{:?}", greeting.end)
                };
                assert!(why.ends_with("before the TLS handshake"), "{why}");
            }
            name => assert!(
                matches!(greeting.end, ExchangeEnd::Replied(ProtocolReply::Spoke { .. })),
                "{name}: {:?}",
                greeting.end
            ),
        }
    }
}

#[tokio::test]
async fn truncated_reply_ends_as_closed_or_reset() {
    for protocol in protocols() {
        for length in 0..protocol.reply.len() {
            let beginning = &protocol.reply[..length];
            let cases: [(Ending, ExchangeEnd); 2] = [
                (|| Ok(()), ExchangeEnd::Closed),
                (|| Err(io::ErrorKind::ConnectionReset.into()), ExchangeEnd::Reset),
            ];
            for (ending, end) in cases {
                let greeting = greet(&mut Peer::new(beginning, ending), &protocol, generous_deadline()).await;
                assert_eq!(
                    greeting,
                    Greeting {
                        end,
                        received: beginning.to_vec()
                    },
                    "{}",
                    protocol.name
                );
            }
        }
    }
}

#[tokio::test]
async fn silent_and_dripping_peers_time_out() {
    let redis = protocols().pop().unwrap();
    let (mut ours, _silent) = duplex(64);
    let greeting = greet(&mut ours, &redis, Instant::now() + Duration::from_millis(50)).await;
    assert_eq!(
        greeting,
        Greeting {
            end: ExchangeEnd::TimedOut,
            received: Vec::new()
        }
    );

    let (mut ours, mut theirs) = duplex(64);
    let drip = async move {
        let mut tick = interval(Duration::from_millis(5));
        theirs.write_all(b"-").await.unwrap();
        while theirs.write_all(b"A").await.is_ok() {
            tick.tick().await;
        }
    };
    let drip = tokio::spawn(drip);
    let greeting = greet(&mut ours, &redis, Instant::now() + Duration::from_millis(100)).await;
    assert_eq!(greeting.end, ExchangeEnd::TimedOut);
    assert!(greeting.received.starts_with(b"-A"));
    drop(ours);
    drip.await.unwrap();
}

#[tokio::test]
async fn peer_that_reads_nothing_times_out() {
    let tds = &protocols()[0];
    let (mut ours, _full) = duplex(1);
    let greeting = greet(&mut ours, tds, Instant::now() + Duration::from_millis(50)).await;
    assert_eq!(greeting.end, ExchangeEnd::TimedOut);
}

#[tokio::test]
async fn endless_reply_is_cut_at_the_bound() {
    let endless: Parse = |_| Parsed::More;
    let mut peer = peer_sending(&vec![b'x'; 100 * 1024 * 1024]);
    let greeting = exchange(&mut peer, b"hello", endless, generous_deadline()).await;
    let ExchangeEnd::Foreign { why } = greeting.end else {
        panic!("{:?}", greeting.end)
    };
    assert_eq!(why, format!("the reply does not end within {BOUND} bytes"));
    assert_eq!(greeting.received, vec![b'x'; KEPT]);
    assert!(peer.read <= BOUND + 1024, "{} bytes were read", peer.read);
}

#[tokio::test]
async fn banners_of_other_protocols_are_foreign() {
    for protocol in protocols() {
        for banner in [
            &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
            b"220 mail.example ESMTP\r\n",
            b"SSH-2.0-x\r\n",
        ] {
            let greeting = greet(&mut peer_sending(banner), &protocol, generous_deadline()).await;
            assert!(
                matches!(greeting.end, ExchangeEnd::Foreign { .. }),
                "{}: {:?}",
                protocol.name,
                greeting.end
            );
            assert_eq!(greeting.received, banner);
        }
    }
}

#[tokio::test]
async fn reply_outranks_a_failed_write() {
    let redis = protocols().pop().unwrap();
    let refusing = |sends: &[u8]| Peer {
        refuses: true,
        ..Peer::new(sends, || Ok(()))
    };
    let greeting = greet(
        &mut refusing(b"-DENIED protected mode\r\n"),
        &redis,
        generous_deadline(),
    )
    .await;
    assert!(matches!(greeting.end, ExchangeEnd::Replied(_)), "{:?}", greeting.end);
    let greeting = greet(&mut refusing(b""), &redis, generous_deadline()).await;
    assert_eq!(greeting.end, ExchangeEnd::Reset);
}

#[tokio::test]
async fn hello_futures_are_send() {
    let greeting = tokio::spawn(async { redis::greet(&mut peer_sending(b"+PONG\r\n"), generous_deadline()).await });
    assert!(matches!(greeting.await.unwrap().end, ExchangeEnd::Replied(_)));
    let wire = b"HTTP/1.1 200 OK\r\n\r\n";
    let greeting =
        tokio::spawn(async { http::greet(&mut peer_sending(wire), "x.example", None, generous_deadline()).await });
    assert!(matches!(greeting.await.unwrap().end, ExchangeEnd::Replied(_)));
}

/// Greets a peer in one protocol.
async fn greet(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), protocol: &Protocol, deadline: Instant) -> Greeting {
    exchange(stream, &protocol.request, protocol.parse, deadline).await
}

/// A deadline that only a hang reaches.
fn generous_deadline() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

/// A peer that sends `bytes`, and then nothing.
fn peer_sending(bytes: &[u8]) -> Peer {
    Peer::new(bytes, || Ok(()))
}

/// A scripted peer: it accepts or refuses what is written, sends its bytes and then ends as configured.
struct Peer {
    sends: Vec<u8>,
    read: usize,
    ending: Ending,
    refuses: bool,
}

impl Peer {
    fn new(sends: &[u8], ending: Ending) -> Self {
        Self {
            sends: sends.to_vec(),
            read: 0,
            ending,
            refuses: false,
        }
    }
}

impl AsyncRead for Peer {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let left = &self.sends[self.read..];
        if left.is_empty() {
            return Poll::Ready((self.ending)());
        }
        let length = left.len().min(buf.remaining());
        buf.put_slice(&left[..length]);
        self.read += length;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Peer {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(if self.refuses {
            Err(io::ErrorKind::BrokenPipe.into())
        } else {
            Ok(bytes.len())
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
