//! What one address gave.

use std::{net::SocketAddr, time::Duration};

use super::{context::Context, dns, hello, socket, tls};
use crate::{
    address,
    model::{Cause, Protocol, Stage, Transport},
    net::{tcp::TcpEnd, udp::UdpEnd},
    plan::Endpoint,
    probe::trace::{Attempt, NotDialled},
    text::words,
};

/// What an address amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// The service proved itself.
    Proved,
    /// It proved itself, then the conversation was cut.
    Shaken(Cause),
    /// Something answered that proves nothing.
    Unproven(Option<Cause>),
    /// A stage failed.
    Failed(Cause),
    /// It was not tried.
    Untried(Cause),
}

impl Standing {
    /// The same, as a stage of the report has it.
    pub fn step(self) -> Step {
        self.cause().map_or(Ok(()), Err)
    }

    /// Why it is not proved.
    pub fn cause(self) -> Option<Cause> {
        match self {
            Self::Proved => None,
            Self::Unproven(cause) => cause,
            Self::Shaken(cause) | Self::Failed(cause) | Self::Untried(cause) => Some(cause),
        }
    }
}

/// How a stage went: why not, where it did not go well.
pub type Step = Result<(), Cause>;

/// What one address gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The address and port.
    pub address: SocketAddr,
    /// What it amounts to.
    pub standing: Standing,
    /// How far it got.
    pub stage: Stage,
    /// One plain sentence.
    pub detail: String,
    /// What was seen, a sentence each.
    pub evidence: Vec<String>,
    /// What the service said that proves it.
    pub proof: Option<String>,
    /// What the connection gave, where it was reached; as for the two below.
    pub tcp: Option<Step>,
    /// The handshake.
    pub tls: Option<Step>,
    /// The conversation.
    pub hello: Option<Step>,
}

impl Outcome {
    fn new(address: SocketAddr) -> Self {
        Self {
            address,
            standing: Standing::Proved,
            stage: Stage::Tcp,
            detail: String::new(),
            evidence: Vec::new(),
            proof: None,
            tcp: None,
            tls: None,
            hello: None,
        }
    }

    fn settle(mut self, standing: Standing, stage: Stage, seen: impl Into<String>) -> Self {
        let seen = seen.into();
        if standing == Standing::Proved {
            self.proof = Some(seen.clone());
        }
        self.standing = standing;
        self.stage = stage;
        self.detail = format!("{}: {seen}", self.address.ip());
        self.evidence.insert(0, self.detail.clone());
        self
    }

    /// A private address that does not prove itself is the likelier fault of the name.
    pub(super) fn blame_private_address(mut self) -> Self {
        if let Standing::Failed(_) = self.standing
            && address::is_private(self.address.ip())
        {
            self.standing = Standing::Failed(Cause::DnsPrivateAddress);
            self.detail = format!("{}, a private address without a private link", self.detail);
            self.evidence.insert(
                0,
                format!(
                    "the name resolves to the private address {} without a private-link alias",
                    self.address.ip()
                ),
            );
        }
        self
    }
}

/// Judges one attempt.
pub fn judge(endpoint: &Endpoint, attempt: &Attempt, context: &Context) -> Outcome {
    let outcome = Outcome::new(attempt.address);
    match attempt.not_dialled {
        Some(NotDialled::Sinkhole) => {
            let seen = "an address that cannot be the service's, so it was not dialled";
            return outcome.settle(Standing::Failed(Cause::DnsSinkhole), Stage::Dns, seen);
        }
        Some(NotDialled::NoSocket) => {
            let seen = "the run ended before a socket was free";
            return outcome.settle(Standing::Untried(Cause::Deadline), Stage::Dns, seen);
        }
        None => {}
    }
    match endpoint.protocol {
        Protocol::Dns => name_server(outcome, attempt),
        Protocol::Ntp => time_server(outcome, attempt),
        _ if endpoint.transport == Transport::Udp => {
            let seen = "nothing is spoken here that could be tested";
            outcome.settle(Standing::Untried(Cause::NotOutbound), Stage::Dns, seen)
        }
        _ => over_tcp(outcome, endpoint, attempt, context),
    }
}

fn over_tcp(mut outcome: Outcome, endpoint: &Endpoint, attempt: &Attempt, context: &Context) -> Outcome {
    let Some(tcp) = &attempt.tcp else {
        return outcome.settle(Standing::Untried(Cause::Deadline), Stage::Dns, "never dialled");
    };
    match &tcp.end {
        TcpEnd::Open => outcome.tcp = Some(Ok(())),
        TcpEnd::Silent { syns } => {
            outcome.tcp = Some(Err(Cause::TcpTimeout));
            return outcome.settle(
                Standing::Failed(Cause::TcpTimeout),
                Stage::Tcp,
                silence(*syns, tcp.duration),
            );
        }
        TcpEnd::Failed(failure) => {
            let (cause, seen) = socket::over_tcp(failure, tcp.duration);
            outcome.tcp = Some(Err(cause));
            return outcome.settle(standing_of(cause), Stage::Tcp, seen);
        }
    }
    if endpoint.protocol == Protocol::Tcp {
        let seen = "the connection was accepted, which proves nothing about who did";
        return outcome.settle(Standing::Unproven(None), Stage::Tcp, seen);
    }
    let mut proof = None;
    if let Some(prelude) = &attempt.prelude {
        let judged = hello::before_tls(prelude);
        outcome.hello = Some(judged.standing.step());
        // What is said before TLS proves something only where TLS does not follow.
        if attempt.tls.is_none() {
            return outcome.settle(judged.standing, Stage::Prelude, judged.seen);
        }
        proof = Some(judged.seen);
    }
    let mut asked = false;
    if let Some(handshake) = &attempt.tls {
        let judged = tls::judge(endpoint, handshake, context);
        outcome.tls = Some(judged.standing.step());
        outcome.evidence = judged.evidence;
        asked = handshake.asked_for_certificate;
        if judged.standing != Standing::Proved || attempt.hello.is_none() {
            let seen = match (judged.standing, proof) {
                (Standing::Proved, Some(proof)) => format!("{proof}, then {}", judged.seen),
                _ => judged.seen,
            };
            return outcome.settle(judged.standing, Stage::Tls, seen);
        }
        proof = Some(judged.seen);
    }
    let Some(hello) = &attempt.hello else {
        return outcome.settle(
            Standing::Failed(Cause::HelloTimeout),
            Stage::Hello,
            "the conversation never began",
        );
    };
    let judged = if attempt.tls.is_some() {
        hello::behind_tls(hello, asked)
    } else {
        hello::in_the_clear(endpoint, hello)
    };
    outcome.hello = Some(judged.standing.step());
    if let Some(proof) = proof {
        outcome.evidence.insert(0, format!("{}: {proof}", outcome.address.ip()));
    }
    outcome.settle(judged.standing, Stage::Hello, judged.seen)
}

fn name_server(mut outcome: Outcome, attempt: &Attempt) -> Outcome {
    let Some(exchange) = &attempt.dns else {
        return outcome.settle(Standing::Untried(Cause::Deadline), Stage::Dns, "never asked");
    };
    let judged = dns::judge_server(exchange);
    outcome.tcp = judged.tcp;
    outcome.evidence = judged.evidence;
    if matches!(judged.tcp, Some(Err(_))) {
        return outcome.settle(judged.standing, Stage::Tcp, judged.seen);
    }
    outcome.hello = Some(judged.standing.step());
    outcome.settle(judged.standing, Stage::Hello, judged.seen)
}

fn time_server(mut outcome: Outcome, attempt: &Attempt) -> Outcome {
    let Some(exchange) = &attempt.ntp else {
        return outcome.settle(Standing::Untried(Cause::Deadline), Stage::Dns, "never asked");
    };
    let (standing, seen) = match &exchange.end {
        UdpEnd::Replied(reply) => (Standing::Proved, reply.proof()),
        UdpEnd::Silent if exchange.ignored.is_empty() => {
            let seen = format!(
                "no answer to {} within {}",
                words::count(exchange.sent, "datagram"),
                words::duration(exchange.duration)
            );
            (Standing::Failed(Cause::HelloTimeout), seen)
        }
        UdpEnd::Silent => {
            let seen = format!("only replies that do not fit came: {}", exchange.ignored.join("; "));
            (Standing::Failed(Cause::HelloUnexpected), seen)
        }
        UdpEnd::Failed(failure) => {
            let (cause, seen) = socket::over_udp(failure, exchange.duration);
            (standing_of(cause), seen)
        }
    };
    outcome.hello = Some(standing.step());
    outcome.settle(standing, Stage::Hello, seen)
}

/// A local fault means that nothing was tried; any other cause, that it failed.
pub(super) fn standing_of(cause: Cause) -> Standing {
    if cause == Cause::LocalFault {
        Standing::Untried(cause)
    } else {
        Standing::Failed(cause)
    }
}

fn silence(syns: Option<usize>, duration: Duration) -> String {
    match syns {
        Some(syns) => format!(
            "no answer to {} in {}",
            words::count(syns, "SYN"),
            words::duration(duration)
        ),
        None => format!("no answer in {}", words::duration(duration)),
    }
}
