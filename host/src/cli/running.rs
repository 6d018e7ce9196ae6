//! What is asked of a server that runs, and how its answer is told: `switchboard reload` and `drain`.

use std::process::ExitCode;

use super::output::print;
use crate::config::Config;
use crate::operator::ask::{self, AskError};
use crate::operator::protocol::{Answer, Question};

/// Asks, tells how far it is, and prints what has come of it. Fails where the server refuses.
pub(super) fn carry_out(config: &Config, question: &Question) -> anyhow::Result<ExitCode> {
    told(conclude(config, question)?)
}

/// Asks, and tells how far it is.
pub(super) fn conclude(config: &Config, question: &Question) -> Result<Answer, AskError> {
    ask::ask(config, question)?.conclude(|how_far| eprintln!("{how_far} …"))
}

/// Prints what has come of it.
pub(super) fn told(answer: Answer) -> anyhow::Result<ExitCode> {
    match answer {
        Answer::Done(what) => {
            print(format_args!("{what}\n"))?;
            Ok(ExitCode::SUCCESS)
        }
        Answer::Refused(reason) => anyhow::bail!("{reason}"),
        Answer::Plugins(_) | Answer::Troubles(_) | Answer::Sparks(_) | Answer::Progress(_) | Answer::Moved => {
            anyhow::bail!("the server answers another question")
        }
    }
}
