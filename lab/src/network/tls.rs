//! How a service does TLS, and the certificate that it shows.

use serde::Deserialize;

/// How a service does TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tls {
    /// What it shows.
    pub certificate: Certificate,
    /// The only version it speaks; none means 1.2 and 1.3.
    pub version: Option<Version>,
    /// It demands a certificate of the client, and does this when none comes.
    pub client_certificate: Option<Demand>,
    /// It shows a certificate whose key it does not hold.
    pub wrong_key: bool,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Version {
    /// 1.0: an answer that no client of today takes.
    Tls10,
    /// 1.2.
    Tls12,
    /// 1.3.
    Tls13,
}

/// What happens to a client without a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demand {
    /// A TLS alert.
    Alert,
    /// RST.
    Reset,
    /// FIN.
    Close,
    /// Nothing more is said.
    Silence,
}

/// A certificate and the chain that comes with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Certificate {
    /// Who issued it.
    pub by: Authority,
    /// Its names; none means those of the host.
    pub names: Option<Vec<String>>,
    /// When it is valid.
    pub validity: Validity,
    /// What comes with it.
    pub chain: Chain,
    /// The issuing authority's common name, where it is not the usual one.
    pub issuer: Option<String>,
    /// Where the issuer's certificate can be fetched (authority information access).
    pub aia: Option<String>,
    /// The subject's common name, where it is not the first of its names.
    pub common_name: Option<String>,
    /// The server's certificate is an authority's.
    pub is_authority: bool,
    /// The issuing authority's own certificate ended yesterday.
    pub issuer_expired: bool,
}

/// Who issues certificates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authority {
    /// Stands for the public authorities.
    #[default]
    Public,
    /// Stands for Microsoft's product roots, which only Windows trusts.
    Microsoft,
    /// Stands for `DigiCert` Global Root CA, which Mozilla no longer trusts.
    Digicert,
    /// Stands for Microsoft TLS RSA Root G2, which no list of roots holds: [`Self::Digicert`] vouches for it by a
    /// cross-signed certificate.
    CrossSigned,
    /// A company's own, for breaking TLS open at its firewall.
    Inspection,
    /// An untrusted one.
    Private,
}

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Validity {
    /// From a month ago for most of a year.
    #[default]
    Now,
    /// It ended yesterday.
    Expired,
    /// It starts tomorrow.
    NotYet,
    /// It ends in so many days.
    EndsIn(i64),
}

/// What a server sends beside its leaf.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chain {
    /// The issuing authority, whose own issuer is the root, and the cross-signed certificate of that where there is one.
    #[default]
    Full,
    /// The issuing authority, and nothing that would link it to a root.
    WithoutCross,
    /// The issuing authority and the root.
    WithRoot,
    /// Nothing: the client has to find the issuer.
    LeafOnly,
    /// The leaf is its own issuer.
    SelfSigned,
}
