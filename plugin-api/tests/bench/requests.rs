//! Middleware, routes, assets and client parts.

use plugin_api::prelude::*;
use plugin_api::testing::{Bench, Part, json};

/// A small site.
struct Site;

impl Plugin for Site {
    const NAME: &'static str = "site";
    type Config = NoConfig;

    fn start(_: NoConfig, _: Host) -> Result<Self, StartError> {
        Ok(Self)
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        registrar.middleware(Priority::GUARD, |request| {
            (request.header("x-robot").is_some()).then(|| Response::text(403, "people only"))
        });
        registrar.route("GET", "/users/{id}", |request| std::future::ready(Response::text(200, request.full_path())));
        registrar.route("POST", "/files/{*rest}", |request| async move {
            tokio::task::yield_now().await;
            tracing::info!(bytes = request.body().len(), "stored");
            Response::text(201, request.query())
        });
        registrar.asset("/page.css", "text/css", b"body {}");
        registrar.client_part(ClientPart::Extension, "site", "export default function client() {}");
    }
}

export_plugin!(Site);

fn bench() -> Bench {
    Bench::start::<Site>(json!({})).unwrap()
}

#[test]
fn requests_find_their_route() {
    let bench = bench();
    let user = bench.request("/users/7");
    assert_eq!((user.status, user.body), (200, b"/users/7".to_vec()));
    assert_eq!(bench.request("/users/7/more").status, 404);
    assert_eq!(bench.request(Request::new("DELETE", "/users/7")).status, 405);
}

#[test]
fn a_route_may_wait_and_what_it_logs_is_recorded() {
    let bench = bench();
    let stored = bench.request(Request::new("POST", "/files/a/b?c=d").with_body("12345"));
    assert_eq!((stored.status, stored.body), (201, b"c=d".to_vec()));
    let logs = bench.logs();
    let log = logs.iter().find(|log| log.message == "stored").unwrap();
    assert_eq!((log.plugin.as_str(), log.field("bytes")), ("site", Some("5")));
}

#[test]
fn an_asset_is_not_sent_twice() {
    let bench = bench();
    let first = bench.request("/page.css");
    assert_eq!((first.status, first.body.as_slice()), (200, b"body {}".as_slice()));
    let tag = &first.headers.iter().find(|(name, _)| name == "etag").unwrap().1;
    let second = bench.request(Request::new("GET", "/page.css").with_header("If-None-Match", tag));
    assert_eq!((second.status, second.body.len()), (304, 0));
}

#[test]
fn a_middleware_sees_every_request_first() {
    let bench = bench();
    let robot = |target| Request::new("GET", target).with_header("X-Robot", "1");
    assert_eq!(bench.request(robot("/users/7")).status, 403);
    let refusal = bench.connect(robot("/primus")).unwrap_err();
    assert_eq!((refusal.status, refusal.message.as_str()), (403, "people only"));
}

#[test]
fn client_parts_are_shown() {
    let [kind, name, text] = ["extension", "site", "export default function client() {}"].map(str::to_owned);
    assert_eq!(bench().client_parts(), [Part { kind, name, text }]);
}
