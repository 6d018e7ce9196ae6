//! `switchboard plugins`: what the configuration, the folder and a running server make of each plugin.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use serde::Deserialize;

use crate::config::{Config, PluginConfig};

use super::{
    check::hash,
    inspection::{self, Inspection},
    left_out, name_of,
};

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    name: String,
    version: String,
    state: String,
    file: String,
}

/// Prints the list: libraries in load order as far as it is known without loading, then tables without a library.
pub(super) fn run(config: &Config, file: &Path) -> anyhow::Result<()> {
    let mut rows: Vec<(PluginConfig, Row)> = libraries(&config.server.plugins)?
        .into_iter()
        .map(|library| {
            // What isn't pinned where it must be isn't loaded, not even to look at it.
            let seen =
                if may_be_loaded(&library, config) { inspection::inspect(&library, file) } else { Err(UNPINNED.to_owned()) };
            examine(&library, config, &seen)
        })
        .collect();
    rows.sort_by(|(a, row), (b, other)| (a.order, &row.name).cmp(&(b.order, &other.name)));
    let mut rows: Vec<Row> = rows.into_iter().map(|(_, row)| row).collect();
    for plugin in config.plugins() {
        if !rows.iter().any(|row| config.plugin(&row.name) == Some(plugin)) {
            rows.push(Row {
                name: plugin.name.clone(),
                version: String::new(),
                state: "configured, and no library is there".to_owned(),
                file: String::new(),
            });
        }
    }
    for (plugin, reason) in quarantined(config.server.listen, config.server.path.as_str()) {
        if let Some(row) = rows.iter_mut().find(|row| row.name == plugin) {
            row.state = format!("in quarantine: {reason}");
        }
    }
    if rows.is_empty() {
        println!("{} has no plugins.", config.server.plugins.display());
    }
    print!("{}", table(&rows));
    Ok(())
}

const UNPINNED: &str = "its SHA-256 is not the pinned one";

/// Whether the configuration lets libraries in that aren't pinned, or some table pins this one.
fn may_be_loaded(library: &Path, config: &Config) -> bool {
    !config.server.pinned || config.plugins().into_iter().any(|plugin| is_pinned(library, plugin, config))
}

/// The libraries of the folder, by name.
fn libraries(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
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

fn examine(library: &Path, config: &Config, seen: &Result<Inspection, String>) -> (PluginConfig, Row) {
    let file_name = name_of(library).unwrap_or_default();
    let (name, version) = match seen {
        Ok(inspection) => (inspection.name.clone(), inspection.version.clone()),
        Err(_) => (file_name.to_owned(), String::new()),
    };
    let plugin = config.plugin_or_default(&name);
    let state = match (seen, left_out(&plugin, config)) {
        (_, Some(reason)) => reason.to_owned(),
        (Err(reason), None) => format!("refused: {reason}"),
        (Ok(_), None) if !is_pinned(library, &plugin, config) => format!("refused: {UNPINNED}"),
        (Ok(Inspection { refusal: Some(reason), .. }), None) => format!("does not start: {reason}"),
        (Ok(_), None) => "enabled".to_owned(),
    };
    let file = library.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    (plugin, Row { name, version, state, file })
}

/// Whether the library is one of those that its table names, where the configuration wants that.
fn is_pinned(library: &Path, plugin: &PluginConfig, config: &Config) -> bool {
    if plugin.sha256.is_empty() {
        return !config.server.pinned;
    }
    std::fs::read(library).is_ok_and(|bytes| plugin.sha256.contains(&hash(&bytes)))
}

/// The plugins that a running server has in quarantine, by its `/spec`; none if no server answers.
fn quarantined(address: SocketAddr, path: &str) -> BTreeMap<String, String> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Spec {
        quarantined: Vec<Quarantined>,
    }
    #[derive(Deserialize)]
    struct Quarantined {
        plugin: String,
        reason: String,
    }
    let spec: Spec = ask(address, path).and_then(|body| serde_json::from_str(&body).ok()).unwrap_or_default();
    spec.quarantined.into_iter().map(|one| (one.plugin, one.reason)).collect()
}

/// The body of `GET path/spec`, if a server answers within a second.
fn ask(address: SocketAddr, path: &str) -> Option<String> {
    const PATIENCE: Duration = Duration::from_secs(1);
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let request = format!("GET {path}/spec HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.take(1 << 20).read_to_string(&mut answer).ok()?;
    Some(answer.split_once("\r\n\r\n")?.1.to_owned())
}

fn table(rows: &[Row]) -> String {
    let width = |column: fn(&Row) -> &str| rows.iter().map(|row| column(row).chars().count()).max().unwrap_or(0);
    let (name, version, file) = (width(|row| &row.name), width(|row| &row.version), width(|row| &row.file));
    rows.iter()
        .map(|row| {
            let line = format!("{:name$}  {:version$}  {:file$}  {}", row.name, row.version, row.file, row.state);
            format!("{}\n", line.trim_end())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::{io::BufRead as _, net::TcpListener, thread};

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
        let (_, row) = examine(Path::new("plugins/libauth_basic.so"), &config(text), seen);
        assert_eq!(row.state, expected);
        assert_eq!(row.file, "libauth_basic.so");
    }

    #[test]
    fn the_configuration_decides_what_is_loaded() {
        check_state("", &seen("auth-basic"), "enabled");
        check_state("[auth-basic]\nenabled = false", &seen("auth-basic"), "disabled");
        check_state("[server]\nauto_load = false", &seen("auth-basic"), "not named, and auto_load is off");
        check_state("[server]\nauto_load = false\n[auth-basic]", &seen("auth-basic"), "enabled");
    }

    #[test]
    fn a_library_without_the_pin_it_needs_is_refused() {
        check_state("[server]\npinned = true", &seen("auth-basic"), "refused: its SHA-256 is not the pinned one");
        let other = format!("[auth-basic]\nsha256 = [\"{}\"]", "0".repeat(64));
        check_state(&other, &seen("auth-basic"), "refused: its SHA-256 is not the pinned one");
    }

    #[test]
    fn a_library_that_does_not_load_or_start_says_why() {
        check_state("", &Err("another ABI".to_owned()), "refused: another ABI");
        check_state("[auth_basic]\nenabled = false", &Err("another ABI".to_owned()), "disabled");
        let refusal = Some("no users".to_owned());
        let unstarted = seen("auth-basic").map(|inspection| Inspection { refusal, ..inspection });
        check_state("", &unstarted, "does not start: no users");
    }

    #[test]
    fn a_running_server_tells_what_it_has_in_quarantine() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("it is bound");
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("the command connects");
            let mut line = String::new();
            std::io::BufReader::new(&stream).read_line(&mut line).expect("it asks");
            let body = r#"{"parser":"json","quarantined":[{"plugin":"rooms","reason":"panicked"}]}"#;
            write!(stream, "HTTP/1.1 200 OK\r\n\r\n{body}").expect("it listens");
            line
        });
        let found = quarantined(address, "/rt");
        assert_eq!(server.join().expect("it was asked"), "GET /rt/spec HTTP/1.0\r\n");
        assert_eq!(found, BTreeMap::from([("rooms".to_owned(), "panicked".to_owned())]));
        assert!(quarantined(address, "/rt").is_empty(), "nobody listens any more");
    }

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let row = |name: &str, version: &str, state: &str, file: &str| Row {
            name: name.to_owned(),
            version: version.to_owned(),
            state: state.to_owned(),
            file: file.to_owned(),
        };
        let rows =
            [row("json", "0.1.0", "enabled", "libjson.so"), row("auth-basic", "", "refused: another ABI", "libauth_basic.so")];
        assert_eq!(
            table(&rows),
            "json        0.1.0  libjson.so        enabled\nauth-basic         libauth_basic.so  refused: another ABI\n"
        );
    }
}
