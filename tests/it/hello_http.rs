//! The HTTP hello over a pipe: what is requested, what is kept, and what a peer cannot do to it.

use std::time::Duration;

use apim_probe::hello::{
    ExchangeEnd, Greeting, ProtocolReply,
    http::{self, BODY, HttpReply},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::{Instant, interval},
};

#[tokio::test]
async fn request_contains_host_user_agent_and_padding() {
    let (mut ours, mut theirs) = duplex(4096);
    let peer = async move {
        let request = read_request_head(&mut theirs).await;
        theirs.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        request
    };
    let (greeting, request) = tokio::join!(
        http::greet(&mut ours, "crl.example", Some("/a.crl?x=1"), generous_deadline()),
        peer
    );
    assert_eq!(reply(&greeting).status, 204);
    assert_eq!(
        request.len(),
        http::FULL_SIZE,
        "filled up to a packet of about full size"
    );
    let mut lines: Vec<_> = request.trim_end().lines().collect();
    assert_eq!(lines.remove(0), "GET /a.crl?x=1 HTTP/1.1");
    lines.sort_unstable();
    let agent = concat!("user-agent: apim-probe/", env!("CARGO_PKG_VERSION"));
    let padding = lines.pop().unwrap_or_default();
    assert_eq!(padding.trim_end_matches('0'), "x-padding: ");
    assert_eq!(lines, ["accept: */*", "connection: close", "host: crl.example", agent]);
}

#[tokio::test]
async fn response_is_kept_verbatim() {
    let wire = "HTTP/1.1 470 No Rule\r\nServer: box\r\nX-Two: a\r\nX-Two: b\r\nContent-Length: 12\r\n\r\nAction: Deny";
    for segment in [1, 3, 4096] {
        let greeting = greet_peer_sending(wire.as_bytes(), segment).await;
        let expected = HttpReply {
            status: 470,
            reason: Some("No Rule".into()),
            headers: [
                ("server", "box"),
                ("x-two", "a"),
                ("x-two", "b"),
                ("content-length", "12"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec(),
            body: b"Action: Deny".to_vec(),
        };
        assert_eq!(*reply(&greeting), expected);
        assert_eq!(reply(&greeting).header("x-two"), Some("a"));
        assert_eq!(greeting.received, wire.as_bytes());
    }
}

#[tokio::test]
async fn body_is_read_with_any_framing() {
    for wire in [
        "HTTP/1.1 200 OK\r\n\r\nthe whole",
        "HTTP/1.0 200 OK\r\n\r\nthe whole",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nthe wholeHTTP/1.1 500 Second\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nthe\r\n6\r\n whole\r\n0\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nthe whole",
        "HTTP/1.1 200\r\nBad Header: x\r\nFolded: a\r\n b\r\nContent-Length: 9\r\n\r\nthe whole",
        // Truncated before its end, and interrupted in the middle.
        "HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nthe whole",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nthe whole\r\nzz\r\n",
    ] {
        let greeting = greet_peer_sending(wire.as_bytes(), 4096).await;
        assert_eq!(
            (reply(&greeting).status, &*reply(&greeting).body),
            (200, &b"the whole"[..]),
            "{wire}"
        );
    }
}

#[tokio::test]
async fn redirect_is_reported_and_not_followed() {
    let greeting = greet_peer_sending(b"HTTP/1.1 302 Found\r\nLocation: http://block.example/\r\n\r\n", 4096).await;
    assert_eq!(reply(&greeting).header("location"), Some("http://block.example/"));
}

#[tokio::test]
async fn non_http_reply_is_foreign() {
    let head = [b"HTTP/1.1 200 OK\r\nX: ", &*vec![b'x'; 64 * 1024], b"\r\n\r\n"].concat();
    let headers = ["HTTP/1.1 200 OK\r\n", &"A: b\r\n".repeat(500), "\r\n"].concat();
    for wire in [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        &b"\x15\x03\x01\0\x02\x02\x28"[..],
        &head,
        headers.as_bytes(),
    ] {
        let greeting = greet_peer_sending(wire, 64 * 1024).await;
        assert!(
            matches!(greeting.end, ExchangeEnd::Foreign { .. }),
            "{:?}",
            greeting.end
        );
        assert_eq!(greeting.received, wire[..wire.len().min(512)]);
    }
}

#[tokio::test]
async fn close_before_a_full_response_is_reported() {
    for beginning in ["", "H", "HTTP/1.1 200 OK\r\nServer: x"] {
        let greeting = greet_peer_sending(beginning.as_bytes(), 4096).await;
        assert_eq!(
            greeting,
            Greeting {
                end: ExchangeEnd::Closed,
                received: beginning.into()
            }
        );
    }
}

#[tokio::test]
async fn response_sent_before_the_request_is_read() {
    let (mut ours, mut theirs) = duplex(4096);
    theirs
        .write_all(b"HTTP/1.1 403 Forbidden\r\nConnection: close\r\n\r\nno")
        .await
        .unwrap();
    theirs.shutdown().await.unwrap();
    let greeting = http::greet(&mut ours, "x.example", None, generous_deadline()).await;
    assert_eq!((reply(&greeting).status, &*reply(&greeting).body), (403, &b"no"[..]));
}

#[tokio::test]
async fn body_is_cut_at_the_bound() {
    let (mut ours, mut theirs) = duplex(4096);
    let flood = tokio::spawn(async move {
        read_request_head(&mut theirs).await;
        let mut sent = 0;
        theirs
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 104857600\r\n\r\n")
            .await
            .unwrap();
        while theirs.write_all(&[b'x'; 1024]).await.is_ok() {
            sent += 1024;
        }
        sent
    });
    let greeting = http::greet(&mut ours, "x.example", None, generous_deadline()).await;
    drop(ours);
    assert_eq!(reply(&greeting).body, vec![b'x'; BODY]);
    let sent = flood.await.unwrap();
    assert!(sent < 256 * 1024, "{sent} bytes were taken");
}

#[tokio::test]
async fn dripped_body_is_kept_and_dripped_header_times_out() {
    for (head, has_reply) in [("HTTP/1.1 200 OK\r\n\r\n", true), ("HTTP/1.1 200 OK\r\nX: ", false)] {
        let (mut ours, mut theirs) = duplex(4096);
        let drip = tokio::spawn(async move {
            read_request_head(&mut theirs).await;
            theirs.write_all(head.as_bytes()).await.unwrap();
            let mut tick = interval(Duration::from_millis(5));
            while theirs.write_all(b"x").await.is_ok() {
                tick.tick().await;
            }
        });
        let greeting = http::greet(
            &mut ours,
            "x.example",
            None,
            Instant::now() + Duration::from_millis(200),
        )
        .await;
        drop(ours);
        drip.await.unwrap();
        match greeting.end {
            ExchangeEnd::Replied(ProtocolReply::Http(reply)) => assert!(has_reply && reply.body.starts_with(b"x")),
            end => assert!(!has_reply && end == ExchangeEnd::TimedOut, "{end:?}"),
        }
    }
}

#[tokio::test]
async fn invalid_host_or_path_fails_without_panic() {
    for (host, path) in [("x\nexample", "/"), ("x.example", "/a b\n"), ("x.example", "")] {
        let (mut ours, _theirs) = duplex(4096);
        let greeting = http::greet(&mut ours, host, Some(path), Instant::now() + Duration::from_millis(50)).await;
        assert!(
            matches!(greeting.end, ExchangeEnd::Failed { errno: None, .. }),
            "{path:?}: {:?}",
            greeting.end
        );
    }
}

/// Greets a peer that answers with `wire` in segments of at most `segment` bytes, and then closes.
async fn greet_peer_sending(wire: &[u8], segment: usize) -> Greeting {
    let (mut ours, mut theirs) = duplex(segment.max(1));
    let peer = async move {
        read_request_head(&mut theirs).await;
        // The peer may be cut off in the middle.
        let _ = theirs.write_all(wire).await;
    };
    let greet = async {
        let greeting = http::greet(&mut ours, "x.example", None, generous_deadline()).await;
        drop(ours);
        greeting
    };
    tokio::join!(greet, peer).0
}

/// The request's head.
async fn read_request_head(stream: &mut DuplexStream) -> String {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
    String::from_utf8(request).unwrap()
}

/// The response in a greeting.
fn reply(greeting: &Greeting) -> &HttpReply {
    match &greeting.end {
        ExchangeEnd::Replied(ProtocolReply::Http(reply)) => reply,
        end => panic!("{end:?}"),
    }
}

/// A deadline that only a hang reaches.
fn generous_deadline() -> Instant {
    Instant::now() + Duration::from_secs(20)
}
