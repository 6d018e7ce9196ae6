//! The control socket's client side: how the command line asks a server that runs.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::place;
use super::protocol::{Answer, LONGEST_ANSWER, Question};
use crate::config::Config;

/// How often a question goes to the next process at most, and after which time: one that has just taken over may be a moment away.
const FOLLOWED: u32 = 200;
const FOLLOWS_AFTER: Duration = Duration::from_millis(50);

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
    file: PathBuf,
    socket: PathBuf,
    question: Question,
    stream: BufReader<UnixStream>,
    /// How often it may yet be asked of another process.
    follows: u32,
}

/// Asks the server that runs with this configuration.
///
/// # Errors
///
/// See [`AskError`].
pub fn ask(config: &Config, question: &Question) -> Result<Conversation, AskError> {
    let socket = place::of(config);
    let stream = BufReader::new(begin(config.file(), &socket, question)?);
    let (file, question) = (config.file().to_owned(), question.clone());
    Ok(Conversation { file, socket, question, stream, follows: FOLLOWED })
}

fn begin(file: &Path, socket: &Path, question: &Question) -> Result<UnixStream, AskError> {
    let mut stream = UnixStream::connect(socket).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => AskError::NobodyThere(file.to_owned()),
        io::ErrorKind::PermissionDenied => AskError::NotYours(socket.to_owned()),
        _ => AskError::Broken { socket: socket.to_owned(), error },
    })?;
    let mut text = serde_json::to_vec(question).expect("a question is text and numbers");
    text.push(b'\n');
    stream.write_all(&text).map_err(|error| AskError::Broken { socket: socket.to_owned(), error })?;
    Ok(stream)
}

impl Conversation {
    /// The next answer; `None` where there is no further one. Where another process has taken over, it is asked instead.
    ///
    /// # Errors
    ///
    /// [`AskError::Broken`], also where what comes is no answer.
    pub fn next_answer(&mut self) -> Result<Option<Answer>, AskError> {
        loop {
            match self.read_answer()? {
                Some(Answer::Moved) if self.follows > 0 => {
                    self.follows -= 1;
                    std::thread::sleep(FOLLOWS_AFTER);
                    self.stream = BufReader::new(begin(&self.file, &self.socket, &self.question)?);
                }
                answer => return Ok(answer),
            }
        }
    }

    fn read_answer(&mut self) -> Result<Option<Answer>, AskError> {
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
                // They are no answer yet.
                Some(Answer::Troubles(_)) => {}
                Some(answer) => return Ok(answer),
                None => {
                    let error = io::ErrorKind::UnexpectedEof.into();
                    return Err(AskError::Broken { socket: self.socket, error });
                }
            }
        }
    }
}
