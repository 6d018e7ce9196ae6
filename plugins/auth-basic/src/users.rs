//! Who may connect: names and the hashes of their passwords, and the check of both.
//!
//! A check takes as long for a name that nobody has. A password that was right once is remembered by a keyed digest, so that clients that
//! come back, or poll, cost no hash each time; a wrong one always costs one.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{PoisonError, RwLock};

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordVerifier, generate_salt};
use argon2::{Argon2, Params};
use blake2::{Blake2b256, Digest};

use crate::header::Credentials;

/// The users of one configuration.
pub(crate) struct Users {
    /// Sorted by name.
    hashes: Vec<(String, PasswordHash)>,
    /// What stands in for the hash of a name that nobody has is chosen by this.
    choice: RandomState,
    /// The key of the digests; it never leaves the process.
    key: [u8; 16],
    /// The digest of each user's password, as soon as it was right once.
    known: RwLock<HashMap<String, [u8; 32]>>,
}

/// Why a user can't be configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UserError {
    /// A name with a colon can't be sent (RFC 7617, section 2).
    #[error("the name of a user has no colon and no control characters")]
    Name,
    /// Not a hash that Argon2 knows.
    #[error("the hash of a password is a PHC string of Argon2, such as `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`: {0}")]
    Hash(String),
}

impl Users {
    /// Takes the users of a configuration: names and PHC strings.
    ///
    /// # Errors
    ///
    /// One of them can't be right; with its name.
    pub(crate) fn new(users: &BTreeMap<String, String>) -> Result<Self, (String, UserError)> {
        let hashes = users
            .iter()
            .map(|(name, hash)| match parsed(name, hash) {
                Ok(hash) => Ok((name.clone(), hash)),
                Err(error) => Err((name.clone(), error)),
            })
            .collect::<Result<_, _>>()?;
        Ok(Self { hashes, choice: RandomState::new(), key: generate_salt(), known: RwLock::default() })
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether the password was right before. Quick.
    pub(crate) fn is_known(&self, credentials: &Credentials) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&credentials.user).is_some_and(|digest| *digest == self.digest(credentials))
    }

    /// Whether the password is right. Takes its time, and the memory that the hash names.
    pub(crate) fn check(&self, credentials: &Credentials) -> bool {
        let own = self.hashes.binary_search_by(|(name, _)| name.as_str().cmp(&credentials.user)).ok();
        let Some(place) = own.or_else(|| self.stand_in(&credentials.user)) else { return false };
        let (_, hash) = &self.hashes[place];
        let matches = Argon2::default().verify_password(credentials.password.as_bytes(), hash).is_ok();
        let is_right = own.is_some() && matches;
        if is_right {
            let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
            known.insert(credentials.user.clone(), self.digest(credentials));
        }
        is_right
    }

    /// The user whose hash is computed for a name that nobody has: always the same for a name, as hashes may cost unlike times.
    pub(crate) fn stand_in(&self, name: &str) -> Option<usize> {
        let number = usize::try_from(self.choice.hash_one(name) >> 32).unwrap_or_default();
        number.checked_rem(self.hashes.len())
    }

    fn digest(&self, credentials: &Credentials) -> [u8; 32] {
        let mut digest = Blake2b256::new();
        digest.update(self.key);
        digest.update(credentials.user.as_bytes());
        // No name has a colon.
        digest.update(b":");
        digest.update(credentials.password.as_bytes());
        digest.finalize().into()
    }
}

fn parsed(name: &str, hash: &str) -> Result<PasswordHash, UserError> {
    if name.contains(|character: char| character == ':' || character.is_control()) {
        return Err(UserError::Name);
    }
    let refused = |error: &dyn std::fmt::Display| UserError::Hash(error.to_string());
    let parsed = PasswordHash::new(hash).map_err(|error| refused(&error))?;
    argon2::Algorithm::try_from(parsed.algorithm.as_str()).map_err(|error| refused(&error))?;
    Params::try_from(&parsed).map_err(|error| refused(&error))?;
    match (&parsed.salt, &parsed.hash) {
        (Some(_), Some(_)) => Ok(parsed),
        _ => Err(refused(&"the salt or the hash is missing")),
    }
}
