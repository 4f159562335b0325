//! One request and its reply on an open connection.

use std::io;

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::{Instant, timeout_at},
};

use super::{ExchangeEnd, Greeting, KEPT, Parsed, ProtocolReply};

/// How many bytes a peer may send before a complete reply must have arrived. Every known reply is far shorter.
pub const BOUND: usize = 16 * 1024;

/// Sends `request` and reads until `parse` recognises a reply or something else, the peer ends the connection,
/// [`BOUND`] bytes have arrived, or `deadline` passes.
///
/// The deadline covers the whole exchange, so a peer that keeps dripping bytes does not extend it. Nothing continues
/// after the future is dropped.
pub async fn exchange<S>(
    stream: &mut S,
    request: &[u8],
    parse: impl Fn(&[u8]) -> Parsed<ProtocolReply>,
    deadline: Instant,
) -> Greeting
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut received = Vec::new();
    let mut unsent = None;
    let conversation = async {
        // A peer that refuses our bytes may have sent the reason before, so continue reading.
        unsent = send(stream, request).await.err();
        listen(stream, &mut received, parse).await
    };
    let outcome = timeout_at(deadline, conversation)
        .await
        .unwrap_or(ExchangeEnd::TimedOut);
    let end = match (outcome, unsent) {
        (
            ExchangeEnd::Closed | ExchangeEnd::Reset | ExchangeEnd::TimedOut | ExchangeEnd::Failed { .. },
            Some(error),
        ) => ExchangeEnd::from(&error),
        (heard, _) => heard,
    };
    received.truncate(KEPT);
    Greeting { end, received }
}

/// How an error of a stream ends an exchange; TLS alerts are separate.
impl From<&io::Error> for ExchangeEnd {
    fn from(error: &io::Error) -> Self {
        // Not `source()`: an io::Error skips its own payload there.
        match error.get_ref().and_then(|payload| payload.downcast_ref()) {
            Some(rustls::Error::AlertReceived(alert)) => return Self::Alert(format!("{alert:?}")),
            Some(other) => {
                return Self::Failed {
                    errno: None,
                    text: other.to_string(),
                };
            }
            None => {}
        }
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted => {
                Self::Reset
            }
            // TLS reports the end of the connection like this if no close_notify came before it.
            io::ErrorKind::UnexpectedEof => Self::Closed,
            io::ErrorKind::TimedOut => Self::TimedOut,
            _ => Self::Failed {
                errno: error.raw_os_error(),
                text: error.to_string(),
            },
        }
    }
}

/// Writes and flushes the whole request.
async fn send(stream: &mut (impl AsyncWrite + Unpin), request: &[u8]) -> io::Result<()> {
    stream.write_all(request).await?;
    stream.flush().await
}

/// Reads into `received` until it can be parsed.
async fn listen(
    stream: &mut (impl AsyncRead + Unpin),
    received: &mut Vec<u8>,
    parse: impl Fn(&[u8]) -> Parsed<ProtocolReply>,
) -> ExchangeEnd {
    let mut segment = [0; 1024];
    loop {
        match stream.read(&mut segment).await {
            Ok(0) => return ExchangeEnd::Closed,
            Ok(length) => received.extend_from_slice(&segment[..length]),
            Err(error) => return ExchangeEnd::from(&error),
        }
        match parse(received) {
            Parsed::Done(reply) => return ExchangeEnd::Replied(reply),
            Parsed::Foreign(why) => return ExchangeEnd::Foreign { why },
            Parsed::More if received.len() >= BOUND => {
                return ExchangeEnd::Foreign {
                    why: format!("the reply does not end within {} bytes", received.len()),
                };
            }
            Parsed::More => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stream_errors_map_to_reset_closed_or_timeout() {
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired);
        let table = [
            (io::Error::from(io::ErrorKind::ConnectionReset), ExchangeEnd::Reset),
            (io::Error::from(io::ErrorKind::BrokenPipe), ExchangeEnd::Reset),
            (io::Error::from(io::ErrorKind::ConnectionAborted), ExchangeEnd::Reset),
            (io::Error::from(io::ErrorKind::UnexpectedEof), ExchangeEnd::Closed),
            (io::Error::from_raw_os_error(libc::ETIMEDOUT), ExchangeEnd::TimedOut),
            (
                io::Error::new(io::ErrorKind::InvalidData, alert),
                ExchangeEnd::Alert("CertificateRequired".into()),
            ),
            (
                io::Error::new(io::ErrorKind::InvalidData, rustls::Error::DecryptError),
                ExchangeEnd::Failed {
                    errno: None,
                    text: rustls::Error::DecryptError.to_string(),
                },
            ),
        ];
        for (error, end) in table {
            assert_eq!(ExchangeEnd::from(&error), end, "{error:?}");
        }
        let unreachable = io::Error::from_raw_os_error(libc::EHOSTUNREACH);
        assert!(matches!(
            ExchangeEnd::from(&unreachable),
            ExchangeEnd::Failed {
                errno: Some(libc::EHOSTUNREACH),
                ..
            }
        ));
    }
}
