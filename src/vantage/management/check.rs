//! The connections that the instance itself is asked to test, one after the other (`connectivityCheck`).

use std::cell::RefCell;

use jiff::Timestamp;
use serde_json::Value;

use super::{
    API_VERSION, ManagementRequest,
    session::{ManagementSession, SessionError},
};
use crate::vantage::{Vantage, block_on, cutoff::Cutoff, secret::Undumpable};

/// The results of asking the instance itself.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    /// Azure's answers and their times, or why there is none, in the order of the requests.
    pub answers: Vec<Result<(String, Timestamp), String>>,
    /// Why the rest was not requested.
    pub why: Option<String>,
}

impl Checked {
    /// Nothing was requested.
    pub(crate) fn nothing(why: &str) -> Self {
        Self {
            answers: Vec::new(),
            why: Some(why.into()),
        }
    }
}

/// Has the instance test one connection after the other (`connectivityCheck`): Azure refuses a second check while one
/// is running.
///
/// Must not be called by a task of a runtime.
pub(crate) fn check<'a>(
    request: &ManagementRequest<'_>,
    vantage: &Vantage,
    bodies: impl Iterator<Item = &'a Value>,
    until: &Cutoff,
) -> Checked {
    let undumpable = Undumpable::new();
    let checked = RefCell::new(Checked::default());
    let asked = async {
        tokio::select! {
            () = check_all(request, vantage, bodies, until, &checked) => {}
            () = until.clone().over() => {
                checked.borrow_mut().why = Some("the run's deadline passed".into());
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
    request: &ManagementRequest<'_>,
    vantage: &Vantage,
    bodies: impl Iterator<Item = &'a Value>,
    until: &Cutoff,
    checked: &RefCell<Checked>,
) {
    let id = request.service.as_str();
    let session = match ManagementSession::open(request, vantage, until).await {
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
            Err(trouble @ SessionError::Refused(401 | 403, _)) => {
                checked.why = Some(format!(
                    "this VM's managed identity may not call it ({trouble}): it needs \
                     Microsoft.ApiManagement/service/connectivityCheck/action, as in the role API Management Service \
                     Contributor, which can also change or delete the instance"
                ));
                return;
            }
            // The others would fail in the same way.
            Err(trouble @ (SessionError::NotSent(_) | SessionError::NoToken(_) | SessionError::PutOff(..))) => {
                checked.why = Some(trouble.to_string());
                return;
            }
            Err(trouble) => checked.answers.push(Err(trouble.to_string())),
        }
    }
}
