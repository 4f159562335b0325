//! The layers of the source: each module uses only those before it, and the files of the diagnosis have no circular
//! dependencies.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

/// The modules, from the bottom up.
const LAYERS: [&str; 32] = [
    // Basics: words, files, Azure's own facts and documents.
    "text",
    "file",
    "azure",
    "address",
    // The model, the catalog and the plan.
    "model",
    "catalog",
    "plan",
    "import",
    // Network access and measurement.
    "net",
    "hello",
    "vantage",
    "probe",
    // Interpretation.
    "network",
    "rules",
    "diagnosis",
    "assemble",
    "confirm",
    "redact",
    "elsewhere",
    // Output and comparison.
    "report",
    "diff",
    "compare",
    "drift",
    "watch",
    "explain",
    "schema",
    "exit",
    // The program.
    "progress",
    "output",
    "serve",
    "cli",
    "commands",
];

/// A file and what it uses; both as paths from the root of the crate.
#[derive(Debug)]
struct Module {
    path: Vec<String>,
    uses: BTreeSet<Vec<String>>,
}

#[test]
fn modules_use_only_lower_layers() {
    let modules = modules();
    let known: BTreeSet<&str> = LAYERS.into_iter().collect();
    let found: BTreeSet<&str> = modules
        .iter()
        .map(Module::layer)
        .filter(|layer| !matches!(*layer, "lib" | "main"))
        .collect();
    assert_eq!(found, known, "every module has a place in LAYERS");
    assert_eq!(upward_uses(&modules), Vec::<String>::new());
}

#[test]
fn diagnosis_files_have_no_circular_dependency() {
    let modules = modules();
    let diagnosis: Vec<&Module> = modules.iter().filter(|module| module.layer() == "diagnosis").collect();
    assert!(diagnosis.len() > 30);
    assert_eq!(circular_dependency(&diagnosis), None);
}

#[test]
fn upward_use_and_circular_dependency_are_detected() {
    let text = "use crate::{\n    model::{self, Need as Much},\n    text::escape, // net::tcp\n};\n\
                fn f() { crate::probe::run() }\n#[cfg(test)]\nmod tests {\n    use crate::report::Format;\n}\n";
    let plan = Module::read(&["plan"], text);
    let uses: Vec<String> = plan.uses.iter().map(|path| path.join("::")).collect();
    assert_eq!(uses, ["model", "model::Need", "probe::run", "text::escape"]);
    assert_eq!(upward_uses(&[plan]), ["plan uses probe::run"]);

    let above = Module::read(
        &["net", "tls", "chain"],
        "use super::super::dns;\nuse super::super::super::probe::Run;\n",
    );
    assert_eq!(upward_uses(&[above]), ["net::tls::chain uses probe::Run"]);

    let (one, two) = (
        Module::read(&["diagnosis", "one"], "use super::two::Two;\n"),
        Module::read(&["diagnosis", "two"], "use crate::diagnosis::one::One;\n"),
    );
    assert_eq!(circular_dependency(&[&one]), None);
    assert!(circular_dependency(&[&one, &two]).is_some());
}

/// Every use of a module that is not before the one that uses it.
fn upward_uses(modules: &[Module]) -> Vec<String> {
    let place = |layer: &str| LAYERS.iter().position(|known| *known == layer);
    let mut wrong = Vec::new();
    for module in modules {
        for used in module.uses.iter().filter(|used| used[0] != module.layer()) {
            if place(&used[0]) >= place(module.layer()) && place(module.layer()).is_some() {
                wrong.push(format!("{} uses {}", module.path.join("::"), used.join("::")));
            }
        }
    }
    wrong
}

/// Files that use each other in a circle.
fn circular_dependency(modules: &[&Module]) -> Option<Vec<String>> {
    let name = |path: &[String]| path.join("::");
    let files: BTreeSet<String> = modules.iter().map(|module| name(&module.path)).collect();
    let file_of = |path: &[String]| {
        (1..=path.len())
            .rev()
            .map(|end| name(&path[..end]))
            .find(|it| files.contains(it))
    };
    let mut left: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for module in modules {
        let own = name(&module.path);
        let used = module.uses.iter().filter_map(|path| file_of(path));
        let used = used.filter(|used| *used != own).collect();
        left.insert(own, used);
    }
    // A file that uses nothing that is left, or that nothing that is left uses, is in no circle.
    loop {
        let is_used = |file: &String| left.values().any(|used| used.contains(file));
        let uses_some = |used: &BTreeSet<String>| used.iter().any(|used| left.contains_key(used));
        let free = left.iter().find(|(file, used)| !uses_some(used) || !is_used(file));
        let Some(free) = free.map(|(file, _)| file.clone()) else {
            break;
        };
        left.remove(&free);
    }
    (!left.is_empty()).then(|| left.into_keys().collect())
}

impl Module {
    fn layer(&self) -> &str {
        &self.path[0]
    }

    /// Reads the uses in a file, without its tests.
    fn read(path: &[&str], text: &str) -> Self {
        let path: Vec<String> = path.iter().map(ToString::to_string).collect();
        let code: Vec<&str> = text
            .lines()
            .take_while(|line| *line != "mod tests {")
            .map(|line| line.split("//").next().unwrap_or_default())
            .collect();
        let code = code.join("\n");
        let mut uses = BTreeSet::new();
        for (at, _) in code
            .match_indices("use ")
            .filter(|(at, _)| begins_a_statement(&code[..*at]))
        {
            let tree = code[at + "use ".len()..].split(';').next().unwrap_or_default();
            uses.extend(leaves(tree).iter().filter_map(|leaf| from_the_root(&path, leaf)));
        }
        for (at, start) in code.match_indices("crate::") {
            let is_in_a_path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':');
            let rest = &code[at + start.len()..];
            let inline = rest.split(|c| !is_in_a_path(c)).next().unwrap_or_default();
            let inline: Vec<String> = inline
                .split("::")
                .filter(|part| !part.is_empty())
                .map(str::to_owned)
                .collect();
            uses.extend((!inline.is_empty()).then_some(inline));
        }
        Self { path, uses }
    }
}

fn begins_a_statement(before: &str) -> bool {
    let line = before.rsplit('\n').next().unwrap_or_default().trim_start();
    line.is_empty() || line == "pub " || (line.starts_with("pub(") && line.ends_with(") "))
}

/// The paths of a tree of uses: `a::{b, c::d}` gives `a::b` and `a::c::d`.
fn leaves(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim();
    let Some((before, inside)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        let parts = path.split("::").map(|part| part.trim().to_owned());
        return vec![parts.filter(|part| !part.is_empty()).collect()];
    };
    let start: Vec<String> = leaves(before).concat();
    let inside = inside.rsplit_once('}').map_or(inside, |(inside, _)| inside);
    let mut depth = 0;
    let branches = inside.split(|c| {
        depth += i32::from(c == '{') - i32::from(c == '}');
        c == ',' && depth == 0
    });
    branches
        .filter(|branch| !branch.trim().is_empty())
        .flat_map(leaves)
        .map(|leaf| start.iter().cloned().chain(leaf).collect())
        .collect()
}

/// A path relative to the root of the crate; `None` for the root itself.
fn from_the_root(module: &[String], path: &[String]) -> Option<Vec<String>> {
    let ups = path.iter().take_while(|part| *part == "super").count();
    let (base, rest) = match path.first()?.as_str() {
        "crate" => (&[][..], &path[1..]),
        "self" => (module, &path[1..]),
        "super" => (&module[..module.len().checked_sub(ups)?], &path[ups..]),
        // A child, or another crate, which is no file of ours.
        _ => (module, path),
    };
    let rest = rest.iter().filter(|part| *part != "self");
    Some(base.iter().chain(rest).cloned().collect::<Vec<_>>()).filter(|path| !path.is_empty())
}

/// Every file of the source.
fn modules() -> Vec<Module> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut modules = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name != "tests.rs") {
                let module = path.strip_prefix(&root).unwrap().with_extension("");
                let parts: Vec<&str> = module.iter().filter_map(|part| part.to_str()).collect();
                modules.push(Module::read(&parts, &fs::read_to_string(&path).unwrap()));
            }
        }
    }
    modules
}
