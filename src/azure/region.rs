//! Service tags of one region.

/// Tags of which the documentation says that the part of the instance's region is enough.
const REGIONAL: [&str; 3] = ["Storage", "Sql", "EventHub"];

/// The words that names of regions are made of; of two that fit, the longer one is meant.
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

/// Whether the documentation lets the region's part of a tag be enough.
pub fn is_regional(tag: &str) -> bool {
    REGIONAL.iter().any(|known| known.eq_ignore_ascii_case(tag))
}

/// The region's part of a tag: `Sql` and `westeurope` give `Sql.WestEurope`. `None` where the documentation does not let
/// it be enough, or where the region is not known: the whole tag allows more than needed, but never less.
pub fn regional(tag: &str, region: Option<&str>) -> Option<String> {
    let region = region.filter(|_| is_regional(tag))?;
    Some(format!("{tag}.{}", spelling(region)?))
}

/// `WestEurope` for `westeurope`; `None` where a word of it is not known.
fn spelling(region: &str) -> Option<String> {
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
    use super::{regional, spelling};
    use crate::catalog::Catalog;

    #[test]
    fn regions_are_spelled_as_in_tags() {
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
            assert_eq!(spelling(&spelled.to_ascii_lowercase()).as_deref(), Some(spelled));
        }
        for unknown in ["", "atlantis", "westatlantis", "westeurop"] {
            assert_eq!(spelling(unknown), None, "{unknown}");
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
    fn every_region_of_the_catalog_has_a_spelling() {
        let gateways = Catalog::builtin().sql_gateways.unwrap();
        for region in gateways.regions.keys() {
            assert!(spelling(region).is_some(), "{region}");
        }
    }
}
