//! HTTP/1.1 responses as a client reads them (RFC 9112), no more than the benchmark needs: bytes in, parts out.
//!
//! A response has a length, is chunked, or has no body by its status. One that ends with its connection is refused: then a
//! client that polls could not keep its connection, and that is not what is measured. Knows nothing of what a body means.

/// A head that is longer is refused.
const LONGEST_HEAD: usize = 16 * 1024;

/// What comes next of a response.
#[derive(Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// The head is complete; its status.
    Head(u16),
    /// More of the body.
    Body(&'a [u8]),
    /// The response is complete.
    End,
}

/// What a benchmarked server must not send.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    #[error("a response's head is longer than {LONGEST_HEAD} bytes")]
    Head,
    #[error("no head of HTTP/1.1: {0}")]
    Malformed(String),
    #[error("the response has neither a length nor chunks")]
    Endless,
    #[error("the server ends its connection with this response")]
    Closing,
    #[error("malformed chunk")]
    Chunk,
}

/// Reads the responses of one connection, one after the other.
#[derive(Debug, Default)]
pub struct Reader {
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Head,
    /// So many bytes of a body with a length.
    Body(usize),
    /// A chunk's size comes.
    Size,
    /// So many bytes of a chunk, then the end of its line.
    Chunk(usize),
    /// Behind the last chunk: the empty line. Trailers are refused.
    Trailer,
}

impl Reader {
    /// Takes one part from the start of `input`, and says how many bytes it took; `None` if more has to come first.
    pub fn read<'a>(&mut self, input: &'a [u8]) -> Result<Option<(Part<'a>, usize)>, HttpError> {
        match self.state {
            State::Head => self.head(input),
            State::Body(0) => {
                self.state = State::Head;
                Ok(Some((Part::End, 0)))
            }
            State::Body(left) => Ok(self.body(input, left, State::Body)),
            State::Size => {
                let Some(end) = line(input)? else { return Ok(None) };
                let digits = std::str::from_utf8(&input[..end]).map_err(|_| HttpError::Chunk)?;
                let digits = digits.split(';').next().unwrap_or_default().trim();
                let size = usize::from_str_radix(digits, 16).map_err(|_| HttpError::Chunk)?;
                self.state = if size == 0 { State::Trailer } else { State::Chunk(size) };
                self.after(&input[end + 2..], end + 2)
            }
            State::Chunk(0) => match input {
                [b'\r', b'\n', rest @ ..] => {
                    self.state = State::Size;
                    self.after(rest, 2)
                }
                [] | [b'\r'] => Ok(None),
                _ => Err(HttpError::Chunk),
            },
            State::Chunk(left) => Ok(self.body(input, left, State::Chunk)),
            State::Trailer => match input {
                [b'\r', b'\n', ..] => {
                    self.state = State::Head;
                    Ok(Some((Part::End, 2)))
                }
                [] | [b'\r'] => Ok(None),
                _ => Err(HttpError::Chunk),
            },
        }
    }

    /// The part behind `taken` bytes that are no part themselves. Without one, they are taken as an empty piece of the body.
    fn after<'a>(&mut self, rest: &'a [u8], taken: usize) -> Result<Option<(Part<'a>, usize)>, HttpError> {
        Ok(Some(match self.read(rest)? {
            Some((part, more)) => (part, taken + more),
            None => (Part::Body(&[]), taken),
        }))
    }

    fn body<'a>(&mut self, input: &'a [u8], left: usize, state: fn(usize) -> State) -> Option<(Part<'a>, usize)> {
        let count = left.min(input.len());
        if count == 0 {
            return None;
        }
        self.state = state(left - count);
        Some((Part::Body(&input[..count]), count))
    }

    fn head<'a>(&mut self, input: &'a [u8]) -> Result<Option<(Part<'a>, usize)>, HttpError> {
        let Some(end) = input.windows(4).position(|four| four == b"\r\n\r\n") else {
            return if input.len() > LONGEST_HEAD { Err(HttpError::Head) } else { Ok(None) };
        };
        let malformed = || HttpError::Malformed(String::from_utf8_lossy(&input[..end.min(80)]).into_owned());
        let head = std::str::from_utf8(&input[..end]).map_err(|_| malformed())?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")).and_then(|line| line.get(..3));
        let status: u16 = status.and_then(|digits| digits.parse().ok()).ok_or_else(malformed)?;
        let (mut length, mut is_chunked) = (None, false);
        for line in lines {
            let (name, value) = line.split_once(':').ok_or_else(malformed)?;
            let value = value.trim();
            if name.eq_ignore_ascii_case("content-length") {
                length = Some(value.parse().map_err(|_| malformed())?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                is_chunked = value.eq_ignore_ascii_case("chunked");
            } else if name.eq_ignore_ascii_case("connection") && value.eq_ignore_ascii_case("close") {
                return Err(HttpError::Closing);
            }
        }
        self.state = match (status, is_chunked, length) {
            (204 | 304, _, _) => State::Body(0),
            (_, true, _) => State::Size,
            (_, false, Some(length)) => State::Body(length),
            (_, false, None) => return Err(HttpError::Endless),
        };
        Ok(Some((Part::Head(status), end + 4)))
    }
}

/// Where the line at the start of `input` ends, if it does.
fn line(input: &[u8]) -> Result<Option<usize>, HttpError> {
    match input.iter().position(|byte| *byte == b'\r') {
        Some(end) if end + 1 < input.len() => {
            if input[end + 1] == b'\n' {
                Ok(Some(end))
            } else {
                Err(HttpError::Chunk)
            }
        }
        None if input.len() > 64 => Err(HttpError::Chunk),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// All that `bytes` say, with each response's pieces of body as one.
    fn read_all(reader: &mut Reader, bytes: &[u8], said: &mut Vec<(u16, Vec<u8>, bool)>) -> Result<usize, HttpError> {
        let mut at = 0;
        while let Some((part, taken)) = reader.read(&bytes[at..])? {
            at += taken;
            match part {
                Part::Head(status) => said.push((status, Vec::new(), false)),
                Part::Body(piece) => said.last_mut().unwrap().1.extend_from_slice(piece),
                Part::End => said.last_mut().unwrap().2 = true,
            }
        }
        Ok(at)
    }

    const RESPONSES: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello\
        HTTP/1.1 204 No Content\r\n\r\n\
        HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwiki\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n\
        HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nConnection: keep-alive\r\n\r\n";

    fn expected() -> Vec<(u16, Vec<u8>, bool)> {
        vec![
            (200, b"hello".to_vec(), true),
            (204, Vec::new(), true),
            (200, b"wiki0123456789".to_vec(), true),
            (404, Vec::new(), true),
        ]
    }

    #[test]
    fn responses_follow_one_another() {
        let mut said = Vec::new();
        assert_eq!(read_all(&mut Reader::default(), RESPONSES, &mut said), Ok(RESPONSES.len()));
        assert_eq!(said, expected());
    }

    #[test]
    fn what_would_end_the_connection_is_refused() {
        let read = |bytes: &[u8]| Reader::default().read(bytes).map(|_| ());
        assert_eq!(read(b"HTTP/1.1 200 OK\r\n\r\n"), Err(HttpError::Endless));
        assert_eq!(read(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), Err(HttpError::Closing));
        assert!(matches!(read(b"HTTP/1.0 200 OK\r\n\r\n"), Err(HttpError::Malformed(_))));
        assert_eq!(read(&[b'x'; LONGEST_HEAD + 1]), Err(HttpError::Head));
    }

    #[test]
    fn malformed_chunks_are_refused() {
        for bytes in [&b"zz\r\n"[..], b"2\r\nabcd", b"0\r\nx: y\r\n\r\n", b"2\rx"] {
            let mut reader = Reader { state: State::Size };
            let mut said = vec![(200, Vec::new(), false)];
            assert_eq!(read_all(&mut reader, bytes, &mut said), Err(HttpError::Chunk), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn responses_say_the_same_however_they_are_cut(cuts in proptest::collection::vec(0..RESPONSES.len(), 0..12)) {
            let mut cuts = cuts;
            cuts.push(RESPONSES.len());
            cuts.sort_unstable();
            let (mut reader, mut said, mut held) = (Reader::default(), Vec::new(), Vec::new());
            let mut from = 0;
            for cut in cuts {
                held.extend_from_slice(&RESPONSES[from..cut]);
                from = cut;
                let taken = read_all(&mut reader, &held, &mut said)?;
                held.drain(..taken);
            }
            prop_assert_eq!(said, expected());
            prop_assert!(held.is_empty());
        }
    }
}
