//! TLS on the server's side: certificates made on demand, and the ways in which they can be wrong.

mod authority;
pub(crate) mod record;

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, OnceLock},
};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    crypto::ring::sign::any_supported_type,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use self::authority::Issuing;
use crate::{
    faulty_stream::aborted_here,
    network::{Authority, Chain, ServerCertificate, TlsSettings, TlsVersion, Validity},
};

/// A leaf and the certificates sent with it.
type Chained = Arc<Vec<CertificateDer<'static>>>;

/// Every CA of the lab and every certificate issued so far; created on first use.
#[derive(Default)]
pub(crate) struct Pki {
    authorities: [OnceLock<Issuing>; 6],
    key: OnceLock<KeyPair>,
    shown: Mutex<HashMap<(ServerCertificate, Vec<String>), Chained>>,
}

impl Pki {
    /// A CA's root, in PEM.
    pub(crate) fn root_pem(&self, role: Authority) -> String {
        self.authority(role).root.pem()
    }

    /// The certificate of a CA's root that another CA signed, in PEM.
    pub(crate) fn cross_pem(&self, role: Authority) -> Option<String> {
        self.authority(role).cross.as_ref().map(rcgen::Certificate::pem)
    }

    /// A root, in DER.
    pub(crate) fn root_der(&self, role: Authority) -> Vec<u8> {
        self.authority(role).root.as_ref().der().to_vec()
    }

    /// An empty revocation list of a CA, in DER.
    pub(crate) fn revocation_list(&self, role: Authority) -> Vec<u8> {
        self.authority(role).revocation_list()
    }

    /// The configuration of a server with these settings; `names` are those of its host.
    pub(crate) fn server(&self, tls: &TlsSettings, names: &[String]) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let versions: &[_] = match tls.version {
            Some(TlsVersion::Tls12) => &[&TLS12],
            Some(TlsVersion::Tls13) => &[&TLS13],
            Some(TlsVersion::Tls10) | None => &[&TLS12, &TLS13],
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(versions)
            .expect("ring has ciphers for both versions");
        let builder = if tls.without_client_certificate.is_some() {
            let mut roots = RootCertStore::empty();
            roots
                .add(self.root_der(Authority::Private).into())
                .expect("our own root is well formed");
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                .build()
                .expect("there is a root");
            builder.with_client_cert_verifier(verifier)
        } else {
            builder.with_no_client_auth()
        };
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key().serialize_der()));
        let chain = self.chain(&tls.certificate, names).as_ref().clone();
        let config = if tls.wrong_key {
            builder.with_cert_resolver(Arc::new(MismatchedKey::new(chain)))
        } else {
            builder
                .with_single_cert(chain, key)
                .expect("the key is the certificate's own")
        };
        TlsAcceptor::from(Arc::new(config))
    }

    fn authority(&self, role: Authority) -> &Issuing {
        self.authorities[role as usize].get_or_init(|| match role {
            Authority::CrossSigned => Issuing::cross_signed(role, self.authority(Authority::Digicert)),
            _ => Issuing::new(role),
        })
    }

    /// One key for all servers, which saves time.
    fn key(&self) -> &KeyPair {
        self.key
            .get_or_init(|| KeyPair::generate().expect("P-256 keys can be made"))
    }

    fn chain(&self, certificate: &ServerCertificate, host: &[String]) -> Chained {
        let names = certificate.names.as_deref().unwrap_or(host);
        let mut shown = self.shown.lock().expect("no holder panics");
        let chain = shown.entry((certificate.clone(), names.to_vec()));
        Arc::clone(chain.or_insert_with(|| Arc::new(self.issue(certificate, names))))
    }

    fn issue(&self, certificate: &ServerCertificate, names: &[String]) -> Vec<CertificateDer<'static>> {
        let authority = self.authority(certificate.issued_by);
        let common_name = certificate
            .common_name
            .as_deref()
            .or(names.first().map(String::as_str))
            .unwrap_or("nobody");
        let mut leaf = CertificateParams::new(names).expect("host names are ASCII");
        leaf.distinguished_name = rcgen::DistinguishedName::new();
        leaf.distinguished_name.push(DnType::CommonName, common_name);
        if certificate.is_ca {
            leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        (leaf.not_before, leaf.not_after) = span(certificate.validity);
        if let Some(url) = &certificate.aia {
            leaf.custom_extensions.push(authority::aia(url));
        }
        if certificate.chain == Chain::SelfSigned {
            return vec![
                leaf.self_signed(self.key())
                    .expect("a leaf can be signed")
                    .der()
                    .clone(),
            ];
        }
        let issuer = authority.intermediate(certificate.issuer_common_name.as_deref(), certificate.issuer_expired);
        let mut chain = vec![
            leaf.signed_by(self.key(), &**issuer)
                .expect("a leaf can be signed")
                .der()
                .clone(),
        ];
        if certificate.chain != Chain::LeafOnly {
            chain.push(issuer.as_ref().as_ref().der().clone());
        }
        match (certificate.chain, &authority.cross) {
            (Chain::Full, Some(cross)) => chain.push(cross.der().clone()),
            (Chain::WithRoot, _) => chain.push(authority.root.as_ref().der().clone()),
            _ => {}
        }
        chain
    }
}

/// Presents a chain without having its key.
#[derive(Debug)]
struct MismatchedKey(Arc<CertifiedKey>);

impl MismatchedKey {
    fn new(chain: Vec<CertificateDer<'static>>) -> Self {
        let other = KeyPair::generate().expect("P-256 keys can be made").serialize_der();
        let key = any_supported_type(&PrivateKeyDer::Pkcs8(other.into())).expect("ring signs with P-256");
        Self(Arc::new(CertifiedKey::new(chain, key)))
    }
}

impl ResolvesServerCert for MismatchedKey {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// Makes the handshake on `io`. A TLS 1.0 server sends its `ServerHello` and ends the connection.
pub(crate) async fn accept<S>(acceptor: &TlsAcceptor, tls: &TlsSettings, mut io: S) -> io::Result<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if tls.version == Some(TlsVersion::Tls10) {
        let _ = io.read(&mut [0; 1024]).await?;
        io.write_all(&record::tls10_server_hello()).await?;
        io.flush().await?;
        // Waits for the client's reaction before the connection ends.
        let _ = io.read(&mut [0; 1024]).await?;
        return Err(aborted_here());
    }
    match acceptor.accept(io).into_fallible().await {
        Ok(inside) => Ok(inside),
        Err((error, mut io)) => {
            // The alert with the reason is written, but a layer in between may still buffer it.
            io.flush().await?;
            Err(error)
        }
    }
}

fn span(validity: Validity) -> (time::OffsetDateTime, time::OffsetDateTime) {
    let now = time::OffsetDateTime::now_utc();
    let (from, to) = match validity {
        Validity::Now => (-30, 300),
        Validity::Expired => (-90, -1),
        Validity::NotYet => (1, 300),
        Validity::ExpiresInDays(days) => (-30, days),
    };
    (now + time::Duration::days(from), now + time::Duration::days(to))
}
