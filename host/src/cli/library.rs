//! `switchboard library [--save FILE]`: the client as a file, for a page that isn't served by this server.

use std::{io::Write as _, path::Path};

use anyhow::Context as _;

use crate::http::library::{Flavour, Library};

/// Prints the script, or writes the flavour that the file's name asks for.
pub(super) fn run(library: &Library, save: Option<&Path>) -> anyhow::Result<()> {
    let Some(file) = save else {
        std::io::stdout().write_all(library.text(Flavour::Script))?;
        return Ok(());
    };
    let text = library.text(flavour(file));
    std::fs::write(file, text).with_context(|| format!("{} can't be written", file.display()))?;
    println!("{}: {} bytes, set {}", file.display(), text.len(), library.hash);
    Ok(())
}

fn flavour(file: &Path) -> Flavour {
    match file.extension() {
        Some(extension) if extension == "mjs" => Flavour::Module,
        Some(_) | None => Flavour::Script,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_file_chooses_the_flavour() {
        assert_eq!(flavour(Path::new("a/primus.js")), Flavour::Script);
        assert_eq!(flavour(Path::new("a/primus.mjs")), Flavour::Module);
        assert_eq!(flavour(Path::new("primus")), Flavour::Script);
    }
}
