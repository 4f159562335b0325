//! Block pages: what firewalls and proxies answer instead of the service.

use std::fmt;

use self::signatures::{FRONT_HEADERS, FRONT_WORDS, FRONTS, SIGNATURES, Signature, TARGETS, UNKNOWN_PRODUCT};
use super::HttpReply;
use crate::text::one_line;

mod signatures;

/// A response that a firewall or proxy wrote instead of the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denial {
    /// The response's status.
    pub status: u16,
    /// The product that wrote it.
    pub by: &'static str,
    /// The page's title and the words that identify it; none if the status alone does.
    pub quotes: Vec<String>,
}

/// `HTTP 470, Azure Firewall: "Action: Deny …"`
impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {}, {}", self.status, self.by)?;
        for (at, quote) in self.quotes.iter().enumerate() {
            write!(f, "{} \"{quote}\"", if at == 0 { ":" } else { "," })?;
        }
        Ok(())
    }
}

/// The product that wrote a response instead of the service, if it can be identified; otherwise `None`.
///
/// Three statuses are conclusive: 470 is Azure Firewall's, 407 (RFC 9110, section 15.5.8) a proxy's, and 511 (RFC 6585,
/// section 6) a captive portal's. Otherwise, evidence is a product's name or a typical phrase in the headers that name
/// a product or a target, or at the beginning of the body. A content network's own pages, whether a browser challenge
/// or a refusal, are not an appliance's.
pub fn denial(reply: &HttpReply) -> Option<Denial> {
    let body = String::from_utf8_lossy(&reply.body);
    let of_its_own = is_of_a_content_network(reply, &body);
    let product = SIGNATURES
        .iter()
        .filter(|_| !of_its_own)
        .find_map(|mark| mark.find(&body).map(|quote| (mark.author, quote)));
    let marked = product.or_else(|| header_mark(reply));
    let by_status = match reply.status {
        407 => Some((
            "a proxy that requires a login",
            reply.header("proxy-authenticate").unwrap_or_default(),
        )),
        470 => Some(("Azure Firewall", &*body)),
        511 => Some(("a captive portal", &*body)),
        _ => None,
    };
    let (by, words) = marked.or_else(|| by_status.map(|(author, text)| (author, one_line(text, QUOTE))))?;
    let title = title(&body).filter(|title| !words.contains(title.as_str()));
    Some(Denial {
        status: reply.status,
        by,
        quotes: title
            .into_iter()
            .chain(Some(words).filter(|words| !words.is_empty()))
            .collect(),
    })
}

/// The title of a page, if it has one.
pub fn title(page: &str) -> Option<String> {
    let lower = page.to_ascii_lowercase();
    let from = lower.find("<title")?;
    let from = from + lower[from..].find('>')? + 1;
    let to = from + lower[from..].find('<')?;
    let title = one_line(page[from..to].trim(), TITLE);
    (!title.is_empty()).then_some(title)
}

/// Whether the service's own front end, a content network, wrote a page.
pub fn is_of_a_content_network(reply: &HttpReply, body: &str) -> bool {
    let body = body.to_ascii_lowercase();
    let server = reply.header("server").unwrap_or_default().to_ascii_lowercase();
    FRONT_HEADERS.iter().any(|name| reply.header(name).is_some())
        || FRONTS.iter().any(|name| word_position(&server, name).is_some())
        || FRONT_WORDS.iter().any(|words| word_position(&body, words).is_some())
}

/// Maximum number of characters of a page that are quoted.
const QUOTE: usize = 100;

/// Maximum number of characters of its title.
const TITLE: usize = 60;

/// Maximum number of characters before a match that are quoted.
const LEAD: usize = 40;

impl Signature {
    /// The text around the first match in `text`.
    fn find(&self, text: &str) -> Option<String> {
        // ASCII only, so that positions hold in the original.
        let lower = text.to_ascii_lowercase();
        let at = self.words.iter().find_map(|words| word_position(&lower, words))?;
        let from = text[..at].char_indices().rev().nth(LEAD).map_or(0, |(index, _)| index);
        let lead = &text[from..at];
        // A quotation begins at the start of the page's text, or with a whole word.
        let skipped = match lead.rfind(['<', '>', '\n', '"']) {
            Some(edge) => edge + 1,
            None if from == 0 => 0,
            None => lead.find(' ').unwrap_or(lead.len()),
        };
        let end = text[at..].find(['<', '\n']).map_or(text.len(), |length| at + length);
        Some(one_line(&text[from + skipped..end], QUOTE))
    }
}

/// Where `words` appear in `text` without an adjacent letter or digit; for words that end in `*`, letters may follow.
fn word_position(text: &str, words: &str) -> Option<usize> {
    let (words, goes_on) = words.strip_suffix('*').map_or((words, false), |start| (start, true));
    let touches = |neighbour: Option<char>| neighbour.is_some_and(char::is_alphanumeric);
    text.match_indices(words).map(|(at, _)| at).find(|at| {
        let behind = text[at + words.len()..].chars().next();
        !touches(text[..*at].chars().next_back()) && (goes_on || !touches(behind))
    })
}

/// Evidence in a header: Squid's own, or a product name in those that name the product or the target.
fn header_mark(reply: &HttpReply) -> Option<(&'static str, String)> {
    if let Some(error) = reply.header("x-squid-error") {
        return Some(("Squid", one_line(&format!("X-Squid-Error: {error}"), QUOTE)));
    }
    // Not `via`: a proxy that lets the service answer adds its name there too.
    ["server", "location", "www-authenticate", "proxy-authenticate"]
        .iter()
        .find_map(|name| {
            let value = reply.header(name)?;
            let targets = TARGETS.iter().filter(|_| *name == "location");
            let mark = SIGNATURES
                .iter()
                .filter(|mark| mark.author != UNKNOWN_PRODUCT)
                .chain(targets)
                .find(|mark| mark.find(value).is_some())?;
            Some((mark.author, one_line(&format!("{name}: {value}"), QUOTE)))
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reply(status: u16, headers: &[(&str, &str)], body: &str) -> HttpReply {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        HttpReply {
            status,
            reason: None,
            headers,
            body: body.as_bytes().to_vec(),
        }
    }

    #[test]
    fn block_pages_are_quoted_with_their_product() {
        let table = [
            (
                reply(
                    470,
                    &[],
                    "Action: Deny. Reason: No rule matched. Proceeding with default action.",
                ),
                r#"HTTP 470, Azure Firewall: "Action: Deny. Reason: No rule matched. Proceeding with default action.""#,
            ),
            (reply(470, &[], ""), "HTTP 470, Azure Firewall"),
            (
                reply(200, &[], "Action: Deny.\nReason: \u{1b}"),
                r#"HTTP 200, Azure Firewall: "Action: Deny.""#,
            ),
            (
                reply(407, &[("proxy-authenticate", "Basic realm=\"corp\"")], ""),
                r#"HTTP 407, a proxy that requires a login: "Basic realm="corp"""#,
            ),
            (
                reply(511, &[], "Log in first"),
                r#"HTTP 511, a captive portal: "Log in first""#,
            ),
            (
                reply(403, &[("x-squid-error", "ERR_ACCESS_DENIED 0")], ""),
                r#"HTTP 403, Squid: "X-Squid-Error: ERR_ACCESS_DENIED 0""#,
            ),
            (
                reply(403, &[], "<body id=ERR_ACCESS_DENIED>\n<h1>"),
                r#"HTTP 403, Squid: "body id=ERR_ACCESS_DENIED>""#,
            ),
            (
                reply(403, &[("server", "Zscaler/6.2")], ""),
                r#"HTTP 403, Zscaler: "server: Zscaler/6.2""#,
            ),
            (
                reply(
                    200,
                    &[],
                    "<html><title>FortiGuard Intrusion Prevention - Access Blocked</title>",
                ),
                r#"HTTP 200, FortiGate: "FortiGuard Intrusion Prevention - Access Blocked""#,
            ),
            (
                reply(
                    503,
                    &[],
                    "<p>Access to the web page you were trying to visit has been blocked in accordance with company policy.",
                ),
                r#"HTTP 503, Palo Alto Networks: "Access to the web page you were trying to visit has been blocked in accordance with company policy.""#,
            ),
            (
                reply(302, &[("location", "http://block.opendns.com/main?x=1")], ""),
                r#"HTTP 302, Cisco: "location: http://block.opendns.com/main?x=1""#,
            ),
            (
                reply(200, &[], "<h1>This website has been blocked"),
                r#"HTTP 200, a deny page: "This website has been blocked""#,
            ),
            (
                reply(
                    403,
                    &[],
                    "<html><head><TITLE lang=en>\n Filter notice </TITLE></head><p>Blocked by company policy.</p>",
                ),
                r#"HTTP 403, a deny page: "Filter notice", "Blocked by company policy.""#,
            ),
            (
                reply(302, &[("location", "https://10.1.0.9/UserCheck/PortalMain?IID=1")], ""),
                r#"HTTP 302, Check Point: "location: https://10.1.0.9/UserCheck/PortalMain?IID=1""#,
            ),
        ];
        for (reply, words) in table {
            assert_eq!(denial(&reply).map(|denial| denial.to_string()).as_deref(), Some(words));
        }
    }

    #[test]
    fn every_block_page_product_is_recognised() {
        for (page, author) in [
            ("Your request was denied (policy_denied)", "Symantec ProxySG"),
            ("<img src='/mwg-internal/de5fs23hu73ds/files'>", "Skyhigh"),
            ("Powered by Websense", "Forcepoint"),
            ("Sophos XG Firewall", "Sophos"),
            ("<p>Check Point UserCheck</p>", "Check Point"),
            ("<a href=https://gateway.zscalertwo.net/x>", "Zscaler"),
            ("<img src=//login.zscalerthree.net/logo.png>", "Zscaler"),
            ("http://gateway.zscloud.net:8001/", "Zscaler"),
            ("<form action=https://gateway.zscalergov.net/cgi>", "Zscaler"),
            (
                "<a href=http://10.0.0.1:15871/cgi-bin/moreBlockInfo.cgi?ws-session=4>",
                "Forcepoint",
            ),
            ("<title>Web Page Blocked!</title>", "FortiGate"),
            (
                "<img src=http://10.0.0.1:8008/XX/YY/ZZ/CI/MGPGHGPGPFGHCDPFGGOGFGEH>",
                "FortiGate",
            ),
            (
                "<p>This website is blocked by your network operator.</p>",
                "Cisco Meraki",
            ),
            (
                "http://wired.meraki.com:8090/blocked.cgi?blocked_server=1",
                "Cisco Meraki",
            ),
            ("<title>Request blocked (Privoxy@proxy.example)</title>", "Privoxy"),
            (
                "<p>Generated by <a href=x>tinyproxy</a> version 1.11.1.</p>",
                "tinyproxy",
            ),
            (
                "<h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n",
                "HAProxy",
            ),
            ("Netskope Block Page", "Netskope"),
            ("<title>Barracuda Web Filter</title>", "Barracuda"),
            ("Request denied by WatchGuard HTTP Proxy.", "WatchGuard"),
            ("SonicWall Network Security Appliance", "SonicWall"),
        ] {
            let found = denial(&reply(403, &[], page)).expect("a deny page");
            assert!(found.by.contains(author), "{page}: {found}");
        }
    }

    #[test]
    fn error_pages_of_services_are_not_block_pages() {
        for reply in [
            reply(
                200,
                &[("server", "Microsoft-IIS/10.0")],
                "<html><body>It works</body></html>",
            ),
            reply(
                400,
                &[("server", "Windows-Azure-Blob/1.0")],
                "<?xml?><Code>InvalidQueryParameterValue</Code>",
            ),
            reply(403, &[("x-azure-ref", "1")], "<h1>The request is blocked.</h1>"),
            reply(
                403,
                &[("server", "AkamaiGHost")],
                "You don't have permission to access this on this server.",
            ),
            reply(404, &[("via", "1.1 cache (squid/5.7)")], "not found"),
            reply(200, &[], "var currentUserCheck = 1; philosophos"),
            reply(200, &[], "<a href=/UserCheck/PortalMain>"),
            reply(
                403,
                &[("server", "cloudflare"), ("cf-ray", "1")],
                "<title>Attention Required!</title><p>Access to this site has been blocked by security policy",
            ),
            reply(
                503,
                &[],
                "<title>One moment</title>Checking your browser before accessing. This page is blocked until then.",
            ),
            reply(
                403,
                &[],
                "<h1>Sucuri WebSite Firewall - Access Denied</h1> blocked by the firewall",
            ),
        ] {
            assert_eq!(denial(&reply), None, "{reply:?}");
        }
    }

    proptest! {
        #[test]
        fn any_page_does_not_panic_and_its_quote_is_short(body: Vec<u8>, value in "\\PC{0,300}", before in "\\PC{0,40}", after in "\\PC{0,300}") {
            denial(&HttpReply { status: 470, reason: None, headers: Vec::new(), body });
            let page = format!("{before} zscaler {after}");
            let reply = reply(200, &[("server", &value)], &page);
            // A few letters can be the name of a content network.
            prop_assume!(!is_of_a_content_network(&reply, &page));
            let shown = denial(&reply).map(|denial| denial.to_string());
            prop_assert!(shown.is_some_and(|shown| shown.chars().count() < 200 && !shown.contains('\n')));
        }
    }
}
