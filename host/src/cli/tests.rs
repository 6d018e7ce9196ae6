use std::cell::RefCell;

use clap::CommandFactory;

use super::*;
use crate::http::library::{ClientConfig, Library, Part, PartKind, PingTimeout};

/// Notes what it is asked.
#[derive(Default)]
struct Notes(RefCell<Vec<String>>);

impl House for Notes {
    fn serve(&self, file: &Path, config: Config) -> anyhow::Result<()> {
        self.0.borrow_mut().push(format!("serve {} {}", file.display(), config.server.listen));
        Ok(())
    }

    fn inspect(&self, library: &Path, _config: &Config, _origin: Origin) -> anyhow::Result<Inspection> {
        anyhow::bail!("{} is no plugin", library.display())
    }

    fn library(&self, config: &Config) -> anyhow::Result<Library> {
        let client = ClientConfig {
            pathname: config.server.path.to_string(),
            version: "8.0.9",
            ping_timeout: PingTimeout(None),
            authorization: false,
            global: config.server.global.clone(),
            transports: Vec::new(),
            parser: "json".to_owned(),
            library: String::new(),
        };
        let part = Part { kind: PartKind::Library, name: "a".to_owned(), text: "a()".to_owned() };
        Ok(Library::build(client, &[part])?)
    }
}

fn run_line(line: &str) -> (anyhow::Result<ExitCode>, Vec<String>) {
    let arguments = Arguments::try_parse_from(line.split_whitespace()).expect("the line is valid");
    let notes = Notes::default();
    let result = run(arguments.command, &notes);
    (result, notes.0.into_inner())
}

#[test]
fn the_arguments_are_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn serve_reads_the_file_that_it_is_given() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let file = folder.path().join("mine.toml");
    std::fs::write(&file, "[server]\nlisten = \"127.0.0.1:7\"").expect("it can be written");
    let (result, notes) = run_line(&format!("switchboard serve --config {}", file.display()));
    result.expect("nothing is wrong");
    assert_eq!(notes, [format!("serve {} 127.0.0.1:7", file.display())]);
}

#[test]
fn a_file_that_is_named_must_be_there() {
    let (result, notes) = run_line("switchboard serve --config /nowhere/plugins.toml");
    let error = result.expect_err("it isn't there").to_string();
    assert!(error.starts_with("/nowhere/plugins.toml: "), "{error}");
    assert!(notes.is_empty());
}

#[test]
fn the_client_is_saved_as_script_or_module_and_with_its_declarations() {
    let folder = tempfile::tempdir().expect("there is room for a folder");
    let declarations = include_str!("../../client/primus.d.ts");
    let files = [("primus.js", "return Primus;\n});\n"), ("primus.mjs", "export { Primus };\n"), ("primus.d.ts", declarations)];
    for (name, end) in files {
        let file = folder.path().join(name);
        let (result, _) = run_line(&format!("switchboard library --save {}", file.display()));
        result.expect("it can be written");
        let text = std::fs::read_to_string(&file).expect("it was written");
        assert!(text.ends_with(end), "{name}");
    }
}

#[test]
fn the_name_of_a_library_is_that_of_its_file() {
    assert_eq!(name_of(Path::new("plugins/libauth_basic.so")), Some("auth_basic"));
    assert_eq!(name_of(Path::new("plugins/libauth_basic.so.tmp")), None);
    assert_eq!(name_of(Path::new("plugins/rooms.so")), None);
}
