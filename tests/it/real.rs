//! The hellos against real servers on loopback, which `tests/real/serve.py` starts.

use std::time::Duration;

use apim_probe::hello::{End, Greeting, Reply, amqp, kms, ntp, random, redis, smb};
use tokio::{
    net::{TcpStream, UdpSocket},
    time::{Instant, sleep, timeout},
};

#[tokio::test]
#[ignore = "needs Samba, by tests/real/serve.py"]
async fn samba_negotiates() {
    let greeting = smb::greet(&mut connected(14450).await, soon()).await;
    assert_eq!(proof(&greeting), "SMB2 NEGOTIATE reply, dialect 3.1.1");
}

#[tokio::test]
#[ignore = "needs Redis, by tests/real/serve.py"]
async fn redis_wants_a_password() {
    let greeting = redis::greet(&mut connected(16379).await, soon()).await;
    assert_eq!(proof(&greeting), "Redis answers -NOAUTH Authentication required.");
}

#[tokio::test]
#[ignore = "needs impacket, by tests/real/serve.py"]
async fn an_rpc_server_accepts_only_its_interface() {
    let greeting = kms::greet(&mut connected(11688).await, soon()).await;
    assert_eq!(proof(&greeting), "DCE/RPC bind to the KMS interface accepted");
    let greeting = kms::greet(&mut connected(11135).await, soon()).await;
    let End::Foreign { why } = &greeting.end else {
        panic!("{greeting:?}")
    };
    assert!(why.starts_with("an RPC server that is no KMS"), "{why}");
}

#[tokio::test]
#[ignore = "needs Qpid Proton, by tests/real/serve.py"]
async fn proton_offers_mechanisms() {
    let greeting = amqp::greet_sasl(&mut connected(15672).await, soon()).await;
    assert_eq!(proof(&greeting), "AMQP SASL mechanisms ANONYMOUS");
}

#[tokio::test]
#[ignore = "needs chrony, by tests/real/serve.py"]
async fn chrony_tells_the_time() {
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

/// A connection to a port of this machine, once its server is up.
async fn connected(port: u16) -> TcpStream {
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let up = async {
        loop {
            match tokio::net::TcpSocket::new_v4().unwrap().connect(address).await {
                Ok(stream) => break stream,
                Err(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    };
    timeout(Duration::from_secs(20), up).await.expect("the server is up")
}

fn proof(greeting: &Greeting) -> &str {
    match &greeting.end {
        End::Replied(Reply::Spoke { proof } | Reply::Upgrade { proof }) => proof,
        end => panic!("{end:?}, after {:02x?}", greeting.received),
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}
