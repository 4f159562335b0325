//! Complete forms: they are read as the JSON that they came from.

use serde_json::{Value, json};

use super::*;

#[test]
fn effective_routes_are_read_from_every_output_format() {
    let reference = routes(&fixture("routes.json"));
    for form in [
        "routes.az-table.txt",
        "routes.format-table.txt",
        "routes.format-table-wrap.txt",
        "routes.format-list.txt",
        "routes.portal.csv",
        "routes.yaml",
        "routes.spinner.txt",
        "routes.transcript.txt",
    ] {
        assert_eq!(routes(&fixture(form)), reference, "{form}");
        // So is the text that Windows produces.
        let text = String::from_utf8(fixture(form)).unwrap();
        let text = text.trim_start_matches('\u{feff}');
        for bytes in [
            utf16(&format!("\u{feff}{text}"), u16::to_le_bytes),
            utf16(&format!("\u{feff}{text}"), u16::to_be_bytes),
            format!("\u{feff}{text}").into_bytes(),
            text.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes(),
        ] {
            assert_eq!(routes(&bytes), reference, "{form}");
        }
    }
}

#[test]
fn effective_nsg_rules_are_read_from_every_output_format() {
    let reference = security(&fixture("nsg.json"));
    assert_eq!(reference.groups.len(), 2);
    for form in [
        "nsg.yaml",
        "nsg.format-list.txt",
        "nsg.cut-with-text.json",
        "nsg.depth-3.json",
    ] {
        assert_eq!(security(&fixture(form)), reference, "{form}");
    }
}

#[test]
fn format_list_text_copies_replace_truncated_fields() {
    let list = String::from_utf8(fixture("nsg.format-list.txt")).unwrap();
    // `Format-List *` shows the copies as text, but only the types of the objects themselves.
    let lines = list.lines().map(|line| {
        let Some((name, json)) = line.split_once(" : ").filter(|(name, _)| !name.starts_with(' ')) else {
            return format!("    {line}\n");
        };
        let (name, copy) = (name.trim_end(), format!("{}Text", name.trim_end()));
        let kind = format!("Microsoft.Azure.Commands.Network.Models.PS{name}");
        format!("{name:<26} : {{{kind}, {kind}...}}\n{copy:<26} : {json}\n")
    });
    let all = lines.collect::<Vec<_>>().concat();
    let all = all.replace("    TagMap                 :", "TagMap :");
    assert_eq!(security(all.as_bytes()), security(&fixture("nsg.json")), "{all}");
}

#[test]
fn wrapped_documents_are_unwrapped() {
    let document = |name: &str| serde_json::from_slice::<Value>(&fixture(name)).unwrap();
    let (nsg, table) = (document("nsg.json"), document("routes.json"));
    let wrapped = |document: &Value| {
        let list = document["value"].clone();
        [
            list.clone(),
            json!([list]),
            json!([document]),
            json!({ "value": list, "count": 2, "nextLink": null }),
            json!({ "networkSecurityGroups": list }),
            json!({ "properties": { "value": list } }),
            json!({ "status": "Succeeded", "error": null, "properties": { "output": { "value": list } } }),
            json!({ "parameters": { "name": "x", "tags": { "a": "b" } }, "responses": { "200": { "body": { "value": list } } } }),
            json!({ "StatusCode": 200, "Headers": [], "Content": json!({ "value": list }).to_string() }),
            // (Invoke-AzRestMethod …).Content | ConvertTo-Json
            json!(json!({ "value": list }).to_string()),
        ]
    };
    for document in wrapped(&nsg) {
        assert_eq!(
            security(document.to_string().as_bytes()),
            security(&fixture("nsg.json")),
            "{document}"
        );
    }
    for document in wrapped(&table) {
        assert_eq!(
            routes(document.to_string().as_bytes()),
            routes(&fixture("routes.json")),
            "{document}"
        );
    }
    // PowerShell reduces a list of one to its item.
    let one = nsg["value"][0].to_string();
    assert_eq!(
        security(one.as_bytes()).groups,
        security(&fixture("nsg.json")).groups[..1]
    );
    let single = json!({ "association": nsg["value"][1]["association"], "effectiveSecurityRules": nsg["value"][1]["effectiveSecurityRules"][0] });
    assert_eq!(security(single.to_string().as_bytes()).groups[0].rules.len(), 1);
}

#[test]
fn keys_match_in_any_case_and_values_keep_their_case() {
    let upper = |value: &Value| {
        fn walk(value: &Value) -> Value {
            match value {
                Value::Object(fields) => {
                    let fields = fields.iter().map(|(key, value)| {
                        // What is below tagMap are names.
                        let inner = if key == "tagMap" { value.clone() } else { walk(value) };
                        (key.to_uppercase(), inner)
                    });
                    Value::Object(fields.collect())
                }
                Value::Array(items) => items.iter().map(walk).collect(),
                other => other.clone(),
            }
        }
        walk(value)
    };
    let document = json!([{ "association": { "subnet": { "id": "s" } }, "tagMap": { "Sql.WestEurope": ["20.61.99.192/29"] },
        "effectiveSecurityRules": [] }]);
    let learned = security(upper(&document).to_string().as_bytes()).learned().clone();
    assert_eq!(learned.canonical_name("sql.westeurope"), Some("Sql.WestEurope"));
}

#[test]
fn service_tags_are_read_from_every_output_format() {
    let list = json!([
        { "name": "Sql", "id": "Sql", "properties": { "changeNumber": 1, "region": "", "addressPrefixes": ["20.61.99.192/29", "2603:1030::/64"] } },
        { "name": "Storage", "id": "Storage", "properties": { "changeNumber": 1, "region": "", "addressPrefixes": ["20.60.0.0/16"] } },
    ]);
    let reference = tags(
        json!({ "changeNumber": 1, "cloud": "Public", "values": list })
            .to_string()
            .as_bytes(),
    );
    let flat: Vec<Value> = list
        .as_array()
        .unwrap()
        .iter()
        .map(|tag| json!({ "Name": tag["name"], "AddressPrefixes": tag["properties"]["addressPrefixes"] }))
        .collect();
    let yaml = "changeNumber: '7'\nvalues:\n- name: Sql\n  properties:\n    addressPrefixes:\n    - 20.61.99.192/29\n    - 2603:1030::/64\n- name: Storage\n  properties:\n    addressPrefixes: [20.60.0.0/16]\n";
    for document in [
        list.to_string(),
        json!(flat).to_string(),
        json!({ "name": "public", "type": "Microsoft.Network/serviceTags", "values": list }).to_string(),
        yaml.into(),
    ] {
        assert_eq!(tags(document.as_bytes()), reference, "{document}");
    }
    // One tag of many is still that tag.
    let one = tags(list[0].to_string().as_bytes());
    assert_eq!(one.canonical_name("sql"), Some("Sql"));
    // A further page is reported.
    let page = json!({ "values": list, "nextLink": "https://management.azure.com/next" }).to_string();
    let notices = NetworkRules::new(None, None, Some(tags(page.as_bytes()))).notices(&Origin::default());
    assert!(notices[0].contains("first page of several"), "{notices:?}");
}

const STATUS_LIST: &str = "

Name             : apimstone1.blob.core.windows.net
Status           : success
Error            :
ResourceType     : BlobStorage
IsOptional       : False
LastUpdated      : 5/2/2026 5:06:38 PM
LastStatusChange : 1/30/2026 5:31:38 PM

Name             : apirpsqlone1.database.windows.net
Status           : failure
Error            : A connection attempt failed because the connected party did not properly respond
                   after a period of time
ResourceType     : SQLDatabase
IsOptional       : False
LastUpdated      : 5/2/2026 5:06:41 PM
LastStatusChange : 1/30/2026 5:31:39 PM

";

#[test]
fn network_status_is_read_without_its_region() {
    let reference = imported(
        &json!([
            { "name": "apimstone1.blob.core.windows.net", "status": "success", "error": "", "resourceType": "BlobStorage", "isOptional": false },
            { "name": "apirpsqlone1.database.windows.net", "status": "failure", "resourceType": "SQLDatabase", "isOptional": false },
        ])
        .to_string(),
        DocumentKind::NetworkStatus,
    );
    assert_eq!(reference.targets.len(), 2);
    assert!(
        reference.notices[0].contains("does not contain the region and name servers"),
        "{:?}",
        reference.notices
    );
    let list = imported(STATUS_LIST, DocumentKind::NetworkStatus);
    assert_eq!(list.targets, reference.targets);
    assert_eq!(
        list.view.locations[0].statuses[1]
            .error
            .as_deref()
            .map(|error| error.starts_with("A connection attempt")),
        Some(true)
    );
    // PowerShell does not show the time zone.
    assert!(
        list.notices
            .iter()
            .any(|notice| notice.contains("ages are not compared: \"5/2/2026 5:06:38 PM\"")),
        "{:?}",
        list.notices
    );
    let table = "\
Name                              Status  Error ResourceType IsOptional
----                              ------  ----- ------------ ----------
apimstone1.blob.core.windows.net  success       BlobStorage       False
apirpsqlone1.database.windows.net failure       SQLDatabase       False
";
    assert_eq!(imported(table, DocumentKind::NetworkStatus).targets, reference.targets);
    let yaml = "- location: West Europe\n  networkStatus:\n    connectivityStatus:\n    - isOptional: false\n      name: apimstone1.blob.core.windows.net\n      resourceType: BlobStorage\n      status: success\n    - isOptional: false\n      name: apirpsqlone1.database.windows.net\n      resourceType: SQLDatabase\n      status: failure\n    dnsServers:\n    - 168.63.129.16\n";
    let yaml = imported(yaml, DocumentKind::NetworkStatus);
    assert_eq!(yaml.targets, reference.targets);
    assert_eq!(yaml.view.locations[0].region.as_deref(), Some("westeurope"));
    assert_eq!(yaml.notices, Vec::<String>::new());
}

#[test]
fn dependencies_are_read_from_every_output_format() {
    let page = json!({ "value": [
        { "category": "Azure SQL", "endpoints": [{ "domainName": "apirpsqlone1.database.windows.net", "endpointDetails": [{ "port": 1433, "region": "West US" }] }] },
        { "category": "Azure Storage", "endpoints": [{ "domainName": "apimstone1.blob.core.windows.net", "endpointDetails": [{ "port": 443 }] }] },
    ], "nextLink": "" });
    let reference = imported(&page.to_string(), DocumentKind::Dependencies);
    assert_eq!((reference.targets.len(), reference.next.as_deref()), (2, None));
    let yaml = "value:\n- category: Azure SQL\n  endpoints:\n  - domainName: apirpsqlone1.database.windows.net\n    endpointDetails:\n    - port: 1433\n      region: West US\n- category: Azure Storage\n  endpoints:\n  - domainName: apimstone1.blob.core.windows.net\n    endpointDetails:\n    - port: 443\n";
    for text in [
        page["value"].to_string(),
        format!("{{- Finished ..{}", &page.to_string()[1..]),
        json!({ "StatusCode": 200, "Content": page.to_string() }).to_string(),
        yaml.into(),
    ] {
        assert_eq!(
            imported(&text, DocumentKind::Dependencies).targets,
            reference.targets,
            "{text}"
        );
    }
    // One category alone is incomplete, but not wrong.
    assert_eq!(
        imported(&page["value"][0].to_string(), DocumentKind::Dependencies).targets,
        reference.targets[..1]
    );
    // Without categories, there are only hosts and ports.
    let endpoints = json!([page["value"][0]["endpoints"][0], page["value"][1]["endpoints"][0]]);
    let bare = imported(&endpoints.to_string(), DocumentKind::Dependencies);
    let places = |document: &ImportedDocument| {
        document
            .targets
            .iter()
            .map(|target| (target.place.clone(), target.port))
            .collect::<Vec<_>>()
    };
    assert_eq!(places(&bare), places(&reference));
}

#[test]
fn empty_list_is_accepted_with_a_notice() {
    for empty in [
        "[]",
        r#"{"value": []}"#,
        r#"{"value": [], "nextLink": null}"#,
        r#"{"networkSecurityGroups": []}"#,
        "[[]]",
    ] {
        let bytes = empty.as_bytes();
        let notices = |rules: NetworkRules| rules.notices(&Origin::default());
        for notices in [
            notices(NetworkRules::new(Some(security(bytes)), None, None)),
            notices(NetworkRules::new(None, Some(routes(bytes)), None)),
            notices(NetworkRules::new(None, None, Some(tags(bytes)))),
            imported(empty, DocumentKind::NetworkStatus).notices,
            imported(empty, DocumentKind::Dependencies).notices,
        ] {
            assert_eq!(notices.len(), 1, "{empty}: {notices:?}");
        }
        // Invalid routes predict nothing.
        assert!(!NetworkRules::new(None, Some(routes(bytes)), None).can_predict());
    }
}

/// A table of routes, and the same in another form.
fn rows() -> impl Strategy<Value = Vec<[String; 5]>> {
    let prefix = (any::<[u8; 4]>(), 0_u8..=32).prop_map(|(octets, length)| {
        let [a, b, c, d] = octets;
        format!("{a}.{b}.{c}.{d}/{length}")
    });
    let prefixes = prop::collection::vec(prefix, 1..4).prop_map(|prefixes| prefixes.join(" "));
    let hops = prop::collection::vec(any::<[u8; 4]>(), 0..3).prop_map(|hops| {
        let hops: Vec<String> = hops.iter().map(|[a, b, c, d]| format!("{a}.{b}.{c}.{d}")).collect();
        hops.join(" ")
    });
    let source = prop::sample::select(vec!["Default", "User", "VirtualNetworkGateway"]);
    let state = prop::sample::select(vec!["Active", "Invalid"]);
    let hop = prop::sample::select(vec![
        "VnetLocal",
        "Internet",
        "VirtualAppliance",
        "None",
        "VirtualNetworkGateway",
    ]);
    let row = (source, state, prefixes, hop, hops)
        .prop_map(|(source, state, prefixes, hop, hops)| [source.into(), state.into(), prefixes, hop.into(), hops]);
    prop::collection::vec(row, 1..8)
}

fn aligned(headings: &[&str; 5], rows: &[[String; 5]], gap: usize, rule: fn(usize, usize) -> usize) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].len());
        cells.chain([headings[column].len()]).max().unwrap()
    };
    let widths: Vec<usize> = (0..5).map(width).collect();
    let line = |cells: Vec<String>| {
        let cells = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join(&" ".repeat(gap)).trim_end().to_owned()
    };
    let mut lines = vec![
        line(headings.iter().map(ToString::to_string).collect()),
        line(
            (0..5)
                .map(|column| "-".repeat(rule(headings[column].len(), widths[column])))
                .collect(),
        ),
    ];
    lines.extend(rows.iter().map(|row| line(row.to_vec())));
    lines.join("\n") + "\n"
}

proptest! {
    #[test]
    fn random_route_tables_are_read_like_their_json(rows in rows()) {
        let list = |text: &str| text.split(' ').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
        let document: Vec<Value> = rows
            .iter()
            .map(|[source, state, prefixes, hop, hops]| {
                json!({ "source": source, "state": state, "addressPrefix": list(prefixes), "nextHopType": hop, "nextHopIpAddress": list(hops) })
            })
            .collect();
        let reference = routes(json!(document).to_string().as_bytes());

        let az = aligned(&["Source", "State", "Address Prefix", "Next Hop Type", "Next Hop IP"], &rows, 2, |_, width| width);
        prop_assert_eq!(&routes(az.as_bytes()), &reference, "{}", az);

        let braces = |text: &str| format!("{{{}}}", list(text).join(", "));
        let braced: Vec<[String; 5]> = rows
            .iter()
            .map(|[source, state, prefixes, hop, hops]| [source.clone(), state.clone(), braces(prefixes), hop.clone(), braces(hops)])
            .collect();
        let headings = ["Source", "State", "AddressPrefix", "NextHopType", "NextHopIpAddress"];
        let table = aligned(&headings, &braced, 1, |heading, _| heading);
        prop_assert_eq!(&routes(table.as_bytes()), &reference, "{}", table);

        let object = |row: &[String; 5]| {
            let lines = headings.iter().zip(row).map(|(name, cell)| format!("{name:16} : {cell}"));
            lines.collect::<Vec<_>>().join("\n") + "\n"
        };
        let objects: Vec<String> = braced.iter().map(object).collect();
        let objects = objects.join("\n");
        prop_assert_eq!(&routes(objects.as_bytes()), &reference, "{}", objects);

        for separator in [",", ";", "\t"] {
            let quoted = |cell: &String| if cell.contains(' ') { format!("\"{}\"", cell.replace(' ', ", ")) } else { cell.clone() };
            let lines = rows.iter().map(|row| row.iter().map(quoted).collect::<Vec<_>>().join(separator));
            let csv = [headings.join(separator)].into_iter().chain(lines).collect::<Vec<_>>().join("\r\n");
            prop_assert_eq!(&routes(csv.as_bytes()), &reference, "{}", csv);
        }
    }
}
