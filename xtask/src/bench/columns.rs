//! The workloads, each a column of the table.

use clap::builder::PossibleValuesParser;

/// One workload.
#[derive(Debug, PartialEq, Eq)]
pub struct Column {
    /// What the options and the table call it.
    pub name: &'static str,
    /// What it is.
    pub title: &'static str,
    /// What is sent, for servers that can't do everything.
    pub kind: Kind,
    /// Bytes of a message.
    pub bytes: usize,
    /// The load generator's arguments.
    pub arguments: &'static [&'static str],
    /// What this project wants to reach.
    pub target: Target,
}

/// What a workload consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Echo,
    FanOut,
    Idle,
}

/// The most that this server may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// CPU time, as a multiple of the limit's.
    TimesLimit(f64),
    /// Resident bytes a connection.
    Bytes(f64),
}

// Equality of targets is that of literals.
impl Eq for Target {}

/// All workloads, in the table's order.
pub const COLUMNS: [Column; 6] = [
    Column {
        name: "e1",
        title: "echo: 100 connections, pipeline 1, 64 B",
        kind: Kind::Echo,
        bytes: 64,
        arguments: &["echo", "--connections=100", "--pipeline=1"],
        target: Target::TimesLimit(1.15),
    },
    Column {
        name: "e16",
        title: "echo: 100 connections, pipeline 16, 64 B",
        kind: Kind::Echo,
        bytes: 64,
        arguments: &["echo", "--connections=100", "--pipeline=16"],
        target: Target::TimesLimit(1.5),
    },
    Column {
        name: "e16k",
        title: "echo: 100 connections, pipeline 4, 16 KiB",
        kind: Kind::Echo,
        bytes: 16 * 1024,
        arguments: &["echo", "--connections=100", "--pipeline=4"],
        target: Target::TimesLimit(1.5),
    },
    Column {
        name: "f1",
        title: "fan-out to 1,000, 1 publish outstanding, 64 B",
        kind: Kind::FanOut,
        bytes: 64,
        arguments: &["fan-out", "--receivers=1000", "--outstanding=1"],
        target: Target::TimesLimit(1.2),
    },
    Column {
        name: "f8",
        title: "fan-out to 1,000, 8 publishes outstanding, 64 B",
        kind: Kind::FanOut,
        bytes: 64,
        arguments: &["fan-out", "--receivers=1000", "--outstanding=8"],
        target: Target::TimesLimit(1.2),
    },
    Column {
        name: "idle",
        title: "5,000 idle connections",
        kind: Kind::Idle,
        bytes: 64,
        arguments: &["idle", "--connections=5000"],
        target: Target::Bytes(1000.0),
    },
];

/// Fan-out whose receivers read rarely. One publish at a time: with more, a shard that falls behind would write several at
/// once, and two shards would seem to bring more than twice as much.
pub const LIGHT: Column = Column {
    name: "light",
    title: "fan-out to 1,000 that read rarely, 1 publish outstanding, 64 B",
    kind: Kind::FanOut,
    bytes: 64,
    arguments: &["fan-out", "--light", "--receivers=1000", "--outstanding=1"],
    target: Target::TimesLimit(1.2),
};

/// The names that an option may have.
pub fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(COLUMNS.iter().map(|column| column.name))
}
