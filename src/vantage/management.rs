//! The instance's own documents and this VM's rules, fetched from the cloud's management endpoint with this VM's managed
//! identity.
//!
//! Requests that change nothing, and only when asked. The token comes from the metadata service, goes to the management
//! endpoint over verified TLS, and nowhere else: not into a file, a message, a panic, or a core file.

mod documents;
mod network;
mod session;
pub(super) mod token;

use std::{cell::RefCell, str::FromStr};

use jiff::Timestamp;
use serde_json::Value;

pub(crate) use self::network::{Network, Security, Ways};
use self::{
    documents::{Gathered, What},
    network::Found,
    session::{Reason, Session, Trouble},
};
use super::{Vantage, block_on, http::Failure, secret::Undumpable, until::Until};
use crate::{
    azure::{Cloud, json::Kind, resources::Resource},
    import::{
        Document,
        instance::{Instance, Location, Part},
    },
    net::tls::roots::Roots,
    text::words,
};

/// The version of API Management's interface that all documents are read in.
const API_VERSION: &str = "2024-05-01";
/// What all of it may take of the run's time: the rest is for probing.
const SHARE: u32 = 3;
/// What messages call the endpoint.
const ENDPOINT: &str = "the management endpoint";

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
    /// As it stands in a URL.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The instance as a resource, for commands.
    pub(crate) fn resource(&self) -> Option<Resource> {
        Resource::of_id(&self.0)
    }
}

/// What is asked for, and as whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Errand<'a> {
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
    pub documents: Vec<Document>,
    /// What the instance says of itself.
    pub instance: Instance,
    /// What is known of the network around this VM and the instance.
    pub network: Network,
    /// What could not be fetched, why, and what to do about it.
    pub notices: Vec<String>,
}

/// Fetches everything that an instance depends on, and this VM's rules, within a third of the time that is left. What cannot
/// be fetched is a notice: the run goes on without it.
///
/// Must not be called by a task of a runtime.
pub(crate) fn fetch(errand: &Errand<'_>, vantage: &Vantage, until: &Until) -> Fetched {
    let until = until.share(SHARE);
    // Before anything that may hold a part of the token, so that it is dropped after all of it.
    let undumpable = Undumpable::new();
    let (gathered, found) = (RefCell::new(Gathered::default()), RefCell::new(Found::default()));
    let asked = async {
        tokio::select! {
            () = gather(errand, vantage, &until, &gathered, &found) => {}
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
        Ok(()) => read(gathered, errand.service, vantage.cloud),
        Err(error) => Fetched {
            notices: vec![format!("--service: cannot start: {error}")],
            ..Fetched::default()
        },
    };
    if undumpable.is_none() {
        fetched.notices.insert(
            0,
            "--service: the system does not let this process protect its memory: other programs of this user could have \
             read the token"
                .into(),
        );
    }
    fetched.network = found.network;
    // One thing at a time: whoever may not read the instance is told of that first.
    if !nothing_came {
        fetched.notices.extend(found.notices);
    }
    fetched
}

async fn gather(
    errand: &Errand<'_>,
    vantage: &Vantage,
    until: &Until,
    gathered: &RefCell<Gathered>,
    found: &RefCell<Found>,
) {
    let session = match Session::open(errand, vantage, until).await {
        Ok(session) => session,
        Err(trouble) => {
            let mut gathered = gathered.borrow_mut();
            gathered
                .troubles
                .extend(What::all().map(|what| (what, trouble.clone())));
            gathered.done.extend(What::all());
            return;
        }
    };
    let region = vantage.region.as_deref();
    let documents = documents::gather(&session, errand.service, gathered);
    match &vantage.identity {
        Some(machine) => {
            tokio::join!(documents, network::here(&session, machine, region, found));
        }
        None => documents.await,
    }
    let locations = locations(&gathered.borrow());
    network::there(&session, &locations, region, found).await;
}

/// Where the instance runs, as far as it told.
fn locations(gathered: &Gathered) -> Vec<Location> {
    let mut instance = Instance::default();
    for (what, _, answer) in &gathered.answers {
        if *what == What::Part(Part::Service) {
            // What is wrong with it is said when all of it is read.
            let _ = instance.add(Part::Service, answer, ENDPOINT);
        }
    }
    instance.service.map(|service| service.locations).unwrap_or_default()
}

/// What came of asking the instance itself.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// Azure's answers and their times, or why there is none, in the order of the questions.
    pub answers: Vec<Result<(String, Timestamp), String>>,
    /// Why the rest was not asked.
    pub why: Option<String>,
}

impl Checked {
    /// Nothing was asked.
    pub(crate) fn nothing(why: &str) -> Self {
        Self {
            answers: Vec::new(),
            why: Some(why.into()),
        }
    }
}

/// Lets the instance try one thing after the other (`connectivityCheck`): a second check while one runs is refused.
///
/// Must not be called by a task of a runtime.
pub(crate) fn check<'a>(
    errand: &Errand<'_>,
    vantage: &Vantage,
    bodies: impl Iterator<Item = &'a Value>,
    until: &Until,
) -> Checked {
    let undumpable = Undumpable::new();
    let checked = RefCell::new(Checked::default());
    let asked = async {
        tokio::select! {
            () = check_all(errand, vantage, bodies, until, &checked) => {}
            () = until.clone().over() => {
                checked.borrow_mut().why = Some("the run's time was over".into());
            }
        }
    };
    let started = block_on(asked);
    drop(undumpable);
    started.map_or_else(
        |error| Checked::nothing(&format!("cannot start: {error}")),
        |()| checked.into_inner(),
    )
}

async fn check_all<'a>(
    errand: &Errand<'_>,
    vantage: &Vantage,
    bodies: impl Iterator<Item = &'a Value>,
    until: &Until,
    checked: &RefCell<Checked>,
) {
    let id = &errand.service.0;
    let session = match Session::open(errand, vantage, until).await {
        Ok(session) => session,
        Err(trouble) => {
            checked.borrow_mut().why = Some(trouble.to_string());
            return;
        }
    };
    let path = format!("{id}/connectivityCheck?api-version={API_VERSION}");
    for body in bodies {
        let answer = session.operation(&path, Some(body)).await;
        let mut checked = checked.borrow_mut();
        match answer {
            Ok(text) => checked.answers.push(Ok((text, Timestamp::now()))),
            Err(trouble @ Trouble::Refused(401 | 403, _)) => {
                checked.why = Some(format!(
                    "this VM's managed identity may not let it ({trouble}): connectivityCheck takes \
                     Microsoft.ApiManagement/service/connectivityCheck/action, which API Management Service Contributor has, and \
                     that role could also change or delete the instance"
                ));
                return;
            }
            // The others would fare alike.
            Err(trouble @ (Trouble::Unasked(_) | Trouble::NoToken(_) | Trouble::PutOff(..))) => {
                checked.why = Some(trouble.to_string());
                return;
            }
            Err(trouble) => checked.answers.push(Err(trouble.to_string())),
        }
    }
}

/// Makes of the answers what they say.
fn read(gathered: Gathered, service: &ResourceId, cloud: Cloud) -> Fetched {
    let mut fetched = Fetched::default();
    let mut troubles = gathered.troubles;
    for (what, _, answer) in &gathered.answers {
        let kind = match what {
            What::Status => Kind::NetworkStatus,
            What::Dependencies => Kind::Dependencies,
            What::Part(part) => {
                if let Err(why) = fetched.instance.add(*part, answer, ENDPOINT) {
                    troubles.push((*what, Trouble::Odd(why)));
                }
                continue;
            }
        };
        match Document::read(answer, "the management endpoint's answer", kind, Some(Timestamp::now())) {
            // Its pages are all there, or it is said that they are not.
            Ok(mut document) => {
                document.next = None;
                // That Azure lists nothing is not remarkable.
                if document.targets.is_empty() && kind == Kind::Dependencies {
                    document.notices.clear();
                }
                fetched.documents.push(document);
            }
            Err(why) => troubles.push((*what, Trouble::Unread(why))),
        }
    }
    let late: Vec<What> = What::all().filter(|what| !gathered.done.contains(what)).collect();
    fetched.notices = notices(gathered.answers.is_empty(), troubles, &late, service, cloud);
    fetched
}

/// One sentence for each reason why something is missing: as a rule there is one for all of it.
fn notices(
    nothing_came: bool,
    troubles: Vec<(What, Trouble)>,
    late: &[What],
    service: &ResourceId,
    cloud: Cloud,
) -> Vec<String> {
    let absent = |(what, trouble): &(What, Trouble)| {
        *what == What::Part(Part::Service) && matches!(trouble, Trouble::Refused(404, _))
    };
    // Where something did come, the instance is there.
    if nothing_came && troubles.iter().any(absent) {
        let id = &service.0;
        return vec![format!(
            "--service: there is no instance {id} (HTTP 404): compare with what `az apim show --query id` prints"
        )];
    }
    let mut reasons: Vec<(Trouble, Vec<What>)> = Vec::new();
    for (what, trouble) in troubles {
        match reasons.iter_mut().find(|(known, _)| *known == trouble) {
            Some((_, missing)) if missing.contains(&what) => {}
            Some((_, missing)) => missing.push(what),
            None => reasons.push((trouble, vec![what])),
        }
    }
    let mut notices: Vec<String> = reasons
        .iter()
        .map(|(trouble, missing)| {
            let by_hand = by_hand(cloud, service, missing);
            format!("--service: {}; or {by_hand}", why(trouble, missing, service, cloud))
        })
        .collect();
    if !late.is_empty() {
        notices.push(format!(
            "--service: the management endpoint was too slow, and the run went on without {}; or {}",
            named(late),
            by_hand(cloud, service, late)
        ));
    }
    notices
}

/// Why documents are missing, and what to do about it.
fn why(trouble: &Trouble, missing: &[What], service: &ResourceId, cloud: Cloud) -> String {
    let what = named(missing);
    let coded = |status: &u16, reason: &Reason| match &reason.code {
        Some(code) => format!("HTTP {status}, {code}"),
        None => format!("HTTP {status}"),
    };
    match trouble {
        Trouble::Unasked(failure) => {
            let trust = match failure {
                Failure::Untrusted(_) => {
                    ", so the token was not sent; where the network inspects this way, --management-ca-file trusts its CA with it"
                }
                _ => "",
            };
            format!(
                "{} cannot be asked for {what} ({failure}){trust}",
                cloud.management_host()
            )
        }
        Trouble::NoToken(why) | Trouble::Unread(why) => why.clone(),
        Trouble::Refused(status @ (401 | 403), reason) => format!(
            "this VM's managed identity may not read {what} ({}): it lacks {}; grant it the role Reader with \
             `az role assignment create --role Reader --assignee PRINCIPAL_ID --scope {}`",
            coded(status, reason),
            permissions(missing),
            service.0
        ),
        Trouble::Refused(status @ (409 | 422), reason) => format!(
            "the instance is being changed or is not complete, and does not give {what} now ({})",
            coded(status, reason)
        ),
        Trouble::Refused(status, reason) => {
            format!("{ENDPOINT} answered with {} instead of {what}", coded(status, reason))
        }
        Trouble::PutOff(429, wait) => format!(
            "{ENDPOINT} limits requests (HTTP 429) and asks to wait {}, longer than there is time, so {what} are missing: try again later",
            words::duration(*wait)
        ),
        Trouble::PutOff(status, wait) => format!(
            "{ENDPOINT} answered with HTTP {status} instead of {what} and asks to wait {}, longer than there is time",
            words::duration(*wait)
        ),
        Trouble::Astray => {
            format!(
                "the list of {what} has a link to its next page that cannot be followed, and is used as far as it came"
            )
        }
        Trouble::Endless => format!("{ENDPOINT} did not finish with {what} in time"),
        Trouble::Odd(why) => format!("{ENDPOINT}'s answer for {what} cannot be used: it {why}"),
    }
}

/// Up to four documents, for a sentence.
fn named(documents: &[What]) -> String {
    let names: Vec<&str> = documents.iter().map(|what| what.what()).collect();
    if names.len() == What::all().count() {
        return "the instance and what it depends on".into();
    }
    words::list(&names, 4)
}

/// The permissions that reading takes.
fn permissions(missing: &[What]) -> String {
    const PROVIDER: &str = "Microsoft.ApiManagement/service";
    if missing.len() > 3 {
        return format!("{PROVIDER}/*/read");
    }
    let each: Vec<String> = missing
        .iter()
        .map(|what| format!("{PROVIDER}/{}", what.permission()))
        .collect();
    each.join(", ")
}

/// How somebody who may read the instance gets the documents to this machine.
fn by_hand(cloud: Cloud, service: &ResourceId, missing: &[What]) -> String {
    let (id, base) = (&service.0, session::base(cloud));
    let by_az = |what: &What, flag: &str| {
        let below = match what.below() {
            "" => String::new(),
            below => format!("/{below}"),
        };
        format!(
            "run `az rest --method get --url \"{base}{id}{below}?api-version={API_VERSION}\" > {flag}.json` elsewhere and pass \
             --{flag} {flag}.json"
        )
    };
    let mut ways: Vec<String> = Vec::new();
    for what in missing {
        match what {
            What::Status => ways.push(by_az(what, "network-status")),
            What::Dependencies => ways.push(by_az(what, "dependencies")),
            What::Part(_) => {}
        }
    }
    let parts: Vec<&What> = missing.iter().filter(|what| matches!(what, What::Part(_))).collect();
    match parts[..] {
        [] => {}
        [what] => ways.push(by_az(what, "instance")),
        _ => ways.push(format!(
            "run `scripts/collect.sh {id} > instance.json` elsewhere and pass --instance instance.json"
        )),
    }
    ways.join(", and ")
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
    fn what_may_not_be_read_is_one_sentence_with_the_permission() {
        let service: ResourceId = ID.parse().unwrap();
        let refused = |part| {
            (
                What::Part(part),
                Trouble::Refused(
                    403,
                    Reason {
                        code: Some("AuthorizationFailed".into()),
                        message: Some(format!("not for {part:?}")),
                    },
                ),
            )
        };
        let said = notices(
            false,
            vec![refused(Part::Loggers), refused(Part::Backends)],
            &[],
            &service,
            Cloud::Public,
        );
        let [said] = &said[..] else { panic!("{said:?}") };
        for words in [
            "its loggers and its backends",
            "Microsoft.ApiManagement/service/loggers/read, Microsoft.ApiManagement/service/backends/read",
            "--role Reader",
            "AuthorizationFailed",
            "--instance",
        ] {
            assert!(said.contains(words), "{words}: {said}");
        }
        let gone = vec![
            refused(Part::Loggers),
            (What::Part(Part::Service), Trouble::Refused(404, Reason::default())),
        ];
        let said = notices(true, gone, &[], &service, Cloud::Public);
        assert!(said.len() == 1 && said[0].contains("there is no instance"), "{said:?}");
    }
}
