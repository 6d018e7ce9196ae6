//! The command line: `switchboard serve | plugins | reload | enable | disable | pin | sparks | drain | check | library | new`.
//!
//! Knows arguments, help and how an answer is printed. What needs the loader or the server it asks of a [`House`], so that
//! each command can be tested without one; a server that runs it asks by its control socket. No plugin's code runs in a process that prints: `check` and `plugins` look at
//! each library in a child (`inspection`), so that one that crashes takes nothing with it.

mod check;
mod enable;
mod inspection;
mod library;
mod new;
mod output;
mod pin;
mod plugins;
mod running;
mod sparks;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Parser, Subcommand};

use crate::{
    config::{Config, ConfigError, PluginConfig},
    http::library::Library,
    operator::protocol::Question,
    upgrade::predecessor,
};

use enable::Wanted;
pub use inspection::{Brought, Inspection, Origin};
use pin::Former;

/// What the commands ask of the rest of the host.
pub trait House {
    /// Serves until it is told to stop. `file` is read again when it changes; it need not exist.
    fn serve(&self, file: &Path, config: Config) -> anyhow::Result<()>;

    /// Loads one library into this process, starts it with its table, and says what it is and brings. Called in a child.
    ///
    /// # Errors
    /// Why the library can't be loaded, in one line.
    fn inspect(&self, library: &Path, config: &Config, origin: Origin) -> anyhow::Result<Inspection>;

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
    /// SIGINT; a second one ends it at once. SIGHUP has plugins.toml read again. Logs go to standard error. A supervisor that
    /// sets NOTIFY_SOCKET, as systemd does, is told when it is ready, reloading and stopping, and of its life (WATCHDOG_USEC).
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
    /// List the plugins, and how each stands
    ///
    /// Asks the server that runs with this configuration; where none does, shows what the configuration and the plugins folder
    /// would make of each plugin.
    Plugins {
        /// Go on, and print the list again whenever it has changed
        #[arg(long)]
        watch: bool,
        /// Print one line of JSON for a list
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Have a running server load a plugin anew from its file
    ///
    /// The new generation takes the old one's state over and replaces it between two messages; a plugin in quarantine comes back.
    /// Waits until it serves. Fails, with the reason, if it doesn't: then the old generation goes on.
    Reload {
        /// The plugin's name
        #[arg(value_name = "NAME")]
        plugin: String,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Enable a plugin in plugins.toml
    ///
    /// Writes `enabled = true` into its table, and leaves everything else in the file as it is. If a server runs with this
    /// configuration, waits until the plugin serves. Fails, with the reason, if it doesn't.
    Enable {
        /// The plugin's name
        #[arg(value_name = "NAME")]
        plugin: String,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Disable a plugin in plugins.toml
    ///
    /// Writes `enabled = false` into its table, and leaves everything else in the file as it is. If a server runs with this
    /// configuration, waits until the plugin does not serve any more.
    Disable {
        /// The plugin's name
        #[arg(value_name = "NAME")]
        plugin: String,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Write the hashes of libraries into plugins.toml
    ///
    /// Writes the SHA-256 of each library of the plugins folder into its plugin's table (`sha256`), and leaves everything else in
    /// the file as it is. With `pin = true` in the table [trust], the server loads no other libraries; what vouches for them as
    /// well are signatures of minisign by `keys` of that table.
    Pin {
        /// The plugins' names, as their files have them; without any, all
        #[arg(value_name = "NAME")]
        plugins: Vec<String>,
        /// Keep the former hash behind the new one, for the way back
        #[arg(long)]
        keep: bool,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Show who is connected to a running server
    ///
    /// Counts the sparks by transport, parser and address, and lists the oldest ones.
    Sparks {
        /// How many to list
        #[arg(long, value_name = "COUNT", default_value_t = 20, value_parser = clap::value_parser!(u16).range(..=10_000))]
        limit: u16,
        /// Print one line of JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Have a new process take over from a running server
    ///
    /// It comes up beside the running one, with all its plugins, and takes over the listening sockets, the connections whose
    /// sessions can be saved, and the plugins' states; other clients are told to come back. Waits for that. Fails, with the
    /// reason, if the new process can't take over: then the running one goes on.
    Upgrade {
        /// Its binary; without, what lies where the running one was started from
        #[arg(long, value_name = "PATH")]
        binary: Option<PathBuf>,
        #[command(flatten)]
        config: ConfigFile,
    },
    /// Send a running server's clients away, and end it
    ///
    /// /readyz says 503 for the time of shutdown.drain; then nobody is let in any more, all clients are told to come back, and the
    /// server ends. Waits for that.
    Drain(ConfigFile),
    /// Print the client that the server serves
    Library {
        /// Write it to a file instead; a name that ends in .mjs gets the ES module, in .d.ts the declarations for TypeScript
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
        /// It is one of the plugins folder, and must be what plugins.toml demands of those.
        #[arg(long = inspection::OF_FOLDER)]
        of_folder: bool,
        #[command(flatten)]
        config: ConfigFile,
    },
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// For people.
    Text,
    /// For programs.
    Json,
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
        Command::Serve(file) => {
            let config = file.load().inspect_err(|error| predecessor::tell_failure(&format!("{error:#}")))?;
            house.serve(&file.config, config)?;
        }
        Command::Check { files, config } => return check::run(&files, &config.config),
        Command::Plugins { watch, json, config } => {
            let form = if json { Form::Json } else { Form::Text };
            plugins::run(&config.load()?, &config.config, watch, form)?;
        }
        Command::Reload { plugin, config } => return running::carry_out(&config.load()?, &Question::Reload { plugin }),
        Command::Enable { plugin, config } => return enable::run(&config.load()?, &plugin, Wanted::Enabled),
        Command::Disable { plugin, config } => return enable::run(&config.load()?, &plugin, Wanted::Disabled),
        Command::Pin { plugins, keep, config } => {
            return pin::run(&config.load()?, &plugins, if keep { Former::Kept } else { Former::Dropped });
        }
        Command::Sparks { limit, json, config } => {
            sparks::run(&config.load()?, usize::from(limit), if json { Form::Json } else { Form::Text })?;
        }
        Command::Upgrade { binary, config } => {
            let binary = binary.map(std::path::absolute).transpose()?;
            return running::carry_out(&config.load()?, &Question::Upgrade { binary });
        }
        Command::Drain(config) => return running::carry_out(&config.load()?, &Question::Drain),
        Command::Library { save, config } => library::run(&house.library(&config.load()?)?, save.as_deref())?,
        Command::New(arguments) => new::run(&arguments)?,
        Command::Inspect { library, of_folder, config } => {
            let origin = if of_folder { Origin::PluginsFolder } else { Origin::Anywhere };
            return inspection::answer(house.inspect(&library, &config.load()?, origin));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The name that a library's file suggests: `libauth_basic.so` is `auth_basic`.
fn name_of(library: &Path) -> Option<&str> {
    library.file_name()?.to_str()?.strip_prefix("lib")?.strip_suffix(".so")
}

/// Whether a plugin that could be loaded isn't, and why where its table does not say so.
fn left_out(plugin: &PluginConfig, config: &Config) -> Option<Option<String>> {
    match (plugin.enabled, config.plugin(&plugin.name)) {
        (true, _) => None,
        (false, Some(_)) => Some(None),
        (false, None) => Some(Some("not named, and auto_load is off".to_owned())),
    }
}

#[cfg(test)]
mod tests;
