//! Certificates that are not the service's.

use std::collections::BTreeSet;

use super::{
    draft::{Draft, Severity, What},
    say,
};
use crate::{
    diagnosis::{
        context, fix,
        view::{Pool, Row, RunView},
    },
    model::{Cause, Confidence, Fix, Suspect},
    net::tls::chain::common_name,
    text::words::{count, list},
};

/// One issuer that the instance does not trust. Over several hosts nothing but inspection explains it: no company signs
/// for Azure, `DigiCert` and Windows Update at once. Over one host it may be that host's own private CA.
pub fn recognise<'a>(_: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let groups =
        pool.take_by(|row| (row.cause() == Some(Cause::TlsUntrusted)).then(|| say::slug(common_name(issuer(row)))));
    groups.into_iter().map(|(by, rows)| inspected(by, rows)).collect()
}

fn issuer<'a>(row: &Row<'a>) -> &'a str {
    row.chain().map_or("", |chain| chain.issuer.as_str())
}

fn inspected(scope: String, rows: Vec<Row<'_>>) -> Draft<'_> {
    let hosts = say::hosts(&rows);
    let owners: BTreeSet<String> = hosts.iter().map(|host| context::owner(host)).collect();
    let issuer = rows.first().map_or("", issuer);
    let by = if issuer.is_empty() {
        "a stranger"
    } else {
        common_name(issuer)
    };
    let title = match hosts[..] {
        [_] => format!("{}: its certificate comes from {by}", say::leader(&rows)),
        _ => format!("TLS to {} is inspected by {by}", count(hosts.len(), "host")),
    };
    let trusted_here: Vec<bool> = rows.iter().filter_map(|row| row.chain()?.trusted_by_vm).collect();
    let mut evidence = Vec::new();
    if trusted_here.contains(&true) {
        evidence.push("this VM's own store trusts it, which hides it from other tools; the instance does not".into());
    } else if trusted_here.is_empty() {
        evidence.push("the instance does not trust it".into());
    } else {
        evidence.push("neither the instance nor this VM's own store trusts it".into());
    }
    evidence.push(if issuer.is_empty() {
        "the certificate is shown without its key".into()
    } else {
        format!("{} show certificates of {issuer}", count(hosts.len(), "host")).replace("1 host show", "1 host shows")
    });
    evidence.push("an instance cannot be given a company's CA, so what is inspected is blocked for it".into());
    Draft {
        impact: None,
        severity: Severity::Failure,
        what: What::Cause(Cause::TlsUntrusted),
        scope,
        title,
        // What signs for one owner only may be its own; this VM's store knows the company's.
        confidence: if owners.len() > 1 || (hosts.len() > 1 && trusted_here.contains(&true)) {
            Confidence::Certain
        } else {
            Confidence::High
        },
        evidence,
        suspects: vec![Suspect::TlsInspection],
        fix: Fix::new(format!(
            "Exempt the instance's subnet from TLS inspection, at the least {}.",
            list(&hosts, 2)
        ))
        .look(rows.first().map(fix::show_issuer)),
        rows,
    }
}

/// Hosts that show somebody else's certificate, by whose it is: their names lead to one wrong place, or a device answers
/// for all of them. A public certificate for another name is no inspection.
pub fn recognise_wrong_name<'a>(_: &RunView<'a>, pool: &mut Pool<'a>) -> Vec<Draft<'a>> {
    let groups =
        pool.take_by(|row| (row.cause() == Some(Cause::TlsWrongName)).then(|| say::slug(common_name(subject(row)))));
    let draft = |(scope, rows): (String, Vec<Row<'a>>)| {
        let hosts = say::hosts(&rows);
        let subject = rows.first().map_or("", subject);
        let whose = if subject.is_empty() {
            "another name"
        } else {
            common_name(subject)
        };
        let title = match hosts[..] {
            [_] => format!("{}: the certificate is for {whose}", say::leader(&rows)),
            _ => format!("{} show the certificate of {whose}", count(hosts.len(), "host")),
        };
        Draft {
            impact: None,
            severity: Severity::Failure,
            what: What::Cause(Cause::TlsWrongName),
            scope,
            title,
            confidence: if hosts.len() > 1 {
                Confidence::High
            } else {
                Confidence::Medium
            },
            evidence: say::examples(&rows),
            suspects: vec![Suspect::DnsServer, Suspect::Nva, Suspect::Service],
            fix: Fix::new(format!(
                "Find out why {} leads there: a record, a hosts file, or a device that answers in its place.",
                list(&hosts, 2)
            ))
            .look(hosts.first().map(|host| fix::dig(None, host))),
            rows,
        }
    };
    groups.into_iter().map(draft).collect()
}

fn subject<'a>(row: &Row<'a>) -> &'a str {
    row.chain().map_or("", |chain| chain.subject.as_str())
}
