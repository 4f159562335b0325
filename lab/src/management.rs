//! Azure's management endpoint and the VM's metadata service, as one simulated platform with two entry points.
//!
//! The formats follow the REST specifications of API Management and Microsoft.Network (2024-05-01), and the pages about
//! the Instance Metadata Service and managed identities.

mod request;

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use self::request::PlatformRequest;
use crate::network::{
    DocumentSource, Identities, LabNetwork, Management, ManagementFault, NameResolution, Operation, ServiceAddress,
    ServiceProtocol, SimulatedService,
};

/// The instance that the management endpoint knows.
pub const INSTANCE: &str = "/subscriptions/1-2/resourceGroups/rg/providers/Microsoft.ApiManagement/service/contoso";
/// The VM that the metadata service describes.
pub const MACHINE: &str = "/subscriptions/1-2/resourceGroups/rg/providers/Microsoft.Compute/virtualMachines/vm-1";
/// The managed identity to specify if there are several.
pub const CLIENT_ID: &str = "5e1f0000-0000-0000-0000-00000000beef";
/// The token of the VM's identity.
pub const TOKEN: &str = "eyJhbGciOiJSUzI1NiJ9.eyJzZWNyZXQiOiJ5ZXMifQ.c2lnbmVkLWJ5LW5vYm9keQ";

const HOST: &str = "management.azure.com";
const METADATA: &str = "169.254.169.254";
/// The suffix of an operation's path at which its result is.
const RESULTS: &str = "/operationresults/1";
const PAGE: usize = 100;

/// The requests so far, one per line: `GET /path?query`, and a POST followed by its body.
pub(crate) type Asked = Arc<Mutex<Vec<String>>>;

/// The platform behind both entry points.
#[derive(Debug)]
pub struct Platform {
    what: Management,
    requests: Asked,
    /// How often each path was requested.
    counts: Mutex<HashMap<String, u32>>,
}

/// An answer.
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Reply {
    fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            headers: vec![("Content-Type", "application/json; charset=utf-8".into())],
            body: body.to_string().into_bytes(),
        }
    }

    fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, &json!({ "error": { "code": code, "message": message } }))
    }

    fn missing() -> Self {
        Self::error(404, "ResourceNotFound", "The resource was not found.")
    }

    /// Accepted: the result comes later, elsewhere.
    fn accepted(path: &str) -> Self {
        let place = format!("https://{HOST}{path}{RESULTS}?api-version=2024-05-01");
        Self::json(202, &Value::Null)
            .with("Location", place)
            .with("Retry-After", "0".into())
    }

    fn with(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

/// The network with the services of its platform.
pub(crate) fn completed(network: &LabNetwork, requests: &Asked) -> LabNetwork {
    let mut network = network.clone();
    let Some(what) = network.management.clone() else {
        return network;
    };
    let platform = Arc::new(Platform {
        what,
        requests: Arc::clone(requests),
        counts: Mutex::default(),
    });
    network.names.entry(HOST.into()).or_insert_with(|| NameResolution {
        addresses: vec![[20, 70, 0, 1].into()],
        ..NameResolution::default()
    });
    for (host, port, protocol) in [
        (HOST, 443, ServiceProtocol::Https),
        (METADATA, 80, ServiceProtocol::Http),
    ] {
        network
            .services
            .entry(ServiceAddress::tcp(host, port))
            .or_insert_with(|| SimulatedService {
                platform: Some(Arc::clone(&platform)),
                ..SimulatedService::healthy(protocol)
            });
    }
    network
}

/// Serves requests until the client disconnects; inside TLS it is the management endpoint.
pub(crate) async fn serve<S>(io: &mut S, platform: &Platform, is_tls: bool) -> io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut unread = Vec::new();
    while let Some(request) = request::read(io, &mut unread).await? {
        let line = format!("{} {} {}", request.method, request.target, request.body);
        locked(&platform.requests).push(line.trim_end().to_owned());
        let said = if is_tls {
            platform.management(&request)
        } else {
            Some(platform.metadata(&request))
        };
        let Some(said) = said else {
            return crate::services::idle(io).await;
        };
        let mut head = format!(
            "HTTP/1.1 {} Status\r\nContent-Length: {}\r\n",
            said.status,
            said.body.len()
        );
        for (name, value) in said.headers {
            head.extend([name, ": ", &value, "\r\n"]);
        }
        io.write_all((head + "\r\n").as_bytes()).await?;
        io.write_all(&said.body).await?;
        io.flush().await?;
    }
    Ok(())
}

impl Platform {
    fn metadata(&self, request: &PlatformRequest) -> Reply {
        if request.header("metadata") != Some("true") {
            return Reply::error(400, "bad_request_102", "Required metadata header not specified");
        }
        match request.path() {
            "/metadata/instance" => Reply::json(200, &machine()),
            "/metadata/identity/oauth2/token" => {
                let before = self.count("token");
                match self.what.faults.get("token") {
                    Some(ManagementFault::Status(refusal)) if refusal.times.is_none_or(|times| before < times) => {
                        Reply::error(refusal.code, code(refusal.code), "not now")
                    }
                    _ => self.token(request.query("client_id")),
                }
            }
            _ => Reply::missing(),
        }
    }

    fn token(&self, named: Option<&str>) -> Reply {
        let refused = |why: &str| Reply::json(400, &json!({ "error": "invalid_request", "error_description": why }));
        match (self.what.identities, named) {
            (Identities::None, _) => refused("Identity not found"),
            (Identities::Several, None) => refused(
                "Multiple user assigned identities exist, please specify the clientId / resourceId of the identity in the \
                 token request",
            ),
            (_, Some(other)) if other != CLIENT_ID => refused("Identity not found"),
            _ => Reply::json(
                200,
                &json!({ "access_token": TOKEN, "expires_in": "3599", "token_type": "Bearer" }),
            ),
        }
    }

    /// The answer to a request; `None` for no reply.
    fn management(&self, request: &PlatformRequest) -> Option<Reply> {
        if request.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            return Some(Reply::error(401, "AuthenticationFailed", "Authentication failed."));
        }
        let path = request.decoded_path().to_ascii_lowercase();
        let key = path
            .strip_prefix(&INSTANCE.to_ascii_lowercase())
            .map_or(path.as_str(), |below| below.trim_start_matches('/'));
        let before = self.count(&format!("{} {path}", request.method));
        let operation = key.strip_suffix(RESULTS).unwrap_or(key);
        let faults = &self.what.faults;
        if let Some(fault) = found(faults, operation).or_else(|| faults.get("*")) {
            match fault {
                ManagementFault::Silent => return None,
                ManagementFault::Status(refusal) if refusal.times.is_some_and(|times| before >= times) => {}
                fault => return Some(self.faulty(fault, key, before, request)),
            }
        }
        Some(match request.method.as_str() {
            "POST" => match found(&self.what.operations, key) {
                Some(operation) if operation.pending_polls == 0 => Reply::json(200, &result(operation, &request.body)),
                Some(_) => Reply::accepted(request.path()),
                None => Reply::missing(),
            },
            _ if key != operation => self.polled(operation, request),
            _ => self.document(key, request),
        })
    }

    fn faulty(&self, fault: &ManagementFault, key: &str, before: u32, request: &PlatformRequest) -> Reply {
        let path = request.path();
        let page = |link: String| {
            let mut page = self.list(key, request).unwrap_or_else(|| json!({ "value": [] }));
            page["nextLink"] = link.into();
            Reply::json(200, &page)
        };
        let plain = |body: Vec<u8>| Reply {
            status: 200,
            headers: vec![("Content-Type", "text/html".into())],
            body,
        };
        match fault {
            ManagementFault::EndlessPages => page(format!(
                "https://{HOST}:443{path}?api-version=1&%24skip={}",
                100 * (before + 1)
            )),
            ManagementFault::NextPageAtOtherHost => {
                page(format!("https://evil.example{path}?api-version=1&%24skip=100"))
            }
            ManagementFault::NeverCompletes => Reply::accepted(path.strip_suffix(RESULTS).unwrap_or(path)),
            ManagementFault::Megabytes(size) => plain(vec![b' '; size << 20]),
            ManagementFault::Status(refusal) => {
                let code = refusal.error.as_deref().unwrap_or_else(|| code(refusal.code));
                // Some endpoints send back what they received.
                let said = Reply::error(refusal.code, code, &format!("nothing for {TOKEN}"));
                match refusal.retry_after {
                    Some(seconds) => said.with("Retry-After", seconds.to_string()),
                    None => said,
                }
            }
            ManagementFault::Html | ManagementFault::Silent => plain(b"<html><title>Sign in</title></html>".to_vec()),
        }
    }

    fn document(&self, key: &str, request: &PlatformRequest) -> Reply {
        match self.list(key, request) {
            Some(page) => Reply::json(200, &page),
            None if key.is_empty() => Reply::json(200, &instance()),
            None if key.starts_with('/') || key == "networkstatus" || key.contains("policies") => Reply::missing(),
            // Every list of an instance exists, and is empty.
            None => Reply::json(200, &json!({ "value": [], "count": 0, "nextLink": "" })),
        }
    }

    /// A document, or the requested page of a list.
    fn list(&self, key: &str, request: &PlatformRequest) -> Option<Value> {
        let skip: usize = request.query("%24skip").and_then(|skip| skip.parse().ok()).unwrap_or(0);
        let (all, page) = match found(&self.what.documents, key)? {
            // A network status is the only list that is returned unchanged.
            DocumentSource::Plain(Value::Array(entries)) if key != "networkstatus" => {
                let page: Vec<Value> = entries.iter().skip(skip).take(PAGE).cloned().collect();
                (entries.len(), page)
            }
            DocumentSource::Plain(value) => return Some(value.clone()),
            DocumentSource::Repeated { repeat, entry } => {
                let numbers = (skip..*repeat).take(PAGE);
                (*repeat, numbers.map(|n| filled(entry, "{n}", &n.to_string())).collect())
            }
        };
        let next = if skip + PAGE < all {
            let path = request.path();
            format!(
                "https://{HOST}:443{path}?api-version=2024-05-01&%24skip={}",
                skip + PAGE
            )
        } else {
            String::new()
        };
        Some(json!({ "count": page.len(), "value": page, "nextLink": next }))
    }

    /// The answer to a request for the result of an operation.
    fn polled(&self, key: &str, request: &PlatformRequest) -> Reply {
        let Some(operation) = found(&self.what.operations, key) else {
            return Reply::missing();
        };
        // Each POST begins its own count.
        let polls = self.count(&format!("polled {key}")) % operation.pending_polls.max(1) + 1;
        if polls < operation.pending_polls {
            let path = request.path();
            return Reply::accepted(path.strip_suffix(RESULTS).unwrap_or(path));
        }
        let requests = locked(&self.requests);
        let is_begun = |line: &&String| line.starts_with("POST ") && line.to_ascii_lowercase().contains(key);
        let begun = requests.iter().rev().find(is_begun).cloned();
        Reply::json(200, &result(operation, begun.as_deref().unwrap_or_default()))
    }

    /// Counts a request; returns how many there were before it.
    fn count(&self, what: &str) -> u32 {
        let mut counts = locked(&self.counts);
        let count = counts.entry(what.to_owned()).or_default();
        *count += 1;
        *count - 1
    }
}

/// The content at a path; the case of paths does not matter.
fn found<'a, T>(of: &'a std::collections::BTreeMap<String, T>, key: &str) -> Option<&'a T> {
    of.iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(key))
        .map(|(_, value)| value)
}

/// A result, with the destination from the request.
fn result(operation: &Operation, request: &str) -> Value {
    let body = request.find('{').map_or("", |at| &request[at..]);
    let requests: Value = serde_json::from_str(body).unwrap_or_default();
    match requests["destination"]["address"].as_str() {
        Some(address) => filled(&operation.result, "{address}", address),
        None => operation.result.clone(),
    }
}

/// A document with placeholders filled in.
fn filled(of: &Value, what: &str, with: &str) -> Value {
    serde_json::from_str(&of.to_string().replace(what, with)).unwrap_or_default()
}

/// The instance, if a scenario does not define it.
fn instance() -> Value {
    json!({
        "id": INSTANCE, "name": "contoso", "type": "Microsoft.ApiManagement/service", "location": "West Europe",
        "sku": { "name": "Premium", "capacity": 1 },
        "properties": {
            "provisioningState": "Succeeded", "virtualNetworkType": "External", "platformVersion": "stv2",
            "publicIPAddresses": ["20.80.0.1"], "privateIPAddresses": null, "hostnameConfigurations": [],
            "gatewayUrl": "https://contoso.azure-api.net",
        }
    })
}

/// The VM.
fn machine() -> Value {
    json!({
        "compute": {
            "azEnvironment": "AzurePublicCloud", "location": "westeurope", "resourceId": MACHINE,
            "subscriptionId": "1-2", "name": "vm-1", "vmScaleSetName": ""
        },
        "network": { "interface": [ { "macAddress": "000D3AF806EC", "ipv4": {
            "ipAddress": [ { "privateIpAddress": "10.1.0.4", "publicIpAddress": "" } ],
            "subnet": [ { "address": "10.1.0.0", "prefix": "24" } ]
        } } ] }
    })
}

fn code(status: u16) -> &'static str {
    match status {
        401 => "AuthenticationFailed",
        403 => "AuthorizationFailed",
        404 => "ResourceNotFound",
        409 => "Conflict",
        429 => "TooManyRequests",
        _ => "InternalServerError",
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
