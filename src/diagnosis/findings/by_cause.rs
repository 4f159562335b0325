//! What no wider root explains: by dependency and cause.

use super::{
    draft::{Draft, Severity, What},
    say, silence,
};
use crate::{
    diagnosis::{
        fix,
        view::{Pool, Row, RunView},
    },
    model::{Basis, Cause, Confidence},
};

/// Every row that is left, with others of its dependency and cause. The same host and port under two dependencies is one
/// thing, so the second joins the first.
pub fn recognise<'a>(view: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let mut groups: Vec<(&str, Option<Cause>, Vec<Row<'a>>)> = Vec::new();
    for row in pool.take(|_| true) {
        let same_place = |other: &Row<'a>| {
            (other.endpoint.host.as_str(), other.endpoint.port) == (row.endpoint.host.as_str(), row.endpoint.port)
        };
        let group = groups.iter_mut().find(|(dependency, cause, rows)| {
            *cause == row.cause() && (*dependency == row.endpoint.dependency || rows.iter().any(same_place))
        });
        match group {
            Some((_, _, rows)) => rows.push(row),
            None => groups.push((&row.endpoint.dependency, row.cause(), vec![row])),
        }
    }
    groups
        .into_iter()
        .map(|(dependency, cause, rows)| draft(view, dependency, cause, rows))
        .collect()
}

fn draft<'a>(view: &RunView<'a>, dependency: &str, cause: Option<Cause>, rows: Vec<Row<'a>>) -> Draft<'a> {
    // Every row that is not as expected and not open is blocked, and what is blocked has a cause.
    let cause = cause.unwrap_or(Cause::HelloUnexpected);
    let title = rows.first().map_or("", |row| row.endpoint.title.as_str());
    let mut evidence = if cause == Cause::TcpTimeout {
        vec![say::silence(&rows)]
    } else {
        say::examples(&rows)
    };
    if cause == Cause::TcpTimeout {
        evidence.extend(silence::contrast(view, &rows));
    }
    Draft {
        impact: None,
        severity: Severity::Failure,
        what: What::Cause(cause),
        scope: dependency.to_string(),
        title: format!("{title}: {}{}", cause.headline(&say::ports(&rows)), share(view, &rows)),
        confidence: confidence(view, cause, &rows),
        evidence,
        suspects: cause.suspects().to_vec(),
        fix: fix::advise(cause, &rows, view),
        rows,
    }
}

/// How many hosts it is of all that the dependency has on these ports, where others work: ` (2 of 9 hosts)`.
fn share(view: &RunView<'_>, rows: &[Row<'_>]) -> String {
    let alike = |other: &Row<'_>| {
        rows.iter()
            .any(|row| row.endpoint.dependency == other.endpoint.dependency && row.endpoint.port == other.endpoint.port)
    };
    let well = say::hosts(view.proved().filter(|row| alike(row))).len();
    let ill = say::hosts(rows).len();
    if well == 0 {
        String::new()
    } else {
        format!(" ({ill} of {} hosts)", ill + well)
    }
}

/// A lone silent host among many that answer may be the service's own trouble.
fn confidence(view: &RunView<'_>, cause: Cause, rows: &[Row<'_>]) -> Confidence {
    let lone = say::hosts(rows).len() == 1 && !share(view, rows).is_empty();
    match cause.basis() {
        Basis::Pattern if lone && cause == Cause::TcpTimeout => Confidence::Medium,
        Basis::Ambiguous => Confidence::Medium,
        Basis::Pattern => Confidence::High,
        Basis::Proof => Confidence::Certain,
    }
}
