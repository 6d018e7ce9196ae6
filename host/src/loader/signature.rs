//! Signatures of libraries (minisign): a file beside the library, made with a secret key whose public half the operator names.
//!
//! Knows the files; the cryptography is `minisign-verify`'s.

use std::io::Read;
use std::path::{Path, PathBuf};

use minisign_verify::{PublicKey, Signature};

use super::trust::open_now;

/// The longest signature file.
const LONGEST: u64 = 4096;

/// Why no signature vouches for a file.
#[derive(Debug, thiserror::Error)]
pub enum SignatureError {
    /// There is no readable one.
    #[error("{} can't be read: {error}", path.display())]
    Missing {
        /// Where it would lie.
        path: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// What lies there is none.
    #[error("{} is no signature of minisign: {error}", path.display())]
    Malformed {
        /// Where it lies.
        path: PathBuf,
        /// What is wrong with it.
        error: minisign_verify::Error,
    },
    /// It is one, but of other bytes or by another key.
    #[error("{} is not a signature of this file by one of the keys", path.display())]
    Wrong {
        /// Where it lies.
        path: PathBuf,
    },
}

/// Where the signature of a library lies.
pub fn path_for(library: &Path) -> PathBuf {
    let mut path = library.to_owned().into_os_string();
    path.push(".minisig");
    path.into()
}

/// Whether one of the keys has signed these bytes of the library at `library`.
///
/// # Errors
///
/// See [`SignatureError`].
pub fn verify(library: &Path, bytes: &[u8], keys: &[PublicKey]) -> Result<(), SignatureError> {
    let path = path_for(library);
    let mut text = String::new();
    let read = open_now(&path).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
    if let Err(error) = read {
        return Err(SignatureError::Missing { path, error });
    }
    let signature = match Signature::decode(&text) {
        Ok(signature) => signature,
        Err(error) => return Err(SignatureError::Malformed { path, error }),
    };
    // Without prehashing it would be of minisign before 0.6, which nobody needs.
    if keys.iter().any(|key| key.verify(bytes, &signature, false).is_ok()) {
        Ok(())
    } else {
        Err(SignatureError::Wrong { path })
    }
}
