//! A catalog and documents full of the user's own names, at every place where a name can be.

use std::{collections::BTreeSet, fs};

use anyhow::{Result, ensure};
use apim_probe_lab::whole_catalog;
use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::super::{AgentTest, TestVm, text};

/// Words from the user's names that appear nowhere else.
const NAMES: [&str; 49] = [
    // Of the catalog.
    "zephyrledger",
    "quillfen",
    "marrowtag",
    "pelagiaworks",
    "brambleacct",
    "saffronix",
    "kestrelgw",
    "cobblestone",
    "wrenfield",
    "thimblepath",
    "gossamer",
    // Of the instance and its parts.
    "larkspur",
    "oakhollow",
    "tidepool",
    "emberline",
    "fenwick",
    "grünspan",
    "hazelmere",
    "ironbark",
    "juniper",
    "kittiwake",
    "lodestar",
    "mistral",
    "nightjar",
    "osprey",
    "pipistrel",
    "quokka",
    "ravenscar",
    "sandpiper",
    "tamarisk",
    "umbrella-co",
    "vellichor",
    "wolfsbane",
    "xanthium",
    "yarrowby",
    "zinnober",
    // Of the network.
    "abercorn",
    "bluethroat",
    "capercaillie",
    "dunlinrule",
    "elderroute",
    "foxglove",
    // Of files.
    "harrowgate",
    "inchworm",
    // Of other parties.
    "jackdaw",
    "klondyke",
    "limpetproxy",
    "murrelet",
    "7c1d0a9e",
];

fn catalog() -> String {
    whole_catalog(
        r#"dependencies:
  - id: zephyrledger-core
    title: "Quillfen ledger (core, EU)"
    need: required
    service_tag: Marrowtag
    impact: Without it Pelagiaworks stands still.
    endpoints:
      - { host: brambleacct.blob.core.windows.net, port: 443, protocol: https }
      - { host: api.saffronix.zz, port: 443, protocol: https }
      - { host: db.ledger.saffronix.zz, port: 1433, protocol: tds }
      - { host: gone.gossamer.intern, port: 443, protocol: https }
      - { host: crl.saffronix.zz, port: 80, protocol: http, path: /thimblepath/root.crl }
      - { host: time.saffronix.zz, port: 123, protocol: ntp }
      - { host: kestrelgw.azure-api.net, port: 443, protocol: https }
      - { host: shown.saffronix.zz, port: 443, protocol: https }
      - { host: login.microsoftonline.com, port: 443, protocol: https }
      - { address: 10.44.0.9, port: 5000, protocol: tcp }
  - id: cobblestone-feature
    title: Cobblestone
    need: feature
    feature: Sign-in of Cobblestone
    impact: Nobody signs in.
    endpoints:
      - { host: www.saffronix.zz, port: 443, protocol: https, note: Ask Wrenfield for it. }
"#,
    )
}

const NETWORK: &str = "
names:
  gone.gossamer.intern: { rcode: 3, soa_zone: gossamer.intern }
  brambleacct.blob.core.windows.net: { cnames: [brambleacct.privatelink.blob.core.windows.net], addresses: [10.44.0.7] }
services:
  'shown.saffronix.zz:443': { protocol: https, tls: { certificate: { names: [edge.jackdaw.zz, '*.klondyke.intern'] } } }
  'login.microsoftonline.com:443': { protocol: https, tls: { certificate: { issued_by: inspection, issuer_common_name: Limpetproxy Issuing CA 2 } } }
faults: [ { to: 'db.ledger.saffronix.zz:1433', action: drop }, { to: '10.44.0.9:5000', action: prohibited } ]";

const INSTANCE: &str = r#"{
  "service": { "id": "/subscriptions/7c1d0a9e-0000-4000-8000-00000000000a/resourceGroups/rg-(Oakhollow)/providers/Microsoft.ApiManagement/service/Larkspur-apim",
    "name": "Larkspur-apim", "type": "Microsoft.ApiManagement/service", "location": "West Europe", "sku": { "name": "Developer" },
    "properties": { "provisioningState": "Updating", "virtualNetworkType": "Internal", "gatewayUrl": "https://larkspur-apim.azure-api.net",
      "privateIPAddresses": ["10.77.3.3"],
      "hostnameConfigurations": [ { "type": "Proxy", "hostName": "api.tidepool.zz", "keyVaultId": "https://emberline.vault.azure.net/secrets/x", "certificateSource": "KeyVault" } ],
      "virtualNetworkConfiguration": { "subnetResourceId": "/subscriptions/7c1d0a9e-0000-4000-8000-00000000000a/resourceGroups/rg-net/providers/Microsoft.Network/virtualNetworks/vnet-Fenwick/subnets/snet.Abercorn" } } },
  "loggers": { "value": [
    { "name": "Grünspan (log)", "properties": { "loggerType": "azureEventHub", "credentials": { "name": "x" } } },
    { "name": "hazelmere", "properties": { "loggerType": "azureEventHub", "credentials": { "endpointAddress": "hazelmere-ns.servicebus.windows.net" } } } ] },
  "caches": { "value": [ { "name": "ironbark", "properties": { "connectionString": "{{juniper-conn}}" } } ] },
  "backends": { "value": [
    { "name": "kittiwake (old)", "properties": { "url": "https://ERP.Lodestar.zz:8443/x", "protocol": "http" } },
    { "name": "mistral-pool", "properties": { "type": "Pool", "pool": { "services": [ { "id": "/backends/nightjar-3" } ] } } },
    { "name": "nowhere-osprey", "properties": { "protocol": "http" } },
    { "name": "short", "properties": { "url": "https://pipistrel/", "protocol": "http" } },
    { "name": "braces", "properties": { "url": "https://{{quokka-host}}.ravenscar.intern", "protocol": "http" } } ] },
  "apis": { "value": [
    { "name": "sandpiper-v2", "properties": { "displayName": "Tamarisk & Söhne: orders", "serviceUrl": "http://10.44.0.11/", "isCurrent": true } } ] },
  "namedValues": { "value": [
    { "name": "umbrella-co", "properties": { "displayName": "Umbrella-Co", "keyVault": { "secretIdentifier": "https://vellichor.vault.azure.net/secrets/y",
        "lastStatus": { "code": "Forbidden", "message": "Wolfsbane may not read it", "timeStampUtc": "2026-11-20T10:00:00Z" } } } } ] },
  "authorizationServers": { "value": [ { "name": "oa", "properties": { "displayName": "Xanthium tokens", "tokenEndpoint": "https://login.xanthium.zz/t" } } ] },
  "policies": { "value": [
    { "id": "/x/apis/sandpiper-v2/operations/yarrowby-get/policies/policy", "properties": { "value": "<policies><inbound><send-request><set-url>https://hook.zinnober.zz/a</set-url></send-request><set-backend-service backend-id=\"kittiwake (old)\" /></inbound></policies>" } },
    { "id": "/x/apis/sandpiper-v2/policies/policy", "properties": { "value": "<policies><inbound><set-url>@(" } } ] }
}"#;

const RULES: &str = r#"{ "value": [ {
  "networkSecurityGroup": { "id": "/subscriptions/7c1d0a9e-0000-4000-8000-00000000000a/resourceGroups/rg-(Oakhollow)/providers/Microsoft.Network/networkSecurityGroups/nsg.Bluethroat" },
  "association": { "subnet": { "id": "/subscriptions/7c1d0a9e-0000-4000-8000-00000000000a/resourceGroups/rg-net/providers/Microsoft.Network/virtualNetworks/vnet-Fenwick/subnets/snet.Abercorn" },
    "networkInterface": { "id": "/subscriptions/7c1d0a9e-0000-4000-8000-00000000000a/resourceGroups/rg-net/providers/Microsoft.Network/networkInterfaces/Capercaillie_nic" } },
  "effectiveSecurityRules": [ {
    "name": "securityRules/Dunlinrule_deny", "protocol": "Tcp", "sourcePortRange": "0-65535", "destinationPortRange": "1433-1433",
    "sourceAddressPrefix": "0.0.0.0/0", "destinationAddressPrefix": "0.0.0.0/0", "access": "Deny", "priority": 400, "direction": "Outbound"
  } ] } ] }"#;

const ROUTES: &str = r#"{ "value": [
  { "name": "elderroute-all", "source": "User", "state": "Active", "addressPrefix": ["0.0.0.0/0"], "nextHopType": "VirtualAppliance", "nextHopIpAddress": ["10.66.0.4"] } ] }"#;

const STATUS: &str = r#"[ { "location": "West Europe", "networkStatus": { "dnsServers": ["10.66.0.53"], "connectivityStatus": [
  { "name": "Foxglove", "status": "failure", "error": "no route to murrelet.intern", "lastUpdated": "2026-11-21T16:40:00Z", "lastStatusChange": "2026-11-20T03:53:44Z", "resourceType": "Odd", "isOptional": false },
  { "name": "brambleacct.blob.core.windows.net", "status": "failure", "error": "murrelet.intern refused", "lastUpdated": "2026-11-21T16:40:00Z", "lastStatusChange": "2026-11-20T03:53:44Z", "resourceType": "BlobStorage", "isOptional": false } ] } } ]"#;

pub(super) const TEST: AgentTest = AgentTest {
    name: "redact/hides-names-in-every-field-of-catalogs-and-documents",
    catalog: Some(catalog),
    network: || NETWORK.to_owned(),
    check: |vm| {
        let files = [
            ("--instance", "harrowgate instance.json", INSTANCE),
            ("--effective-nsg", "inchworm-nsg.json", RULES),
            ("--effective-routes", "routes.json", ROUTES),
            ("--network-status", "status.json", STATUS),
        ];
        let mut common: Vec<String> = ["--timeout", "500ms", "--region", "westeurope"]
            .map(str::to_owned)
            .into();
        for (flag, name, content) in files {
            let path = vm.lab.write(name, content)?;
            common.extend([flag.to_owned(), path.display().to_string()]);
        }
        let plain = said(vm, &common, &[])?;
        let met: BTreeSet<&str> = NAMES
            .into_iter()
            .filter(|name| plain.iter().any(|it| it.holds(name)))
            .collect();
        let missed: Vec<&str> = NAMES.into_iter().filter(|name| !met.contains(name)).collect();
        ensure!(missed.len() <= ABSENT_FROM_ALL_OUTPUT, "in no output: {missed:?}");
        let told = said(vm, &common, &["--redact"])?
            .into_iter()
            .chain(served(vm, &common)?);
        let leaks: Vec<String> = told.flat_map(|it| it.leaks()).collect();
        ensure!(leaks.is_empty(), "{} leaks\n{}", leaks.len(), leaks.join("\n"));
        Ok(())
    },
};

/// How many of the names appear in no output, with or without the flag.
const ABSENT_FROM_ALL_OUTPUT: usize = 8;

/// One output.
struct PrintedOutput {
    what: String,
    text: String,
    lower: String,
}

impl PrintedOutput {
    fn new(what: &str, text: String) -> Self {
        Self {
            what: what.to_owned(),
            lower: text.to_lowercase(),
            text,
        }
    }

    /// Whether it contains a name in any case, percent-encoded, or within base64.
    fn holds(&self, name: &str) -> bool {
        let encoded = encodings(name);
        self.lower.contains(name) || encoded.iter().any(|it| self.text.contains(it))
    }

    fn leaks(&self) -> Vec<String> {
        let leaked = NAMES.into_iter().filter(|name| self.holds(name));
        let line = |name: &str| {
            let at = self.lower.find(name).unwrap_or_default();
            let before: String = self.lower[..at].chars().rev().take(120).collect();
            let before: String = before.chars().rev().collect();
            let behind: String = self.lower[at..].chars().take(120).collect();
            format!("{}: {name}: {before}{behind}", self.what)
        };
        leaked.map(line).collect()
    }
}

/// A name as written in a URL, and its middle in base64 at each of the three possible offsets.
fn encodings(name: &str) -> Vec<String> {
    let percent: String = name
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect();
    let mut all = if percent == name { Vec::new() } else { vec![percent] };
    for before in 0..3 {
        let bytes = [&vec![0; before], name.as_bytes()].concat();
        let text = BASE64_STANDARD.encode(&bytes[..bytes.len() / 3 * 3]);
        all.push(text[if before == 0 { 0 } else { 4 }..].to_owned());
    }
    all
}

/// All output with these flags: each format, each level of detail, on a terminal, and of `watch`.
fn said(vm: &TestVm, common: &[String], more: &[&str]) -> Result<Vec<PrintedOutput>> {
    let common: Vec<&str> = common.iter().map(String::as_str).chain(more.iter().copied()).collect();
    let mut told = Vec::new();
    let path = |format: &str| vm.lab.folder().join(format!("{format}.out"));
    let files: Vec<String> = super::FORMATS
        .iter()
        .map(|format| format!("{format}:{}", path(format).display()))
        .collect();
    let mut flags = common.clone();
    flags.extend(["--format", "json", "--only", "zephyrledger-*,*"]);
    flags.extend(files.iter().flat_map(|file| ["-o", file.as_str()]));
    let output = vm.output("run", &flags)?;
    ensure!(output.status.code() == Some(1), "{}", text(&output.stderr));
    told.push(PrintedOutput::new("stdout", text(&output.stdout)));
    told.push(PrintedOutput::new("stderr", text(&output.stderr)));
    for format in super::FORMATS {
        told.push(PrintedOutput::new(format, fs::read_to_string(path(format))?));
    }
    for detail in ["-v", "-vv"] {
        let output = vm.output("run", &[&common[..], &[detail]].concat())?;
        told.push(PrintedOutput::new(detail, text(&output.stdout)));
    }
    let watch = ["--interval", "1s", "--for", "1s"];
    let output = vm.output("watch", &[&common[..], &watch].concat())?;
    told.push(PrintedOutput::new(
        "watch",
        text(&output.stdout) + &text(&output.stderr),
    ));
    // On a terminal the progress line names the endpoints that it is waiting for.
    let script = r#"for word in "$@"; do line="$line '$word'"; done; script -qefc "$line" /dev/null"#;
    let output = vm.shell(script, &common)?;
    let seen = text(&output.stdout);
    ensure!(
        seen.contains("waiting for"),
        "no terminal: {seen}{}",
        text(&output.stderr)
    );
    told.push(PrintedOutput::new("terminal", seen));
    Ok(told)
}

/// The output and log of `serve`, including an invalid file at a reload.
fn served(vm: &TestVm, common: &[String]) -> Result<Vec<PrintedOutput>> {
    let log = vm.lab.folder().join("murrelet.log");
    let errors = vm.lab.folder().join("errors");
    let broken = vm.lab.folder().join("harrowgate instance.json");
    let script = format!(
        r#"log='{}' errors='{}' broken='{}'
"$@" 2>"$errors" & agent=$!
await() {{ for _ in $(seq 300); do grep -q "$1" "$2" 2>/dev/null && return; sleep 0.1; done; echo "no $1" >&2; kill $agent; exit 1; }}
await '"round"' "$log"
echo '[' >"$broken"; kill -HUP $agent
await 'reload failed' "$errors"
kill -TERM $agent; wait $agent"#,
        log.display(),
        errors.display(),
        broken.display()
    );
    let mut shell = vm.lab.agent("sh")?;
    shell.args(["-c", &script, "sh"]).arg(super::super::threads::agent());
    shell.args(vm.arguments("serve", &[])?).args(common);
    shell
        .args(["--redact", "--interval", "1s", "--listen", "127.0.0.1:0", "--log"])
        .arg(&log);
    let output = shell.output()?;
    ensure!(
        output.status.success(),
        "{}{}",
        text(&output.stderr),
        fs::read_to_string(&errors)?
    );
    Ok(vec![
        PrintedOutput::new("log", fs::read_to_string(&log)?),
        PrintedOutput::new("serve", fs::read_to_string(&errors)?),
    ])
}
