//! How what the server says stands in a response: as it is, or as scripts in a page that an old browser has in a hidden frame.
//!
//! Knows chunks and the functions that the client has for them (`m`, `d`). Knows nothing of sessions.

use std::fmt::Write;

use plugin_api::Response;

use crate::answer::uncached;

/// The form of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Chunks: the length in UTF-16 units, a line break, the text.
    Plain,
    /// A page whose scripts hand each text to the page around it.
    Html,
}

/// Behind the first script, browsers' buffers are filled to this many bytes, by what no proxy can press together.
const NOISE_BYTES: usize = 300;

/// A response that arrays go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carrier {
    form: Form,
    /// Whether no script was written yet.
    is_fresh: bool,
    /// The page's domain, where a part of it counts as well as the whole.
    domain: Option<String>,
}

impl Carrier {
    /// Of a form. `domain` is what the query says of it.
    pub fn new(form: Form, domain: Option<String>) -> Self {
        Self { form, is_fresh: true, domain: domain.filter(|domain| !domain.is_empty()) }
    }

    /// The response, with what its body begins with.
    pub fn head(&self) -> Response {
        match self.form {
            Form::Plain => uncached(200, "text/plain"),
            Form::Html => {
                let mut page = "<html><body>".to_owned();
                if let Some(domain) = &self.domain {
                    page.push_str("<script>try{document.domain=");
                    literal(domain, &mut page);
                    page.push_str(";}catch(e){}</script>\n");
                }
                uncached(200, "text/html").with_body(page)
            }
        }
        // Proxies that follow nginx's example would keep a stream until it ends.
        .with_header("x-accel-buffering", "no")
    }

    /// Arrays as a chunk.
    pub fn chunk(&mut self, text: &str) -> Vec<u8> {
        match self.form {
            Form::Plain => chunk(text),
            Form::Html => self.script(text),
        }
    }

    /// A text of the trial, which has no length before it.
    pub fn trial(&mut self, text: &str) -> Vec<u8> {
        match self.form {
            Form::Plain => text.into(),
            Form::Html => self.script(text),
        }
    }

    /// What a body ends with.
    pub fn end(&self) -> Option<Vec<u8>> {
        match self.form {
            Form::Plain => None,
            Form::Html => Some(b"<script>try{parent.d();}catch(e){}</script>\n".to_vec()),
        }
    }

    fn script(&mut self, text: &str) -> Vec<u8> {
        let mut script = "<script>try{parent.m(".to_owned();
        literal(text, &mut script);
        script.push_str(");}catch(e){}</script>\n");
        if std::mem::take(&mut self.is_fresh) {
            noise(&mut script);
        }
        script.into_bytes()
    }
}

/// A text behind its length in UTF-16 units: JavaScript counts so.
pub fn chunk(text: &str) -> Vec<u8> {
    let mut chunk = format!("{}\n", units(text)).into_bytes();
    chunk.extend_from_slice(text.as_bytes());
    chunk
}

/// How many UTF-16 units a text has.
pub fn units(text: &str) -> usize {
    // A character is one, and two where UTF-8 takes four bytes for it.
    text.bytes().map(|byte| usize::from(byte & 0xc0 != 0x80) + usize::from(byte >= 0xf0)).sum()
}

/// A text as a string of JavaScript, in ASCII and without anything that ends a script: old browsers lose the rest in frames.
fn literal(text: &str, script: &mut String) {
    script.push('"');
    let mut pair = [0; 2];
    for character in text.chars() {
        match character {
            '"' | '\\' => script.extend(['\\', character]),
            ' '..='~' if !matches!(character, '<' | '>' | '&') => script.push(character),
            _ => {
                for unit in character.encode_utf16(&mut pair) {
                    write!(script, "\\u{unit:04x}").expect("writing to a String never fails");
                }
            }
        }
    }
    script.push('"');
}

/// A comment of digits that look like chance.
fn noise(script: &mut String) {
    script.push_str("<!--");
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..NOISE_BYTES / 16 {
        state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        write!(script, "{:016x}", state.rotate_left(29)).expect("writing to a String never fails");
    }
    script.push_str("-->\n");
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_chunk_has_its_length_in_utf_16_units_before_it() {
        assert_eq!(chunk("[]\n"), b"3\n[]\n");
        assert_eq!(chunk("é日😀"), "4\né日😀".as_bytes());
    }

    #[test]
    fn a_frames_page_hands_each_text_to_the_page_around_it() {
        let mut carrier = Carrier::new(Form::Html, Some("a.example\"</script>".to_owned()));
        let head = String::from_utf8(carrier.head().body).unwrap();
        let domain = r#""a.example\"\u003c/script\u003e""#;
        assert_eq!(head, format!("<html><body><script>try{{document.domain={domain};}}catch(e){{}}</script>\n"));
        let first = String::from_utf8(carrier.chunk("[[1,\"é😀\"]]\n")).unwrap();
        let script = r#"<script>try{parent.m("[[1,\"\u00e9\ud83d\ude00\"]]\u000a");}catch(e){}</script>"#;
        assert_eq!(first.lines().next(), Some(script));
        assert!(first.len() > NOISE_BYTES);
        assert_eq!(carrier.chunk("x"), b"<script>try{parent.m(\"x\");}catch(e){}</script>\n");
        assert_eq!(carrier.end().unwrap(), b"<script>try{parent.d();}catch(e){}</script>\n");
    }

    proptest! {
        #[test]
        fn lengths_are_those_of_javascript(text in any::<String>()) {
            prop_assert_eq!(units(&text), text.encode_utf16().count());
        }
    }
}
