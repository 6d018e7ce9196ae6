//! What a lane reads means the same as what hyper reads: the same bytes, however they are cut, get the same answers.

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::LazyLock;

use plugin_api::prelude::*;
use proptest::prelude::*;
use proptest::sample::select;
use support::{PATIENCE, Server, journal};

/// Stops some requests, and refuses some, a while after it was asked.
mod guard {
    use super::*;

    struct Guard;

    impl Plugin for Guard {
        const NAME: &'static str = "guard";
        type Config = NoConfig;

        fn start(_: NoConfig, _: Host) -> Result<Self, StartError> {
            Ok(Self)
        }

        fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
            registrar.middleware(Priority(0), |request| {
                let shown =
                    format!("{} {} {:?} {}", request.full_path(), request.query(), request.header("x-stop"), request.host());
                request.header("x-stop").map(|_| Response::text(418, shown))
            });
            registrar.authorizer(Priority(0), |request| async move {
                tokio::task::yield_now().await;
                match request.header("x-refuse") {
                    Some(reason) => Err(Refusal::new(reason).with_authenticate("Basic realm=\"lane\"")),
                    None => Ok(()),
                }
            });
        }
    }

    export_plugin!(Guard);
}

/// The same server twice: with lanes, and by hyper alone.
struct Pair {
    lane: Server,
    hyper: Server,
}

impl Pair {
    fn start(plugins: fn() -> Vec<plugin_api::abi::module::PluginModuleRef>) -> Self {
        let [lane, hyper] = [(); 2].map(|()| Server::start("cors = { origins = [\"http://friend\"] }\n", plugins()));
        hyper.read_by_hyper_alone();
        Self { lane, hyper }
    }
}

/// Without authorizers, where requests are decided at once, and with one.
static PAIRS: LazyLock<[Pair; 2]> =
    LazyLock::new(|| [Pair::start(Vec::new), Pair::start(|| vec![guard::switchboard_module()])]);

/// A request that another may follow.
fn request() -> impl Strategy<Value = String> {
    let target = select(vec![
        "/primus/open",
        "/primus/open?name=a%20b&c",
        "/primus/refuse",
        "/primus/join?nobody",
        "/primus/spec",
        "/primus/spec/?x",
        "/primusfoo",
        "/nothing/here",
        "/healthz",
        "/primus/refuse?%6f",
        "/primus/open?a='b'",
        "http://test/primus/open",
    ]);
    let field = select(vec![
        "Accept: */*\r\n",
        "Accept-Encoding: gzip, deflate\r\n",
        "X-Stop: now\r\n",
        "x-refuse: no\r\n",
        "X-Refuse:   \t\r\n",
        "Origin: http://friend\r\n",
        "Origin: http://test\r\n",
        "origin: http://stranger\r\n",
        "Connection: Keep-Alive\r\n",
        "cookie: a=\u{e9}; b\r\n",
        "x-forwarded-for: 192.0.2.7\r\n",
        "Host: other\r\n",
        "te: trailers\r\n",
    ]);
    let plain = prop_oneof![
        Just(("GET", "\r\n".to_owned())),
        "[a-z]{0,40}".prop_map(|body| ("POST", format!("Content-Length: {}\r\n\r\n{body}", body.len()))),
    ];
    let other = select(vec![
        ("POST", "\r\n".to_owned()),
        ("GET", "content-length: 2\r\n\r\nab".to_owned()),
        ("POST", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".to_owned()),
        ("HEAD", "\r\n".to_owned()),
        ("OPTIONS", "access-control-request-method: GET\r\n\r\n".to_owned()),
        ("PUT", "content-length: 1\r\n\r\nx".to_owned()),
    ]);
    // Mostly plain: with the first that is not, hyper has the connection.
    (target, proptest::collection::vec(field, 0..4), prop_oneof![5 => plain, 1 => other]).prop_map(
        |(target, fields, (method, rest))| {
            // With another method, it is a session's that expects an upgrade.
            let is_of_session = target.contains("spec") && !matches!(method, "GET" | "HEAD");
            let target = if is_of_session { "/primus/open" } else { target };
            format!("{method} {target} HTTP/1.1\r\nHost: test\r\n{}{rest}", fields.concat())
        },
    )
}

/// A request behind which the server ends the connection, in one piece.
fn last() -> impl Strategy<Value = &'static str> {
    // The session says so.
    let plain = Just("GET /primus/later HTTP/1.1\r\nHost: test\r\n\r\n");
    let other = select(vec![
        "GET /primus/open HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n",
        "GET /primus/open HTTP/1.0\r\nHost: test\r\n\r\n",
        "GET /primus/open HTTP/1.1\r\nHost: test\r\nx y: z\r\n\r\n",
        "POST /primus/open HTTP/1.1\r\nHost: test\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        "POST /primus/open HTTP/1.1\r\nHost: test\r\ncontent-length: x\r\n\r\n",
        "GET /primus/open HTTP/1.1\r\nHost: test\r\nx: a\r\n b\r\n\r\n",
        "GET /primus/open?a=\"b\" HTTP/1.1\r\nHost: test\r\n\r\n",
        "GET /primus/open\r\n\r\n",
        "nonsense\r\n\r\n",
    ]);
    prop_oneof![plain, other]
}

/// Messages of sessions, as they come one after the other.
fn post() -> impl Strategy<Value = String> {
    let body = prop_oneof![5 => 0..300_usize, 1 => 3_000..9_000_usize, 1 => Just(64 * 1024), 1 => Just(128 * 1024), 1 => Just(140_000)];
    body.prop_map(|length| {
        let body = "x".repeat(length);
        format!(
            "POST /primus/open?a HTTP/1.1\r\nHost: test\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    })
}

/// Where a conversation may be cut: not behind a head, since hyper ends a connection when a body that nobody wants has not come
/// with its head.
fn places(requests: &[String], cuts: &[usize]) -> Vec<usize> {
    let mut allowed = vec![0];
    let mut from = 0;
    for request in requests {
        let head = request.find("\r\n\r\n").map_or(request.len(), |end| end + 3);
        allowed.extend(from..from + head);
        from += request.len();
    }
    cuts.iter().map(|cut| allowed[cut % allowed.len()]).collect()
}

/// One answer: status, fields but the date, body.
type Answer = (String, Vec<String>, String);

/// Sends a conversation, cut at these places, and reads all answers up to the end.
fn converse(server: &Server, requests: &[String], last: &str, mut places: Vec<usize>) -> Vec<Answer> {
    let mut stream = server.idle();
    stream.set_nodelay(true).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let bytes = requests.concat().into_bytes();
    let mut reader = stream.try_clone().unwrap();
    // Answers are read meanwhile: neither side waits for the other to take something.
    let reading = std::thread::spawn(move || {
        let mut text = Vec::new();
        reader.read_to_end(&mut text).unwrap();
        text
    });
    places.sort_unstable();
    let mut from = 0;
    for place in places {
        send(&mut stream, &bytes[from..place]);
        from = place;
    }
    send(&mut stream, &bytes[from..]);
    send(&mut stream, last.as_bytes());
    answers(&reading.join().unwrap(), requests)
}

fn send(stream: &mut TcpStream, bytes: &[u8]) {
    stream.write_all(bytes).unwrap();
    std::thread::yield_now();
}

/// Tells answers apart. Those to `HEAD` have no body.
fn answers(text: &[u8], requests: &[String]) -> Vec<Answer> {
    let text = String::from_utf8_lossy(text);
    let mut rest = &text[..];
    let mut all = Vec::new();
    while !rest.is_empty() {
        let (head, after) = rest.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer but {rest:?}"));
        let (status, fields) = head.split_once("\r\n").unwrap_or((head, ""));
        let mut fields: Vec<String> =
            fields.split("\r\n").filter(|field| !field.starts_with("date:")).map(str::to_owned).collect();
        fields.sort();
        let length =
            fields.iter().find_map(|field| field.strip_prefix("content-length: ")).map_or(0, |length| length.parse().unwrap());
        let is_head = requests.get(all.len()).is_some_and(|request| request.starts_with("HEAD"));
        let (body, after) = after.split_at(if is_head { 0 } else { length });
        all.push((status.to_owned(), fields, body.to_owned()));
        rest = after;
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, max_shrink_iters: 0, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_same_bytes_get_the_same_answers(
        guarded in 0..2_usize,
        requests in proptest::collection::vec(request(), 0..6),
        last in last(),
        cuts in proptest::collection::vec(any::<usize>(), 0..8),
    ) {
        let pair = &PAIRS[guarded];
        let by_hyper = converse(&pair.hyper, &requests, last, Vec::new());
        let by_lane = converse(&pair.lane, &requests, last, places(&requests, &cuts));
        prop_assert_eq!(by_lane, by_hyper);
    }

    #[test]
    fn bodies_may_be_cut_anywhere(
        guarded in 0..2_usize,
        requests in proptest::collection::vec(post(), 0..5),
        cuts in proptest::collection::vec(any::<usize>(), 0..8),
    ) {
        let pair = &PAIRS[guarded];
        let last = "GET /primus/later HTTP/1.1\r\nHost: test\r\n\r\n";
        let length = requests.concat().len();
        let cut = || cuts.iter().map(|cut| cut % (length + 1)).collect();
        let by_lane = converse(&pair.lane, &requests, last, cut());
        prop_assert_eq!(&by_lane, &converse(&pair.hyper, &requests, last, cut()));
        prop_assert_eq!(by_lane.len(), requests.len() + 1);
    }
}

#[test]
fn a_request_that_follows_at_once_is_answered_after_the_one_before() {
    let pair = &PAIRS[0];
    let requests = vec!["GET /primus/open HTTP/1.1\r\nhost: test\r\n\r\n".to_owned(); 500];
    let last = "GET /primus/later HTTP/1.1\r\nhost: test\r\n\r\n";
    let answers = converse(&pair.lane, &requests, last, Vec::new());
    assert_eq!(answers.len(), 501);
    assert!(answers[..500].iter().all(|answer| answer == &answers[0]), "{answers:?}");
    assert_eq!(answers[500].2, "later");
}

#[test]
fn an_answer_that_goes_on_ends_with_its_session() {
    let mut server = Server::start("", vec![]);
    let mut stream = server.idle();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"GET /primus/stream?piecemeal HTTP/1.1\r\nhost: test\r\n\r\n").unwrap();
    journal::until("piecemeal asks");
    let stopped = server.stop();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    drop(stream);
    stopped.join().unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.contains("transfer-encoding: chunked"), "{head}");
    assert_eq!(body, "0\r\n\r\n");
}
