//! What was measured: for each server and workload the reports of all rounds, or why there is none.

use load_report::{Idle, Report, Traffic};
use serde::Serialize;

use super::columns::Column;
use super::servers::Server;

/// All results.
#[derive(Debug, Serialize)]
pub struct Results {
    #[serde(skip)]
    pub servers: Vec<&'static Server>,
    #[serde(skip)]
    pub columns: Vec<&'static Column>,
    cells: Vec<Cell>,
    /// Servers that couldn't be built, with the reason.
    unbuilt: Vec<(&'static str, String)>,
}

/// One server at one workload.
#[derive(Debug, Serialize)]
pub struct Cell {
    server: &'static str,
    column: &'static str,
    /// A report for each round that succeeded.
    rounds: Vec<Report>,
    /// The reason of the last round that failed.
    failure: Option<String>,
}

impl Results {
    /// Nothing measured yet.
    pub fn new(servers: &[&'static Server], columns: &[&'static Column]) -> Self {
        let cells = servers.iter().flat_map(|server| {
            columns.iter().filter(|column| server.can(column)).map(|column| Cell {
                server: server.name,
                column: column.name,
                rounds: Vec::new(),
                failure: None,
            })
        });
        Self { cells: cells.collect(), unbuilt: Vec::new(), servers: servers.to_vec(), columns: columns.to_vec() }
    }

    /// Adds a round.
    pub fn add(&mut self, server: &Server, column: &Column, report: anyhow::Result<Report>) {
        for cell in self.cells.iter_mut().filter(|cell| cell.server == server.name && cell.column == column.name) {
            match &report {
                Ok(report) => cell.rounds.push(report.clone()),
                Err(error) => cell.failure = Some(one_line(error)),
            }
        }
    }

    /// Notes why there won't be any figures of a server.
    pub fn fail(&mut self, server: &Server, error: &anyhow::Error) {
        self.unbuilt.push((server.name, one_line(error)));
    }

    /// The results of a server at a workload; `None` if it isn't meant for it.
    pub fn cell(&self, server: &str, column: &Column) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.server == server && cell.column == column.name)
    }

    /// What failed, a line each.
    pub fn failures(&self) -> Vec<String> {
        let unbuilt = self.unbuilt.iter().map(|(server, reason)| format!("{server} failed: {reason}"));
        let failed = self.cells.iter().filter_map(|cell| {
            let reason = cell.failure.as_ref()?;
            let how = if cell.rounds.is_empty() { "failed" } else { "failed in some rounds" };
            Some(format!("{} {} {how}: {reason}", cell.server, cell.column))
        });
        unbuilt.chain(failed).collect()
    }
}

impl Cell {
    /// The lowest cost of all rounds: CPU µs a message, or resident bytes a connection.
    pub fn best(&self) -> Option<f64> {
        self.rounds.iter().map(cost).min_by(f64::total_cmp)
    }

    /// The median of the rounds.
    pub fn median(&self) -> Option<f64> {
        let mut costs: Vec<f64> = self.rounds.iter().map(cost).collect();
        costs.sort_by(f64::total_cmp);
        let middle = costs.len() / 2;
        match costs.len() {
            0 => None,
            count if count % 2 == 1 => Some(costs[middle]),
            _ => Some((costs[middle - 1] + costs[middle]) / 2.0),
        }
    }

    /// The traffic of the round with the lowest cost.
    pub fn best_traffic(&self) -> Option<&Traffic> {
        let traffic = self.rounds.iter().filter_map(|report| match report {
            Report::Traffic(traffic) => Some(traffic),
            Report::Idle(_) => None,
        });
        traffic.min_by(|one, other| one.server_cpu_us.total_cmp(&other.server_cpu_us))
    }
}

/// What a report is compared by.
fn cost(report: &Report) -> f64 {
    match report {
        Report::Traffic(traffic) => traffic.server_cpu_us,
        Report::Idle(idle) => idle.bytes_per_connection(),
    }
}

/// A report in a line of progress.
pub fn figure(report: &Report) -> String {
    match report {
        Report::Traffic(Traffic { server_cpu_us, server_share, generator_share, .. }) => {
            format!(
                "{server_cpu_us:>6.2} µs a message (server {:.0} %, generator {:.0} %)",
                server_share * 100.0,
                generator_share * 100.0
            )
        }
        Report::Idle(idle @ Idle { .. }) => format!("{:>6.0} B a connection", idle.bytes_per_connection()),
    }
}

/// An error with its causes, in a line that fits into a table's notes.
pub fn one_line(error: &anyhow::Error) -> String {
    let text = format!("{error:#}");
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().take(240).collect()
}

#[cfg(test)]
pub mod tests {
    use super::super::columns::COLUMNS;
    use super::super::servers::SERVERS;
    use super::*;

    /// Traffic that cost this much.
    pub fn traffic(server_cpu_us: f64) -> Report {
        Report::Traffic(Traffic {
            messages: 1000,
            seconds: 2.0,
            server_cpu_us,
            server_share: 0.9,
            generator_share: 0.4,
            p50_us: 20.0,
            p99_us: 90.0,
        })
    }

    #[test]
    fn a_cell_has_the_best_and_the_median_of_its_rounds() {
        let (server, column) = (&SERVERS[0], &COLUMNS[0]);
        let mut results = Results::new(&[server], &[column]);
        for cost in [5.0, 4.0, 9.0] {
            results.add(server, column, Ok(traffic(cost)));
        }
        let cell = results.cell(server.name, column).unwrap();
        assert_eq!((cell.best(), cell.median()), (Some(4.0), Some(5.0)));
        assert_eq!(cell.best_traffic().unwrap().server_cpu_us, 4.0);
        results.add(server, column, Ok(traffic(6.0)));
        assert_eq!(results.cell(server.name, column).unwrap().median(), Some(5.5));
    }

    #[test]
    fn a_failure_is_kept_with_its_causes_in_one_line() {
        let (server, column) = (&SERVERS[4], &COLUMNS[0]);
        let mut results = Results::new(&[server], &[column]);
        let error = anyhow::anyhow!("closed\nby peer").context("connection 3");
        results.add(server, column, Err(error));
        assert_eq!(results.failures(), ["fastwebsockets e1 failed: connection 3: closed by peer"]);
    }
}
