//! The results as a chart: a panel for each workload, a bar for each server, drawn as SVG by hand.
//!
//! Bars start at zero and are to scale, so the long ones leave little to the short ones: each has its figure beside it.

use std::fmt::Write as _;

use super::columns::{Column, Kind};
use super::results::Results;
use super::servers::{LIMIT, Server, Source};

const PANEL: f64 = 520.0;
const LABELS: f64 = 150.0;
const FIGURES: f64 = 110.0;
const ROW: f64 = 20.0;
const HEAD: f64 = 44.0;
const FOOT: f64 = 24.0;

/// Colours follow the reader's preference for light or dark.
const STYLE: &str = "\
text{font:12px system-ui,sans-serif;fill:#1b1f24}.title{font-weight:600}.quiet{fill:#6a7380}.end{text-anchor:end}\
.page{fill:#fff}.limit{fill:#9aa4b2}.ours{fill:#0b7a75}.crate{fill:#c2703d}.npm{fill:#d8b25c}\
@media(prefers-color-scheme:dark){text{fill:#e6e9ee}.quiet{fill:#98a2b0}.page{fill:#14171c}.limit{fill:#6b7582}\
.ours{fill:#35b8b0}.crate{fill:#d98a58}.npm{fill:#c9a24a}}";

/// The chart; `machine` stands below it.
pub fn svg(results: &Results, machine: &str) -> String {
    let height = HEAD + ROW * results.servers.len() as f64 + 16.0;
    let lines = results.columns.len().div_ceil(2) as f64;
    let (width, total) = (PANEL * 2.0 + 48.0, height * lines + FOOT + 16.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {total}\" role=\"img\" \
         aria-label=\"Server CPU time a message\">\n<style>{STYLE}</style>\n\
         <rect class=\"page\" width=\"100%\" height=\"100%\"/>\n"
    );
    for (index, column) in results.columns.iter().enumerate() {
        let (x, y) = (16.0 + (index % 2) as f64 * (PANEL + 16.0), (index / 2) as f64 * height);
        let _ = writeln!(svg, "<g transform=\"translate({x} {y})\">");
        panel(&mut svg, results, column);
        svg.push_str("</g>\n");
    }
    let _ = writeln!(svg, "<text class=\"quiet\" x=\"16\" y=\"{:.0}\">{}</text>\n</svg>", total - 12.0, escape(machine));
    svg
}

fn panel(svg: &mut String, results: &Results, column: &Column) {
    let unit = match column.kind {
        Kind::Echo | Kind::FanOut => "server CPU µs a message, × the limit",
        Kind::Idle => "resident bytes a connection",
    };
    let _ = writeln!(
        svg,
        "<text class=\"title\" y=\"22\">{}</text><text class=\"quiet\" y=\"37\">{unit}</text>",
        escape(column.title)
    );
    let best = |server: &str| results.cell(server, column).and_then(|cell| cell.best());
    let longest = results.servers.iter().filter_map(|server| best(server.name)).fold(f64::MIN_POSITIVE, f64::max);
    let limit = best(LIMIT).filter(|_| column.kind != Kind::Idle);
    for (row, server) in results.servers.iter().enumerate() {
        let middle = HEAD + ROW * row as f64 + 14.0;
        let _ = write!(svg, "<text class=\"end\" x=\"{:.0}\" y=\"{middle:.0}\">{}</text>", LABELS - 8.0, escape(server.name));
        let (length, figure) = match (best(server.name), results.cell(server.name, column)) {
            (Some(cost), _) => (cost.max(0.0) / longest * (PANEL - LABELS - FIGURES), figure(cost, column, limit)),
            (None, Some(_)) => (0.0, "failed".to_owned()),
            (None, None) => (0.0, "–".to_owned()),
        };
        let _ = writeln!(
            svg,
            "<rect class=\"{}\" x=\"{LABELS:.0}\" y=\"{:.0}\" width=\"{length:.1}\" height=\"14\" rx=\"2\"/>\
             <text x=\"{:.1}\" y=\"{middle:.0}\">{figure}</text>",
            class(server),
            middle - 11.0,
            LABELS + length + 6.0
        );
    }
}

fn figure(cost: f64, column: &Column, limit: Option<f64>) -> String {
    match (column.kind, limit) {
        (Kind::Idle, _) => format!("{cost:.0}"),
        (_, Some(limit)) => format!("{cost:.2} · {:.2}×", cost / limit),
        (_, None) => format!("{cost:.2}"),
    }
}

fn class(server: &Server) -> &'static str {
    match server.source {
        Source::Limit => "limit",
        Source::Loaded | Source::Linked | Source::Transport(_) => "ours",
        Source::Crate => "crate",
        Source::Npm => "npm",
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::super::columns::COLUMNS;
    use super::super::results::tests::traffic;
    use super::super::servers::SERVERS;
    use super::*;

    #[test]
    fn bars_are_to_scale_and_who_failed_is_named() {
        let servers = [&SERVERS[0], &SERVERS[1], &SERVERS[4]];
        let column = &COLUMNS[0];
        let mut results = Results::new(&servers, &[column]);
        results.add(servers[0], column, Ok(traffic(2.0)));
        results.add(servers[1], column, Ok(traffic(4.0)));
        results.fail(servers[2], &anyhow::anyhow!("no"));
        let svg = svg(&results, "a machine <of ours>");
        assert!(svg.contains("class=\"limit\" x=\"150\" y=\"47\" width=\"130.0\""), "{svg}");
        assert!(svg.contains("class=\"ours\" x=\"150\" y=\"67\" width=\"260.0\""), "{svg}");
        assert!(svg.contains("4.00 · 2.00×") && svg.contains(">failed<") && svg.contains("a machine &lt;of ours>"), "{svg}");
    }
}
