//! Looking at a library from outside: a child process loads it and says what it saw, in one line of JSON.
//!
//! Code of a library runs as soon as it is loaded, before any check of it. So this process never loads one: a library that
//! crashes or hangs ends its child, and that is then what is said of it.

use std::{
    io::{self, Read},
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{Child, Command, ExitCode, ExitStatus, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde::{Deserialize, Serialize};

/// The hidden command of the child.
pub(super) const COMMAND: &str = "inspect-library";

/// The option that the child is given for a library of the plugins folder.
pub(super) const OF_FOLDER: &str = "of-folder";

/// Where a library comes from, and so what is demanded of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The operator has named it.
    Anywhere,
    /// It lies in the plugins folder: it must be what `plugins.toml` demands.
    PluginsFolder,
}

/// Longest time for a library to load and start.
const PATIENCE: Duration = Duration::from_secs(20);

/// What stands before the answer, since a library may print as well.
const MARK: &str = "switchboard inspection: ";

/// What a library is and brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inspection {
    /// The plugin's name.
    pub name: String,
    /// The plugin's version.
    pub version: String,
    /// One line on what it does; may be empty.
    pub description: String,
    /// The version of `plugin-api` that it was built with.
    pub api: String,
    /// Plugins that must be there first.
    pub requires: Vec<String>,
    /// The keys of its table in `plugins.toml`.
    pub keys: Vec<String>,
    /// What it registers.
    pub brings: Vec<Brought>,
    /// Why it didn't start with its table, if it didn't: then nothing is known of what it brings.
    pub refusal: Option<String>,
}

/// One kind of thing that a plugin registers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Brought {
    /// The kind in the singular: `transport`, `incoming hook`, `client extension`.
    pub kind: String,
    /// The names of those it registers, or where they stand; empty if they have none.
    pub names: Vec<String>,
}

/// In the child: prints the answer to whoever started it.
pub(super) fn answer(result: anyhow::Result<Inspection>) -> anyhow::Result<ExitCode> {
    let result: Result<Inspection, String> = result.map_err(|error| format!("{error:#}"));
    println!("\n{MARK}{}", serde_json::to_string(&result)?);
    // At its end a library's threads and destructors may do what they want; the answer is out.
    Ok(ExitCode::SUCCESS)
}

/// Loads `library` in a child of this program, with its table from the file `config`.
///
/// # Errors
/// Why the library can't be loaded, in one line.
pub(super) fn inspect(library: &Path, config: &Path, origin: Origin) -> Result<Inspection, String> {
    let program = std::env::current_exe().map_err(|error| format!("this program can't find itself: {error}"))?;
    let mut command = Command::new(program);
    command.arg(COMMAND).arg(library);
    if origin == Origin::PluginsFolder {
        command.arg(format!("--{OF_FOLDER}"));
    }
    // The default may be missing, a file that is named may not: so it's only named if it's there.
    if config.exists() {
        command.arg("--config").arg(config);
    }
    run(&mut command, PATIENCE)
}

fn run(command: &mut Command, patience: Duration) -> Result<Inspection, String> {
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("a process to load it in can't be started: {error}"))?;
    let (output, errors) = (read(child.stdout.take()), read(child.stderr.take()));
    let Ok(output) = output.recv_timeout(patience) else {
        end(&mut child);
        return Err(format!("it had not loaded after {} s", patience.as_secs()));
    };
    let status = child.wait().map_err(|error| format!("the process that loaded it was lost: {error}"))?;
    match output.lines().rev().find_map(|line| line.strip_prefix(MARK)) {
        Some(answer) => serde_json::from_str::<Result<Inspection, String>>(answer)
            .map_err(|error| format!("its process gave no sensible answer: {error}"))?,
        None => {
            let errors = errors.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
            Err(epitaph(status, &errors))
        }
    }
}

/// Reads a stream to its end on a thread of its own, so that neither side can block the other.
fn read(stream: Option<impl Read + Send + 'static>) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut stream) = stream {
            // What was read before an error is still worth having.
            let _: io::Result<usize> = stream.read_to_end(&mut bytes);
        }
        // Nobody listens any more if the patience is over.
        let _ = sender.send(String::from_utf8_lossy(&bytes).into_owned());
    });
    receiver
}

fn end(child: &mut Child) {
    // It may have ended by itself in between, which is as well.
    let _ = child.kill();
    let _ = child.wait();
}

/// Why a child went without an answer.
fn epitaph(status: ExitStatus, errors: &str) -> String {
    let last_words = errors.lines().rev().map(str::trim).find(|line| !line.is_empty());
    let said = last_words.map_or_else(String::new, |line| format!("; its last words: {line}"));
    match status.signal() {
        Some(signal) => format!("it crashes the process that loads it (signal {signal}){said}"),
        None => format!("it ends the process that loads it ({status}){said}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Result<Inspection, String> {
        run(Command::new("sh").arg("-c").arg(script), PATIENCE)
    }

    #[test]
    fn the_answer_is_found_among_what_the_library_prints() {
        let inspection = Inspection {
            name: "rooms".to_owned(),
            version: "0.1.0".to_owned(),
            description: String::new(),
            api: "1.0.0".to_owned(),
            requires: Vec::new(),
            keys: Vec::new(),
            brings: vec![Brought { kind: "service".to_owned(), names: vec!["rooms".to_owned()] }],
            refusal: None,
        };
        let answer = serde_json::to_string(&Ok::<_, String>(inspection.clone())).expect("it is JSON");
        let said = shell(&format!("echo hello; echo '{MARK}{answer}'; echo bye"));
        assert_eq!(said, Ok(inspection));
    }

    #[test]
    fn a_refusal_comes_through_as_it_was_said() {
        let said = shell(&format!("echo '{MARK}{{\"Err\":\"not a plugin\"}}'"));
        assert_eq!(said, Err("not a plugin".to_owned()));
    }

    #[test]
    fn a_crash_is_told_with_its_signal_and_last_words() {
        let said = shell("echo 'double free' >&2; kill -SEGV $$");
        assert_eq!(said, Err("it crashes the process that loads it (signal 11); its last words: double free".to_owned()));
    }

    #[test]
    fn an_early_end_is_told_with_its_code() {
        assert_eq!(shell("exit 3"), Err("it ends the process that loads it (exit status: 3)".to_owned()));
    }

    #[test]
    fn a_library_that_hangs_is_given_up() {
        let mut command = Command::new("sleep");
        let said = run(command.arg("600"), Duration::ZERO);
        assert_eq!(said, Err("it had not loaded after 0 s".to_owned()));
    }
}
