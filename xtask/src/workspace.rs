//! What this workspace has, as Cargo tells it: no script keeps a list of crates.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, ensure};
use serde::Deserialize;

/// The name of the package with the binary.
pub const HOST: &str = "switchboard-host";

/// The packages of this workspace and its folders.
#[derive(Debug, Deserialize)]
pub struct Workspace {
    /// The repository.
    #[serde(rename = "workspace_root")]
    pub root: PathBuf,
    /// Where Cargo builds.
    #[serde(rename = "target_directory")]
    pub target: PathBuf,
    packages: Vec<Package>,
}

/// One package.
#[derive(Debug, Clone, Deserialize)]
pub struct Package {
    pub name: String,
    pub version: String,
    manifest_path: PathBuf,
    targets: Vec<Target>,
}

#[derive(Debug, Clone, Deserialize)]
struct Target {
    name: String,
    crate_types: Vec<String>,
}

impl Workspace {
    /// Asks Cargo.
    pub fn read() -> anyhow::Result<Self> {
        let output = cargo().args(["metadata", "--no-deps", "--format-version=1"]).output().context("cargo can't be run")?;
        ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr).trim());
        serde_json::from_slice(&output.stdout).context("cargo metadata has an unknown form")
    }

    /// The packages below a folder of the repository that are built as plugins.
    pub fn plugins(&self, folder: &str) -> Vec<&Package> {
        let folder = self.root.join(folder);
        self.packages
            .iter()
            .filter(|package| package.library().is_some() && package.manifest_path.starts_with(&folder))
            .collect()
    }

    /// The package of this name.
    pub fn package(&self, name: &str) -> anyhow::Result<&Package> {
        self.packages.iter().find(|package| package.name == name).with_context(|| format!("there is no package {name}"))
    }

    /// Builds packages in release.
    pub fn build<'a>(&self, packages: impl IntoIterator<Item = &'a Package>) -> anyhow::Result<()> {
        let mut command = cargo();
        command.args(["build", "--release", "--package", HOST]);
        for package in packages {
            command.args(["--package", &package.name]);
        }
        let status = command.current_dir(&self.root).status().context("cargo can't be run")?;
        ensure!(status.success(), "the build failed");
        Ok(())
    }

    /// A file of the release build.
    pub fn built(&self, file: impl AsRef<Path>) -> PathBuf {
        self.target.join("release").join(file)
    }
}

impl Package {
    /// The file name of the library, `libNAME.so`, of a package that is built as a plugin.
    pub fn library(&self) -> Option<String> {
        let is_plugin = |target: &&Target| target.crate_types.iter().any(|kind| kind == "cdylib");
        let target = self.targets.iter().find(is_plugin)?;
        Some(format!("lib{}.so", target.name.replace('-', "_")))
    }

    /// The name of the folder.
    pub fn folder(&self) -> Option<&str> {
        self.manifest_path.parent()?.file_name()?.to_str()
    }
}

/// The Cargo that runs this program.
pub fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}
