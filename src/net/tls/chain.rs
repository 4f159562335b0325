//! What a certificate chain is worth to the instance, as facts.

use std::cell::LazyCell;

use jiff::Timestamp;
use rustls::{
    CertificateError, Error,
    client::{verify_server_cert_signed_by_trust_anchor, verify_server_name},
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};
use x509_parser::{
    extensions::{GeneralName, ParsedExtension},
    prelude::{FromDer, X509Certificate},
};

use super::roots::Roots;

/// How many names of a certificate are kept for evidence; CDN certificates carry hundreds.
const MOST_NAMES: usize = 6;

/// What a server presented, parsed fields only: a chain in DER is 4 to 6 KB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChainFacts {
    /// The subject of the server's certificate.
    pub subject: String,
    /// Its issuer.
    pub issuer: String,
    /// When the server's certificate begins.
    pub not_before: Option<Timestamp>,
    /// When it ends.
    pub not_after: Option<Timestamp>,
    /// Its first names.
    pub names: Vec<String>,
    /// The hosts where its issuer's certificate can be fetched (authority information access, RFC 5280 §4.2.2.1); looked
    /// at only where the chain ends at an unknown issuer or cannot be accepted.
    pub issuer_hosts: Vec<String>,
    /// Whether the last certificate that the server sent is its own issuer, so that nothing is missing; looked at only
    /// there as well.
    pub ends_in_root: bool,
    /// Whether the instance would trust it.
    pub trust: Trust,
    /// The authority whose own certificate has ended or not begun, where the server's is in time.
    pub out_of_date: Option<Issuer>,
    /// Whether it is for the name that was asked, or for one that counts as its own.
    pub right_name: bool,
    /// Whether this VM's own store trusts it; `None` elsewhere.
    pub trusted_by_vm: Option<bool>,
}

/// An authority in a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// Its subject.
    pub subject: String,
    /// When its certificate begins.
    pub not_before: Option<Timestamp>,
    /// When it ends.
    pub not_after: Option<Timestamp>,
}

/// Whether a chain ends in a root that the instance trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// It does.
    Trusted,
    /// It would, but a certificate in it has ended.
    Expired,
    /// It would, but a certificate in it has not begun.
    NotYetValid,
    /// It does not.
    UnknownIssuer,
    /// It cannot be accepted for another reason.
    Unacceptable(String),
}

impl ChainFacts {
    /// Whether the chain is trusted and for the right name: with a completed handshake, no middlebox can forge it.
    pub fn is_the_service(&self) -> bool {
        self.trust == Trust::Trusted && self.right_name
    }

    /// Beginning and end of the certificate whose dates matter: the server's own, unless only an authority's are wrong.
    pub fn dated(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        match &self.out_of_date {
            Some(issuer) => (issuer.not_before, issuer.not_after),
            None => (self.not_before, self.not_after),
        }
    }

    /// Judges a chain at the time `now`, for any of `names`.
    pub(super) fn gather(
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        names: &[String],
        roots: &Roots,
        now: UnixTime,
    ) -> Self {
        let mut facts = Self {
            subject: String::new(),
            issuer: String::new(),
            not_before: None,
            not_after: None,
            names: Vec::new(),
            issuer_hosts: Vec::new(),
            ends_in_root: false,
            trust: Trust::Unacceptable("the certificate cannot be read".into()),
            out_of_date: None,
            right_name: false,
            trusted_by_vm: None,
        };
        let Ok((_, certificate)) = X509Certificate::from_der(leaf) else {
            return facts;
        };
        let all_names = dns_names(&certificate);
        facts.subject = certificate.subject().to_string();
        facts.issuer = certificate.issuer().to_string();
        (facts.not_before, facts.not_after) = dates(&certificate);

        let Ok(parsed) = ParsedCertificate::try_from(leaf) else {
            return facts;
        };
        // Read only where dates are in question, which is hardly ever.
        let issuers = LazyCell::new(|| intermediates.iter().filter_map(issuer).collect::<Vec<_>>());
        let verify = |store, at| {
            verify_server_cert_signed_by_trust_anchor(&parsed, store, intermediates, at, roots.algorithms().all)
        };
        facts.right_name = names.iter().any(|name| is_for(&parsed, &all_names, name));
        facts.trust = match verify(roots.store(), now) {
            Ok(()) => Trust::Trusted,
            // The dates are looked at first, so ask again at a time when every certificate was valid.
            Err(error) if is_about_dates(&error) => match verify(roots.store(), in_time(&facts, &issuers)) {
                Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => Trust::UnknownIssuer,
                _ if is_too_early(&error) => Trust::NotYetValid,
                _ => Trust::Expired,
            },
            Err(error) => trust(error),
        };
        let is_in_time = |begin: Option<Timestamp>, end: Option<Timestamp>| {
            let now = i64::try_from(now.as_secs())
                .ok()
                .and_then(|now| Timestamp::from_second(now).ok());
            begin <= now && now <= end
        };
        if matches!(facts.trust, Trust::Expired | Trust::NotYetValid) && is_in_time(facts.not_before, facts.not_after) {
            facts.out_of_date = issuers
                .iter()
                .find(|issuer| !is_in_time(issuer.not_before, issuer.not_after))
                .cloned();
        }
        if matches!(facts.trust, Trust::UnknownIssuer | Trust::Unacceptable(_)) {
            facts.trusted_by_vm = Some(verify(roots.of_this_vm(), now).is_ok());
            facts.issuer_hosts = issuer_hosts(&certificate);
            facts.ends_in_root = intermediates.last().map_or_else(
                || is_its_own_issuer(&certificate),
                |last| X509Certificate::from_der(last).is_ok_and(|(_, last)| is_its_own_issuer(&last)),
            );
        }
        facts.names = all_names.into_iter().take(MOST_NAMES).collect();
        facts
    }
}

fn trust(error: Error) -> Trust {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => Trust::UnknownIssuer,
        Error::InvalidCertificate(why) => Trust::Unacceptable(why.to_string()),
        other => Trust::Unacceptable(other.to_string()),
    }
}

fn is_about_dates(error: &Error) -> bool {
    use CertificateError::{Expired, ExpiredContext};
    is_too_early(error) || matches!(error, Error::InvalidCertificate(Expired | ExpiredContext { .. }))
}

fn is_too_early(error: &Error) -> bool {
    use CertificateError::{NotValidYet, NotValidYetContext};
    matches!(
        error,
        Error::InvalidCertificate(NotValidYet | NotValidYetContext { .. })
    )
}

fn is_its_own_issuer(certificate: &X509Certificate<'_>) -> bool {
    certificate.subject().as_raw() == certificate.issuer().as_raw()
}

fn issuer(der: &CertificateDer<'_>) -> Option<Issuer> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let (not_before, not_after) = dates(&certificate);
    Some(Issuer {
        subject: certificate.subject().to_string(),
        not_before,
        not_after,
    })
}

fn dates(certificate: &X509Certificate<'_>) -> (Option<Timestamp>, Option<Timestamp>) {
    let validity = certificate.validity();
    (
        Timestamp::from_second(validity.not_before.timestamp()).ok(),
        Timestamp::from_second(validity.not_after.timestamp()).ok(),
    )
}

/// A time at which the server's certificate was valid, and its issuers' too where there is one.
fn in_time(facts: &ChainFacts, issuers: &[Issuer]) -> UnixTime {
    let own = (facts.not_before, facts.not_after);
    let all = issuers.iter().fold(own, |(begin, end), issuer| {
        (begin.max(issuer.not_before), end.min(issuer.not_after))
    });
    let (begin, end) = if all.0 <= all.1 { all } else { own };
    let seconds = |time: Option<Timestamp>| time.map_or(0, Timestamp::as_second);
    let middle = i64::midpoint(seconds(begin), seconds(end));
    UnixTime::since_unix_epoch(std::time::Duration::from_secs(
        u64::try_from(middle).unwrap_or_default(),
    ))
}

/// Whether a certificate is for `name`; a wildcard name is matched by itself and by any name one label below it.
fn is_for(certificate: &ParsedCertificate<'_>, presented: &[String], name: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(parent) => presented.iter().any(|own| {
            own.eq_ignore_ascii_case(name)
                || own
                    .split_once('.')
                    .is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent))
        }),
        None => ServerName::try_from(name).is_ok_and(|name| verify_server_name(certificate, &name).is_ok()),
    }
}

fn dns_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let dns = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_string()),
        _ => None,
    };
    extension.value.general_names.iter().filter_map(dns).collect()
}

fn issuer_hosts(certificate: &X509Certificate<'_>) -> Vec<String> {
    certificate
        .extensions()
        .iter()
        .filter_map(|extension| match extension.parsed_extension() {
            ParsedExtension::AuthorityInfoAccess(access) => Some(access),
            _ => None,
        })
        .flat_map(|access| &access.accessdescs)
        .filter(|description| description.access_method.to_id_string() == CA_ISSUERS)
        .filter_map(|description| match &description.access_location {
            GeneralName::URI(uri) => host(uri),
            _ => None,
        })
        .take(MOST_NAMES)
        .collect()
}

/// `id-ad-caIssuers` (RFC 5280 §4.2.2.1).
const CA_ISSUERS: &str = "1.3.6.1.5.5.7.48.2";

fn host(uri: &str) -> Option<String> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    Some(authority.split(':').next()?.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rustls::pki_types::pem::PemObject;

    use super::*;

    fn gather(leaf: Vec<u8>) -> ChainFacts {
        let names = ["login.microsoftonline.com".to_string()];
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_767_225_600));
        let leaf = CertificateDer::from(leaf);
        ChainFacts::gather(&leaf, std::slice::from_ref(&leaf), &names, &Roots::builtin(), now)
    }

    fn a_certificate() -> Vec<u8> {
        let pem = include_bytes!("../../../roots/windows.pem");
        CertificateDer::pem_slice_iter(pem).next().unwrap().unwrap().to_vec()
    }

    #[test]
    fn a_root_is_no_servers_certificate() {
        let facts = gather(a_certificate());
        assert!(facts.subject.contains("DigiCert Global Root CA"), "{}", facts.subject);
        assert!(!facts.is_the_service());
        assert!(facts.ends_in_root);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_bytes_are_judged_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(!gather(bytes).is_the_service());
        }

        #[test]
        fn a_mutated_certificate_is_judged_without_panic(position in any::<prop::sample::Index>(), byte: u8) {
            let mut bytes = a_certificate();
            let position = position.index(bytes.len());
            bytes[position] = byte;
            prop_assert!(!gather(bytes).is_the_service());
        }
    }
}
