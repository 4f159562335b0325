//! Requests, one after the other on one connection.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

const MAX_REQUEST: usize = 64 * 1024;

/// One request.
#[derive(Debug)]
pub(super) struct PlatformRequest {
    pub(super) method: String,
    /// Path and query, as received.
    pub(super) target: String,
    head: String,
    pub(super) body: String,
}

impl PlatformRequest {
    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// The path without percent-encoding, as names of other alphabets need it.
    pub(super) fn decoded_path(&self) -> String {
        let path = self.path().as_bytes();
        let mut bytes = Vec::with_capacity(path.len());
        let mut at = 0;
        while let Some(&byte) = path.get(at) {
            let encoded = path.get(at + 1..at + 3).filter(|_| byte == b'%');
            let decoded = encoded
                .and_then(|digits| std::str::from_utf8(digits).ok())
                .and_then(|digits| u8::from_str_radix(digits, 16).ok());
            bytes.push(decoded.unwrap_or(byte));
            at += if decoded.is_some() { 3 } else { 1 };
        }
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A value of the query, not decoded.
    pub(super) fn query(&self, name: &str) -> Option<&str> {
        let pairs = self
            .target
            .split_once('?')?
            .1
            .split('&')
            .filter_map(|pair| pair.split_once('='));
        pairs
            .into_iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines
            .into_iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }
}

/// Reads the next request; `None` if the client disconnected, or never sent a complete one.
pub(super) async fn read<S: AsyncRead + Unpin>(
    io: &mut S,
    unread: &mut Vec<u8>,
) -> io::Result<Option<PlatformRequest>> {
    let Some(end) = until(io, unread, |bytes| bytes.windows(4).position(|end| end == b"\r\n\r\n")).await? else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&unread[..end]).into_owned();
    unread.drain(..end + 4);
    let mut words = head.split_whitespace();
    let mut request = PlatformRequest {
        method: words.next().unwrap_or_default().to_owned(),
        target: words.next().unwrap_or_default().to_owned(),
        head: head.clone(),
        body: String::new(),
    };
    let length: usize = request
        .header("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    if until(io, unread, |bytes| (bytes.len() >= length).then_some(length))
        .await?
        .is_none()
    {
        return Ok(None);
    }
    request.body = String::from_utf8_lossy(&unread[..length]).into_owned();
    unread.drain(..length);
    Ok(Some(request))
}

/// Reads until the delimiter is found.
async fn until<S: AsyncRead + Unpin>(
    io: &mut S,
    bytes: &mut Vec<u8>,
    wanted: impl Fn(&[u8]) -> Option<usize>,
) -> io::Result<Option<usize>> {
    let mut part = [0; 4096];
    loop {
        if let Some(found) = wanted(bytes) {
            return Ok(Some(found));
        }
        let came = io.read(&mut part).await?;
        if came == 0 || bytes.len() > MAX_REQUEST {
            return Ok(None);
        }
        bytes.extend_from_slice(&part[..came]);
    }
}
