//! What the platform knows about the instance and the VM: Azure's management endpoint and the VM's metadata service.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// The management endpoint of the public cloud and the metadata service, with all of their documents. What is not
/// mentioned is healthy: every list of the instance is empty, and the VM has one managed identity that may read
/// everything.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Management {
    /// The reply to a GET, by path: below the instance (`backends`, empty for the instance itself), or from the root. A
    /// list is returned in pages of 100.
    pub documents: BTreeMap<String, DocumentSource>,
    /// The result of a POST, by path.
    pub operations: BTreeMap<String, Operation>,
    /// What goes wrong, by path; `*` is everything below the management endpoint, and `token` the refusal of a token.
    pub faults: BTreeMap<String, ManagementFault>,
    /// The managed identities of the VM.
    pub identities: Identities,
}

/// A document.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum DocumentSource {
    /// A list of this many similar entries; `{n}` in an entry is replaced with its number.
    Repeated {
        /// The number of entries.
        repeat: usize,
        /// The entry.
        entry: Value,
    },
    /// The document itself.
    Plain(Value),
}

/// The result of a POST.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Operation {
    /// How many polls are answered with "pending" before the result; 0 returns it at once.
    pub pending_polls: u32,
    /// The result; `{address}` in it is replaced with the destination of the request, if there is one.
    pub result: Value,
}

/// A fault of the reply for a path.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ManagementFault {
    /// The request is read, and there is no reply.
    Silent,
    /// This HTTP status.
    Status(ErrorStatus),
    /// Every page links to another one, endlessly.
    EndlessPages,
    /// The next page is at another host.
    NextPageAtOtherHost,
    /// The operation never finishes.
    NeverCompletes,
    /// A reply of this many megabytes.
    Megabytes(usize),
    /// A web page.
    Html,
}

/// A status other than 200.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorStatus {
    /// The status.
    pub code: u16,
    /// How long to wait, in seconds.
    pub retry_after: Option<u64>,
    /// For this many requests only.
    pub times: Option<u32>,
    /// The `code` of the error in the reply.
    pub error: Option<String>,
}

/// The managed identities of a VM.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Identities {
    /// One.
    #[default]
    One,
    /// None.
    None,
    /// Several assigned ones, of which the request must name one: [`CLIENT_ID`].
    ///
    /// [`CLIENT_ID`]: crate::management::CLIENT_ID
    Several,
}
