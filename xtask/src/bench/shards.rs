//! `--shards`: how throughput grows from one shard to two on two cores.
//!
//! The clients take little CPU (most read rarely), because there is no third core for them. One shard has its core alone,
//! the clients the other; two shards share both with the clients.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use load_report::{Report, Traffic};

use super::child::{Cores, Generator, Running};
use super::columns::LIGHT;
use super::servers::{OURS, SERVERS};
use super::{Effort, build, machine::Machine};
use crate::workspace::Workspace;

/// What two shards are to bring.
const LEAST: f64 = 1.8;

/// Measures in rounds, one shard and two in turn, and writes target/bench/shards.txt and shards.json.
pub fn run(workspace: &Workspace, folder: &Path, cores: Cores, effort: Effort) -> Result<()> {
    let generator = Generator::new(build::generator(workspace)?, effort);
    let server = SERVERS.iter().find(|server| server.name == OURS).context("this server is one of the servers")?;
    let machine = Machine::read(workspace);
    let launches = [build::loaded(workspace, folder, 1)?, build::loaded(workspace, folder, 2)?];
    let mut runs: [Vec<Traffic>; 2] = Default::default();
    for round in 1..=effort.rounds {
        for ((shards, runs), launch) in (1..).zip(&mut runs).zip(&launches) {
            let (own, clients) = match shards {
                1 => (vec![cores.server], Some(cores.generator)),
                _ => (vec![cores.server, cores.generator], None),
            };
            let running = Running::start(launch, server.name, folder, &own)?;
            let Report::Traffic(traffic) = generator.run(server, &LIGHT, &running, clients)? else {
                bail!("fan-out is traffic");
            };
            eprintln!("round {round}/{}  {shards} shards  {}", effort.rounds, line(&traffic));
            runs.push(traffic);
        }
    }
    let [one, two] = runs.each_ref().map(|runs| best(runs));
    let growth = two.rate() / one.rate();
    let verdict = if growth >= LEAST { "reached" } else { "MISSED" };
    let text = format!(
        "{}\n1 shard:  {}\n2 shards: {}\n{growth:.2} ×, at least {LEAST}: {verdict}\n\n{}",
        LIGHT.title,
        line(one),
        line(two),
        machine.text(effort)
    );
    println!("\n{text}");
    let json = serde_json::json!({ "machine": machine, "effort": effort, "growth": growth, "one": runs[0], "two": runs[1] });
    fs::write(folder.join("shards.txt"), text)?;
    fs::write(folder.join("shards.json"), serde_json::to_string_pretty(&json)?)?;
    Ok(())
}

/// The run with the most messages a second.
fn best(runs: &[Traffic]) -> &Traffic {
    runs.iter().max_by(|one, other| one.rate().total_cmp(&other.rate())).expect("there is at least one round")
}

fn line(traffic: &Traffic) -> String {
    format!(
        "{:.0} messages/s, {:.2} µs a message (server {:.0} %, generator {:.0} %)",
        traffic.rate(),
        traffic.server_cpu_us,
        traffic.server_share * 100.0,
        traffic.generator_share * 100.0
    )
}
