//! `switchboard new NAME`: the crate of a new plugin, made from `examples/hello`.
//!
//! The example is the template itself, so what it teaches and what is made can't drift apart. Knows which words of it are
//! names; does not know what it does.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};

use super::output::print;

/// The files of the template, and where they go. `NAME` in a path is the library's name.
const TEMPLATE: [(&str, &str); 2] = [
    ("src/lib.rs", include_str!("../../../examples/hello/src/lib.rs")),
    ("tests/NAME.rs", include_str!("../../../examples/hello/tests/hello.rs")),
];

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The plugin's name: lower-case letters, digits, - and _
    name: String,
    /// Where the folder is made
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    within: PathBuf,
    /// The folder of the crate switchboard-plugin-api; found by itself inside a checkout of Switchboard
    #[arg(long, value_name = "FOLDER")]
    api: Option<PathBuf>,
}

/// Makes the crate and says what to do with it.
pub(super) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    check_name(&arguments.name)?;
    ensure!(arguments.within.is_dir(), "there is no folder {} to make it in", arguments.within.display());
    let api = match &arguments.api {
        Some(folder) => folder.canonicalize().with_context(|| format!("{} is not there", folder.display()))?,
        None => find_api(&std::env::current_dir()?)
            .or_else(|| find_api(&std::env::current_exe().ok()?))
            .context("the folder of switchboard-plugin-api must be given: --api FOLDER")?,
    };
    ensure!(is_api(&api), "{} is not the crate switchboard-plugin-api", api.display());
    let folder = make(&arguments.name, &arguments.within, &api)?;
    let library = library_name(&arguments.name);
    print(format_args!(
        "{folder} is a plugin now. In there:\n  \
         cargo test\n  \
         cargo build --release\n  \
         cp target/release/lib{library}.so PLUGINS    # the server's plugins folder: it is live within a second\n",
        folder = folder.display(),
    ))
}

/// Makes the crate's folder within `within`.
fn make(name: &str, within: &Path, api: &Path) -> anyhow::Result<PathBuf> {
    check_name(name)?;
    let folder = within.join(name);
    // Fails if it exists, so nothing is ever overwritten.
    fs::create_dir(&folder).with_context(|| format!("{} can't be made", folder.display()))?;
    let library = library_name(name);
    let mut files = vec![("Cargo.toml".to_owned(), manifest(name, api)?), (".gitignore".to_owned(), "/target/\n".to_owned())];
    for (path, text) in TEMPLATE {
        files.push((path.replace("NAME", &library), adapt(text, name)));
    }
    for (path, text) in files {
        let path = folder.join(path);
        let parent = path.parent().context("a file of the template lies in a folder")?;
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, text))
            .with_context(|| format!("{} can't be written", path.display()))?;
    }
    Ok(folder)
}

fn manifest(name: &str, api: &Path) -> anyhow::Result<String> {
    let api = api.to_str().context("the path of switchboard-plugin-api is not UTF-8")?;
    Ok(format!(
        r#"[package]
name = "{name}"
version = "0.1.0"
edition = "2024"
publish = false

[lib]
name = "{library}"
# The server loads the first; the tests link the second.
crate-type = ["cdylib", "rlib"]

[dependencies]
plugin-api = {{ package = "switchboard-plugin-api", path = {api} }}

[lints.rust]
# The server's benchmark sets it, to link plugins in.
unexpected_cfgs = {{ level = "warn", check-cfg = ["cfg(switchboard_static)"] }}

[profile.release]
# A panic must unwind: it is caught on the plugin's side of the boundary.
panic = "unwind"

# A workspace of its own, also within a checkout of Switchboard.
[workspace]
"#,
        library = library_name(name),
        api = toml_edit::Value::from(api),
    ))
}

/// The template's text with the plugin's name for the example's.
fn adapt(text: &str, name: &str) -> String {
    text.replace("The smallest plugin there can be:", &format!("The plugin `{name}`:"))
        .replace("\"hello\"", &format!("\"{name}\""))
        .replace("hello::", &format!("{}::", library_name(name)))
        .replace("Hello", &type_name(name))
}

fn check_name(name: &str) -> anyhow::Result<()> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    ensure!(
        name.len() <= 64 && name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(is_plain),
        "{name:?} is no name for a plugin: take at most 64 lower-case letters, digits, - and _, with a letter first"
    );
    // Names that a crate can't have, or that would hide one that the template uses.
    let taken = ["server", "trust", "plugin-api", "test", "core", "std", "alloc", "proc_macro", "self", "super", "crate"];
    if taken.contains(&name) || library_name(name) == "plugin_api" || is_keyword(name) {
        bail!("{name:?} is taken: choose another name");
    }
    Ok(())
}

/// The words that Rust has reserved (the Rust Reference, "Keywords"), as far as they are in lower case.
fn is_keyword(name: &str) -> bool {
    const KEYWORDS: &str = "abstract as async await become box break const continue do dyn else enum extern false final fn for \
                            gen if impl in let loop macro match mod move mut override priv pub ref return static struct trait \
                            true try type typeof union unsafe unsized use virtual where while yield";
    KEYWORDS.split_whitespace().any(|keyword| keyword == name)
}

fn library_name(name: &str) -> String {
    name.replace('-', "_")
}

/// `chat-bot` is `ChatBot`.
fn type_name(name: &str) -> String {
    name.split(['-', '_'])
        .filter_map(|word| {
            let mut letters = word.chars();
            let first = letters.next()?.to_ascii_uppercase();
            Some(format!("{first}{}", letters.as_str()))
        })
        .collect()
}

/// The crate `switchboard-plugin-api` of the checkout that `place` lies in.
fn find_api(place: &Path) -> Option<PathBuf> {
    place.ancestors().map(|folder| folder.join("plugin-api")).find(|folder| is_api(folder))
}

fn is_api(folder: &Path) -> bool {
    fs::read_to_string(folder.join("Cargo.toml")).is_ok_and(|manifest| manifest.contains("name = \"switchboard-plugin-api\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(folder: &Path, path: &str) -> String {
        fs::read_to_string(folder.join(path)).expect("the file was made")
    }

    #[test]
    fn no_name_of_the_example_is_left_in_the_crate() {
        let place = tempfile::tempdir().expect("there is room for a folder");
        let folder = make("chat-bot", place.path(), Path::new("/src/plugin-api")).expect("it can be made");
        for path in ["Cargo.toml", "src/lib.rs", "tests/chat_bot.rs"] {
            let text = read(&folder, path);
            assert!(!text.to_lowercase().contains("hello"), "{path}: {text}");
        }
        let plugin = read(&folder, "src/lib.rs");
        assert!(plugin.contains("const NAME: &'static str = \"chat-bot\";"), "{plugin}");
        assert!(plugin.contains("export_plugin!(ChatBot);"));
        assert!(read(&folder, "tests/chat_bot.rs").contains("use chat_bot::ChatBot;"));
    }

    #[test]
    fn the_manifest_is_valid_and_finds_the_api() {
        let text = manifest("chat-bot", Path::new("/a \"b\"/plugin-api")).expect("the path is text");
        let manifest: toml_edit::DocumentMut = text.parse().expect("it is TOML");
        assert_eq!(manifest["package"]["name"].as_str(), Some("chat-bot"));
        assert_eq!(manifest["lib"]["name"].as_str(), Some("chat_bot"));
        assert_eq!(manifest["dependencies"]["plugin-api"]["path"].as_str(), Some("/a \"b\"/plugin-api"));
        assert_eq!(manifest["profile"]["release"]["panic"].as_str(), Some("unwind"));
    }

    #[test]
    fn a_folder_that_exists_is_left_alone() {
        let place = tempfile::tempdir().expect("there is room for a folder");
        fs::create_dir(place.path().join("bot")).expect("it can be made");
        assert!(make("bot", place.path(), Path::new("/api")).is_err());
        assert!(!place.path().join("bot/Cargo.toml").exists());
    }

    #[test]
    fn names_that_no_plugin_can_have_are_refused() {
        let long = "a".repeat(65);
        for name in ["", "1st", "Chat", "a b", "../a", "-a", "match", "std", "server", "plugin-api", "plugin_api", &long] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        for name in ["a", "chat-bot", "chat_bot2"] {
            assert!(check_name(name).is_ok(), "{name:?}");
        }
    }

    #[test]
    fn the_api_is_found_from_anywhere_in_the_checkout() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let found = find_api(&here.join("src/cli")).expect("this is a checkout");
        assert!(found.ends_with("plugin-api"));
        assert_eq!(find_api(Path::new("/")), None);
    }
}
