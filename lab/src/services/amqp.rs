//! AMQP 1.0: the protocol headers, and the frame in which a server names its SASL mechanisms.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::idle;
use crate::{faulty_stream::FaultyStream, network::Amqp};

/// "AMQP", protocol 0: AMQP itself, version 1.0.0 (AMQP 1.0 §2.2).
const PLAIN_HEADER: &[u8; 8] = b"AMQP\x00\x01\x00\x00";
/// Protocol 2: TLS (§5.2.1).
const TLS_HEADER: &[u8; 8] = b"AMQP\x02\x01\x00\x00";
/// Protocol 3: SASL (§5.3.1).
const SASL_HEADER: &[u8; 8] = b"AMQP\x03\x01\x00\x00";

/// The upgrade on port 5672: the client requests TLS, the server agrees.
pub(super) async fn agree_on_tls(line: &mut FaultyStream, amqp: Amqp) -> io::Result<()> {
    let mut header = [0; 8];
    line.read_exact(&mut header).await?;
    if amqp == Amqp::OtherHeader || &header != TLS_HEADER {
        line.write_all(PLAIN_HEADER).await?;
        return Err(io::ErrorKind::InvalidData.into());
    }
    line.write_all(TLS_HEADER).await
}

/// The exchange inside TLS.
pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(io: &mut S, amqp: Amqp) -> io::Result<()> {
    let mut header = [0; 8];
    io.read_exact(&mut header).await?;
    if amqp == Amqp::OtherHeader || &header != SASL_HEADER {
        io.write_all(PLAIN_HEADER).await?;
        return io.shutdown().await;
    }
    io.write_all(SASL_HEADER).await?;
    if amqp == Amqp::Agree {
        io.write_all(&mechanisms(&["MSSBCBS", "PLAIN", "ANONYMOUS", "EXTERNAL"]))
            .await?;
    }
    io.flush().await?;
    idle(io).await
}

/// A sasl-mechanisms frame (§5.3.3.1): a list of one array of symbols.
fn mechanisms(names: &[&str]) -> Vec<u8> {
    let short = |length: usize| u8::try_from(length).expect("a short frame");
    let symbols: Vec<u8> = names
        .iter()
        .flat_map(|name| [&[short(name.len())], name.as_bytes()].concat())
        .collect();
    // array8: size (of count, constructor and elements), count, constructor sym8.
    let array = [
        &[0xe0, short(symbols.len() + 2), short(names.len()), 0xa3],
        &symbols[..],
    ]
    .concat();
    // Described by the small ulong 0x40: list8 of size (of count and elements) and one element.
    let body = [&[0x00, 0x53, 0x40, 0xc0, short(array.len() + 1), 1], &array[..]].concat();
    // Size, data offset in words, type SASL, ignored.
    [&[0, 0, 0, short(body.len() + 8), 2, 1, 0, 0], &body[..]].concat()
}
