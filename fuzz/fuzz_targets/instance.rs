//! An instance's own documents, in any form, and the plan that is made from them.

#![no_main]

use std::sync::LazyLock;

use apim_probe::{
    azure::Cloud,
    catalog::Catalog,
    file,
    import::{Imports, instance::Instance},
    plan::{Plan, PlanScope, Selection, Values},
};
use libfuzzer_sys::fuzz_target;

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::builtin);

fuzz_target!(|bytes: &[u8]| {
    let Some(text) = file::decode(bytes) else { return };
    let loaded = match Instance::read(&text, "file") {
        Ok(loaded) => loaded,
        Err(said) => {
            // Every refusal is one line, with the command that creates the right file.
            assert!(!said.contains(char::is_control), "{said:?}");
            return;
        }
    };
    let region = Some("westeurope".to_owned());
    let imports = Imports::gather(loaded.documents).of(loaded.instance);
    let Ok(joined) = imports.join(CATALOG.clone(), &Values::default(), Cloud::Public, region.as_deref()) else {
        return;
    };
    let scope = PlanScope {
        cloud: Cloud::Public,
        region,
        vnet: None,
        name_servers: Vec::new(),
    };
    if let Ok(plan) = Plan::make(&joined.catalog, &scope, &joined.values, &Selection::default()) {
        let harmful = |text: &str| text.contains(char::is_control);
        // Every target is a valid name, whatever a document contains.
        let wrong = plan
            .endpoints
            .iter()
            .find(|endpoint| harmful(&endpoint.host) || harmful(&endpoint.id));
        assert!(wrong.is_none(), "{wrong:?}");
    }
});
