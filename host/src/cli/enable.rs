//! `switchboard enable NAME` and `disable NAME`: one key of `plugins.toml`, and then the wait until it is in force.

use std::process::ExitCode;

use anyhow::Context as _;

use super::{name_of, output::print, plugins::libraries, running};
use crate::config::{Config, canonical, edit};
use crate::operator::ask::AskError;
use crate::operator::protocol::Question;

/// What is wanted of the plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Enabled,
    Disabled,
}

/// Writes the key, and waits for the server that runs with the file, if one does.
pub(super) fn run(config: &Config, plugin: &str, wanted: Wanted) -> anyhow::Result<ExitCode> {
    anyhow::ensure!(is_known(config, plugin), "there is no plugin `{plugin}`; there are: {}", known(config).join(", "));
    let file = config.file();
    edit::change(file, |text| edit::with_enabled(text, plugin, wanted == Wanted::Enabled))
        .with_context(|| format!("{} stays as it is", file.display()))?;
    match running::conclude(config, &Question::Settle { plugin: Some(plugin.to_owned()) }) {
        Err(AskError::NobodyThere(file)) => {
            let state = if wanted == Wanted::Enabled { "enabled" } else { "disabled" };
            let counts = "no server runs with it, so it counts from the next start on";
            print(format_args!("{plugin} is {state} in {}; {counts}\n", file.display()))?;
            Ok(ExitCode::SUCCESS)
        }
        answer => running::told(answer?),
    }
}

fn is_known(config: &Config, plugin: &str) -> bool {
    known(config).iter().any(|name| canonical(name) == canonical(plugin))
}

/// The plugins that the file names, and those that have a library.
fn known(config: &Config) -> Vec<String> {
    let mut names: Vec<String> = config.plugins().into_iter().map(|plugin| plugin.name.clone()).collect();
    for library in libraries(&config.server.plugins).unwrap_or_default() {
        let name = canonical(name_of(&library).unwrap_or_default());
        if !names.iter().any(|known| canonical(known) == name) {
            names.push(name);
        }
    }
    names
}
