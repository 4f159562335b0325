//! What matches entries of the catalog: Event Hubs, vaults, caches.

use std::collections::BTreeSet;

use super::{Needs, SettingValue};
use crate::{
    azure::Cloud,
    import::{
        HostOrAddresses, InstanceTarget, host_name,
        instance::{Instance, UrlOrigin, Vault},
        view::Remark,
    },
    text::words,
};

/// Adds what documents contain about the services that the catalog knows.
pub(super) fn add(instance: &Instance, cloud: Cloud, needs: &mut Needs) {
    event_hubs(instance, cloud, needs);
    caches(instance, cloud, needs);
    vaults(instance, needs);
}

/// Event Hubs that the instance logs to: by host if it uses a managed identity, by the name of the resource, or unknown
/// if there is only a connection string.
fn event_hubs(instance: &Instance, cloud: Cloud, needs: &mut Needs) {
    let suffix = match cloud {
        Cloud::Public => Some("servicebus.windows.net"),
        Cloud::Usgov => Some("servicebus.usgovcloudapi.net"),
        Cloud::China => Some("servicebus.chinacloudapi.cn"),
        Cloud::Other(_) => None,
    };
    let mut hidden = Vec::new();
    for logger in instance
        .records
        .loggers
        .iter()
        .filter(|logger| logger.kind == "azureeventhub")
    {
        let host = logger.endpoint.as_ref().and_then(host_of);
        let namespace = logger.resource.as_deref().and_then(|id| word_behind(id, "namespaces"));
        match (host, namespace) {
            (Some(host), _) => needs
                .targets
                .push(target(host, None, "event-hubs", format!("logger {}", logger.name))),
            (None, Some(namespace)) => needs.values.push(SettingValue {
                hosts: suffix
                    .into_iter()
                    .flat_map(|suffix| {
                        let host = format!("{namespace}.{suffix}");
                        let of = format!("logger {}", logger.name);
                        [443, 5671, 5672].map(|port| target(host.clone(), Some(port), "event-hubs", of.clone()))
                    })
                    .collect(),
                setting: "event_hub_namespace",
                value: namespace,
            }),
            (None, None) => hidden.push(format!("logger {}", logger.name)),
        }
    }
    if !hidden.is_empty() {
        needs.notices.push(format!(
            "the connection string of {} is a secret, so its Event Hubs namespace is not known: pass --set \
             event_hub_namespace=NAME",
            words::list(&hidden.iter().map(String::as_str).collect::<Vec<_>>(), 3)
        ));
    }
}

/// External caches, by the name of their resource.
fn caches(instance: &Instance, cloud: Cloud, needs: &mut Needs) {
    let suffix = match cloud {
        Cloud::Public => Some("redis.cache.windows.net"),
        Cloud::Usgov => Some("redis.cache.usgovcloudapi.net"),
        Cloud::China => Some("redis.cache.chinacloudapi.cn"),
        // Its name there is not known.
        Cloud::Other(_) => None,
    };
    for cache in &instance.records.caches {
        let redis = cache.resource.as_deref().and_then(|id| word_behind(id, "redis"));
        match redis.zip(suffix) {
            Some((redis, suffix)) => {
                let host = format!("{redis}.{suffix}");
                needs.values.push(SettingValue {
                    hosts: vec![target(
                        host.clone(),
                        Some(6380),
                        "redis",
                        format!("cache {}", cache.name),
                    )],
                    setting: "redis_host",
                    value: host,
                });
            }
            None => needs.notices.push(format!(
                "no document contains the host of cache {}: pass --set redis_host=HOST, or managed_redis_host=HOST for \
                 Azure Managed Redis",
                cache.name
            )),
        }
    }
}

/// Vaults, and the instance's own last attempt at each.
fn vaults(instance: &Instance, needs: &mut Needs) {
    let mut known = BTreeSet::new();
    let mut add = |link: &UrlOrigin, kind: String, needs: &mut Needs| {
        let host = host_of(link)?;
        if known.insert(host.clone()) {
            needs.targets.push(target(host.clone(), Some(443), "key-vault", kind));
        }
        Some(host)
    };
    let service = instance.service.iter();
    for name in service.flat_map(|service| &service.host_names) {
        if let Some(link) = &name.vault {
            add(link, format!("certificate of {}", name.host), needs);
        }
    }
    let values = instance.records.named_values.iter();
    let values = values.map(|value| (format!("named value {}", value.title), &value.vault));
    let certificates = instance.records.certificates.iter();
    let certificates = certificates.map(|it| (format!("client certificate {}", it.name), &it.vault));
    let mut last: Vec<(String, String, &Vault)> = Vec::new();
    for (of, vault) in values.chain(certificates) {
        let Some(vault) = vault else { continue };
        if let Some(host) = add(&vault.url, of.clone(), needs) {
            last.push((host, of, vault));
        }
    }
    for (host, of, vault) in newest(last) {
        needs.remarks.push(Remark {
            host,
            port: 443,
            sentence: description(&of, vault),
        });
    }
}

/// The newest attempt at each vault for each result: a hundred values of one vault have the same one.
fn newest(mut attempts: Vec<(String, String, &Vault)>) -> Vec<(String, String, &Vault)> {
    attempts.retain(|(_, _, vault)| vault.code.is_some());
    attempts.sort_by_key(|(_, _, vault)| std::cmp::Reverse(vault.at));
    let mut seen = BTreeSet::new();
    attempts.retain(|(host, _, vault)| seen.insert((host.clone(), vault.code.clone())));
    attempts
}

fn description(of: &str, vault: &Vault) -> String {
    let code = vault.code.as_deref().unwrap_or_default();
    let at = vault
        .at
        .map(|at| at.strftime(", %Y-%m-%d %H:%M UTC").to_string())
        .unwrap_or_default();
    let message = vault
        .message
        .as_ref()
        .map(|message| format!(" (\"{message}\")"))
        .unwrap_or_default();
    format!("the instance's own last attempt for {of}{at}: {code}{message}")
}

fn target(host: String, port: Option<u16>, dependency: &'static str, kind: String) -> InstanceTarget {
    InstanceTarget {
        place: HostOrAddresses::Host(host),
        port,
        dependency: Some(dependency),
        kind,
        need: None,
    }
}

fn host_of(link: &UrlOrigin) -> Option<String> {
    match host_name::parse(link.as_str())? {
        (HostOrAddresses::Host(host), _) => Some(host),
        (HostOrAddresses::Addresses(_), _) => None,
    }
}

/// The word after another one in a resource id, if it can be part of a host name.
fn word_behind(id: &str, key: &str) -> Option<String> {
    let mut words = id.split('/').skip_while(|word| !word.eq_ignore_ascii_case(key));
    let name = words.nth(1)?.to_ascii_lowercase();
    crate::text::host::is_label(&name).then_some(name)
}
