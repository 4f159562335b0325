//! `apim-probe list`: the plan, and nothing probed.

use std::io;

use super::{Failure, colour, planning, print};
use crate::{
    cli::{ListArgs, PlanFormat},
    plan::{
        document::{self, Document},
        text,
    },
};

/// Shows what would be probed, and why.
pub fn list(arguments: &ListArgs) -> Result<u8, Failure> {
    let planned = planning::plan(&arguments.plan, colour(arguments.color, &io::stderr()))?;
    let vantage = document::Vantage {
        cloud: planned.vantage.cloud,
        region: planned.vantage.region.clone(),
        vnet: planned.vantage.vnet,
        source: planned.vantage.source,
    };
    let document = Document::new(&planned.plan, vantage, Vec::new());
    match arguments.format {
        PlanFormat::Json => {
            let json = serde_json::to_string_pretty(&document)
                .map_err(|error| Failure::agent(format!("cannot write the plan: {error}")))?;
            print(&format!("{json}\n"))?;
        }
        PlanFormat::Text => print(&text::render(&document))?,
    }
    Ok(0)
}
