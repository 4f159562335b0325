//! Pages that arrive over plain HTTP instead of what was requested. A device that answers for every host returns the
//! same page for hosts of several owners, with or without known wording.

use std::collections::BTreeSet;

use super::{context::owner, outcome::Judgement};
use crate::{
    hello::{
        ExchangeEnd, ProtocolReply,
        http::{HttpReply, is_of_a_content_network, object_kind, title},
    },
    model::{Cause, Expect, Protocol, Verdict},
    plan::{Plan, PlannedEndpoint},
    probe::trace::{Attempt, Trace},
    text::one_line,
};

/// A page that hosts of this many owners return, although none was requested to return a file, does not belong to a service.
const MAX_OWNERS: usize = 2;

/// How much of a page without a title is compared, in characters.
const COMPARED: usize = 2_000;

/// The parts of a page that do not depend on the host: its status, and its title or else its text, without the
/// requested name and without numbers.
#[derive(Debug, Clone)]
pub(super) struct PageFingerprint {
    status: u16,
    /// Its text, without what differs from host to host.
    pub(super) text: String,
    /// The quotation for reports.
    pub(super) quote: String,
}

impl PartialEq for PageFingerprint {
    fn eq(&self, other: &Self) -> bool {
        (self.status, &self.text) == (other.status, &other.text)
    }
}

impl PageFingerprint {
    /// The page that `endpoint` returned, unless it is a file or a content network's own page.
    fn of(endpoint: &PlannedEndpoint, reply: &HttpReply) -> Option<Self> {
        let body = String::from_utf8_lossy(&reply.body);
        let is_object = kind(endpoint).is_some_and(|kind| kind.matches(&reply.body));
        if is_object || reply.body.contains(&0) || is_of_a_content_network(reply, &body) {
            return None;
        }
        let visible = title(&body).unwrap_or_else(|| without_tags(&body));
        let mut text = visible.to_ascii_lowercase();
        for own in [endpoint.path.as_deref(), Some(&endpoint.host)].into_iter().flatten() {
            text = text.replace(&own.to_ascii_lowercase(), "");
        }
        // Times, addresses and case numbers differ from answer to answer.
        let is_number = |word: &&str| word.bytes().any(|byte| byte.is_ascii_digit());
        let words: Vec<&str> = text.split_whitespace().filter(|word| !is_number(word)).collect();
        let text = words.join(" ");
        text.chars().any(char::is_alphabetic).then(|| Self {
            status: reply.status,
            text,
            quote: one_line(visible.trim(), 60),
        })
    }
}

/// The text of a page, as far as it is compared.
fn without_tags(page: &str) -> String {
    let mut is_tag = false;
    let letters = page.chars().filter_map(|letter| match letter {
        '<' => {
            is_tag = true;
            Some(' ')
        }
        '>' => {
            is_tag = false;
            None
        }
        letter => (!is_tag).then_some(letter),
    });
    letters.take(COMPARED).collect()
}

/// A page that one endpoint returned.
#[derive(Debug, Clone)]
pub(super) struct AnsweringPage {
    /// The index of the endpoint in the plan.
    pub(super) index: usize,
    /// Its fingerprint.
    pub(super) fingerprint: PageFingerprint,
    /// Whether a file was requested.
    pub(super) in_place_of_an_object: bool,
    port: u16,
    owner: String,
    /// Whether it counts as an answer of the service so far.
    counts: bool,
}

/// The pages of a run without known wording: where a file was requested, where the answer proves nothing, and where any
/// answer would do.
pub(super) fn pages<'a>(
    rows: impl Iterator<Item = (&'a PlannedEndpoint, Option<&'a Trace>, &'a Judgement)>,
) -> Vec<AnsweringPage> {
    rows.enumerate()
        .filter(|(_, (endpoint, ..))| endpoint.protocol == Protocol::Http && endpoint.expect == Expect::Reachable)
        .filter_map(|(index, (endpoint, trace, judgement))| {
            let counts = judgement.verdict.is_proved();
            let says_nothing = judgement.cause == Some(Cause::HelloUnexpected);
            let face = PageFingerprint::of(endpoint, reply(trace?, judgement)?).filter(|_| counts || says_nothing)?;
            Some(AnsweringPage {
                index,
                fingerprint: face,
                in_place_of_an_object: kind(endpoint).is_some(),
                port: endpoint.port,
                owner: owner(&endpoint.host),
                counts,
            })
        })
        .collect()
}

/// The pages that hosts of several owners return: instead of a file at least once, or, if they prove nothing, from
/// three owners.
pub(super) fn same_pages(pages: &[AnsweringPage]) -> Vec<Vec<&AnsweringPage>> {
    let mut groups: Vec<Vec<&AnsweringPage>> = Vec::new();
    for page in pages {
        match groups.iter_mut().find(|group| group[0].fingerprint == page.fingerprint) {
            Some(group) => group.push(page),
            None => groups.push(vec![page]),
        }
    }
    groups.retain(|group| {
        let owners = |of: &dyn Fn(&&&AnsweringPage) -> bool| {
            let owners: BTreeSet<&str> = group.iter().filter(of).map(|page| page.owner.as_str()).collect();
            owners.len()
        };
        let replaced = group.iter().any(|page| page.in_place_of_an_object);
        (replaced && owners(&|_| true) >= MAX_OWNERS) || owners(&|page| !page.counts) > MAX_OWNERS
    });
    groups
}

/// Treats a page as no proof if it may come from the device that returns pages for files elsewhere.
pub(super) fn reconsider(plan: &Plan, traces: &[Option<Trace>], judgements: &mut [Judgement]) {
    let rows = plan.endpoints.iter().zip(traces).zip(&*judgements);
    let pages = pages(rows.map(|((endpoint, trace), judgement)| (endpoint, trace.as_ref(), judgement)));
    let similar: BTreeSet<usize> = same_pages(&pages)
        .into_iter()
        .flatten()
        .map(|page| page.index)
        .collect();
    for page in pages.iter().filter(|page| page.counts && !page.in_place_of_an_object) {
        let is_good = |status: u16| (200..300).contains(&status);
        let replaced = pages.iter().find(|other| {
            other.in_place_of_an_object && !other.counts && other.port == page.port && is_good(other.fingerprint.status)
        });
        let seen = match replaced {
            _ if similar.contains(&page.index) => "hosts of other owners answer with the same page",
            Some(_) if is_good(page.fingerprint.status) => {
                "others on this port got a page instead of the requested file, so a page proves nothing here"
            }
            _ => continue,
        };
        let Some(judgement) = judgements.get_mut(page.index) else {
            continue;
        };
        judgement.verdict = Verdict::Unproven;
        judgement.cause = Some(Cause::HelloUnexpected);
        judgement.detail = format!("{}, but {seen}", judgement.detail);
        judgement.evidence.insert(0, judgement.detail.clone());
        for outcome in &mut judgement.outcomes {
            outcome.proof = None;
        }
    }
}

/// The kind of file that is requested, if any.
fn kind(endpoint: &PlannedEndpoint) -> Option<crate::hello::http::ObjectKind> {
    endpoint.path.as_deref().and_then(object_kind)
}

/// The response that decided, or else the first.
fn reply<'a>(trace: &'a Trace, judgement: &Judgement) -> Option<&'a HttpReply> {
    let decisive = judgement.decisive.and_then(|index| trace.attempts.get(index));
    let page_of = |attempt: &'a Attempt| match &attempt.hello.as_ref()?.greeting.end {
        ExchangeEnd::Replied(ProtocolReply::Http(reply)) => Some(reply),
        _ => None,
    };
    decisive
        .and_then(page_of)
        .or_else(|| trace.attempts.iter().find_map(page_of))
}
