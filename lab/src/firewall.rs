//! A transparent proxy: accepts for every destination, reads the client's first bytes, and decides by the name in them.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};

use crate::{
    faulty_stream::FaultyStream,
    network::{Authority, ConnectionEnd, Firewall, FirewallAction, ServerCertificate},
    services::{ServiceListener, page},
    tls::record::{FirstWords, first_words},
};

/// How long the firewall waits for a client's first bytes.
const PATIENCE: Duration = Duration::from_secs(60);
const MAX_FIRST_WORDS: usize = 16 * 1024;

/// A firewall, with the services behind it.
pub(crate) struct FirewallProxy {
    pub(crate) firewall: Firewall,
    pub(crate) behind: HashMap<SocketAddr, Arc<ServiceListener>>,
    /// The names behind each address, for clients that send no name.
    pub(crate) names: HashMap<IpAddr, Vec<String>>,
}

impl FirewallProxy {
    /// Handles one connection to its end.
    pub(crate) async fn attend(&self, mut stream: TcpStream) {
        let Ok(to) = stream.local_addr() else { return };
        let (bytes, requests) = listen(&mut stream).await;
        let name = requests
            .or_else(|| self.names.get(&to.ip())?.first().cloned())
            .unwrap_or_else(|| to.ip().to_string());
        match self.action(&name) {
            FirewallAction::End(end) => FaultyStream::new(stream, bytes, None, None).end(end).await,
            FirewallAction::Deny(which) => {
                let page = String::from_utf8_lossy(&page(*which)).into_owned();
                FaultyStream::new(stream, bytes, None, None)
                    .end(&ConnectionEnd::Text(page))
                    .await;
            }
            FirewallAction::Forward => match self.behind.get(&to) {
                Some(port) => port.attend(stream, bytes).await,
                // No service has this address.
                None if matches!(to.ip(), IpAddr::V4(ip) if ip.is_documentation()) => {
                    FaultyStream::new(stream, bytes, None, None)
                        .end(&ConnectionEnd::Silence)
                        .await;
                }
                None => {
                    FaultyStream::new(stream, bytes, None, None)
                        .end(&ConnectionEnd::Reset)
                        .await;
                }
            },
            FirewallAction::Inspect => match self.behind.get(&to) {
                Some(port) => {
                    let certificate = ServerCertificate {
                        issued_by: Authority::Inspection,
                        ..ServerCertificate::default()
                    };
                    port.disguised(certificate, name).attend(stream, bytes).await;
                }
                None => {
                    FaultyStream::new(stream, bytes, None, None)
                        .end(&ConnectionEnd::Reset)
                        .await;
                }
            },
        }
    }

    fn action(&self, name: &str) -> &FirewallAction {
        let rule = self
            .firewall
            .rules
            .iter()
            .find(|rule| rule.fqdns.iter().any(|glob| glob_matches(glob, name)));
        rule.map_or(&self.firewall.default_action, |rule| &rule.action)
    }
}

/// Reads until the data shows which host the client requests, or that it contains no host.
async fn listen(stream: &mut TcpStream) -> (Vec<u8>, Option<String>) {
    let (mut bytes, mut part) = (Vec::new(), [0; 4096]);
    loop {
        match first_words(&bytes) {
            FirstWords::Hello(name) | FirstWords::Request(name) => return (bytes, name),
            FirstWords::Other => return (bytes, None),
            FirstWords::Incomplete if bytes.len() > MAX_FIRST_WORDS => return (bytes, None),
            FirstWords::Incomplete => match timeout(PATIENCE, stream.read(&mut part)).await {
                Ok(Ok(came @ 1..)) => bytes.extend(&part[..came]),
                _ => return (bytes, None),
            },
        }
    }
}

/// Whether `glob`, with `*` matching any characters, matches `text`.
pub(crate) fn glob_matches(glob: &str, text: &str) -> bool {
    match glob.split_once('*') {
        None => glob == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            (0..=rest.len())
                .filter_map(|at| rest.get(at..))
                .any(|rest| glob_matches(after, rest))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::glob_matches;

    #[test]
    fn star_matches_any_characters() {
        for (glob, text, matches) in [
            ("*", "a.example", true),
            ("*.example", "a.b.example", true),
            ("*.example", "example", false),
            ("a*c*e", "abcde", true),
            ("a*c", "abcd", false),
            ("a", "a", true),
        ] {
            assert_eq!(glob_matches(glob, text), matches, "{glob} {text}");
        }
    }
}
