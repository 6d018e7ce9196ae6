//! What this project wants to reach, and by how much it does or doesn't.

use std::fmt::Write as _;

use super::columns::{Column, Kind, Target};
use super::results::Results;
use super::servers::{CONTROL, LIMIT, OURS, RIVALS, Rivals};

/// What the plugin boundary may cost, as a multiple of the control.
const BOUNDARY: f64 = 1.05;

/// A line for each target that this run can judge.
pub fn text(results: &Results) -> String {
    let mut text = String::new();
    for column in &results.columns {
        let best = |server: &str| results.cell(server, column).and_then(|cell| cell.best());
        for Rivals { ours, theirs, most, most_memory } in RIVALS {
            let most = if column.kind == Kind::Idle { most_memory } else { Some(most) };
            if let (Some(own), Some(other), Some(most)) = (best(ours), best(theirs), most) {
                judge(&mut text, column, &format!("× {theirs}, by {ours}"), own / other, most);
            }
        }
        let Some(ours) = best(OURS) else {
            continue;
        };
        match (column.target, best(LIMIT)) {
            (Target::TimesLimit(most), Some(limit)) => judge(&mut text, column, "× the limit", ours / limit, most),
            (Target::Bytes(most), _) => judge(&mut text, column, "B a connection", ours, most),
            (Target::TimesLimit(_), None) => {}
        }
        if let (Target::TimesLimit(_), Some(control)) = (column.target, best(CONTROL)) {
            judge(&mut text, column, "× the linked control", ours / control, BOUNDARY);
        }
        let peers = results.servers.iter().filter(|server| server.is_peer() && server.is_stream());
        let costs = peers.filter_map(|peer| Some((peer.name, best(peer.name)?)));
        if let Some((name, cost)) = costs.min_by(|one, other| one.1.total_cmp(&other.1)) {
            judge(&mut text, column, &format!("× the best peer ({name})"), ours / cost, 1.0);
        }
    }
    text
}

fn judge(text: &mut String, column: &Column, unit: &str, value: f64, most: f64) {
    let verdict = if value <= most { "reached" } else { "MISSED" };
    let _ = writeln!(text, "{:<5} {value:>7.2} {unit}, at most {most}: {verdict}", column.name);
}

#[cfg(test)]
mod tests {
    use super::super::columns::COLUMNS;
    use super::super::results::tests::traffic;
    use super::super::servers::SERVERS;
    use super::*;

    #[test]
    fn targets_are_judged_against_limit_control_and_the_best_peer() {
        let servers: Vec<_> = SERVERS.iter().collect();
        let column = &COLUMNS[0];
        let mut results = Results::new(&servers, &[column]);
        for (name, cost) in [("limit", 4.0), ("switchboard", 4.4), ("switchboard-linked", 4.0), ("axum", 7.0), ("ws", 8.8)] {
            let server = SERVERS.iter().find(|server| server.name == name).unwrap();
            results.add(server, column, Ok(traffic(cost)));
        }
        let text = text(&results);
        assert_eq!(
            text,
            "e1       1.10 × the limit, at most 1.15: reached\n\
             e1       1.10 × the linked control, at most 1.05: MISSED\n\
             e1       0.63 × the best peer (axum), at most 1: reached\n"
        );
    }

    #[test]
    fn servers_by_http_are_judged_against_those_of_their_protocol_alone() {
        let servers: Vec<_> = SERVERS.iter().collect();
        let mut results = Results::new(&servers, &[&COLUMNS[0]]);
        for (name, cost) in [("engine-io-polling", 15.0), ("engine.io", 60.0)] {
            let server = SERVERS.iter().find(|server| server.name == name).unwrap();
            results.add(server, &COLUMNS[0], Ok(traffic(cost)));
        }
        assert_eq!(text(&results), "e1       0.25 × engine.io, by engine-io-polling, at most 0.2: MISSED\n");
    }
}
