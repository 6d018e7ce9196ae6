//! `switchboard plugins`: how each plugin stands in the server that runs; where none does, what the configuration and the folder
//! would make of it.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

use crate::{
    config::{Config, PluginConfig},
    operator::{
        ask::{self, AskError},
        protocol::{Answer, PluginReport, Question, RetiredReport, State},
    },
};

use super::{
    Form,
    inspection::{self, Inspection, Origin},
    left_out, name_of,
    output::print,
    running,
};

/// Prints the list; with `watch` whenever it has changed.
pub(super) fn run(config: &Config, file: &Path, watch: bool, form: Form) -> anyhow::Result<()> {
    let mut conversation = match ask::ask(config, &Question::Plugins { watch }) {
        Err(AskError::NobodyThere(_)) if !watch => {
            eprintln!("No server runs with {}: this is what would be loaded.", config.file().display());
            let reports = without_server(config, file)?;
            if reports.is_empty() && form == Form::Text {
                print(format_args!("{} has no plugins.\n", config.server.plugins.display()))?;
            }
            return print_list(&reports, form);
        }
        conversation => conversation?,
    };
    let mut first = true;
    while let Some(answer) = conversation.next_answer()? {
        let reports = match answer {
            Answer::Plugins(reports) => reports,
            Answer::Troubles(troubles) => {
                troubles.iter().for_each(|trouble| eprintln!("switchboard: {trouble}"));
                continue;
            }
            answer => return running::told(answer).map(drop),
        };
        if !std::mem::take(&mut first) && form == Form::Text {
            print("\n")?;
        }
        print_list(&reports, form)?;
    }
    Ok(())
}

fn print_list(reports: &[PluginReport], form: Form) -> anyhow::Result<()> {
    match form {
        Form::Json => print(format_args!("{}\n", serde_json::to_string(reports)?)),
        Form::Text => print(table(reports)),
    }
}

/// Libraries in load order as far as it is known without loading, then tables without a library.
fn without_server(config: &Config, file: &Path) -> anyhow::Result<Vec<PluginReport>> {
    let mut reports: Vec<(PluginConfig, PluginReport)> = libraries(&config.server.plugins)?
        .into_iter()
        .map(|library| examine(&library, config, &inspection::inspect(&library, file, Origin::PluginsFolder)))
        .collect();
    reports.sort_by(|(a, report), (b, other)| (a.order, &report.name).cmp(&(b.order, &other.name)));
    let mut reports: Vec<PluginReport> = reports.into_iter().map(|(_, report)| report).collect();
    for plugin in config.plugins() {
        if !reports.iter().any(|report| config.plugin(&report.name) == Some(plugin)) {
            reports.push(PluginReport {
                name: plugin.name.clone(),
                version: None,
                file: None,
                state: if plugin.enabled { State::Missing } else { State::Disabled },
                reason: Some(format!("no library of it is in {}", config.server.plugins.display())),
                generation: None,
                sparks: 0,
                retired: Vec::new(),
            });
        }
    }
    Ok(reports)
}

/// The libraries of the folder, by name.
pub(super) fn libraries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).with_context(|| format!("{} can't be read", folder.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.with_context(|| format!("{} can't be read", folder.display()))?.path();
        if name_of(&path).is_some() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn examine(library: &Path, config: &Config, seen: &Result<Inspection, String>) -> (PluginConfig, PluginReport) {
    let file_name = name_of(library).unwrap_or_default();
    let (name, version) = match seen {
        Ok(inspection) => (inspection.name.clone(), Some(inspection.version.clone())),
        Err(_) => (file_name.to_owned(), None),
    };
    let plugin = config.plugin_or_default(&name);
    let (state, reason) = match (seen, left_out(&plugin, config)) {
        (_, Some(reason)) => (State::Disabled, reason),
        (Err(reason), None) => (State::Refused, Some(reason.clone())),
        (Ok(Inspection { refusal: Some(reason), .. }), None) => (State::Refused, Some(format!("does not start: {reason}"))),
        (Ok(_), None) => (State::Enabled, None),
    };
    let file = library.file_name().map(|name| name.to_string_lossy().into_owned());
    (plugin, PluginReport { name, version, file, state, reason, generation: None, sparks: 0, retired: Vec::new() })
}

/// How a plugin stands, in words.
fn standing(report: &PluginReport) -> String {
    let reason = report.reason.as_deref();
    let because = |word: &str| reason.map_or_else(|| word.to_owned(), |reason| format!("{word}: {reason}"));
    match report.state {
        State::Serving => {
            let mut text = format!("serving, generation {}", report.generation.unwrap_or_default());
            if report.sparks > 0 {
                text.push_str(&format!(", {} spark{}", report.sparks, if report.sparks == 1 { "" } else { "s" }));
            }
            if let Some(reason) = reason {
                text.push_str(&format!("; a newer one is refused: {reason}"));
            }
            text
        }
        State::Quarantined => because("in quarantine"),
        State::Disabled => because("disabled"),
        State::Refused => because("refused"),
        State::Missing => because("missing"),
        State::Enabled => "enabled".to_owned(),
    }
}

/// What its former generations still cost: those that something holds one by one, the others together.
fn retired(report: &PluginReport) -> String {
    let (held, stopped): (Vec<&RetiredReport>, Vec<_>) = report.retired.iter().partition(|retired| !retired.held_by.is_empty());
    let mut parts: Vec<String> = held
        .iter()
        .map(|retired| {
            format!("generation {} ({} KiB, held by {})", retired.generation, retired.memory_kib, retired.held_by.join(", "))
        })
        .collect();
    if !stopped.is_empty() {
        let memory: u64 = stopped.iter().map(|retired| retired.memory_kib).sum();
        parts.push(format!("{} stopped ({memory} KiB)", stopped.len()));
    }
    if parts.is_empty() { String::new() } else { format!("; retired: {}", parts.join(", ")) }
}

fn table(reports: &[PluginReport]) -> String {
    let rows: Vec<[String; 4]> = reports
        .iter()
        .map(|report| {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let standing = format!("{}{}", standing(report), retired(report));
            [report.name.clone(), text(&report.version), text(&report.file), standing]
        })
        .collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (name, version, file) = (width(0), width(1), width(2));
    rows.iter()
        .map(|row| {
            let line = format!("{:name$}  {:version$}  {:file$}  {}", row[0], row[1], row[2], row[3]);
            format!("{}\n", line.trim_end())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text, "plugins.toml").expect("the file is valid")
    }

    fn seen(name: &str) -> Result<Inspection, String> {
        Ok(Inspection {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            description: String::new(),
            api: "1.0.0".to_owned(),
            requires: Vec::new(),
            keys: Vec::new(),
            brings: Vec::new(),
            refusal: None,
        })
    }

    #[track_caller]
    fn check_state(text: &str, seen: &Result<Inspection, String>, expected: &str) {
        let (_, report) = examine(Path::new("plugins/libauth_basic.so"), &config(text), seen);
        assert_eq!(standing(&report), expected);
        assert_eq!(report.file.as_deref(), Some("libauth_basic.so"));
    }

    #[test]
    fn the_configuration_decides_what_is_loaded() {
        check_state("", &seen("auth-basic"), "enabled");
        check_state("[auth-basic]\nenabled = false", &seen("auth-basic"), "disabled");
        check_state("[server]\nauto_load = false", &seen("auth-basic"), "disabled: not named, and auto_load is off");
        check_state("[server]\nauto_load = false\n[auth-basic]", &seen("auth-basic"), "enabled");
    }

    #[test]
    fn a_library_that_does_not_load_or_start_says_why() {
        check_state("", &Err("another ABI".to_owned()), "refused: another ABI");
        check_state("[auth_basic]\nenabled = false", &Err("another ABI".to_owned()), "disabled");
        let refusal = Some("no users".to_owned());
        let unstarted = seen("auth-basic").map(|inspection| Inspection { refusal, ..inspection });
        check_state("", &unstarted, "refused: does not start: no users");
    }

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let report = |name: &str, version: Option<&str>, state: State, reason: Option<&str>| PluginReport {
            name: name.to_owned(),
            version: version.map(str::to_owned),
            file: Some(format!("lib{name}.so")),
            state,
            reason: reason.map(str::to_owned),
            generation: version.map(|_| 2),
            sparks: if name == "json" { 7 } else { 0 },
            retired: version
                .map(|_| RetiredReport { generation: 1, held_by: vec!["3 sessions".to_owned()], memory_kib: 90 })
                .into_iter()
                .collect(),
        };
        let reports = [
            report("json", Some("0.1.0"), State::Serving, None),
            report("auth", None, State::Refused, Some("another ABI")),
            report("a", Some("0.1.0"), State::Serving, Some("no moon")),
        ];
        assert_eq!(
            table(&reports),
            "json  0.1.0  libjson.so  serving, generation 2, 7 sparks; retired: generation 1 (90 KiB, held by 3 sessions)\n\
             auth         libauth.so  refused: another ABI\n\
             a     0.1.0  liba.so     serving, generation 2; a newer one is refused: no moon; retired: generation 1 (90 KiB, held by 3 sessions)\n"
        );
    }
}
