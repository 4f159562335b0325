//! What an instance's documents hold beside hosts: credentials, passwords, keys. Azure sends some of them in clear to whoever
//! may read. None is in any output, whatever the format, the command and the error; nor is the token.

use std::{fs, path::Path, process::Stdio};

use anyhow::{Context, Result, ensure};
use apim_probe_lab::{Lab, healthy};
use serde_json::{Value, json};

use super::{AGENT, INSTANCE, TOKEN, network};

/// Every secret in the documents begins like this, and goes on with where it stands.
const SECRET: &str = "hunter2";

const FORMATS: [&str; 12] = [
    "text",
    "json",
    "jsonl",
    "junit",
    "html",
    "markdown",
    "csv",
    "openmetrics",
    "nagios",
    "brief",
    "ticket",
    "github",
];

pub(super) fn are_shown_nowhere() -> Result<()> {
    let lists = lists();
    let documents: serde_json::Map<String, Value> = lists
        .iter()
        .filter(|(key, _)| *key != "service")
        .map(|(key, list)| ((*key).to_owned(), list.clone()))
        .chain([(String::new(), lists[0].1.clone())])
        .collect();
    let management = json!({
        "documents": documents,
        "operations": { "connectivityCheck": { "result": { "connectionStatus": "Disconnected", "hops": [] } } },
        "faults": {
            "gateways": { "status": { "code": 403 } },
            "networkstatus": { "status": { "code": 500, "retry_after": 0 } },
            "products": "html",
        },
    });
    let deviations = network(&format!(
        "{{ management: {management}, faults: [ {{ to: '*:1433', does: silence }}, {{ to: '*:8443', does: silence }} ] }}"
    ))?;
    let lab = Lab::enter(&deviations)?;
    let bundle: Value = lists
        .iter()
        .map(|(key, list)| ((*key).to_owned(), list.clone()))
        .collect();
    let text = bundle.to_string();
    let pretty = serde_json::to_string_pretty(&bundle)?;
    let whole = lab.write("instance.json", &text)?;
    let show = Show { lab: &lab };
    let plan = show.of(&["list", "--format", "json", "--no-metadata", "--instance"], &[&whole])?;
    lab.serve(&healthy(&plan, &deviations)?)?;

    // From files: plans, rules, and whatever is said of files that are cut, doubled, or of two instances.
    for flags in [
        &["list"][..],
        &["rules"],
        &["rules", "--kind", "firewall", "--as", "json"],
    ] {
        show.of(&[flags, &["--no-metadata", "--instance"]].concat(), &[&whole])?;
    }
    for (name, broken) in [
        ("cut.json", &text[..text.len() - 2]),
        ("half.json", &pretty[..pretty.len() / 2]),
        ("doubled.json", &format!("{text}{text}")),
        ("other.json", &text.replace("service/contoso", "service/fabrikam")),
        (
            "foreign.json",
            &text.replace("Microsoft.ApiManagement", "Microsoft.Web"),
        ),
        (
            "kinds.json",
            &text
                .replace("\"properties\":{", "\"properties\":[")
                .replace("}}]", "]}]"),
        ),
        ("text.json", &format!("{SECRET}-alone")),
    ] {
        let file = lab.write(name, broken)?;
        show.of(
            &["list", "--no-metadata", "--instance"],
            &[&whole, Path::new("--instance"), &file],
        )?;
        for flag in [
            "--network-status",
            "--dependencies",
            "--effective-nsg",
            "--effective-routes",
            "--service-tags",
        ] {
            show.of(&["list", "--no-metadata", flag], &[&file])?;
        }
    }

    // From the instance itself, in every format, with what the instance says of what is blocked.
    let folder = lab.folder();
    let report = |format: &str| folder.join(format!("report.{format}"));
    let ca = lab.ca_file()?;
    let mut run = lab.agent(AGENT)?;
    run.args([
        "run",
        "-vv",
        "--timeout",
        "300ms",
        "--confirm",
        "--service",
        INSTANCE,
        "--ca-file",
    ]);
    run.arg(&ca)
        .arg("--management-ca-file")
        .arg(&ca)
        .arg("--instance")
        .arg(&whole);
    for format in FORMATS {
        run.arg("-o").arg(format!("{format}:{}", report(format).display()));
    }
    let stderr = show.run(run)?.1;
    ensure!(
        stderr.contains("may not read its self-hosted gateways"),
        "the token never came to the endpoint:\n{stderr}"
    );
    for format in FORMATS {
        let text = fs::read_to_string(report(format)).with_context(|| format.to_owned())?;
        ensure!(
            format == "nagios" || text.contains("orders.example"),
            "{format} does not say what is blocked:\n{text}"
        );
        holds_nothing(&text, format)?;
    }
    let (new, old) = (report("json"), folder.join("old.json"));
    fs::write(&old, fs::read_to_string(&new)?.replace("tcp-timeout", "tcp-refused"))?;
    for format in ["text", "json"] {
        show.of(&["diff", "--format", format], &[&old, &new])?;
    }
    show.of(&["rules", "--no-metadata", "--report"], &[&new])?;
    Ok(())
}

/// Runs the agent and looks at what it says.
struct Show<'a> {
    lab: &'a Lab,
}

impl Show<'_> {
    /// Gives what it says on stdout.
    fn of(&self, flags: &[&str], files: &[&Path]) -> Result<String> {
        let mut agent = self.lab.agent(AGENT)?;
        agent.args(flags).args(files);
        Ok(self.run(agent)?.0)
    }

    /// Gives what it says on stdout and on stderr.
    fn run(&self, mut agent: std::process::Command) -> Result<(String, String)> {
        agent
            .env("RUST_LOG", "trace")
            .env("RUST_BACKTRACE", "full")
            .stdin(Stdio::null());
        let said = agent.output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (stdout, stderr) = (text(&said.stdout), text(&said.stderr));
        holds_nothing(&stdout, &format!("stdout of {agent:?}"))?;
        holds_nothing(&stderr, &format!("stderr of {agent:?}"))?;
        ensure!(!stderr.contains("panicked"), "{stderr}");
        Ok((stdout, stderr))
    }
}

fn holds_nothing(text: &str, place: &str) -> Result<()> {
    // Hosts are shown in lower case.
    let lower = text.to_lowercase();
    for secret in TOKEN.into_iter().chain([SECRET]) {
        ensure!(
            !lower.contains(&secret.to_lowercase()),
            "{secret} is in {place}:\n{text}"
        );
    }
    Ok(())
}

/// Every document of an instance, with a secret wherever one can stand.
fn lists() -> [(&'static str, Value); 15] {
    let url = |host: &str| format!("https://me:hunter2-user@{host}/hunter2-path?code=hunter2-query#hunter2-fragment");
    let entry = |list: &str, name: &str, properties: Value| {
        json!({ "id": format!("{INSTANCE}/{list}/{name}"), "name": name, "type": format!("Microsoft.ApiManagement/service/{list}"),
            "properties": properties })
    };
    let policy = format!(
        "<policies><inbound><authentication-basic username=\"hunter2-basic\" password=\"hunter2-basic\" /><set-header name=\"x\">\
         <value>hunter2-header</value></set-header><send-request><set-url>{}</set-url><set-body>hunter2-body</set-body>\
         <proxy url=\"http://u:hunter2-proxy@policyproxy.example:8080\" username=\"u\" password=\"hunter2-proxy\" /></send-request>\
         <set-backend-service base-url=\"{}\" /><set-variable name=\"v\" value=\"@{{ return &quot;hunter2-code&quot;; }}\" />\
         <send-request><set-url>https://@(&quot;hunter2-code&quot;)/x</set-url></send-request></inbound></policies>",
        url("called.example").replace('&', "&amp;"),
        url("set.example").replace('&', "&amp;")
    );
    let broken = policy.replace("</inbound>", "");
    [
        (
            "service",
            json!({ "id": INSTANCE, "name": "contoso", "type": "Microsoft.ApiManagement/service", "location": "West Europe",
                "sku": { "name": "Premium" }, "tags": { "password": "hunter2-tag" }, "properties": {
                "provisioningState": "Succeeded", "virtualNetworkType": "Internal", "privateIPAddresses": ["10.1.0.9"],
                "gatewayUrl": "https://contoso.azure-api.net",
                "hostnameConfigurations": [ { "type": "Proxy", "hostName": "api.example",
                    "keyVaultId": "https://certs.vault.azure.net/secrets/hunter2-name/hunter2-version",
                    "encodedCertificate": "hunter2-pfx", "certificatePassword": "hunter2-pfx" } ],
                "certificates": [ { "storeName": "Root", "encodedCertificate": "hunter2-pfx", "certificatePassword": "hunter2-pfx",
                    "certificate": { "subject": "CN=Corp", "thumbprint": "00" } } ],
                "customProperties": { "x": "hunter2-custom" } } }),
        ),
        (
            "loggers",
            json!([
                entry(
                    "loggers",
                    "audit",
                    json!({ "loggerType": "azureEventHub", "credentials": { "name": "audit",
                    "connectionString": "Endpoint=sb://eh.servicebus.windows.net/;SharedAccessKeyName=x;SharedAccessKey=hunter2-key" } })
                ),
                entry(
                    "loggers",
                    "insights",
                    json!({ "loggerType": "applicationInsights", "credentials": { "instrumentationKey": "hunter2-key" } })
                ),
            ]),
        ),
        (
            "caches",
            json!([entry(
                "caches",
                "default",
                json!({ "useFromLocation": "default", "connectionString": "c.example:6380,password=hunter2-key" })
            )]),
        ),
        (
            "backends",
            json!([
                entry(
                    "backends",
                    "orders",
                    json!({ "url": url("orders.example:8443"), "protocol": "http",
                    "description": "hunter2-description", "credentials": { "authorization": { "scheme": "Basic", "parameter": "hunter2-auth" },
                        "query": { "sig": ["hunter2-query"] }, "header": { "x-functions-key": ["hunter2-header"] },
                        "certificate": ["hunter2-certificate"], "certificateIds": ["hunter2-certificate"] } })
                ),
                entry(
                    "backends",
                    "proxied",
                    json!({ "url": url("behind.example"), "protocol": "http",
                    "proxy": { "url": url("proxy.example:8080"), "username": "hunter2-proxy", "password": "hunter2-proxy" } })
                ),
                entry(
                    "backends",
                    "lost",
                    json!({ "url": "Server=tcp:db.example,1433;User=x;Password=hunter2-sql", "protocol": "http" })
                ),
                entry(
                    "backends",
                    "hub",
                    json!({ "url": "Endpoint=sb://hub/;SharedAccessKey=hunter2-key", "protocol": "http" })
                ),
                entry(
                    "backends",
                    "fabric",
                    json!({ "url": "fabric:/app/hunter2-service", "protocol": "http", "properties": { "serviceFabricCluster": {
                    "managementEndpoints": [url("cluster.example:19080")], "clientCertificateId": "hunter2-certificate",
                    "clientCertificatethumbprint": "hunter2-certificate", "serverX509Names": [ { "name": "hunter2-x509" } ] } } })
                ),
            ]),
        ),
        (
            "apis",
            json!([
                entry(
                    "apis",
                    "shop",
                    json!({ "displayName": "Shop", "isCurrent": true, "serviceUrl": url("shop.example"),
                    "subscriptionKeyParameterNames": { "header": "hunter2-header" }, "authenticationSettings": { "x": "hunter2-auth" } })
                ),
                entry(
                    "apis",
                    "odd",
                    json!({ "displayName": "Odd", "isCurrent": true, "serviceUrl": "https://{{plain}}/x" })
                ),
            ]),
        ),
        ("products", json!([])),
        (
            "namedValues",
            json!([
                entry(
                    "namedValues",
                    "1",
                    json!({ "displayName": "secret", "secret": true, "value": "hunter2-value" })
                ),
                entry(
                    "namedValues",
                    "2",
                    json!({ "displayName": "plain", "secret": false, "value": "p@ss w0rd=hunter2-value" })
                ),
                entry(
                    "namedValues",
                    "3",
                    json!({ "displayName": "url", "secret": false, "value": url("named.example") })
                ),
                entry(
                    "namedValues",
                    "4",
                    json!({ "displayName": "vault", "secret": true, "keyVault": {
                    "secretIdentifier": "https://values.vault.azure.net/secrets/hunter2-name", "identityClientId": "hunter2-client",
                    "lastStatus": { "code": "Success", "timeStampUtc": "2026-11-20T10:00:00Z" } } })
                ),
            ]),
        ),
        (
            "certificates",
            json!([entry(
                "certificates",
                "client",
                json!({ "subject": "CN=hunter2-subject", "data": "hunter2-pfx", "password": "hunter2-pfx" })
            )]),
        ),
        (
            "identityProviders",
            json!([entry(
                "identityProviders",
                "aad",
                json!({ "type": "aad", "clientId": "hunter2-client", "clientSecret": "hunter2-secret",
                "authority": url("login.example") })
            )]),
        ),
        (
            "openidConnectProviders",
            json!([entry(
                "openidConnectProviders",
                "o",
                json!({ "displayName": "O", "metadataEndpoint": url("oidc.example"),
                "clientId": "hunter2-client", "clientSecret": "hunter2-secret" })
            )]),
        ),
        (
            "authorizationServers",
            json!([entry(
                "authorizationServers",
                "s",
                json!({ "displayName": "S", "tokenEndpoint": url("token.example"),
                "authorizationEndpoint": url("browser.example"), "clientSecret": "hunter2-secret", "resourceOwnerUsername": "hunter2-owner",
                "resourceOwnerPassword": "hunter2-owner", "tokenBodyParameters": [ { "name": "p", "value": "hunter2-body" } ] })
            )]),
        ),
        (
            "authorizationProviders",
            json!([entry(
                "authorizationProviders",
                "p",
                json!({ "displayName": "P", "oauth2": { "redirectUrl": url("redirect.example"),
                "grantTypes": { "clientCredentials": { "clientId": "hunter2-client", "clientSecret": "hunter2-secret",
                    "tokenUrl": url("grant.example"), "scopes": "hunter2-scope" } } } })
            )]),
        ),
        (
            "gateways",
            json!([entry(
                "gateways",
                "g",
                json!({ "description": "hunter2-description", "keys": { "primary": "hunter2-key" } })
            )]),
        ),
        (
            "policies",
            json!([{ "id": format!("{INSTANCE}/policies/policy"), "name": "policy", "type": "Microsoft.ApiManagement/service/policies",
                "properties": { "format": "xml", "value": policy } }]),
        ),
        (
            "policyFragments",
            json!([
                entry(
                    "policyFragments",
                    "f",
                    json!({ "value": format!("<fragment>{policy}</fragment>") })
                ),
                entry("policyFragments", "broken", json!({ "value": broken })),
            ]),
        ),
    ]
}
