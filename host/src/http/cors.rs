//! Which pages may use the server: CORS (the Fetch standard, "CORS protocol"), and the same rule for upgrades.
//!
//! A request without `Origin` comes from no page of another site and passes. A page of the host that it asks for passes.
//! Any other needs its origin in the configuration. Unlike Primus, no origin is reflected that isn't listed, and
//! upgrades are held to the same list.
//!
//! Two ways around it are closed. A browser asks for another site's script or picture without an `Origin`, but tells that it is
//! another one (Fetch Metadata Request Headers): such a request opens no session ([`Cors::opens`]). And a page that a transport
//! brings, to be put into a frame, would carry for any page around it: it says whose frame it may be in ([`Cors::framed_by`]).

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};

use super::fields::Fields;
use super::forwarded::Client;
use crate::config::CorsOptions;

/// What becomes of a request.
#[derive(Debug)]
pub enum Access<'c> {
    /// It goes on; these headers are added to whatever the answer will be.
    Pass(Cow<'c, HeaderMap>),
    /// It is answered at once: a preflight with 204, a page that isn't allowed with 403.
    Answer(Response<Bytes>),
}

/// The rule, with its header values made beforehand.
#[derive(Debug, Clone)]
pub struct Cors {
    any: bool,
    origins: Vec<String>,
    credentials: bool,
    methods: HeaderValue,
    headers: Option<HeaderValue>,
    exposed: Option<HeaderValue>,
    max_age: HeaderValue,
    /// Answers that differ by origin say so, also to those who sent none: a cache must not mix them up.
    vary: HeaderMap,
    framed_by: Option<String>,
}

impl Cors {
    /// The rule that `options` ask for.
    pub fn new(options: &CorsOptions) -> Self {
        let names = |names: &[HeaderName]| {
            let joined = names.iter().map(HeaderName::as_str).collect::<Vec<_>>().join(", ");
            (!joined.is_empty()).then(|| value(joined))
        };
        let methods: Vec<_> = options.methods.iter().map(Method::as_str).collect();
        let any = options.origins.iter().any(|origin| origin == "*");
        let mut vary = HeaderMap::new();
        if !any || options.credentials {
            vary.insert(header::VARY, HeaderValue::from_name(header::ORIGIN));
        }
        Self {
            any,
            origins: options.origins.iter().map(|origin| normal(origin)).collect(),
            credentials: options.credentials,
            methods: value(methods.join(", ")),
            headers: names(&options.headers),
            exposed: names(&options.exposed),
            max_age: value(options.max_age.as_secs().to_string()),
            vary,
            framed_by: framed_by(&options.origins),
        }
    }

    /// Whether a page of `origin` is in the configuration.
    fn lists(&self, origin: &str) -> bool {
        self.any || self.origins.contains(&normal(origin))
    }

    /// The same where the server was reached beside its own address, at a port that can't be the page's.
    pub fn allows_beside(&self, origin: &str, host: &str) -> bool {
        let page = origin.split_once("://").map(|(_, authority)| without_port(authority));
        self.lists(origin) || page.is_some_and(|page| page.eq_ignore_ascii_case(without_port(host)))
    }

    /// Whether a request that tells no origin may open a session; `site` and `mode` are its `Sec-Fetch-Site` and `-Mode`.
    ///
    /// A browser that sends these fields can ask across origins and tell its own, so that a listed page loses nothing.
    pub fn opens(&self, site: Option<&str>, mode: Option<&str>) -> bool {
        let of_another_site = matches!(site, Some("cross-site" | "same-site")) && mode == Some("no-cors");
        self.any || !of_another_site
    }

    /// The `Content-Security-Policy` of a page that pages may put into a frame which may use the server; `None`: all may.
    pub fn framed_by(&self) -> Option<&str> {
        self.framed_by.as_deref()
    }

    /// Judges a request of `client`, past proxies.
    pub fn check(&self, method: &Method, headers: &(impl Fields + ?Sized), client: &Client) -> Access<'_> {
        let Some(origin) = headers.first(header::ORIGIN.as_str()) else {
            return Access::Pass(Cow::Borrowed(&self.vary));
        };
        // An origin that is no ASCII text is nobody's.
        let name = headers.text(header::ORIGIN.as_str()).unwrap_or_default();
        let Ok(origin) = HeaderValue::from_bytes(origin) else {
            return Access::Answer(refused());
        };
        if !self.lists(name) && !is_same_site(name, client) {
            return Access::Answer(refused());
        }
        let mut answer = self.vary.clone();
        if self.any && !self.credentials {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        } else {
            answer.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        }
        if self.credentials {
            answer.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
        }
        if method == Method::OPTIONS && headers.first(header::ACCESS_CONTROL_REQUEST_METHOD.as_str()).is_some() {
            return Access::Answer(self.preflight(answer, headers));
        }
        if let Some(exposed) = &self.exposed {
            answer.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed.clone());
        }
        Access::Pass(Cow::Owned(answer))
    }

    fn preflight(&self, mut answer: HeaderMap, asked: &(impl Fields + ?Sized)) -> Response<Bytes> {
        answer.insert(header::ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        answer.insert(header::ACCESS_CONTROL_MAX_AGE, self.max_age.clone());
        match &self.headers {
            Some(headers) => {
                answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, headers.clone());
            }
            None => {
                answer.append(header::VARY, HeaderValue::from_name(header::ACCESS_CONTROL_REQUEST_HEADERS));
                let wanted = asked.first(header::ACCESS_CONTROL_REQUEST_HEADERS.as_str());
                if let Some(wanted) = wanted.and_then(|wanted| HeaderValue::from_bytes(wanted).ok()) {
                    answer.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted);
                }
            }
        }
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = StatusCode::NO_CONTENT;
        *response.headers_mut() = answer;
        response
    }
}

/// The answer to a page that may not use the server; also what an upgrade gets.
pub fn refused() -> Response<Bytes> {
    super::text(StatusCode::FORBIDDEN, "This origin is not allowed to use this server.\n")
}

/// Whether `origin` is a page of the host that the client asked for. A client that is known to have come by TLS is no page that came
/// without, which others may have written. Otherwise the scheme is left aside: behind a proxy that ends TLS and isn't listed as
/// trusted, a page of `https://a.example` reaches `a.example` over plain HTTP.
fn is_same_site(origin: &str, client: &Client) -> bool {
    let (Some((scheme, authority)), Some(host)) = (origin.split_once("://"), client.host.as_deref()) else {
        return false;
    };
    if client.secure && !scheme.eq_ignore_ascii_case("https") {
        return false;
    }
    without_default_port(scheme, authority).eq_ignore_ascii_case(without_default_port(scheme, host))
}

/// An origin in lower case and without the port that its scheme implies.
fn normal(origin: &str) -> String {
    let lower = origin.to_ascii_lowercase();
    match lower.split_once("://") {
        Some((scheme, authority)) => {
            format!("{scheme}://{}", without_default_port(scheme, authority))
        }
        None => lower,
    }
}

fn without_default_port<'a>(scheme: &str, authority: &'a str) -> &'a str {
    let port = match scheme {
        "https" => ":443",
        "http" => ":80",
        _ => return authority,
    };
    authority.strip_suffix(port).unwrap_or(authority)
}

/// The host of an authority. An IPv6 address has colons of its own, in brackets.
fn without_port(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) | None => authority,
    }
}

/// Whose frame a page may be in (CSP Level 3, section 6.4.2). What could end the directive is no origin.
fn framed_by(origins: &[String]) -> Option<String> {
    if origins.iter().any(|origin| origin == "*") {
        return None;
    }
    let named = origins.iter().filter(|origin| !origin.contains([';', ',', ' ']) && origin.contains("://"));
    Some(named.fold("frame-ancestors 'self'".to_owned(), |policy, origin| policy + " " + origin))
}

fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("methods, header names and numbers are valid in a header")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn beside_the_servers_own_address_a_page_may_have_any_port_of_the_same_host() {
        let cors = Cors::new(&CorsOptions::default());
        for (origin, host) in [
            ("http://chat.example:8080", "chat.example:4433"),
            ("https://Chat.example", "chat.example:4433"),
            ("http://[::1]:8080", "[::1]:4433"),
            ("http://[::1]", "[::1]"),
        ] {
            assert!(cors.allows_beside(origin, host), "{origin} {host}");
        }
        for (origin, host) in [
            ("http://evil.example:4433", "chat.example:4433"),
            ("http://[::2]:8080", "[::1]:4433"),
            ("null", "chat.example:4433"),
            ("chat.example", "chat.example:4433"),
            ("", ""),
        ] {
            assert!(!cors.allows_beside(origin, host), "{origin} {host}");
        }
    }

    fn options(origins: &[&str]) -> CorsOptions {
        CorsOptions { origins: origins.iter().map(|origin| (*origin).to_owned()).collect(), ..CorsOptions::default() }
    }

    fn ask(options: &CorsOptions, method: &Method, headers: &[(HeaderName, &str)]) -> Access<'static> {
        let headers: HeaderMap =
            headers.iter().map(|(name, text)| (name.clone(), text.parse().expect("it is a header's value"))).collect();
        match Cors::new(options).check(method, &headers, &client("a.example:8080", false)) {
            Access::Pass(headers) => Access::Pass(Cow::Owned(headers.into_owned())),
            Access::Answer(answer) => Access::Answer(answer),
        }
    }

    fn client(host: &str, secure: bool) -> Client {
        Client { address: ([192, 0, 2, 1], 1).into(), secure, host: Some(host.to_owned()) }
    }

    #[test]
    fn a_page_that_came_without_tls_is_not_of_a_site_that_has_it() {
        let came = |origin, secure| is_same_site(origin, &client("chat.example", secure));
        assert!(
            came("https://chat.example", true) && came("https://chat.example", false) && came("http://chat.example", false)
        );
        assert!(!came("http://chat.example", true));
    }

    #[track_caller]
    fn passes(options: &CorsOptions, origin: &str) -> HeaderMap {
        match ask(options, &Method::GET, &[(header::ORIGIN, origin)]) {
            Access::Pass(headers) => headers.into_owned(),
            Access::Answer(answer) => panic!("refused: {answer:?}"),
        }
    }

    #[track_caller]
    fn is_refused(options: &CorsOptions, origin: &str) {
        match ask(options, &Method::GET, &[(header::ORIGIN, origin)]) {
            Access::Pass(headers) => panic!("passed: {headers:?}"),
            Access::Answer(answer) => assert_eq!(answer.status(), StatusCode::FORBIDDEN),
        }
    }

    #[test]
    fn by_default_only_pages_of_the_same_host_pass() {
        let options = options(&[]);
        let headers = passes(&options, "http://a.example:8080");
        assert!(!headers.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS));
        passes(&options, "https://A.example:8080");
        for other in ["http://a.example", "http://b.example:8080", "null", "", "http://a.example:8080.evil"] {
            is_refused(&options, other);
        }
    }

    #[test]
    fn what_another_site_has_a_browser_fetch_without_an_origin_opens_no_session() {
        let (named, any) = (Cors::new(&options(&["https://b.example"])), Cors::new(&options(&["*"])));
        for site in ["cross-site", "same-site"] {
            assert!(!named.opens(Some(site), Some("no-cors")));
            assert!(named.opens(Some(site), Some("cors")), "it tells its origin");
            assert!(any.opens(Some(site), Some("no-cors")));
        }
        assert!(named.opens(Some("same-origin"), Some("no-cors")));
        assert!(named.opens(None, None), "no browser, or an old one");
    }

    #[test]
    fn a_page_in_a_frame_serves_those_that_may_use_the_server() {
        assert_eq!(Cors::new(&options(&[])).framed_by(), Some("frame-ancestors 'self'"));
        let listed = Cors::new(&options(&["https://b.example", "null", "https://c.example; x"]));
        assert_eq!(listed.framed_by(), Some("frame-ancestors 'self' https://b.example"));
        assert_eq!(Cors::new(&options(&["*"])).framed_by(), None);
    }

    #[test]
    fn a_request_of_no_page_passes() {
        assert!(matches!(ask(&options(&[]), &Method::GET, &[]), Access::Pass(_)));
    }

    #[test]
    fn a_listed_origin_is_named_and_caches_are_told() {
        let listed = options(&["https://b.example"]);
        let headers = passes(&listed, "https://b.example:443");
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://b.example:443");
        assert_eq!(headers[header::VARY], "origin");
        is_refused(&listed, "http://b.example");
        is_refused(&listed, "https://b.example:8443");
        is_refused(&listed, "https://sub.b.example");
    }

    #[test]
    fn any_origin_gets_a_star_and_never_its_own_name() {
        let headers = passes(&options(&["*"]), "https://evil.example");
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert!(!headers.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS));
        assert!(!headers.contains_key(header::VARY));
    }

    #[test]
    fn credentials_and_exposed_headers_come_where_they_are_asked_for() {
        let options =
            CorsOptions { credentials: true, exposed: vec![header::ETAG, header::LOCATION], ..options(&["https://b.example"]) };
        let headers = passes(&options, "https://b.example");
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_CREDENTIALS], "true");
        assert_eq!(headers[header::ACCESS_CONTROL_EXPOSE_HEADERS], "etag, location");
    }

    fn preflight(options: &CorsOptions) -> Response<Bytes> {
        let asked = [
            (header::ORIGIN, "https://b.example"),
            (header::ACCESS_CONTROL_REQUEST_METHOD, "PUT"),
            (header::ACCESS_CONTROL_REQUEST_HEADERS, "x-a, x-b"),
        ];
        match ask(options, &Method::OPTIONS, &asked) {
            Access::Answer(answer) => answer,
            Access::Pass(headers) => panic!("a preflight went on: {headers:?}"),
        }
    }

    #[test]
    fn a_preflight_is_answered() {
        let answer = preflight(&CorsOptions {
            max_age: Duration::from_secs(60),
            methods: vec![Method::GET, Method::PUT],
            ..options(&["https://b.example"])
        });
        assert_eq!(answer.status(), StatusCode::NO_CONTENT);
        let headers = answer.headers();
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "https://b.example");
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_METHODS], "GET, PUT");
        assert_eq!(headers[header::ACCESS_CONTROL_ALLOW_HEADERS], "x-a, x-b");
        assert_eq!(headers[header::ACCESS_CONTROL_MAX_AGE], "60");
        let vary: Vec<_> = headers.get_all(header::VARY).iter().collect();
        assert_eq!(vary, ["origin", "access-control-request-headers"]);
    }

    #[test]
    fn a_preflight_allows_no_more_headers_than_are_listed() {
        let answer = preflight(&CorsOptions { headers: vec![header::AUTHORIZATION], ..options(&["https://b.example"]) });
        assert_eq!(answer.headers()[header::ACCESS_CONTROL_ALLOW_HEADERS], "authorization");
    }

    #[test]
    fn a_preflight_of_an_unlisted_origin_is_refused() {
        assert_eq!(preflight(&options(&[])).status(), StatusCode::FORBIDDEN);
    }

    #[test]
    fn an_options_request_that_is_no_preflight_goes_on() {
        let asked = [(header::ORIGIN, "https://b.example")];
        let access = ask(&options(&["https://b.example"]), &Method::OPTIONS, &asked);
        assert!(matches!(access, Access::Pass(_)));
    }
}
