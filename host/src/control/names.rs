//! Names in `[server]` for what plugins bring: the client's transports, and parsers. They can be judged only when it is known what
//! there is; those that make no sense are refused, and what was in force stays so until the file or the plugins change.

use super::Control;
use crate::config::{Config, Server};
use crate::order::Plan;
use crate::snapshot::{brought_parsers, brought_transports};

/// The names in force, and why those of the file are not, if they are not.
#[derive(Default)]
pub(super) struct Names {
    client_transports: Option<Vec<String>>,
    parser: Option<String>,
    client_parsers: Vec<String>,
    trouble: Option<String>,
}

impl Names {
    /// What is wrong with those of the file.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    fn of(server: &Server) -> Self {
        Self {
            client_transports: server.client_transports.clone(),
            parser: server.parser.clone(),
            client_parsers: server.client_parsers.clone(),
            trouble: None,
        }
    }
}

impl Control {
    /// Judges the names by the plugins of the plan.
    pub(super) fn settle_names(&mut self, plan: &Plan) {
        let generations = self.in_order(plan);
        let checked = self
            .config
            .check_client_transports(&brought_transports(&generations))
            .and_then(|()| self.config.check_parsers(&brought_parsers(&generations)));
        match checked {
            Ok(()) => self.names = Names::of(&self.config.server),
            Err(error) => {
                let trouble = error.to_string();
                if self.names.trouble.as_ref() != Some(&trouble) {
                    tracing::error!("transports of the client and parsers stay as they were: {trouble}");
                }
                self.names.trouble = Some(trouble);
            }
        }
    }

    /// The file's configuration, with the names that are in force.
    pub(super) fn config_in_force(&self) -> Config {
        let mut config = self.config.clone();
        config.server.client_transports.clone_from(&self.names.client_transports);
        config.server.parser.clone_from(&self.names.parser);
        config.server.client_parsers.clone_from(&self.names.client_parsers);
        config
    }
}
