//! A running `serve` in a lab: its output line by line, and its replies.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    sync::mpsc::{self, Receiver},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

/// Time limit for everything here, however busy the machine is.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A running `serve`.
pub(super) struct Served {
    child: Child,
    lines: Receiver<String>,
    said: String,
    /// The address on which it listens.
    pub address: SocketAddr,
}

/// An HTTP reply.
pub(super) struct Answer {
    /// The status code.
    pub status: u16,
    /// The status line and headers, in lower case.
    pub head: String,
    /// The body.
    pub body: String,
}

impl Served {
    /// Starts it, and waits until it listens.
    pub(super) fn start(mut command: Command) -> Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take().context("stderr is piped")?;
        let (said, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let _ = said.send(line);
            }
        });
        let mut served = Self {
            child,
            lines,
            said: String::new(),
            address: ([127, 0, 0, 1], 0).into(),
        };
        let line = served.expect(&["listening on "])?;
        let (_, rest) = line.split_once("://").context("no address")?;
        served.address = rest
            .split([',', '/'])
            .next()
            .unwrap_or_default()
            .parse()
            .context(line)?;
        Ok(served)
    }

    /// Starts it on a known port; its output is not read.
    pub(super) fn start_unread(mut command: Command, address: SocketAddr, stderr: Stdio) -> Result<Self> {
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()?;
        let served = Self {
            child,
            lines: mpsc::channel().1,
            said: String::new(),
            address,
        };
        served.until("it listens", |it| Ok(it.connect().is_ok()))?;
        Ok(served)
    }

    /// All lines that were read so far.
    pub(super) fn said(&self) -> String {
        self.said.clone()
    }

    /// The process id.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Reads up to the next line that contains all of these words.
    pub(super) fn expect(&mut self, words: &[&str]) -> Result<String> {
        let requests = Instant::now();
        let mut passed = Vec::new();
        loop {
            let next = self.lines.recv_timeout(PATIENCE.saturating_sub(requests.elapsed()));
            self.said.extend(next.iter().flat_map(|line| [line, "\n"]));
            match next {
                Ok(line) if words.iter().all(|word| line.contains(word)) => return Ok(line),
                Ok(line) => passed.push(line),
                Err(error) => bail!(
                    "no line with {words:?}: {error}; instead:\n{}\n{}",
                    passed.join("\n"),
                    self.get("/metrics").map(|page| page.body).unwrap_or_default()
                ),
            }
        }
    }

    /// Opens a connection without sending a request.
    pub(super) fn connect(&self) -> Result<TcpStream> {
        connect(self.address)
    }

    /// Sends these bytes, and returns the whole reply.
    pub(super) fn say(&self, bytes: &[u8]) -> Result<String> {
        say(self.address, bytes)
    }

    /// Requests a page.
    pub(super) fn get(&self, path: &str) -> Result<Answer> {
        self.ask("GET", path)
    }

    /// Requests a page with a method.
    pub(super) fn ask(&self, method: &str, path: &str) -> Result<Answer> {
        let text = self.say(format!("{method} {path} HTTP/1.1\r\nHost: agent\r\n\r\n").as_bytes())?;
        Answer::read(&text)
    }

    /// A sample of `/metrics`, by its name and labels.
    pub(super) fn metric(&self, series: &str) -> Result<Option<f64>> {
        let page = self.get("/metrics")?.body;
        let value = page
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        value.map(|value| Ok(value.parse()?)).transpose()
    }

    /// Waits until something is true.
    pub(super) fn until(&self, what: &str, mut is_so: impl FnMut(&Self) -> Result<bool>) -> Result<Duration> {
        let requests = Instant::now();
        while !is_so(self).with_context(|| what.to_owned())? {
            ensure!(requests.elapsed() < PATIENCE, "it never came to be that {what}");
            thread::sleep(Duration::from_millis(20));
        }
        Ok(requests.elapsed())
    }

    /// Waits until a sample has a value.
    pub(super) fn until_metric(&self, series: &str, value: f64) -> Result<Duration> {
        self.until(&format!("{series} is {value}"), |it| {
            Ok(it.metric(series)?.is_some_and(|now| (now - value).abs() < 1e-9))
        })
    }

    /// Waits for this many more complete rounds.
    pub(super) fn rounds(&self, more: f64) -> Result<()> {
        let rounds = |it: &Self| it.metric("apim_probe_rounds_total");
        let before = rounds(self)?.unwrap_or_default();
        self.until(
            "rounds go on",
            |it| Ok(rounds(it)?.unwrap_or_default() >= before + more),
        )
        .map(drop)
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, name: &str) -> Result<()> {
        let done = Command::new("kill")
            .args([&format!("-{name}"), &self.id().to_string()])
            .status()?;
        ensure!(done.success(), "kill -{name}");
        Ok(())
    }

    /// Ends it with SIGTERM, like systemd; returns the exit status and how long that took.
    pub(super) fn terminate(mut self) -> Result<(Option<i32>, Duration)> {
        let requests = Instant::now();
        self.signal("TERM")?;
        Ok((self.child.wait()?.code(), requests.elapsed()))
    }
}

fn connect(address: SocketAddr) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Sends these bytes to an address, and returns the whole reply.
pub(super) fn say(address: SocketAddr, bytes: &[u8]) -> Result<String> {
    let mut stream = connect(address)?;
    stream.write_all(bytes)?;
    let mut back = Vec::new();
    // After invalid data the connection may be reset.
    let _ = stream.read_to_end(&mut back);
    Ok(String::from_utf8_lossy(&back).into_owned())
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answer {
    pub(super) fn read(text: &str) -> Result<Self> {
        let (head, body) = text
            .split_once("\r\n\r\n")
            .with_context(|| format!("no answer: {text:?}"))?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok(Self {
            status: status.with_context(|| format!("no status: {head}"))?,
            head: head.to_ascii_lowercase(),
            body: body.to_owned(),
        })
    }
}
