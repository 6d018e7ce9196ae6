//! The private folder that libraries are loaded from. A name is never used twice, since the system gives an old library back
//! for a known path; a copy stays as long as it is mapped, since backtraces read it.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use super::hex;

const PREFIX: &str = "switchboard-";

/// The copies of one process.
pub struct Copies {
    folder: PathBuf,
    written: u64,
}

impl Copies {
    /// Makes the folder, in the system's folder for temporary files, and clears away those of processes that are gone.
    ///
    /// # Errors
    ///
    /// The folder can't be made.
    pub fn new() -> io::Result<Self> {
        let parent = std::env::temp_dir();
        clear_stale(&parent);
        let own = rustix::process::geteuid().as_raw();
        let process = std::process::id();
        for attempt in 0..1000 {
            let folder = parent.join(format!("{PREFIX}{own}-{process}-{attempt}"));
            match DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => return Ok(Self { folder, written: 0 }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("no free name for a folder in {}", parent.display())))
    }

    /// Writes a copy under a new name.
    ///
    /// # Errors
    ///
    /// It can't be written.
    pub fn write(&mut self, stem: &str, sha256: &[u8; 32], bytes: &[u8]) -> io::Result<PathBuf> {
        self.written += 1;
        let path = self.folder.join(format!("{stem}-{}-{}.so", hex(&sha256[..6]), self.written));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(bytes)?;
        Ok(path)
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        // The process ends: nothing reads them any more.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Removes the folders of this user's processes that are gone.
fn clear_stale(parent: &Path) {
    let own = rustix::process::geteuid().as_raw();
    let mine = format!("{PREFIX}{own}-");
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(process) = name.strip_prefix(&mine).and_then(|rest| rest.split('-').next()) else { continue };
        if process.parse::<u32>().is_ok() && !Path::new("/proc").join(process).exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
