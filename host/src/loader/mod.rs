//! From a file in the plugins folder to a checked module: trust, a private copy, its hash, its layout.
//!
//! What is checked is what is loaded: the file is read once, and those bytes are hashed, written to a private folder under a
//! name that was never used, and loaded from there. A library that was touched is never unloaded, also a refused one: unloading
//! Rust code is unsound (thread-locals outlive it, and abi_stable's checker keeps references into it).
//!
//! Knows files and the ABI; knows nothing of configuration, order or hooks. The one place of the host with `unsafe`.
#![expect(unsafe_code, reason = "loading a library runs its constructors, and its symbols are trusted after the layout check")]

mod copies;
mod report;
mod signature;
mod trust;

use std::ffi::OsStr;
use std::io::Read;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use abi_stable::StableAbi;
use abi_stable::abi_stability::abi_checking::{CheckingGlobals, check_layout_compatibility_with_globals};
use abi_stable::library::{AbiHeaderRef, LibHeader, LibraryError, ROOT_MODULE_LOADER_NAME_WITH_NUL, RootModule};
use abi_stable::sabi_types::VersionNumber;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use minisign_verify::PublicKey;
use plugin_api::Manifest;
use plugin_api::abi::host::Module;
use plugin_api::abi::module::PluginModuleRef;
use sha2::{Digest, Sha256};

pub use copies::{Copies, CopiesError};
pub use signature::{SignatureError, path_for as signature_path};
pub use trust::{Links, TrustError, check_file, check_folder};

/// The largest file that is taken for a plugin.
const MAX_SIZE: u64 = 256 << 20;

/// Keeps the process's copy mapped when everything else of a generation is gone.
const RTLD_NODELETE: i32 = 0x1000;

/// A library that was loaded and fits.
pub struct Loaded {
    /// Its root module.
    pub module: Module,
    /// What it says about itself.
    pub manifest: Manifest,
    /// The SHA-256 of its bytes.
    pub sha256: [u8; 32],
    /// The private copy that it is mapped from; `None` for one that is linked in.
    pub copy: Option<PathBuf>,
}

/// Why a file is no plugin of this host.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It, or its folder, may be written by others.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// It can't be read.
    #[error("can't be read: {0}")]
    Io(#[from] std::io::Error),
    /// Its private copy can't be written.
    #[error("can't be copied to {} (TMPDIR says where copies lie): {error}", folder.display())]
    Copy {
        /// The folder of copies.
        folder: PathBuf,
        /// What the system says.
        error: std::io::Error,
    },
    /// It is larger than a plugin may be.
    #[error("is larger than {} MiB", MAX_SIZE >> 20)]
    TooLarge,
    /// It is no shared library of this machine.
    #[error("is not a shared library for this machine")]
    NotALibrary,
    /// Something of it is missing: mapped as it is, the first touch of a missing page would end the process.
    #[error("is not complete: it ends after {len} of at least {needed} bytes")]
    Incomplete {
        /// The bytes that are there.
        len: u64,
        /// What its headers speak of.
        needed: u64,
    },
    /// The SHA-256 is not one of those in `plugins.toml`.
    #[error("has the SHA-256 {found}, which `plugins.toml` does not list for it; if it is to be loaded, run: switchboard pin")]
    NotPinned {
        /// The file's.
        found: String,
    },
    /// Nor has one of the keys signed it.
    #[error("has the SHA-256 {found}, which `plugins.toml` does not list for it, and {reason}")]
    NotSigned {
        /// The file's.
        found: String,
        /// What is wrong with its signature.
        reason: SignatureError,
    },
    /// The system's loader refuses it, as it does where something that it needs is missing.
    #[error("can't be loaded: {0}")]
    Refused(String),
    /// It exports no plugin.
    #[error("is a library, but not a Switchboard plugin: it has no export_plugin! line")]
    NotAPlugin,
    /// It was built against a plugin-api that does not fit.
    #[error("was built against another ABI: {0}")]
    Abi(String),
    /// It says nothing sensible about itself.
    #[error("has no usable manifest: {0}")]
    Manifest(String),
    /// A panic in it would end the process.
    #[error("was built with panic = \"abort\"; plugins need panic = \"unwind\"")]
    Aborts,
}

impl LoadError {
    /// Whether it may be loaded as it is when permissions, pins or signatures change.
    pub fn is_of_trust(&self) -> bool {
        matches!(self, Self::Trust(_) | Self::NotPinned { .. } | Self::NotSigned { .. })
    }

    /// The whole sentence on the file at `path`, which is named once.
    pub fn on(&self, path: &Path) -> String {
        match self {
            Self::Trust(error) if error.path() == path => error.to_string(),
            Self::Trust(error) => format!("{} is not loaded: {error}", path.display()),
            error => format!("{} {error}", path.display()),
        }
    }
}

/// What a file must be like to be loaded.
pub struct Demands<'a> {
    /// The folder that it belongs to, and whether links may lead elsewhere; `None`: it may lie anywhere.
    pub folder: Option<(&'a Path, Links)>,
    /// What vouches for files; `None`: nothing has to.
    pub vouchers: Option<Vouchers>,
}

/// What vouches for files: one hash or one signature is enough.
#[derive(Default)]
pub struct Vouchers {
    /// The SHA-256 of files that are good.
    pub hashes: Vec<[u8; 32]>,
    /// Whose signatures are good.
    pub keys: Vec<PublicKey>,
}

impl Vouchers {
    fn vouch(&self, path: &Path, bytes: &[u8], sha256: &[u8; 32]) -> Result<(), LoadError> {
        if self.hashes.contains(sha256) {
            return Ok(());
        }
        let found = hex(sha256);
        if self.keys.is_empty() {
            return Err(LoadError::NotPinned { found });
        }
        signature::verify(path, bytes, &self.keys).map_err(|reason| LoadError::NotSigned { found, reason })
    }
}

/// The SHA-256 of a file that meets the demands but for what vouches for it.
///
/// # Errors
///
/// See [`LoadError`].
pub fn fingerprint(path: &Path, demands: &Demands<'_>) -> Result<[u8; 32], LoadError> {
    Ok(Sha256::digest(read(path, demands)?).into())
}

/// Loads and checks the library at `path`.
///
/// # Errors
///
/// See [`LoadError`]. The copy of a refused library stays mapped.
pub fn load(path: &Path, demands: &Demands<'_>, copies: &mut Copies) -> Result<Loaded, LoadError> {
    let bytes = read(path, demands)?;
    let sha256: [u8; 32] = Sha256::digest(&bytes).into();
    if let Some(vouchers) = &demands.vouchers {
        vouchers.vouch(path, &bytes, &sha256)?;
    }
    check_form(&bytes)?;
    let stem = path.file_stem().unwrap_or(OsStr::new("plugin")).to_string_lossy().into_owned();
    let copy =
        copies.write(&stem, &sha256, &bytes).map_err(|error| LoadError::Copy { folder: copies.folder().to_owned(), error })?;
    let (module, library) = open(&copy)?;
    let module = Module::new(module, library);
    let manifest = module.manifest().map_err(|error| LoadError::Manifest(error.to_string()))?;
    if !manifest.unwinds {
        return Err(LoadError::Aborts);
    }
    Ok(Loaded { module, manifest, sha256, copy: Some(copy) })
}

/// A module that is linked into the host: nothing to load or to check.
///
/// # Errors
///
/// Its manifest is unusable.
pub fn linked(module: PluginModuleRef) -> Result<Loaded, LoadError> {
    let module = Module::new(module, Arc::new(()));
    let manifest = module.manifest().map_err(|error| LoadError::Manifest(error.to_string()))?;
    Ok(Loaded { module, manifest, sha256: [0; 32], copy: None })
}

fn read(path: &Path, demands: &Demands<'_>) -> Result<Vec<u8>, LoadError> {
    let (file, metadata) = match demands.folder {
        Some((folder, links)) => {
            check_folder(folder)?;
            trust::open_in(folder, path, links)?
        }
        None => trust::open(path)?,
    };
    if metadata.len() > MAX_SIZE {
        return Err(LoadError::TooLarge);
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    // It may still grow.
    file.take(MAX_SIZE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_SIZE {
        return Err(LoadError::TooLarge);
    }
    Ok(bytes)
}

/// Whether the bytes are a complete shared object for this machine (System V ABI, chapters 4 and 5).
fn check_form(bytes: &[u8]) -> Result<(), LoadError> {
    use object::NativeEndian;
    use object::elf::{EM_AARCH64, EM_X86_64, ET_DYN, FileHeader64};
    use object::read::elf::{FileHeader, ProgramHeader, SectionHeader};

    let machine = if cfg!(target_arch = "x86_64") { EM_X86_64 } else { EM_AARCH64 };
    let header = FileHeader64::<NativeEndian>::parse(bytes).map_err(|_| LoadError::NotALibrary)?;
    let endian = header.endian().map_err(|_| LoadError::NotALibrary)?;
    if header.e_type(endian) != ET_DYN || header.e_machine(endian) != machine {
        return Err(LoadError::NotALibrary);
    }
    let len = bytes.len() as u64;
    let table = |offset: u64, count: u16, size: u16| offset.saturating_add(u64::from(count) * u64::from(size));
    // The table of sections stands at the end of what a linker writes.
    let sections_end = table(header.e_shoff(endian), header.e_shnum(endian), header.e_shentsize(endian));
    let segments_end = table(header.e_phoff(endian), header.e_phnum(endian), header.e_phentsize(endian));
    let mut needed = sections_end.max(segments_end);
    if needed <= len {
        let segments = header.program_headers(endian, bytes).map_err(|_| LoadError::NotALibrary)?;
        let ends = segments.iter().map(|segment| {
            let (offset, size) = segment.file_range(endian);
            offset.saturating_add(size)
        });
        needed = needed.max(ends.max().unwrap_or(0));
        let sections = header.section_headers(endian, bytes).map_err(|_| LoadError::NotALibrary)?;
        let ends = sections.iter().filter_map(|section| section.file_range(endian));
        needed = needed.max(ends.map(|(offset, size)| offset.saturating_add(size)).max().unwrap_or(0));
    }
    if needed > len { Err(LoadError::Incomplete { len, needed }) } else { Ok(()) }
}

fn open(copy: &Path) -> Result<(PluginModuleRef, Arc<ManuallyDrop<Library>>), LoadError> {
    // SAFETY: the bytes passed the trust check, so running their constructors is what the operator asked for.
    let library = unsafe { Library::open(Some(copy), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE) }
        .map_err(|error| LoadError::Refused(error.to_string()))?;
    let library = Arc::new(ManuallyDrop::new(library));
    // SAFETY: a symbol of this name is abi_stable's `LibHeader`, which begins with the header that is checked next.
    let header = unsafe { library.get::<AbiHeaderRef>(ROOT_MODULE_LOADER_NAME_WITH_NUL.as_bytes()) };
    let header: AbiHeaderRef = match header {
        // SAFETY: the symbol is a static; its address is a reference to the header.
        Ok(symbol) => unsafe { std::mem::transmute::<*mut std::ffi::c_void, AbiHeaderRef>(symbol.into_raw()) },
        Err(_) => return Err(LoadError::NotAPlugin),
    };
    let header = header.upgrade().map_err(|error| LoadError::Abi(summary(&error)))?;
    check_layout(header)?;
    // SAFETY: the layouts agree as far as both sides know them; every growable table has grown at its end only, and fields beyond
    // the plugin's are optional.
    let module = unsafe { header.init_root_module_with_unchecked_layout::<PluginModuleRef>() }
        .map_err(|error| LoadError::Abi(summary(&error)))?;
    Ok((module, library))
}

/// Whether the plugin's interface is ours, or one of the two is the beginning of the other.
///
/// abi_stable's own check refuses a plugin of an older, shorter interface: such a one fits if ours implements its. And it remembers
/// each table as the longest or shortest that it has seen in this process, so that an older plugin would keep newer ones out: here
/// every library is compared with the host alone. That is enough, since no table goes from one plugin to another.
fn check_layout(header: &LibHeader) -> Result<(), LoadError> {
    let ours = <PluginModuleRef as StableAbi>::LAYOUT;
    let theirs = header.layout().ok_or_else(|| LoadError::Abi("it carries no layout".to_owned()))?;
    let fits = |expected, found| check_layout_compatibility_with_globals(expected, found, &CheckingGlobals::new());
    let Err(error) = fits(ours, theirs).or_else(|error| fits(theirs, ours).map_err(|_| error)) else { return Ok(()) };
    let versions = [PluginModuleRef::VERSION_STRINGS, header.version_strings()].map(VersionNumber::new);
    if let [Ok(this_host), Ok(plugin)] = versions
        && this_host.major != plugin.major
    {
        return Err(LoadError::Abi(format!("it was built with plugin-api {plugin}, this host has {this_host}")));
    }
    let report = error.to_string();
    tracing::debug!(report, "the layout check's whole report");
    Err(LoadError::Abi(report::differences(&report)))
}

/// Why abi_stable refuses a library, in one line.
fn summary(error: &LibraryError) -> String {
    match error {
        LibraryError::IncompatibleVersionNumber { expected_version, actual_version, .. } => {
            format!("it was built with plugin-api {actual_version}, this host has {expected_version}")
        }
        LibraryError::InvalidAbiHeader(_) => "it was built with another version of abi_stable".to_owned(),
        error => {
            error.to_string().lines().map(str::trim).filter(|line| !line.is_empty()).take(4).collect::<Vec<_>>().join("; ")
        }
    }
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The libraries in a folder, by file name. Whatever else lies there is not looked at.
///
/// # Errors
///
/// The folder can't be read.
pub fn libraries(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            name.ends_with(".so") && !name.starts_with('.')
        })
        .collect();
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_shared_object_of_this_machine_is_refused() {
        for bytes in [&b"#!/bin/sh\necho no library\n"[..], b"", b"\x7fELF", &[0; 4096]] {
            assert!(matches!(check_form(bytes), Err(LoadError::NotALibrary)));
        }
        // This test is a program: of the right machine, but whether it counts as a shared object is the linker's choice.
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(!matches!(check_form(&own), Err(LoadError::Incomplete { .. })));
    }

    #[test]
    fn a_file_that_is_cut_anywhere_is_never_taken_for_complete() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        for part in [1, 10, 50, 90, 99] {
            let cut = own.len() / 100 * part;
            assert!(check_form(&own[..cut]).is_err(), "{part} %");
        }
        assert!(check_form(&own[..own.len() - 1]).is_err(), "the last byte");
    }
}
