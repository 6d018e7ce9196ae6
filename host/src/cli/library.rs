//! `switchboard library [--save FILE]`: the client as a file, for a page that isn't served by this server, or its declarations.

use std::{io::Write as _, path::Path};

use anyhow::Context as _;

use super::output::print;
use crate::http::library::{DECLARATIONS, Flavour, Library};

/// Prints the script, or writes what the file's name asks for.
pub(super) fn run(library: &Library, save: Option<&Path>) -> anyhow::Result<()> {
    let Some(file) = save else {
        std::io::stdout().write_all(library.text(Flavour::Script))?;
        return Ok(());
    };
    let text = match flavour(file) {
        Some(flavour) => &library.text(flavour)[..],
        None => DECLARATIONS.as_bytes(),
    };
    std::fs::write(file, text).with_context(|| format!("{} can't be written", file.display()))?;
    print(format_args!("{}: {} bytes, set {}\n", file.display(), text.len(), library.hash))
}

/// The flavour that a file's name asks for; nothing for `.d.ts`, which asks for TypeScript's declarations.
fn flavour(file: &Path) -> Option<Flavour> {
    match file.extension().and_then(|extension| extension.to_str()) {
        Some("ts") => None,
        Some("mjs") => Some(Flavour::Module),
        Some(_) | None => Some(Flavour::Script),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_file_chooses_the_flavour() {
        assert_eq!(flavour(Path::new("a/primus.js")), Some(Flavour::Script));
        assert_eq!(flavour(Path::new("a/primus.mjs")), Some(Flavour::Module));
        assert_eq!(flavour(Path::new("a/primus.d.ts")), None);
        assert_eq!(flavour(Path::new("primus")), Some(Flavour::Script));
    }
}
