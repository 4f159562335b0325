//! The key management service: a DCE/RPC server's answers to a bind. It never activates anything.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::idle;
use crate::{faulty_stream::FaultyStream, network::Kms};

/// Packet types of C706 §12.6.4.
const BIND: u8 = 11;
const BIND_ACK: u8 = 12;
const BIND_NAK: u8 = 13;
const FAULT: u8 = 3;

/// NDR, version 2: the transfer syntax that is accepted (C706 appendix I).
const NDR: [u8; 20] = [
    0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60, 2, 0, 0, 0,
];

pub(super) async fn serve(line: &mut FaultyStream, kms: Kms, port: u16) -> io::Result<()> {
    let mut header = [0; 16];
    line.read_exact(&mut header).await?;
    let length = usize::from(u16::from_le_bytes([header[8], header[9]]));
    if header[..3] != [5, 0, BIND] || length < header.len() {
        return Ok(());
    }
    line.read_exact(&mut vec![0; length - header.len()]).await?;
    let call = [header[12], header[13], header[14], header[15]];
    line.write_all(&reply(kms, call, port)).await?;
    idle(line).await
}

fn reply(kms: Kms, call: [u8; 4], port: u16) -> Vec<u8> {
    match kms {
        Kms::Accept => packet(BIND_ACK, call, &bind_ack(port, 0, 0, &NDR)),
        // Provider rejection, abstract syntax not supported.
        Kms::Reject => packet(BIND_ACK, call, &bind_ack(port, 2, 1, &[0; 20])),
        // Reason not specified, and no protocol versions.
        Kms::Nak => packet(BIND_NAK, call, &[0, 0, 0]),
        // Allocation hint, context, cancel count; nca_s_fault_access_denied.
        Kms::Fault => packet(FAULT, call, &[0, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0]),
    }
}

/// The body of C706 §12.6.4.4: sizes, group, the secondary address (the port), and one result.
fn bind_ack(port: u16, result: u16, reason: u16, syntax: &[u8; 20]) -> Vec<u8> {
    let mut body = vec![0xd0, 0x16, 0xd0, 0x16, 0x34, 0x12, 0, 0];
    let address = format!("{port}\0");
    body.extend(
        u16::try_from(address.len())
            .expect("a port has five digits")
            .to_le_bytes(),
    );
    body.extend(address.bytes());
    // Results are aligned to four bytes, counted from the start of the packet.
    body.resize((16 + body.len()).next_multiple_of(4) - 16, 0);
    body.extend([1, 0, 0, 0]);
    body.extend(result.to_le_bytes());
    body.extend(reason.to_le_bytes());
    body.extend(syntax);
    body
}

fn packet(kind: u8, call: [u8; 4], body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(16 + body.len()).expect("a short packet").to_le_bytes();
    // Version 5.0, first and last fragment, little endian.
    let head = [5, 0, kind, 3, 0x10, 0, 0, 0, length[0], length[1], 0, 0];
    [&head[..], &call, body].concat()
}
