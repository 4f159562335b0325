//! Small words that every renderer needs: counts, lists, and what a suspect is called.

use std::collections::HashSet;

use jiff::SignedDuration;

use crate::{catalog::placeholders, diagnosis::cause::Suspect, report::Endpoint};

/// `1 endpoint`, `3 endpoints`, `2 dependencies`, `4 addresses`.
pub fn count(n: usize, noun: &str) -> String {
    match (n, noun.strip_suffix('y')) {
        (1, _) => format!("1 {noun}"),
        (_, Some(stem)) => format!("{n} {stem}ies"),
        _ if noun.ends_with('s') => format!("{n} {noun}es"),
        _ => format!("{n} {noun}s"),
    }
}

/// The items in order, each once.
pub fn distinct<'a>(items: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut known = HashSet::new();
    items.into_iter().filter(|item| known.insert(*item)).collect()
}

/// `a`, `a and b`, `a, b and c`; beyond `most` names `a, b and 4 more`.
pub fn list(items: &[&str], most: usize) -> String {
    let (named, left) = if items.len() > most {
        items.split_at(most.max(2) - 1)
    } else {
        (items, &[][..])
    };
    match (named, left.len()) {
        ([], _) => String::new(),
        ([one], 0) => (*one).to_owned(),
        ([rest @ .., last], 0) => format!("{} and {last}", rest.join(", ")),
        (named, more) => format!("{} and {more} more", named.join(", ")),
    }
}

/// What to pass so that endpoints whose host holds `{names}` can be tested.
pub fn what_to_pass(endpoints: &[&Endpoint]) -> String {
    let names = distinct(endpoints.iter().flat_map(|e| placeholders(&e.host)));
    let mut flags = Vec::new();
    if names.contains(&"region") {
        flags.push("pass --region".to_owned());
    }
    if names.contains(&"name_server") {
        flags.push("pass --dns-server".to_owned());
    }
    let settable: Vec<&str> = names
        .into_iter()
        .filter(|n| !matches!(*n, "region" | "name_server"))
        .collect();
    if !settable.is_empty() {
        flags.push(format!("pass --network-status, or set {}", settable.join(", ")));
    }
    flags.join("; ")
}

/// Where to look, in the reader's words.
pub fn suspect(suspect: Suspect) -> &'static str {
    match suspect {
        Suspect::Nsg => "NSG outbound rules",
        Suspect::Udr => "the route table",
        Suspect::NoOutbound => "the subnet's way out",
        Suspect::FirewallNetworkRule => "network rules of the firewall",
        Suspect::FirewallApplicationRule => "application rules of the firewall",
        Suspect::TlsInspection => "TLS inspection",
        Suspect::Nva => "the appliance at the next hop",
        Suspect::DnsServer => "the name server",
        Suspect::PrivateDnsZone => "private DNS zones linked to the network",
        Suspect::Proxy => "the HTTP proxy",
        Suspect::VmNicNsg => "the NSG on this VM's own network interface",
        Suspect::LocalHost => "this VM's own firewall, routes and clock",
        Suspect::Service => "the service itself",
        Suspect::Documentation => "the documentation, which may be behind",
    }
}

/// A duration in milliseconds as people say it: `0.4 ms`, `120 ms`, `5.0 s`, `3 min 12 s`.
pub fn duration(ms: f64) -> String {
    match ms {
        ms if ms < 10.0 => format!("{ms:.1} ms"),
        ms if ms < 1_000.0 => format!("{ms:.0} ms"),
        ms if ms < 60_000.0 => format!("{:.1} s", ms / 1_000.0),
        ms => format!(
            "{:.0} min {:02.0} s",
            (ms / 60_000.0).floor(),
            ((ms % 60_000.0) / 1_000.0).floor()
        ),
    }
}

/// How old something is, in the largest unit that fits: `less than a day old`, `3 days old`, `2 years old`.
pub fn age(age: SignedDuration) -> String {
    let days = age.as_hours() / 24;
    match days {
        ..1 => "less than a day old".to_owned(),
        1 => "1 day old".to_owned(),
        2..60 => format!("{days} days old"),
        60..730 => format!("{} months old", days / 30),
        _ => format!("{} years old", days / 365),
    }
}

/// Sentences as one paragraph: each ends in a full stop.
pub fn sentences(parts: &[String]) -> String {
    let ended = parts
        .iter()
        .map(|part| part.trim())
        .filter(|part| !part.is_empty())
        .map(|part| {
            if part.ends_with(['.', '!', '?', ':', '"']) {
                part.to_owned()
            } else {
                format!("{part}.")
            }
        });
    ended.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::{age, count, duration, list, placeholders, sentences};

    #[test]
    fn counts_and_lists_read_as_english() {
        assert_eq!(count(1, "endpoint"), "1 endpoint");
        assert_eq!(count(0, "endpoint"), "0 endpoints");
        assert_eq!(count(2, "dependency"), "2 dependencies");
        for (items, most, text) in [
            (&[][..], 3, ""),
            (&["a"][..], 3, "a"),
            (&["a", "b"], 3, "a and b"),
            (&["a", "b", "c"], 3, "a, b and c"),
            (&["a", "b", "c", "d"], 3, "a, b and 2 more"),
        ] {
            assert_eq!(list(items, most), text);
        }
    }

    #[test]
    fn durations_keep_the_digits_that_matter() {
        for (ms, text) in [
            (0.42, "0.4 ms"),
            (121.6, "122 ms"),
            (5_001.2, "5.0 s"),
            (59_990.0, "60.0 s"),
            (192_000.0, "3 min 12 s"),
        ] {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn ages_are_said_in_one_unit() {
        for (hours, text) in [
            (-5, "less than a day old"),
            (23, "less than a day old"),
            (24, "1 day old"),
            (24 * 59, "59 days old"),
            (24 * 90, "3 months old"),
            (24 * 1200, "3 years old"),
        ] {
            assert_eq!(age(SignedDuration::from_hours(hours)), text);
        }
    }

    #[test]
    fn placeholders_survive_stray_braces() {
        assert_eq!(placeholders("{a}.b.{c}").collect::<Vec<_>>(), ["a", "c"]);
        assert_eq!(placeholders("}a{b").count(), 0);
    }

    #[test]
    fn sentences_end() {
        let parts = ["One".to_owned(), " ".to_owned(), "Two.".to_owned()];
        assert_eq!(sentences(&parts), "One. Two.");
    }
}
