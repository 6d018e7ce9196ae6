//! The results as text.

use std::fmt::Write as _;

use super::columns::{Column, Kind};
use super::results::{Cell, Results};
use super::servers::{LIMIT, Server};

/// The table, the details below it, and what failed.
pub fn text(results: &Results) -> String {
    let mut text = String::new();
    let servers = results.servers.iter().map(|server| format!("  {:<18} {}\n", server.name, server.title));
    text.extend(servers);
    text.push('\n');
    let titles = results.columns.iter().map(|column| format!("  {:<5} {}\n", column.name, column.title));
    text.extend(titles);
    text.push_str(
        "\nServer CPU µs a message (idle: resident bytes a connection): best of the rounds, (median), × the limit.\n\n",
    );
    grid(&mut text, results, 22, cost);
    text.push_str("\nIn the best round: messages/s, latency p50/p99 in µs, CPU share of server/generator in %.\n\n");
    grid(&mut text, results, 35, traffic);
    text.push_str("\nThe load generator's own CPU µs a message against the limit (in brackets: the limit's):");
    for column in &results.columns {
        if let Some(traffic) = results.cell(LIMIT, column).and_then(Cell::best_traffic) {
            let own = traffic.generator_share / traffic.rate() * 1e6;
            let _ = write!(text, "  {} {own:.2} ({:.2})", column.name, traffic.server_cpu_us);
        }
    }
    text.push('\n');
    text.extend(results.failures().into_iter().map(|failure| failure + "\n"));
    text
}

fn grid(text: &mut String, results: &Results, width: usize, show: impl Fn(&Results, &Server, &Column) -> String) {
    let _ = write!(text, "{:<20}", "server");
    for column in &results.columns {
        let _ = write!(text, "{:>width$}", column.name);
    }
    text.push('\n');
    for server in &results.servers {
        let _ = write!(text, "{:<20}", server.name);
        for column in &results.columns {
            let _ = write!(text, "{:>width$}", show(results, server, column));
        }
        text.push('\n');
    }
}

fn cost(results: &Results, server: &Server, column: &Column) -> String {
    let Some(cell) = results.cell(server.name, column) else {
        return "–".to_owned();
    };
    let (Some(best), Some(median)) = (cell.best(), cell.median()) else {
        return "failed".to_owned();
    };
    if column.kind == Kind::Idle {
        return format!("{best:.0} ({median:.0})       ");
    }
    let ratio = results.cell(LIMIT, column).and_then(|limit| limit.best()).map(|limit| best / limit);
    let ratio = ratio.map_or_else(|| "      ".to_owned(), |ratio| format!("{ratio:>5.2}×"));
    format!("{best:.2} ({median:.2}) {ratio}")
}

fn traffic(results: &Results, server: &Server, column: &Column) -> String {
    let Some(traffic) = results.cell(server.name, column).and_then(|cell| cell.best_traffic()) else {
        return "–".to_owned();
    };
    format!(
        "{:.0}  {:.0}/{:.0}  {:.0}/{:.0}",
        traffic.rate(),
        traffic.p50_us,
        traffic.p99_us,
        traffic.server_share * 100.0,
        traffic.generator_share * 100.0
    )
}

#[cfg(test)]
mod tests {
    use super::super::columns::COLUMNS;
    use super::super::results::tests::traffic;
    use super::super::servers::SERVERS;
    use super::*;

    #[test]
    fn the_table_shows_costs_against_the_limit_and_never_drops_who_failed() {
        let servers = [&SERVERS[0], &SERVERS[1], &SERVERS[4]];
        let column = &COLUMNS[1];
        let mut results = Results::new(&servers, &[column]);
        results.add(servers[0], column, Ok(traffic(0.3)));
        results.add(servers[1], column, Ok(traffic(0.45)));
        results.fail(servers[2], &anyhow::anyhow!("no such crate"));
        let text = text(&results);
        let line = |start: &str| text.lines().find(|line| line.starts_with(start)).unwrap().to_owned();
        assert!(line("switchboard ").ends_with("0.45 (0.45)  1.50×"), "{text}");
        // 500 messages a second with 40 % of a core are 800 µs each.
        assert!(text.contains("e16 800.00 (0.30)"), "{text}");
        assert!(line("fastwebsockets ").ends_with("failed"), "{text}");
        assert!(text.contains("fastwebsockets failed: no such crate"), "{text}");
    }
}
