//! Lock files: who holds one lives, and when its process ends, however that comes, it is free.
//!
//! Knows files; does not know what they stand for.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

/// Locks a file, which is made where it is not there; `None` where somebody else has it.
///
/// # Errors
///
/// The file can't be opened or locked.
pub fn hold(path: &Path) -> io::Result<Option<File>> {
    loop {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true).mode(0o600);
        match locked(path, &options)? {
            Held::Ours(file) => return Ok(Some(file)),
            Held::Others => return Ok(None),
            Held::Nameless => {}
        }
    }
}

/// Locks a file that a process has left behind; `None` where that lives, or where there is none.
pub fn hold_left(path: &Path) -> Option<File> {
    match locked(path, OpenOptions::new().write(true)) {
        Ok(Held::Ours(file)) => Some(file),
        Ok(Held::Others | Held::Nameless) | Err(_) => None,
    }
}

enum Held {
    Ours(File),
    Others,
    /// It was removed by who had it before: a lock without a name keeps nobody out.
    Nameless,
}

fn locked(path: &Path, options: &OpenOptions) -> io::Result<Held> {
    let no_link = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
    let file = options.clone().custom_flags(no_link).open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Ok(Held::Others),
        Err(std::fs::TryLockError::Error(error)) => return Err(error),
    }
    let own = file.metadata()?;
    let same = std::fs::symlink_metadata(path).is_ok_and(|named| (named.ino(), named.dev()) == (own.ino(), own.dev()));
    Ok(if same { Held::Ours(file) } else { Held::Nameless })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_free_when_it_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        assert!(hold_left(&path).is_none(), "nobody has left one");
        let held = hold(&path).unwrap().unwrap();
        assert!(hold(&path).unwrap().is_none() && hold_left(&path).is_none());
        drop(held);
        assert!(hold_left(&path).is_some());
    }

    #[test]
    fn a_lock_whose_name_is_gone_keeps_nobody_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = hold(&path).unwrap().unwrap();
        std::fs::remove_file(&path).unwrap();
        let second = hold(&path).unwrap().unwrap();
        assert!(hold(&path).unwrap().is_none());
        drop((first, second));
    }
}
