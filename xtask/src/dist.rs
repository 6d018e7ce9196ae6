//! `cargo xtask dist`: the release build as one archive that runs where it is unpacked.

use std::{
    fs::{self, File},
    path::Path,
    process::Command,
};

use anyhow::{Context as _, ensure};
use flate2::{Compression, write::GzEncoder};

use crate::workspace::{HOST, Workspace};

/// Builds and packs.
pub fn run() -> anyhow::Result<()> {
    let workspace = Workspace::read()?;
    let mut packages = workspace.plugins("plugins");
    packages.extend(workspace.plugins("examples").into_iter().filter(|package| package.folder() == Some("messenger")));
    workspace.build(packages.iter().copied())?;

    let name = format!("switchboard-{}-{}", workspace.package(HOST)?.version, triple()?);
    let folder = workspace.target.join("dist");
    fs::create_dir_all(&folder).with_context(|| format!("{} can't be made", folder.display()))?;
    let archive = folder.join(format!("{name}.tar.gz"));

    let mut files = vec![("switchboard".to_owned(), workspace.built("switchboard"))];
    for file in ["plugins.toml", "README.md", "LICENSE"] {
        files.push((file.to_owned(), workspace.root.join(file)));
    }
    for library in packages.into_iter().filter_map(|package| package.library()) {
        files.push((format!("plugins/{library}"), workspace.built(library)));
    }
    pack(&archive, &name, &files)?;
    println!("{}", archive.display());
    Ok(())
}

/// Packs files below a folder `name`. The same files give the same bytes.
fn pack(archive: &Path, name: &str, files: &[(String, impl AsRef<Path>)]) -> anyhow::Result<()> {
    let output = File::create(archive).with_context(|| format!("{} can't be written", archive.display()))?;
    let mut tar = tar::Builder::new(GzEncoder::new(output, Compression::best()));
    tar.mode(tar::HeaderMode::Deterministic);
    for (path, file) in files {
        let file = file.as_ref();
        tar.append_path_with_name(file, format!("{name}/{path}"))
            .with_context(|| format!("{} can't be packed", file.display()))?;
    }
    tar.into_inner()?.finish()?.sync_all()?;
    Ok(())
}

/// The machine that the build is for, as rustc calls it.
fn triple() -> anyhow::Result<String> {
    let output = Command::new("rustc").arg("-vV").output().context("rustc can't be run")?;
    ensure!(output.status.success(), "rustc -vV failed");
    let text = String::from_utf8(output.stdout).context("rustc speaks UTF-8")?;
    let host = text.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc -vV names no host")?.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use flate2::read::GzDecoder;

    use super::*;

    #[test]
    fn an_archive_has_its_files_in_one_folder_and_programs_stay_programs() {
        let folder = tempfile::tempdir().expect("there is room for a folder");
        let file = |name: &str, mode: u32| {
            let path = folder.path().join(name);
            fs::write(&path, name).expect("it can be written");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("it is ours");
            path
        };
        let files =
            [("switchboard".to_owned(), file("program", 0o755)), ("plugins/liba.so".to_owned(), file("library", 0o644))];
        let archives = ["one.tar.gz", "two.tar.gz"].map(|name| folder.path().join(name));
        for archive in &archives {
            pack(archive, "switchboard-1", &files).expect("it can be packed");
        }
        let [one, two] = archives.map(|archive| fs::read(archive).expect("it was written"));
        assert_eq!(one, two, "the same files give the same bytes");

        let mut tar = tar::Archive::new(GzDecoder::new(&one[..]));
        let found: Vec<(String, u32)> = tar
            .entries()
            .expect("it is an archive")
            .map(|entry| {
                let entry = entry.expect("it is whole");
                let path = entry.path().expect("it has a path").display().to_string();
                (path, entry.header().mode().expect("it has a mode") & 0o777)
            })
            .collect();
        assert_eq!(
            found,
            [("switchboard-1/switchboard".to_owned(), 0o755), ("switchboard-1/plugins/liba.so".to_owned(), 0o644)]
        );
    }
}
