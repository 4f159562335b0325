//! Certificate authorities: a root, and the intermediates that issue certificates.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    CustomExtension, DnType, IsCa, KeyIdMethod, KeyPair, KeyUsagePurpose, SerialNumber,
};

use crate::network::Authority;

type Ca = CertifiedIssuer<'static, KeyPair>;

/// One authority.
pub(super) struct Issuing {
    role: Authority,
    pub(super) root: Ca,
    /// The root, cross-signed by another CA.
    pub(super) cross: Option<Certificate>,
    intermediates: Mutex<HashMap<String, Arc<Ca>>>,
}

impl Issuing {
    pub(super) fn new(role: Authority) -> Self {
        let params = ca(&format!("{} Root CA", name(role)), organization(role));
        let root = CertifiedIssuer::self_signed(params, new_key()).expect("a root can be signed");
        Self {
            role,
            root,
            cross: None,
            intermediates: Mutex::default(),
        }
    }

    /// A CA that is trusted only through another one, which cross-signs its root.
    pub(super) fn cross_signed(role: Authority, other: &Self) -> Self {
        let alone = Self::new(role);
        let params = ca(&format!("{} Root CA", name(role)), organization(role));
        let cross = params.signed_by(alone.root.key(), &*other.root);
        Self {
            cross: Some(cross.expect("a root can be signed")),
            ..alone
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
            if self.cross.is_some() {
                params.custom_extensions.push(aia(CROSS_CERTIFICATES));
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

/// Where Azure's CAs publish their issuers' certificates.
const CROSS_CERTIFICATES: &str = "http://caissuers.microsoft.com/pkiops/certs/root.crt";

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
        Authority::CrossSigned => "Lab G2",
        Authority::Inspection => "Contoso TLS Inspection",
        Authority::Private => "Lab Private",
    }
}

fn organization(role: Authority) -> &'static str {
    match role {
        Authority::Public | Authority::Private => "apim-probe lab",
        Authority::Microsoft | Authority::CrossSigned => "Microsoft Corporation",
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
