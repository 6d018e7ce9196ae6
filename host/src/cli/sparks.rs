//! `switchboard sparks`: who is connected to a server that runs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use super::{Form, output::print, running};
use crate::config::Config;
use crate::operator::protocol::{Answer, Question, SparksReport};

/// Prints the counts and the oldest sparks.
pub(super) fn run(config: &Config, limit: usize, form: Form) -> anyhow::Result<()> {
    let report = match running::conclude(config, &Question::Sparks { limit })? {
        Answer::Sparks(report) => report,
        answer => return running::told(answer).map(drop),
    };
    match form {
        Form::Json => print(format_args!("{}\n", serde_json::to_string(&report)?)),
        Form::Text => print(text(&report)),
    }
}

/// ```text
/// 3 sparks
/// by transport  engine.io 1, websockets 2
/// by parser     json 3
/// by address    10.0.0.1 2, ::1 1
///
/// AAAA…  10.0.0.1:4711  websockets  json  1m 3s
/// ```
fn text(report: &SparksReport) -> String {
    let mut text = format!("{} {}\n", report.count, if report.count == 1 { "spark" } else { "sparks" });
    let counts = |counts: &BTreeMap<String, usize>| {
        counts.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
    };
    let addresses = report.addresses.iter().map(|(address, count)| format!("{address} {count}"));
    let counted = [
        ("by transport", counts(&report.transports)),
        ("by parser", counts(&report.parsers)),
        ("by address", addresses.collect::<Vec<_>>().join(", ")),
    ];
    for (title, counts) in counted.into_iter().filter(|(_, counts)| !counts.is_empty()) {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{title:<13} {counts}");
    }
    if !report.sparks.is_empty() {
        text.push('\n');
    }
    for spark in &report.sparks {
        let age = humantime::format_duration(Duration::from_secs(spark.age_s.into()));
        let _ = writeln!(text, "{}  {}  {}  {}  {age}", spark.id, spark.address, spark.transport, spark.parser);
    }
    if report.sparks.len() < report.count {
        let _ = writeln!(text, "and {} younger ones", report.count - report.sparks.len());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operator::protocol::SparkReport;

    #[test]
    fn a_report_reads_as_a_table() {
        let spark = SparkReport {
            id: "AAAA".to_owned(),
            address: "10.0.0.1:7".to_owned(),
            transport: "websockets".to_owned(),
            parser: "json".to_owned(),
            age_s: 63,
        };
        let report = SparksReport {
            count: 2,
            transports: BTreeMap::from([("websockets".to_owned(), 2)]),
            parsers: BTreeMap::from([("json".to_owned(), 2)]),
            addresses: vec![("10.0.0.1".to_owned(), 2)],
            sparks: vec![spark],
        };
        let expected = "2 sparks\nby transport  websockets 2\nby parser     json 2\nby address    10.0.0.1 2\n\n\
                        AAAA  10.0.0.1:7  websockets  json  1m 3s\nand 1 younger ones\n";
        assert_eq!(text(&report), expected);
    }
}
