//! Simple clients: one socket, one exchange, and what the kernel reports about it.

use std::{
    io::{self, IoSliceMut, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    os::fd::{AsFd, AsRawFd},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nix::{
    cmsg_space,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{
        AddressFamily, ControlMessageOwned, MsgFlags, SockFlag, SockType, SockaddrIn, SockaddrStorage, connect,
        recvmsg, setsockopt, socket, sockopt,
    },
};

/// How a connection attempt ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ConnectResult {
    Open,
    Silent,
    /// The errno, and the ICMP error behind it: type, code and sender.
    Failed(i32, Option<(u8, u8, Ipv4Addr)>),
}

/// Connects once, and requests ICMP errors from the kernel.
pub(crate) fn attempt(to: &str, limit: Duration) -> Result<ConnectResult> {
    let to: SocketAddr = to.parse()?;
    let SocketAddr::V4(v4) = to else {
        anyhow::bail!("IPv4 only")
    };
    let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_NONBLOCK, None)?;
    setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?;
    match connect(socket.as_raw_fd(), &SockaddrIn::from(v4)) {
        Ok(()) | Err(nix::Error::EINPROGRESS) => {}
        Err(error) => return Ok(ConnectResult::Failed(error as i32, None)),
    }
    let mut wait = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
    if poll(&mut wait, PollTimeout::try_from(limit)?)? == 0 {
        return Ok(ConnectResult::Silent);
    }
    let stream = TcpStream::from(socket);
    Ok(match stream.take_error()? {
        None => ConnectResult::Open,
        Some(error) => ConnectResult::Failed(
            error.raw_os_error().context("an errno")?,
            icmp_error(stream.as_raw_fd()),
        ),
    })
}

/// The first ICMP error in a socket's queue.
pub(crate) fn icmp_error(socket: i32) -> Option<(u8, u8, Ipv4Addr)> {
    let mut space = cmsg_space!(libc::sock_extended_err, libc::sockaddr_in);
    let mut bytes = [0; 128];
    let mut parts = [IoSliceMut::new(&mut bytes)];
    let flags = MsgFlags::MSG_ERRQUEUE | MsgFlags::MSG_DONTWAIT;
    let message = recvmsg::<SockaddrStorage>(socket, &mut parts, Some(&mut space), flags).ok()?;
    message.cmsgs().ok()?.find_map(|control| match control {
        ControlMessageOwned::Ipv4RecvErr(error, Some(from)) => Some((
            error.ee_type,
            error.ee_code,
            Ipv4Addr::from_bits(u32::from_be(from.sin_addr.s_addr)),
        )),
        _ => None,
    })
}

/// An open connection with timeouts of three seconds.
pub(crate) fn open(to: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to.parse()?, Duration::from_secs(3)).with_context(|| to.to_owned())?;
    stream.set_read_timeout(Some(Duration::from_secs(3)))?;
    Ok(stream)
}

/// Reads a stream until it ends, fails, or times out.
pub(crate) fn hear(stream: &mut impl Read) -> (Vec<u8>, io::Result<()>) {
    let (mut heard, mut part) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut part) {
            Ok(0) => return (heard, Ok(())),
            Ok(came) => heard.extend(&part[..came]),
            Err(error) => return (heard, Err(error)),
        }
    }
}

/// Sends something to a TCP service and reads for half a second.
pub(crate) fn ask(to: &str, words: &[u8]) -> Result<(Vec<u8>, io::Result<()>)> {
    let mut stream = open(to)?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    stream.write_all(words)?;
    Ok(hear(&mut stream))
}

/// Sends a datagram and waits half a second for an answer.
pub(crate) fn exchange(to: &str, datagram: &[u8]) -> Result<io::Result<Vec<u8>>> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.set_read_timeout(Some(Duration::from_millis(500)))?;
    socket.connect(to)?;
    let mut answer = [0; 2048];
    let exchanged = socket.send(datagram).and_then(|_| socket.recv(&mut answer));
    Ok(exchanged.map(|length| answer[..length].to_vec()))
}

/// A UDP socket that receives ICMP errors, and has sent one byte.
pub(crate) fn knock(to: &str) -> Result<UdpSocket> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    setsockopt(&socket, sockopt::Ipv4RecvErr, &true)?;
    socket.set_read_timeout(Some(Duration::from_millis(500)))?;
    socket.connect(to)?;
    socket.send(b"?")?;
    Ok(socket)
}

/// How long something takes.
pub(crate) fn time<T>(what: impl FnOnce() -> Result<T>) -> Result<(T, Duration)> {
    let start = Instant::now();
    what().map(|value| (value, start.elapsed()))
}

/// A stream inside TDS packets, from the client's side.
pub(crate) struct TdsClientStream {
    pub stream: TcpStream,
    out: Vec<u8>,
    left: usize,
}

impl TdsClientStream {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            out: Vec::new(),
            left: 0,
        }
    }
}

impl Read for TdsClientStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            let mut header = [0; 8];
            self.stream.read_exact(&mut header)?;
            self.left = usize::from(u16::from_be_bytes([header[2], header[3]])) - header.len();
        }
        let want = self.left.min(buf.len());
        let came = self.stream.read(&mut buf[..want])?;
        self.left -= came;
        Ok(came)
    }
}

impl Write for TdsClientStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.out.extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        for part in std::mem::take(&mut self.out).chunks(100) {
            let length = u16::try_from(part.len() + 8).expect("a short packet").to_be_bytes();
            self.stream
                .write_all(&[&[0x12, 1, length[0], length[1], 0, 0, 1, 0], part].concat())?;
        }
        Ok(())
    }
}
