//! What the paths of the SockJS protocol mean: `/info`, `/iframe….html`, `/websocket` and `/<server>/<session>/<way>`.
//!
//! Knows paths relative to the server's pathname. Knows no methods.

/// The longest name of a session; those that clients choose have 8 to 16 characters.
const LONGEST_NAME: usize = 128;

/// What is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// Who asks whether this is SockJS is greeted.
    Greeting,
    /// What the server can do.
    Info,
    /// The page that old browsers load in a frame.
    Iframe,
    /// A WebSocket without the frames of SockJS.
    RawWebSocket,
    /// A way to speak with a session.
    Session {
        /// The client's name for it. The server's part of the path is for load balancers, and says nothing.
        name: &'a str,
        /// Which way.
        way: Way,
    },
}

/// A way to speak with a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Both directions over a WebSocket.
    WebSocket,
    /// To the client.
    Down(Down),
    /// From the client.
    Up(Up),
}

/// How frames reach a client by HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Down {
    /// A response a frame.
    Xhr,
    /// Lines in a response that stays open.
    XhrStreaming,
    /// Server-sent events.
    EventSource,
    /// Scripts in a page that stays open.
    HtmlFile,
    /// A response a frame, as a script that calls a function of the client's.
    Jsonp,
}

/// How messages of a client come by HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Up {
    /// The body is the frame.
    Xhr,
    /// The frame is the field `d` of a form.
    Jsonp,
}

impl<'a> Place<'a> {
    /// What is at a path; `None`: nothing of SockJS.
    pub fn of(path: &'a str) -> Option<Self> {
        match path {
            "" | "/" => return Some(Place::Greeting),
            "/info" => return Some(Place::Info),
            "/websocket" => return Some(Place::RawWebSocket),
            _ => {}
        }
        let path = path.strip_prefix('/')?;
        let Some((server, rest)) = path.split_once('/') else {
            return is_iframe(path).then_some(Place::Iframe);
        };
        let (name, way) = rest.split_once('/')?;
        if !is_name(server) || !is_name(name) {
            return None;
        }
        let way = match way {
            "websocket" => Way::WebSocket,
            "xhr" => Way::Down(Down::Xhr),
            "xhr_streaming" => Way::Down(Down::XhrStreaming),
            "eventsource" => Way::Down(Down::EventSource),
            "htmlfile" => Way::Down(Down::HtmlFile),
            "jsonp" => Way::Down(Down::Jsonp),
            "xhr_send" => Way::Up(Up::Xhr),
            "jsonp_send" => Way::Up(Up::Jsonp),
            _ => return None,
        };
        Some(Place::Session { name, way })
    }
}

/// A part of the path that names a server or a session: no dots, and not empty.
fn is_name(part: &str) -> bool {
    !part.is_empty() && part.len() <= LONGEST_NAME && !part.contains('.')
}

/// `iframe.html`, or with a version of the client in it, for caches.
fn is_iframe(file: &str) -> bool {
    file.strip_prefix("iframe")
        .and_then(|rest| rest.strip_suffix(".html"))
        .is_some_and(|version| version.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_named_by_the_second_part_of_the_path() {
        let session = |way| Some(Place::Session { name: "s", way });
        assert_eq!(Place::of("/000/s/xhr"), session(Way::Down(Down::Xhr)));
        assert_eq!(Place::of("/a-b_c~%20/s/xhr_streaming"), session(Way::Down(Down::XhrStreaming)));
        assert_eq!(Place::of("/1/s/websocket"), session(Way::WebSocket));
        assert_eq!(Place::of("/1/s/jsonp_send"), session(Way::Up(Up::Jsonp)));
    }

    #[test]
    fn paths_that_the_protocol_does_not_know_are_nobodys() {
        for path in [
            "//",
            "/a",
            "/a.html",
            "/a/a",
            "/a/a/",
            "//a/xhr",
            "/a//xhr",
            "/a./a/xhr",
            "/a/a./xhr",
            "/./a/xhr",
            "/a/a/xhr/",
            "/a/a/a",
            "/info/",
            "/websocket/",
            "/iframe",
            "/iframe.htm",
            "/IFRAME.HTML",
            "/iframe/xml",
            "/iframe-/.html",
        ] {
            assert_eq!(Place::of(path), None, "{path}");
        }
        assert_eq!(Place::of(&format!("/0/{}/xhr", "a".repeat(129))), None);
    }

    #[test]
    fn the_iframe_page_has_a_version_in_its_name_for_caches() {
        for path in ["/iframe.html", "/iframe-a.html", "/iframe-0.1.2.html", "/iframe-0.1.2abc-dirty.2144.html"] {
            assert_eq!(Place::of(path), Some(Place::Iframe), "{path}");
        }
    }
}
