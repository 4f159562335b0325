//! Host names, the braces in them, and addresses.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use ipnet::IpNet;

use crate::{
    azure::Cloud,
    catalog::{
        problem::{Located, Problem},
        settings::{NAME_SERVER, REGION, SETTINGS, fill, placeholders},
    },
    text::nearest,
};

/// What `{name}` stands for in each cloud.
pub(crate) type CloudSuffixes = BTreeMap<Cloud, BTreeMap<String, String>>;

/// What is wrong, and what to write instead.
type Complaint = (String, String);

/// Whether `*.` is allowed before the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wildcard {
    Allowed,
    Forbidden,
}

/// The names allowed in the braces of one entry.
pub(super) struct PlaceholderNames<'a> {
    pub suffixes: &'a CloudSuffixes,
    /// The clouds that the entry applies to: a suffix must exist in each.
    pub clouds: &'a [Cloud],
}

impl PlaceholderNames<'_> {
    /// Checks a host name with or without braces and returns it in lowercase.
    pub(super) fn host(
        &self,
        text: &Located<String>,
        wildcard: Wildcard,
        problems: &mut Vec<Problem>,
    ) -> Option<String> {
        let checked = shape(&text.value, wildcard)
            .and_then(|()| self.braces(&text.value))
            .and_then(|()| {
                let name = text.value.strip_prefix("*.").unwrap_or(&text.value);
                self.clouds
                    .iter()
                    .try_for_each(|cloud| labels(&self.sample(name, *cloud)))
            });
        report(checked, text, problems).map(|()| text.value.to_ascii_lowercase())
    }

    fn braces(&self, template: &str) -> Result<(), Complaint> {
        balanced(template)?;
        placeholders(template).try_for_each(|name| self.placeholder(name))
    }

    fn placeholder(&self, name: &str) -> Result<(), Complaint> {
        if name == NAME_SERVER {
            let help = format!("write `host: \"{{{NAME_SERVER}}}\"`");
            return Err((format!("`{{{NAME_SERVER}}}` stands for a complete host"), help));
        }
        if name == REGION || SETTINGS.iter().any(|setting| setting.name == name) {
            return Ok(());
        }
        let missing: Vec<&str> = self
            .clouds
            .iter()
            .filter(|cloud| self.suffix(name, **cloud).is_none())
            .map(Cloud::as_str)
            .collect();
        if missing.is_empty() {
            Ok(())
        } else if missing.len() < self.clouds.len() || self.suffixes.values().any(|table| table.contains_key(name)) {
            let clouds = missing.join(" and ");
            Err((
                format!("`{{{name}}}` has no value in {clouds}"),
                format!(
                    "add `{name}` to `clouds: {}:`, or say with `clouds: […]` where the entry applies",
                    missing[0]
                ),
            ))
        } else {
            Err((format!("nothing fills `{{{name}}}`"), self.suggest(name)))
        }
    }

    fn suggest(&self, name: &str) -> String {
        let settings = SETTINGS.iter().map(|setting| setting.name);
        let suffixes = self
            .suffixes
            .values()
            .flat_map(|table| table.keys().map(String::as_str).take(100));
        let known: Vec<&str> = settings
            .chain([REGION])
            .chain(suffixes)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        match nearest(name, &known) {
            Some(near) => format!("did you mean `{{{near}}}`?"),
            None => format!(
                "write one of {{{}}}, or add the name under `clouds:`",
                known.join("}, {")
            ),
        }
    }

    fn suffix(&self, name: &str, cloud: Cloud) -> Option<&str> {
        self.suffixes.get(&cloud)?.get(name).map(String::as_str)
    }

    /// The host with its suffixes, and a short placeholder for every name that a user fills in.
    fn sample(&self, template: &str, cloud: Cloud) -> String {
        let value = |name: &str| Some(self.suffix(name, cloud).unwrap_or("x").to_owned());
        fill(template, value).unwrap_or_else(str::to_owned)
    }
}

/// Checks a host name that has no braces.
pub(super) fn plain_host(text: &Located<String>, problems: &mut Vec<Problem>) -> Option<String> {
    let no_braces = || {
        let help = "write the name itself".to_owned();
        if text.value.contains(['{', '}']) {
            Err(("braces cannot be filled here".to_owned(), help))
        } else {
            Ok(())
        }
    };
    let checked = shape(&text.value, Wildcard::Forbidden)
        .and_then(|()| no_braces())
        .and_then(|()| labels(&text.value));
    report(checked, text, problems).map(|()| text.value.to_ascii_lowercase())
}

/// Checks an address that a packet can be sent to.
pub(super) fn address(text: &Located<String>, problems: &mut Vec<Problem>) -> Option<IpAddr> {
    let complaint: Complaint = match text.value.parse::<IpAddr>() {
        Ok(address) if address.is_unspecified() || address.is_multicast() || is_broadcast(address) => (
            format!("`{}` is not the address of a single machine", text.value),
            "write the address of the machine to reach".to_owned(),
        ),
        Ok(address) => return Some(address),
        Err(_) if text.value.contains('/') => (
            format!("`{}` is not one address", text.value),
            "name one address; a range cannot be probed".to_owned(),
        ),
        Err(_) if text.value.chars().any(|c| c.is_ascii_alphabetic()) && !text.value.contains(':') => (
            format!("`{}` is a name, not an address", text.value),
            "write names under `host:`".to_owned(),
        ),
        Err(_) => (
            format!("`{}` is not an address", text.value),
            "write an IPv4 address like 10.0.0.4, or an IPv6 address; the port goes under `port:`".to_owned(),
        ),
    };
    report(Err(complaint), text, problems)
}

/// Checks a range of addresses, written as its first address and the length of its prefix.
pub(super) fn range(text: &Located<String>, problems: &mut Vec<Problem>) -> Option<IpNet> {
    let complaint: Complaint = match text.value.parse::<IpNet>() {
        Ok(range) if range.prefix_len() < 8 => (
            format!("`{}` is too large for a documented range", text.value),
            "write the documented range, like 134.138.96.48/29".to_owned(),
        ),
        Ok(range) if range.addr() != range.network() => (
            format!("`{}` is not the start of its range", text.value),
            format!("write {}", range.trunc()),
        ),
        Ok(range) => return Some(range),
        Err(_) => (
            format!("`{}` is not a range of addresses", text.value),
            "write it like 134.138.96.48/29; single addresses go under `regions:`".to_owned(),
        ),
    };
    report(Err(complaint), text, problems)
}

fn is_broadcast(address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(v4) if v4.is_broadcast())
}

fn report<T>(checked: Result<T, Complaint>, text: &Located<String>, problems: &mut Vec<Problem>) -> Option<T> {
    checked
        .map_err(|(message, help)| problems.push(Problem::new(text.at, message, help)))
        .ok()
}

/// Common mistakes instead of a host name.
fn shape(text: &str, wildcard: Wildcard) -> Result<(), Complaint> {
    let complain = |message: String, help: String| Err((message, help));
    if text.is_empty() {
        return complain(
            "this host name is empty".into(),
            "write a name like `login.microsoftonline.com`".into(),
        );
    }
    if text.parse::<IpAddr>().is_ok() {
        return complain(
            format!("`{text}` is an address, not a host name"),
            format!("write `address: \"{text}\"`"),
        );
    }
    if let Some((_, rest)) = text.split_once("://") {
        let host = rest.split(['/', ':', '?', '#']).next().unwrap_or_default();
        return complain(
            format!("`{text}` is a URL, not a host name"),
            format!("write `{host}`; port and path have their own keys"),
        );
    }
    if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return complain(
            "a host name cannot contain spaces".into(),
            "write one host name, or one entry for each host".into(),
        );
    }
    if let Some((host, path)) = text.split_once('/') {
        let help = format!("write `{host}` here and `path: \"/{path}\"` next to it");
        return complain("a host name cannot contain a path".into(), help);
    }
    if let Some((host, port)) = text.rsplit_once(':') {
        let help = format!("write `{host}` here and `port: {port}` next to it");
        return complain("a host name cannot contain a port".into(), help);
    }
    if let Some(host) = text.strip_suffix('.') {
        let help = format!("write `{host}`: names are absolute anyway");
        return complain("a host name must not end with a dot here".into(), help);
    }
    if !text.is_ascii() {
        let help = "write its ASCII form, which starts with xn--".into();
        return complain(format!("`{text}` contains letters that DNS does not support"), help);
    }
    let name = text.strip_prefix("*.").unwrap_or(text);
    if name.contains('*') {
        let help = "write `*.` in front of a name, and list its hosts under `members:`".into();
        return complain("a wildcard must be the complete first label".into(), help);
    }
    if name != text && wildcard == Wildcard::Forbidden {
        return complain(
            "a wildcard cannot be used here".into(),
            "write a complete host name".into(),
        );
    }
    Ok(())
}

fn balanced(template: &str) -> Result<(), Complaint> {
    let mut depth = 0;
    let mut length = 0;
    for c in template.chars() {
        match c {
            '{' => (depth, length) = (depth + 1, 0),
            '}' if length == 0 && depth == 1 => return Err(("these braces are empty".into(), "write `{name}`".into())),
            '}' => depth -= 1,
            _ => length += 1,
        }
        if !(0..=1).contains(&depth) {
            break;
        }
    }
    if depth == 0 {
        return Ok(());
    }
    Err((
        "these braces do not pair up".into(),
        "write `{name}`, one opening and one closing brace".into(),
    ))
}

/// The limits of RFC 1035 section 2.3.4 and the letters of RFC 1123 section 2.1, plus `_`, which some services use.
fn labels(name: &str) -> Result<(), Complaint> {
    if name.len() > 253 {
        let message = format!("this host name has {} characters", name.len());
        return Err((message, "a name can have at most 253".into()));
    }
    for label in name.split('.') {
        let help = "each label of a name has 1 to 63 letters, digits and hyphens (not first or last)".to_owned();
        if label.is_empty() {
            return Err(("this host name has two consecutive dots, or a leading one".into(), help));
        }
        if label.len() > 63 {
            return Err((
                format!("a label of this host name has {} characters", label.len()),
                help,
            ));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err((format!("`{label}` starts or ends with a hyphen"), help));
        }
        if let Some(odd) = label
            .chars()
            .find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_'))
        {
            return Err((format!("`{odd}` cannot be part of a host name"), help));
        }
    }
    Ok(())
}
