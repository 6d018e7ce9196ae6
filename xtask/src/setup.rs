//! What the tests need besides Cargo: npm packages and a browser. Installed if missing and if this is allowed, else named.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

use anyhow::{Context as _, bail, ensure};

/// Installs the npm packages of `tests/` as the lock file has them, if it is newer than what is installed.
pub fn node_modules(tests: &Path) -> anyhow::Result<()> {
    // npm writes this file last.
    let installed = modified(&tests.join("node_modules/.package-lock.json"))?;
    if installed.is_some() && installed >= modified(&tests.join("package-lock.json"))? {
        return Ok(());
    }
    let status = Command::new("npm")
        .args(["ci", "--no-audit", "--no-fund"])
        .current_dir(tests)
        .status()
        .context("npm can't be run: the tests need Node.js 20 or newer with npm")?;
    ensure!(status.success(), "npm ci failed in {}", tests.display());
    Ok(())
}

/// Installs Debian's Chromium if there is none.
pub fn chromium() -> anyhow::Result<()> {
    if let Some(own) = std::env::var_os("CHROMIUM").map(PathBuf::from) {
        ensure!(own.exists(), "{} is missing, which the variable CHROMIUM names", own.display());
        return Ok(());
    }
    let wanted = Path::new("/usr/bin/chromium");
    if wanted.exists() {
        return Ok(());
    }
    let advice = format!(
        "{} is missing: install Debian's package chromium, or name another Chromium in the variable CHROMIUM",
        wanted.display()
    );
    let prefix: &[&str] = match () {
        () if !succeeds("apt-get", &["--version"]) => bail!(advice),
        () if is_root() => &[],
        () if succeeds("sudo", &["-n", "true"]) => &["sudo", "-n"],
        () => bail!(advice),
    };
    for arguments in [&["update"][..], &["install", "--yes", "--no-install-recommends", "chromium", "fonts-liberation"]] {
        let mut line = prefix.iter().chain(&["apt-get"]).chain(arguments);
        let program = line.next().context("a command has a program")?;
        let status = Command::new(program).args(line).env("DEBIAN_FRONTEND", "noninteractive").status()?;
        ensure!(status.success(), "apt-get {} failed; {advice}", arguments.join(" "));
    }
    ensure!(wanted.exists(), advice);
    Ok(())
}

fn modified(path: &Path) -> anyhow::Result<Option<SystemTime>> {
    match fs::metadata(path).and_then(|metadata| metadata.modified()) {
        Ok(time) => Ok(Some(time)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} can't be looked at", path.display())),
    }
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
}
