//! An instance whose every detail the management endpoint returns, with resource names that look like ordinary words.

use std::{collections::BTreeSet, fs};

use anyhow::{Result, ensure};
use serde_json::{Value, json};

use super::super::{AgentTest, TestVm, list, text, threads};

const GROUP: &str = "/subscriptions/1-2/resourceGroups/RG-Aardvark_(Überhafen).1/providers";
const INSTANCE: &str = "/subscriptions/1-2/resourceGroups/rg/providers/Microsoft.ApiManagement/service/contoso";
const VM: &str = "/subscriptions/1-2/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm-1";

/// Words from the user's names that appear nowhere else; each appears in the output of a run without `--redact`.
const NAMES: [&str; 32] = [
    // Of the network.
    "aardvark",
    "überhafen",
    "bandicoot",
    "caracal",
    "dormouse",
    "echidna",
    "falcon",
    "gecko",
    "hoopoe",
    "kestrel",
    "manatee",
    "nuthatch",
    "petrel",
    // Of the instance and its parts.
    "contoso",
    "tapir",
    "uakari",
    "fulmar",
    "apimstowl",
    "apirpsqlpika",
    "loris",
    "markhor",
    "peccary",
    "日本",
    "quoll",
    "sifaka",
    "vaquita",
    "weta-func",
    "chub",
    "dace",
    "isopod",
    "zebu",
    // Of its identity.
    "aaaa1111",
];

/// Addresses of the user's network.
const ADDRESSES: [&str; 6] = [
    "10.1.0.4",
    "10.1.7.9",
    "10.1.7.4",
    "10.44.0.77",
    "10.66.0.4",
    "10.66.0.53",
];

/// A part of the instance.
fn part(kind: &str, name: &str, properties: &Value) -> Value {
    json!({ "id": format!("{INSTANCE}/{kind}/{name}"), "name": name, "type": format!("Microsoft.ApiManagement/service/{kind}"), "properties": properties })
}

fn documents() -> Value {
    let network = format!("{GROUP}/Microsoft.Network");
    let subnet = |name: &str| format!("{network}/virtualNetworks/vnet_Bandicoot.x/subnets/{name}");
    let (here, there) = (subnet("snet-Caracal_vm"), subnet("snet.Dormouse"));
    let nic = format!("{network}/networkInterfaces/nic_ibis.01");
    let policy = format!("{network}/serviceEndpointPolicies/sep_Manatee");
    let guarded = |group: &str, table: &str| {
        json!({ "addressPrefix": "10.1.0.0/24", "networkSecurityGroup": { "id": format!("{network}/networkSecurityGroups/{group}") },
            "routeTable": { "id": format!("{network}/routeTables/{table}") } })
    };
    let mut theirs = guarded("nsg-Falcon-a_", "rt-Hoopoe");
    theirs["serviceEndpoints"] = json!([ { "service": "Microsoft.Storage" } ]);
    theirs["serviceEndpointPolicies"] = json!([ { "id": policy } ]);
    let status = |name: &str, kind: &str, status: &str, error: Value| {
        json!({ "name": name, "status": status, "error": error, "resourceType": kind, "isOptional": false,
            "lastUpdated": "2026-11-21T16:40:00Z", "lastStatusChange": "2026-11-20T03:53:44Z" })
    };
    json!({
        VM: { "id": VM, "properties": { "networkProfile": { "networkInterfaces": [ { "id": nic } ] } } },
        nic.as_str(): { "id": nic, "properties": { "macAddress": "00-0D-3A-F8-06-EC", "networkSecurityGroup": null,
            "ipConfigurations": [ { "properties": { "primary": true, "subnet": { "id": here } } } ] } },
        here.as_str(): { "id": here, "properties": guarded("nsg_Echidna.v", "rt.Gecko_1") },
        there.as_str(): { "id": there, "properties": theirs },
        policy.as_str(): { "id": policy, "properties": { "serviceEndpointPolicyDefinitions": [ { "name": "def",
            "properties": { "service": "Microsoft.Storage", "serviceResources": [ "/subscriptions/1-2/resourceGroups/rg-Pangolin" ] } } ] } },
        "": { "id": INSTANCE, "name": "contoso", "type": "Microsoft.ApiManagement/service", "location": "West Europe",
            "sku": { "name": "Premium", "capacity": 1 },
            "identity": { "type": "UserAssigned", "userAssignedIdentities": { format!("{GROUP}/Microsoft.ManagedIdentity/userAssignedIdentities/id_Kinkajou"): { "clientId": "aaaa1111-0000-4000-8000-0000000000c1" } } },
            "properties": { "provisioningState": "Updating", "virtualNetworkType": "Internal", "gatewayUrl": "https://contoso.azure-api.net",
                "privateIPAddresses": ["10.1.7.9"], "publisherName": "Serval & Co. \"KG\"",
                "hostnameConfigurations": [ { "type": "Proxy", "hostName": "api.tapir.zz", "keyVaultId": "https://uakari-kv.vault.azure.net/secrets/cert-Vicuna", "certificateSource": "KeyVault",
                    "certificate": { "subject": "CN=api.tapir.zz, O=Wallaroo \"Holding\" (EU)", "thumbprint": "AB12CD34EF56AB12CD34EF56AB12CD34EF56AB12" } } ],
                "virtualNetworkConfiguration": { "subnetResourceId": there } } },
        "backends": [
            part("backends", "be \"Loris\" 'x' $(id)", &json!({ "url": "https://erp.markhor.zz:8443/x", "protocol": "http" })),
            part("backends", "Peccary.Ümlaut (日本)", &json!({ "url": "http://quoll-intern/", "protocol": "http" })),
            part("backends", "sf", &json!({ "url": "https://sifaka.zz:19080", "protocol": "http", "properties": { "serviceFabricCluster": {
                "managementEndpoints": ["https://sifaka.zz:19080"], "serverX509Names": [ { "name": "*.takin.zz", "issuerCertificateThumbprint": "2222CD34EF56AB12CD34EF56AB12CD34EF56AB12" } ] } } })),
            part("backends", "pool.Urial", &json!({ "type": "Pool", "pool": { "services": [ { "id": format!("{INSTANCE}/backends/be-Vaquita") } ] } })),
            part("backends", "ip", &json!({ "url": "https://10.44.0.77/", "protocol": "http" })),
            part("backends", "fn", &json!({ "url": "https://weta-func.azurewebsites.net/api", "protocol": "http" })),
            part("backends", "proxy", &json!({ "url": "https://behind.yaffle.zz", "protocol": "http", "proxy": { "url": "http://proxy.zebu.zz:3128" } })) ],
        "apis": [ part("apis", "api-barbel;rev=2", &json!({ "displayName": "Chub & Söhne: «orders» | v2", "serviceUrl": "https://dace.zz/", "isCurrent": true })) ],
        "namedValues": [ part("namedValues", "nv", &json!({ "displayName": "Hake-Secret", "secret": true, "keyVault": { "secretIdentifier": "https://isopod.vault.azure.net/secrets/opah",
            "lastStatus": { "code": "Forbidden", "message": "Access denied (oid=aaaa1111-0000-4000-8000-0000000000c2)", "timeStampUtc": "2026-11-20T10:00:00Z" } } })) ],
        "networkstatus": [ { "location": "West Europe", "networkStatus": { "dnsServers": ["10.66.0.53"], "connectivityStatus": [
            status("apimstowl.blob.core.windows.net", "BlobStorage", "success", Value::Null),
            status("apirpsqlpika.database.windows.net", "SQLDatabase", "failure", "no answer within 5 s".into()),
            status("https://fulmar-kv.vault.azure.net", "KeyVault", "failure", "no such host".into()) ] } } ],
    })
}

fn network() -> String {
    let nic = format!("{GROUP}/Microsoft.Network/networkInterfaces/nic_ibis.01");
    let group = format!("{GROUP}/Microsoft.Network/networkSecurityGroups/nsg_Echidna.v");
    let rules = json!({ "value": [ { "networkSecurityGroup": { "id": group },
        "association": { "subnet": { "id": format!("{GROUP}/Microsoft.Network/virtualNetworks/vnet_Bandicoot.x/subnets/snet-Caracal_vm") } },
        "effectiveSecurityRules": [ { "name": "securityRules/Deny_Kestrel.sql", "priority": 200, "direction": "Outbound", "access": "Deny", "protocol": "Tcp",
            "sourcePortRange": "0-65535", "destinationPortRange": "1433-1433", "sourceAddressPrefix": "0.0.0.0/0", "destinationAddressPrefix": "0.0.0.0/0" } ] } ] });
    let routes = json!({ "value": [ { "name": "route_Nuthatch", "source": "User", "state": "Active", "addressPrefix": ["0.0.0.0/0"],
        "nextHopType": "VirtualAppliance", "nextHopIpAddress": ["10.66.0.4"] } ] });
    let check = json!({ "connectionStatus": "Disconnected", "probesSent": 3, "probesFailed": 3, "hops": [ { "type": "Source", "address": "10.1.7.4",
        "issues": [ { "origin": "Outbound", "severity": "Error", "type": "NetworkSecurityRule", "context": [ { "key": "RuleName", "value": "UserRule_Petrel-no" } ] } ] } ] });
    let network = json!({
        "management": { "documents": documents(), "operations": {
            format!("{nic}/effectiveNetworkSecurityGroups"): { "result": rules },
            format!("{nic}/effectiveRouteTable"): { "result": routes },
            "connectivityCheck": { "result": check } } },
        "names": {
            "fulmar-kv.vault.azure.net": { "cnames": ["fulmar-kv.privatelink.vaultcore.azure.net"], "rcode": 3, "soa_zone": "privatelink.vaultcore.azure.net" },
            "apimstowl.blob.core.windows.net": { "addresses": ["20.90.0.1"] },
            "apirpsqlpika.database.windows.net": { "addresses": ["20.90.0.2"] } },
        "services": { "sifaka.zz:19080": { "protocol": "https", "tls": { "certificate": { "issued_by": "inspection" } } } },
        "faults": [ { "to": "*:1433", "action": "drop" }, { "to": "10.44.0.77:443", "action": "prohibited" } ],
    });
    network.to_string()
}

pub(super) const TEST: AgentTest = AgentTest {
    name: "redact/hides-what-the-management-endpoint-returned",
    catalog: None,
    network,
    check: |vm| {
        let plain = said(vm, &[])?;
        let words = || NAMES.into_iter().chain(ADDRESSES);
        let met: BTreeSet<&str> = words()
            .filter(|word| plain.iter().any(|(_, text)| holds(text, word)))
            .collect();
        let missed: Vec<&str> = words().filter(|word| !met.contains(word)).collect();
        ensure!(missed.is_empty(), "in no output: {missed:?}");
        let redacted = said(vm, &["--redact"])?;
        let leaks: Vec<String> = redacted
            .iter()
            .flat_map(|(what, text)| {
                words()
                    .filter(|word| holds(text, word))
                    .map(move |word| format!("{what}: {word}"))
            })
            .collect();
        ensure!(leaks.is_empty(), "{}", leaks.join("\n"));
        still_ours(&plain, &redacted)
    },
};

fn holds(text: &str, word: &str) -> bool {
    let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
    let is_address = word.starts_with(|c: char| c.is_ascii_digit());
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        !is_address || !(is_digit(before) || is_digit(text[at + word.len()..].chars().next()))
    })
}

/// Everything that runs with some flags write, each with what it is, in lower case; of two reports also what `compare`
/// and `diff` make.
fn said(vm: &TestVm, more: &[&str]) -> Result<Vec<(String, String)>> {
    let roots = vm.lab.ca_file()?.display().to_string();
    let path = |format: &str| vm.lab.folder().join(format!("{format}.out"));
    let mut told = Vec::new();
    let mut tell = |what: &str, text: String| told.push((what.to_owned(), text.to_lowercase()));
    let run = |flags: &[&str]| -> Result<_> {
        let mut run = vm.lab.agent(threads::agent())?;
        run.args([
            "run",
            "--service",
            INSTANCE,
            "--ca-file",
            &roots,
            "--management-ca-file",
            &roots,
            "--timeout",
            "1s",
        ]);
        let output = run.args(more).args(flags).output()?;
        ensure!(output.status.code() == Some(1), "{}", text(&output.stderr));
        Ok(output)
    };
    let files: Vec<String> = super::FORMATS
        .iter()
        .map(|format| format!("{format}:{}", path(format).display()))
        .collect();
    let mut flags = vec!["--confirm", "--format", "json"];
    flags.extend(files.iter().flat_map(|file| ["-o", file.as_str()]));
    let output = run(&flags)?;
    tell("stdout", text(&output.stdout));
    tell("stderr", text(&output.stderr));
    for format in super::FORMATS {
        tell(format, fs::read_to_string(path(format))?);
    }
    let again = path("again").display().to_string();
    for flags in [&["-v"][..], &["-vv", "-o", &format!("json:{again}")]] {
        let output = run(flags)?;
        tell(flags[0], text(&output.stdout) + &text(&output.stderr));
    }
    let first = path("json").display().to_string();
    let reports = [format!("a={first}"), format!("b={again}")];
    for format in ["text", "json", "markdown", "html"] {
        let compare = [reports[0].as_str(), &reports[1], "--format", format];
        tell(&format!("compare {format}"), read_only(vm, "compare", &compare)?);
    }
    for format in ["text", "json"] {
        tell(
            &format!("diff {format}"),
            read_only(vm, "diff", &[&first, &again, "--format", format])?,
        );
    }
    Ok(told)
}

/// The output of a command that only reads reports.
fn read_only(vm: &TestVm, command: &str, arguments: &[&str]) -> Result<String> {
    let output = vm.lab.agent(threads::agent())?.arg(command).args(arguments).output()?;
    ensure!(matches!(output.status.code(), Some(0 | 1)), "{}", text(&output.stderr));
    Ok(text(&output.stdout) + &text(&output.stderr))
}

/// Whether public names stayed: the catalog's dependencies, the platform's zones, the words of a URL.
fn still_ours(plain: &[(String, String)], redacted: &[(String, String)]) -> Result<()> {
    let titles = |told: &[(String, String)]| -> Result<BTreeSet<String>> {
        let report: Value = serde_json::from_str(&told[0].1)?;
        let is_ours = |endpoint: &&Value| endpoint["service_tag"].is_string();
        let ours = list(&report, "endpoints").iter().filter(is_ours);
        Ok(ours
            .filter_map(|endpoint| Some(endpoint["title"].as_str()?.to_owned()))
            .collect())
    };
    let (before, after) = (titles(plain)?, titles(redacted)?);
    ensure!(before == after, "{before:?} became {after:?}");
    for word in [
        "privatelink.vaultcore.azure.net",
        "management.azure.com/subscriptions/subscription-1/resourcegroups/resource-group-1",
        "--nsg-name nsg-1",
        "subnet-",
    ] {
        ensure!(
            redacted.iter().any(|(_, text)| text.contains(word)),
            "{word} is nowhere"
        );
    }
    Ok(())
}
