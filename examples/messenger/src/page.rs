//! The page's files, built into the plugin: one `.so` is the whole messenger.

/// A file of the page.
pub struct File {
    /// Its path on the server.
    pub path: &'static str,
    /// Its media type.
    pub content_type: &'static str,
    /// What is in it.
    pub bytes: &'static [u8],
}

const HTML: &str = "text/html; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

macro_rules! files {
    ($($path:literal: $content_type:expr,)*) => {
        &[$(File { path: concat!("/", $path), content_type: $content_type, bytes: include_bytes!(concat!("../page/", $path)) },)*]
    };
}

/// All files of `page/`. `index.html` is served at `/` too.
pub const FILES: &[File] = files! {
    "index.html": HTML,
    "icon.svg": SVG,
    "theme.js": JAVASCRIPT,
    "app.js": JAVASCRIPT,
    "model/chat.js": JAVASCRIPT,
    "model/connection.js": JAVASCRIPT,
    "model/conversation.js": JAVASCRIPT,
    "model/directory.js": JAVASCRIPT,
    "model/outbox.js": JAVASCRIPT,
    "model/session.js": JAVASCRIPT,
    "view/composer.js": JAVASCRIPT,
    "view/connection.js": JAVASCRIPT,
    "view/elements.js": JAVASCRIPT,
    "view/entrance.js": JAVASCRIPT,
    "view/layout.js": JAVASCRIPT,
    "view/members.js": JAVASCRIPT,
    "view/rooms.js": JAVASCRIPT,
    "view/text.js": JAVASCRIPT,
    "view/time.js": JAVASCRIPT,
    "view/timeline.js": JAVASCRIPT,
    "view/tint.js": JAVASCRIPT,
    "style/controls.css": CSS,
    "style/entrance.css": CSS,
    "style/layout.css": CSS,
    "style/rooms.css": CSS,
    "style/timeline.css": CSS,
    "style/tokens.css": CSS,
};

/// The page itself.
pub fn index() -> &'static File {
    &FILES[0]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    fn collect(folder: &Path, prefix: &str, found: &mut BTreeSet<String>) {
        for entry in folder.read_dir().unwrap() {
            let entry = entry.unwrap();
            let path = format!("{prefix}/{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                collect(&entry.path(), &path, found);
            } else {
                found.insert(path);
            }
        }
    }

    #[test]
    fn every_file_of_the_folder_is_served() {
        let mut found = BTreeSet::new();
        collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("page"), "", &mut found);
        let served: BTreeSet<String> = FILES.iter().map(|file| file.path.to_owned()).collect();
        assert_eq!(served, found);
        assert_eq!(index().path, "/index.html");
    }

    #[test]
    fn the_page_runs_under_a_policy_that_forbids_inline_code_and_foreign_hosts() {
        let html = std::str::from_utf8(index().bytes).unwrap();
        assert!(html.contains("default-src 'self'"));
        assert!(!html.contains(" style=\"") && !html.contains("<style"), "inline style");
        assert!(!html.contains(" onclick=") && !html.contains("javascript:"), "inline script");
        for script in html.split("<script").skip(1) {
            assert!(script.split('>').next().unwrap().contains("src="), "inline script: {script:.40}");
        }
    }
}
