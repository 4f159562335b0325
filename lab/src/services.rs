//! The listening services: one module per protocol, and what all of them share.

mod amqp;
mod http;
mod kms;
mod ntp;
mod redis;
mod smb;
mod tds;

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

pub(crate) use self::{http::page, ntp::answer as answer_ntp};
use crate::{
    faulty_stream::{FaultyStream, aborted_here, from_hex, is_aborted},
    management,
    network::{Abort, AbortMoment, ConnectionEnd, NoClientCertificate, ScriptStep, ServiceProtocol, SimulatedService},
    tls::{self, Pki},
};

/// A service at its address.
pub(crate) struct ServiceListener {
    pub(crate) at: SocketAddr,
    /// The hosts that resolve to the address.
    pub(crate) hosts: Vec<String>,
    service: SimulatedService,
    pki: Arc<Pki>,
    acceptor: OnceLock<TlsAcceptor>,
}

impl ServiceListener {
    pub(crate) fn new(at: SocketAddr, hosts: Vec<String>, service: SimulatedService, pki: Arc<Pki>) -> Self {
        Self {
            at,
            hosts,
            service: with_demand(service),
            pki,
            acceptor: OnceLock::new(),
        }
    }

    /// The same service with another certificate, as a firewall that inspects TLS presents it.
    pub(crate) fn disguised(&self, certificate: crate::network::ServerCertificate, host: String) -> Self {
        let mut service = self.service.clone();
        service.tls.certificate = certificate;
        Self::new(self.at, vec![host], service, Arc::clone(&self.pki))
    }

    /// Serves one connection to its end. `replay` contains the client's bytes that were already read.
    pub(crate) async fn attend(&self, stream: TcpStream, replay: Vec<u8>) {
        let cut = self.service.abort.as_ref();
        let mut line = FaultyStream::new(stream, replay, cut, self.service.pacing);
        let spoken = match cut {
            Some(Abort {
                after: AbortMoment::Accept,
                ..
            }) => Err(aborted_here()),
            _ => self.speak(&mut line).await,
        };
        let by = self.service.script_end().or(cut.map(|cut| &cut.with));
        match (spoken, by) {
            (Err(error), Some(by)) if is_aborted(&error) => line.end(by).await,
            _ => line.end(&ConnectionEnd::Close).await,
        }
    }

    async fn speak(&self, line: &mut FaultyStream) -> io::Result<()> {
        if let Some(banner) = &self.service.banner {
            line.write_all(banner.as_bytes()).await?;
        }
        if let Some(script) = &self.service.script {
            return match self.service.protocol {
                Some(
                    ServiceProtocol::Tls | ServiceProtocol::Https | ServiceProtocol::Amqps | ServiceProtocol::Redis,
                ) => play(&mut self.shake_hands(line).await?, script).await,
                _ => play(line, script).await,
            };
        }
        if let Some(platform) = &self.service.platform {
            return match self.service.protocol {
                Some(ServiceProtocol::Https) => {
                    management::serve(&mut self.shake_hands(line).await?, platform, true).await
                }
                _ => management::serve(line, platform, false).await,
            };
        }
        match self.service.protocol.unwrap_or(ServiceProtocol::Tcp) {
            ServiceProtocol::Tcp | ServiceProtocol::Ntp => idle(line).await,
            ServiceProtocol::Http => http::serve(line, &self.service.http, &self.pki).await,
            ServiceProtocol::Tls | ServiceProtocol::Https => {
                let mut inside = self.shake_hands(line).await?;
                http::serve(&mut inside, &self.service.http, &self.pki).await?;
                inside.shutdown().await
            }
            ServiceProtocol::Tds => tds::serve(line, self).await,
            ServiceProtocol::Amqp => {
                amqp::agree_on_tls(line, self.service.amqp).await?;
                let mut inside = self.shake_hands(line).await?;
                amqp::serve(&mut inside, self.service.amqp).await
            }
            ServiceProtocol::Amqps => {
                let mut inside = self.shake_hands(line).await?;
                amqp::serve(&mut inside, self.service.amqp).await
            }
            ServiceProtocol::Smb => smb::serve(line, self.service.smb).await,
            ServiceProtocol::Kms => kms::serve(line, self.service.kms, self.at.port()).await,
            ServiceProtocol::Redis => {
                let mut inside = self.shake_hands(line).await?;
                redis::serve(&mut inside, self.service.redis.as_deref()).await
            }
        }
    }

    /// The handshake, and aborts right after it.
    async fn shake_hands<S: AsyncRead + AsyncWrite + Unpin>(&self, io: S) -> io::Result<TlsStream<S>> {
        let tls = &self.service.tls;
        let acceptor = self.acceptor.get_or_init(|| self.pki.server(tls, &self.hosts));
        let mut inside = tls::accept(acceptor, tls, io).await?;
        match self.service.abort.as_ref().map(|cut| cut.after) {
            Some(AbortMoment::TlsHandshake) => Err(aborted_here()),
            Some(AbortMoment::Request) => {
                let _ = inside.read(&mut [0; 1024]).await?;
                Err(aborted_here())
            }
            _ => Ok(inside),
        }
    }
}

/// Runs a script to its end.
async fn play<S: AsyncRead + AsyncWrite + Unpin>(io: &mut S, script: &[ScriptStep]) -> io::Result<()> {
    for step in script {
        match step {
            ScriptStep::Read if io.read(&mut [0; 4096]).await? == 0 => return Ok(()),
            ScriptStep::Read => {}
            ScriptStep::Text(text) => io.write_all(text.as_bytes()).await?,
            ScriptStep::Hex(hex) => io.write_all(&from_hex(hex)).await?,
            ScriptStep::Repeat(times, text) => {
                for _ in 0..*times {
                    io.write_all(text.as_bytes()).await?;
                }
            }
            ScriptStep::PauseMs(milliseconds) => sleep(Duration::from_millis(*milliseconds)).await,
            ScriptStep::End(_) => return Err(aborted_here()),
        }
        io.flush().await?;
    }
    idle(io).await
}

/// A server that resets a client without a certificate does so at the flight that should contain the certificate.
fn with_demand(mut service: SimulatedService) -> SimulatedService {
    let end = match service.tls.without_client_certificate {
        None | Some(NoClientCertificate::Alert) => return service,
        Some(NoClientCertificate::Reset) => ConnectionEnd::Reset,
        Some(NoClientCertificate::Close) => ConnectionEnd::Close,
        Some(NoClientCertificate::Silence) => ConnectionEnd::Silence,
    };
    // TDS and AMQP negotiate TLS first.
    let replies = if matches!(service.protocol, Some(ServiceProtocol::Tds | ServiceProtocol::Amqp)) {
        2
    } else {
        1
    };
    service.abort.get_or_insert(Abort {
        after: AbortMoment::Replies(replies),
        with: end,
    });
    service
}

/// Sends nothing until the client disconnects.
pub(crate) async fn idle<S: AsyncRead + Unpin>(io: &mut S) -> io::Result<()> {
    let mut bytes = [0; 4096];
    while io.read(&mut bytes).await? > 0 {}
    Ok(())
}
