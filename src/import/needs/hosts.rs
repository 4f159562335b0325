//! The target of a URL in an instance: host, port, and whether TLS is used.

use std::{collections::HashMap, net::IpAddr};

use crate::{
    address::is_impossible,
    import::{
        HostOrAddresses, host_name,
        instance::{NamedValue, UrlOrigin},
    },
    text::words,
};

/// A host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UrlTarget {
    pub place: HostOrAddresses,
    pub port: u16,
    pub tls: bool,
}

/// Why a URL has no known target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum UnresolvedUrl {
    /// It is computed when a call arrives.
    Computed,
    /// A named value hides its host: the placeholder, its port, and why.
    Hidden { host: String, port: u16, why: String },
    /// The value of its host is not a host, or its port is not a port.
    NoHost(String),
}

/// The named values of an instance, which URLs may refer to.
#[derive(Debug, Default)]
pub(super) struct Hosts<'a> {
    values: HashMap<&'a str, Option<&'a UrlOrigin>>,
}

impl<'a> Hosts<'a> {
    pub(super) fn new(values: &'a [NamedValue]) -> Self {
        let by_name = values.iter().map(|value| (value.name.as_str(), value.value.as_ref()));
        let by_title = values.iter().map(|value| (value.title.as_str(), value.value.as_ref()));
        // `{{…}}` contains the display name; the other one is used only if that is missing.
        Self {
            values: by_name.chain(by_title).collect(),
        }
    }

    /// The target of a URL. One without a scheme is treated as HTTPS.
    pub(super) fn find(&self, link: &UrlOrigin) -> Result<UrlTarget, UnresolvedUrl> {
        if link.is_code() {
            return Err(UnresolvedUrl::Computed);
        }
        let written = link.as_str();
        let filled = match self.filled(written) {
            Ok(filled) => filled,
            Err(names) => {
                let (tls, host) = parts(written).unwrap_or((true, written));
                return Err(hidden(host, tls, &names, self));
            }
        };
        // A value may be a whole URL, of which only the host counts.
        let Some(link) = UrlOrigin::of(&filled) else {
            return Err(UnresolvedUrl::NoHost(quoted(written)));
        };
        if link.is_code() {
            return Err(UnresolvedUrl::Computed);
        }
        let (tls, host) = parts(link.as_str()).ok_or_else(|| UnresolvedUrl::NoHost(quoted(written)))?;
        let Some((place, port)) = host_name::parse(host) else {
            return Err(UnresolvedUrl::NoHost(format!("{}{}", quoted(written), why_not(host))));
        };
        let usual = if tls { 443 } else { 80 };
        Ok(UrlTarget {
            place,
            port: port.unwrap_or(usual),
            tls,
        })
    }

    /// A text with its named values filled in, or the names of those that are not known.
    fn filled(&self, text: &str) -> Result<String, Vec<String>> {
        let (mut filled, mut missing, mut rest) = (String::new(), Vec::new(), text);
        while let Some((before, behind)) = rest.split_once("{{") {
            let Some((name, after)) = behind.split_once("}}") else {
                break;
            };
            filled.push_str(before);
            match self.values.get(name.trim()) {
                Some(Some(value)) => filled.push_str(value.as_str()),
                _ => missing.push(name.trim().to_owned()),
            }
            rest = after;
        }
        filled.push_str(rest);
        if missing.is_empty() { Ok(filled) } else { Err(missing) }
    }
}

/// Whether a URL's scheme uses TLS, and the rest of the URL; `None` for a scheme without a connection.
fn parts(text: &str) -> Option<(bool, &str)> {
    let (scheme, host) = text.split_once("://").unwrap_or(("", text));
    let tls = match scheme.to_ascii_lowercase().as_str() {
        "" | "https" | "wss" | "grpcs" => true,
        "http" | "ws" | "grpc" => false,
        // `{{scheme}}://host` may be either.
        other if other.contains("{{") => true,
        _ => return None,
    };
    Some((tls, host))
}

fn hidden(host: &str, tls: bool, names: &[String], hosts: &Hosts<'_>) -> UnresolvedUrl {
    let usual = if tls { 443 } else { 80 };
    let port = host
        .rsplit_once(':')
        .and_then(|(_, port)| port.parse().ok())
        .filter(|port| *port != 0);
    let host = match port {
        Some(_) => host.rsplit_once(':').map_or(host, |(host, _)| host),
        None => host,
    };
    let is_secret = |name: &&String| hosts.values.contains_key(name.as_str());
    let (secret, unknown): (Vec<&String>, Vec<&String>) = names.iter().partition(is_secret);
    let list = |names: &[&String]| words::list(&names.iter().map(|name| name.as_str()).collect::<Vec<_>>(), 3);
    let why = if unknown.is_empty() {
        format!(
            "its host is in the named value {}, which is a secret: pass the host with an entry in --probes",
            list(&secret)
        )
    } else {
        format!(
            "its host is in the named value {}, which is in none of the documents: pass the namedValues with \
             --instance as well",
            list(&unknown)
        )
    };
    UnresolvedUrl::Hidden {
        host: host.to_owned(),
        port: port.unwrap_or(usual),
        why,
    }
}

/// Why a text is not a host.
fn why_not(host: &str) -> &'static str {
    let port = host.rsplit_once(':').map(|(_, port)| port);
    let bare = host.rsplit_once(':').map_or(host, |(bare, _)| bare);
    let unwrapped = |text: &str| text.trim_start_matches('[').trim_end_matches(']').parse();
    let address: Option<IpAddr> = unwrapped(host).or_else(|_| unwrapped(bare)).ok();
    if port.is_some_and(|port| port.parse::<u16>().map_or(true, |port| port == 0)) && !host.contains('[') {
        " (no such port)"
    } else if address.is_some_and(is_impossible) {
        " (not the address of another machine)"
    } else if !bare.is_empty() && !bare.contains('.') {
        " (not a fully qualified name)"
    } else {
        ""
    }
}

/// A text as shown in notices.
fn quoted(text: &str) -> String {
    const MAX_LENGTH: usize = 80;
    let cut: String = text.chars().take(MAX_LENGTH).collect();
    format!("\"{cut}\"")
}
