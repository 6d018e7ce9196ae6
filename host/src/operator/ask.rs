//! The control socket's client side: how the command line asks a server that runs.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use super::place;
use super::protocol::{Answer, LONGEST_ANSWER, Question};
use crate::config::Config;

/// Why a server is not asked, or does not answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// None runs with this configuration.
    #[error("no server runs with {file}; start it: switchboard serve --config {file}", file = .0.display())]
    NobodyThere(PathBuf),
    /// It runs as somebody else.
    #[error("{} belongs to another user; ask as that one, or as root", .0.display())]
    NotYours(PathBuf),
    /// The connection broke.
    #[error("the server at {} does not answer: {error}", socket.display())]
    Broken {
        /// The socket.
        socket: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// A conversation with a server.
#[derive(Debug)]
pub struct Conversation {
    socket: PathBuf,
    stream: BufReader<UnixStream>,
}

/// Asks the server that runs with this configuration.
///
/// # Errors
///
/// See [`AskError`].
pub fn ask(config: &Config, question: &Question) -> Result<Conversation, AskError> {
    let socket = place::of(config);
    let mut stream = UnixStream::connect(&socket).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::NobodyThere(config.file().to_owned()),
        io::ErrorKind::PermissionDenied => AskError::NotYours(socket.clone()),
        _ => AskError::Broken { socket: socket.clone(), error },
    })?;
    let mut text = serde_json::to_vec(question).expect("a question is text and numbers");
    text.push(b'\n');
    stream.write_all(&text).map_err(|error| AskError::Broken { socket: socket.clone(), error })?;
    Ok(Conversation { socket, stream: BufReader::new(stream) })
}

impl Conversation {
    /// The next answer; `None` where there is no further one.
    ///
    /// # Errors
    ///
    /// [`AskError::Broken`], also where what comes is no answer.
    pub fn next_answer(&mut self) -> Result<Option<Answer>, AskError> {
        let mut text = Vec::new();
        let read = (&mut self.stream).take(LONGEST_ANSWER).read_until(b'\n', &mut text);
        let answer = match read {
            Ok(0) => return Ok(None),
            Ok(_) => serde_json::from_slice(&text).map_err(io::Error::from),
            Err(error) => Err(error),
        };
        answer.map(Some).map_err(|error| AskError::Broken { socket: self.socket.clone(), error })
    }

    /// The last answer; what comes before it is progress, and told.
    ///
    /// # Errors
    ///
    /// As [`Conversation::next_answer`]; also where the server says no more, since it has ended.
    pub fn conclude(mut self, mut progress: impl FnMut(&str)) -> Result<Answer, AskError> {
        loop {
            match self.next_answer()? {
                Some(Answer::Progress(how_far)) => progress(&how_far),
                Some(answer) => return Ok(answer),
                None => {
                    let error = io::ErrorKind::UnexpectedEof.into();
                    return Err(AskError::Broken { socket: self.socket, error });
                }
            }
        }
    }
}
