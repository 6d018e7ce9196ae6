//! `switchboard enable NAME` and `disable NAME`: one key of `plugins.toml`, and then the wait until it is in force.

use std::process::ExitCode;

use anyhow::Context as _;

use super::{name_of, output::print, plugins::libraries, running};
use crate::config::{Config, canonical, edit};
use crate::operator::ask::AskError;
use crate::operator::protocol::{Answer, Question, State};

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
        answer => match answer? {
            Answer::Done(what) => {
                check_outcome(config, plugin, wanted)?;
                running::told(Answer::Done(what))
            }
            answer => running::told(answer),
        },
    }
}

/// Whether the server has come to what was wanted: somebody else may have wanted the opposite at the same time.
fn check_outcome(config: &Config, plugin: &str, wanted: Wanted) -> anyhow::Result<()> {
    let Answer::Plugins(reports) = running::conclude(config, &Question::Plugins { watch: false })? else {
        anyhow::bail!("the server does not say how {plugin} stands");
    };
    let found = reports.iter().find(|report| canonical(&report.name) == canonical(plugin));
    let is_disabled = found.is_none_or(|report| report.state == State::Disabled);
    let file = config.file().display();
    match (wanted, is_disabled) {
        (Wanted::Disabled, false) => anyhow::bail!("{plugin} is not disabled: somebody has changed {file} again"),
        (Wanted::Enabled, true) => anyhow::bail!("{plugin} is disabled: somebody has changed {file} again"),
        (Wanted::Disabled, true) | (Wanted::Enabled, false) => Ok(()),
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
