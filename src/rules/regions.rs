//! Regions as service tags spell them.

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

/// `WestEurope` for `westeurope`. A region of unknown words stays as it is: Azure reads tags in any case.
pub fn spelling(region: &str) -> String {
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
            _ => return region.to_owned(),
        }
    }
    spelled
}

#[cfg(test)]
mod tests {
    use super::spelling;
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
            assert_eq!(spelling(&spelled.to_ascii_lowercase()), spelled);
        }
        assert_eq!(spelling("atlantis"), "atlantis");
        assert_eq!(spelling("westatlantis"), "westatlantis");
    }

    #[test]
    fn every_region_of_the_catalog_has_a_spelling() {
        let gateways = Catalog::builtin().sql_gateways.unwrap();
        for region in gateways.regions.keys() {
            assert_ne!(&spelling(region), region);
        }
    }
}
