//! `cargo xtask test`: every test that there is, with a summary.
//!
//! Tests of the whole system run against the release build, as users have it. Everything is run even if something failed
//! before, so that one run shows all that is wrong. `cargo test` runs the Rust tests and not nextest: it is there on every
//! machine, and it runs the examples of the documentation as well. In CI what failed is run once more, and the output says so.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use clap::ValueEnum;

use crate::{
    counts::{Counter, Counts},
    setup,
    workspace::{self, Workspace},
};

/// Which tests are run.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Run only this suite; may be given several times
    #[arg(long, value_enum, value_name = "SUITE")]
    only: Vec<Suite>,
}

/// A part of the tests with a runner of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Suite {
    /// Units, properties, examples in documentation, rules of the repository (cargo test)
    Rust,
    /// The host's concurrency under every interleaving (loom)
    Models,
    /// The npm clients of Primus and raw WebSockets against the running server
    Conformance,
    /// The loader: plugins that come, go, change and fail while the server runs
    Lifecycle,
    /// Our client in Node
    Client,
    /// The messenger and our client in Chromium
    Browser,
    /// Documentation of the plugin API without a warning
    Docs,
}

/// How a suite went.
struct Outcome {
    suite: Suite,
    succeeded: bool,
    counts: Option<Counts>,
    time: Duration,
}

impl Suite {
    fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// Whether it runs the server, by a script of `tests/package.json`.
    fn is_of_system(self) -> bool {
        match self {
            Self::Conformance | Self::Lifecycle | Self::Client | Self::Browser => true,
            Self::Rust | Self::Models | Self::Docs => false,
        }
    }

    fn command(self, workspace: &Workspace) -> Command {
        if self.is_of_system() {
            let mut command = Command::new("npm");
            command
                .args(["run", "--silent", &self.name()])
                .current_dir(workspace.root.join("tests"))
                // Where the tests find the build.
                .env("CARGO_TARGET_DIR", &workspace.target);
            return command;
        }
        let mut command = workspace::cargo();
        command.current_dir(&workspace.root);
        match self {
            Self::Docs => {
                command.args(["doc", "--no-deps", "--package", "switchboard-plugin-api"]).env("RUSTDOCFLAGS", "-D warnings")
            }
            // Built apart: the flag is one of all crates. Optimised, since it is run millions of times.
            Self::Models => command
                .args(["test", "--package", "switchboard-concurrency", "--release", "--test", "models", "--target-dir"])
                .arg(workspace.target.join("loom"))
                .env("RUSTFLAGS", "--cfg loom"),
            _ => command.args(["test", "--workspace", "--no-fail-fast"]),
        };
        command
    }
}

/// Runs the suites in turn; an error at the end if one of them failed.
pub fn run(args: &Args) -> anyhow::Result<()> {
    let workspace = Workspace::read()?;
    let suites: Vec<Suite> =
        Suite::value_variants().iter().copied().filter(|suite| args.only.is_empty() || args.only.contains(suite)).collect();
    if suites.iter().any(|suite| suite.is_of_system()) {
        setup::node_modules(&workspace.root.join("tests"))?;
        let folders = ["plugins", "examples", "tests/conformance", "tests/lifecycle"];
        workspace.build(folders.into_iter().flat_map(|folder| workspace.plugins(folder)))?;
    }
    if suites.contains(&Suite::Browser) {
        setup::chromium()?;
    }
    let mut outcomes = Vec::new();
    let in_ci = std::env::var_os("CI").is_some();
    for suite in suites {
        let mut outcome = run_suite(suite, &workspace)?;
        // As `tests/suite.js` does with the files of the other suites.
        if suite == Suite::Rust && in_ci && !outcome.succeeded {
            println!("\nonce more: {}", suite.name());
            outcome = run_suite(suite, &workspace)?;
            if outcome.succeeded {
                println!("passed at the second time only: {}", suite.name());
            }
        }
        outcomes.push(outcome);
    }
    print!("{}", summary(&outcomes));
    if outcomes.iter().all(|outcome| outcome.succeeded) { Ok(()) } else { bail!("not all tests passed") }
}

fn run_suite(suite: Suite, workspace: &Workspace) -> anyhow::Result<Outcome> {
    println!("\n── {} ──", suite.name());
    let start = Instant::now();
    let mut command = suite.command(workspace);
    let mut child = command.stdout(Stdio::piped()).spawn().with_context(|| format!("{command:?} can't be run"))?;
    let mut counter = Counter::default();
    for line in BufReader::new(child.stdout.take().context("its output was asked for")?).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        counter.read(&line);
        println!("{line}");
    }
    let succeeded = child.wait()?.success();
    Ok(Outcome { suite, succeeded, counts: counter.finish(), time: start.elapsed() })
}

/// A table, and below it the sum if it is the true one: every suite that counts tests has counted to its end.
fn summary(outcomes: &[Outcome]) -> String {
    let mut text = String::from("\n");
    let mut sum = Some(Counts::default());
    for Outcome { suite, succeeded, counts, time } in outcomes {
        let tests = match counts {
            Some(Counts { passed, failed, skipped }) => format!("{passed} passed, {failed} failed, {skipped} skipped"),
            None if *suite == Suite::Docs => String::new(),
            None => {
                sum = None;
                "its runner did not come to its end".to_owned()
            }
        };
        let state = if *succeeded { "ok" } else { "FAILED" };
        text += format!("{:<12} {state:<7} {:>6.1} s  {tests}", suite.name(), time.as_secs_f64()).trim_end();
        text.push('\n');
        if let (Some(sum), Some(counts)) = (&mut sum, counts) {
            *sum += *counts;
        }
    }
    if let Some(Counts { passed, failed, skipped }) = sum {
        let skipped = if skipped == 0 { String::new() } else { format!(", {skipped} skipped") };
        text += &format!("\n{passed} passed, {failed} failed{skipped}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(suite: Suite, succeeded: bool, counts: Option<(usize, usize, usize)>) -> Outcome {
        let counts = counts.map(|(passed, failed, skipped)| Counts { passed, failed, skipped });
        Outcome { suite, succeeded, counts, time: Duration::from_millis(1500) }
    }

    #[test]
    fn the_sum_stands_alone_on_the_last_line() {
        let text = summary(&[
            outcome(Suite::Rust, true, Some((10, 0, 0))),
            outcome(Suite::Browser, false, Some((3, 1, 0))),
            outcome(Suite::Docs, true, None),
        ]);
        assert_eq!(
            text,
            "\nrust         ok         1.5 s  10 passed, 0 failed, 0 skipped\n\
             browser      FAILED     1.5 s  3 passed, 1 failed, 0 skipped\n\
             docs         ok         1.5 s\n\
             \n13 passed, 1 failed\n"
        );
    }

    #[test]
    fn there_is_no_sum_if_a_runner_died() {
        let text = summary(&[outcome(Suite::Rust, false, None), outcome(Suite::Client, true, Some((3, 0, 1)))]);
        assert!(text.ends_with("3 passed, 0 failed, 1 skipped\n"), "{text}");
        assert!(!text.contains("\n3 passed"), "{text}");
    }
}
