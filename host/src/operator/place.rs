//! Where a server's control socket lies, and to whom the place belongs.
//!
//! Without a key in `[server]` it lies in a private folder (mode 0700) under a name that the configuration file's path gives: so
//! the command line finds it by the file alone. Beside it lies a lock, held for as long as the server lives: only who holds it
//! puts a socket there or takes one away, so two servers never take it from each other, and what a killed one left is known by
//! its free lock. Knows files; knows nothing of what is said.

use std::cell::Cell;
use std::fs::{DirBuilder, File, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::config::Config;
use crate::loader::{self, hex};
use crate::lock;

/// What the name of a socket ends with.
const SOCKET: &str = ".sock";

/// What a lock's name has behind the socket's.
const LOCK: &str = ".lock";

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Another server that runs has it.
    #[error("{} belongs to another server that runs with this configuration", .0.display())]
    Taken(PathBuf),
    /// Others may enter the folder.
    #[error("{folder} is not private; remove it, or run: chmod 700 {folder}", folder = .0.display())]
    NotPrivate(PathBuf),
    /// Others may write the configured folder.
    #[error(transparent)]
    Untrusted(loader::TrustError),
    /// Something else lies there, which is nobody's to remove.
    #[error("{} is there already, and no socket: nothing is put in its place", .0.display())]
    NotASocket(PathBuf),
    /// The former process had it elsewhere.
    #[error("the control socket is not at {} any more", .0.display())]
    Moved(PathBuf),
    /// The system refuses.
    #[error("{}: {error}", path.display())]
    Io {
        /// At which path.
        path: PathBuf,
        /// What it says.
        error: io::Error,
    },
}

impl PlaceError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |error| Self::Io { path, error }
    }
}

/// Where the socket of a server with this configuration lies.
pub fn of(config: &Config) -> PathBuf {
    match &config.server.control {
        Some(path) => path.clone(),
        None => folder().join(name_for(config.file())),
    }
}

/// The folder of sockets that no key names: this user's own, which goes when the machine does.
fn folder() -> PathBuf {
    match std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from) {
        Some(runtime) if runtime.is_absolute() => runtime.join("switchboard"),
        _ => std::env::temp_dir().join(format!("switchboard-{}", rustix::process::geteuid().as_raw())),
    }
}

fn name_for(file: &Path) -> String {
    let file = file.canonicalize().or_else(|_| std::path::absolute(file)).unwrap_or_else(|_| file.to_owned());
    let hash = Sha256::digest(file.as_os_str().as_encoded_bytes());
    format!("{}{SOCKET}", hex(&hash[..12]))
}

/// A place that is this process's for as long as the value lives.
#[derive(Debug)]
pub struct Claim {
    socket: PathBuf,
    /// Open and locked; its path is free again when the claim ends.
    lock: File,
    /// Another process has it now: this one's end is not the claim's.
    is_passed_on: Cell<bool>,
}

/// A place and the socket that listens there, on their way from one process to the next. Dropped, both stay where they are.
#[derive(Debug)]
pub struct Shared {
    /// The socket's path.
    pub socket: PathBuf,
    /// The lock, held by every process that has it open.
    pub lock: OwnedFd,
    /// The socket.
    pub listener: OwnedFd,
}

impl Claim {
    /// Claims the place of this configuration's socket.
    ///
    /// # Errors
    ///
    /// See [`PlaceError`]; [`PlaceError::Taken`] passes when the other server ends.
    pub fn take(config: &Config) -> Result<Self, PlaceError> {
        let socket = of(config);
        match (&config.server.control, socket.parent()) {
            (None, Some(folder)) => {
                make_private(folder)?;
                clear_stale(folder, &socket);
            }
            (Some(_), Some(folder)) if !folder.as_os_str().is_empty() => {
                loader::check_folder(folder).map_err(PlaceError::Untrusted)?
            }
            (Some(_), _) | (None, None) => {}
        }
        check_replaceable(&socket)?;
        let path = lock_of(&socket);
        let lock = lock::hold(&path).map_err(PlaceError::at(&path))?.ok_or_else(|| PlaceError::Taken(socket.clone()))?;
        Ok(Self::of(socket, lock))
    }

    fn of(socket: PathBuf, lock: File) -> Self {
        Self { socket, lock, is_passed_on: Cell::new(false) }
    }

    /// One that another process had, and the socket.
    ///
    /// # Errors
    ///
    /// The configuration puts the socket elsewhere: nobody has the former place then. Or the socket is none.
    pub fn inherit(shared: Shared, config: &Config) -> Result<(Self, UnixListener), PlaceError> {
        let claim = Self::of(shared.socket, shared.lock.into());
        if claim.socket != of(config) {
            return Err(PlaceError::Moved(claim.socket.clone()));
        }
        let listener = UnixListener::from(shared.listener);
        listener.set_nonblocking(true).map_err(PlaceError::at(&claim.socket))?;
        Ok((claim, listener))
    }

    /// For a process that is to follow this one.
    ///
    /// # Errors
    ///
    /// The system gives no more descriptors.
    pub fn share(&self, listener: &UnixListener) -> io::Result<Shared> {
        Ok(Shared { socket: self.socket.clone(), lock: self.lock.try_clone()?.into(), listener: listener.try_clone()?.into() })
    }

    /// Another process has it now.
    pub fn pass_on(&self) {
        self.is_passed_on.set(true);
    }

    /// The socket's path.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Listens there. The socket comes to its name at once and with its mode: nobody sees one that is half made, and one that a
    /// killed server left is replaced.
    ///
    /// # Errors
    ///
    /// The system refuses: the path may be longer than the 107 bytes that a socket's may have.
    pub fn listen(&self) -> Result<UnixListener, PlaceError> {
        let mut aside = self.socket.clone().into_os_string();
        aside.push(".new");
        let aside = PathBuf::from(aside);
        check_replaceable(&aside)?;
        let _ = std::fs::remove_file(&aside);
        let listener = UnixListener::bind(&aside).map_err(PlaceError::at(&aside))?;
        std::fs::set_permissions(&aside, Permissions::from_mode(0o600))
            .and_then(|()| std::fs::rename(&aside, &self.socket))
            .and_then(|()| listener.set_nonblocking(true))
            .map_err(PlaceError::at(&self.socket))?;
        Ok(listener)
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.is_passed_on.get() {
            return;
        }
        // The lock last: until then nobody else puts a socket there.
        if check_replaceable(&self.socket).is_ok() {
            let _ = std::fs::remove_file(&self.socket);
        }
        let _ = std::fs::remove_file(lock_of(&self.socket));
    }
}

/// Whether nothing, or a socket, lies there: a configuration that names a file by mistake is not to cost that file.
fn check_replaceable(path: &Path) -> Result<(), PlaceError> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => Err(PlaceError::NotASocket(path.to_owned())),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(PlaceError::at(path)(error)),
    }
}

fn lock_of(socket: &Path) -> PathBuf {
    let mut path = socket.to_owned().into_os_string();
    path.push(LOCK);
    path.into()
}

/// Makes the folder, which its owner alone may enter.
fn make_private(folder: &Path) -> Result<(), PlaceError> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(PlaceError::at(folder)(error)),
        Ok(()) | Err(_) => {}
    }
    let found = std::fs::symlink_metadata(folder).map_err(PlaceError::at(folder))?;
    let own = rustix::process::geteuid().as_raw();
    let private = found.is_dir() && found.uid() == own && found.mode() & 0o077 == 0;
    if private { Ok(()) } else { Err(PlaceError::NotPrivate(folder.to_owned())) }
}

/// Takes away what servers left that were killed, but at `own`.
fn clear_stale(folder: &Path, own: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let Some(socket) = name.strip_suffix(LOCK).filter(|name| name.ends_with(SOCKET)).map(|name| folder.join(name)) else {
            continue;
        };
        if socket != own
            && let Some(lock) = lock::hold_left(&path)
        {
            drop(Claim::of(socket, lock));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    fn config(folder: &Path) -> Config {
        Config::parse("[server]\ncontrol = \"control.sock\"", folder.join("plugins.toml")).unwrap()
    }

    #[test]
    fn a_place_is_one_servers_until_that_ends() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let first = Claim::take(&config).unwrap();
        let listener = first.listen().unwrap();
        assert!(matches!(Claim::take(&config), Err(PlaceError::Taken(_))));
        assert!(UnixStream::connect(first.socket()).is_ok(), "who was refused has not touched the socket");
        assert_eq!(std::fs::metadata(first.socket()).unwrap().mode() & 0o777, 0o600);
        drop((first, listener));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
        Claim::take(&config).unwrap();
    }

    #[test]
    fn what_a_killed_server_left_is_replaced_and_cleared() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        drop(UnixListener::bind(of(&config)).unwrap());
        std::fs::write(lock_of(&of(&config)), "").unwrap();
        assert!(UnixStream::connect(of(&config)).is_err());
        let claim = Claim::take(&config).unwrap();
        let _listener = claim.listen().unwrap();
        assert!(UnixStream::connect(of(&config)).is_ok());

        let others = [folder.path().join("dead.sock"), folder.path().join("living.sock")];
        for other in &others {
            drop(UnixListener::bind(other).unwrap());
        }
        std::fs::write(lock_of(&others[0]), "").unwrap();
        let _living = lock::hold(&lock_of(&others[1])).unwrap().unwrap();
        clear_stale(folder.path(), claim.socket());
        assert!(!others[0].exists() && !lock_of(&others[0]).exists());
        assert!(others[1].exists() && claim.socket().exists());
    }

    #[test]
    fn what_is_no_socket_stays_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let claim = Claim::take(&config).unwrap();
        let aside = folder.path().join("control.sock.new");
        std::fs::write(&aside, "mine").unwrap();
        assert!(matches!(claim.listen(), Err(PlaceError::NotASocket(_))));
        drop(claim);
        std::fs::write(of(&config), "mine, too").unwrap();
        assert!(matches!(Claim::take(&config), Err(PlaceError::NotASocket(_))));
        assert_eq!(std::fs::read_to_string(aside).unwrap(), "mine");
        assert_eq!(std::fs::read_to_string(of(&config)).unwrap(), "mine, too");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "no lock is left");
    }

    #[test]
    fn a_place_that_is_passed_on_is_never_free_between() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let first = Claim::take(&config).unwrap();
        let listener = first.listen().unwrap();
        let shared = first.share(&listener).unwrap();
        let asks = UnixStream::connect(first.socket()).unwrap();
        first.pass_on();
        drop((first, listener));
        assert!(matches!(Claim::take(&config), Err(PlaceError::Taken(_))));
        let (second, listener) = Claim::inherit(shared, &config).unwrap();
        listener.accept().unwrap();
        drop((asks, second, listener));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    }

    #[test]
    fn a_place_that_the_configuration_does_not_name_any_more_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let former = Claim::take(&config(folder.path())).unwrap();
        let shared = former.share(&former.listen().unwrap()).unwrap();
        former.pass_on();
        drop(former);
        let elsewhere = Config::parse("[server]\ncontrol = \"else.sock\"", folder.path().join("plugins.toml")).unwrap();
        assert!(matches!(Claim::inherit(shared, &elsewhere), Err(PlaceError::Moved(_))));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
    }

    #[test]
    fn a_folder_that_others_may_enter_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let private = folder.path().join("private");
        make_private(&private).unwrap();
        make_private(&private).unwrap();
        std::fs::set_permissions(&private, Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(make_private(&private), Err(PlaceError::NotPrivate(_))));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(folder.path(), &link).unwrap();
        assert!(matches!(make_private(&link), Err(PlaceError::NotPrivate(_))));
    }
}
