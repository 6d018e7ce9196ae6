//! The command line of the load generator: one run against a running server, one line of JSON.

#![forbid(unsafe_code)]

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::{Parser, Subcommand};
use load::connection::Target;
use load::dialect::Dialect;
use load::meter::Window;
use load::process::{CpuClock, allow_files, pin};
use load::{echo, fan_out, idle, light, message};
use load_report::Report;

/// Loads a running server, verifies every message, and prints what it cost as one line of JSON.
#[derive(Debug, Parser)]
struct Arguments {
    /// Where the server listens
    #[arg(long)]
    address: SocketAddr,
    /// The server's process: whose CPU time and memory are read
    #[arg(long, value_name = "PID")]
    server: u32,
    /// How it is spoken to
    #[arg(long, value_enum)]
    dialect: Dialect,
    /// The path of the request that opens a connection or session
    #[arg(long, default_value = "/")]
    path: String,
    /// Run on this core alone
    #[arg(long)]
    core: Option<usize>,
    /// Bytes of a message
    #[arg(long, default_value_t = 64)]
    bytes: usize,
    /// Seconds measured
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Seconds before the measurement
    #[arg(long, default_value_t = 0.5)]
    warm_up: f64,
    #[command(subcommand)]
    workload: Workload,
}

#[derive(Clone, Copy, Debug, Subcommand)]
enum Workload {
    /// Every connection gets its messages back
    Echo {
        #[arg(long, default_value_t = 100)]
        connections: u32,
        /// Messages under way on each connection
        #[arg(long, default_value_t = 1)]
        pipeline: u32,
    },
    /// One publisher, whose messages all receivers get
    FanOut {
        #[arg(long, default_value_t = 1000)]
        receivers: usize,
        /// Publishes under way
        #[arg(long, default_value_t = 1)]
        outstanding: u32,
        /// Most receivers read rarely, so that the generator takes little CPU
        #[arg(long)]
        light: bool,
    },
    /// Connections that were used once and do nothing
    Idle {
        #[arg(long, default_value_t = 5000)]
        connections: u32,
    },
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Some(core) = arguments.core {
        pin(core)?;
    }
    ensure!(
        (message::MIN_LENGTH..=64 * 1024).contains(&arguments.bytes),
        "a message has {} to 65536 bytes",
        message::MIN_LENGTH
    );
    let report = run(&arguments)?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}

fn run(arguments: &Arguments) -> Result<Report> {
    let target = Target {
        address: arguments.address,
        path: arguments.path.clone(),
        dialect: arguments.dialect,
        length: arguments.bytes,
    };
    let window = Window {
        warm_up: Duration::try_from_secs_f64(arguments.warm_up)?,
        length: Duration::try_from_secs_f64(arguments.seconds)?,
    };
    let clock = CpuClock::of(arguments.server)?;
    Ok(match arguments.workload {
        Workload::Echo { connections, pipeline } => {
            ensure!(connections > 0 && pipeline > 0, "nothing to echo");
            allow_files(2 * u64::from(connections) + 20)?;
            let config = echo::Config { connections, pipeline, window };
            Report::Traffic(echo::run(&target, clock, config)?)
        }
        Workload::FanOut { receivers, outstanding, light } => {
            ensure!(receivers > 0 && outstanding > 0, "nothing to publish");
            allow_files(receivers as u64 + 20)?;
            let config = fan_out::Config { receivers, outstanding, window };
            let run = if light { light::run } else { fan_out::run };
            Report::Traffic(run(&target, clock, config)?)
        }
        Workload::Idle { connections } => {
            ensure!(connections > 0, "nothing to open");
            allow_files(u64::from(connections) + 20)?;
            Report::Idle(idle::run(&target, arguments.server, connections)?)
        }
    })
}
