//! Why an endpoint got its verdict: a closed list, one row per cause.

use super::{Protocol, Stage, Suspect, Transport};

/// Declares [`Cause`](table::Cause) from its rows, so that everything about a cause is in one place.
macro_rules! causes {
    ($($variant:ident {
        word: $word:literal,
        meaning: $meaning:literal,
        headline: $headline:literal $(over_udp: $over_udp:literal)?,
        stage: $stage:expr,
        ending: $ending:ident,
        basis: $basis:ident,
        suspects: $suspects:expr,
        wire: $wire:literal,
        usually: $usually:expr,
        check: $check:expr,
    })*) => {
        /// Why an endpoint got its verdict.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum Cause {
            $(#[doc = $meaning] $variant,)*
        }

        impl Cause {
            /// Every cause, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            pub(super) fn facts(self) -> &'static CauseFacts {
                match self {
                    $(Self::$variant => &const { CauseFacts {
                        word: $word,
                        meaning: $meaning,
                        headline: $headline,
                        over_udp: [$($over_udp,)? $headline][0],
                        stage: $stage,
                        ending: FailureMode::$ending,
                        basis: Basis::$basis,
                        suspects: $suspects,
                        wire: $wire,
                        usually: $usually,
                        check: $check,
                    } },)*
                }
            }
        }
    };
}

mod table;

pub use self::table::Cause;

/// Everything about a cause.
struct CauseFacts {
    word: &'static str,
    meaning: &'static str,
    headline: &'static str,
    over_udp: &'static str,
    stage: Option<Stage>,
    ending: FailureMode,
    basis: Basis,
    suspects: &'static [Suspect],
    wire: &'static str,
    usually: &'static [&'static str],
    check: &'static [&'static str],
}

/// How the exchange ends with this cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureMode {
    /// Nothing comes back.
    Silence,
    /// A refusal: a reset instead of a connection, an ICMP error, an error code, a block page.
    Refusal,
    /// It was accepted, and ends too early: a reset, a close, an alert.
    Cut,
    /// Something else answers.
    WrongPeer,
    /// An answer, with something wrong in it.
    Answer,
    /// Nothing was sent.
    NotSent,
}

/// How far this cause alone shows where the fault is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Basis {
    /// Several things look like this, none of them much more likely than the others.
    Ambiguous,
    /// One thing mostly looks like this.
    Pattern,
    /// Nothing else looks like this.
    Proof,
}

impl Cause {
    /// The word in reports.
    pub fn as_str(self) -> &'static str {
        self.facts().word
    }

    /// What it means, in one sentence.
    pub fn meaning(self) -> &'static str {
        self.facts().meaning
    }

    /// Half of a headline; `ports` is text like `TCP 1433`.
    pub fn headline(self, ports: &str) -> String {
        let facts = self.facts();
        let template = if ports.starts_with("UDP") {
            facts.over_udp
        } else {
            facts.headline
        };
        template.replace("{ports}", ports)
    }

    /// The stage that it describes; `None` if nothing was tried. A name server's own test has the `dns-…` causes in its
    /// conversation.
    pub fn stage(self) -> Option<Stage> {
        self.facts().stage
    }

    /// How the exchange ends with this cause.
    pub fn ending(self) -> FailureMode {
        self.facts().ending
    }

    /// How far this cause alone shows where the fault is.
    pub fn basis(self) -> Basis {
        self.facts().basis
    }

    /// Where to look, the most likely first.
    pub fn suspects(self) -> &'static [Suspect] {
        self.facts().suspects
    }

    /// What a packet capture shows.
    pub fn wire(self) -> &'static str {
        self.facts().wire
    }

    /// The usual reasons, the most likely first.
    pub fn usually(self) -> &'static [&'static str] {
        self.facts().usually
    }

    /// What to check, the easiest first.
    pub fn check(self) -> &'static [&'static str] {
        self.facts().check
    }

    /// Whether packets were silently dropped, as rules drop them: over UDP this shows in the hello, and at a name
    /// server as a missing reply.
    pub fn is_drop(self, transport: Transport, protocol: Protocol) -> bool {
        match self {
            Self::TcpTimeout => true,
            Self::HelloTimeout => transport == Transport::Udp,
            Self::DnsTimeout => protocol == Protocol::Dns,
            _ => false,
        }
    }

    /// Whether a connection was accepted and then got no reply, or ended before the service was verified.
    pub fn is_cut(self) -> bool {
        self.stage() >= Some(Stage::Tls) && matches!(self.ending(), FailureMode::Silence | FailureMode::Cut)
    }

    /// Whether a device accepted the connection and then blocked it: packets pass, so a device that inspects them
    /// decides.
    pub fn is_behind_the_connection(self) -> bool {
        self.is_cut() || self.ending() == FailureMode::WrongPeer
    }
}

by_word!(Cause, "a cause");

#[cfg(test)]
mod tests {
    use super::{Cause, FailureMode};

    #[test]
    fn cause_words_match_the_json() {
        for cause in Cause::ALL {
            assert_eq!(serde_json::to_value(cause).unwrap(), cause.as_str());
            assert_eq!(cause.as_str().parse(), Ok(*cause));
        }
    }

    #[test]
    fn every_tried_cause_has_stage_and_suspects() {
        for cause in Cause::ALL {
            let tried = cause.stage().is_some();
            assert_eq!(tried, !cause.headline("TCP 1").starts_with("not tested"), "{cause}");
            assert!(!tried || !cause.suspects().is_empty(), "{cause}");
            assert!(tried || cause.ending() == FailureMode::NotSent, "{cause}");
        }
    }

    #[test]
    fn headline_depends_on_the_transport() {
        assert_eq!(
            Cause::TcpTimeout.headline("TCP 1433"),
            "TCP 1433 gets no reply (dropped)"
        );
        assert_eq!(
            Cause::HelloTimeout.headline("TCP 445"),
            "TCP 445 is accepted, then gets no reply"
        );
        assert_eq!(Cause::HelloTimeout.headline("UDP 123"), "UDP 123 gets no reply");
    }

    #[test]
    fn cuts_happen_only_after_the_connection() {
        for cause in [Cause::TlsReset, Cause::TlsTimeout, Cause::TlsAlert, Cause::HelloClosed] {
            assert!(cause.is_cut() && cause.is_behind_the_connection(), "{cause}");
        }
        for cause in [
            Cause::TcpTimeout,
            Cause::DnsTimeout,
            Cause::TlsUntrusted,
            Cause::HttpDenied,
            Cause::UdpRefused,
        ] {
            assert!(!cause.is_cut() && !cause.is_behind_the_connection(), "{cause}");
        }
        assert!(!Cause::TlsNotTls.is_cut() && Cause::TlsNotTls.is_behind_the_connection());
    }
}
