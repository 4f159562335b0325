//! The socket for requests to the kernel.

use std::{
    io,
    net::IpAddr,
    os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd},
};

use nix::{
    errno::Errno,
    libc,
    sys::socket::{AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, socket},
};

use super::{
    Interface, Neighbour, RouteAnswer,
    message::{self, Message, messages},
};

/// Maximum size of the kernel's datagrams (`NLMSG_GOODSIZE`, and the size of a dump).
const MAX_DATAGRAM: usize = 32 << 10;
/// Maximum number of datagrams in an answer: a machine has hundreds of interfaces at most.
const MAX_REPLIES: usize = 1_000;

/// A socket to the kernel.
#[derive(Debug)]
pub struct Kernel {
    descriptor: OwnedFd,
    sequence: u32,
}

impl Kernel {
    /// For requests.
    pub fn ask() -> io::Result<Self> {
        Self::open(0)
    }

    /// For changes from now on: interfaces, IPv4 addresses and routes.
    pub fn listen() -> io::Result<Self> {
        let groups = libc::RTMGRP_LINK | libc::RTMGRP_IPV4_IFADDR | libc::RTMGRP_IPV4_ROUTE;
        Self::open(u32::try_from(groups).unwrap_or_default())
    }

    fn open(groups: u32) -> io::Result<Self> {
        let descriptor = socket(
            AddressFamily::Netlink,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK,
            SockProtocol::NetlinkRoute,
        )?;
        bind(descriptor.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
        Ok(Self {
            descriptor,
            sequence: 0,
        })
    }

    /// All interfaces.
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method itself has one lifetime only"
    )]
    pub fn interfaces(&mut self) -> io::Result<Vec<Interface>> {
        self.sequence += 1;
        self.all(&message::all_links(self.sequence), |message| message.link())
    }

    /// All neighbours.
    #[expect(
        clippy::redundant_closure_for_method_calls,
        reason = "the method itself has one lifetime only"
    )]
    pub fn neighbours(&mut self) -> io::Result<Vec<Neighbour>> {
        self.sequence += 1;
        self.all(&message::all_neighbours(self.sequence), |message| message.neighbour())
    }

    /// Where a packet to this address would go, from the given source address if any; the error number if it would go
    /// nowhere.
    pub fn route(&mut self, to: IpAddr, from: Option<IpAddr>) -> io::Result<Result<RouteAnswer, i32>> {
        self.sequence += 1;
        self.send(&message::route_to(self.sequence, to, from))?;
        let mut buffer = vec![0; MAX_DATAGRAM];
        let bytes = self.receive(&mut buffer)?;
        messages(bytes)
            .find_map(|message| {
                let refused = message.error().filter(|error| *error != 0);
                refused.map(Err).or_else(|| message.route().map(Ok))
            })
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Reads the reported changes, and returns each state that an interface has had since the last call; an error if
    /// that is not known.
    pub fn changed_links(&mut self) -> io::Result<Vec<Interface>> {
        let mut buffer = vec![0; MAX_DATAGRAM];
        let mut changes = Vec::new();
        for _ in 0..MAX_REPLIES {
            match self.receive(&mut buffer) {
                Ok(bytes) => changes.extend(messages(bytes).filter_map(|message| message.link())),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        Ok(changes)
    }

    /// Everything of a kind.
    fn all<T>(&self, request: &[u8], read: impl Fn(&Message<'_>) -> Option<T>) -> io::Result<Vec<T>> {
        self.send(request)?;
        let mut buffer = vec![0; MAX_DATAGRAM];
        let mut all = Vec::new();
        for _ in 0..MAX_REPLIES {
            // The kernel has written its reply before the request returns: there is nothing to wait for.
            for message in messages(self.receive(&mut buffer)?).filter(|message| message.sequence == self.sequence) {
                if let Some(error) = message.error().filter(|error| *error != 0) {
                    return Err(io::Error::from_raw_os_error(error));
                }
                if message.is_last() {
                    return Ok(all);
                }
                all.extend(read(&message));
            }
        }
        Err(io::ErrorKind::InvalidData.into())
    }

    fn send(&self, request: &[u8]) -> io::Result<()> {
        send(self.descriptor.as_raw_fd(), request, MsgFlags::empty())?;
        Ok(())
    }

    fn receive<'a>(&self, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
        loop {
            match recv(self.descriptor.as_raw_fd(), buffer, MsgFlags::MSG_DONTWAIT) {
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
                Ok(length) => return Ok(&buffer[..length]),
            }
        }
    }
}

impl AsFd for Kernel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl AsRawFd for Kernel {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}
