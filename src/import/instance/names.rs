//! The user's own names in an instance's documents.

use super::{
    Instance,
    link::UrlOrigin,
    policy::{ApimPolicy, Mention, PolicyScope},
    records::{Backend, Records, Vault},
};

/// A name, with the word for what it names.
pub type OwnName = (&'static str, String);

impl Instance {
    /// Every name of the user's: of the instance, of its parts, and of the hosts that they connect to.
    pub fn own_names(&self) -> Vec<OwnName> {
        let mut names = Vec::new();
        names.extend(self.id.iter().map(|id| ("id", id.clone())));
        if let Some(service) = &self.service {
            names.extend(service.name.iter().map(|name| ("instance", name.clone())));
            let subnets = service.locations.iter().filter_map(|place| place.subnet.as_ref());
            names.extend(subnets.map(|id| ("id", id.clone())));
            for name in &service.host_names {
                names.push(("host", name.host.clone()));
                names.extend(name.vault.iter().map(host));
            }
        }
        self.records.own_names(&mut names);
        names
    }
}

impl Records {
    fn own_names(&self, names: &mut Vec<OwnName>) {
        for logger in &self.loggers {
            names.push(("logger", logger.name.clone()));
            names.extend(logger.endpoint.iter().map(host));
            names.extend(logger.resource.iter().map(|id| ("id", id.clone())));
        }
        for cache in &self.caches {
            names.push(("cache", cache.name.clone()));
            names.extend(cache.resource.iter().map(|id| ("id", id.clone())));
        }
        self.backends.iter().for_each(|backend| backend.own_names(names));
        for api in &self.apis {
            names.extend([("api", api.name.clone()), ("api", api.title.clone())]);
            names.extend(api.url.iter().map(host));
        }
        for value in &self.named_values {
            names.extend([
                ("named-value", value.name.clone()),
                ("named-value", value.title.clone()),
            ]);
            names.extend(value.value.iter().map(host));
            of_vault(value.vault.as_ref(), names);
        }
        for certificate in &self.certificates {
            names.push(("certificate", certificate.name.clone()));
            of_vault(certificate.vault.as_ref(), names);
        }
        for provider in &self.identity_providers {
            names.extend(provider.authority.iter().map(host));
            names.extend(provider.tenants.iter().map(|tenant| ("tenant", tenant.clone())));
        }
        for token in &self.token_hosts {
            names.extend([("provider", token.name.clone()), host(&token.url)]);
        }
        names.extend(self.gateways.iter().map(|name| ("gateway", name.clone())));
        for policy in self.policies.iter().chain(&self.fragments) {
            policy.own_names(names);
        }
    }
}

impl Backend {
    fn own_names(&self, names: &mut Vec<OwnName>) {
        names.push(("backend", self.name.clone()));
        names.extend(self.members.iter().map(|name| ("backend", name.clone())));
        names.extend(self.url.iter().chain(&self.proxy).chain(&self.cluster).map(host));
        names.extend(self.issued.iter().map(|issued| ("certificate", issued.name.clone())));
        names.extend(self.thumbprints.iter().map(|print| ("thumbprint", print.clone())));
    }
}

impl ApimPolicy {
    fn own_names(&self, names: &mut Vec<OwnName>) {
        match &self.scope {
            PolicyScope::Everything => {}
            PolicyScope::Product(name) => names.push(("product", name.clone())),
            PolicyScope::Api(name) => names.push(("api", name.clone())),
            PolicyScope::Operation { api, operation } => {
                names.extend([("api", api.clone()), ("operation", operation.clone())]);
            }
            PolicyScope::Fragment(name) => names.push(("fragment", name.clone())),
        }
        names.extend(self.mentions.iter().filter_map(|mention| match mention {
            Mention::Url { link, .. } | Mention::BackendUrl { link, .. } | Mention::Metadata(link) => Some(host(link)),
            Mention::Backend { name, .. } => Some(("backend", name.clone())),
            Mention::Logger(name) => Some(("logger", name.clone())),
            Mention::Fragment(name) => Some(("fragment", name.clone())),
            Mention::Entra | Mention::Credentials => None,
        }));
    }
}

fn host(link: &UrlOrigin) -> OwnName {
    ("host", link.as_str().to_owned())
}

fn of_vault(vault: Option<&Vault>, names: &mut Vec<OwnName>) {
    let Some(vault) = vault else { return };
    names.push(host(&vault.url));
    names.extend(vault.message.iter().map(|message| ("message", message.clone())));
}
