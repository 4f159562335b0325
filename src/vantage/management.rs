//! The instance's own documents and this VM's rules, fetched from the cloud's management endpoint with this VM's
//! managed identity.
//!
//! The requests change nothing, and are only made if requested. The token is from the metadata service, and is sent to
//! the management endpoint over verified TLS and nowhere else: not to a file, a message, a panic, or a core file.

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
    documents::{GatheredDocuments, InstanceDocument},
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

/// The version of API Management's API that all documents are requested in.
const API_VERSION: &str = "2024-05-01";
/// The share of the run's time for all requests: the rest is for probing.
const SHARE: u32 = 3;
/// The endpoint's name in messages.
const ENDPOINT: &str = "the management endpoint";

/// What to request, and with which identity.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ManagementRequest<'a> {
    /// The instance.
    pub service: &'a ResourceId,
    /// `--identity`: the client id of one of the VM's managed identities.
    pub identity: Option<&'a str>,
    /// The roots that must have issued the endpoint's certificate.
    pub roots: &'a Roots,
}

/// The documents that could be fetched.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fetched {
    /// Azure's documents about the instance's network and its dependencies.
    pub documents: Vec<ImportedDocument>,
    /// The instance's own documents.
    pub instance: Instance,
    /// What is known about the network around this VM and the instance.
    pub network: NetworkConfig,
    /// What could not be fetched, why, and how to get it.
    pub notices: Vec<String>,
}

/// Fetches everything that an instance depends on, and this VM's rules, within a third of the time that is left.
/// Anything that cannot be fetched becomes a notice, and the run continues without it.
///
/// Must not be called by a task of a runtime.
pub(crate) fn fetch(request: &ManagementRequest<'_>, vantage: &Vantage, until: &Cutoff) -> Fetched {
    let until = until.share(SHARE);
    // Created before anything that may contain part of the token, so that it is dropped after all of that.
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
    // One after the other: without permission to read the instance, that is reported first.
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
                .extend(InstanceDocument::all().map(|what| (what, trouble.clone())));
            gathered.done.extend(InstanceDocument::all());
            return;
        }
    };
    let region = vantage.region.as_deref();
    let documents = documents::gather(&session, request.service, gathered);
    match &vantage.identity {
        Some(machine) => {
            tokio::join!(documents, network::of_this_vm(&session, machine, region, found));
        }
        None => documents.await,
    }
    let locations = locations(&gathered.borrow());
    network::of_the_instance(&session, &locations, region, found).await;
}

/// Reads a reply of the management endpoint, as an error and as a page of a list: returns the error's text, and the
/// link to the next page that would be fetched.
pub(super) fn read_answer(body: &str) -> (String, Option<String>) {
    session::read(body, &session::base(Cloud::Public))
}

/// Where the instance runs, as far as it is known.
fn locations(gathered: &GatheredDocuments) -> Vec<Location> {
    let mut instance = Instance::default();
    for (what, _, answer) in &gathered.answers {
        if *what == InstanceDocument::Part(InstancePart::Service) {
            // Errors in it are reported once everything has been read.
            let _ = instance.add(InstancePart::Service, answer, ENDPOINT);
        }
    }
    instance.service.map(|service| service.locations).unwrap_or_default()
}

/// Turns the replies into documents.
fn read(gathered: GatheredDocuments, service: &ResourceId, cloud: Cloud) -> Fetched {
    let mut fetched = Fetched::default();
    let mut failures = gathered.failures;
    for (what, _, answer) in &gathered.answers {
        let kind = match what {
            InstanceDocument::Status => DocumentKind::NetworkStatus,
            InstanceDocument::Dependencies => DocumentKind::Dependencies,
            InstanceDocument::Part(part) => {
                if let Err(why) = fetched.instance.add(*part, answer, ENDPOINT) {
                    failures.push((*what, SessionError::Odd(why)));
                }
                continue;
            }
        };
        match ImportedDocument::read(answer, ENDPOINT, kind, Some(Timestamp::now())) {
            // Its pages are complete, or a notice says that they are not.
            Ok(mut document) => {
                document.next = None;
                // It is not worth a notice if Azure lists nothing.
                if document.targets.is_empty() && kind == DocumentKind::Dependencies {
                    document.notices.clear();
                }
                fetched.documents.push(document);
            }
            Err(why) => failures.push((*what, SessionError::Unread(why))),
        }
    }
    let late: Vec<InstanceDocument> = InstanceDocument::all()
        .filter(|what| !gathered.done.contains(what))
        .collect();
    fetched.notices = missing::notices(gathered.answers.is_empty(), failures, &late, service, cloud);
    fetched
}
