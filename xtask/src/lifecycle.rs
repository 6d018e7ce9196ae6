//! `cargo xtask lifecycle`: the bench of `tests/lifecycle/bench`, for as long as one likes.

use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::{setup, workspace::Workspace};

/// How it is run.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Bring the changes of this seed; without it, of one that is printed
    #[arg(long)]
    seed: Option<u32>,
    /// Go on for so many seconds at least [default: 60, or 0 with --reloads]
    #[arg(long)]
    seconds: Option<u32>,
    /// Go on until plugins were replaced so many times
    #[arg(long)]
    reloads: Option<u32>,
    /// Measure the pause of so many upgrades instead, with 5,000 idle and 100 active connections
    #[arg(long, conflicts_with_all = ["seed", "seconds", "reloads"])]
    upgrades: Option<u32>,
}

/// Builds what it needs, and runs it; an error if something was lost.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let workspace = Workspace::read()?;
    setup::node_modules(&workspace.root.join("tests"))?;
    workspace.build(["plugins", "tests/lifecycle"].into_iter().flat_map(|folder| workspace.plugins(folder)))?;
    let mut command = Command::new("node");
    command
        .arg(if args.upgrades.is_some() { "lifecycle/bench/upgrade.js" } else { "lifecycle/bench/bench.js" })
        .current_dir(workspace.root.join("tests"))
        .env("CARGO_TARGET_DIR", &workspace.target);
    let options =
        [("--seed", args.seed), ("--seconds", args.seconds), ("--reloads", args.reloads), ("--rounds", args.upgrades)];
    for (name, value) in options {
        if let Some(value) = value {
            command.args([name, &value.to_string()]);
        }
    }
    let status = command.status().context("node can't be run")?;
    ensure!(status.success(), "the bench has found a fault");
    Ok(())
}
