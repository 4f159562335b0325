//! What the platform knows of the instance and of the VM: Azure's management endpoint and the VM's metadata service.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// The management endpoint of the public cloud and the metadata service, with everything that they are asked for. What is
/// not said is healthy: every list of the instance is empty, and the VM has one managed identity that may read all.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Management {
    /// What a GET gives, by path: below the instance (`backends`, empty for the instance itself), or from the root. A list
    /// comes in pages of 100.
    pub documents: BTreeMap<String, Given>,
    /// What a POST leads to, by path.
    pub operations: BTreeMap<String, Operation>,
    /// What goes wrong, by path; `*` is everything below the management endpoint, and `token` a token's own refusal.
    pub faults: BTreeMap<String, ManagementFault>,
    /// The managed identities of the VM.
    pub identities: Identities,
}

/// A document.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Given {
    /// A list of the same entry, so many times; `{n}` in it becomes a number of its own.
    Repeated {
        /// How often.
        repeat: usize,
        /// The entry.
        of: Value,
    },
    /// As it is.
    Plain(Value),
}

/// What a POST leads to.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Operation {
    /// How often a request for the result is put off; 0 gives it at once.
    pub polls: u32,
    /// The result; `{address}` in it becomes the destination of the request, where that has one.
    pub result: Value,
}

/// What may go wrong with a path.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ManagementFault {
    /// The request is read, and no answer comes.
    Silent,
    /// This status.
    Status(Refusal),
    /// Each page leads to one more.
    Endless,
    /// The next page is at another host.
    Elsewhere,
    /// The operation has no end.
    NeverEnds,
    /// An answer of so many megabytes.
    Megabytes(usize),
    /// A web page.
    Html,
}

/// A status other than 200.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Refusal {
    /// The status.
    pub code: u16,
    /// How long to wait, in seconds.
    pub retry_after: Option<u64>,
    /// For so many requests only.
    pub times: Option<u32>,
    /// The `code` of the error in the answer.
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
    /// Several that were assigned, of which the request must name one: [`CLIENT_ID`].
    ///
    /// [`CLIENT_ID`]: crate::management::CLIENT_ID
    Several,
}
