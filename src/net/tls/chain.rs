//! The facts that decide whether the instance would trust a certificate chain.

use std::cell::LazyCell;

use jiff::Timestamp;
use ring::digest;
use rustls::{
    CertificateError, Error, RootCertStore,
    client::verify_server_cert_signed_by_trust_anchor,
    pki_types::{CertificateDer, UnixTime},
    server::ParsedCertificate,
};
use x509_parser::prelude::{FromDer, X509Certificate};

pub(super) mod cache;
mod certificate;

use self::certificate::{dates, dns_names, is_for, issuer_hosts};
use super::roots::{Roots, is_its_own_issuer};

/// How many names of a certificate are kept for evidence; CDN certificates contain hundreds.
const MAX_NAMES: usize = 6;

/// How many of a server's certificates are considered as ends of its chain; normal servers send three.
const MAX_AUTHORITIES: usize = 8;

/// How many characters of a certificate's text fields are kept: the issuer decides how long a name is.
const MAX_CHARACTERS: usize = 200;

/// What a server presented, as parsed fields only: a chain in DER is 4 to 6 KB.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChainFacts {
    /// The subject of the server's certificate.
    pub subject: String,
    /// Its SHA-1 thumbprint, by which Azure and Windows name certificates, in upper-case hexadecimal.
    pub thumbprint: String,
    /// Its issuer.
    pub issuer: String,
    /// When the server's certificate becomes valid.
    pub not_before: Option<Timestamp>,
    /// When it expires.
    pub not_after: Option<Timestamp>,
    /// When the first certificate that the server sent expires, including its own.
    pub first_end: Option<Timestamp>,
    /// The first of its names.
    pub names: Vec<String>,
    /// The hosts where the issuers' certificates can be fetched (authority information access, RFC 5280 §4.2.2.1),
    /// starting with the one at which the chain ends. Read only if that issuer is unknown or the chain cannot be
    /// accepted, like the next four.
    pub issuer_hosts: Vec<String>,
    /// The CAs that the server sent and that its certificate leads to, according to their signatures.
    pub leads_to: Vec<SentCertificate>,
    /// The issuer at which the server's chain ends.
    pub ends_at: String,
    /// Whether the server's chain ends in a self-signed CA, so that nothing is missing.
    pub ends_in_root: bool,
    /// Whether the issuer's name is that of a public CA.
    pub public_issuer: bool,
    /// Whether the instance would trust it.
    pub trust: Trust,
    /// The certificate that the server did not send and without which the chain would be incomplete.
    pub left_out: Option<MissingCertificate>,
    /// The CA whose own certificate is expired or not yet valid, while the server's is valid.
    pub out_of_date: Option<Issuer>,
    /// Whether it is for the requested name, or for one that counts as the host's own.
    pub right_name: bool,
    /// Whether this VM's own store trusts it; `None` on other systems.
    pub trusted_by_vm: Option<bool>,
}

/// A CA in a chain.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Issuer {
    /// Its subject.
    pub subject: String,
    /// When its certificate becomes valid.
    pub not_before: Option<Timestamp>,
    /// When it expires.
    pub not_after: Option<Timestamp>,
}

/// The certificate of a CA that a server sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SentCertificate {
    /// Its subject.
    pub subject: String,
    /// Its SHA-1 thumbprint, in upper-case hexadecimal.
    pub thumbprint: String,
}

/// A certificate that a server should have sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MissingCertificate {
    /// Its subject.
    pub subject: String,
    /// The hosts where it can be fetched, according to the certificate that it issued.
    pub hosts: Vec<String>,
}

/// Whether a chain ends in a root that the instance trusts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Trust {
    /// It does.
    Trusted,
    /// It would, but a certificate in it has expired.
    Expired,
    /// It would, but a certificate in it is not valid yet.
    NotYetValid,
    /// It ends in a root that Windows trusts and the roots in use do not include.
    OnlyByWindows,
    /// It does not.
    UnknownIssuer,
    /// It cannot be accepted for another reason.
    Unacceptable(String),
}

impl MissingCertificate {
    /// Where it can be fetched, over plain HTTP.
    pub fn places(&self) -> String {
        let places: Vec<String> = self.hosts.iter().map(|host| format!("{host}:80")).collect();
        if places.is_empty() {
            "wherever its CA publishes it".into()
        } else {
            places.join(" or ")
        }
    }
}

impl ChainFacts {
    /// Whether the chain is trusted and for the right name: with a completed handshake, no middlebox can forge it.
    pub fn is_the_service(&self) -> bool {
        self.trust == Trust::Trusted && self.right_name
    }

    /// The validity period that matters: that of the server's own certificate, unless only a CA's is wrong.
    pub fn dated(&self) -> (Option<Timestamp>, Option<Timestamp>) {
        match &self.out_of_date {
            Some(issuer) => (issuer.not_before, issuer.not_after),
            None => (self.not_before, self.not_after),
        }
    }

    /// Verifies the certificates that a server sent at the time `now`, for any of `names`.
    pub fn gather(
        leaf: &CertificateDer<'_>,
        sent: &[CertificateDer<'_>],
        names: &[String],
        roots: &Roots,
        now: UnixTime,
    ) -> Self {
        let mut facts = Self {
            subject: String::new(),
            thumbprint: thumbprint(leaf),
            issuer: String::new(),
            not_before: None,
            not_after: None,
            first_end: None,
            names: Vec::new(),
            issuer_hosts: Vec::new(),
            leads_to: Vec::new(),
            ends_at: String::new(),
            ends_in_root: false,
            public_issuer: false,
            trust: Trust::Unacceptable("the certificate cannot be read".into()),
            left_out: None,
            out_of_date: None,
            right_name: false,
            trusted_by_vm: None,
        };
        let Ok((_, certificate)) = X509Certificate::from_der(leaf) else {
            return facts;
        };
        let all_names = dns_names(&certificate);
        facts.subject = short(&certificate.subject());
        facts.issuer = short(&certificate.issuer());
        (facts.not_before, facts.not_after) = dates(&certificate);
        let ends = sent.iter().take(MAX_AUTHORITIES).filter_map(end);
        facts.first_end = ends.chain(facts.not_after).min();

        let Ok(parsed) = ParsedCertificate::try_from(leaf) else {
            return facts;
        };
        // Read only if dates are in question, which is very rare.
        let issuers = LazyCell::new(|| sent.iter().filter_map(issuer).collect::<Vec<_>>());
        let algorithms = roots.signatures().algorithms();
        let verify = |store: &RootCertStore, intermediates: &[CertificateDer<'_>], at| {
            verify_server_cert_signed_by_trust_anchor(&parsed, store, intermediates, at, &algorithms)
        };
        let judge = |intermediates: &[CertificateDer<'_>]| match verify(roots.store(), intermediates, now) {
            Ok(()) => Trust::Trusted,
            // Dates are checked first, so verify again for a time at which every certificate was valid.
            Err(error) if is_about_dates(&error) => {
                let then = in_time((facts.not_before, facts.not_after), &issuers);
                match verify(roots.store(), intermediates, then) {
                    Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => Trust::UnknownIssuer,
                    _ if is_too_early(&error) => Trust::NotYetValid,
                    _ => Trust::Expired,
                }
            }
            Err(error) => trust(error),
        };
        let mut trust = judge(sent);
        let mut left_out = None;
        if trust == Trust::UnknownIssuer {
            let known: Vec<&CertificateDer<'_>> = roots.intermediates(now).collect();
            let completed: Vec<_> = sent.iter().chain(known.iter().copied()).cloned().collect();
            match judge(&completed) {
                Trust::UnknownIssuer | Trust::Unacceptable(_) => {}
                better => {
                    trust = better;
                    left_out = first_left_out(&path(&certificate, sent), &known);
                }
            }
        }
        if trust == Trust::UnknownIssuer
            && let Some(store) = roots.of_windows()
            && verify(store, sent, now).is_ok()
        {
            trust = Trust::OnlyByWindows;
        }
        facts.right_name = names.iter().any(|name| is_for(&parsed, &all_names, name));
        (facts.trust, facts.left_out) = (trust, left_out);
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
            let path = path(&certificate, sent);
            facts.trusted_by_vm = Some(verify(roots.of_this_vm(), sent, now).is_ok());
            facts.issuer_hosts = path.iter().rev().flat_map(issuer_hosts).take(MAX_NAMES).collect();
            facts.ends_in_root = path.last().is_some_and(is_its_own_issuer);
            facts.ends_at = path.last().map(|top| short(&top.issuer())).unwrap_or_default();
            let leads_to = |authority: &&CertificateDer<'_>| {
                let mut store = RootCertStore::empty();
                store.add((*authority).clone().into_owned()).is_ok() && verify(&store, sent, now).is_ok()
            };
            let authorities = sent.iter().take(MAX_AUTHORITIES).filter(leads_to);
            facts.leads_to = authorities.filter_map(authority).collect();
            facts.public_issuer = roots.is_public(certificate.issuer());
        }
        facts.names = all_names.iter().take(MAX_NAMES).map(|text| short(&text)).collect();
        facts
    }
}

/// A certificate's SHA-1 thumbprint. It identifies a certificate, and proves nothing.
fn thumbprint(der: &CertificateDer<'_>) -> String {
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, der);
    let digits = |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789ABCDEF"[usize::from(digit)]));
    let mut text = String::with_capacity(2 * digest.as_ref().len());
    text.extend(digest.as_ref().iter().flat_map(digits));
    text
}

fn authority(der: &CertificateDer<'_>) -> Option<SentCertificate> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some(SentCertificate {
        subject: short(&certificate.subject()),
        thumbprint: thumbprint(der),
    })
}

/// The server's certificate and those above it, each the issuer of the one before, if the server sent them.
fn path<'a>(leaf: &X509Certificate<'a>, sent: &'a [CertificateDer<'_>]) -> Vec<X509Certificate<'a>> {
    let mut rest: Vec<X509Certificate<'a>> = sent
        .iter()
        .filter_map(|der| Some(X509Certificate::from_der(der).ok()?.1))
        .collect();
    let mut path = vec![leaf.clone()];
    while let Some(top) = path.last().filter(|top| !is_its_own_issuer(top)) {
        let above = |other: &X509Certificate<'_>| other.subject().as_raw() == top.issuer().as_raw();
        let Some(position) = rest.iter().position(above) else {
            break;
        };
        path.push(rest.swap_remove(position));
    }
    path
}

/// The first of the built-in certificates that the server should have sent.
fn first_left_out(path: &[X509Certificate<'_>], known: &[&CertificateDer<'_>]) -> Option<MissingCertificate> {
    path.iter().find_map(|below| {
        let is_above = |der: &&CertificateDer<'_>| {
            X509Certificate::from_der(der).is_ok_and(|(_, it)| it.subject().as_raw() == below.issuer().as_raw())
        };
        known
            .iter()
            .copied()
            .any(|der| is_above(&der))
            .then(|| MissingCertificate {
                subject: short(&below.issuer()),
                hosts: issuer_hosts(below),
            })
    })
}

/// The fields of a certificate that are kept.
fn short(text: &impl ToString) -> String {
    let text = text.to_string();
    match text.char_indices().nth(MAX_CHARACTERS) {
        Some(_) => text.chars().take(MAX_CHARACTERS - 1).chain(['…']).collect(),
        None => text,
    }
}

fn trust(error: Error) -> Trust {
    match error {
        Error::InvalidCertificate(CertificateError::UnknownIssuer) => Trust::UnknownIssuer,
        Error::InvalidCertificate(why) => Trust::Unacceptable(short(&why)),
        other => Trust::Unacceptable(short(&other)),
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

/// When a certificate expires.
fn end(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    dates(&certificate).1
}

fn issuer(der: &CertificateDer<'_>) -> Option<Issuer> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let (not_before, not_after) = dates(&certificate);
    Some(Issuer {
        subject: short(&certificate.subject()),
        not_before,
        not_after,
    })
}

/// The common name in a distinguished name, or all of it.
pub fn common_name(name: &str) -> &str {
    name.split(", ")
        .find_map(|part| part.strip_prefix("CN="))
        .unwrap_or(name)
}

/// A time at which the server's certificate was valid, and its issuers' too if there is one.
fn in_time(own: (Option<Timestamp>, Option<Timestamp>), issuers: &[Issuer]) -> UnixTime {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rustls::{RootCertStore, pki_types::pem::PemObject};

    use super::*;

    fn gather(leaf: Vec<u8>) -> ChainFacts {
        let names = ["login.microsoftonline.com".to_string()];
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_767_225_600));
        let leaf = CertificateDer::from(leaf);
        ChainFacts::gather(&leaf, std::slice::from_ref(&leaf), &names, &Roots::builtin(), now)
    }

    fn certificate() -> Vec<u8> {
        let pem = include_bytes!("../../../roots/windows.pem");
        CertificateDer::pem_slice_iter(pem).next().unwrap().unwrap().to_vec()
    }

    #[test]
    fn root_is_not_a_server_certificate() {
        let facts = gather(certificate());
        assert!(facts.subject.contains("DigiCert Global Root CA"), "{}", facts.subject);
        assert!(!facts.is_the_service());
        assert!(facts.ends_in_root);
    }

    /// A certificate that claims to be issued by one of Azure's roots of 2025, and is not.
    fn forged_leaf(root: &str) -> CertificateDer<'static> {
        use rcgen::{CertificateParams, CertifiedIssuer, DistinguishedName, DnType, DnValue, KeyPair};
        let printable = |text: &str| DnValue::PrintableString(text.try_into().unwrap());
        let mut name = DistinguishedName::new();
        name.push(DnType::CountryName, printable("US"));
        name.push(DnType::OrganizationName, printable("Microsoft Corporation"));
        name.push(DnType::CommonName, printable(root));
        let mut issuer = CertificateParams::default();
        issuer.distinguished_name = name;
        let issuer = CertifiedIssuer::self_signed(issuer, KeyPair::generate().unwrap()).unwrap();
        let mut leaf = CertificateParams::new(["login.microsoftonline.com".to_string()]).unwrap();
        // The real ones are valid from 2025-05-21 to 2029-06-19.
        (leaf.not_before, leaf.not_after) = (rcgen::date_time_ymd(2025, 6, 1), rcgen::date_time_ymd(2029, 6, 1));
        leaf.signed_by(&KeyPair::generate().unwrap(), &issuer)
            .unwrap()
            .der()
            .clone()
    }

    #[test]
    fn builtin_intermediates_reach_a_root_and_reject_a_forged_leaf() {
        let roots = Roots::builtin();
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_767_225_600));
        let intermediates: Vec<_> = roots.intermediates(now).cloned().collect();
        for root in ["Microsoft TLS RSA Root G2", "Microsoft TLS ECC Root G2"] {
            let leaf = forged_leaf(root);
            let parsed = ParsedCertificate::try_from(&leaf).unwrap();
            let verify = |intermediates| {
                verify_server_cert_signed_by_trust_anchor(
                    &parsed,
                    roots.store(),
                    intermediates,
                    now,
                    roots.algorithms().all,
                )
            };
            // Signatures are checked once there is a path to a root, and the forgery's is the only one that can fail.
            assert_eq!(verify(&[]), Err(CertificateError::UnknownIssuer.into()), "{root}");
            let error = verify(&intermediates).unwrap_err();
            assert!(
                matches!(
                    error,
                    Error::InvalidCertificate(
                        CertificateError::BadSignature
                            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. }
                    )
                ),
                "{root}: {error:?}"
            );
            let facts = ChainFacts::gather(&leaf, &[], &["login.microsoftonline.com".into()], &roots, now);
            assert_eq!((facts.trust, facts.left_out), (Trust::UnknownIssuer, None), "{root}");
        }
    }

    #[test]
    fn first_expiry_is_the_earliest_in_the_sent_chain() {
        use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
        let made = |issuer_year, leaf_year| {
            let mut issuer = CertificateParams::default();
            issuer.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            issuer.not_after = date_time_ymd(issuer_year, 1, 1);
            let issuer = CertifiedIssuer::self_signed(issuer, KeyPair::generate().unwrap()).unwrap();
            let mut leaf = CertificateParams::new(["a.example".to_string()]).unwrap();
            leaf.not_after = date_time_ymd(leaf_year, 1, 1);
            let leaf = leaf.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap();
            let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_767_225_600));
            let sent = [issuer.der().clone(), CertificateDer::from(b"none".to_vec())];
            ChainFacts::gather(leaf.der(), &sent, &["a.example".into()], &Roots::builtin(), now)
        };
        for (issuer, leaf, first) in [(2029, 2031, "2029"), (2031, 2029, "2029")] {
            let facts = made(issuer, leaf);
            assert!(facts.first_end.unwrap().to_string().starts_with(first), "{facts:?}");
            assert!(
                facts.not_after.unwrap().to_string().starts_with(&leaf.to_string()),
                "{facts:?}"
            );
        }
    }

    #[test]
    fn windows_only_trust_differs_from_no_trust() {
        use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
        let mut issuer = CertificateParams::default();
        issuer.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(issuer, KeyPair::generate().unwrap()).unwrap();
        let leaf = CertificateParams::new(["login.microsoftonline.com".to_string()]).unwrap();
        let leaf = leaf
            .signed_by(&KeyPair::generate().unwrap(), &issuer)
            .unwrap()
            .der()
            .clone();
        let mut known = RootCertStore::empty();
        known.add(issuer.der().clone()).unwrap();
        let judged = |roots: &Roots| {
            let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_767_225_600));
            ChainFacts::gather(&leaf, &[], &["login.microsoftonline.com".into()], roots, now).trust
        };
        let no_roots = RootCertStore::empty;
        for (store, windows, trust) in [
            (known.clone(), None, Trust::Trusted),
            (no_roots(), Some(known), Trust::OnlyByWindows),
            (no_roots(), Some(no_roots()), Trust::UnknownIssuer),
            (no_roots(), None, Trust::UnknownIssuer),
        ] {
            assert_eq!(judged(&Roots::with(store, windows)), trust);
        }
    }

    #[test]
    fn certificate_text_is_truncated() {
        let long = "x".repeat(5_000);
        let mut parameters = rcgen::CertificateParams::new(vec![format!("{}.example", "y".repeat(5_000))]).unwrap();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, long);
        let key = rcgen::KeyPair::generate().unwrap();
        let facts = gather(parameters.self_signed(&key).unwrap().der().to_vec());
        let texts = [&facts.subject, &facts.issuer].into_iter().chain(&facts.names);
        for text in texts {
            assert!(
                text.chars().count() == MAX_CHARACTERS && text.ends_with('…'),
                "{} characters",
                text.chars().count()
            );
        }
        assert!(!format!("{facts:?}").contains(&"x".repeat(MAX_CHARACTERS + 1)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_bytes_do_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(!gather(bytes).is_the_service());
        }

        #[test]
        fn mutated_certificate_does_not_panic(position in any::<prop::sample::Index>(), byte: u8) {
            let mut bytes = certificate();
            let position = position.index(bytes.len());
            bytes[position] = byte;
            prop_assert!(!gather(bytes).is_the_service());
        }
    }
}
