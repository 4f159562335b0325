//! Sockets for whole frames (packet(7)).

use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, Result, anyhow};
use nix::{
    errno::Errno,
    ifaddrs::getifaddrs,
    sys::socket::{
        AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, bind, recvfrom, send, setsockopt, socket,
        sockopt::RcvBuf,
    },
};

/// Size of the receive buffer: larger than any frame.
const MAX_FRAME: usize = 65_536;
/// `sll_pkttype` of a frame that we sent ourselves (`linux/if_packet.h`).
const OUTGOING: u8 = 4;
/// The most that an ordinary user may request; the kernel reduces it if its limit is lower.
const BUFFER: usize = 1 << 20;

/// One end of the relay.
pub(super) struct Socket {
    pub(super) descriptor: OwnedFd,
    buffer: Vec<u8>,
}

impl Socket {
    /// A socket on an interface of the calling thread's network namespace.
    pub(super) fn on(interface: &str) -> Result<Self> {
        let descriptor = socket(
            AddressFamily::Packet,
            SockType::Raw,
            SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC,
            SockProtocol::EthAll,
        )
        .context("a packet socket")?;
        // Its link-level address, as the kernel lists it, contains the index that bind needs.
        let link = getifaddrs()?
            .filter(|listed| listed.interface_name == interface)
            .find_map(|listed| listed.address?.as_link_addr().copied())
            .with_context(|| format!("there is no interface {interface}"))?;
        bind(descriptor.as_raw_fd(), &link).with_context(|| format!("binding to {interface}"))?;
        let _ = setsockopt(&descriptor, RcvBuf, &BUFFER);
        Ok(Self {
            descriptor,
            buffer: vec![0; MAX_FRAME],
        })
    }

    /// The next frame that arrived; `None` if there is none now.
    pub(super) fn take(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            match recvfrom::<LinkAddr>(self.descriptor.as_raw_fd(), &mut self.buffer) {
                Ok((_, Some(from))) if from.pkttype() == OUTGOING => {}
                Ok((length, _)) => return Ok(self.buffer.get(..length).map(<[u8]>::to_vec)),
                Err(Errno::EAGAIN) => return Ok(None),
                // The interface is not up yet, or not any more.
                Err(Errno::ENETDOWN | Errno::EINTR) => {}
                Err(error) => return Err(anyhow!(error).context("taking a frame")),
            }
        }
    }

    /// Sends a frame; if the kernel has no buffer space, the frame is lost, as on any link.
    pub(super) fn give(&self, frame: &[u8]) {
        let _ = send(self.descriptor.as_raw_fd(), frame, MsgFlags::empty());
    }
}
