//! Who may write what is loaded: nobody but the owner of the process and root, as sshd and sudo ask of their files.
//!
//! A file is as safe as the way to it: every folder on it is looked at, and where a symbolic link leads, that way, too. Folders
//! like `/tmp`, in which everybody may make files but nobody may touch those of others (the sticky bit), are no danger to what
//! lies in them.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::{File, Metadata, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::OFlags;

/// Symbolic links on one way, as many as the system itself follows.
const MOST_LINKS: usize = 40;

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
    /// It is a symbolic link to somewhere else.
    #[error(
        "{path} is a symbolic link that leaves its folder, to {target}; copy the file, or allow it: [trust] symlinks = true"
    )]
    Leaves {
        /// Which.
        path: PathBuf,
        /// Where it leads.
        target: PathBuf,
    },
    /// It has other names, under which it may be changed from elsewhere.
    #[error("{path} has {names} names (hard links), and others may know one of them; copy the file instead")]
    ManyNames {
        /// Which.
        path: PathBuf,
        /// How many.
        names: u64,
    },
}

impl TrustError {
    fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |error| Self::Unreadable { path, error }
    }
}

impl TrustError {
    /// What can't be trusted: the file itself, or a folder on the way to it.
    pub fn path(&self) -> &Path {
        match self {
            Self::WritableByOthers { path, .. }
            | Self::ForeignOwner { path, .. }
            | Self::Unreadable { path, .. }
            | Self::NotAFile { path }
            | Self::Leaves { path, .. }
            | Self::ManyNames { path, .. } => path,
        }
    }
}

/// Whether files may be reached by symbolic links that leave their folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    /// They may not.
    Inside,
    /// They may, where the way to the target can be trusted as well.
    Anywhere,
}

/// Checks a folder whose files are loaded, and the way to it.
///
/// # Errors
///
/// See [`TrustError`].
pub fn check_folder(folder: &Path) -> Result<(), TrustError> {
    let folder = walk(folder)?;
    let metadata = std::fs::metadata(&folder).map_err(TrustError::unreadable(&folder))?;
    check(&folder, &metadata)
}

/// Checks a place for a private folder, and the way to it: others may make files there, but not touch ours.
///
/// # Errors
///
/// See [`TrustError`].
pub fn check_place(folder: &Path) -> Result<(), TrustError> {
    walk(folder).map(drop)
}

/// Opens a file of a folder that was checked.
///
/// # Errors
///
/// See [`TrustError`].
pub fn open_in(folder: &Path, path: &Path, links: Links) -> Result<(File, Metadata), TrustError> {
    let link = std::fs::symlink_metadata(path).map_err(TrustError::unreadable(path))?;
    let mut real = path.to_owned();
    if link.is_symlink() {
        real = path.canonicalize().map_err(TrustError::unreadable(path))?;
        let inside = folder.canonicalize().is_ok_and(|folder| real.starts_with(folder));
        if !inside && links == Links::Inside {
            return Err(TrustError::Leaves { path: path.to_owned(), target: real });
        }
        if let Some(target) = real.parent() {
            check_folder(target)?;
        }
    }
    let (file, metadata) = open(&real)?;
    match metadata.nlink() {
        0 | 1 => Ok((file, metadata)),
        names => Err(TrustError::ManyNames { path: path.to_owned(), names }),
    }
}

/// Opens a file, wherever it lies.
///
/// # Errors
///
/// See [`TrustError`].
pub fn open(path: &Path) -> Result<(File, Metadata), TrustError> {
    let file = open_now(path).map_err(TrustError::unreadable(path))?;
    let metadata = file.metadata().map_err(TrustError::unreadable(path))?;
    if !metadata.is_file() {
        return Err(TrustError::NotAFile { path: path.to_owned() });
    }
    check(path, &metadata)?;
    Ok((file, metadata))
}

/// Checks a file that says who is trusted, and the way to it.
///
/// # Errors
///
/// See [`TrustError`].
pub fn check_file(path: &Path) -> Result<(), TrustError> {
    let real = path.canonicalize().map_err(TrustError::unreadable(path))?;
    for file in [path, &real] {
        if let Some(folder) = file.parent() {
            walk(if folder.as_os_str().is_empty() { Path::new(".") } else { folder })?;
        }
    }
    open(&real).map(drop)
}

/// Opens a file to read it, without waiting: a pipe would have nothing to say until somebody writes to it.
///
/// # Errors
///
/// The system's.
pub fn open_now(path: &Path) -> std::io::Result<File> {
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

fn check(path: &Path, metadata: &Metadata) -> Result<(), TrustError> {
    check_owner(path, metadata)?;
    let mode = metadata.mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(TrustError::WritableByOthers { path: path.to_owned(), mode });
    }
    Ok(())
}

fn check_owner(path: &Path, metadata: &Metadata) -> Result<(), TrustError> {
    let own = rustix::process::geteuid().as_raw();
    if metadata.uid() != own && metadata.uid() != 0 {
        return Err(TrustError::ForeignOwner { path: path.to_owned(), owner: metadata.uid() });
    }
    Ok(())
}

/// Goes the way to a folder, link by link, and checks each folder on it, the last one as a place for files of ours: it may be
/// sticky. Where it leads.
fn walk(path: &Path) -> Result<PathBuf, TrustError> {
    let path = std::path::absolute(path).map_err(TrustError::unreadable(path))?;
    let mut here = PathBuf::from("/");
    let mut ahead = steps(&path);
    let mut links = 0;
    check_passage(&here)?;
    while let Some(step) = ahead.pop_front() {
        if step == ".." {
            here.pop();
            continue;
        }
        let next = here.join(&step);
        let metadata = std::fs::symlink_metadata(&next).map_err(TrustError::unreadable(&next))?;
        if metadata.is_symlink() {
            // Who owns a link in a sticky folder says where it leads.
            check_owner(&next, &metadata)?;
            links += 1;
            if links > MOST_LINKS {
                return Err(TrustError::unreadable(&path)(std::io::Error::other("too many symbolic links")));
            }
            let target = std::fs::read_link(&next).map_err(TrustError::unreadable(&next))?;
            if target.is_absolute() {
                here = PathBuf::from("/");
            }
            for step in steps(&target).into_iter().rev() {
                ahead.push_front(step);
            }
        } else {
            check_passage(&next)?;
            here = next;
        }
    }
    Ok(here)
}

fn steps(path: &Path) -> VecDeque<OsString> {
    let step = |component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some(OsString::from("..")),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    };
    path.components().filter_map(step).collect()
}

/// Checks a folder that others may use, but in which they may not touch what is ours.
fn check_passage(folder: &Path) -> Result<(), TrustError> {
    const STICKY: u32 = 0o1000;
    let metadata = std::fs::metadata(folder).map_err(TrustError::unreadable(folder))?;
    if metadata.mode() & STICKY != 0 { check_owner(folder, &metadata) } else { check(folder, &metadata) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn set_mode(path: &Path, mode: u32) {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_others_may_write_is_not_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("libx.so");
        File::create(&path).unwrap();
        for (mode, trusted) in [(0o644, true), (0o755, true), (0o664, false), (0o646, false)] {
            set_mode(&path, mode);
            assert_eq!(open(&path).is_ok(), trusted, "mode {mode:o}");
        }
    }

    #[test]
    fn what_is_no_file_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("libpipe.so");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
        assert!(matches!(open_in(folder.path(), &pipe, Links::Inside), Err(TrustError::NotAFile { .. })));
    }

    #[test]
    fn a_file_that_says_who_is_trusted_is_as_safe_as_the_way_to_it() {
        let place = tempfile::tempdir().unwrap();
        let (folder, file) = (place.path().join("etc"), place.path().join("etc/plugins.toml"));
        std::fs::create_dir(&folder).unwrap();
        File::create(&file).unwrap();
        for (folder_mode, mode, trusted) in [(0o755, 0o644, true), (0o755, 0o664, false), (0o775, 0o644, false)] {
            set_mode(&folder, folder_mode);
            set_mode(&file, mode);
            assert_eq!(check_file(&file).is_ok(), trusted, "mode {mode:o} in one of mode {folder_mode:o}");
        }
        symlink(&file, place.path().join("link.toml")).unwrap();
        assert!(check_file(&place.path().join("link.toml")).is_err(), "others may change what it leads to");
    }

    #[test]
    fn a_folder_is_as_safe_as_the_way_to_it() {
        let place = tempfile::tempdir().unwrap();
        let (outer, inner) = (place.path().join("outer"), place.path().join("outer/inner"));
        std::fs::create_dir_all(&inner).unwrap();
        set_mode(&inner, 0o755);
        for (mode, trusted) in [(0o755, true), (0o775, false), (0o777, false), (0o1777, true)] {
            set_mode(&outer, mode);
            assert_eq!(check_folder(&inner).is_ok(), trusted, "a parent of mode {mode:o}");
            assert_eq!(check_place(&outer).is_ok(), trusted, "a place of mode {mode:o}");
        }
        set_mode(&inner, 0o1777);
        assert!(check_folder(&inner).is_err(), "others may drop libraries into it");
    }

    #[test]
    fn the_way_behind_a_link_counts_and_the_way_to_it() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        for folder in ["open", "closed", "closed/plugins"] {
            std::fs::create_dir(at(folder)).unwrap();
            set_mode(&at(folder), 0o755);
        }
        symlink("../closed/plugins", at("open/link")).unwrap();
        symlink(at("open/link"), at("start")).unwrap();
        check_folder(&at("start")).unwrap();
        set_mode(&at("open"), 0o777);
        assert!(check_folder(&at("start")).is_err(), "others may turn the link");
        set_mode(&at("open"), 0o755);
        set_mode(&at("closed"), 0o777);
        assert!(check_folder(&at("start")).is_err(), "others may change what it leads to");
        set_mode(&at("closed"), 0o755);
        symlink("round", at("round")).unwrap();
        assert!(check_folder(&at("round")).is_err());
    }

    #[test]
    fn a_file_stays_in_its_folder_under_one_name() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("plugins");
        std::fs::create_dir(&folder).unwrap();
        set_mode(&folder, 0o755);
        let outside = place.path().join("outside.so");
        File::create(&outside).unwrap();
        File::create(folder.join(".inside")).unwrap();
        symlink(&outside, folder.join("libout.so")).unwrap();
        symlink(".inside", folder.join("libin.so")).unwrap();
        assert!(open_in(&folder, &folder.join("libin.so"), Links::Inside).is_ok());
        assert!(matches!(open_in(&folder, &folder.join("libout.so"), Links::Inside), Err(TrustError::Leaves { .. })));
        assert!(open_in(&folder, &folder.join("libout.so"), Links::Anywhere).is_ok());
        std::fs::hard_link(&outside, folder.join("libhard.so")).unwrap();
        assert!(matches!(
            open_in(&folder, &folder.join("libhard.so"), Links::Anywhere),
            Err(TrustError::ManyNames { names: 2, .. })
        ));
    }
}
