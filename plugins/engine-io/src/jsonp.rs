//! JSONP: polling by scripts and forms, for pages whose browser lets them ask in no other way.
//!
//! An answer is a script that hands its payload to the page's function of the request's number, `___eio[N]`. A request brings its
//! payload in the field `d` of a form, which changes line feeds: they come as `\n`, and a `\n` that is meant as such as `\\n`.
//!
//! Knows forms and scripts. Knows nothing of packets.

use plugin_api::{Request, Response, query_pairs};

use crate::refusal::Refusal;

/// A request by JSONP: the number of the function that takes the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jsonp(u64);

impl Jsonp {
    /// Of the value of `j` in a query.
    ///
    /// # Errors
    /// It is no number: the answer would run whatever else it says in the page.
    pub fn of(number: &str) -> Result<Self, Refusal> {
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let number = is_number.then(|| number.parse().ok()).flatten();
        number.map(Self).ok_or(Refusal::BadRequest)
    }

    /// Whether a page of another site asks, which no answer may be shown to: a script is loaded without the question whether the page
    /// may read it (Fetch Metadata, section 2.2).
    pub fn is_of_another_site(request: &Request<'_>) -> bool {
        request.header("sec-fetch-site") == Some("cross-site")
    }

    /// The script for an answer.
    pub fn script(self, payload: &[u8]) -> Vec<u8> {
        let text = serde_json::to_string(&String::from_utf8_lossy(payload)).unwrap_or_default();
        // They end a line in older scripts, also within a text.
        let text = text.replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029");
        format!("___eio[{}]({text});", self.0).into_bytes()
    }
}

/// The answer as its request wants it.
pub fn answer(jsonp: Option<Jsonp>, response: Response) -> Response {
    let Some(jsonp) = jsonp else { return response };
    let Response { status, body, .. } = response;
    Response::new(status)
        .with_header("content-type", "text/javascript; charset=UTF-8")
        .with_header("x-content-type-options", "nosniff")
        .with_header("cache-control", "no-store")
        .with_body(jsonp.script(&body))
}

/// The payload in a form; `None` where it has none.
pub fn payload(form: &[u8]) -> Option<Vec<u8>> {
    let form = std::str::from_utf8(form).ok()?;
    let (_, field) = query_pairs(form).find(|(name, _)| name == "d")?;
    let mut payload = String::with_capacity(field.len());
    let mut rest = field.as_str();
    while let Some(at) = rest.find('\\') {
        payload.push_str(&rest[..at]);
        let (text, taken) = match &rest[at..] {
            escaped if escaped.starts_with("\\\\n") => ("\\n", 3),
            escaped if escaped.starts_with("\\n") => ("\n", 2),
            _ => ("\\", 1),
        };
        payload.push_str(text);
        rest = &rest[at + taken..];
    }
    payload.push_str(rest);
    Some(payload.into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_a_script_whatever_the_payload_is() {
        let script = Jsonp::of("7").unwrap().script("4\"a\"\n\u{2028}\u{2029}\\".as_bytes());
        assert_eq!(String::from_utf8(script).unwrap(), r#"___eio[7]("4\"a\"\n\u2028\u2029\\");"#);
    }

    #[test]
    fn only_a_number_names_a_function() {
        for number in ["", "a", "1a", "-1", "+1", "0](alert(1))", "99999999999999999999", "1 "] {
            assert_eq!(Jsonp::of(number), Err(Refusal::BadRequest), "{number}");
        }
        assert_eq!(Jsonp::of("0"), Ok(Jsonp(0)));
    }

    #[test]
    fn a_form_brings_line_feeds_and_what_looks_like_them() {
        let cases = [
            ("d=4hello", "4hello"),
            ("x=1&d=4a%2Bb+c", "4a+b c"),
            (r"d=a%5Cnb", "a\nb"),
            (r"d=a%5C%5Cnb", "a\\nb"),
            (r"d=a%5C%5C%5Cnb", "a\\\\nb"),
            (r"d=%5Ct%5C", "\\t\\"),
            ("d=", ""),
        ];
        for (form, expected) in cases {
            assert_eq!(payload(form.as_bytes()).as_deref(), Some(expected.as_bytes()), "{form}");
        }
        assert_eq!(payload(b"e=1"), None);
        assert_eq!(payload(b"d=\xff"), None);
    }
}
