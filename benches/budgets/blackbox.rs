//! The same visits by `blackbox_exporter`, if it is installed: a Go program that many teams use for this.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use apim_probe_lab::Lab;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::sleep,
};

use crate::{
    baseline_loop::{IN_FLIGHT, host},
    watch::processor_time,
};

/// Its names, in Debian and in its own releases.
const NAMES: [&str; 2] = ["prometheus-blackbox-exporter", "blackbox_exporter"];
const LISTENS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9115);
/// How long it may take to start.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running instance.
pub(crate) struct Blackbox(Child);

impl Blackbox {
    /// Starts it on the lab's VM, on one core like the others; `None` if it is not installed.
    pub(crate) fn start(lab: &Lab) -> Result<Option<Self>> {
        let Some(program) = NAMES.into_iter().find(|name| is_installed(name)) else {
            return Ok(None);
        };
        let modules = format!(
            "modules: {{ https: {{ prober: http, timeout: 5s, http: {{ preferred_ip_protocol: ip4, \
             tls_config: {{ ca_file: '{}' }} }} }} }}",
            lab.ca_file()?.display()
        );
        let config = lab.write("blackbox.yml", &modules)?;
        let child = lab
            .agent("taskset")?
            .args(["-c", "0", program])
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--web.listen-address={LISTENS}"))
            .env("GOMAXPROCS", "1")
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Some(Self(child)))
    }

    /// Has it probe this many hosts; returns the processor time for all of them. Fails if one of them is not healthy.
    pub(crate) fn visit(&self, hosts: u16) -> Result<Duration> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(until_it_listens())?;
        let before = processor_time(&self.0)?;
        runtime.block_on(probe_all(hosts))?;
        Ok(processor_time(&self.0)?.saturating_sub(before))
    }
}

impl Drop for Blackbox {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn is_installed(name: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| Path::new(&folder).join(name).is_file())
        && Command::new(name)
            .arg("--version")
            .output()
            .is_ok_and(|output| output.status.success())
}

async fn connect() -> io::Result<TcpStream> {
    TcpSocket::new_v4()?.connect(LISTENS).await
}

async fn until_it_listens() -> Result<()> {
    let began = Instant::now();
    while connect().await.is_err() {
        ensure!(began.elapsed() < PATIENCE, "blackbox_exporter does not listen");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn probe_all(hosts: u16) -> Result<()> {
    let mut in_flight = JoinSet::new();
    for number in 0..hosts {
        if in_flight.len() == IN_FLIGHT {
            in_flight.join_next().await.context("nothing in flight")???;
        }
        in_flight.spawn(probe(host(number)));
    }
    while let Some(probed) = in_flight.join_next().await {
        probed??;
    }
    Ok(())
}

async fn probe(host: String) -> Result<()> {
    let mut stream = connect().await?;
    let request = format!(
        "GET /probe?module=https&target=https://{host}:443 HTTP/1.1\r\nHost: {LISTENS}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut metrics = String::new();
    stream.read_to_string(&mut metrics).await?;
    ensure!(
        metrics.lines().any(|line| line == "probe_success 1"),
        "{host}: blackbox_exporter does not reach it"
    );
    Ok(())
}
