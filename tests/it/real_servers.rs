//! The hellos with real servers on loopback, which `tests/real/serve.py` starts.

use std::{net::SocketAddr, time::Duration};

use apim_probe::{
    diagnosis::view::{NameServerView, QueryCounts},
    hello::{
        ExchangeEnd, Greeting, ProtocolReply, amqp,
        http::{self, denial},
        kms, ntp, random, redis, smb,
    },
    model::Transport,
    net::{
        dns::{DnsEnd, DnsExchange, DnsQuestion},
        tcp::TcpEnd,
    },
};
use tokio::{
    net::{TcpStream, UdpSocket},
    sync::Semaphore,
    time::{Instant, sleep, timeout},
};

#[tokio::test]
#[ignore = "needs Samba, by tests/real/serve.py"]
async fn samba_gives_smb_proof() {
    let greeting = smb::greet(&mut connect_once_up(14450).await, generous_deadline()).await;
    assert_eq!(proof(&greeting), "SMB2 NEGOTIATE reply, dialect 3.1.1");
}

#[tokio::test]
#[ignore = "needs Redis, by tests/real/serve.py"]
async fn redis_that_requires_a_password_gives_proof() {
    let greeting = redis::greet(&mut connect_once_up(16379).await, generous_deadline()).await;
    assert_eq!(proof(&greeting), "Redis answers -NOAUTH Authentication required.");
}

#[tokio::test]
#[ignore = "needs impacket, by tests/real/serve.py"]
async fn rpc_server_gives_kms_proof_only_for_the_kms_interface() {
    let greeting = kms::greet(&mut connect_once_up(11688).await, generous_deadline()).await;
    assert_eq!(proof(&greeting), "DCE/RPC bind to the KMS interface accepted");
    let greeting = kms::greet(&mut connect_once_up(11135).await, generous_deadline()).await;
    let ExchangeEnd::Foreign { why } = &greeting.end else {
        panic!("{greeting:?}")
    };
    assert!(why.starts_with("an RPC server that is no KMS"), "{why}");
}

#[tokio::test]
#[ignore = "needs Qpid Proton, by tests/real/serve.py"]
async fn proton_gives_amqp_sasl_proof() {
    let greeting = amqp::greet_sasl(&mut connect_once_up(15672).await, generous_deadline()).await;
    assert_eq!(proof(&greeting), "AMQP SASL mechanisms ANONYMOUS");
}

#[tokio::test]
#[ignore = "needs chrony, by tests/real/serve.py"]
async fn chrony_gives_ntp_proof_and_time() {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    #[expect(clippy::disallowed_methods, reason = "the address is explicit")]
    socket.connect("127.0.0.1:10123").await.unwrap();
    let sent = random();
    let mut datagram = [0; 512];
    let answer = async {
        loop {
            socket.send(&ntp::request(sent)).await.ok();
            match timeout(Duration::from_millis(200), socket.recv(&mut datagram)).await {
                Ok(Ok(length)) => break length,
                _ => sleep(Duration::from_millis(50)).await,
            }
        }
    };
    let length = timeout(Duration::from_secs(20), answer).await.expect("chrony answers");
    let reply = ntp::parse(&datagram[..length], sent).unwrap();
    assert_eq!(reply.proof(), "NTP reply, stratum 3");
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs_f64();
    assert!((reply.transmit.unwrap() - now).abs() < 5.0, "{reply:?}");
}

#[tokio::test]
#[ignore = "needs RabbitMQ, by tests/real/serve.py"]
async fn rabbitmq_is_not_event_hubs() {
    let greeting = amqp::greet_tls(&mut connect_once_up(15675).await, generous_deadline()).await;
    let ExchangeEnd::Foreign { why } = &greeting.end else {
        panic!("{greeting:?}")
    };
    assert!(why.contains("AMQP 0-9-1"), "{why}");
}

#[tokio::test]
#[ignore = "needs squid, HAProxy, tinyproxy and Privoxy, by tests/real/serve.py"]
async fn proxies_are_recognised_by_their_block_pages() {
    for (port, author, words) in [
        (13128, "Squid", "ERROR: The requested URL could not be retrieved"),
        (18081, "HAProxy", "Request forbidden by administrative rules."),
        (18888, "tinyproxy", "403 Access denied"),
        (18118, "Privoxy", "Request blocked (Privoxy@"),
    ] {
        let marker = denial_marker(port)
            .await
            .unwrap_or_else(|| panic!("{port} is taken for a service"));
        assert!(
            marker.starts_with(&format!("HTTP 403, {author}: ")) && marker.contains(words),
            "{marker}"
        );
    }
    // The front end of a service that is down, as far as can be seen.
    assert_eq!(denial_marker(18082).await, None);
}

/// What shows that a proxy answered instead of a service.
async fn denial_marker(port: u16) -> Option<String> {
    let greeting = http::greet(
        &mut connect_once_up(port).await,
        "crl.example",
        None,
        generous_deadline(),
    )
    .await;
    let ExchangeEnd::Replied(ProtocolReply::Http(reply)) = greeting.end else {
        panic!("{port}: {greeting:?}")
    };
    denial(&reply).map(|denial| denial.to_string())
}

#[tokio::test]
#[ignore = "needs BIND, by tests/real/serve.py"]
async fn bind_truncates_over_udp_and_answers_over_tcp() {
    let exchange = first_final_reply(15301, "many.login.microsoftonline.com").await;
    let DnsEnd::Answered(answer) = &exchange.end else {
        panic!("{exchange:?}")
    };
    assert!(
        exchange.truncated && answer.addresses.len() + answer.further == 90,
        "{exchange:?}"
    );
}

#[tokio::test]
#[ignore = "needs BIND and unbound, by tests/real/serve.py"]
async fn servers_with_dead_forwarders_accept_tcp_and_never_answer() {
    for port in [15301, 15302] {
        first_final_reply(port, "login.microsoftonline.com").await;
        let exchanges = [
            ask(port, "vault.example", Transport::Udp).await,
            ask(port, "vault.example", Transport::Tcp).await,
        ];
        let seen = NameServerView::over(exchanges.iter());
        assert!(!seen.is_alive(), "{port}: {exchanges:?}");
        assert_eq!((seen.udp.silent, seen.tcp.accepted), (1, 1), "{port}: {exchanges:?}");
    }
}

#[tokio::test]
#[ignore = "needs unbound, by tests/real/serve.py"]
async fn unbound_truncates_over_udp_and_refuses_tcp() {
    let asked = async {
        loop {
            let exchange = ask(15305, "login.microsoftonline.com", Transport::Udp).await;
            if exchange.truncated {
                break exchange;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let exchange = timeout(Duration::from_secs(20), asked).await.expect("unbound answers");
    assert!(
        matches!(&exchange.end, DnsEnd::NotConnected(trace) if matches!(trace.end, TcpEnd::Failed(_))),
        "{exchange:?}"
    );
    let seen = NameServerView::over(std::iter::once(&exchange));
    assert_eq!((seen.udp.answered, seen.tcp.refused), (1, 1), "{exchange:?}");
}

#[tokio::test]
#[ignore = "needs dnsdist, by tests/real/serve.py"]
async fn dnsdist_rate_limit_is_no_final_answer() {
    first_final_reply(15304, "login.microsoftonline.com").await;
    sleep(Duration::from_secs(2)).await;
    let mut exchanges = Vec::new();
    for _ in 0..4 {
        exchanges.push(ask(15304, "login.microsoftonline.com", Transport::Udp).await);
    }
    let QueryCounts {
        answered,
        final_answers,
        ..
    } = NameServerView::over(exchanges.iter()).udp;
    assert!(answered == 4 && (1..4).contains(&final_answers), "{exchanges:?}");
}

async fn ask(port: u16, name: &str, transport: Transport) -> DnsExchange {
    let question = DnsQuestion::new(name, false).unwrap();
    let server = SocketAddr::from(([127, 0, 0, 1], port));
    let spare = Semaphore::new(8);
    let limit = Duration::from_secs(2);
    match transport {
        Transport::Udp => question.ask(server, limit, generous_deadline(), &spare).await,
        Transport::Tcp => {
            let until = tokio::time::Instant::now() + limit;
            question.ask_over_tcp(server, until, || until).await
        }
    }
}

/// The first reply that settles a name, once the server is up.
async fn first_final_reply(port: u16, name: &str) -> DnsExchange {
    let asked = async {
        loop {
            let exchange = ask(port, name, Transport::Udp).await;
            if NameServerView::over(std::iter::once(&exchange)).is_alive() {
                break exchange;
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(Duration::from_secs(20), asked).await.expect("the server is up")
}

/// A connection to a port of this machine, once its server is up.
async fn connect_once_up(port: u16) -> TcpStream {
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let up = async {
        loop {
            match tokio::net::TcpSocket::new_v4().unwrap().connect(address).await {
                Ok(stream) => break stream,
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    };
    timeout(Duration::from_secs(40), up).await.expect("the server is up")
}

fn proof(greeting: &Greeting) -> &str {
    match &greeting.end {
        ExchangeEnd::Replied(ProtocolReply::Spoke { proof } | ProtocolReply::Upgrade { proof }) => proof,
        end => panic!("{end:?}, after {:02x?}", greeting.received),
    }
}

fn generous_deadline() -> Instant {
    Instant::now() + Duration::from_secs(10)
}
