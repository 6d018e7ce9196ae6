//! Rules that the whole repository keeps, as tests: what a reviewer would otherwise have to look for each time.
//!
//! They read the files that git knows or would take up, so that a rule is broken before the commit and not after it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// A text file of the repository.
struct Source {
    /// Its path from the root, with slashes.
    path: String,
    text: String,
}

impl Source {
    fn is(&self, endings: &[&str]) -> bool {
        endings.iter().any(|ending| self.path.ends_with(ending))
    }

    fn lies_in(&self, folders: &[&str]) -> bool {
        folders.iter().any(|folder| self.path.starts_with(folder))
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources() -> Vec<Source> {
    let output = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("the tests need git");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let paths = String::from_utf8(output.stdout).expect("our paths are UTF-8");
    let mut sources: Vec<Source> = paths
        .split_terminator('\0')
        // Pictures aren't text, and a file that git still knows may be gone.
        .filter_map(|path| Some(Source { path: path.to_owned(), text: fs::read_to_string(root().join(path)).ok()? }))
        .collect();
    // A file in a merge is listed once for each side.
    sources.dedup_by(|a, b| a.path == b.path);
    assert!(sources.len() > 50, "the rules must see the repository");
    sources
}

/// Fails with one line for each place that breaks the rule.
#[track_caller]
fn check(rule: &str, broken: impl IntoIterator<Item = String>) {
    let broken: Vec<String> = broken.into_iter().collect();
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

/// The numbered lines of a Rust file, without what stands in `//` comments.
fn code(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| {
        let comment = line.trim_start().starts_with("//");
        (index + 1, if comment { "" } else { line.split(" // ").next().unwrap_or(line) })
    })
}

/// What is written by a program, not by people.
const GENERATED: [&str; 3] = ["Cargo.lock", "tests/package-lock.json", "host/client/dist/"];

#[test]
fn no_file_holds_more_than_one_concept() {
    let long = sources().into_iter().filter(|source| !source.lies_in(&GENERATED) && source.is(&[".rs", ".js", ".mjs", ".css"]));
    check(
        "a file past 600 lines holds two concepts",
        long.map(|source| (source.text.lines().count(), source.path))
            .filter(|(lines, _)| *lines > 600)
            .map(|(lines, path)| format!("{path}: {lines} lines")),
    );
}

#[test]
fn files_are_named_by_their_concept() {
    const NAMES_OF_NOTHING: [&str; 6] = ["utils", "util", "common", "helpers", "helper", "misc"];
    let nameless = |path: &str| path.split(['/', '.']).any(|word| NAMES_OF_NOTHING.contains(&word));
    check(
        "a file or folder is named by what is in it",
        sources().into_iter().map(|source| source.path).filter(|path| nameless(path)),
    );
}

#[test]
fn every_rust_file_says_first_what_it_is() {
    let tests = |source: &Source| source.path.ends_with("tests.rs") || source.path.ends_with("/tests/mod.rs");
    check(
        "a file opens with //!",
        sources()
            .into_iter()
            .filter(|source| source.is(&[".rs"]) && !tests(source) && !source.text.starts_with("//!"))
            .map(|source| source.path),
    );
}

/// Where `unsafe` may stand: the ABI, the macro that exports a plugin (and both as they once were), the loader, what
/// asks the allocator, and the benchmark's limit, which is made of system calls.
const UNSAFE: [&str; 7] = [
    "plugin-api/src/abi/",
    "plugin-api/src/lib.rs",
    "tests/lifecycle/interface-1.0/interface/src/abi/",
    "tests/lifecycle/interface-1.0/interface/src/lib.rs",
    "host/src/heap.rs",
    "host/src/loader/",
    "tests/load/limit/",
];

/// `unsafe` as code: a block, function, implementation or attribute, and not a lint's name or a word in a text.
fn is_unsafe(code: &str) -> bool {
    let Some((before, after)) = code.split_once("unsafe") else {
        return false;
    };
    let alone = !before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '"' | '`'));
    let opens = ["{", "fn ", "impl", "extern", "(", "trait "].iter().any(|next| after.trim_start().starts_with(next));
    alone && opens
}

#[test]
fn unsafe_code_stands_only_where_it_may() {
    let mut broken = Vec::new();
    for source in sources() {
        if !source.is(&[".rs"]) || source.lies_in(&UNSAFE) || source.path == "xtask/tests/rules.rs" {
            continue;
        }
        broken
            .extend(code(&source.text).filter(|(_, code)| is_unsafe(code)).map(|(line, _)| format!("{}:{line}", source.path)));
    }
    check("unsafe stands in the ABI and the loader", broken);
}

#[test]
fn every_unsafe_block_says_why_it_is_sound() {
    let mut broken = Vec::new();
    for source in sources().into_iter().filter(|source| source.is(&[".rs"]) && source.path != "xtask/tests/rules.rs") {
        let lines: Vec<&str> = source.text.lines().collect();
        for (line, code) in code(&source.text) {
            let opens_block = code.split_once("unsafe").is_some_and(|(_, after)| after.trim_start().starts_with('{'));
            if !(is_unsafe(code) && opens_block) {
                continue;
            }
            // The comment stands above the statement that the block is in, or above attributes of that.
            let above = &lines[line.saturating_sub(9)..line];
            if !above.iter().any(|line| line.contains("SAFETY:")) {
                broken.push(format!("{}:{line}", source.path));
            }
        }
    }
    check("an unsafe block has a // SAFETY: comment", broken);
}

#[test]
fn no_test_is_left_out_and_none_passes_by_panicking() {
    let marks = ["#[ignore", "#[should_panic"];
    let mut broken = Vec::new();
    for source in sources().into_iter().filter(|source| source.is(&[".rs"])) {
        let found = code(&source.text).filter(|(_, code)| marks.iter().any(|mark| code.trim_start().starts_with(mark)));
        broken.extend(found.map(|(line, _)| format!("{}:{line}", source.path)));
    }
    check("a test runs, and says what it expects", broken);
}

#[test]
fn no_file_names_a_machine_or_a_registry() {
    // Written in halves, since this file is searched as well.
    let forbidden = [
        concat!("registry.", "npmjs"),
        concat!("static.", "crates.io"),
        concat!("index.", "crates.io"),
        concat!("deb.", "debian.org"),
        concat!("files.", "pythonhosted"),
        concat!("/wo", "rk/"),
        concat!("/ro", "ot/"),
        concat!("/ho", "me/"),
    ];
    let mut broken = Vec::new();
    for source in sources() {
        for (index, line) in source.text.lines().enumerate() {
            if let Some(word) = forbidden.iter().find(|word| line.contains(**word)) {
                broken.push(format!("{}:{}: {word}", source.path, index + 1));
            }
        }
    }
    check("what is built here can be built anywhere", broken);
}

#[test]
fn every_crate_keeps_the_lints_of_the_workspace() {
    let members = sources().into_iter().filter(|source| {
        source.path.ends_with("/Cargo.toml") && source.text.contains("[package]") && !source.text.contains("\n[workspace]")
    });
    check(
        "a crate has `[lints] workspace = true`",
        members
            // A library of strangers, for the loader to refuse: its lints are theirs.
            .filter(|source| source.path != "tests/lifecycle/plugins/foreign/Cargo.toml")
            .filter(|source| !source.text.contains("[lints]\nworkspace = true"))
            .map(|source| source.path),
    );
}

#[test]
fn the_plugin_in_the_readme_is_the_example() {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect("it is there");
    let (readme, example) = (read("README.md"), read("examples/hello/src/lib.rs"));
    let (_, shown) = readme.split_once("```rust\n").expect("the README shows a plugin");
    let shown = shown.split("```").next().unwrap_or(shown);
    // Line by line and in order; the README may leave comments out.
    let mut lines = example.lines();
    let strange = shown.lines().filter(|line| !line.is_empty() && !lines.any(|of_example| of_example == *line));
    check("the README shows examples/hello", strange.map(str::to_owned));
}

#[test]
fn panics_unwind_in_what_is_released() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("it is there");
    let (_, release) = manifest.split_once("[profile.release]").expect("the release profile is written down");
    let profile = release.split("\n[").next().unwrap_or(release);
    assert!(profile.contains("panic = \"unwind\""), "a plugin's panic is caught on its side, or not at all");
}
