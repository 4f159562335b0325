//! The minimum cost of probing an https endpoint: one DNS query, one connection, one verified handshake, one GET, with
//! the agent's own libraries and as many in flight. Nothing is measured, judged or kept, nothing is read unless it is
//! needed to continue, no connection is closed cleanly, and a single thread does everything, so nothing has to wake it.

use std::{
    env,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    sync::Arc,
};

use anyhow::{Context, Result, ensure};
use rustls::{
    ClientConfig, RootCertStore,
    client::Resumption,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, UdpSocket},
    task::JoinSet,
};
use tokio_rustls::TlsConnector;

/// The first argument; it is followed by a file of roots, a name server, and how many [`host`]s to visit.
pub(crate) const BARE: &str = "--bare";

/// The agent's default.
pub(crate) const IN_FLIGHT: usize = 128;

/// A certificate's name that covers every [`host`].
pub(crate) const WILDCARD: &str = "*.bench.example";

/// The name of one host.
pub(crate) fn host(number: u16) -> String {
    format!("h{number:04}.bench.example")
}

/// Visits as many hosts as the arguments say; fails if one of them is not healthy.
pub(crate) fn visit_arguments() -> Result<()> {
    let mut arguments = env::args().skip(2);
    let mut next = || arguments.next().context("--bare ROOTS SERVER HOSTS");
    let (roots, server, hosts) = (next()?, next()?.parse()?, next()?.parse()?);
    let connector = connector(Path::new(&roots))?;
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()?
        .block_on(visit_all(&connector, server, hosts))
}

async fn visit_all(connector: &TlsConnector, server: SocketAddr, hosts: u16) -> Result<()> {
    let mut in_flight = JoinSet::new();
    for number in 0..hosts {
        if in_flight.len() == IN_FLIGHT {
            in_flight.join_next().await.context("nothing in flight")???;
        }
        in_flight.spawn(visit(connector.clone(), server, host(number)));
    }
    while let Some(visited) = in_flight.join_next().await {
        visited??;
    }
    Ok(())
}

async fn visit(connector: TlsConnector, server: SocketAddr, host: String) -> Result<()> {
    let address = resolve(server, &host).await?;
    let stream = TcpSocket::new_v4()?.connect(SocketAddr::new(address, 443)).await?;
    let mut stream = connector.connect(ServerName::try_from(host.clone())?, stream).await?;
    let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut reply = [0; 2048];
    let length = stream.read(&mut reply).await?;
    ensure!(reply[..length].starts_with(b"HTTP/1.1 "), "{host}: no HTTP");
    Ok(())
}

/// Queries the address of a host (RFC 1035, section 4). The lab's replies end with it.
async fn resolve(server: SocketAddr, host: &str) -> Result<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    // An id, recursion desired, and one question.
    let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in host.split('.') {
        query.push(u8::try_from(label.len())?);
        query.extend_from_slice(label.as_bytes());
    }
    // The root, type A, class IN.
    query.extend_from_slice(&[0, 0, 1, 0, 1]);
    socket.send_to(&query, server).await?;
    let mut reply = [0; 512];
    let (length, _) = socket.recv_from(&mut reply).await?;
    let address: &[u8; 4] = reply[..length].last_chunk().context("no DNS")?;
    Ok(Ipv4Addr::from(*address).into())
}

fn connector(file: &Path) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    for root in CertificateDer::pem_file_iter(file)? {
        roots.add(root?)?;
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    // No visit reuses a session.
    config.resumption = Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}
