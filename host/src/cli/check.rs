//! `switchboard check FILE.so…`: what libraries are, and whether they load.

use std::{
    fmt::Write as _,
    path::{Path, PathBuf},
    process::ExitCode,
};

use crate::config::Pin;
use crate::loader::{self, Demands};

use super::inspection::{self, Inspection, Origin};
use super::output::print;

/// Checks each file in turn; fails if one of them is refused.
pub(super) fn run(files: &[PathBuf], config: &Path) -> anyhow::Result<ExitCode> {
    let mut code = ExitCode::SUCCESS;
    for file in files {
        // A path without a slash would be looked for among the system's libraries.
        let absolute = std::path::absolute(file)?;
        let anywhere = Demands { folder: None, vouchers: None };
        let checked = match loader::fingerprint(&absolute, &anywhere) {
            Ok(hash) => inspection::inspect(&absolute, config, Origin::Anywhere).map(|inspection| (inspection, Pin(hash))),
            Err(error) => Err(error.to_string()),
        };
        match checked {
            Ok((inspection, pin)) => print(report(file, &inspection, pin))?,
            Err(reason) => {
                print(format_args!("{}: refused: {reason}\n", file.display()))?;
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

/// ```text
/// plugins/librooms.so: ok
///   rooms 0.1.0, built with plugin-api 1.0.0
///   Rooms: named groups of sparks.
///   brings        service rooms, client extension rooms, disconnection hook
///   requires      json
///   configured by limit, names
///   sha256        9f86…
/// ```
fn report(file: &Path, inspection: &Inspection, pin: Pin) -> String {
    let Inspection { name, version, description, api, requires, keys, brings, refusal } = inspection;
    let mut text = format!("{}: ok\n  {name} {version}, built with plugin-api {api}\n", file.display());
    if !description.is_empty() {
        let _ = writeln!(text, "  {description}");
    }
    let brings: Vec<String> = brings
        .iter()
        .map(|brought| match brought.names.join(" ") {
            names if names.is_empty() => brought.kind.clone(),
            names => format!("{} {names}", brought.kind),
        })
        .collect();
    let mut row = |title: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(text, "  {title:<13} {value}");
        }
    };
    row("brings", brings.join(", "));
    row("requires", requires.join(", "));
    row("configured by", keys.join(", "));
    row("sha256", pin.to_string());
    row("not started", refusal.clone().unwrap_or_default());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Brought;

    fn inspection() -> Inspection {
        let brought = |kind: &str, names: &[&str]| Brought {
            kind: kind.to_owned(),
            names: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        Inspection {
            name: "rooms".to_owned(),
            version: "0.1.0".to_owned(),
            description: "Named groups.".to_owned(),
            api: "1.0.0".to_owned(),
            requires: vec!["json".to_owned()],
            keys: vec!["limit".to_owned(), "names".to_owned()],
            brings: vec![brought("service", &["rooms", "members"]), brought("incoming hook", &[])],
            refusal: None,
        }
    }

    #[test]
    fn a_report_says_what_the_plugin_is_and_brings() {
        let text = report(Path::new("plugins/librooms.so"), &inspection(), Pin([0xab; 32]));
        assert_eq!(
            text,
            "plugins/librooms.so: ok\n  \
             rooms 0.1.0, built with plugin-api 1.0.0\n  \
             Named groups.\n  \
             brings        service rooms members, incoming hook\n  \
             requires      json\n  \
             configured by limit, names\n  \
             sha256        abababababababababababababababababababababababababababababababab\n"
        );
    }

    #[test]
    fn a_plugin_that_loads_and_does_not_start_says_why() {
        let refusal = Some("users: at least one is needed".to_owned());
        let text = report(Path::new("a.so"), &Inspection { refusal, brings: Vec::new(), ..inspection() }, Pin([0; 32]));
        assert!(text.contains("\n  not started   users: at least one is needed\n"), "{text}");
        assert!(!text.contains("brings"));
    }
}
