//! The command line: `switchboard serve | check | plugins | library | new`.
//!
//! Knows arguments, help and how an answer is printed. What needs the loader or the server it asks of a [`House`], so that
//! each command can be tested without one. No plugin's code runs in a process that prints: `check` and `plugins` look at
//! each library in a child (`inspection`), so that one that crashes takes nothing with it.

mod check;
mod inspection;
mod library;
mod new;
mod plugins;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::{
    config::{Config, ConfigError, PluginConfig},
    http::library::Library,
};

pub use inspection::{Brought, Inspection};

/// What the commands ask of the rest of the host.
pub trait House {
    /// Serves until it is told to stop. `file` is read again when it changes; it need not exist.
    fn serve(&self, file: &Path, config: Config) -> anyhow::Result<()>;

    /// Loads one library into this process, starts it with its table, and says what it is and brings. Called in a child.
    ///
    /// # Errors
    /// Why the library can't be loaded, in one line.
    fn inspect(&self, library: &Path, config: &Config) -> anyhow::Result<Inspection>;

    /// The client that a server with this configuration would serve.
    fn library(&self, config: &Config) -> anyhow::Result<Library>;
}

#[derive(Debug, Parser)]
#[command(
    name = "switchboard",
    version,
    about = "A real-time server whose transports, parsers and applications are plugins, loaded while it runs."
)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    ///
    /// Loads the libraries of the plugins folder, and follows its changes and those of plugins.toml until it gets SIGTERM or
    /// SIGINT. Logs go to standard error.
    Serve(ConfigFile),
    /// Load libraries in a process of their own and show what they are
    ///
    /// Prints name, version and SHA-256 of each, what it registers, and whether its ABI fits this host. Fails if one of them
    /// doesn't load.
    Check {
        /// The libraries
        #[arg(required = true, value_name = "FILE.so")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// List the plugins, and what becomes of each
    ///
    /// Shows what the configuration and the plugins folder make of each plugin. If the server is running, the plugins that it
    /// has in quarantine are shown with the reason.
    Plugins(ConfigFile),
    /// Print the client that the server serves
    Library {
        /// Write it to a file instead; a name that ends in .mjs gets the ES module
        #[arg(long, value_name = "FILE")]
        save: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Make the crate of a new plugin
    ///
    /// Makes a folder with a plugin that builds, has a test, and works as soon as its library lies in the plugins folder.
    New(new::Arguments),
    /// For `check` and `plugins`: inspects one library and prints the result as JSON.
    #[command(name = inspection::COMMAND, hide = true)]
    Inspect {
        library: PathBuf,
        #[command(flatten)]
        config: ConfigFile,
    },
}

#[derive(Debug, clap::Args)]
struct ConfigFile {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = DEFAULT_FILE)]
    config: PathBuf,
}

const DEFAULT_FILE: &str = "plugins.toml";

impl ConfigFile {
    /// Reads it. Without an argument a file that isn't there is as good as an empty one.
    fn load(&self) -> Result<Config, ConfigError> {
        match Config::load(&self.config) {
            Err(ConfigError::Unreadable { cause, .. })
                if cause.kind() == std::io::ErrorKind::NotFound && self.config == Path::new(DEFAULT_FILE) =>
            {
                Ok(Config::default())
            }
            result => result,
        }
    }
}

/// Runs the command that this process was started with, and prints its answer or its error.
pub fn main(house: &impl House) -> ExitCode {
    match run(Arguments::parse().command, house) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("switchboard: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, house: &impl House) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(file) => house.serve(&file.config, file.load()?)?,
        Command::Check { files, config } => return check::run(&files, &config.config),
        Command::Plugins(file) => plugins::run(&file.load()?, &file.config)?,
        Command::Library { save, config } => library::run(&house.library(&config.load()?)?, save.as_deref())?,
        Command::New(arguments) => new::run(&arguments)?,
        Command::Inspect { library, config } => return inspection::answer(house.inspect(&library, &config.load()?)),
    }
    Ok(ExitCode::SUCCESS)
}

/// The name that a library's file suggests: `libauth_basic.so` is `auth_basic`.
fn name_of(library: &Path) -> Option<&str> {
    library.file_name()?.to_str()?.strip_prefix("lib")?.strip_suffix(".so")
}

/// Why a plugin that could be loaded isn't, if it isn't.
fn left_out(plugin: &PluginConfig, config: &Config) -> Option<&'static str> {
    match (plugin.enabled, config.plugin(&plugin.name)) {
        (true, _) => None,
        (false, Some(_)) => Some("disabled"),
        (false, None) => Some("not named, and auto_load is off"),
    }
}

#[cfg(test)]
mod tests;
