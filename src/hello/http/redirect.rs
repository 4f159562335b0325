//! Redirects to a host other than the service's.

use std::net::IpAddr;

use super::HttpReply;

/// The target of a redirect, if it is outside `host`'s domain (its last two labels) and is not one of `names` (`*.`
/// stands for one label, as in a certificate). An address is foreign unless it is the host itself.
pub fn foreign_redirect(reply: &HttpReply, host: &str, names: &[String]) -> Option<String> {
    if !(300..400).contains(&reply.status) {
        return None;
    }
    let target = normal(authority_host(reply.header("location")?)?);
    let known = names.iter().any(|name| covers(&normal(name), &target));
    (!target.is_empty() && !known && !same_domain(&normal(host), &target)).then_some(target)
}

/// The host in an absolute or scheme-relative reference; `None` for a path.
fn authority_host(location: &str) -> Option<&str> {
    let (scheme, rest) = location.trim().split_once("//")?;
    if !scheme.is_empty() && !scheme.ends_with(':') || scheme.contains(['/', '?', '#']) {
        return None;
    }
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host = authority.rsplit('@').next()?;
    match host.strip_prefix('[') {
        Some(address) => address.split(']').next(),
        None => host.split(':').next(),
    }
}

/// A name in lower case, without the dot of the root.
fn normal(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// Whether `name`, which may begin with `*.`, covers `host`.
fn covers(name: &str, host: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(parent) => host
            .split_once('.')
            .is_some_and(|(label, rest)| !label.is_empty() && rest == parent),
        None => name == host,
    }
}

/// Whether two hosts are the same, or names that share their last two labels.
fn same_domain(host: &str, target: &str) -> bool {
    let is_address = |name: &str| name.parse::<IpAddr>().is_ok();
    host == target || !is_address(host) && !is_address(target) && domain(host) == domain(target)
}

/// The last two labels of a name.
fn domain(name: &str) -> (Option<&str>, Option<&str>) {
    let mut labels = name.rsplit('.');
    (labels.next(), labels.next())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn redirect(status: u16, location: &str) -> HttpReply {
        let headers = vec![("location".into(), location.into())];
        HttpReply {
            status,
            reason: None,
            headers,
            body: Vec::new(),
        }
    }

    #[test]
    fn redirect_outside_the_domain_is_foreign() {
        let host = "go.microsoft.com";
        let names = ["*.bing.com".to_owned(), "aka.ms".to_owned()];
        let table = [
            ("https://learn.microsoft.com/x", None),
            ("https://GO.Microsoft.com./", None),
            ("//login.microsoft.com:443/", None),
            ("/relative", None),
            ("relative//http://block.example", None),
            ("?next=http://block.example//", None),
            ("", None),
            ("https://", None),
            ("https://www.bing.com/", None),
            ("https://aka.ms", None),
            ("https://bing.com/", Some("bing.com")),
            ("https://a.b.bing.com/", Some("a.b.bing.com")),
            (
                "http://block.example/?url=http://go.microsoft.com",
                Some("block.example"),
            ),
            ("//block.example", Some("block.example")),
            ("http://go.microsoft.com@block.example/", Some("block.example")),
            (
                "https://go.microsoft.com.block.example?x",
                Some("go.microsoft.com.block.example"),
            ),
            ("https://notmicrosoft.com", Some("notmicrosoft.com")),
            ("http://10.0.0.1:8080/blocked", Some("10.0.0.1")),
            ("http://[fd00::1]:8080/", Some("fd00::1")),
        ];
        for (location, foreign) in table {
            let found = foreign_redirect(&redirect(302, location), host, &names);
            assert_eq!(found.as_deref(), foreign, "{location}");
        }
        assert_eq!(
            foreign_redirect(&redirect(200, "http://block.example"), host, &names),
            None
        );
    }

    #[test]
    fn redirect_from_an_address_is_foreign_unless_to_itself() {
        let location = |to: &str| foreign_redirect(&redirect(307, to), "20.1.2.3", &[]);
        assert_eq!(location("http://20.1.2.3/login"), None);
        assert_eq!(location("http://10.9.2.3/login").as_deref(), Some("10.9.2.3"));
    }

    proptest! {
        #[test]
        fn any_location_does_not_panic(location in "(https?:)?/{0,3}\\PC{0,30}") {
            foreign_redirect(&redirect(302, &location), "go.microsoft.com", &[]);
        }
    }
}
