//! A reply of the management endpoint, read as each of the requested documents.

#![no_main]

use apim_probe::{
    confirm,
    import::{
        instance::{Instance, InstancePart},
        subnets::{self, NetworkInterface, EndpointPolicy, Subnet},
    },
    model::prediction::NsgAttachment,
    network::{configured, nsg::SecurityRules, routes::Routes},
    vantage::fuzz,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let harmful = |said: &str| said.contains(char::is_control);
    let (refusal, next) = fuzz::management(text);
    assert!(!harmful(&refusal), "{refusal:?}");
    // The token is sent to every link that is followed.
    assert!(
        next.as_ref()
            .is_none_or(|link| link.to_lowercase().contains("management.azure.com")),
        "{next:?}"
    );

    let mut instance = Instance::default();
    for part in InstancePart::ALL {
        if let Err(said) = instance.add(part, text, "the management endpoint") {
            assert!(!harmful(&said), "{said:?}");
        }
    }
    subnets::nic_ids_of(text);
    let _ = (NetworkInterface::read(text), Subnet::read(text), EndpointPolicy::read(text));
    // The result has the form of Azure's own rules.
    let groups = [(NsgAttachment::Subnet, text.to_owned())];
    let rules = SecurityRules::parse(&configured::security(&groups));
    assert!(rules.as_ref().err().is_none_or(|said| !harmful(said)), "{rules:?}");
    let routes = Routes::parse(&configured::routes(Some(text), Some(text)));
    assert!(routes.as_ref().err().is_none_or(|said| !harmful(said)), "{routes:?}");

    if let Ok(answer) = confirm::read(text, "TCP", "2026-11-26T00:00:00Z".parse().unwrap()) {
        let hops = answer
            .hops
            .iter()
            .flat_map(|hop| hop.issues.iter().chain([&hop.kind]).chain(&hop.address));
        for said in hops.chain([&answer.status]) {
            assert!(!harmful(said) && said.chars().count() <= 201, "{said:?}");
        }
    }
});
