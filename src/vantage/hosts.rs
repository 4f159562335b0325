//! Entries of the hosts file that hide DNS from other programs on this machine.

use std::{collections::BTreeSet, path::Path};

use crate::file::{self, FileReadError};

/// Their file (hosts(5)).
const HOSTS: &str = "/etc/hosts";
/// Maximum size of a file, in bytes; the longest ad-blocking lists have a third of it.
const MAX_SIZE: usize = 16 << 20;

/// A notice for each planned host in the hosts file; the agent itself queries the name servers.
pub(crate) fn notices<'a>(planned: impl Iterator<Item = &'a str>) -> Vec<String> {
    let planned: BTreeSet<&str> = planned.collect();
    match file::read(Path::new(HOSTS), MAX_SIZE) {
        Ok(bytes) => hidden(&String::from_utf8_lossy(&bytes), &planned),
        Err(error @ FileReadError::TooLarge { .. }) => {
            vec![format!("{error}, so it is not known whether it maps a planned host")]
        }
        // A machine may not have one.
        Err(_) => Vec::new(),
    }
}

pub(super) fn hidden(text: &str, planned: &BTreeSet<&str>) -> Vec<String> {
    let mut known = BTreeSet::new();
    text.lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .flat_map(|line| {
            let mut words = line.split_whitespace();
            let address = words.next().unwrap_or_default();
            words.map(move |name| (address, name.to_ascii_lowercase()))
        })
        .filter(|(_, name)| planned.contains(name.as_str()) && known.insert(name.clone()))
        .map(|(address, name)| {
            format!("{HOSTS} maps {name} to {address} on this machine; the instance uses DNS, and so does this run")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn etc_hosts_entries_of_planned_hosts_give_a_notice() {
        let planned = BTreeSet::from(["login.microsoftonline.com"]);
        let text = "127.0.0.1 localhost\n10.0.0.9 Login.MicrosoftOnline.com other # login.microsoftonline.com\n#x\n\
                    10.0.0.8 login.microsoftonline.com\n";
        let notices = hidden(text, &planned);
        assert_eq!(notices.len(), 1);
        assert!(
            notices[0].starts_with("/etc/hosts maps login.microsoftonline.com to 10.0.0.9"),
            "{notices:?}"
        );
    }
}
