//! Entries of the hosts file that hide DNS from everybody else on this machine.

use std::collections::BTreeSet;

/// Where they stand (hosts(5)).
const HOSTS: &str = "/etc/hosts";

/// A notice for each planned host that the hosts file maps; the agent itself asks the name servers.
pub fn notices<'a>(planned: impl Iterator<Item = &'a str>) -> Vec<String> {
    let planned: BTreeSet<&str> = planned.collect();
    std::fs::read_to_string(HOSTS)
        .map(|text| hidden(&text, &planned))
        .unwrap_or_default()
}

fn hidden(text: &str, planned: &BTreeSet<&str>) -> Vec<String> {
    text.lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .flat_map(|line| {
            let mut words = line.split_whitespace();
            let address = words.next().unwrap_or_default();
            words.map(move |name| (address, name.to_ascii_lowercase()))
        })
        .filter(|(_, name)| planned.contains(name.as_str()))
        .map(|(address, name)| {
            format!("{HOSTS} maps {name} to {address} on this machine; the instance asks DNS, and so does this report")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_planned_hosts_matter() {
        let planned = BTreeSet::from(["login.microsoftonline.com"]);
        let text = "127.0.0.1 localhost\n10.0.0.9 Login.MicrosoftOnline.com other # login.microsoftonline.com\n#x\n";
        let notices = hidden(text, &planned);
        assert_eq!(notices.len(), 1);
        assert!(
            notices[0].starts_with("/etc/hosts maps login.microsoftonline.com to 10.0.0.9"),
            "{notices:?}"
        );
    }
}
