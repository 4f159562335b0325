//! A fake Azure CLI, as far as `scripts/collect.sh` uses it: `az rest` returns the content of a file for
//! each URL, reduced by the query like `az` does. `AZ_ANSWERS` is that file, and each requested URL is written to the
//! file `AZ_CALLS`.

use std::{env, fs, io::Write as _};

use anyhow::{Context, Result, bail};
use serde_json::Value;

const ENDPOINT: &str = "https://management.azure.com";

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let flag = |name: &str| arguments.iter().skip_while(|word| *word != name).nth(1).cloned();
    match arguments.first().map(String::as_str) {
        Some("cloud") => {
            println!("{ENDPOINT}/");
            return Ok(());
        }
        Some("rest") => {}
        _ => bail!("only `az cloud show` and `az rest` are known: {arguments:?}"),
    }
    let (url, query) = (
        flag("--url").context("no --url")?,
        flag("--query").context("no --query")?,
    );
    let url = if url.starts_with('/') {
        format!("{ENDPOINT}{url}")
    } else {
        url
    };
    let mut calls = fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(env::var("AZ_CALLS")?)?;
    writeln!(calls, "{url}")?;
    let answers: Value = serde_json::from_str(&fs::read_to_string(env::var("AZ_ANSWERS")?)?)?;
    let refused = |code: &str| {
        // As az prints Azure's error.
        eprintln!("ERROR: Failed({{\"error\":{{\"code\":\"{code}\",\"message\":\"The client 'x' may not\"}}}})");
        std::process::exit(1);
    };
    let answer = match answers.get(&url) {
        None => refused("ResourceNotFound"),
        Some(Value::String(code)) => refused(code),
        Some(answer) => answer,
    };
    let cut = jmespath::compile(&query)?.search(answer)?;
    println!("{}", serde_json::to_string_pretty(&cut)?);
    Ok(())
}
