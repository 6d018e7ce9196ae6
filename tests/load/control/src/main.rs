//! The control of the benchmark: the same server, the same plugins, but linked in. The difference is what the boundary costs.
//!
//! Built with `RUSTFLAGS="--cfg switchboard_static"`, by `cargo xtask bench`; without it no plugin is linked in.

#![forbid(unsafe_code)]

use std::process::ExitCode;

use switchboard_host::cli;
use switchboard_host::standing::Standing;

fn main() -> ExitCode {
    #[cfg(switchboard_static)]
    let linked = vec![
        json::switchboard_module(),
        websocket::switchboard_module(),
        rooms::switchboard_module(),
        load_app::switchboard_module(),
    ];
    #[cfg(not(switchboard_static))]
    let linked = Vec::new();
    cli::main(&Standing { linked })
}
