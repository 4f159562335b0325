//! Service tags of one region.

/// The tags that the documentation of API Management lets narrow to a region.
const REGIONAL: [&str; 3] = ["Storage", "Sql", "EventHub"];

/// What region names are made of, each as tags spell it. What begins another stands behind it.
const PARTS: [(&str, &str); 45] = [
    ("southeast", "Southeast"),
    ("northeast", "Northeast"),
    ("southwest", "Southwest"),
    ("northwest", "Northwest"),
    ("southafrica", "SouthAfrica"),
    ("switzerland", "Switzerland"),
    ("usgov", "USGov"),
    ("virginia", "Virginia"),
    ("arizona", "Arizona"),
    ("texas", "Texas"),
    ("south", "South"),
    ("north", "North"),
    ("west", "West"),
    ("east", "East"),
    ("central", "Central"),
    ("europe", "Europe"),
    ("asia", "Asia"),
    ("us", "US"),
    ("uk", "UK"),
    ("uae", "UAE"),
    ("australia", "Australia"),
    ("austria", "Austria"),
    ("belgium", "Belgium"),
    ("brazil", "Brazil"),
    ("canada", "Canada"),
    ("chile", "Chile"),
    ("china", "China"),
    ("denmark", "Denmark"),
    ("france", "France"),
    ("germany", "Germany"),
    ("india", "India"),
    ("indonesia", "Indonesia"),
    ("israel", "Israel"),
    ("italy", "Italy"),
    ("japan", "Japan"),
    ("korea", "Korea"),
    ("malaysia", "Malaysia"),
    ("mexico", "Mexico"),
    ("newzealand", "NewZealand"),
    ("norway", "Norway"),
    ("poland", "Poland"),
    ("qatar", "Qatar"),
    ("spain", "Spain"),
    ("sweden", "Sweden"),
    ("taiwan", "Taiwan"),
];

/// The tag narrowed to the region, where the service has regional tags and we know how this region is spelt: `Sql` and
/// `westeurope` give `Sql.WestEurope`. Otherwise the tag itself, which allows more than needed, but never less.
pub fn regional(tag: &str, region: Option<&str>) -> String {
    let spelt = region.filter(|_| REGIONAL.contains(&tag)).and_then(spell);
    spelt.map_or_else(|| tag.to_string(), |region| format!("{tag}.{region}"))
}

/// `westeurope` as tags spell it; `None` where a part of it is not known.
fn spell(region: &str) -> Option<String> {
    let mut rest = region.trim_end_matches(|last: char| last.is_ascii_digit());
    let number = &region[rest.len()..];
    let mut spelt = String::new();
    while !rest.is_empty() {
        let (part, word) = PARTS.iter().find(|(part, _)| rest.starts_with(part))?;
        spelt.push_str(word);
        rest = &rest[part.len()..];
    }
    (!spelt.is_empty()).then(|| spelt + number)
}

#[cfg(test)]
mod tests {
    use super::regional;

    #[test]
    fn regions_are_spelt_as_tags_do() {
        for (region, tag) in [
            ("westeurope", "Sql.WestEurope"),
            ("eastus2", "Sql.EastUS2"),
            ("southcentralus", "Sql.SouthCentralUS"),
            ("uksouth", "Sql.UKSouth"),
            ("uaenorth", "Sql.UAENorth"),
            ("germanywestcentral", "Sql.GermanyWestCentral"),
            ("southeastasia", "Sql.SoutheastAsia"),
            ("southafricanorth", "Sql.SouthAfricaNorth"),
            ("usgovvirginia", "Sql.USGovVirginia"),
            ("chinaeast2", "Sql.ChinaEast2"),
            // Not known to the letter: the whole tag.
            ("eastus2euap", "Sql"),
            ("usdodcentral", "Sql"),
            ("2", "Sql"),
            ("", "Sql"),
            ("WestEurope", "Sql"),
        ] {
            assert_eq!(regional("Sql", Some(region)), tag, "{region}");
        }
    }

    #[test]
    fn only_some_services_have_regional_tags() {
        assert_eq!(regional("AzureMonitor", Some("westeurope")), "AzureMonitor");
        assert_eq!(regional("Storage", None), "Storage");
    }
}
