//! Certificates that are not the service's.

use std::collections::BTreeSet;

use super::phrases;
use crate::{
    diagnosis::{
        context, fix,
        grounds::{EvidenceWeight, Grounds},
        rule::{EndpointMatcher, Explanation, FindingGroup, FindingRule},
        view::{ProbedEndpoint, RunView},
    },
    model::{Cause, FindingKind, Fix, Suspect},
    net::tls::chain::common_name,
    text::words::{count, list},
};

/// One issuer that the instance does not trust. For hosts of several owners only inspection explains it: no company
/// signs for Azure, `DigiCert` and Windows Update at once. For one host it may be that host's own private CA.
pub(super) const INSPECTION: FindingRule = FindingRule {
    kind: FindingKind::Inspection,
    claims: EndpointMatcher::Each(|_, row| {
        (row.cause() == Some(Cause::TlsUntrusted)).then(|| phrases::slug(common_name(issuer(row))))
    }),
    describe: inspected,
};

/// One untrusted certificate for hosts that have nothing else in common: a portal or an appliance presents its own to
/// every client. A device that inspects TLS issues one for each host.
pub(super) const PORTAL: FindingRule = FindingRule {
    kind: FindingKind::WrongName,
    claims: EndpointMatcher::Groups(|_, unexplained| {
        let untrusted: Vec<ProbedEndpoint<'_>> = unexplained
            .iter()
            .filter(|row| row.cause() == Some(Cause::TlsUntrusted) && !subject(row).is_empty())
            .copied()
            .collect();
        let mut groups = FindingGroup::by(&untrusted, |row| Some(subject(row).to_owned()));
        groups.retain(|group| {
            let hosts = phrases::hosts(&group.rows);
            let is_its_own = group.rows.iter().all(|row| subject(row) == issuer(row));
            hosts.len() > 1 && (is_its_own || owners(&hosts).len() > 1)
        });
        for group in &mut groups {
            group.scope = phrases::slug(common_name(&group.scope));
        }
        groups
    }),
    describe: portal,
};

/// Hosts that present another owner's certificate, grouped by that owner: their names resolve to one wrong address, or
/// a device answers for all of them. A public certificate for another name does not mean inspection.
pub(super) const WRONG_NAME: FindingRule = FindingRule {
    kind: FindingKind::WrongName,
    claims: EndpointMatcher::Each(|_, row| {
        (row.cause() == Some(Cause::TlsWrongName)).then(|| phrases::slug(common_name(subject(row))))
    }),
    describe: misnamed,
};

fn issuer<'a>(row: &ProbedEndpoint<'a>) -> &'a str {
    row.chain().map_or("", |chain| chain.issuer.as_str())
}

fn subject<'a>(row: &ProbedEndpoint<'a>) -> &'a str {
    row.chain().map_or("", |chain| chain.subject.as_str())
}

/// The owners of these hosts.
fn owners(hosts: &[&str]) -> BTreeSet<String> {
    hosts.iter().map(|host| context::owner(host)).collect()
}

fn inspected<'a>(_: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let hosts = phrases::hosts(rows);
    let issuer = rows.first().map_or("", issuer);
    let by = if issuer.is_empty() {
        "an unknown issuer"
    } else {
        common_name(issuer)
    };
    let title = match hosts[..] {
        [_] => format!("{}: its certificate is issued by {by}", phrases::leader(rows)),
        _ => format!("TLS to {} is inspected by {by}", count(hosts.len(), "host")),
    };
    let trusted_here: Vec<bool> = rows.iter().filter_map(|row| row.chain()?.trusted_by_vm).collect();
    let is_known = trusted_here.contains(&true);
    let shown = if issuer.is_empty() {
        "the peer presents the certificate but does not hold its key".into()
    } else {
        format!("{} present certificates issued by {issuer}", count(hosts.len(), "host"))
            .replace("1 host present", "1 host presents")
    };
    // An issuer of one owner's certificates only may be that owner's own; this VM's store contains the company's.
    let grounds = if owners(&hosts).len() > 1 || (hosts.len() > 1 && is_known) {
        Grounds::default().proof(shown)
    } else {
        Grounds::default().pattern(shown)
    };
    let store = if is_known {
        "this VM's own store trusts it, so other tools do not show it; the instance does not trust it"
    } else if trusted_here.is_empty() {
        "the instance does not trust it"
    } else {
        "neither the instance nor this VM's own store trusts it"
    };
    Explanation {
        title,
        grounds: grounds.note(store).note(
            "a company's CA cannot be added to an instance for these hosts, so the instance rejects inspected traffic",
        ),
        suspects: vec![Suspect::TlsInspection],
        fix: Fix::new(format!(
            "Exempt the instance's subnet from TLS inspection, at least for {}.",
            list(&hosts, 2)
        ))
        .look(rows.first().map(fix::show_issuer)),
        impact: None,
    }
}

fn portal<'a>(_: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let hosts = phrases::hosts(rows);
    let subject = rows.first().map_or("", subject);
    let is_its_own = rows.iter().all(|row| self::subject(row) == issuer(row));
    let self_signed = if is_its_own { "self-signed " } else { "" };
    let shown = format!(
        "{} present the same {self_signed}certificate",
        count(hosts.len(), "host")
    );
    let grounds = if owners(&hosts).len() > 1 {
        Grounds::default().proof(shown)
    } else {
        Grounds::default()
            .sign(shown)
            .open("hosts of one owner may share a certificate")
    };
    Explanation {
        title: format!(
            "A portal or appliance answers TLS to {} as {}",
            count(hosts.len(), "host"),
            common_name(subject)
        ),
        grounds: grounds
            .note(format!("its subject is {subject}"))
            .note("a device that inspects TLS issues a certificate per host, so this is not TLS inspection")
            .all(EvidenceWeight::Notes, phrases::examples(rows)),
        suspects: vec![Suspect::Proxy, Suspect::Nva, Suspect::DnsServer],
        fix: Fix::new(format!(
            "Exempt the instance's subnet from the device that answers as {}: an instance can neither log in to a \
             portal nor trust its certificate.",
            common_name(subject)
        ))
        .look(hosts.first().map(|host| fix::dig(None, host)))
        .look(rows.first().map(fix::show_issuer)),
        impact: None,
    }
}

fn misnamed<'a>(_: &RunView<'a>, group: &FindingGroup<'a>) -> Explanation {
    let rows = &group.rows;
    let hosts = phrases::hosts(rows);
    let subject = rows.first().map_or("", subject);
    let whose = if subject.is_empty() {
        "another name"
    } else {
        common_name(subject)
    };
    let title = match hosts[..] {
        [_] => format!("{}: the certificate is for {whose}", phrases::leader(rows)),
        _ => format!("{} present the certificate of {whose}", count(hosts.len(), "host")),
    };
    let grounds = if owners(&hosts).len() > 1 {
        Grounds::default().pattern(format!(
            "{} of several owners present it, so one device or one address answers for all of them",
            count(hosts.len(), "host")
        ))
    } else {
        Grounds::default()
            .sign(format!("{} present it", count(hosts.len(), "host")).replace("1 host present", "1 host presents"))
    };
    Explanation {
        title,
        grounds: grounds.all(EvidenceWeight::Notes, phrases::examples(rows)),
        suspects: vec![Suspect::DnsServer, Suspect::Nva, Suspect::Service],
        fix: Fix::new(format!(
            "Find out what answers for {}: a wrong DNS record may lead there, or a device answers instead.",
            list(&hosts, 2)
        ))
        .look(hosts.first().map(|host| fix::dig(None, host)))
        .look(rows.first().map(fix::show_issuer)),
        impact: None,
    }
}
