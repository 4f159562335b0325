//! The results of an exchange, of an address, of an endpoint.

use std::net::SocketAddr;

use crate::{
    address,
    model::{Cause, Expect, FlowCounts, Stage, Verdict},
    plan::Untested,
};

/// The result of a connection, or of several to one address together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptVerdict {
    /// The service was verified.
    Proved,
    /// It was verified, then the conversation was cut.
    Degraded(Cause),
    /// Something answered that does not prove the service.
    Unproven(Option<Cause>),
    /// A stage failed.
    Failed(Cause),
    /// It was not tried.
    NotTried(Cause),
}

impl AttemptVerdict {
    /// Not verified: for a local fault nothing was tried; for any other cause it failed.
    pub fn failed(cause: Cause) -> Self {
        if cause == Cause::LocalFault {
            Self::NotTried(cause)
        } else {
            Self::Failed(cause)
        }
    }

    /// The same, as the report's stages have it.
    pub fn step(self) -> StageResult {
        self.cause().map_or(Ok(()), Err)
    }

    /// Whether the service was verified.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Proved | Self::Degraded(_))
    }

    /// Whether the peer accepted, and sent nothing after our first data, possibly after a handshake that verified the
    /// service.
    pub fn went_silent(&self) -> bool {
        matches!(
            self,
            Self::Failed(Cause::TlsTimeout | Cause::HelloTimeout) | Self::Degraded(Cause::HelloTimeout)
        )
    }

    /// Why it is not verified.
    pub fn cause(self) -> Option<Cause> {
        match self {
            Self::Proved => None,
            Self::Unproven(cause) => cause,
            Self::Degraded(cause) | Self::Failed(cause) | Self::NotTried(cause) => Some(cause),
        }
    }
}

/// The result of one exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The result.
    pub verdict: AttemptVerdict,
    /// One sentence.
    pub seen: String,
    /// Further observations, one sentence each.
    pub evidence: Vec<String>,
}

impl Judged {
    /// A judgement without further observations.
    pub fn new(verdict: AttemptVerdict, seen: impl Into<String>) -> Self {
        Self {
            verdict,
            seen: seen.into(),
            evidence: Vec::new(),
        }
    }
}

/// The result of a stage: the cause, if it failed.
pub type StageResult = Result<(), Cause>;

/// What one connection showed.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The address and port.
    pub address: SocketAddr,
    /// Whether it was a control, which explains others and decides nothing by itself.
    pub control: bool,
    /// The result.
    pub verdict: AttemptVerdict,
    /// How far it got.
    pub stage: Stage,
    /// One plain sentence.
    pub detail: String,
    /// Observations, one sentence each; empty once they have been moved to the endpoint's judgement.
    pub evidence: Vec<String>,
    /// What the service said that proves it.
    pub proof: Option<String>,
    /// What the connection showed, if it was made; the same for the next two.
    pub tcp: Option<StageResult>,
    /// The handshake.
    pub tls: Option<StageResult>,
    /// The conversation.
    pub hello: Option<StageResult>,
}

impl Outcome {
    /// No observations yet.
    pub fn new(address: SocketAddr) -> Self {
        Self {
            address,
            control: false,
            verdict: AttemptVerdict::Proved,
            stage: Stage::Tcp,
            detail: String::new(),
            evidence: Vec::new(),
            proof: None,
            tcp: None,
            tls: None,
            hello: None,
        }
    }

    /// The result of the address, in the stage that it reached.
    #[must_use]
    pub fn conclude(mut self, verdict: AttemptVerdict, stage: Stage, seen: impl Into<String>) -> Self {
        let seen = seen.into();
        if verdict == AttemptVerdict::Proved {
            self.proof = Some(seen.clone());
        }
        self.verdict = verdict;
        self.stage = stage;
        let address = self.address.ip().to_string();
        // An ICMP error's sentence begins with its sender, which may be the address itself.
        let begins_with_it = seen.strip_prefix(&address).is_some_and(|rest| rest.starts_with(' '));
        self.detail = if begins_with_it {
            seen
        } else {
            format!("{address}: {seen}")
        };
        self.evidence.insert(0, self.detail.clone());
        self
    }

    /// If the service is not verified at a private address, the name is the more likely fault.
    #[must_use]
    pub fn suspect_private_address(mut self) -> Self {
        if let AttemptVerdict::Failed(_) = self.verdict
            && address::is_private(self.address.ip())
        {
            self.verdict = AttemptVerdict::Failed(Cause::DnsPrivateAddress);
            self.detail = format!("{}; it is a private address without a private link", self.detail);
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

/// The verdict on one endpoint, with its reasons.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The cause; `None` if there is nothing to explain.
    pub cause: Option<Cause>,
    /// The stage in which the cause was seen.
    pub stage: Option<Stage>,
    /// One plain sentence.
    pub detail: String,
    /// Observations, one sentence each.
    pub evidence: Vec<String>,
    /// The result of the name lookup, if there was one.
    pub name: Option<StageResult>,
    /// One outcome for each attempt in the trace.
    pub outcomes: Vec<Outcome>,
    /// The index of the outcome that decided.
    pub decisive: Option<usize>,
    /// How many connections there were; `None` if there was one to each address.
    pub flows: Option<FlowCounts>,
}

impl Judgement {
    /// For an endpoint that the plan does not test.
    pub fn untested(untested: &Untested) -> Self {
        Self::without_attempts(Verdict::NotTested, untested.cause, None, untested.detail.clone())
    }

    /// For an endpoint without any attempt.
    pub fn without_attempts(verdict: Verdict, cause: Cause, stage: Option<Stage>, detail: String) -> Self {
        Self {
            verdict,
            cause: Some(cause),
            stage,
            detail,
            evidence: Vec::new(),
            name: None,
            outcomes: Vec::new(),
            decisive: None,
            flows: None,
        }
    }

    /// The addresses that were tried, in their order.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        let mut addresses: Vec<SocketAddr> = self.outcomes.iter().map(|outcome| outcome.address).collect();
        // Several connections to one address are adjacent.
        addresses.dedup();
        addresses
    }

    /// Whether it is as expected; `None` if that is not known.
    pub fn as_expected(&self, expect: Expect) -> Option<bool> {
        match (self.verdict, expect) {
            (Verdict::Unproven | Verdict::NotTested, _) => None,
            (verdict, Expect::Reachable) => Some(verdict.is_proved()),
            // A name that does not resolve shows nothing about whether traffic could get out.
            (Verdict::Blocked, Expect::Blocked) => Some(self.stage.is_some_and(|stage| stage >= Stage::Tcp)),
            (_, Expect::Blocked) => Some(false),
        }
    }
}
