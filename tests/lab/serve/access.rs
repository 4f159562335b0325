//! `--web-config`: which clients have access, and over which protocol.

use std::{
    fs,
    io::{Read, Write},
    sync::Arc,
};

use anyhow::{Context, Result, ensure};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use super::{
    SLACK, TestNetwork, WEB_AND_SQL, serve,
    serving_agent::{Answer, Served},
};

/// User `prometheus` with the password `secret`.
const BASIC: &str = "Authorization: Basic cHJvbWV0aGV1czpzZWNyZXQ=\r\n";
const WRONG: &str = "Authorization: Basic cHJvbWV0aGV1czpTZWNyZXQ=\r\n";

/// A CA for servers and clients.
pub(super) struct TestCa(CertifiedIssuer<'static, KeyPair>);

impl TestCa {
    /// A CA with a new key.
    pub(super) fn new() -> Result<Self> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Ok(Self(CertifiedIssuer::self_signed(params, KeyPair::generate()?)?))
    }

    /// The CA certificate, in PEM.
    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Issues a certificate; returns it and its key, in PEM.
    pub(super) fn issue(&self, name: &str) -> Result<(String, String)> {
        let key = KeyPair::generate()?;
        let leaf = CertificateParams::new(vec![name.to_owned()])?.signed_by(&key, &self.0)?;
        Ok((leaf.pem(), key.serialize_pem()))
    }
}

/// A client over TLS.
struct HttpsClient(Arc<ClientConfig>);

impl HttpsClient {
    fn new(authority: &TestCa, own: Option<(String, String)>) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(authority.0.der().clone())?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots);
        let config = match own {
            Some((chain, key)) => builder.with_client_auth_cert(
                vec![CertificateDer::from_pem_slice(chain.as_bytes())?],
                PrivateKeyDer::from_pem_slice(key.as_bytes())?,
            )?,
            None => builder.with_no_client_auth(),
        };
        Ok(Self(Arc::new(config)))
    }

    fn get(&self, served: &Served, path: &str, header: &str) -> Result<Answer> {
        let connection = ClientConnection::new(self.0.clone(), "agent.example".try_into()?)?;
        let mut stream = StreamOwned::new(connection, served.connect()?);
        write!(stream, "GET {path} HTTP/1.1\r\nHost: agent\r\n{header}\r\n")?;
        let mut text = Vec::new();
        let read = stream.read_to_end(&mut text);
        Answer::read(&String::from_utf8_lossy(&text)).with_context(|| format!("{read:?}"))
    }
}

pub(super) fn is_enforced() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    let (ours, theirs) = (TestCa::new()?, TestCa::new()?);
    let (chain, key) = ours.issue("agent.example")?;
    network.write("agent.pem", &chain)?;
    network.write("agent.key", &key)?;
    network.write("clients.pem", &ours.pem())?;
    let hash = bcrypt::hash("secret", 4)?;
    let whole = format!(
        "tls_server_config:
  cert_file: agent.pem
  key_file: agent.key
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: clients.pem
  min_version: TLS13
basic_auth_users: {{ prometheus: {hash} }}
"
    );
    let config = network.write("web.yml", &whole)?;
    let mut served = serve(&network, &["--interval", "300ms", "--web-config", &config])?;

    let client = HttpsClient::new(&ours, Some(ours.issue("client.example")?))?;
    for (header, status) in [("", 401), (WRONG, 401), (BASIC, 200), (WRONG, 401), (BASIC, 200)] {
        let answer = client.get(&served, "/metrics", header)?;
        ensure!(answer.status == status, "{header}: {}", answer.status);
        ensure!(
            (status == 401) == answer.head.contains("www-authenticate: basic"),
            "{}",
            answer.head
        );
    }
    for path in ["/-/healthy", "/-/ready", "/report.json", "/nothing"] {
        ensure!(
            client.get(&served, path, "")?.status == 401,
            "{path} without a password"
        );
    }
    for stranger in [None, Some(theirs.issue("client.example")?)] {
        let refused = HttpsClient::new(&ours, stranger)?.get(&served, "/metrics", BASIC);
        ensure!(
            refused.is_err(),
            "a client without a certificate of the configured CA was accepted"
        );
    }
    // Plain HTTP on a TLS port.
    ensure!(served.get("/metrics").is_err(), "plain HTTP was accepted");
    served.expect(&["bad request from"])?;

    // A new certificate is used without a signal.
    let next = TestCa::new()?;
    let (chain, key) = next.issue("agent.example")?;
    network.write("agent.key", &key)?;
    network.write("agent.pem", &chain)?;
    let renewed = HttpsClient::new(&next, Some(ours.issue("client.example")?))?;
    let took = served.until("the new certificate is shown", |it| {
        Ok(renewed
            .get(it, "/-/healthy", BASIC)
            .is_ok_and(|answer| answer.status == 200))
    })?;
    ensure!(took < std::time::Duration::from_secs(5) + SLACK, "after {took:?}");

    // An invalid file changes nothing.
    for (text, words) in [
        ("basic_auth_user: {}\n", "basic_auth_user"),
        ("", "no longer requires TLS"),
    ] {
        network.write("web.yml", text)?;
        served.signal("HUP")?;
        served.expect(&["--web-config", "the old one stays in effect", words])?;
    }
    let success = |value: &str| {
        let line = format!("apim_probe_config_last_reload_successful {value}\n");
        served.until(&line, |it| Ok(renewed.get(it, "/metrics", BASIC)?.body.contains(&line)))
    };
    success("0")?;
    ensure!(
        renewed.get(&served, "/metrics", "")?.status == 401,
        "a request without a password was accepted"
    );
    fs::write(&config, whole)?;
    served.signal("HUP")?;
    success("1")?;

    for (text, words) in [
        (
            "tls_server_config: { cert_file: agent.pem, key_file: clients.pem }",
            "key_file",
        ),
        ("http_server_config: { http2: false }", "http_server_config"),
        (
            "tls_server_config: { cert_file: agent.pem, key_file: agent.key, min_version: TLS10 }",
            "TLS12 is the oldest",
        ),
    ] {
        let broken = network.write("broken.yml", text)?;
        let output = network.command("serve", &["--web-config", &broken])?.output()?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.code() == Some(2) && stderr.contains(words),
            "{text}: {stderr}"
        );
    }
    Ok(())
}
