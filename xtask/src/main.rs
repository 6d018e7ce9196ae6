//! The scripts of this repository, as `cargo xtask COMMAND`: nothing that a user needs at run time.
#![forbid(unsafe_code)]

mod bench;
mod counts;
mod dist;
mod fuzz;
mod licences;
mod lifecycle;
mod miri;
mod run;
mod setup;
mod test;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Runs, tests, measures and packs Switchboard.")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Build everything in release, drop the plugins into plugins/ and start the server
    ///
    /// Runs with the repository's plugins.toml until Ctrl-C. The server prints one line with its URL as soon as it is ready.
    Run(run::Args),
    /// Install what the tests need and run all of them
    ///
    /// Missing npm packages are installed as tests/package-lock.json has them, a missing Chromium by Debian's apt-get if this is
    /// allowed. At the end there is a table of the suites, and `N passed, N failed` if every suite has counted.
    Test(test::Args),
    /// Count messages while plugins are replaced, disabled, corrupted and made to panic at random
    ///
    /// Prints each change and, at the end, what was lost, repeated, reordered and dropped. A seed brings the same changes again.
    Lifecycle(lifecycle::Args),
    /// Feed transports and parsers with whatever finds new ways through them
    ///
    /// Stops at the first fault, and says where the bytes are that bring it about.
    Fuzz(fuzz::Args),
    /// Interpret the tests of the ABI's boundary, for what the language does not define
    ///
    /// Takes many minutes, and Miri from a nightly toolchain.
    Miri,
    /// Measure this server against its physical limit and its peers
    Bench(bench::Args),
    /// Pack the release build into target/dist
    ///
    /// The archive has the binary, the shipped plugins, the messenger, plugins.toml, README and LICENSE.
    Dist,
    /// Check licences and sources of all dependencies, without a network
    Licences,
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Run(args) => run::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Lifecycle(args) => lifecycle::run(&args),
        Command::Fuzz(args) => fuzz::run(&args),
        Command::Miri => miri::run(),
        Command::Bench(args) => bench::run(args),
        Command::Dist => dist::run(),
        Command::Licences => licences::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // Without a backtrace: where a script stopped is no matter to who reads why.
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
