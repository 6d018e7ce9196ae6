//! `cargo xtask bench`: this server against its physical limit, its statically linked control and its peers.
//!
//! All servers are run in rounds, one after the other for each workload, so that a machine that is throttled or shared
//! treats them alike. A server has one core and the load generator (`tests/load/generator`) another. The figure to compare
//! is the CPU time that the server's process spends a message.
//!
//! Here are the options and the order of events. [`servers`] says who is compared, [`columns`] by what; [`build`] builds,
//! [`child`] starts and ends processes, [`results`] keeps figures; [`table`], [`chart`] and [`targets`] say what came of it.

mod build;
mod chart;
mod child;
mod columns;
mod machine;
mod results;
mod servers;
mod shards;
mod table;
mod targets;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use self::child::{Cores, Generator, Running};
use self::columns::{COLUMNS, Column};
use self::machine::Machine;
use self::results::Results;
use self::servers::{Launch, SERVERS, Server};
use crate::workspace::Workspace;

/// What is measured, and for how long.
///
/// Results go to target/bench: bench.txt, bench.json and bench.svg.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// How often each server is measured with each workload; the best and the median are shown
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
    /// Seconds measured each time
    #[arg(long, default_value_t = 2.0, value_parser = seconds)]
    seconds: f64,
    /// Seconds of load before each measurement
    #[arg(long, default_value_t = 0.5, value_parser = seconds)]
    warm_up: f64,
    /// Measure these servers only (the limit is always measured, all figures are compared with it)
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = servers::names())]
    only: Vec<String>,
    /// Measure these workloads only: echo at pipeline 1, 16, and 4 with 16 KiB; fan-out with 1 and 8 outstanding; idle memory
    #[arg(long, value_name = "COLUMN", value_delimiter = ',', value_parser = columns::names())]
    columns: Vec<String>,
    /// One short round, to see that everything runs: its figures are worth little
    #[arg(long, conflicts_with_all = ["rounds", "seconds", "warm_up"])]
    quick: bool,
    /// Measure instead how throughput grows from one shard to two, with clients that take little CPU
    #[arg(long, conflicts_with_all = ["only", "columns"])]
    shards: bool,
}

/// A number of seconds that a measurement can take.
fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.1..=600.0).contains(&seconds) => Ok(seconds),
        _ => Err("not a number from 0.1 to 600".to_owned()),
    }
}

/// How long a measurement takes.
#[derive(Debug, Clone, Copy, serde::Serialize)]
struct Effort {
    rounds: u32,
    seconds: f64,
    warm_up: f64,
}

impl Args {
    fn effort(&self) -> Effort {
        if self.quick {
            return Effort { rounds: 1, seconds: 0.5, warm_up: 0.2 };
        }
        Effort { rounds: self.rounds, seconds: self.seconds, warm_up: self.warm_up }
    }

    fn servers(&self) -> Vec<&'static Server> {
        let wanted =
            |server: &&Server| self.only.is_empty() || server.is_limit() || self.only.iter().any(|name| name == server.name);
        SERVERS.iter().filter(wanted).collect()
    }

    fn columns(&self) -> Vec<&'static Column> {
        let wanted = |column: &&Column| self.columns.is_empty() || self.columns.iter().any(|name| name == column.name);
        COLUMNS.iter().filter(wanted).collect()
    }
}

/// Builds, measures, and writes the results.
pub fn run(args: Args) -> Result<()> {
    let cores = Cores::allowed()?;
    let workspace = Workspace::read()?;
    let folder = workspace.target.join("bench");
    fs::create_dir_all(&folder).with_context(|| format!("can't make {}", folder.display()))?;
    let effort = args.effort();
    if args.shards {
        return shards::run(&workspace, &folder, cores, effort);
    }
    let (chosen, columns) = (args.servers(), args.columns());
    let generator = Generator::new(build::generator(&workspace)?, effort);
    let mut results = Results::new(&chosen, &columns);
    let launches = build::servers(&workspace, &folder, &chosen, &mut results)?;
    ensure!(!launches.is_empty(), "no server could be built");
    let machine = Machine::read(&workspace);
    if let Some(warning) = machine.busy() {
        eprintln!("{warning}");
    }
    measure(&folder, &launches, &columns, &generator, cores, &mut results)?;
    write(&folder, &machine, effort, &results)
}

fn measure(
    folder: &Path,
    launches: &[(&'static Server, Launch)],
    columns: &[&'static Column],
    generator: &Generator,
    cores: Cores,
    results: &mut Results,
) -> Result<()> {
    let rounds = generator.effort.rounds;
    for round in 1..=rounds {
        for column in columns {
            for (server, launch) in launches.iter().filter(|(server, _)| server.can(column)) {
                let report = Running::start(launch, server.name, folder, &[cores.server])
                    .and_then(|running| generator.run(server, column, &running, Some(cores.generator)));
                let outcome = match &report {
                    Ok(report) => results::figure(report),
                    Err(error) => format!("failed: {}", results::one_line(error)),
                };
                eprintln!("round {round}/{rounds}  {:<5} {:<18} {outcome}", column.name, server.name);
                results.add(server, column, report);
            }
        }
    }
    Ok(())
}

fn write(folder: &Path, machine: &Machine, effort: Effort, results: &Results) -> Result<()> {
    let text = [table::text(results), targets::text(results), machine.text(effort)].join("\n");
    println!("\n{text}");
    let json = serde_json::json!({ "machine": machine, "effort": effort, "results": results });
    let files = [
        ("bench.txt", text),
        ("bench.json", serde_json::to_string_pretty(&json)?),
        ("bench.svg", chart::svg(results, &machine.line())),
    ];
    for (name, content) in files {
        let path = folder.join(name);
        fs::write(&path, content).with_context(|| format!("can't write {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}
