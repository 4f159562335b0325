//! Faults around `serve`: nothing is lost, nothing accumulates, and each fault is counted and reported.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Write as _},
    os::{
        linux::net::SocketAddrExt as _,
        unix::net::{SocketAddr, UnixDatagram},
    },
    process::Command,
    sync::mpsc,
    thread,
    time::Duration,
};

use anyhow::{Context, Result, ensure};
use apim_probe_lab::{Lab, LabNetwork};
use serde_json::Value;

use super::{AGENT, SQL_SILENT, TestNetwork, WEB_AND_SQL, serve, serving_agent::Served};

/// A full disk: incomplete lines are completed once there is space.
pub(super) fn full_disk() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    let disk = network.path("disk");
    fs::create_dir(&disk)?;
    // All users may write there, as the agent has no privileges.
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k,mode=777", "none", &disk])
        .output()?;
    ensure!(mounted.status.success(), "{}", String::from_utf8_lossy(&mounted.stderr));
    let log = format!("{disk}/agent.jsonl");
    let mut served = serve(&network, &["--interval", "200ms", "--timeout", "1s", "--log", &log])?;
    served.rounds(2.0)?;
    let ballast = format!("{disk}/ballast");
    // dd stops when the disk is full.
    let _ = Command::new("dd")
        .args(["if=/dev/zero", &format!("of={ballast}"), "bs=512"])
        .output()?;
    served.expect(&["cannot write to", "agent.jsonl", "No space left"])?;
    network.fault(SQL_SILENT)?;
    served.expect(&["reachable -> blocked"])?;
    served.rounds(2.0)?;
    fs::remove_file(ballast)?;
    served.expect(&["the log can be written again"])?;
    served.until_metric("apim_probe_log_waiting_lines", 0.0)?;
    ensure!(
        served.metric("apim_probe_log_lost_lines_total")? == Some(0.0),
        "lines were lost"
    );
    let text = fs::read_to_string(&log)?;
    let lines: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let changes = lines.iter().filter(|line| line["Event"] == "change").count();
    ensure!(changes == 1, "{changes} changes");
    let rounds: Vec<u64> = lines
        .iter()
        .filter(|line| line["Event"] == "heartbeat")
        .filter_map(|line| line["Round"].as_u64())
        .collect();
    ensure!(rounds.len() > 4 && rounds.is_sorted(), "{rounds:?}");
    Ok(())
}

/// Name servers that stop replying, and recover.
pub(super) fn dns_outage() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    let mut served = serve(&network, &["--interval", "300ms", "--timeout", "1s"])?;
    let well = "probe_success{id=\"service/web.example:443\",dependency=\"service\",need=\"required\"}";
    served.until_metric(well, 1.0)?;
    network.fault("{ to: '168.63.129.16:53/udp', action: drop }")?;
    served.expect(&["service/web.example:443: reachable -> blocked dns-timeout"])?;
    served.until_metric(
        "apim_probe_failure_info{id=\"service/web.example:443\",cause=\"dns-timeout\"}",
        1.0,
    )?;
    served.rounds(2.0)?;
    network.repair()?;
    served.expect(&["service/web.example:443: blocked dns-timeout -> reachable"])?;
    served.until_metric(well, 1.0)?;
    Ok(())
}

/// Hundreds of rounds, with a change every now and then and a client that reads.
pub(super) fn many_rounds() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    let log = network.path("agent.jsonl");
    let served = serve(&network, &["--interval", "1ms", "--timeout", "500ms", "--log", &log])?;
    let look = |more: f64| -> Result<(f64, f64)> {
        for _ in 0..4 {
            served.rounds(more / 4.0)?;
            for path in ["/", "/report.json", "/-/ready"] {
                ensure!(served.get(path)?.status == 200, "{path}");
            }
            network.fault(SQL_SILENT)?;
            served.rounds(1.0)?;
            network.repair()?;
        }
        let number = |series: &str| Ok::<_, anyhow::Error>(served.metric(series)?.unwrap_or_default());
        Ok((
            number("process_resident_memory_bytes")? / 1e6,
            number("process_open_fds")?,
        ))
    };
    let first = look(200.0)?;
    let last = look(400.0)?;
    ensure!(last.0 < first.0 + 2.0, "resident: {first:?} MB became {last:?}");
    ensure!(last.1 <= first.1 + 4.0, "descriptors: {first:?} became {last:?}");
    Ok(())
}

/// A stuck journal delays neither rounds nor the shutdown.
pub(super) fn unread_stderr() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    let (reader, mut writer) = io::pipe()?;
    // Fills the pipe to its capacity.
    writer.write_all(&vec![b'\n'; 1 << 16])?;
    let address = ([127, 0, 0, 1], 9_733).into();
    let start = |stderr| {
        let command = network.command("serve", &["--listen", "127.0.0.1:9733", "--interval", "300ms"])?;
        Served::start_unread(command, address, stderr)
    };
    let served = start(writer.try_clone()?.into())?;
    served.rounds(3.0)?;
    for _ in 0..3 {
        served.signal("HUP")?;
        served.rounds(1.0)?;
    }
    let (status, took) = served.terminate()?;
    ensure!(
        status == Some(0) && took < Duration::from_secs(1),
        "{status:?} after {took:?}"
    );
    // Now it is read.
    let served = start(writer.into())?;
    served.rounds(2.0)?;
    let mut lines = BufReader::new(reader).lines();
    let greeting = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("listening on")));
    ensure!(greeting.is_some(), "no greeting on stderr");
    let lost = served.metric("apim_probe_stderr_lost_lines_total")?;
    ensure!(lost == Some(0.0), "{lost:?} lines were lost");
    Ok(())
}

/// A catalog that is a pipe blocks its reader: rounds continue, threads do not accumulate, and a later file is read.
pub(super) fn catalog_pipe() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    let catalog = network.path("probes.yaml");
    let mut served = serve(
        &network,
        &["--interval", "300ms", "--timeout", "500ms", "--deadline", "2s"],
    )?;
    served.rounds(2.0)?;
    let threads =
        |served: &Served| -> Result<usize> { Ok(fs::read_dir(format!("/proc/{}/task", served.id()))?.count()) };
    let before = threads(&served)?;
    let whole = fs::read_to_string(&catalog)?;
    // The pipe has a writer that sends nothing; without a writer it would be refused after a second.
    let replace = || -> Result<fs::File> {
        fs::remove_file(&catalog)?;
        ensure!(
            Command::new("mkfifo").args(["-m", "644", &catalog]).status()?.success(),
            "mkfifo"
        );
        Ok(fs::OpenOptions::new().read(true).write(true).open(&catalog)?)
    };
    let files = "apim_probe_config_part_last_reload_successful{part=\"files\"}";
    let _first = replace()?;
    served.signal("HUP")?;
    let line = served.expect(&["still using the previous configuration", "cannot read", "probes.yaml"])?;
    ensure!(!line.contains("nothing was probed"), "{line}");
    ensure!(served.metric(files)? == Some(0.0), "{files}");
    served.rounds(2.0)?;
    fs::remove_file(&catalog)?;
    fs::write(&catalog, &whole)?;
    served.signal("HUP")?;
    served.expect(&["reloaded catalog and documents: 2 endpoints"])?;
    served.until_metric(files, 1.0)?;
    let _silent = replace()?;
    for _ in 0..3 {
        served.signal("HUP")?;
        served.expect(&["still using the previous configuration", "cannot read"])?;
    }
    for _ in 0..3 {
        served.signal("HUP")?;
        served.expect(&[
            "still using the previous configuration",
            "4 earlier reloads still waiting",
        ])?;
    }
    let after = threads(&served)?;
    ensure!(after <= before + 4, "{before} threads became {after}");
    served.rounds(2.0)
}

/// The notifications to systemd, and when they are sent.
pub(super) fn systemd_notifications() -> Result<()> {
    let network = TestNetwork::start(WEB_AND_SQL, "{}")?;
    let path = network.path("notify");
    let socket = UnixDatagram::bind(&path)?;
    // The agent has no privileges.
    Command::new("chmod").args(["777", &path]).status()?;
    let mut command = network.command("serve", &["--listen", "127.0.0.1:0", "--interval", "300ms"])?;
    command
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "400000")
        .env("JOURNAL_STREAM", "8:1");
    let mut served = Served::start(command)?;
    // Nothing reads the socket at first, and rounds do not wait for it.
    served.rounds(20.0)?;
    let (told, heard) = mpsc::channel();
    thread::spawn(move || {
        let mut datagram = [0; 1024];
        while let Ok(length) = socket.recv(&mut datagram) {
            let _ = told.send(String::from_utf8_lossy(&datagram[..length]).into_owned());
        }
    });
    let wait_for = |words: &str| -> Result<()> {
        while !heard
            .recv_timeout(Duration::from_secs(20))
            .with_context(|| words.to_owned())?
            .contains(words)
        {}
        Ok(())
    };
    wait_for("READY=1")?;
    wait_for("WATCHDOG=1")?;
    wait_for("STATUS=round ")?;
    served.signal("HUP")?;
    wait_for("RELOADING=1")?;
    wait_for("READY=1")?;
    network.fault(SQL_SILENT)?;
    let line = served.expect(&["reachable -> blocked"])?;
    ensure!(line.starts_with("<4>"), "no level for the journal: {line}");
    let (status, took) = served.terminate()?;
    ensure!(
        status == Some(0) && took < Duration::from_secs(1),
        "{status:?} after {took:?}"
    );
    wait_for("STOPPING=1")?;
    // `@` stands for the zero byte with which the name of an abstract socket begins.
    let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name("apim-probe-supervisor")?)?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut command = network.command("serve", &["--listen", "127.0.0.1:0", "--interval", "300ms"])?;
    command.env("NOTIFY_SOCKET", "@apim-probe-supervisor");
    let _served = Served::start(command)?;
    let mut datagram = [0; 1024];
    let length = socket.recv(&mut datagram).context("nothing at an abstract socket")?;
    ensure!(
        datagram[..length].starts_with(b"READY=1\nSTATUS=listening on "),
        "{datagram:?}"
    );
    Ok(())
}

const INSTANCE: &str = "/subscriptions/1-2/resourceGroups/rg/providers/Microsoft.ApiManagement/service/contoso";

/// The instance's documents are fetched again; the previous ones stay in use if the platform returns fewer.
pub(super) fn documents_fetched_again() -> Result<()> {
    let network: LabNetwork = serde_yaml::from_str(
        "link: { count_flows: true }
names: { management.azure.com: { addresses: [20.0.0.9] }, x7.database.windows.net: { addresses: [20.0.0.10] } }
services:
  '169.254.169.254:80':
    protocol: http
    http:
      status: 404
      paths: { /metadata/identity/oauth2/token: { body: '{\"access_token\":\"eyJ.a.b\",\"token_type\":\"Bearer\"}' } }
  'management.azure.com:443': { protocol: https, http: { body: '{\"value\":[{\"category\":\"Azure SQL\",\"endpoints\":[{\"domainName\":\"x7.database.windows.net\",\"endpointDetails\":[{\"port\":1433}]}]}]}' } }
  'x7.database.windows.net:1433': { protocol: tds }",
    )?;
    let lab = Lab::enter(&network)?;
    lab.serve(&network)?;
    let mut command = lab.agent(AGENT)?;
    command
        .args([
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--interval",
            "500ms",
            "--timeout",
            "1s",
            "--deadline",
            "6s",
        ])
        .args(["--only", "sql", "--region", "westeurope", "--service", INSTANCE])
        .arg("--ca-file")
        .arg(lab.ca_file()?)
        .arg("--management-ca-file")
        .arg(lab.ca_file()?);
    let mut served = Served::start(command)?;
    let sql = "probe_success{id=\"sql/x7.database.windows.net:1433\",dependency=\"sql\",need=\"required\"}";
    served.until_metric(sql, 1.0)?;
    let requests = || {
        let is_management = |flow: &&apim_probe_lab::RelayedFlow| flow.destination.1 == 443;
        lab.flows().iter().filter(is_management).count()
    };
    let before = requests();
    served.signal("HUP")?;
    served.expect(&["reloaded catalog and documents"])?;
    ensure!(requests() > before, "the management endpoint was not queried");
    // The management endpoint does not reply.
    let silence = serde_yaml::from_str("{ to: 'management.azure.com:443', action: drop }")?;
    lab.fault(&network, vec![silence])?;
    served.signal("HUP")?;
    served.expect(&[
        "still using the previous configuration",
        "no longer provided dependencies",
        "next attempt in",
    ])?;
    served.until_metric("apim_probe_config_last_reload_successful", 0.0)?;
    let of = |part| format!("apim_probe_config_part_last_reload_successful{{part=\"{part}\"}}");
    ensure!(
        served.metric(&of("platform"))? == Some(0.0) && served.metric(&of("files"))? == Some(1.0),
        "the wrong part"
    );
    served.rounds(2.0)?;
    ensure!(served.metric(sql)? == Some(1.0), "the previous documents were dropped");
    lab.lift_faults()?;
    // It is retried without a signal.
    served.expect(&["reloaded catalog and documents"])?;
    served.until_metric(&of("platform"), 1.0)?;
    served.until_metric("apim_probe_config_last_reload_successful", 1.0)?;
    ensure!(served.metric(sql)? == Some(1.0), "the previous documents were dropped");
    Ok(())
}
