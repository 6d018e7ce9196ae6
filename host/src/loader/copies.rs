//! The private folder that libraries are loaded from. A name is never used twice, since the system gives an old library back
//! for a known path; a copy stays as long as it is mapped, since backtraces read it.
//!
//! Each process has a folder of its own, with a lock that it holds for as long as it lives: what others find there is left
//! alone while the lock is held, and cleared away when it is free.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::hex;
use super::trust::{TrustError, check_place};
use crate::lock;

const PREFIX: &str = "switchboard-";

/// The name of a folder's lock.
const LOCK: &str = "lock";

/// Why there is no private folder.
#[derive(Debug, thiserror::Error)]
pub enum CopiesError {
    /// Others could change what lies in it.
    #[error("no private folder for copies of plugins can be made (TMPDIR says where): {0}")]
    Place(#[from] TrustError),
    /// Nothing that lies there can be loaded.
    #[error("no private folder for copies of plugins can be made in {}: it is mounted noexec; have TMPDIR name another", .0.display())]
    NoExec(PathBuf),
    /// The system refuses.
    #[error("no private folder for copies of plugins can be made in {}: {error}", parent.display())]
    Io {
        /// Where.
        parent: PathBuf,
        /// What it says.
        error: io::Error,
    },
}

/// The copies of one process.
pub struct Copies {
    folder: PathBuf,
    written: u64,
    /// Free when the process ends.
    _lock: File,
}

impl Copies {
    /// Makes the folder, in the system's folder for temporary files, and clears away those of processes that are gone.
    ///
    /// # Errors
    ///
    /// See [`CopiesError`].
    pub fn new() -> Result<Self, CopiesError> {
        let parent = std::env::temp_dir();
        check_place(&parent)?;
        if is_noexec(&parent) {
            return Err(CopiesError::NoExec(parent));
        }
        clear_stale(&parent);
        Self::within(&parent).map_err(|error| CopiesError::Io { parent, error })
    }

    fn within(parent: &Path) -> io::Result<Self> {
        let own = rustix::process::geteuid().as_raw();
        let process = std::process::id();
        for attempt in 0..1000 {
            let folder = parent.join(format!("{PREFIX}{own}-{process}-{attempt}"));
            match DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            }
            match lock::hold(&folder.join(LOCK)) {
                Ok(Some(lock)) => return Ok(Self { folder, written: 0, _lock: lock }),
                // Another server, just started, has taken it for one that was left behind: it clears it away.
                Ok(None) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, "no name is free"))
    }

    /// Where they lie.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a copy under a new name.
    ///
    /// # Errors
    ///
    /// It can't be written.
    pub fn write(&mut self, stem: &str, sha256: &[u8; 32], bytes: &[u8]) -> io::Result<PathBuf> {
        self.written += 1;
        let path = self.folder.join(format!("{stem}-{}-{}.so", hex(&sha256[..6]), self.written));
        write_whole(&path, |file| file.write_all(bytes))?;
        Ok(path)
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        // The process ends: nothing reads them any more.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Makes a file, or none: a part of a copy is of no use, least of all on a full disk.
fn write_whole(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    write(&mut file).inspect_err(|_| drop(std::fs::remove_file(path)))
}

/// Whether the system maps no code from files in a folder. Where it does not say so, loading shows it.
fn is_noexec(folder: &Path) -> bool {
    rustix::fs::statvfs(folder).is_ok_and(|system| system.f_flag.contains(rustix::fs::StatVfsMountFlags::NOEXEC))
}

/// Removes the folders of this user's processes that are gone.
fn clear_stale(parent: &Path) {
    let own = rustix::process::geteuid().as_raw();
    let mine = format!("{PREFIX}{own}-");
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let folder = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(process) = name.strip_prefix(&mine).and_then(|rest| rest.split('-').next()) else { continue };
        let ours = std::fs::symlink_metadata(&folder).is_ok_and(|found| found.is_dir() && found.uid() == own);
        if process.parse::<u32>().is_err() || !ours {
            continue;
        }
        let lock = folder.join(LOCK);
        let left = lock::hold_left(&lock);
        // Without a lock its process has ended before it could make one, or is about to make it.
        let is_dead = left.is_some() || (!lock.exists() && !Path::new("/proc").join(process).exists());
        if is_dead {
            let _ = std::fs::remove_dir_all(&folder);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_that_is_not_whole_is_removed() {
        let parent = tempfile::tempdir().unwrap();
        let copies = Copies::within(parent.path()).unwrap();
        let path = copies.folder().join("libx.so");
        let full = |file: &mut File| {
            file.write_all(b"half of")?;
            Err(io::Error::from(io::ErrorKind::StorageFull))
        };
        assert!(write_whole(&path, full).is_err());
        assert!(!path.exists());
    }

    #[test]
    fn folders_that_are_mounted_noexec_are_told_from_others() {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let own = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>()).rfind(|fields| fields[1] == "/proc").unwrap();
        assert_eq!(is_noexec(Path::new("/proc")), own[3].split(',').any(|option| option == "noexec"));
        assert!(!is_noexec(std::env::current_exe().unwrap().parent().unwrap()));
    }

    #[test]
    fn what_the_dead_left_is_cleared_and_what_the_living_have_is_not() {
        let parent = tempfile::tempdir().unwrap();
        let mut living = Copies::within(parent.path()).unwrap();
        let copy = living.write("libx", &[7; 32], b"bytes").unwrap();
        let own = rustix::process::geteuid().as_raw();
        // As this process' number is taken, the lock alone tells that it is dead.
        let dead = parent.path().join(format!("{PREFIX}{own}-{}-900", std::process::id()));
        let bare = parent.path().join(format!("{PREFIX}{own}-4294967295-0"));
        let other = parent.path().join(format!("{PREFIX}{own}"));
        for folder in [&dead, &bare, &other] {
            std::fs::create_dir(folder).unwrap();
        }
        std::fs::write(dead.join(LOCK), "").unwrap();
        clear_stale(parent.path());
        assert!(copy.exists());
        assert!(!dead.exists() && !bare.exists());
        assert!(other.exists(), "it is no folder of copies");
        drop(living);
        assert!(!copy.exists());
    }
}
