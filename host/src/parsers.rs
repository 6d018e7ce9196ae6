//! Numbers of parsers: the same name has the same number for the life of the host, whatever generation brings it.

use std::sync::{Mutex, PoisonError};

/// Gives numbers to names.
#[derive(Default)]
pub struct ParserNumbers {
    names: Mutex<Vec<String>>,
}

impl ParserNumbers {
    /// The number of a name; 1 is the first, 0 is none.
    pub fn of(&self, name: &str) -> u32 {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let at = names.iter().position(|known| known == name).unwrap_or_else(|| {
            names.push(name.to_owned());
            names.len() - 1
        });
        u32::try_from(at + 1).expect("there are not 2^32 parsers")
    }
}
