//! Who may write what is loaded: nobody but the owner of the process and root, as sshd and sudo ask of their files.

use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// A file or folder can't be trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// Others may write it.
    #[error("{path} may be written by others (mode {mode:04o}); run: chmod go-w {path}")]
    WritableByOthers {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It belongs to somebody else.
    #[error("{path} belongs to the user {owner}, neither to root nor to the user of this process")]
    ForeignOwner {
        /// Which.
        path: PathBuf,
        /// Whose.
        owner: u32,
    },
    /// It can't be looked at.
    #[error("{path} can't be looked at: {error}")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is something else.
    #[error("{path} is not a regular file")]
    NotAFile {
        /// Which.
        path: PathBuf,
    },
}

/// Checks the plugins folder.
///
/// # Errors
///
/// See [`TrustError`].
pub fn check_folder(folder: &Path) -> Result<(), TrustError> {
    let metadata = std::fs::metadata(folder).map_err(|error| TrustError::Unreadable { path: folder.to_owned(), error })?;
    check(folder, &metadata)
}

/// Checks an open file, and tells about it.
///
/// # Errors
///
/// See [`TrustError`].
pub fn check_file(path: &Path, file: &File) -> Result<Metadata, TrustError> {
    let metadata = file.metadata().map_err(|error| TrustError::Unreadable { path: path.to_owned(), error })?;
    if !metadata.is_file() {
        return Err(TrustError::NotAFile { path: path.to_owned() });
    }
    check(path, &metadata)?;
    Ok(metadata)
}

fn check(path: &Path, metadata: &Metadata) -> Result<(), TrustError> {
    let own = rustix::process::geteuid().as_raw();
    if metadata.uid() != own && metadata.uid() != 0 {
        return Err(TrustError::ForeignOwner { path: path.to_owned(), owner: metadata.uid() });
    }
    let mode = metadata.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(TrustError::WritableByOthers { path: path.to_owned(), mode });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_others_may_write_is_not_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libx.so");
        let file = File::create(&path).unwrap();
        for (mode, trusted) in [(0o644, true), (0o755, true), (0o664, false), (0o646, false)] {
            file.set_permissions(PermissionsExt::from_mode(mode)).unwrap();
            assert_eq!(check_file(&path, &file).is_ok(), trusted, "mode {mode:o}");
        }
    }
}
