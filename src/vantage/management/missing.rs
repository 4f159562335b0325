//! What is missing, why, and how to get it: usually one sentence for everything.

use super::{
    API_VERSION, ENDPOINT, ResourceId,
    documents::InstanceDocument,
    session::{self, Reason, SessionError},
};
use crate::{azure::Cloud, import::instance::InstancePart, text::words, vantage::http::RequestFailure};

/// One sentence for each reason why something is missing: usually there is one for everything.
pub(super) fn notices(
    nothing_came: bool,
    failures: Vec<(InstanceDocument, SessionError)>,
    late: &[InstanceDocument],
    service: &ResourceId,
    cloud: Cloud,
) -> Vec<String> {
    let absent = |(what, trouble): &(InstanceDocument, SessionError)| {
        *what == InstanceDocument::Part(InstancePart::Service) && matches!(trouble, SessionError::Refused(404, _))
    };
    // If something did arrive, the instance exists.
    if nothing_came && failures.iter().any(absent) {
        let id = service.as_str();
        return vec![format!(
            "--service: there is no instance {id} (HTTP 404): compare with what `az apim show --name NAME --resource-group GROUP --query id --output tsv` prints"
        )];
    }
    let mut reasons: Vec<(SessionError, Vec<InstanceDocument>)> = Vec::new();
    for (what, trouble) in failures {
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

/// Why documents are missing, and how to get them.
fn why(trouble: &SessionError, missing: &[InstanceDocument], service: &ResourceId, cloud: Cloud) -> String {
    let what = named(missing);
    let coded = |status: &u16, reason: &Reason| match &reason.code {
        Some(code) => format!("HTTP {status}, {code}"),
        None => format!("HTTP {status}"),
    };
    match trouble {
        SessionError::NotSent(failure) => {
            let trust = match failure {
                RequestFailure::Untrusted(_) => {
                    ", so the token was not sent; if the network inspects TLS to this host, pass its CA with \
                     --management-ca-file to trust it with the token"
                }
                _ => "",
            };
            format!(
                "{} cannot be queried for {what} ({failure}){trust}",
                cloud.management_host()
            )
        }
        SessionError::NoToken(why) | SessionError::Unread(why) => why.clone(),
        SessionError::Refused(status @ (401 | 403), reason) => format!(
            "this VM's managed identity may not read {what} ({}): it lacks {}; assign it the Reader role with \
             `az role assignment create --role Reader --assignee PRINCIPAL_ID --scope {}`",
            coded(status, reason),
            permissions(missing),
            service.as_str()
        ),
        SessionError::Refused(status @ (409 | 422), reason) => format!(
            "the instance is being changed or is not complete, and does not provide {what} now ({})",
            coded(status, reason)
        ),
        SessionError::Refused(status, reason) => {
            format!("{ENDPOINT} answered with {} instead of {what}", coded(status, reason))
        }
        SessionError::PutOff(429, wait) => format!(
            "{ENDPOINT} throttles requests (HTTP 429) and asks for a wait of {}, longer than the run may take, so {what} are missing: try again later",
            words::duration(*wait)
        ),
        SessionError::PutOff(status, wait) => format!(
            "{ENDPOINT} answered with HTTP {status} instead of {what} and asks for a wait of {}, longer than the run may take",
            words::duration(*wait)
        ),
        SessionError::Redirected => {
            format!(
                "the list of {what} has a link to its next page that cannot be followed; using the part that was received"
            )
        }
        SessionError::Endless => format!("{ENDPOINT} did not finish sending {what} in time"),
        SessionError::Odd(why) => format!("{ENDPOINT}'s reply for {what} cannot be used: it {why}"),
    }
}

/// Up to four documents, for a sentence.
fn named(documents: &[InstanceDocument]) -> String {
    let names: Vec<&str> = documents.iter().map(|what| what.what()).collect();
    if names.len() == InstanceDocument::all().count() {
        return "the instance and its dependencies".into();
    }
    words::list(&names, 4)
}

/// The permissions required for reading.
fn permissions(missing: &[InstanceDocument]) -> String {
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

/// How a user who may read the instance gets the documents to this machine.
fn by_hand(cloud: Cloud, service: &ResourceId, missing: &[InstanceDocument]) -> String {
    let (id, base) = (service.as_str(), session::base(cloud));
    let by_az = |what: &InstanceDocument, flag: &str| {
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
            InstanceDocument::Status => ways.push(by_az(what, "network-status")),
            InstanceDocument::Dependencies => ways.push(by_az(what, "dependencies")),
            InstanceDocument::Part(_) => {}
        }
    }
    let parts: Vec<&InstanceDocument> = missing
        .iter()
        .filter(|what| matches!(what, InstanceDocument::Part(_)))
        .collect();
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
    fn forbidden_documents_give_one_notice_with_the_permission() {
        let service: ResourceId = ID.parse().unwrap();
        let refused = |part| {
            (
                InstanceDocument::Part(part),
                SessionError::Refused(
                    403,
                    Reason {
                        code: Some("AuthorizationFailed".into()),
                        message: Some(format!("not for {part:?}")),
                    },
                ),
            )
        };
        let texts = notices(
            false,
            vec![refused(InstancePart::Loggers), refused(InstancePart::Backends)],
            &[],
            &service,
            Cloud::Public,
        );
        let [texts] = &texts[..] else { panic!("{texts:?}") };
        for words in [
            "its loggers and its backends",
            "Microsoft.ApiManagement/service/loggers/read, Microsoft.ApiManagement/service/backends/read",
            "--role Reader",
            "AuthorizationFailed",
            "--instance",
        ] {
            assert!(texts.contains(words), "{words}: {texts}");
        }
        let gone = vec![
            refused(InstancePart::Loggers),
            (
                InstanceDocument::Part(InstancePart::Service),
                SessionError::Refused(404, Reason::default()),
            ),
        ];
        let texts = notices(true, gone, &[], &service, Cloud::Public);
        assert!(
            texts.len() == 1 && texts[0].contains("there is no instance"),
            "{texts:?}"
        );
    }
}
