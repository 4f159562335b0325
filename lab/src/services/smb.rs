//! A file server's answer to NEGOTIATE.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::idle;
use crate::{faulty_stream::FaultyStream, network::Smb};

/// SMB 3.0.2, the dialect chosen.
const DIALECT: [u8; 2] = [0x02, 0x03];

pub(super) async fn serve(line: &mut FaultyStream, smb: Smb) -> io::Result<()> {
    // Direct TCP (MS-SMB2 2.1): a zero byte and three bytes of length.
    let length = usize::try_from(line.read_u32().await?).unwrap_or(usize::MAX);
    if length > 4096 {
        return Ok(());
    }
    line.read_exact(&mut vec![0; length]).await?;
    let message = match smb {
        Smb::Smb2 => negotiate_response(),
        Smb::Smb1 => smb1_response(),
    };
    let length = u32::try_from(message.len()).expect("a short message").to_be_bytes();
    line.write_all(&[&length[..], &message].concat()).await?;
    idle(line).await
}

/// MS-SMB2 2.2.1.2 (header) and 2.2.4 (response), without a security token.
fn negotiate_response() -> Vec<u8> {
    let mut message = vec![0xfe, b'S', b'M', b'B', 64, 0];
    message.resize(16, 0);
    // SERVER_TO_REDIR: this is a response.
    message.push(1);
    message.resize(64, 0);
    message.extend([65, 0, 1, 0]);
    message.extend(DIALECT);
    message.extend([0, 0]);
    message.extend([0x42; 16]);
    // Capabilities, then the largest transaction, read and write.
    message.extend([0, 0, 0, 0]);
    message.extend([0, 0, 0x10, 0].repeat(3));
    // System time and server start time, then the security buffer: offset 128, no bytes.
    message.extend([0; 16]);
    message.extend([128, 0, 0, 0, 0, 0, 0, 0]);
    message
}

/// A NEGOTIATE response of SMB 1 (MS-CIFS 2.2.4.52.2) without any dialect accepted.
fn smb1_response() -> Vec<u8> {
    let mut message = vec![0xff, b'S', b'M', b'B', 0x72];
    message.resize(9, 0);
    message.push(0x80);
    message.resize(32, 0);
    message.extend([1, 0xff, 0xff, 0, 0]);
    message
}
