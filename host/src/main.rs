//! The binary `switchboard`.

use std::process::ExitCode;

use switchboard_host::cli;
use switchboard_host::standing::Standing;

fn main() -> ExitCode {
    cli::main(&Standing { linked: Vec::new() })
}
