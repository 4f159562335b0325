//! A listening service: its protocol, and the ways in which it can misbehave.

use std::{collections::BTreeMap, sync::Arc};

use serde::Deserialize;

use super::tls::TlsSettings;
use crate::management::Platform;

/// One listener. Everything that is not mentioned is healthy.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SimulatedService {
    /// The protocol; a scenario that only changes a planned service omits it.
    pub protocol: Option<ServiceProtocol>,
    /// No listener: a reset, or an ICMP port unreachable.
    pub closed: bool,
    /// The connection ends too early.
    pub abort: Option<Abort>,
    /// How fast the service writes.
    pub pacing: Option<Pacing>,
    /// Its TLS, if the protocol has any.
    pub tls: TlsSettings,
    /// Its answers to HTTP requests.
    pub http: Http,
    /// Its answer to a TDS PRELOGIN.
    pub tds: Tds,
    /// Its answer to an AMQP header.
    pub amqp: Amqp,
    /// Its answer to an SMB2 NEGOTIATE.
    pub smb: Smb,
    /// Its answer to a DCE/RPC bind.
    pub kms: Kms,
    /// Its answer to `PING`; none means that it requires a password.
    pub redis: Option<String>,
    /// What it sends before any request.
    pub banner: Option<String>,
    /// A script that replaces the protocol; inside TLS if the protocol uses TLS from the start. Without a final `end`
    /// the connection stays open and nothing more is sent.
    pub script: Option<Vec<ScriptStep>>,
    /// Its answer to an NTP packet.
    pub ntp: Ntp,
    /// It is an entry point of the simulated platform.
    #[serde(skip)]
    pub platform: Option<Arc<Platform>>,
}

impl SimulatedService {
    /// A healthy service.
    pub fn healthy(protocol: ServiceProtocol) -> Self {
        Self {
            protocol: Some(protocol),
            ..Self::default()
        }
    }

    /// How its script ends, if it has a final `end`.
    pub(crate) fn script_end(&self) -> Option<&ConnectionEnd> {
        match self.script.as_ref()?.last()? {
            ScriptStep::End(end) => Some(end),
            _ => None,
        }
    }
}

/// The protocol on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServiceProtocol {
    /// Accepts, and sends nothing but its banner.
    Tcp,
    /// TLS, with HTTP inside.
    Tls,
    /// TLS, with HTTP inside.
    Https,
    /// HTTP.
    Http,
    /// TDS: PRELOGIN, then TLS inside TDS packets.
    Tds,
    /// AMQP 1.0 with an upgrade to TLS.
    Amqp,
    /// AMQP 1.0 inside TLS.
    Amqps,
    /// SMB2 over TCP.
    Smb,
    /// A DCE/RPC server with the KMS interface.
    Kms,
    /// Redis inside TLS.
    Redis,
    /// NTP (UDP).
    Ntp,
}

/// When and how a connection ends too early.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Abort {
    /// When the connection ends.
    pub after: AbortMoment,
    /// How it ends.
    pub with: ConnectionEnd,
}

/// The moment of an [`Abort`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AbortMoment {
    /// As soon as the connection is accepted.
    Accept,
    /// At the client's first bytes: a `ClientHello`, a PRELOGIN, a request.
    FirstBytes,
    /// Once this many bytes have arrived.
    Bytes(usize),
    /// At the client's next bytes after this many replies: after the first reply of a TLS 1.2 server, the client has
    /// its chain.
    Replies(usize),
    /// Once TLS is established, before the first reply inside it.
    TlsHandshake,
    /// At the first bytes inside TLS.
    Request,
}

/// How a connection ends.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConnectionEnd {
    /// RST.
    Reset,
    /// FIN.
    Close,
    /// The connection stays open, and nothing more is sent.
    Silence,
    /// A fatal TLS alert with this description (RFC 8446 §6), in plain text, then FIN.
    Alert(u8),
    /// This text, then FIN.
    Text(String),
    /// These bytes, in hexadecimal, then FIN.
    Hex(String),
}

/// One step of a script.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScriptStep {
    /// Waits for the client's next bytes.
    Read,
    /// Sends this text.
    Text(String),
    /// Sends these bytes, in hexadecimal.
    Hex(String),
    /// Sends this text this many times.
    Repeat(u32, String),
    /// Waits for this many milliseconds.
    PauseMs(u64),
    /// Ends the connection.
    End(ConnectionEnd),
}

/// How fast a service writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pacing {
    /// Milliseconds before the first byte.
    pub initial_delay_ms: u64,
    /// Bytes in one segment; 0 means as many as fit.
    pub segment_bytes: usize,
    /// Milliseconds between segments.
    pub interval_ms: u64,
}

impl Default for Pacing {
    fn default() -> Self {
        Self {
            initial_delay_ms: 0,
            segment_bytes: 1,
            interval_ms: 0,
        }
    }
}

/// What an HTTP server answers. If nothing is set: 200, and the kind of file that the path requests.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// A complete predefined answer.
    pub block_page: Option<BlockPage>,
    /// The status.
    pub status: Option<u16>,
    /// Further headers.
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Option<String>,
    /// A body of this kind.
    pub body_kind: Option<BodyKind>,
    /// A body of this many bytes.
    pub body_bytes: Option<u64>,
    /// Headers that never end.
    pub endless_headers: bool,
    /// How far the server's clock is ahead, in seconds.
    pub clock_ahead_s: i64,
    /// Header lines without which the answer is 400, such as `Metadata: true`.
    pub required_headers: Vec<String>,
    /// Answers for single paths.
    pub paths: BTreeMap<String, Http>,
}

/// Block pages and other answers of well-known middleboxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockPage {
    /// Azure Firewall: 470 and a line of text.
    AzureFirewall,
    /// Squid: 403 and its error page.
    Squid,
    /// Any proxy that requires a login: 407.
    ProxyLogin,
    /// A captive portal: a redirect to its own host.
    CaptivePortal,
    /// A web filter: 403 and a page.
    Fortiguard,
}

/// A file whose first bytes identify its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BodyKind {
    /// A revocation list in DER.
    Crl,
    /// A certificate in DER.
    Certificate,
    /// A cabinet.
    Cabinet,
    /// An OCSP response (RFC 6960 §4.2.1) with the status "unauthorized".
    Ocsp,
}

/// A TDS server's PRELOGIN reply.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tds {
    /// ENCRYPTION (MS-TDS 2.2.6.5): 0 off, 1 on, 2 not supported, 3 required.
    pub encryption: u8,
}

impl Default for Tds {
    fn default() -> Self {
        Self { encryption: 3 }
    }
}

/// An AMQP server's answer to a protocol header.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Amqp {
    /// The same header, then the SASL mechanisms if it was the SASL header.
    #[default]
    Agree,
    /// The header that it supports instead, then FIN (AMQP 1.0 §2.2).
    OtherHeader,
    /// The same header and nothing more.
    HeaderOnly,
}

/// An SMB server's answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Smb {
    /// An SMB2 NEGOTIATE response (MS-SMB2 2.2.4).
    #[default]
    Smb2,
    /// An answer in SMB 1.
    Smb1,
}

/// A DCE/RPC server's answer to a bind (C706 §12.6.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kms {
    /// `bind_ack`, accepted.
    #[default]
    Accept,
    /// `bind_ack`, provider rejection: another interface listens here.
    Reject,
    /// `bind_nak`.
    Nak,
    /// A fault.
    Fault,
}

/// The behaviour of an NTP server.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Ntp {
    /// What it answers.
    pub reply: NtpMisbehaviour,
    /// How far its clock is ahead, in seconds.
    pub clock_ahead_s: i64,
}

/// An NTP server's answer (RFC 5905 §7.3).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NtpMisbehaviour {
    /// Mode 4, stratum 2, the client's timestamp as origin.
    #[default]
    Good,
    /// Another client's timestamp as origin.
    WrongOrigin,
    /// A client packet (mode 3).
    WrongMode,
    /// Half a packet.
    Short,
    /// No reply.
    Silent,
    /// Bytes that are not an NTP packet.
    Garbage,
    /// Stratum 0 with this code: `DENY`, `RSTR`, `RATE`.
    Kiss(String),
    /// This code first, the time after that.
    KissThenGood(String),
    /// Another client's timestamp as origin first, the time after that.
    WrongOriginThenGood,
    /// This stratum.
    Stratum(u8),
}
