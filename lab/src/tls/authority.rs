//! Certificate authorities: a root, and the intermediates that issue in its name.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, CustomExtension, DnType,
    IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, SerialNumber,
};

use crate::network::Authority;

type Ca = CertifiedIssuer<'static, KeyPair>;

/// One authority.
pub(super) struct Issuing {
    role: Authority,
    pub(super) root: Ca,
    intermediates: Mutex<HashMap<String, Arc<Ca>>>,
}

impl Issuing {
    pub(super) fn new(role: Authority) -> Self {
        let params = ca(&format!("{} Root CA", name(role)), organization(role));
        let root = CertifiedIssuer::self_signed(params, new_key()).expect("a root can be signed");
        Self {
            role,
            root,
            intermediates: Mutex::default(),
        }
    }

    /// The intermediate under the root with this common name, or the usual one.
    pub(super) fn intermediate(&self, common_name: Option<&str>, expired: bool) -> Arc<Ca> {
        let usual = if expired { "Expired CA 01" } else { "Issuing CA 01" };
        let common_name = common_name.map_or_else(|| format!("{} {usual}", name(self.role)), str::to_owned);
        let mut intermediates = self.intermediates.lock().expect("no holder panics");
        let made = intermediates.entry(common_name).or_insert_with_key(|common_name| {
            let mut params = ca(common_name, organization(self.role));
            if expired {
                params.not_after = time::OffsetDateTime::now_utc() - time::Duration::days(1);
            }
            let made = CertifiedIssuer::signed_by(params, new_key(), &self.root);
            Arc::new(made.expect("an intermediate can be signed"))
        });
        Arc::clone(made)
    }

    pub(super) fn revocation_list(&self) -> Vec<u8> {
        let now = time::OffsetDateTime::now_utc();
        let params = CertificateRevocationListParams {
            this_update: now - time::Duration::days(1),
            next_update: now + time::Duration::days(7),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params
            .signed_by(&self.root)
            .expect("a list can be signed")
            .der()
            .to_vec()
    }
}

/// Authority information access with one `caIssuers` URL (RFC 5280 §4.2.2.1).
pub(super) fn aia(url: &str) -> CustomExtension {
    const ID_PE_AUTHORITY_INFO_ACCESS: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 1];
    const CA_ISSUERS: &[u8] = &[0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02];
    let location = der(0x86, url.as_bytes());
    let description = der(0x30, &[CA_ISSUERS, &location].concat());
    CustomExtension::from_oid_content(ID_PE_AUTHORITY_INFO_ACCESS, der(0x30, &description))
}

/// A DER value of less than 256 bytes.
fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u8::try_from(content.len()).expect("a short URL");
    let head = if length < 0x80 {
        vec![tag, length]
    } else {
        vec![tag, 0x81, length]
    };
    [head, content.to_vec()].concat()
}

fn name(role: Authority) -> &'static str {
    match role {
        Authority::Public => "Lab Public",
        Authority::Microsoft => "Lab Microsoft",
        Authority::Digicert => "Lab DigiCert",
        Authority::Inspection => "Contoso TLS Inspection",
        Authority::Private => "Lab Private",
    }
}

fn organization(role: Authority) -> &'static str {
    match role {
        Authority::Public | Authority::Private => "apim-probe lab",
        Authority::Microsoft => "Microsoft Corporation",
        Authority::Digicert => "DigiCert Inc",
        Authority::Inspection => "Contoso",
    }
}

fn ca(common_name: &str, organization: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params.distinguished_name.push(DnType::OrganizationName, organization);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let now = time::OffsetDateTime::now_utc();
    params.not_before = now - time::Duration::days(365);
    params.not_after = now + time::Duration::days(3650);
    params
}

fn new_key() -> KeyPair {
    KeyPair::generate().expect("P-256 keys can be made")
}
