//! `cargo xtask licences`: whether what we build on may be shipped with us, and comes from where it should.
//!
//! Why not `cargo deny`: its build takes longer than all of our tests, and what it has beyond this, the advisories, needs a
//! database from the network at each run. This needs Cargo alone, and reads what Cargo and npm know of the locked packages.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use spdx::{Expression, ParseMode};

use crate::workspace::{self, Workspace};

/// Licences that put no condition on us but to name the authors (SPDX).
const ALLOWED: [&str; 12] = [
    "0BSD",
    "Apache-2.0",
    "BlueOak-1.0.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Packages under a licence that binds only their own files: it is kept by shipping them unchanged, which Cargo does.
const UNCHANGED: [(&str, &str); 1] = [
    // Of abi_stable, which has no release without it.
    ("generational-arena", "MPL-2.0"),
];

/// npm packages of old clients that we test with, which say what they are under in a text only, or nowhere. They are installed
/// for the tests by their names; nothing of them is shipped.
const TESTED_WITH: [&str; 8] = [
    "base64-arraybuffer",
    "binarypack",
    "browserchannel",
    "buffercursor",
    "component-inherit",
    "debug",
    "indexof",
    "xmlhttprequest-ssl",
];

/// Checks crates and npm packages; an error names all that don't pass.
pub fn run() -> anyhow::Result<()> {
    let workspace = Workspace::read()?;
    let crates = crates(&workspace)?;
    let modules = modules(&workspace.root.join("tests/package-lock.json"))?;
    let mut faults = Vec::new();
    for package in crates.iter().chain(&modules) {
        faults.extend(package.fault());
    }
    if faults.is_empty() {
        println!("{} crates and {} npm packages have licences that we may ship", crates.len(), modules.len());
        return Ok(());
    }
    bail!("packages that we may not build on:\n  {}", faults.join("\n  "))
}

/// A package that we build or test with.
#[derive(Debug, Deserialize)]
struct Dependency {
    name: String,
    version: String,
    /// SPDX.
    license: Option<String>,
    /// `None` for a crate of this repository.
    source: Option<String>,
}

impl Dependency {
    /// What is wrong with it, if something is.
    fn fault(&self) -> Option<String> {
        let Self { name, version, license, source } = self;
        let says = |what: String| Some(format!("{name} {version} {what}"));
        if let Some(source) = source
            && !source.starts_with("registry+")
        {
            return says(format!("comes from {source}, which isn't a registry"));
        }
        let Some(license) = license else {
            let is_tested_with = source.is_none() && TESTED_WITH.contains(&name.as_str());
            return if is_tested_with { None } else { says("names no licence".to_owned()) };
        };
        let is_allowed = |wanted: &spdx::LicenseReq| {
            wanted.license.id().is_some_and(|id| ALLOWED.contains(&id.name) || UNCHANGED.contains(&(name.as_str(), id.name)))
        };
        // Older crates write a slash for "or".
        match Expression::parse_mode(license, ParseMode::LAX) {
            Ok(expression) if expression.evaluate(is_allowed) => None,
            Ok(_) => says(format!("is under {license}")),
            Err(_) => says(format!("has a licence that can't be read: {license}")),
        }
    }
}

/// All crates of the lock file, for every platform.
fn crates(workspace: &Workspace) -> anyhow::Result<Vec<Dependency>> {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Dependency>,
    }
    let output = workspace::cargo()
        .args(["metadata", "--format-version=1", "--locked"])
        .current_dir(&workspace.root)
        .output()
        .context("cargo can't be run")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
    let metadata: Metadata = serde_json::from_slice(&output.stdout).context("cargo metadata has an unknown form")?;
    Ok(metadata.packages)
}

/// All npm packages of the lock file.
fn modules(lock: &Path) -> anyhow::Result<Vec<Dependency>> {
    #[derive(Deserialize)]
    struct Lock {
        packages: BTreeMap<String, Module>,
    }
    #[derive(Deserialize)]
    struct Module {
        version: Option<String>,
        license: Option<String>,
    }
    let text = fs::read_to_string(lock).with_context(|| format!("{} can't be read", lock.display()))?;
    let lock: Lock = serde_json::from_str(&text).context("the npm lock file has an unknown form")?;
    let module = |(path, module): (String, Module)| Dependency {
        name: path.rsplit("node_modules/").next().unwrap_or(&path).to_owned(),
        version: module.version.unwrap_or_default(),
        license: module.license,
        source: None,
    };
    // The empty path is tests/ itself.
    Ok(lock.packages.into_iter().filter(|(path, _)| !path.is_empty()).map(module).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(license: Option<&str>, source: Option<&str>, expected: Option<&str>) {
        let dependency = Dependency {
            name: "thing".to_owned(),
            version: "1.0.0".to_owned(),
            license: license.map(str::to_owned),
            source: source.map(str::to_owned),
        };
        assert_eq!(dependency.fault().as_deref(), expected);
    }

    #[test]
    fn permissive_licences_pass_in_every_spelling() {
        for license in
            ["MIT", "MIT OR Apache-2.0", "MIT/Apache-2.0", "GPL-3.0-only OR MIT", "(MIT OR Apache-2.0) AND Unicode-3.0"]
        {
            check(Some(license), None, None);
        }
    }

    #[test]
    fn what_binds_us_does_not_pass() {
        check(Some("GPL-3.0-only"), None, Some("thing 1.0.0 is under GPL-3.0-only"));
        check(Some("MIT AND AGPL-3.0-only"), None, Some("thing 1.0.0 is under MIT AND AGPL-3.0-only"));
        check(None, None, Some("thing 1.0.0 names no licence"));
        check(Some("as you like"), None, Some("thing 1.0.0 has a licence that can't be read: as you like"));
    }

    #[test]
    fn a_crate_from_elsewhere_does_not_pass() {
        check(Some("MIT"), Some("registry+https://example.com/index"), None);
        check(
            Some("MIT"),
            Some("git+https://example.com/thing"),
            Some("thing 1.0.0 comes from git+https://example.com/thing, which isn't a registry"),
        );
    }
}
