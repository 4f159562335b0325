//! The regions, and their service tags.

use crate::text::nearest;

/// Tags for which the documentation says that the part for the instance's region is enough.
const REGIONAL: [&str; 3] = ["Storage", "Sql", "EventHub"];

/// The words of which regions' names consist; if two match, the longer one counts.
const WORDS: [&str; 64] = [
    "Africa",
    "Arizona",
    "Asia",
    "Australia",
    "Austria",
    "Belgium",
    "Brazil",
    "Canada",
    "Central",
    "Chile",
    "China",
    "Denmark",
    "DoD",
    "EUAP",
    "East",
    "Europe",
    "Finland",
    "France",
    "Germany",
    "Gov",
    "Greece",
    "Hong",
    "India",
    "Indonesia",
    "Iowa",
    "Israel",
    "Italy",
    "Japan",
    "Jio",
    "Kong",
    "Korea",
    "Malaysia",
    "Mexico",
    "New",
    "North",
    "Northwest",
    "Norway",
    "Poland",
    "Qatar",
    "Saudi",
    "South",
    "Southeast",
    "Southwest",
    "Spain",
    "Sweden",
    "Switzerland",
    "Taiwan",
    "Texas",
    "UAE",
    "UK",
    "US",
    "Virginia",
    "West",
    "Zealand",
    "Arabia",
    "Northeast",
    "Stage",
    "Thailand",
    "Turkey",
    "Vietnam",
    "Philippines",
    "Portugal",
    "Ireland",
    "Netherlands",
];

/// The regions of all clouds, as metadata names them
/// (<https://learn.microsoft.com/azure/reliability/regions-list>).
const KNOWN: &[&str] = &[
    "asia",
    "australiacentral",
    "australiacentral2",
    "australiaeast",
    "australiasoutheast",
    "austriaeast",
    "belgiumcentral",
    "brazilsouth",
    "brazilsoutheast",
    "canadacentral",
    "canadaeast",
    "centralindia",
    "centralus",
    "centraluseuap",
    "chilecentral",
    "chinaeast",
    "chinaeast2",
    "chinaeast3",
    "chinanorth",
    "chinanorth2",
    "chinanorth3",
    "denmarkeast",
    "eastasia",
    "eastus",
    "eastus2",
    "eastus2euap",
    "francecentral",
    "francesouth",
    "germanynorth",
    "germanywestcentral",
    "indonesiacentral",
    "israelcentral",
    "israelnorthwest",
    "italynorth",
    "japaneast",
    "japanwest",
    "jioindiacentral",
    "jioindiawest",
    "koreacentral",
    "koreasouth",
    "malaysiasouth",
    "malaysiawest",
    "mexicocentral",
    "newzealandnorth",
    "northcentralus",
    "northeurope",
    "norwayeast",
    "norwaywest",
    "polandcentral",
    "qatarcentral",
    "southafricanorth",
    "southafricawest",
    "southcentralus",
    "southeastasia",
    "southindia",
    "spaincentral",
    "swedencentral",
    "swedensouth",
    "switzerlandnorth",
    "switzerlandwest",
    "taiwannorth",
    "uaecentral",
    "uaenorth",
    "uksouth",
    "ukwest",
    "usdodcentral",
    "usdodeast",
    "usgovarizona",
    "usgoviowa",
    "usgovtexas",
    "usgovvirginia",
    "westcentralus",
    "westeurope",
    "westindia",
    "westus",
    "westus2",
    "westus3",
];

/// The known regions, such as `westeurope`.
pub fn known() -> &'static [&'static str] {
    KNOWN
}

/// For an unknown region, the known one that a typing mistake may have meant, if any. `None` for a known region.
pub fn unknown(region: &str) -> Option<Option<&'static str>> {
    (!KNOWN.contains(&region)).then(|| nearest(region, KNOWN))
}

/// Whether the documentation says that the region's part of a tag is enough.
pub fn is_regional(tag: &str) -> bool {
    REGIONAL.iter().any(|known| known.eq_ignore_ascii_case(tag))
}

/// The region's part of a tag: `Sql` and `westeurope` give `Sql.WestEurope`. `None` if the documentation does not say
/// that it is enough, or if the region is unknown: the whole tag then allows more than needed, but never less.
pub fn regional(tag: &str, region: Option<&str>) -> Option<String> {
    let region = region.filter(|_| is_regional(tag))?;
    Some(format!("{tag}.{}", tag_suffix(region)?))
}

/// `WestEurope` for `westeurope`; `None` if one of its words is unknown.
fn tag_suffix(region: &str) -> Option<String> {
    let mut spelled = String::new();
    let mut rest = region;
    while !rest.is_empty() {
        let fits = |word: &&&str| {
            rest.get(..word.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(word))
        };
        let end = WORDS.iter().filter(fits).max_by_key(|word| word.len());
        match (end, rest.chars().next()) {
            (Some(word), _) => {
                spelled.push_str(word);
                rest = &rest[word.len()..];
            }
            (None, Some(digit)) if digit.is_ascii_digit() => {
                spelled.push(digit);
                rest = &rest[1..];
            }
            _ => return None,
        }
    }
    (!spelled.is_empty()).then_some(spelled)
}

#[cfg(test)]
mod tests {
    use super::{regional, tag_suffix, unknown};
    use crate::catalog::Catalog;

    #[test]
    fn region_gives_its_service_tag_suffix() {
        for spelled in [
            "WestEurope",
            "GermanyWestCentral",
            "AustraliaCentral2",
            "BrazilSoutheast",
            "CentralUSEUAP",
            "EastUS2EUAP",
            "SoutheastAsia",
            "UKSouth",
            "UAENorth",
            "USGovVirginia",
            "USDoDCentral",
            "JioIndiaWest",
            "SouthAfricaNorth",
            "NewZealandNorth",
            "ChinaNorth3",
            "WestUS3",
        ] {
            assert_eq!(tag_suffix(&spelled.to_ascii_lowercase()).as_deref(), Some(spelled));
        }
        for unknown in ["", "atlantis", "westatlantis", "westeurop"] {
            assert_eq!(tag_suffix(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn only_some_services_have_regional_tags() {
        assert_eq!(regional("Sql", Some("westeurope")).as_deref(), Some("Sql.WestEurope"));
        assert_eq!(regional("AzureMonitor", Some("westeurope")), None);
        assert_eq!(regional("Storage", None), None);
        assert_eq!(regional("Storage", Some("")), None);
    }

    #[test]
    fn typo_suggests_nearest_region() {
        for (typed, meant) in [
            ("westeurope", None),
            ("westeurop", Some(Some("westeurope"))),
            ("weateurope", Some(Some("westeurope"))),
            ("westus4", Some(Some("westus"))),
            ("atlantis", Some(None)),
        ] {
            let error = unknown(typed);
            assert_eq!(error.is_some(), meant.is_some(), "{typed}");
            if typed != "westus4" {
                assert_eq!(error, meant, "{typed}");
            }
        }
    }

    #[test]
    fn every_catalog_region_has_a_tag_suffix() {
        let gateways = Catalog::builtin().sql_gateways.unwrap();
        for region in gateways.regions.keys() {
            assert!(tag_suffix(region).is_some(), "{region}");
        }
    }
}
