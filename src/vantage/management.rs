//! The instance's own documents, fetched from the cloud's management endpoint with this VM's managed identity.
//!
//! Two read-only requests (a list may come in pages), and only when asked. The token comes from the metadata service,
//! goes to the management endpoint over verified TLS, and nowhere else: not into a file, a message, a panic, or a core file.

pub(super) mod token;

use std::{net::SocketAddr, str::FromStr, time::Duration};

use jiff::Timestamp;
use reqwest::{
    Url,
    header::{AUTHORIZATION, HeaderMap},
};

use super::{
    Vantage, block_on,
    http::{Client, Failure, Reply},
    secret::Undumpable,
    until::Until,
};
use crate::{
    azure::{Cloud, resources::Resource},
    import::{Document, Kind},
    net::tls::roots::Roots,
};
use token::Token;

/// The version of API Management's interface that both documents are read in.
const API_VERSION: &str = "2024-05-01";
/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(5);
/// How long all of them may take: the rest of the time is for probing.
const LIMIT_OF_ALL: Duration = Duration::from_secs(20);
/// More pages are not asked for: the largest instances have one.
const MOST_PAGES: usize = 10;

/// The resource id of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceId(String);

impl FromStr for ResourceId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts: Vec<&str> = text.trim().trim_end_matches('/').split('/').collect();
        let is_name = |part: &str| {
            // A path of dots would lead to somebody else's resource.
            !matches!(part, "" | "." | "..")
                && part
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.()".contains(&byte))
        };
        match parts[..] {
            [
                "",
                subscriptions,
                subscription,
                groups,
                group,
                providers,
                provider,
                service,
                name,
            ] if subscriptions.eq_ignore_ascii_case("subscriptions")
                && groups.eq_ignore_ascii_case("resourceGroups")
                && providers.eq_ignore_ascii_case("providers")
                && provider.eq_ignore_ascii_case("Microsoft.ApiManagement")
                && service.eq_ignore_ascii_case("service")
                && [subscription, group, name].into_iter().all(is_name) =>
            {
                Ok(Self(parts.join("/")))
            }
            _ => Err(
                "expected /subscriptions/ID/resourceGroups/GROUP/providers/Microsoft.ApiManagement/service/NAME, \
                      as `az apim show --query id` prints it"
                    .into(),
            ),
        }
    }
}

impl ResourceId {
    /// The instance as a resource, for commands.
    pub(crate) fn resource(&self) -> Option<Resource> {
        Resource::of_id(&self.0)
    }
}

/// What could be fetched.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Fetched {
    /// The documents.
    pub documents: Vec<Document>,
    /// What could not be fetched, why, and what to do about it.
    pub notices: Vec<String>,
}

/// Fetches both documents of an instance, within a part of the time that is left. What cannot be fetched is a notice: the
/// run goes on without it.
///
/// Must not be called by a task of a runtime.
pub(crate) fn fetch(service: &ResourceId, vantage: &Vantage, roots: &Roots, until: &Until) -> Fetched {
    let fetching = async {
        tokio::select! {
            fetched = fetch_both(service, vantage.cloud, &vantage.name_servers, roots) => fetched,
            () = until.part(LIMIT_OF_ALL).over() => {
                let base = format!("https://{}", vantage.cloud.management_host());
                let by_hand = by_hand(&base, service, &[Kind::NetworkStatus, Kind::Dependencies]);
                Fetched {
                    notices: vec![format!(
                        "--service: the management endpoint was too slow, and the run went on without it; or {by_hand}"
                    )],
                    ..Fetched::default()
                }
            }
        }
    };
    block_on(fetching).unwrap_or_else(|error| Fetched {
        notices: vec![format!("--service: cannot start: {error}")],
        ..Fetched::default()
    })
}

async fn fetch_both(service: &ResourceId, cloud: Cloud, name_servers: &[SocketAddr], roots: &Roots) -> Fetched {
    // Before anything that may hold a part of the token, so that it is dropped after all of it.
    let undumpable = Undumpable::new();
    let mut fetched = Fetched::default();
    if undumpable.is_none() {
        fetched.notices.push(
            "--service: the system does not let this process keep its memory to itself: whoever runs programs as this user \
             could have read the token"
                .into(),
        );
    }
    let base = &format!("https://{}", cloud.management_host());
    let client = Client::verifying(roots, name_servers).map_err(|failure| failure.to_string());
    let asked = async { Ok::<_, String>((client?, token::token(base).await?)) };
    let (client, token) = match asked.await {
        Ok(both) => both,
        Err(why) => {
            let both = [Kind::NetworkStatus, Kind::Dependencies];
            fetched
                .notices
                .push(format!("--service: {why}; or {}", by_hand(base, service, &both)));
            return fetched;
        }
    };
    let session = Session {
        client,
        base,
        service,
        token,
    };
    let (status, dependencies) = tokio::join!(
        session.document(Kind::NetworkStatus),
        session.document(Kind::Dependencies)
    );
    let mut troubles: Vec<(String, Vec<Kind>)> = Vec::new();
    for (kind, answer) in [(Kind::NetworkStatus, status), (Kind::Dependencies, dependencies)] {
        match answer {
            Ok(documents) => fetched.documents.extend(documents),
            // As a rule both fail for the same reason.
            Err(why) => match troubles.iter_mut().find(|(known, _)| *known == why) {
                Some((_, kinds)) => kinds.push(kind),
                None => troubles.push((why, vec![kind])),
            },
        }
    }
    let notice = |(why, kinds): (String, Vec<Kind>)| format!("--service: {why}; or {}", by_hand(base, service, &kinds));
    fetched.notices.extend(troubles.into_iter().map(notice));
    fetched
}

/// Everything that a request to the management endpoint needs.
struct Session<'a> {
    client: Client,
    base: &'a str,
    service: &'a ResourceId,
    token: Token,
}

impl Session<'_> {
    /// All pages of a document, or why there is none.
    async fn document(&self, kind: Kind) -> Result<Vec<Document>, String> {
        let mut pages = Vec::new();
        let mut next = Some(url(self.base, self.service, kind));
        while let Some(url) = next.take() {
            let reply = self.get(&url).await.map_err(|failure| self.unreachable(&failure))?;
            if reply.status != 200 {
                return Err(self.refused(reply.status));
            }
            let text = self.token.cut_out_of(&reply.body);
            let mut page = Document::read(&text, "the management endpoint's answer", kind, Some(Timestamp::now()))?;
            next = page.next.take();
            pages.push(page);
            if let Some(link) = &next
                && (pages.len() >= MOST_PAGES || !is_below(link, self.base))
            {
                return Err(format!("{} goes on where it cannot be followed", kind.what()));
            }
        }
        Ok(pages)
    }

    async fn get(&self, url: &str) -> Result<Reply, Failure> {
        self.client
            .get(url, HeaderMap::from_iter([(AUTHORIZATION, self.token.header())]), LIMIT)
            .await
    }

    fn unreachable(&self, failure: &Failure) -> String {
        let host = self.base.trim_start_matches("https://");
        let why = self.token.cut_out_of(&failure.to_string());
        let trust = match failure {
            Failure::Untrusted(_) => {
                ", so the token was not sent; where the network inspects this way, --management-ca-file trusts its CA with it"
            }
            _ => "",
        };
        format!("{host} cannot be asked ({why}){trust}")
    }

    fn refused(&self, status: u16) -> String {
        let id = &self.service.0;
        match status {
            401 | 403 => format!(
                "this VM's managed identity may not read the instance (HTTP {status}): grant it the role Reader on it with `az role assignment create --role Reader --assignee PRINCIPAL_ID --scope {id}`"
            ),
            404 => format!("there is no instance {id} (HTTP 404): compare with what `az apim show --query id` prints"),
            429 => "the management endpoint is asked too often (HTTP 429): try again later".into(),
            _ => format!("the management endpoint answered with HTTP {status}"),
        }
    }
}

fn url(base: &str, service: &ResourceId, kind: Kind) -> String {
    let document = match kind {
        Kind::Dependencies => "outboundNetworkDependenciesEndpoints",
        _ => "networkstatus",
    };
    format!("{base}{}/{document}?api-version={API_VERSION}", service.0)
}

/// How somebody who may read the instance gets the documents to this machine.
fn by_hand(base: &str, service: &ResourceId, kinds: &[Kind]) -> String {
    let command = |kind: &Kind| {
        let (url, flag) = (url(base, service, *kind), kind.word());
        format!("run `az rest --method get --url \"{url}\" > {flag}.json` elsewhere and pass --{flag} {flag}.json")
    };
    kinds.iter().map(command).collect::<Vec<_>>().join(", and ")
}

/// Whether a link leads to the same endpoint: the token must go nowhere else.
fn is_below(link: &str, base: &str) -> bool {
    let whole = |text: &str| text.parse::<Url>().ok();
    // A name before the host would be sent as one more header.
    let (Some(link), Some(base)) = (whole(link), whole(base)) else {
        return false;
    };
    link.origin() == base.origin() && link.username().is_empty() && link.password().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "/subscriptions/0-1/resourceGroups/rg_1/providers/Microsoft.ApiManagement/service/contoso";

    #[test]
    fn only_instances_have_the_right_id() {
        assert_eq!(ID.parse(), Ok(ResourceId(ID.into())));
        assert_eq!(format!("{ID}/").parse(), Ok(ResourceId(ID.into())));
        assert!(ID.to_ascii_uppercase().parse::<ResourceId>().is_ok());
        for wrong in [
            "",
            "contoso",
            "/subscriptions/0/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/v",
            "/subscriptions/0/resourceGroups/g/providers/Microsoft.ApiManagement/service/a?b=c",
            "/subscriptions//resourceGroups/g/providers/Microsoft.ApiManagement/service/a",
            "/subscriptions/0/resourceGroups/g/providers/Microsoft.ApiManagement/service/..",
            "/subscriptions/0/resourceGroups/./providers/Microsoft.ApiManagement/service/a",
            "/subscriptions/../resourceGroups/g/providers/Microsoft.ApiManagement/service/a",
            &format!("https://management.azure.com{ID}"),
        ] {
            assert!(wrong.parse::<ResourceId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_token_stays_with_the_endpoint() {
        let base = "https://management.azure.com";
        assert!(is_below("https://management.azure.com/subscriptions/0?page=2", base));
        assert!(is_below("https://MANAGEMENT.azure.com:443/x", base));
        for elsewhere in [
            "https://management.azure.com.evil.example/x",
            "https://management.azure.com@evil.example/x",
            "https://name@management.azure.com/x",
            "https://:word@management.azure.com/x",
            "http://management.azure.com/x",
            "https://management.azure.com:8443/x",
            "/subscriptions/0",
            "not a link",
        ] {
            assert!(!is_below(elsewhere, base), "{elsewhere}");
        }
    }
}
