use std::{path::Path, time::Duration};

use serde_json::{Value, json};

use super::*;

fn parse(text: &str) -> Config {
    Config::parse(text, "/etc/switchboard/plugins.toml").expect("the file is valid")
}

#[track_caller]
fn check_refused(text: &str, expected: &str) {
    let error = Config::parse(text, "plugins.toml").expect_err("the file is faulty");
    assert_eq!(error.to_string(), expected);
}

#[test]
fn an_empty_file_means_defaults() {
    let config = Config::default();
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.server.path.as_str(), "/primus");
    assert_eq!(config.server.ping_interval, PingInterval(Some(Duration::from_secs(30))));
    assert_eq!(config.server.max_message, ByteCount(10 * 1024 * 1024));
    assert!(config.plugins().is_empty());
}

#[test]
fn the_defaults_that_the_shipped_file_shows_are_the_defaults() {
    const SHIPPED: &str = include_str!("../../../plugins.toml");
    let shown: String = SHIPPED
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if key.starts_with(|c: char| c.is_ascii_lowercase()) => format!("{key}\n"),
            Some(_) | None => format!("{line}\n"),
        })
        .collect();
    assert_ne!(shown, SHIPPED);
    for text in [SHIPPED, &shown] {
        let config = parse(text);
        assert_eq!(config.server, parse("").server);
        assert!(config.plugin("websocket").is_some_and(|plugin| plugin.enabled));
    }
}

#[test]
fn every_key_of_the_server_is_read() {
    let config = parse(
        r#"
        [server]
        listen = "[::1]:0"
        path = "/rt/primus/"
        shards = 3
        ping_interval = false
        max_message = "64 KiB"
        max_buffered = 70000
        overflow = "drop"
        plugins = "lib"
        auto_load = false
        parser = "msgpack"
        client_parsers = ["json", "cbor"]
        global = "$rt"
        static = { "/" = "public", "/docs" = "/srv/docs" }
        trusted_proxies = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"]
        forwarded_by = "forwarded"

        [server.cors]
        origins = ["https://Chat.example.com:8443"]
        methods = ["GET"]
        headers = ["X-Request-Id"]
        exposed = ["etag"]
        credentials = true
        max_age = "1h"

        [server.log]
        format = "json"
        level = "debug"

        [server.shutdown]
        reconnect = false
        drain = "5s"
        timeout = "1m 30s"

        [server.upgrade]
        start = "2m"
        patience = "250ms"
        "#,
    );
    let server = &config.server;
    assert_eq!(server.listen.port(), 0);
    assert_eq!(server.path.as_str(), "/rt/primus");
    assert_eq!(server.shards.get(), 3);
    assert_eq!(server.ping_interval, PingInterval(None));
    assert_eq!(server.max_message, ByteCount(65536));
    assert_eq!(server.max_buffered, ByteCount(70000));
    assert_eq!(server.overflow, Overflow::Drop);
    assert_eq!(server.plugins, Path::new("/etc/switchboard/lib"));
    assert!(!server.auto_load);
    assert_eq!(server.parser.as_deref(), Some("msgpack"));
    assert_eq!(server.client_parsers, ["json", "cbor"]);
    assert_eq!(server.global, "$rt");
    let folders: Vec<_> = server.static_files.iter().map(|(at, dir)| (at.as_str(), dir.to_str())).collect();
    assert_eq!(folders, [("/", Some("/etc/switchboard/public")), ("/docs", Some("/srv/docs"))]);
    let proxies: Vec<_> = server.trusted_proxies.iter().map(ToString::to_string).collect();
    assert_eq!(proxies, ["127.0.0.1/32", "10.0.0.0/8", "fd00::/8"]);
    assert_eq!(server.forwarded_by, ForwardedBy::Forwarded);
    assert_eq!(server.cors.origins, ["https://chat.example.com:8443"]);
    assert_eq!(server.cors.methods, [http::Method::GET]);
    assert_eq!(server.cors.headers, ["x-request-id"]);
    assert_eq!(server.cors.exposed, ["etag"]);
    assert!(server.cors.credentials);
    assert_eq!(server.cors.max_age, Duration::from_secs(3600));
    assert_eq!(server.log, LogOptions { format: LogFormat::Json, level: LogLevel::Debug });
    let shutdown = ShutdownOptions { reconnect: false, drain: Duration::from_secs(5), timeout: Duration::from_secs(90) };
    assert_eq!(server.shutdown, shutdown);
    let upgrade = UpgradeOptions { start: Duration::from_secs(120), patience: Duration::from_millis(250) };
    assert_eq!(server.upgrade, upgrade);
}

#[test]
fn a_misspelt_key_is_shown_with_its_place_and_the_key_that_was_meant() {
    let error =
        Config::parse("# ours\n[server.shutdown]\n  timout = \"3s\"\n", "plugins.toml").expect_err("there is no such key");
    assert_eq!(
        error.to_string(),
        "plugins.toml:3:3: server.shutdown.timout: unknown key; did you mean `timeout`? (allowed: reconnect, drain, timeout)"
    );
    let ConfigError::Refused(refusal) = error else {
        panic!("the file was readable: {error}");
    };
    assert_eq!((refusal.line, refusal.column), (3, 3));
    assert_eq!(refusal.key, "server.shutdown.timout");
    assert_eq!(refusal.suggestion.as_deref(), Some("timeout"));
}

#[test]
fn a_wrong_word_is_shown_with_the_words_that_are_allowed() {
    check_refused(
        "[server]\noverflow = \"clse\"",
        "plugins.toml:2:12: server.overflow: unknown value \"clse\"; did you mean `close`? (allowed: close, drop)",
    );
    check_refused("[server]\nlog.format = 3", "plugins.toml:2:14: server.log.format: expected a word in quotes");
}

#[test]
fn a_wrong_value_is_shown_where_it_stands() {
    check_refused(
        "[server]\nlisten = \"8080\"",
        "plugins.toml:2:10: server.listen: \"8080\" is no address with a port, such as \"127.0.0.1:8080\" or \"[::1]:8080\"",
    );
    check_refused(
        "[server]\nshards = 0",
        "plugins.toml:2:10: server.shards: invalid value: integer `0`, expected a nonzero usize",
    );
    check_refused(
        "[server]\nping_interval = 30",
        "plugins.toml:2:17: server.ping_interval: invalid type: integer `30`, expected a time of at least 10 ms, such as \"30s\", or false to send no pings",
    );
    check_refused(
        "[server]\nmax_message = \"ten\"",
        "plugins.toml:2:15: server.max_message: invalid value: string \"ten\", expected a number of bytes, such as 65536 or \"64 KiB\"",
    );
    check_refused(
        "[server]\nglobal = \"my client\"",
        "plugins.toml:2:10: server.global: \"my client\" is no JavaScript name of ASCII letters, digits, _ and $",
    );
    check_refused(
        "[server]\nstatic = { \"docs\" = \".\" }",
        "plugins.toml:2:12: server.static.docs: \"docs\" must start with a slash",
    );
}

#[test]
fn a_wrong_element_of_a_list_is_shown_and_not_the_list() {
    check_refused(
        "[server]\ntrusted_proxies = [\n  \"127.0.0.1\",\n  \"proxy.local\",\n]",
        "plugins.toml:4:3: server.trusted_proxies.1: \"proxy.local\" is not an address or network, such as \"127.0.0.1\" or \"10.0.0.0/8\"",
    );
    check_refused(
        "[server.cors]\norigins = [\"https://a.example/app\"]",
        "plugins.toml:2:12: server.cors.origins.0: \"https://a.example/app\" is not an origin without a path, such as \"https://chat.example.com\", or \"*\"",
    );
}

#[test]
fn keys_that_contradict_each_other_are_refused() {
    check_refused(
        "[server.cors]\norigins = [\"*\"]\ncredentials = true",
        "plugins.toml:3:1: server.cors.credentials: cannot be true while origins has \"*\": any site could then act for a signed-in user; list the origins",
    );
    check_refused(
        "[server]\nbody_timeout = \"0s\"",
        "plugins.toml:2:1: server.body_timeout: must be more than 0: no request would ever come whole",
    );
    check_refused(
        "[server]\nmax_message = 100\nmax_buffered = 99",
        "plugins.toml:3:1: server.max_buffered: must be at least max_message, which is 100 B",
    );
}

#[test]
fn a_longer_message_makes_room_for_itself() {
    let config = parse("[server]\nmax_message = \"64 MiB\"");
    assert_eq!(config.server.max_buffered, config.server.max_message);
}

#[test]
fn a_syntax_error_has_its_place() {
    let error = Config::parse("[server]\nlisten = \n", "plugins.toml").expect_err("a value is missing");
    assert!(error.to_string().starts_with("plugins.toml:2:10: "), "{error}");
}

#[test]
fn a_missing_file_is_named() {
    let error = Config::load("/nowhere/plugins.toml").expect_err("there is no such file");
    assert!(matches!(error, ConfigError::Unreadable { .. }));
    assert!(error.to_string().starts_with("/nowhere/plugins.toml: "), "{error}");
}

#[test]
fn a_plugins_table_is_split_into_the_hosts_keys_and_its_own() {
    let pin = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
    let config = parse(&format!(
        "[rooms]\nenabled = false\norder = -1\nsha256 = [\"{pin}\"]\nlimit = 5\nnames = [\"a\", \"b\"]\n[rooms.deep]\nsince = 2026-01-02\n"
    ));
    let rooms = config.plugin("rooms").expect("the table is there");
    assert!(!rooms.enabled);
    assert_eq!(rooms.order, -1);
    assert_eq!(rooms.sha256[0].to_string(), pin.to_lowercase());
    assert_eq!(rooms.table, json!({ "limit": 5, "names": ["a", "b"], "deep": { "since": "2026-01-02" } }));
}

#[test]
fn a_wrong_reserved_key_is_shown_where_it_stands() {
    check_refused("[rooms]\nenabled = 1", "plugins.toml:2:11: rooms.enabled: invalid type: integer `1`, expected a boolean");
    check_refused(
        "[rooms]\nsha256 = [\"abc\"]",
        "plugins.toml:2:11: rooms.sha256.0: expected the 64 hexadecimal digits of a SHA-256",
    );
}

#[test]
fn an_option_outside_of_any_table_is_told_where_it_belongs() {
    check_refused(
        "listn = \"127.0.0.1:80\"",
        "plugins.toml:1:1: listn: stands outside of any table; a plugin's options stand under [listn]; if it is `listen` of the server, it belongs under [server]",
    );
}

#[test]
fn two_tables_of_one_plugin_are_refused() {
    check_refused(
        "[auth-basic]\n[auth_basic]\n",
        "plugins.toml:2:2: auth_basic: is the same plugin as [auth-basic], at plugins.toml:1:2",
    );
}

#[test]
fn a_library_finds_its_table_whether_written_with_dash_or_underscore() {
    let config = parse("[auth-basic]\nrealm = \"here\"");
    let plugin = config.plugin("auth_basic").expect("they are the same");
    assert_eq!(plugin.name, "auth-basic");
}

#[test]
fn plugins_come_by_order_and_then_by_name() {
    let config = parse("[zebra]\norder = -5\n[json]\n[echo]\n[late]\norder = 9");
    let names: Vec<_> = config.plugins().iter().map(|plugin| plugin.name.as_str()).collect();
    assert_eq!(names, ["zebra", "echo", "json", "late"]);
}

#[test]
fn a_plugin_that_is_not_named_runs_only_with_auto_load() {
    assert!(parse("").plugin_or_default("echo").enabled);
    let strict = parse("[server]\nauto_load = false\n[json]");
    assert!(!strict.plugin_or_default("echo").enabled);
    assert!(strict.plugin_or_default("json").enabled);
}

#[test]
fn a_table_without_a_plugin_is_reported_and_not_refused() {
    let config = parse("[json]\n\n[room]\n\n[sever]\n\n[echo]\n\n[off]\nenabled = false");
    let unclaimed = config.unclaimed(["json", "rooms"]);
    let lines: Vec<&str> = unclaimed.iter().map(|table| table.line.as_str()).collect();
    let there = "and no such plugin is there (there are: json, rooms)";
    assert_eq!(
        lines,
        [
            format!("/etc/switchboard/plugins.toml:7:2 names [echo], {there}"),
            format!("/etc/switchboard/plugins.toml:3:2 names [room], {there}; did you mean [rooms]?"),
            format!("/etc/switchboard/plugins.toml:5:2 names [sever], {there}; did you mean [server]?"),
        ]
    );
    assert!(unclaimed.iter().all(|table| !table.is_required));
    assert!(parse("[guard]\nrequired = true").unclaimed([])[0].is_required);
}

#[test]
fn a_parser_that_no_plugin_brings_is_refused_with_its_place() {
    let there = ["json".to_owned(), "cbor".to_owned()];
    let refused = |text: &str| parse(text).check_parsers(&there).unwrap_err().to_string();
    assert_eq!(
        refused("[server]\nparser = \"jsn\""),
        "/etc/switchboard/plugins.toml:2:1: server.parser: no plugin brings the parser \"jsn\"; did you mean `json`? (allowed: json, cbor)"
    );
    assert_eq!(
        refused("[server]\nclient_parsers = [\"cbor\", \"nope\"]"),
        "/etc/switchboard/plugins.toml:2:27: server.client_parsers.1: no plugin brings the parser \"nope\" (allowed: json, cbor)"
    );
    parse("[server]\nparser = \"cbor\"\nclient_parsers = [\"json\"]").check_parsers(&there).unwrap();
    parse("").check_parsers(&[]).unwrap();
}

#[test]
fn only_a_file_that_says_nothing_is_blank() {
    for (text, blank) in [("", true), (" \n\t\n", true), ("# nothing", false), ("[json]", false)] {
        assert_eq!(parse(text).is_blank(), blank, "{text:?}");
    }
}

#[test]
fn configurations_that_ask_for_the_same_are_equal() {
    assert_eq!(parse("[a]\nx = 1\n[b]"), parse("# said otherwise\n[b]\n\n[a]\nx=1"));
    assert_ne!(parse("[a]\nx = 1"), parse("[a]\nx = 2"));
    assert_ne!(parse("[a]"), parse("[a]\n[server]\nshards = 77"));
}

fn schema() -> Value {
    json!({
        "properties": {
            "limits": { "$ref": "#/$defs/Limits" },
            "users": { "type": "array", "items": { "$ref": "#/$defs/User" } },
            "mode": { "anyOf": [{ "$ref": "#/$defs/Mode" }, { "type": "null" }] }
        },
        "$defs": {
            "Limits": { "properties": { "frame": {}, "message": {}, "inner": { "$ref": "#/$defs/Limits" } } },
            "User": { "properties": { "name": {}, "hash": {} } },
            "Mode": { "oneOf": [{ "const": "strict" }, { "enum": ["lenient"] }] }
        }
    })
}

const PLUGIN: &str = "[ws]\nmode = \"strct\"\nlimts = 1\n\n[ws.limits]\nframe = \"big\"\nframee = 1\n\n[[ws.users]]\nname = \"a\"\n[[ws.users]]\nnam = \"b\"\n";

#[track_caller]
fn check_explained(path: &str, expected: &str) {
    let config = Config::parse(PLUGIN, "plugins.toml").expect("the host has nothing against it");
    let plugin = config.plugin("ws").expect("the table is there");
    assert_eq!(plugin.explain(path, "no good", &schema()).to_string(), expected);
}

#[test]
fn a_plugins_refusal_is_traced_to_its_line() {
    check_explained("limits.frame", "plugins.toml:6:1: ws.limits.frame: no good");
    check_explained("/limits/frame", "plugins.toml:6:1: ws.limits.frame: no good");
    check_explained("users[0].name", "plugins.toml:10:1: ws.users.0.name: no good");
    check_explained("", "plugins.toml:1:2: ws: no good");
}

#[test]
fn a_plugins_unknown_key_is_explained_by_its_schema() {
    check_explained(
        "limits.framee",
        "plugins.toml:7:1: ws.limits.framee: unknown key; did you mean `frame`? (allowed: frame, inner, message)",
    );
    check_explained(
        "users[1].nam",
        "plugins.toml:12:1: ws.users.1.nam: unknown key; did you mean `name`? (allowed: hash, name)",
    );
    check_explained(
        "limts",
        "plugins.toml:3:1: ws.limts: unknown key; did you mean `limits`? (allowed: limits, mode, users, enabled, order, quarantine, required, sha256)",
    );
}

#[test]
fn a_plugins_unknown_word_is_explained_by_its_schema() {
    check_explained(
        "mode",
        "plugins.toml:2:1: ws.mode: unknown value \"strct\"; did you mean `strict`? (allowed: strict, lenient)",
    );
}

#[test]
fn what_the_schema_does_not_explain_is_said_as_the_plugin_says_it() {
    let config = parse("[ws]\nmode = \"strict\"");
    let plugin = config.plugin("ws").expect("the table is there");
    let said = plugin.explain("mode", "strict needs TLS", &schema()).to_string();
    assert_eq!(said, "/etc/switchboard/plugins.toml:2:1: ws.mode: strict needs TLS");
    let said = plugin.explain("mode", "no good", &Value::Null).to_string();
    assert_eq!(said, "/etc/switchboard/plugins.toml:2:1: ws.mode: no good");
}

#[test]
fn a_key_that_the_file_lacks_is_shown_at_the_table_that_should_have_it() {
    check_explained("limits.inner.frame", "plugins.toml:5:5: ws.limits.inner.frame: no good");
}

#[test]
fn a_path_is_ours_by_whole_segments_only() {
    let path = Pathname::new("/rt/primus").expect("it is valid");
    assert_eq!(path.strip("/rt/primus"), Some(""));
    assert_eq!(path.strip("/rt/primus/"), Some("/"));
    assert_eq!(path.strip("/rt/primus/spec"), Some("/spec"));
    assert_eq!(path.strip("/rt/primusfoo"), None);
    assert_eq!(path.strip("/rt"), None);
}

#[test]
fn a_path_that_could_not_be_matched_is_refused() {
    for path in ["", "primus", "//", "/a//b", "/a/../b", "/a b", "/a?b"] {
        assert!(Pathname::new(path).is_err(), "{path:?}");
    }
}

#[test]
fn what_must_vouch_for_libraries_is_read() {
    let config =
        parse("[trust]\npin = true\nkeys = [\"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\"]\nsymlinks = true");
    assert_eq!((config.trust.pin, config.trust.keys.len(), config.trust.symlinks), (true, 1, true));
    assert!(config.plugins().is_empty(), "it is no plugin's table");
    check_refused(
        "[trust]\npins = true",
        "plugins.toml:2:1: trust.pins: unknown key; did you mean `pin`? (allowed: pin, keys, symlinks)",
    );
    check_refused(
        "[trust]\npin = true\nkeys = [\"RW\"]",
        "plugins.toml:3:9: trust.keys.0: \"RW\" is no public key of minisign, such as \"RWQf6LRCGA9i53ml…\"",
    );
    check_refused(
        "[trust]\nkeys = [\"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\"]",
        "plugins.toml:2:1: trust.keys: says nothing without pin = true: any library would be loaded",
    );
}

#[test]
fn a_quarantine_is_a_word_or_a_limit() {
    let config = parse(
        "[server]\nquarantine = { after = 3, within = \"1m\" }\n[a]\nquarantine = \"never\"\n[b]\nquarantine = \"immediately\"\n[c]",
    );
    let three = Quarantine::After { count: 3.try_into().expect("it is not 0"), within: Duration::from_secs(60) };
    assert_eq!(["a", "b", "c"].map(|name| config.quarantine_of(name)), [Quarantine::Never, Quarantine::IMMEDIATELY, three]);
    assert_eq!(config.plugin("a").expect("it is there").table, json!({}), "the key is the host's");
    for wrong in
        ["\"sometimes\"", "{ after = 0 }", "{ within = \"1s\" }", "{ after = 1, with = \"1s\" }", "{ after = 100000 }", "3"]
    {
        assert!(Config::parse(&format!("[server]\nquarantine = {wrong}"), "plugins.toml").is_err(), "{wrong}");
    }
}
