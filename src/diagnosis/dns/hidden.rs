//! What in Azure itself prevents a name from being resolved.

use crate::net::dns::DnsAnswer;

/// The alias that a DNS security policy returns for what it blocks
/// (<https://learn.microsoft.com/azure/dns/dns-security-policy>).
const BLOCK_POLICY: &str = "blockpolicy.azuredns.invalid";

/// The zones of gateways, cloud by cloud: a private one hides every other instance.
const GATEWAYS: [&str; 3] = ["azure-api.net", "azure-api.us", "azure-api.cn"];

/// What hides a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hidden {
    /// A DNS security policy.
    ByPolicy,
    /// A private DNS zone that is linked to the network and lacks the record.
    ByZone {
        /// The zone, if the answer shows it.
        zone: Option<String>,
        /// How the answer shows it.
        shown_by: PrivateZoneSign,
    },
}

/// What shows that a private zone answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PrivateZoneSign {
    /// The name alone: nothing else hides a gateway, unless the instance does not exist.
    Name,
    /// The aliases end in a `privatelink` zone, whose public counterpart never denies a name that an alias leads to.
    Alias,
    /// The answer's SOA record, which forwarders may leave out.
    Authority,
}

/// What hides `host`, if `answer` gives no address for it.
pub(crate) fn hidden(host: &str, answer: &DnsAnswer) -> Option<Hidden> {
    if answer.cnames.iter().any(|alias| alias == BLOCK_POLICY) {
        return Some(Hidden::ByPolicy);
    }
    if !answer.addresses.is_empty() || !matches!(answer.rcode.as_str(), "NOERROR" | "NXDOMAIN") {
        return None;
    }
    let alias = answer.cnames.last().and_then(|alias| private_link_zone(alias));
    let by_zone = |zone: Option<&str>, shown_by| {
        let zone = zone.map(str::to_owned);
        Some(Hidden::ByZone { zone, shown_by })
    };
    match &answer.authority {
        // The server of all private zones shows none by itself.
        Some(soa) if soa.is_private() && soa.zone.ends_with("azureprivatedns.net") => {
            by_zone(alias, PrivateZoneSign::Authority)
        }
        Some(soa) if soa.is_private() => by_zone(Some(&soa.zone), PrivateZoneSign::Authority),
        _ if alias.is_some() => by_zone(alias, PrivateZoneSign::Alias),
        None if answer.rcode == "NXDOMAIN" => by_zone(Some(gateway_zone(host)?), PrivateZoneSign::Name),
        _ => None,
    }
}

/// Whether this is a zone of gateways.
pub(crate) fn is_of_gateways(zone: &str) -> bool {
    GATEWAYS.contains(&zone)
}

/// The `privatelink` zone that contains a name.
fn private_link_zone(name: &str) -> Option<&str> {
    let at = name
        .find("privatelink.")
        .filter(|at| *at == 0 || name[..*at].ends_with('.'))?;
    Some(&name[at..])
}

fn gateway_zone(host: &str) -> Option<&'static str> {
    GATEWAYS
        .into_iter()
        .find(|zone| host.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::dns::ZoneAuthority;

    fn answer(rcode: &str, aliases: &[&str], authority: Option<(&str, &str)>) -> DnsAnswer {
        DnsAnswer {
            rcode: rcode.into(),
            cnames: aliases.iter().map(ToString::to_string).collect(),
            addresses: Vec::new(),
            further: 0,
            authority: authority.map(|(zone, primary)| ZoneAuthority {
                zone: zone.into(),
                primary: primary.into(),
            }),
        }
    }

    fn hidden_by_zone(zone: Option<&str>, shown_by: PrivateZoneSign) -> Hidden {
        let zone = zone.map(str::to_owned);
        Hidden::ByZone { zone, shown_by }
    }

    #[test]
    fn private_zone_is_recognised_by_authority_alias_or_name() {
        const VAULT_ZONE: &str = "privatelink.vaultcore.azure.net";
        const PRIVATE_DNS_AUTHORITY: &str = "azureprivatedns.net";
        let azure = Some((PRIVATE_DNS_AUTHORITY, PRIVATE_DNS_AUTHORITY));
        for (host, aliases, authority, expected) in [
            (
                "kv.vault.azure.net",
                vec![],
                Some((VAULT_ZONE, PRIVATE_DNS_AUTHORITY)),
                Some(hidden_by_zone(Some(VAULT_ZONE), PrivateZoneSign::Authority)),
            ),
            (
                "kv.vault.azure.net",
                vec!["kv.privatelink.vaultcore.azure.net"],
                azure,
                Some(hidden_by_zone(Some(VAULT_ZONE), PrivateZoneSign::Authority)),
            ),
            (
                "kv.vault.azure.net",
                vec![VAULT_ZONE],
                azure,
                Some(hidden_by_zone(Some(VAULT_ZONE), PrivateZoneSign::Authority)),
            ),
            (
                "kv.vault.azure.net",
                vec!["kv.myprivatelink.example.net"],
                azure,
                Some(hidden_by_zone(None, PrivateZoneSign::Authority)),
            ),
            (
                "kv.vault.azure.net",
                vec!["kv.privatelink.vaultcore.azure.net"],
                None,
                Some(hidden_by_zone(Some(VAULT_ZONE), PrivateZoneSign::Alias)),
            ),
            // A forwarder may put its own zone there.
            (
                "kv.vault.azure.net",
                vec!["kv.privatelink.vaultcore.azure.net"],
                Some(("corp.example", "ns1.corp.example")),
                Some(hidden_by_zone(Some(VAULT_ZONE), PrivateZoneSign::Alias)),
            ),
            ("kv.vault.azure.net", vec!["kv.myprivatelink.example.net"], None, None),
            (
                "one.azure-api.net",
                vec![],
                Some(("azure-api.net", PRIVATE_DNS_AUTHORITY)),
                Some(hidden_by_zone(Some("azure-api.net"), PrivateZoneSign::Authority)),
            ),
            (
                "one.azure-api.net",
                vec![],
                None,
                Some(hidden_by_zone(Some("azure-api.net"), PrivateZoneSign::Name)),
            ),
            // The public zone denies it: the instance does not exist.
            (
                "one.azure-api.net",
                vec![],
                Some(("azure-api.net", "ns1-01.azure-dns.com")),
                None,
            ),
            ("notazure-api.net", vec![], None, None),
        ] {
            let found = hidden(host, &answer("NXDOMAIN", &aliases, authority));
            assert_eq!(found, expected, "{host} {aliases:?} {authority:?}");
        }
    }

    #[test]
    fn dns_policy_is_recognised_by_its_cname() {
        for rcode in ["NOERROR", "NXDOMAIN", "SERVFAIL"] {
            let found = hidden("a.example", &answer(rcode, &["blockpolicy.azuredns.invalid"], None));
            assert_eq!(found, Some(Hidden::ByPolicy), "{rcode}");
        }
        assert_eq!(
            hidden("a.example", &answer("NOERROR", &["policy.azuredns.invalid"], None)),
            None
        );
        assert_eq!(hidden("a.example", &answer("SERVFAIL", &[], None)), None);
    }
}
