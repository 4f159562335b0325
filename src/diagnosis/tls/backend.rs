//! What a handshake with a backend means: it is judged as the instance is configured to judge it.
//!
//! By default the chain must end in a Windows root or in a CA certificate that was uploaded to the instance, and the
//! certificate must be for the host; each check can be disabled for a backend
//! (<https://learn.microsoft.com/azure/api-management/backends>). Thumbprints of a Service Fabric cluster, or names and
//! issuers of its certificates, replace both.

use std::collections::BTreeSet;

use super::{AttemptVerdict, names};
use crate::{
    catalog::model::{CertificateValidation, NamedCertificate, TrustedAuthority},
    model::Cause,
    net::tls::chain::{ChainFacts, Trust},
    text::words,
};

/// Judges a chain if the instance's own configuration decides; `None` leaves it to the general rules.
pub(super) fn judge(validation: &CertificateValidation, chain: &ChainFacts) -> Option<(AttemptVerdict, String)> {
    if !validation.thumbprints.is_empty() || !validation.issued.is_empty() {
        return Some(of_cluster(validation, chain));
    }
    let is_named = chain.right_name || !validation.name;
    let wrong_name = || {
        let seen = format!("certificate for {}, not for this name", names(chain));
        Some((AttemptVerdict::Failed(Cause::TlsWrongName), seen))
    };
    if !validation.chain {
        if !is_named {
            return wrong_name();
        }
        let seen = format!(
            "certificate issued by {}; the instance does not validate the chain here, so it accepts any certificate",
            chain.issuer
        );
        return Some((AttemptVerdict::Proved, seen));
    }
    match &chain.trust {
        Trust::UnknownIssuer => {
            if let Some(authority) = uploaded(validation, chain) {
                if !is_named {
                    return wrong_name();
                }
                let seen = format!(
                    "verified by the CA certificate {}, which the instance has",
                    authority.subject
                );
                return Some((AttemptVerdict::Proved, seen));
            }
            Some(unknown(validation, chain))
        }
        Trust::Trusted if !chain.right_name && is_named => Some((
            AttemptVerdict::Proved,
            format!(
                "verified certificate for {}; the instance does not validate the name here",
                names(chain)
            ),
        )),
        _ => None,
    }
}

/// The certificate of a Service Fabric cluster, by its thumbprint, or by its name and issuer.
fn of_cluster(validation: &CertificateValidation, chain: &ChainFacts) -> (AttemptVerdict, String) {
    if validation.thumbprints.contains(&chain.thumbprint) {
        let seen = format!(
            "the certificate with the thumbprint {}, as configured for the backend",
            chain.thumbprint
        );
        return (AttemptVerdict::Proved, seen);
    }
    let has_name = |issued: &&NamedCertificate| {
        let common_name = format!("cn={}", issued.name).to_ascii_lowercase();
        let mut parts = chain.subject.split(',').map(|part| part.trim().to_ascii_lowercase());
        chain.names.iter().any(|name| name.eq_ignore_ascii_case(&issued.name)) || parts.any(|part| part == common_name)
    };
    for issued in validation.issued.iter().filter(has_name) {
        let is_trusted = matches!(chain.trust, Trust::Trusted);
        let is_sent = chain.leads_to.iter().any(|sent| sent.thumbprint == issued.issuer);
        if is_sent || issued.issuer == chain.thumbprint || issued.issuer.is_empty() && is_trusted {
            let seen = format!(
                "certificate for {} from the issuer that the backend is configured with",
                issued.name
            );
            return (AttemptVerdict::Proved, seen);
        }
        // Its issuer may be the right one: servers need not send it, and this VM may not know it.
        if chain.leads_to.is_empty() || issued.issuer.is_empty() {
            let seen = format!(
                "certificate for {}, as configured for the backend; its issuer {} is not known here",
                issued.name, chain.issuer
            );
            return (AttemptVerdict::Unproven(Some(Cause::TlsUntrusted)), seen);
        }
    }
    let names = validation.issued.iter().map(|issued| issued.name.as_str());
    let wanted: Vec<&str> = validation.thumbprints.iter().map(String::as_str).chain(names).collect();
    let seen = format!(
        "certificate for {} with the thumbprint {}, issued by {}, but the backend is configured with {}",
        super::names(chain),
        chain.thumbprint,
        chain.issuer,
        words::list(&wanted, 3)
    );
    (AttemptVerdict::Failed(Cause::TlsUntrusted), seen)
}

/// The uploaded root that the chain leads to, according to the certificates that the server sent.
fn uploaded<'a>(validation: &'a CertificateValidation, chain: &ChainFacts) -> Option<&'a TrustedAuthority> {
    let is_sent = |authority: &&TrustedAuthority| {
        let thumbprints = chain.leads_to.iter().map(|sent| &sent.thumbprint);
        authority.is_root
            && !authority.thumbprint.is_empty()
            && thumbprints
                .chain([&chain.thumbprint])
                .any(|it| *it == authority.thumbprint)
    };
    validation.authorities.iter().find(is_sent)
}

/// A chain that does not lead to anything known to be the instance's.
fn unknown(validation: &CertificateValidation, chain: &ChainFacts) -> (AttemptVerdict, String) {
    let untrusted = AttemptVerdict::Unproven(Some(Cause::TlsUntrusted));
    let issuers = [&chain.ends_at, &chain.issuer];
    let by_name = |authority: &&TrustedAuthority| issuers.into_iter().any(|issuer| is_same(&authority.subject, issuer));
    if let Some(authority) = validation.authorities.iter().find(by_name) {
        let seen = format!(
            "certificate issued by {}; the instance has a CA certificate of that name, which the server does not send: pass it \
             with --ca-file to verify",
            authority.subject
        );
        return (untrusted, seen);
    }
    if chain.public_issuer && !chain.ends_in_root && chain.right_name {
        let seen = format!(
            "the server did not send an intermediate certificate between its own, issued by {}, and a public root; \
             Windows fetches it if it can",
            chain.issuer
        );
        return (untrusted, seen);
    }
    let names: Vec<&str> = validation
        .authorities
        .iter()
        .map(|authority| authority.subject.as_str())
        .collect();
    let has = if names.is_empty() {
        "no CA certificate was uploaded to the instance, according to its documents".to_owned()
    } else {
        format!("the instance has the CA certificates {}", words::list(&names, 3))
    };
    let seen = format!(
        "certificate issued by {}, which the instance does not trust; {has}",
        chain.issuer
    );
    (AttemptVerdict::Failed(Cause::TlsUntrusted), seen)
}

/// Whether two names are the same: Windows writes the parts of a name in reverse order, and `S` for `ST`.
fn is_same(one: &str, other: &str) -> bool {
    let parts = |name: &str| -> BTreeSet<String> {
        let parts = name.split(',').map(|part| part.trim().to_ascii_lowercase());
        parts
            .map(|part| {
                part.strip_prefix("st=")
                    .map_or(part.clone(), |state| format!("s={state}"))
            })
            .filter(|part| !part.is_empty())
            .collect()
    };
    let (one, other) = (parts(one), parts(other));
    !one.is_empty() && one == other
}
