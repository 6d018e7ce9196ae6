//! `cargo xtask fuzz`: libFuzzer on the targets of `tests/fuzz`.
//!
//! Needs nothing but a C++ compiler beside the usual toolchain: the coverage that libFuzzer steers by is of LLVM and stable, only
//! the sanitizers are not. What was found interesting stays in the build folder and is where the next run begins.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, ensure};

use crate::workspace::{self, Workspace};

/// For which target it is built, so that build scripts and macros are not measured, too.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// What cargo-fuzz sets without a sanitizer; and plugins are linked in, several into one program.
const FLAGS: &str = "--cfg fuzzing --cfg switchboard_static -Cdebug-assertions -Ccodegen-units=1 -Cpasses=sancov-module \
    -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
    -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares";

/// What is fuzzed, and for how long.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Fuzz only this target: a file in tests/fuzz/targets, such as `websocket`; all in turn without it
    target: Option<String>,
    /// For so many seconds, each target
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

/// Builds and runs the targets; an error at the first that finds a fault.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let workspace = Workspace::read()?;
    let folder = workspace.root.join("tests/fuzz");
    let targets = targets(&folder)?;
    if let Some(wanted) = &args.target {
        ensure!(targets.contains(wanted), "there is no target {wanted}; there are: {}", targets.join(", "));
    }
    let build = workspace.target.join("fuzz");
    for target in targets.iter().filter(|target| args.target.as_ref().is_none_or(|wanted| *target == wanted)) {
        println!("── {target} ──");
        compile(&folder, &build, target)?;
        let (corpus, artifacts) = (build.join("corpus").join(target), build.join("artifacts").join(target));
        for folder in [&corpus, &artifacts] {
            fs::create_dir_all(folder).with_context(|| format!("{} can't be made", folder.display()))?;
        }
        let status = Command::new(build.join(PLATFORM).join("release").join(target))
            .arg(format!("-artifact_prefix={}/", artifacts.display()))
            .arg(format!("-max_total_time={}", args.seconds))
            .args(["-timeout=20", "-rss_limit_mb=2048", "-print_final_stats=1"])
            .arg(&corpus)
            .status()
            .with_context(|| format!("{target} can't be run"))?;
        ensure!(status.success(), "{target} has found a fault; what it was given is in {}", artifacts.display());
    }
    Ok(())
}

/// The names of the targets, as their programs are called.
fn targets(folder: &Path) -> anyhow::Result<Vec<String>> {
    let files = fs::read_dir(folder.join("targets")).context("the targets can't be listed")?;
    let name = |file: std::io::Result<fs::DirEntry>| Some(file.ok()?.path().file_stem()?.to_str()?.replace('_', "-"));
    let mut targets: Vec<String> = files.filter_map(name).collect();
    targets.sort_unstable();
    Ok(targets)
}

fn compile(folder: &Path, build: &Path, target: &str) -> anyhow::Result<()> {
    let status = workspace::cargo()
        .args(["build", "--release", "--target", PLATFORM, "--bin", target, "--target-dir"])
        .arg(build)
        .current_dir(folder)
        .env("RUSTFLAGS", FLAGS)
        .status()
        .context("cargo can't be run")?;
    ensure!(status.success(), "{target} can't be built: libFuzzer needs a C++ compiler");
    Ok(())
}
