//! `cargo xtask run`: the demo, from sources to a running server.

use std::{ffi::OsStr, fs, os::unix::process::CommandExt as _, path::Path, process::Command};

use anyhow::{Context as _, bail};

use crate::workspace::{Package, Workspace};

/// What is run besides the shipped plugins.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The applications to run, by their folder in examples/
    #[arg(value_name = "EXAMPLE", default_value = "messenger")]
    examples: Vec<String>,
}

/// Builds, drops the libraries into `plugins/`, and becomes the server.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let workspace = Workspace::read()?;
    let (chosen, others): (Vec<_>, Vec<_>) = workspace
        .plugins("examples")
        .into_iter()
        .partition(|package| args.examples.iter().any(|name| package.folder() == Some(name)));
    if let Some(name) = args.examples.iter().find(|name| !chosen.iter().any(|package| package.folder() == Some(name))) {
        bail!("there is no application examples/{name}");
    }
    let mut packages = workspace.plugins("plugins");
    packages.extend(chosen);
    workspace.build(packages.iter().copied())?;

    let folder = workspace.root.join("plugins");
    for package in packages {
        let library = library(package)?;
        drop_in(&workspace.built(&library), &folder.join(&library))?;
    }
    for package in others {
        // One that was run before would answer in place of the one that is wanted now.
        remove(&folder.join(library(package)?))?;
    }
    let error = Command::new(workspace.built("switchboard")).arg("serve").current_dir(&workspace.root).exec();
    Err(error).context("the server can't be started")
}

fn library(package: &Package) -> anyhow::Result<String> {
    package.library().with_context(|| format!("{} is no plugin", package.name))
}

/// Puts a library where a server may be watching: it must never see half of it.
fn drop_in(from: &Path, to: &Path) -> anyhow::Result<()> {
    let name = to.file_name().and_then(OsStr::to_str).context("a library has a name")?;
    let half = to.with_file_name(format!(".{name}.tmp"));
    fs::copy(from, &half)
        .and_then(|_| fs::rename(&half, to))
        .with_context(|| format!("{} can't be copied to {}", from.display(), to.display()))
}

fn remove(file: &Path) -> anyhow::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("{} can't be removed", file.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}
