//! All documents of an instance: one request per document, a dozen at a time.

use std::cell::RefCell;

use futures_util::future::join_all;

use super::{
    API_VERSION, ResourceId,
    session::{ManagementSession, Reason, SessionError},
};
use crate::{
    azure::json::DocumentKind,
    import::instance::{self, InstancePart},
};

/// One document of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum InstanceDocument {
    /// Its own status of its network.
    Status,
    /// Azure's list of its outbound dependencies.
    Dependencies,
    /// The instance itself, or one of its lists.
    Part(InstancePart),
}

/// The replies so far. It is filled as they arrive: the time may run out first.
#[derive(Debug, Default)]
pub(super) struct GatheredDocuments {
    /// Replies, each with the id of its API or product, if it has one. Pages are in order.
    pub answers: Vec<(InstanceDocument, String, String)>,
    /// The errors.
    pub failures: Vec<(InstanceDocument, SessionError)>,
    /// The documents that arrived completely, or were refused.
    pub done: Vec<InstanceDocument>,
}

impl InstanceDocument {
    /// All of them.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        [Self::Status, Self::Dependencies]
            .into_iter()
            .chain(InstancePart::ALL.map(Self::Part))
    }

    /// Its name within a sentence.
    pub(super) fn what(self) -> &'static str {
        match self {
            Self::Status => DocumentKind::NetworkStatus.what(),
            Self::Dependencies => DocumentKind::Dependencies.what(),
            Self::Part(part) => part.what(),
        }
    }

    /// Its path below the instance.
    pub(super) fn below(self) -> &'static str {
        match self {
            Self::Status => "networkstatus",
            Self::Dependencies => "outboundNetworkDependenciesEndpoints",
            Self::Part(part) => part.path(),
        }
    }

    /// The required permission, without the provider before it.
    pub(super) fn permission(self) -> String {
        match self.below() {
            "" => "read".into(),
            below => format!("{below}/read"),
        }
    }

    fn path(self, service: &ResourceId) -> String {
        match self.below() {
            "" => format!("{}?api-version={API_VERSION}", service.as_str()),
            below => format!("{}/{below}?api-version={API_VERSION}", service.as_str()),
        }
    }
}

/// Requests all of them.
pub(super) async fn gather(session: &ManagementSession, service: &ResourceId, gathered: &RefCell<GatheredDocuments>) {
    join_all(InstanceDocument::all().map(|what| one(session, service, what, gathered))).await;
}

async fn one(
    session: &ManagementSession,
    service: &ResourceId,
    what: InstanceDocument,
    gathered: &RefCell<GatheredDocuments>,
) {
    let mut scopes = Vec::new();
    let keep = |answer: String| {
        if let InstanceDocument::Part(part) = what
            && InstancePart::WITH_POLICIES.contains(&part)
        {
            scopes.extend(instance::scopes(part, &answer));
        }
        gathered.borrow_mut().answers.push((what, String::new(), answer));
    };
    let came = match what {
        InstanceDocument::Part(InstancePart::Service) | InstanceDocument::Status => {
            let document = session.document(&what.path(service)).await;
            document.and_then(|found| found.map(keep).ok_or(SessionError::Refused(404, Reason::default())))
        }
        _ => session.pages(&what.path(service), keep).await,
    };
    if let Err(trouble) = came {
        gathered.borrow_mut().failures.push((what, trouble));
    }
    join_all(scopes.iter().map(|scope| policies(session, scope, gathered))).await;
    gathered.borrow_mut().done.push(what);
}

/// The policies of one API or product; most have none.
async fn policies(session: &ManagementSession, scope: &str, gathered: &RefCell<GatheredDocuments>) {
    let what = InstanceDocument::Part(InstancePart::Policies);
    let keep = |answer| gathered.borrow_mut().answers.push((what, scope.to_owned(), answer));
    let path = format!("{scope}/policies?api-version={API_VERSION}");
    if let Err(trouble) = session.pages(&path, keep).await {
        gathered.borrow_mut().failures.push((what, trouble));
    }
}
