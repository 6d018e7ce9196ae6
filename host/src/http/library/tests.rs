use std::{io::Read, time::Duration};

use http::{HeaderName, StatusCode, header};

use super::*;

fn config() -> ClientConfig {
    ClientConfig {
        pathname: "/primus".to_owned(),
        version: "8.0.9",
        ping_timeout: PingTimeout::for_interval(Some(Duration::from_secs(30))),
        authorization: false,
        global: "Primus".to_owned(),
        transports: vec!["websocket".to_owned()],
        parser: "json".to_owned(),
        library: String::new(),
    }
}

fn part(kind: PartKind, name: &str, text: &str) -> Part {
    Part { kind, name: name.to_owned(), text: text.to_owned() }
}

fn library() -> Library {
    Library::build(config(), &[]).expect("there are no parts that could be wrong")
}

fn get(library: &Library, headers: &[(HeaderName, &str)]) -> Response<Bytes> {
    let headers = headers.iter().map(|(name, text)| (name.clone(), text.parse().expect("it is a header's value"))).collect();
    library.respond(Flavour::Script, &headers)
}

#[test]
fn core_configuration_and_parts_come_in_the_order_of_their_kinds() {
    let parts = [
        part(PartKind::Library, "lib", "var global = 1 // end"),
        part(PartKind::Extension, "rooms", "const a = 1;\nexport default function client() { return a; }\n// end"),
        part(PartKind::Parser, "json", "export default { name: \"json\" };"),
        part(PartKind::Transport, "websocket", "export default {};"),
    ];
    let mut config = config();
    config.library = "abc".to_owned();
    let module = assemble::module("var core = 1; // core", &config, &parts).expect("the parts are fine");
    assert_eq!(
        module,
        r#"var core = 1; // core
var Primus = core.define({"pathname":"/primus","version":"8.0.9","pingTimeout":45000,"authorization":false,"global":"Primus","transports":["websocket"],"parser":"json","library":"abc"});
core.register(Primus, "transport", "websocket", (function () {
"use strict";
return {};
})());
core.register(Primus, "parser", "json", (function () {
"use strict";
return { name: "json" };
})());
core.register(Primus, "extension", "rooms", (function () {
"use strict";
const a = 1;
return function client() { return a; }
// end
})());
core.library(Primus, function (Primus) {
var global = 1 // end
});
export default Primus;
export { Primus };
"#
    );
}

#[test]
fn the_script_sets_the_global_that_is_configured() {
    let mut config = config();
    config.global = "$rt".to_owned();
    let script = assemble::script("var core;", &config, &[]).expect("there are no parts");
    assert!(script.contains("var Primus = (root[\"$rt\"] = factory());"), "{script}");
    assert!(script.starts_with("(function (root, factory) {\n"));
    assert!(script.ends_with("return Primus;\n});\n"));
}

#[test]
fn a_client_that_is_not_pinged_does_not_wait_for_pings() {
    let mut config = config();
    config.ping_timeout = PingTimeout::for_interval(None);
    assert!(config.json().contains(r#""pingTimeout":false"#));
}

#[test]
fn names_cannot_leave_a_script_element() {
    let mut config = config();
    config.parser = "</script>\u{2028}".to_owned();
    assert!(config.json().contains(r#""parser":"\u003c/script>\u2028""#));
}

#[test]
fn a_part_without_one_default_export_is_named() {
    for (text, found) in [("const a = 1;", 0), ("  export default 1;", 0), ("export default 1;\nexport default 2;", 2)] {
        let error = Library::build(config(), &[part(PartKind::Extension, "rooms", text)]).expect_err("the part is wrong");
        assert_eq!(error, AssembleError { part: "rooms".to_owned(), found });
    }
}

#[test]
fn the_paths_of_both_files_are_known() {
    assert_eq!(Flavour::of_path("/primus.js"), Some(Flavour::Script));
    assert_eq!(Flavour::of_path("/primus.mjs"), Some(Flavour::Module));
    assert_eq!(Flavour::of_path("/primus.js/"), None);
}

#[test]
fn any_change_of_the_set_changes_the_hash() {
    let hash = |parts: &[Part]| super::hash(&config(), parts);
    let one = part(PartKind::Extension, "a", "export default 1;");
    let hashes = [
        hash(&[]),
        hash(std::slice::from_ref(&one)),
        hash(&[one.clone(), one.clone()]),
        hash(&[Part { kind: PartKind::Parser, ..one.clone() }]),
        hash(&[Part { name: "ae".to_owned(), text: "xport default 1;".to_owned(), ..one.clone() }]),
        super::hash(&ClientConfig { authorization: true, ..config() }, &[]),
    ];
    for (at, hash) in hashes.iter().enumerate() {
        assert!(!hashes[..at].contains(hash), "{hashes:?}");
    }
    let again = part(PartKind::Extension, "a", "export default 1;");
    assert_eq!(hash(&[again]), hash(&[one]));
}

#[test]
fn the_client_knows_the_hash_of_its_set() {
    let library = library();
    let text = String::from_utf8(library.text(Flavour::Module).to_vec()).expect("it is text");
    assert!(text.contains(&format!("\"library\":\"{}\"", library.hash)));
}

#[test]
fn a_client_that_takes_no_encoding_gets_the_text() {
    let library = library();
    let response = get(&library, &[]);
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(response.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-cache");
    assert_eq!(response.headers()[header::VARY], "accept-encoding");
    assert!(!response.headers().contains_key(header::CONTENT_ENCODING));
    assert_eq!(response.body(), library.text(Flavour::Script));
}

#[test]
fn what_is_sent_compressed_is_the_same_text() {
    let library = library();
    let text = library.text(Flavour::Script);

    let response = get(&library, &[(header::ACCEPT_ENCODING, "gzip, deflate, br")]);
    assert_eq!(response.headers()[header::CONTENT_ENCODING], "br");
    let mut unpacked = Vec::new();
    brotli::BrotliDecompress(&mut &response.body()[..], &mut unpacked).expect("it is brotli");
    assert_eq!(unpacked, text[..]);

    let response = get(&library, &[(header::ACCEPT_ENCODING, "gzip;q=0.5, br;q=0")]);
    assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&response.body()[..]).read_to_end(&mut unpacked).expect("it is gzip");
    assert_eq!(unpacked, text[..]);
}

#[test]
fn encodings_that_are_ruled_out_are_not_sent() {
    let library = library();
    for accepted in ["identity", "br;q=0, gzip;q=0.0", "*;q=0", "zstd", "gzip;q=nonsense"] {
        let response = get(&library, &[(header::ACCEPT_ENCODING, accepted)]);
        assert!(!response.headers().contains_key(header::CONTENT_ENCODING), "{accepted}");
    }
    let response = get(&library, &[(header::ACCEPT_ENCODING, "*, br;q=0")]);
    assert_eq!(response.headers()[header::CONTENT_ENCODING], "gzip");
}

#[test]
fn who_has_it_already_is_told_so() {
    let library = library();
    let first = get(&library, &[(header::ACCEPT_ENCODING, "br")]);
    let etag = first.headers()[header::ETAG].to_str().expect("it is text").to_owned();
    for known in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
        let again = get(&library, &[(header::ACCEPT_ENCODING, "br"), (header::IF_NONE_MATCH, &known)]);
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{known}");
        assert_eq!(again.headers()[header::ETAG], etag);
        assert!(again.body().is_empty());
    }
    // The same set in other bytes is another representation.
    let plain = get(&library, &[(header::IF_NONE_MATCH, &etag)]);
    assert_eq!(plain.status(), StatusCode::OK);
}
