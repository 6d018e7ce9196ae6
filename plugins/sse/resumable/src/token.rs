//! What a client names its session by: the public id of its spark, so that the host finds it on whatever shard it is, and a
//! secret, so that nobody who was only told the id can speak for it.

use std::fmt;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Letters of a secret: six bits each, 132 in all.
const LETTERS: usize = 22;

/// `PUBLIC~SECRET`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    public: Box<str>,
    secret: Box<str>,
}

/// The system gives no random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system's random generator does not work: no session can be opened")]
pub struct NoRandomness;

impl Token {
    /// A new one for a spark's public id.
    ///
    /// # Errors
    /// There is nothing that can't be guessed.
    pub fn new(public: &str) -> Result<Self, NoRandomness> {
        Ok(Self { public: public.into(), secret: secret()?.into() })
    }

    /// What a client sent. `None`: it was never given out.
    pub fn parse(text: &str) -> Option<Self> {
        let (public, secret) = text.split_once('~')?;
        let letters = |text: &str| text.bytes().all(|byte| ALPHABET.contains(&byte));
        let is_one = !public.is_empty() && public.len() <= 64 && letters(public) && secret.len() == LETTERS && letters(secret);
        is_one.then(|| Self { public: public.into(), secret: secret.into() })
    }

    /// The public id of the spark.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// Whether it is the same one. Takes the same time wherever they differ.
    pub fn is(&self, other: &Self) -> bool {
        let pairs = self.secret.bytes().zip(other.secret.bytes());
        let differs = pairs.fold(0, |differs, (one, other)| differs | (one ^ other));
        differs == 0 && self.secret.len() == other.secret.len() && self.public == other.public
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}~{}", self.public, self.secret)
    }
}

impl fmt::Debug for Token {
    /// Without the secret: logs are read by others.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({}~…)", self.public)
    }
}

/// Letters that nobody can guess.
///
/// # Errors
/// The system gives no random numbers.
pub fn secret() -> Result<String, NoRandomness> {
    let mut random = [0; LETTERS];
    getrandom::fill(&mut random).map_err(|_| NoRandomness)?;
    Ok(random.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 63)])).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_is_written_and_no_two_are_the_same() {
        let (one, other) = (Token::new("spark").unwrap(), Token::new("spark").unwrap());
        let read = Token::parse(&one.to_string()).unwrap();
        assert!(read.is(&one));
        assert_eq!(read.public(), "spark");
        assert!(!one.is(&other));
    }

    #[test]
    fn what_was_never_given_out_is_none() {
        let secret = "a".repeat(LETTERS);
        for text in ["", "~", "spark", "spark~", "spark~short", &format!("~{secret}"), &format!("sp ark~{secret}")] {
            assert_eq!(Token::parse(text), None, "{text}");
        }
        assert_eq!(Token::parse(&format!("{}~{secret}", "x".repeat(65))), None);
    }

    #[test]
    fn a_secret_is_not_logged() {
        let token = Token::new("spark").unwrap();
        let (_, secret) = token.to_string().split_once('~').map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        assert!(!format!("{token:?}").contains(&secret));
    }
}
