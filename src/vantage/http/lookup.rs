//! How the client looks up a name: once, at the run's own name servers.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::sync::{OnceCell, Semaphore};

use crate::net::dns::{DnsEnd, DnsQuestion};

/// How long one name server has to answer.
const TIMEOUT: Duration = Duration::from_secs(2);
/// From how many further ports a query is repeated.
const REPETITIONS: usize = 5;

/// The lookup of one client, which uses one host only.
pub(super) struct HostLookup {
    name_servers: Arc<[SocketAddr]>,
    /// The result: requests that begin at once wait for one answer.
    known: Arc<OnceCell<Vec<IpAddr>>>,
}

impl HostLookup {
    /// A lookup that queries these in turn; without any, no name resolves.
    pub(super) fn new(name_servers: &[SocketAddr]) -> Self {
        Self {
            name_servers: name_servers.into(),
            known: Arc::default(),
        }
    }
}

impl Resolve for HostLookup {
    fn resolve(&self, name: Name) -> Resolving {
        let (servers, known) = (Arc::clone(&self.name_servers), Arc::clone(&self.known));
        Box::pin(async move {
            let found = known
                .get_or_try_init(|| addresses(name.as_str(), &servers))
                .await?
                .clone();
            // The client replaces the zero with the port.
            Ok(Box::new(found.into_iter().map(|address| SocketAddr::new(address, 0))) as Addrs)
        })
    }
}

/// The first server that has addresses for the name decides.
async fn addresses(host: &str, name_servers: &[SocketAddr]) -> Result<Vec<IpAddr>, String> {
    let question = DnsQuestion::new(host, false).ok_or_else(|| format!("{host} is not a valid DNS name"))?;
    for server in name_servers {
        let end = tokio::time::Instant::from(Instant::now() + TIMEOUT);
        let spare_sockets = Semaphore::new(REPETITIONS);
        let exchange = question.ask(*server, TIMEOUT, end, &spare_sockets).await;
        if let DnsEnd::Answered(answer) = exchange.end
            && !answer.addresses.is_empty()
        {
            return Ok(answer.addresses);
        }
    }
    Err(format!("no name server resolves {host}"))
}
