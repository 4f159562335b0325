//! Hellos beneath and inside TLS: the handshake in TDS packets, and alerts that arrive at the first read.

use std::{sync::Arc, time::Duration};

use apim_probe::hello::{
    ExchangeEnd, exchange, redis,
    tds::{self, TdsFramed},
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
    server::WebPkiClientVerifier,
    version::{TLS12, TLS13},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, duplex},
    time::Instant,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};

#[tokio::test]
async fn tls_handshake_works_inside_tds_packets() {
    for version in [&TLS12, &TLS13] {
        for pipe in [1, 37, 64 * 1024] {
            let tls = Tls::new(version, false);
            let (ours, theirs) = duplex(pipe);
            let server = async {
                let mut stream = tls.acceptor.accept(TdsFramed::new(theirs)).await.unwrap();
                stream.write_all(&[b'x'; 10_000]).await.unwrap();
                stream.shutdown().await.unwrap();
            };
            let client = async {
                let mut stream = tls.connector.connect(name(), TdsFramed::new(ours)).await.unwrap();
                let mut text = Vec::new();
                stream.read_to_end(&mut text).await.unwrap();
                assert_eq!(text, vec![b'x'; 10_000]);
                stream.get_ref().1.protocol_version()
            };
            let (seen, ()) = tokio::join!(client, server);
            assert_eq!(seen, Some(version.version));
        }
    }
}

#[tokio::test]
async fn tls_flight_is_one_tds_message() {
    let (ours, mut theirs) = duplex(64 * 1024);
    let mut stream = TdsFramed::new(ours);
    stream.write_all(&[1; 5000]).await.unwrap();
    stream.write_all(&[2; 100]).await.unwrap();
    stream.flush().await.unwrap();
    drop(stream);
    let mut wire = Vec::new();
    theirs.read_to_end(&mut wire).await.unwrap();
    assert_eq!(wire.len(), 5100 + 2 * 8);
    assert_eq!(wire[..9], [0x12, 0, 0x10, 0, 0, 0, 1, 0, 1]);
    assert_eq!(wire[4096..4105], [0x12, 1, 0x03, 0xfc, 0, 0, 2, 0, 1]);
}

/// What a packet stream returns to its reader.
type Read = Result<&'static [u8], std::io::ErrorKind>;

#[tokio::test]
async fn truncated_or_invalid_tds_packets_are_errors() {
    use std::io::ErrorKind::{InvalidData, UnexpectedEof};
    let table: [(&[u8], Read); 7] = [
        (b"", Ok(b"")),
        (b"\x12\x01\0\x0a\0\0\0\0hi", Ok(b"hi")),
        (b"\x04\x01\0\x08\0\0\0\0\x04\x01\0\x0a\0\0\0\0hi", Ok(b"hi")),
        (b"\x12\x01\0", Err(UnexpectedEof)),
        (b"\x12\x01\0\x0a\0\0\0\0h", Err(UnexpectedEof)),
        (b"\x12\x01\0\x07\0\0\0\0", Err(InvalidData)),
        (b"\x16\x03\x03\0\x7a\x02\0\0", Err(InvalidData)),
    ];
    for (wire, expected) in table {
        let (ours, mut theirs) = duplex(1024);
        theirs.write_all(wire).await.unwrap();
        drop(theirs);
        let mut read = Vec::new();
        let outcome = TdsFramed::new(ours).read_to_end(&mut read).await;
        assert_eq!(
            outcome.map(|_| &*read).map_err(|error| error.kind()),
            expected,
            "{wire:02x?}"
        );
    }
}

#[tokio::test]
async fn tds_prelogin_and_handshake_give_a_certificate() {
    let tls = Tls::new(&TLS12, false);
    let (mut ours, mut theirs) = duplex(16);
    let server = async {
        let mut request = vec![0; tds::request().len()];
        theirs.read_exact(&mut request).await.unwrap();
        let reply = b"\x04\x01\0\x1a\0\0\x01\0\0\0\x0b\0\x06\x01\0\x11\0\x01\xff\x0c\0\x07\xd0\0\0\x03";
        theirs.write_all(reply).await.unwrap();
        tls.acceptor.accept(TdsFramed::new(theirs)).await.unwrap();
    };
    let client = async {
        let greeting = tds::greet(&mut ours, generous_deadline()).await;
        assert!(matches!(greeting.end, ExchangeEnd::Replied(_)), "{:?}", greeting.end);
        let stream = tls.connector.connect(name(), TdsFramed::new(ours)).await.unwrap();
        assert!(stream.get_ref().1.peer_certificates().is_some());
    };
    tokio::join!(client, server);
}

#[tokio::test]
async fn missing_client_certificate_gives_an_alert() {
    let tls = Tls::new(&TLS13, true);
    let (ours, theirs) = duplex(4096);
    let server = async { assert!(tls.acceptor.accept(theirs).await.is_err()) };
    let client = async {
        let mut stream = tls.connector.connect(name(), ours).await.unwrap();
        redis::greet(&mut stream, generous_deadline()).await
    };
    let (greeting, ()) = tokio::join!(client, server);
    assert_eq!(greeting.end, ExchangeEnd::Alert("CertificateRequired".into()));
}

#[tokio::test]
async fn eof_without_close_notify_is_closed() {
    let tls = Tls::new(&TLS13, false);
    let (ours, theirs) = duplex(4096);
    let server = async {
        let mut stream = tls.acceptor.accept(theirs).await.unwrap();
        stream.read_u8().await.unwrap();
    };
    let client = async {
        let mut stream = tls.connector.connect(name(), ours).await.unwrap();
        exchange(&mut stream, redis::request(), redis::parse, generous_deadline()).await
    };
    let (greeting, ()) = tokio::join!(client, server);
    assert_eq!(greeting.end, ExchangeEnd::Closed);
}

/// Both sides of a TLS connection whose client trusts the server.
struct Tls {
    connector: TlsConnector,
    acceptor: TlsAcceptor,
}

impl Tls {
    fn new(version: &'static SupportedProtocolVersion, demands_certificate: bool) -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["server.example".to_owned()]).unwrap();
        let chain = vec![CertificateDer::from(cert.der().to_vec())];
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(chain[0].clone()).unwrap();
        let roots = Arc::new(roots);
        let provider = Arc::new(ring::default_provider());

        let server = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[version])
            .unwrap();
        let server = if demands_certificate {
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
                .build()
                .unwrap();
            server.with_client_cert_verifier(verifier)
        } else {
            server.with_no_client_auth()
        };
        let client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self {
            connector: Arc::new(client).into(),
            acceptor: Arc::new(server.with_single_cert(chain, key).unwrap()).into(),
        }
    }
}

fn name() -> ServerName<'static> {
    "server.example".try_into().unwrap()
}

/// A deadline that only a hang reaches.
fn generous_deadline() -> Instant {
    Instant::now() + Duration::from_secs(20)
}
