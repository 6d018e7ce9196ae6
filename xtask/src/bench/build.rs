//! Builds what is measured. A server that can't be built is reported in the table with the reason.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use super::results::Results;
use super::servers::{Launch, Server, Source};
use crate::workspace::{self, HOST, Workspace};

/// The plugins of every measured server of ours, beside its transport: their packages and their tables.
const PLUGINS: [(&str, &str); 3] =
    [("switchboard-json", "json"), ("switchboard-rooms", "rooms"), ("switchboard-load-app", "load-app")];

/// The transport's table, where it has a key of the benchmark's: the raw endpoint is measured, too.
const WEBSOCKET: (&str, &str) = ("websocket", "echo_path = \"/echo\"\n");

/// The load generator's binary.
pub fn generator(workspace: &Workspace) -> Result<PathBuf> {
    cargo(workspace, &["--package=switchboard-load"])?;
    Ok(workspace.built("switchboard-load"))
}

/// Builds the servers and says how each is started; those that fail are noted in the results.
pub fn servers(
    workspace: &Workspace,
    folder: &Path,
    servers: &[&'static Server],
    results: &mut Results,
) -> Result<Vec<(&'static Server, Launch)>> {
    let mut launches = Vec::new();
    for server in servers {
        match launch(workspace, folder, server) {
            Ok(launch) => launches.push((*server, launch)),
            Err(error) => {
                eprintln!("{} can't be built: {error:#}", server.name);
                results.fail(server, &error);
            }
        }
    }
    Ok(launches)
}

fn launch(workspace: &Workspace, folder: &Path, server: &Server) -> Result<Launch> {
    let port = || vec!["{port}".to_owned()];
    match server.source {
        Source::Limit => {
            cargo(workspace, &["--package=switchboard-load-limit"])?;
            Ok(Launch { program: workspace.built("limit"), arguments: port(), configuration: None })
        }
        Source::Crate => {
            cargo(workspace, &["--package=switchboard-load-peers", &format!("--bin={}", server.name)])?;
            Ok(Launch { program: workspace.built(server.name), arguments: port(), configuration: None })
        }
        Source::Npm => {
            let tests = workspace.root.join("tests");
            npm(&tests, server.name)?;
            let script = tests.join("load/peers/node").join(format!("{}.js", server.name));
            ensure!(script.exists(), "{} is missing", script.display());
            let arguments = vec![script.display().to_string(), "{port}".to_owned()];
            Ok(Launch { program: PathBuf::from("node"), arguments, configuration: None })
        }
        Source::Loaded => loaded(workspace, folder, 1),
        Source::Transport(name) => with_transport(workspace, folder, (name, ""), 1),
        Source::Linked => linked(workspace, folder),
    }
}

/// This server, with the plugins in libraries.
pub fn loaded(workspace: &Workspace, folder: &Path, shards: usize) -> Result<Launch> {
    with_transport(workspace, folder, WEBSOCKET, shards)
}

/// The same with a transport, and what stands in its table.
fn with_transport(workspace: &Workspace, folder: &Path, transport: (&str, &str), shards: usize) -> Result<Launch> {
    let package = format!("switchboard-{}", transport.0);
    let wanted: Vec<(&str, &str)> = PLUGINS.into_iter().chain([(&*package, transport.0)]).collect();
    let mut arguments = vec![format!("--package={HOST}")];
    arguments.extend(wanted.iter().map(|(package, _)| format!("--package={package}")));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    cargo(workspace, &arguments)?;
    let plugins = folder.join(format!("plugins-{}", transport.0));
    let no_folder = || format!("can't fill {}", plugins.display());
    fs::create_dir_all(&plugins).with_context(no_folder)?;
    for (_, plugin) in wanted {
        let library = format!("lib{}.so", plugin.replace('-', "_"));
        fs::copy(workspace.built(&library), plugins.join(library)).with_context(no_folder)?;
    }
    Ok(serve(workspace.built("switchboard"), &plugins, transport, shards))
}

/// This server, with the same plugins linked in.
fn linked(workspace: &Workspace, folder: &Path) -> Result<Launch> {
    let target = workspace.target.join("static");
    let mut flags = std::env::var_os("RUSTFLAGS").unwrap_or_default();
    flags.push(" --cfg switchboard_static");
    let flags = ("RUSTFLAGS", flags);
    cargo_with(workspace, &["--package=switchboard-load-control"], &[flags, ("CARGO_TARGET_DIR", target.clone().into())])?;
    let none = folder.join("no-plugins");
    fs::create_dir_all(&none).with_context(|| format!("can't make {}", none.display()))?;
    Ok(serve(target.join("release/control"), &none, WEBSOCKET, 1))
}

fn serve(program: PathBuf, plugins: &Path, (transport, keys): (&str, &str), shards: usize) -> Launch {
    // A path as a TOML string: the escapes of Rust's debug format are understood there, too.
    let configuration = format!(
        "[server]\nlisten = \"127.0.0.1:{{port}}\"\nshards = {shards}\nplugins = {:?}\n\n\
         [server.log]\nlevel = \"warn\"\n\n[{transport}]\n{keys}\n[json]\n\n[rooms]\n\n[load-app]\n",
        plugins.display().to_string()
    );
    let arguments = vec!["serve".to_owned(), "--config".to_owned()];
    Launch { program, arguments, configuration: Some(configuration) }
}

/// Installs the npm packages of the tests if the wanted one isn't there.
fn npm(tests: &Path, package: &str) -> Result<()> {
    if tests.join("node_modules").join(package).exists() {
        return Ok(());
    }
    let status = Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(tests).status();
    ensure!(status.context("npm can't be run")?.success(), "npm ci failed in tests/");
    Ok(())
}

fn cargo(workspace: &Workspace, arguments: &[&str]) -> Result<()> {
    cargo_with(workspace, arguments, &[])
}

/// Each group of packages is built on its own, so that none gets a feature of a dependency only because a peer wants it.
///
/// What Cargo says is shown as it comes; its first error is also this function's.
fn cargo_with(workspace: &Workspace, arguments: &[&str], environment: &[(&str, OsString)]) -> Result<()> {
    let mut child = workspace::cargo()
        .args(["build", "--release"])
        .args(arguments)
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .current_dir(&workspace.root)
        .stderr(Stdio::piped())
        .spawn()
        .context("cargo can't be run")?;
    let mut first = None;
    for line in child.stderr.take().into_iter().flat_map(|stderr| BufReader::new(stderr).lines()) {
        let line = line?;
        eprintln!("{line}");
        if line.starts_with("error") {
            first.get_or_insert(line);
        }
    }
    let status = child.wait()?;
    ensure!(status.success(), "the build failed: {}", first.unwrap_or_else(|| status.to_string()));
    Ok(())
}
