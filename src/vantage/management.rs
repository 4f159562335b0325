//! The instance's own documents and this VM's rules, fetched from the cloud's management endpoint with this VM's managed
//! identity.
//!
//! Requests that change nothing, and only when asked. The token comes from the metadata service, goes to the management
//! endpoint over verified TLS, and nowhere else: not into a file, a message, a panic, or a core file.

mod check;
mod documents;
mod id;
mod missing;
mod network;
mod session;
pub(super) mod token;

use std::cell::RefCell;

use jiff::Timestamp;

pub(crate) use self::id::ResourceId;
pub(crate) use self::{
    check::{Checked, check},
    network::{NetworkConfig, NsgDocuments, RouteDocuments},
};
use self::{
    documents::{GatheredDocuments, What},
    network::CollectedNetwork,
    session::{ManagementSession, SessionError},
};
use super::{Vantage, block_on, cutoff::Cutoff, secret::Undumpable};
use crate::{
    azure::{Cloud, json::DocumentKind},
    import::{
        ImportedDocument,
        instance::{Instance, InstancePart, Location},
    },
    net::tls::roots::Roots,
};

/// The version of API Management's interface that all documents are read in.
const API_VERSION: &str = "2024-05-01";
/// What all of it may take of the run's time: the rest is for probing.
const SHARE: u32 = 3;
/// What messages call the endpoint.
const ENDPOINT: &str = "the management endpoint";

/// What is requested, and with which identity.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ManagementRequest<'a> {
    /// The instance.
    pub service: &'a ResourceId,
    /// `--identity`: the client id of one of the VM's managed identities.
    pub identity: Option<&'a str>,
    /// The roots that the endpoint's chain must end in.
    pub roots: &'a Roots,
}

/// What could be fetched.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fetched {
    /// What Azure says of the instance's network and of its dependencies.
    pub documents: Vec<ImportedDocument>,
    /// What the instance shows.
    pub instance: Instance,
    /// What is known of the network around this VM and the instance.
    pub network: NetworkConfig,
    /// What could not be fetched, why, and what to do about it.
    pub notices: Vec<String>,
}

/// Fetches everything that an instance depends on, and this VM's rules, within a third of the time that is left. What cannot
/// be fetched is a notice: the run goes on without it.
///
/// Must not be called by a task of a runtime.
pub(crate) fn fetch(request: &ManagementRequest<'_>, vantage: &Vantage, until: &Cutoff) -> Fetched {
    let until = until.share(SHARE);
    // Before anything that may hold a part of the token, so that it is dropped after all of it.
    let undumpable = Undumpable::new();
    let (gathered, found) = (
        RefCell::new(GatheredDocuments::default()),
        RefCell::new(CollectedNetwork::default()),
    );
    let asked = async {
        tokio::select! {
            () = gather(request, vantage, &until, &gathered, &found) => {}
            () = until.clone().over() => {}
        }
    };
    let started = block_on(asked);
    let (mut gathered, found) = (gathered.into_inner(), found.into_inner());
    let nothing_came = gathered.answers.is_empty();
    gathered
        .answers
        .sort_by(|one, two| (one.0, &one.1).cmp(&(two.0, &two.1)));
    let mut fetched = match started {
        Ok(()) => read(gathered, request.service, vantage.cloud),
        Err(error) => Fetched {
            notices: vec![format!("--service: cannot start: {error}")],
            ..Fetched::default()
        },
    };
    if undumpable.is_none() {
        fetched.notices.insert(
            0,
            "--service: the system does not let this process protect its memory: other programs of this user could \
             have read the token"
                .into(),
        );
    }
    fetched.network = found.network;
    // One thing at a time: without the right to read the instance, that is reported first.
    if !nothing_came {
        fetched.notices.extend(found.notices);
    }
    fetched
}

async fn gather(
    request: &ManagementRequest<'_>,
    vantage: &Vantage,
    until: &Cutoff,
    gathered: &RefCell<GatheredDocuments>,
    found: &RefCell<CollectedNetwork>,
) {
    let session = match ManagementSession::open(request, vantage, until).await {
        Ok(session) => session,
        Err(trouble) => {
            let mut gathered = gathered.borrow_mut();
            gathered
                .failures
                .extend(What::all().map(|what| (what, trouble.clone())));
            gathered.done.extend(What::all());
            return;
        }
    };
    let region = vantage.region.as_deref();
    let documents = documents::gather(&session, request.service, gathered);
    match &vantage.identity {
        Some(machine) => {
            tokio::join!(documents, network::here(&session, machine, region, found));
        }
        None => documents.await,
    }
    let locations = locations(&gathered.borrow());
    network::there(&session, &locations, region, found).await;
}

/// Reads an answer of the management endpoint, as one that refuses and as a page of a list: gives what is said of the first,
/// and the further page that is fetched after the second.
pub(super) fn read_answer(body: &str) -> (String, Option<String>) {
    session::read(body, &session::base(Cloud::Public))
}

/// Where the instance runs, as far as it told.
fn locations(gathered: &GatheredDocuments) -> Vec<Location> {
    let mut instance = Instance::default();
    for (what, _, answer) in &gathered.answers {
        if *what == What::Part(InstancePart::Service) {
            // What is wrong with it is said when all of it is read.
            let _ = instance.add(InstancePart::Service, answer, ENDPOINT);
        }
    }
    instance.service.map(|service| service.locations).unwrap_or_default()
}

/// Makes of the answers what they say.
fn read(gathered: GatheredDocuments, service: &ResourceId, cloud: Cloud) -> Fetched {
    let mut fetched = Fetched::default();
    let mut failures = gathered.failures;
    for (what, _, answer) in &gathered.answers {
        let kind = match what {
            What::Status => DocumentKind::NetworkStatus,
            What::Dependencies => DocumentKind::Dependencies,
            What::Part(part) => {
                if let Err(why) = fetched.instance.add(*part, answer, ENDPOINT) {
                    failures.push((*what, SessionError::Odd(why)));
                }
                continue;
            }
        };
        match ImportedDocument::read(answer, "the management endpoint's reply", kind, Some(Timestamp::now())) {
            // Its pages are all there, or it is said that they are not.
            Ok(mut document) => {
                document.next = None;
                // That Azure lists nothing is not remarkable.
                if document.targets.is_empty() && kind == DocumentKind::Dependencies {
                    document.notices.clear();
                }
                fetched.documents.push(document);
            }
            Err(why) => failures.push((*what, SessionError::Unread(why))),
        }
    }
    let late: Vec<What> = What::all().filter(|what| !gathered.done.contains(what)).collect();
    fetched.notices = missing::notices(gathered.answers.is_empty(), failures, &late, service, cloud);
    fetched
}
