//! What was measured on and with: machine, kernel, tool and package versions.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::process::Command;

use serde::Serialize;

use super::Effort;
use super::servers::{SERVERS, Source};
use crate::workspace::Workspace;

/// The machine and the versions of everything.
#[derive(Debug, Serialize)]
pub struct Machine {
    processor: String,
    cores: usize,
    memory_gib: u64,
    kernel: String,
    /// Processes that wanted to run, averaged over the last minute before the measurement.
    load_average: f64,
    rustc: String,
    node: String,
    commit: String,
    /// Of the compared servers.
    versions: BTreeMap<&'static str, String>,
}

impl Machine {
    /// Looks around. What can't be found out is called `unknown`.
    pub fn read(workspace: &Workspace) -> Self {
        let lock = fs::read_to_string(workspace.root.join("Cargo.lock")).unwrap_or_default();
        let npm = fs::read_to_string(workspace.root.join("tests/package-lock.json")).unwrap_or_default();
        let versions = SERVERS.iter().filter_map(|server| {
            let version = match server.source {
                Source::Crate => locked_crate(&lock, server.name),
                Source::Npm => locked_package(&npm, server.name),
                Source::Limit | Source::Loaded | Source::Linked | Source::Transport(_) => return None,
            };
            Some((server.name, version.unwrap_or_else(unknown)))
        });
        let root = workspace.root.display().to_string();
        Self {
            processor: field("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            memory_gib: field("/proc/meminfo", "MemTotal").map_or(0, |total| kib(&total) / (1024 * 1024)),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease").map_or_else(|_| unknown(), |text| text.trim().to_owned()),
            load_average: fs::read_to_string("/proc/loadavg")
                .ok()
                .and_then(|text| text.split_whitespace().next()?.parse().ok())
                .unwrap_or(0.0),
            rustc: said("rustc", &["--version"]),
            node: said("node", &["--version"]),
            commit: said("git", &["-C", &root, "describe", "--always", "--dirty"]),
            versions: versions.collect(),
        }
    }

    /// A warning if others were using the machine just now.
    pub fn busy(&self) -> Option<String> {
        let fair = self.cores as f64 * 0.75;
        (self.load_average > fair).then(|| {
            format!(
                "the load average is {}: if that isn't the build that just ended, the figures will be noisy",
                self.load_average
            )
        })
    }

    /// The machine in a line.
    pub fn line(&self) -> String {
        format!("{}, {} cores, {} GiB, Linux {}", self.processor, self.cores, self.memory_gib, self.kernel)
    }

    /// The lines below the table.
    pub fn text(&self, effort: Effort) -> String {
        let mut text = self.line();
        let _ = write!(
            text,
            "; load average before {}\n{}; node {}; commit {}",
            self.load_average, self.rustc, self.node, self.commit
        );
        for (name, version) in &self.versions {
            let _ = write!(text, "; {name} {version}");
        }
        let Effort { rounds, seconds, warm_up } = effort;
        let _ = writeln!(
            text,
            "\n{rounds} rounds of {seconds} s after {warm_up} s of load; server and load generator on a core each, loopback"
        );
        text
    }
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// The value of a line `NAME : VALUE` of a file of the kernel.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn kib(value: &str) -> u64 {
    value.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// What a program says, in a line.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.ok().filter(|output| output.status.success()).and_then(|output| String::from_utf8(output.stdout).ok());
    text.map_or_else(unknown, |text| text.trim().to_owned())
}

/// The version of a crate in a `Cargo.lock`; of several, the newest, which stands last.
fn locked_crate(lock: &str, name: &str) -> Option<String> {
    let start = format!("name = \"{name}\"\n");
    let (_, after) = lock.rsplit_once(&start)?;
    let version = after.lines().next()?.strip_prefix("version = \"")?;
    Some(version.trim_end_matches('"').to_owned())
}

/// The version of a package in a `package-lock.json`.
fn locked_package(lock: &str, name: &str) -> Option<String> {
    let lock: serde_json::Value = serde_json::from_str(lock).ok()?;
    Some(lock["packages"][format!("node_modules/{name}")]["version"].as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_come_from_the_lock_files() {
        let lock =
            "[[package]]\nname = \"axum\"\nversion = \"0.8.9\"\n\n[[package]]\nname = \"axum-core\"\nversion = \"0.5.6\"\n";
        assert_eq!(locked_crate(lock, "axum"), Some("0.8.9".to_owned()));
        assert_eq!(locked_crate(lock, "ax"), None);
        let lock = r#"{"packages": {"node_modules/ws": {"version": "8.23.0"}}}"#;
        assert_eq!(locked_package(lock, "ws"), Some("8.23.0".to_owned()));
        assert_eq!(locked_package(lock, "primus"), None);
    }
}
