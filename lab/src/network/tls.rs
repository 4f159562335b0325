//! How a service uses TLS, and the certificate that it presents.

use serde::Deserialize;

/// How a service uses TLS.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsSettings {
    /// The certificate that it presents.
    pub certificate: ServerCertificate,
    /// The only version it supports; none means 1.2 and 1.3.
    pub version: Option<TlsVersion>,
    /// It requires a client certificate, and this happens to a client without one.
    pub without_client_certificate: Option<NoClientCertificate>,
    /// It presents a certificate without having its private key.
    pub wrong_key: bool,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsVersion {
    /// 1.0, which no current client accepts.
    Tls10,
    /// 1.2.
    Tls12,
    /// 1.3.
    Tls13,
}

/// What happens to a client without a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoClientCertificate {
    /// A TLS alert.
    Alert,
    /// RST.
    Reset,
    /// FIN.
    Close,
    /// Nothing more is sent.
    Silence,
}

/// A certificate and the chain that comes with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ServerCertificate {
    /// The issuer.
    pub issued_by: Authority,
    /// Its names; none means those of the host.
    pub names: Option<Vec<String>>,
    /// When it is valid.
    pub validity: Validity,
    /// The certificates that are sent with it.
    pub chain: Chain,
    /// The issuing CA's common name, if it is not the usual one.
    pub issuer_common_name: Option<String>,
    /// Where the issuer's certificate can be fetched (authority information access).
    pub aia: Option<String>,
    /// The subject's common name, if it is not the first of its names.
    pub common_name: Option<String>,
    /// The server's certificate is a CA's.
    pub is_ca: bool,
    /// The issuing CA's own certificate expired yesterday.
    pub issuer_expired: bool,
}

/// The issuer of certificates.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Authority {
    /// Represents the public CAs.
    #[default]
    Public,
    /// Represents Microsoft's product roots, which only Windows trusts.
    Microsoft,
    /// Represents `DigiCert` Global Root CA, which Mozilla no longer trusts.
    Digicert,
    /// Represents Microsoft TLS RSA Root G2, which is in no list of roots: [`Self::Digicert`] has signed it (a
    /// cross-signed certificate).
    CrossSigned,
    /// A company's own, for TLS inspection at its firewall.
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
    /// It expired yesterday.
    Expired,
    /// It becomes valid tomorrow.
    NotYet,
    /// It expires in this many days.
    ExpiresInDays(i64),
}

/// What a server sends in addition to its leaf.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chain {
    /// The issuing CA, whose own issuer is the root, and the root's cross-signed certificate if there is one.
    #[default]
    Full,
    /// The issuing CA, without the cross-signed certificate that would link it to a trusted root.
    WithoutCross,
    /// The issuing CA and the root.
    WithRoot,
    /// Nothing: the client has to find the issuer.
    LeafOnly,
    /// The leaf is self-signed.
    SelfSigned,
}
