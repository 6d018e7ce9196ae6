//! `cargo xtask miri`: interprets the tests that lead calls over the boundary of the ABI, and sees what the language does not define.
//!
//! Not a part of `cargo xtask test`: it takes many minutes, and a nightly toolchain. Miri can't load a library; so what it sees is
//! both sides of the boundary in one program.

use std::process::Command;

use anyhow::{Context as _, ensure};

use crate::workspace::Workspace;

/// Runs them; an error if something was found.
pub fn run() -> anyhow::Result<()> {
    let workspace = Workspace::read()?;
    let is_there = miri().arg("--version").output().is_ok_and(|output| output.status.success());
    ensure!(is_there, "Miri is missing: rustup component add miri rust-src --toolchain nightly");
    let status = miri()
        .args(["test", "--package", "switchboard-plugin-api", "--test", "bench", "--target-dir"])
        .arg(workspace.target.join("miri"))
        .current_dir(&workspace.root)
        // How abi_stable casts pointers is fine under this model of aliasing; clocks and random numbers are the system's.
        .env("MIRIFLAGS", "-Zmiri-tree-borrows -Zmiri-disable-isolation")
        .status()
        .context("cargo can't be run")?;
    ensure!(status.success(), "Miri has found a fault, or a test has failed");
    Ok(())
}

/// Not the Cargo that runs this: Miri comes with a nightly toolchain, which rustup finds.
fn miri() -> Command {
    let mut command = Command::new("cargo");
    command.args(["+nightly", "miri"]);
    for variable in ["RUSTUP_TOOLCHAIN", "CARGO", "RUSTC"] {
        command.env_remove(variable);
    }
    command
}
