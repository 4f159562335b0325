//! The servers' TLS, as a rustls client sees it.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use apim_probe_lab::Lab;
use rustls::{
    CertificateError, ClientConfig, ClientConnection, Error, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, pem::PemObject},
};

use super::{LabTest, clients::open, test};

pub(crate) type TestTlsClient<S> = StreamOwned<ClientConnection, S>;

/// Makes a handshake, trusting the roots that an instance trusts.
pub(crate) fn shake_hands(lab: &Lab, to: &str, name: &str) -> Result<io::Result<TestTlsClient<TcpStream>>> {
    let stream = open(to)?;
    stream.set_read_timeout(Some(Duration::from_millis(700)))?;
    shake_hands_over(stream, lab, name)
}

/// Makes a handshake over any stream.
pub(crate) fn shake_hands_over<S: Read + Write>(
    stream: S,
    lab: &Lab,
    name: &str,
) -> Result<io::Result<TestTlsClient<S>>> {
    let mut roots = RootCertStore::empty();
    // The three roots are followed by a cross-signed certificate, which is not a root.
    for certificate in CertificateDer::pem_file_iter(lab.ca_file()?)?.take(3) {
        roots.add(certificate?)?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = ClientConnection::new(Arc::new(config), name.to_owned().try_into()?)?;
    let mut stream = StreamOwned::new(client, stream);
    Ok(stream.conn.complete_io(&mut stream.sock).map(|_| stream))
}

fn failure(lab: &Lab, to: &str) -> Result<io::Error> {
    shake_hands(lab, to, "a.example")?
        .err()
        .context("the handshake succeeded")
}

fn tls_error(error: &io::Error) -> Result<&Error> {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref())
        .with_context(|| format!("not of TLS: {error}"))
}

fn verdict(lab: &Lab, to: &str) -> Result<CertificateError> {
    match tls_error(&failure(lab, to)?)? {
        Error::InvalidCertificate(error) => Ok(error.clone()),
        other => anyhow::bail!("{other}"),
    }
}

pub(crate) const TESTS: &[LabTest] = &[
    test(
        "tls::healthy_server_has_a_valid_certificate_for_its_hosts",
        "names: { a.example: { addresses: [20.0.0.1] }, b.example: { addresses: [20.0.0.1] } }
services: { 'a.example:443': { protocol: https } }",
        |lab| {
            for name in ["a.example", "b.example"] {
                let mut client = shake_hands(lab, "20.0.0.1:443", name)??;
                client.write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")?;
                let mut answer = String::new();
                client.read_to_string(&mut answer)?;
                ensure!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            }
            let error = shake_hands(lab, "20.0.0.1:443", "c.example")?.err().context("another name")?;
            ensure!(matches!(
                tls_error(&error)?,
                Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. })
            ));
            Ok(())
        },
    ),
    test(
        "tls::certificate_faults_are_as_configured",
        "services:
  '20.0.0.1:443': { protocol: tls, tls: { certificate: { names: [a.example], validity: expired } } }
  '20.0.0.2:443': { protocol: tls, tls: { certificate: { names: [a.example], validity: not-yet } } }
  '20.0.0.3:443': { protocol: tls, tls: { certificate: { names: [a.example], chain: leaf-only, aia: 'http://cacerts.example/a.crt' } } }
  '20.0.0.4:443': { protocol: tls, tls: { certificate: { names: [a.example], chain: self-signed } } }
  '20.0.0.5:443': { protocol: tls, tls: { certificate: { names: [a.example], issued_by: inspection } } }
  '20.0.0.6:443': { protocol: tls, tls: { certificate: { names: ['*.other.example'] } } }
  '20.0.0.7:443': { protocol: tls, tls: { certificate: { names: [a.example], issued_by: microsoft, validity: { expires-in-days: 5 } } } }",
        |lab| {
            ensure!(matches!(verdict(lab, "20.0.0.1:443")?, CertificateError::ExpiredContext { .. }));
            ensure!(matches!(verdict(lab, "20.0.0.2:443")?, CertificateError::NotValidYetContext { .. }));
            ensure!(matches!(verdict(lab, "20.0.0.3:443")?, CertificateError::UnknownIssuer));
            ensure!(matches!(verdict(lab, "20.0.0.4:443")?, CertificateError::UnknownIssuer | CertificateError::Other(_)));
            ensure!(matches!(verdict(lab, "20.0.0.5:443")?, CertificateError::UnknownIssuer));
            ensure!(matches!(verdict(lab, "20.0.0.6:443")?, CertificateError::NotValidForNameContext { .. }));
            shake_hands(lab, "20.0.0.7:443", "a.example")?.map(drop)?;
            Ok(())
        },
    ),
    test(
        "tls::cross_signed_chain_verifies_only_with_the_cross_certificate",
        "services:
  '20.0.0.1:443': { protocol: tls, tls: { certificate: { names: [a.example], issued_by: cross-signed } } }
  '20.0.0.2:443': { protocol: tls, tls: { certificate: { names: [a.example], issued_by: cross-signed, chain: without-cross } } }
  '20.0.0.3:443': { protocol: tls, tls: { certificate: { names: [a.example], issued_by: cross-signed, chain: with-root } } }",
        |lab| {
            shake_hands(lab, "20.0.0.1:443", "a.example")?.map(drop)?;
            ensure!(matches!(verdict(lab, "20.0.0.2:443")?, CertificateError::UnknownIssuer));
            ensure!(matches!(verdict(lab, "20.0.0.3:443")?, CertificateError::UnknownIssuer));
            Ok(())
        },
    ),
    test(
        "tls::server_uses_the_configured_version_only",
        "services:
  '20.0.0.1:443': { protocol: tls, tls: { certificate: { names: [a.example] }, version: tls12 } }
  '20.0.0.2:443': { protocol: tls, tls: { certificate: { names: [a.example] }, version: tls13 } }
  '20.0.0.3:443': { protocol: tls, tls: { certificate: { names: [a.example] }, version: tls10 } }",
        |lab| {
            for (to, version) in [
                ("20.0.0.1:443", rustls::ProtocolVersion::TLSv1_2),
                ("20.0.0.2:443", rustls::ProtocolVersion::TLSv1_3),
            ] {
                ensure!(shake_hands(lab, to, "a.example")??.conn.protocol_version() == Some(version));
            }
            let error = failure(lab, "20.0.0.3:443")?;
            ensure!(matches!(tls_error(&error)?, Error::PeerIncompatible(_)), "{error}");
            Ok(())
        },
    ),
    test(
        "tls::abort_at_the_client_hello",
        "services:
  '20.0.0.1:443': { protocol: tls, abort: { after: first-bytes, with: reset } }
  '20.0.0.2:443': { protocol: tls, abort: { after: first-bytes, with: close } }
  '20.0.0.3:443': { protocol: tls, abort: { after: first-bytes, with: silence } }
  '20.0.0.4:443': { protocol: tls, abort: { after: first-bytes, with: { alert: 112 } } }
  '20.0.0.5:443': { protocol: tls, abort: { after: first-bytes, with: { text: 'HTTP/1.1 403 Forbidden' } } }",
        |lab| {
            ensure!(failure(lab, "20.0.0.1:443")?.kind() == ErrorKind::ConnectionReset);
            ensure!(failure(lab, "20.0.0.2:443")?.kind() == ErrorKind::UnexpectedEof);
            ensure!(failure(lab, "20.0.0.3:443")?.kind() == ErrorKind::WouldBlock);
            let error = failure(lab, "20.0.0.4:443")?;
            ensure!(*tls_error(&error)? == Error::AlertReceived(rustls::AlertDescription::UnrecognisedName), "{error}");
            let error = failure(lab, "20.0.0.5:443")?;
            ensure!(matches!(tls_error(&error)?, Error::InvalidMessage(_)), "{error}");
            Ok(())
        },
    ),
    test(
        "tls::abort_after_the_certificate",
        "services:
  '20.0.0.1:443': { protocol: tls, tls: { version: tls12 }, abort: { after: { replies: 1 }, with: reset } }
  '20.0.0.2:443': { protocol: tls, tls: { certificate: { names: [a.example] }, version: tls13 }, abort: { after: tls-handshake, with: reset } }
  '20.0.0.3:443': { protocol: tls, tls: { certificate: { names: [a.example] } }, abort: { after: request, with: silence } }",
        |lab| {
            // The certificate has another name: an error about it shows that the client got the chain before the reset.
            ensure!(matches!(verdict(lab, "20.0.0.1:443")?, CertificateError::NotValidForNameContext { .. }));
            let mut client = shake_hands(lab, "20.0.0.2:443", "a.example")??;
            let error = client.read(&mut [0]).err().context("a cut")?;
            ensure!(error.kind() == ErrorKind::ConnectionReset, "{error}");
            let mut client = shake_hands(lab, "20.0.0.3:443", "a.example")??;
            client.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
            let error = client.read(&mut [0]).err().context("silence")?;
            ensure!(error.kind() == ErrorKind::WouldBlock, "{error}");
            Ok(())
        },
    ),
    test(
        "tls::missing_client_certificate_ends_the_connection",
        "services:
  '20.0.0.1:443': { protocol: tls, tls: { certificate: { names: [a.example] }, version: tls12, without_client_certificate: alert } }
  '20.0.0.2:443': { protocol: tls, tls: { certificate: { names: [a.example] }, version: tls12, without_client_certificate: reset } }
  '20.0.0.3:443': { protocol: tls, tls: { certificate: { names: [a.example] }, version: tls12, without_client_certificate: close } }
  '20.0.0.4:443': { protocol: tls, tls: { certificate: { names: [a.example] }, version: tls13, without_client_certificate: alert } }
  '20.0.0.5:443': { protocol: tls, tls: { certificate: { names: [a.example] }, version: tls13, without_client_certificate: reset } }
  '20.0.0.6:443': { protocol: tls, tls: { certificate: { names: [a.example] }, version: tls13, without_client_certificate: silence } }",
        |lab| {
            let error = failure(lab, "20.0.0.1:443")?;
            ensure!(matches!(tls_error(&error)?, Error::AlertReceived(_)), "{error}");
            ensure!(failure(lab, "20.0.0.2:443")?.kind() == ErrorKind::ConnectionReset);
            ensure!(failure(lab, "20.0.0.3:443")?.kind() == ErrorKind::UnexpectedEof);
            for (to, alert, kind) in [
                ("20.0.0.4:443", true, ErrorKind::InvalidData),
                ("20.0.0.5:443", false, ErrorKind::ConnectionReset),
                ("20.0.0.6:443", false, ErrorKind::WouldBlock),
            ] {
                // Usually the first read fails; a reset can arrive before the client's last write.
                let shaken = shake_hands(lab, to, "a.example")?;
                let error = shaken.and_then(|mut client| client.read(&mut [0])).err().context("an end")?;
                ensure!(error.kind() == kind && tls_error(&error).is_ok() == alert, "{to}: {error}");
            }
            Ok(())
        },
    ),
];
