//! Why an endpoint got its verdict: a closed list.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Declares [`Cause`] once: variant, word, and what it means in one sentence.
macro_rules! causes {
    ($($variant:ident $word:literal $meaning:literal,)*) => {
        /// Why an endpoint got its verdict.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum Cause {
            $(#[doc = $meaning] $variant,)*
        }

        impl Cause {
            /// Every cause, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word in reports.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// What it means, in one sentence.
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }
        }
    };
}

impl Cause {
    /// Whether somebody accepted the connection and then was in the way: packets pass, and who looks into them decides.
    pub fn is_behind_the_connection(self) -> bool {
        matches!(
            self,
            Self::TlsReset
                | Self::TlsClosed
                | Self::TlsTimeout
                | Self::TlsAlert
                | Self::TlsNotTls
                | Self::HelloTimeout
                | Self::HelloReset
                | Self::HelloClosed
                | Self::HelloUnexpected
        )
    }
}

causes! {
    DnsTimeout "dns-timeout" "No name server replied.",
    DnsRefused "dns-refused" "The name server refuses to answer this machine.",
    DnsServfail "dns-servfail" "The name server failed to find an answer.",
    DnsNxdomain "dns-nxdomain" "The name server says that the name does not exist.",
    DnsNoAddress "dns-no-address" "The name exists but has no address.",
    DnsSinkhole "dns-sinkhole" "The name resolves to an address that cannot be the service's.",
    DnsPrivateAddress "dns-private-address" "The name resolves to a private address without a private link, and nothing proves itself there.",
    TcpTimeout "tcp-timeout" "Connection attempts are dropped in silence.",
    TcpRefused "tcp-refused" "Connection attempts are answered with a reset.",
    TcpUnreachable "tcp-unreachable" "Connection attempts are answered with an ICMP error.",
    TcpNoRoute "tcp-no-route" "This machine has no route to the address.",
    TlsReset "tls-reset" "The connection is reset after the ClientHello.",
    TlsClosed "tls-closed" "The connection is closed after the ClientHello.",
    TlsTimeout "tls-timeout" "Nothing comes back after the ClientHello.",
    TlsAlert "tls-alert" "The ClientHello is answered with a TLS alert.",
    TlsNotTls "tls-not-tls" "The ClientHello is answered with something that is not TLS.",
    TlsUntrusted "tls-untrusted" "The certificate chain does not end in a root that the instance trusts.",
    TlsWrongName "tls-wrong-name" "The certificate belongs to another name.",
    TlsExpired "tls-expired" "The certificate has expired, or is not valid yet.",
    HelloTimeout "hello-timeout" "The service does not answer in its protocol.",
    HelloReset "hello-reset" "The connection is reset in the middle of the conversation.",
    HelloClosed "hello-closed" "The connection is closed in the middle of the conversation.",
    HelloUnexpected "hello-unexpected" "Something answered, but not as this service does.",
    HttpDenied "http-denied" "A firewall or proxy answered in place of the service.",
    UdpRefused "udp-refused" "The datagram is answered with ICMP port unreachable.",
    UdpUnreachable "udp-unreachable" "The datagram is answered with an ICMP error.",
    NeedsValue "needs-value" "The host contains a name that is not known yet.",
    Wildcard "wildcard" "The documentation names a wildcard, and no host under it is known.",
    Retired "retired" "The host is gone: the documentation is behind.",
    NotOutbound "not-outbound" "It concerns inbound or peer traffic, which a probe in the subnet cannot test.",
    Deadline "deadline" "The deadline of the run came first.",
    Skipped "skipped" "The user left it out.",
    LocalFault "local-fault" "This machine could not try.",
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Cause {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL
            .iter()
            .copied()
            .find(|cause| cause.as_str() == word)
            .ok_or_else(|| format!("{word} is not a cause"))
    }
}
