//! The fields that are read from one certificate.

use jiff::Timestamp;
use rustls::{client::verify_server_name, pki_types::ServerName, server::ParsedCertificate};
use x509_parser::{
    extensions::{GeneralName, ParsedExtension},
    prelude::X509Certificate,
};

use super::{MAX_NAMES, short};

/// The validity period of a certificate.
pub(super) fn dates(certificate: &X509Certificate<'_>) -> (Option<Timestamp>, Option<Timestamp>) {
    let validity = certificate.validity();
    (
        Timestamp::from_second(validity.not_before.timestamp()).ok(),
        Timestamp::from_second(validity.not_after.timestamp()).ok(),
    )
}

/// Whether a certificate is for `name`; a wildcard name is matched by itself and by any name one label below it.
pub(super) fn is_for(certificate: &ParsedCertificate<'_>, presented: &[String], name: &str) -> bool {
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

pub(super) fn dns_names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let dns = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_string()),
        _ => None,
    };
    extension.value.general_names.iter().filter_map(dns).collect()
}

pub(super) fn issuer_hosts(certificate: &X509Certificate<'_>) -> Vec<String> {
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
            GeneralName::URI(uri) => host(uri).map(|text| short(&text)),
            _ => None,
        })
        .take(MAX_NAMES)
        .collect()
}

/// `id-ad-caIssuers` (RFC 5280 §4.2.2.1).
const CA_ISSUERS: &str = "1.3.6.1.5.5.7.48.2";

fn host(uri: &str) -> Option<String> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next()?;
    Some(authority.split(':').next()?.to_ascii_lowercase())
}
