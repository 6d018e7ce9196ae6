//! Commands to shards as letters: what of them the other process can carry out, when this one no longer can.

use std::sync::Arc;

use plugin_api::{Kind, Payload, SparkId, value};

use super::channel::{self, Channel};
use super::records::{Letter, LettersRecord, Posted};
use crate::inbox::Command;
use crate::parsers::ParserNumbers;

/// A command as a letter; `None` for those that only this process can carry out.
pub fn letter(command: &Command, numbers: &ParserNumbers) -> Option<Letter> {
    let posted = |payload: &Payload<'_>| match payload {
        Payload::Value(value) => Some(Posted { parser: None, text: false, bytes: value.to_vec() }),
        Payload::Wire { parser, kind, bytes } => {
            Some(Posted { parser: Some(numbers.name(*parser)?), text: *kind == Kind::Text, bytes: bytes.to_vec() })
        }
    };
    match command {
        Command::Send { id, payload } => Some(Letter::Send { sparks: vec![id.raw()], posted: posted(payload)? }),
        Command::SendMany { ids, payload } => {
            Some(Letter::Send { sparks: ids.iter().map(|id| id.raw()).collect(), posted: posted(payload)? })
        }
        Command::End { id, options } => Some(Letter::End { spark: id.raw(), options: options.clone() }),
        _ => None,
    }
}

/// A letter as a command.
pub fn command(letter: Letter, numbers: &ParserNumbers) -> Option<Command> {
    match letter {
        Letter::Send { sparks, posted } => {
            let ids = sparks.into_iter().filter_map(SparkId::from_raw).collect();
            let Posted { parser, text, bytes } = posted;
            let payload = match parser {
                None => Payload::Value(bytes.into()),
                Some(name) => {
                    let kind = if text { Kind::Text } else { Kind::Binary };
                    Payload::Wire { parser: numbers.of(&name), kind, bytes: bytes.into() }
                }
            };
            Some(Command::SendMany { ids, payload })
        }
        Letter::End { spark, options } => Some(Command::End { id: SparkId::from_raw(spark)?, options }),
    }
}

/// What becomes of commands to a shard whose sparks are in the other process: they follow them. Others come back.
pub fn diversion(
    shard: u8,
    numbers: ParserNumbers,
    channel: Arc<Channel>,
) -> impl Fn(Command) -> Option<Command> + Send + 'static {
    move |command| {
        let Some(letter) = letter(&command, &numbers) else { return Some(command) };
        let encoded = value::to_vec(&LettersRecord { shard, letters: vec![letter] }).unwrap_or_default();
        if let Err(error) = channel.send(channel::Kind::Letters, &encoded, &[]) {
            tracing::warn!("a message to sparks that went to the new process is lost: {error}");
        }
        None
    }
}
