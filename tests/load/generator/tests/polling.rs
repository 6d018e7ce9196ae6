//! Runs against small servers whose sessions are carried by HTTP: faithful ones are measured, others end the run.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use load::connection::Target;
use load::dialect::Dialect;
use load::echo;
use load::meter::Window;
use load::process::CpuClock;

/// What a server says of the body of a request with messages, the `n`th of its connection.
type Say = fn(&[u8], usize) -> Vec<u8>;

/// Sessions by their names: where their messages go, and come from while no response takes them.
type Sessions = Mutex<HashMap<String, (Sender<Vec<u8>>, Option<Receiver<Vec<u8>>>)>>;

fn server(dialect: Dialect, say: Say) -> Target {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let sessions: Arc<Sessions> = Arc::default();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let sessions = Arc::clone(&sessions);
            thread::spawn(move || serve(stream.unwrap(), dialect, &sessions, say));
        }
    });
    Target { address, path: "/".to_owned(), dialect, length: 32 }
}

/// Answers the requests of one connection until its client leaves.
fn serve(stream: TcpStream, dialect: Dialect, sessions: &Sessions, say: Say) {
    let mut input = BufReader::new(stream.try_clone().unwrap());
    let mut output = stream;
    let mut posts = 0;
    while let Some((method, target, body)) = request(&mut input) {
        let name = match dialect {
            Dialect::EngineIoPolling => target.split_once("sid=").map_or("", |(_, name)| name).to_owned(),
            _ => target.split('/').nth(2).unwrap_or_default().to_owned(),
        };
        let answered = if method == "GET" && name.is_empty() {
            let name = sessions.lock().unwrap().len().to_string();
            sessions.lock().unwrap().insert(name.clone(), session());
            whole(&mut output, format!(r#"0{{"sid":"{name}"}}"#).as_bytes())
        } else if method == "GET" {
            poll(&mut output, sessions, &name)
        } else if target.ends_with("/xhr_streaming") {
            sessions.lock().unwrap().entry(name.clone()).or_insert_with(session);
            stream_once(&mut output, sessions, &name)
        } else {
            let said = say(&body, posts);
            posts += 1;
            let _ = sessions.lock().unwrap()[&name].0.send(said);
            whole(&mut output, b"ok")
        };
        if answered.is_err() {
            return;
        }
    }
}

fn session() -> (Sender<Vec<u8>>, Option<Receiver<Vec<u8>>>) {
    let (sender, receiver) = channel();
    (sender, Some(receiver))
}

/// Waits for a session's next messages, as the only one that does.
fn next(sessions: &Sessions, name: &str) -> std::io::Result<Vec<u8>> {
    let receiver = sessions.lock().unwrap().get_mut(name).and_then(|(_, receiver)| receiver.take());
    let receiver = receiver.expect("one request waits at a time");
    let said = receiver.recv_timeout(Duration::from_secs(20));
    sessions.lock().unwrap().get_mut(name).unwrap().1 = Some(receiver);
    said.map_err(std::io::Error::other)
}

fn poll(output: &mut TcpStream, sessions: &Sessions, name: &str) -> std::io::Result<()> {
    let said = next(sessions, name)?;
    whole(output, &said)
}

/// A response that ends after its third frame.
fn stream_once(output: &mut TcpStream, sessions: &Sessions, name: &str) -> std::io::Result<()> {
    let mut is_new = is_first(name);
    output.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    for _ in 0..3 {
        let frame =
            if std::mem::take(&mut is_new) { b"o\n".to_vec() } else { [b"a", &next(sessions, name)?[..], b"\n"].concat() };
        write!(output, "{:x}\r\n", frame.len())?;
        output.write_all(&[&frame[..], b"\r\n"].concat())?;
    }
    output.write_all(b"0\r\n\r\n")
}

/// Whether a session of this name has not been opened before.
fn is_first(name: &str) -> bool {
    static OPENED: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let mut opened = OPENED.lock().unwrap();
    let is_new = !opened.iter().any(|known| known == name);
    if is_new {
        opened.push(name.to_owned());
    }
    is_new
}

fn whole(output: &mut TcpStream, body: &[u8]) -> std::io::Result<()> {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
    output.write_all(&[head.as_bytes(), body].concat())
}

/// Method, target and body of the next request; `None`: the client has left.
fn request(input: &mut BufReader<TcpStream>) -> Option<(String, String, Vec<u8>)> {
    let mut lines = input.by_ref().lines();
    let first = lines.next()?.ok()?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next()?, words.next()?);
    let mut length = 0;
    loop {
        let line = lines.next()?.ok()?;
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    input.read_exact(&mut body).ok()?;
    Some((method, target, body))
}

fn run(target: &Target) -> anyhow::Result<u64> {
    let window = Window { warm_up: Duration::ZERO, length: Duration::from_millis(500) };
    let config = echo::Config { connections: 3, pipeline: 4, window };
    Ok(echo::run(target, CpuClock::own(), config)?.messages)
}

const DIALECTS: [Dialect; 2] = [Dialect::EngineIoPolling, Dialect::SockJsStreaming];

#[test]
fn faithful_servers_are_measured() {
    for dialect in DIALECTS {
        assert!(run(&server(dialect, |body, _| body.to_vec())).unwrap() > 0, "{dialect:?}");
    }
}

#[test]
fn an_altered_echo_ends_the_run() {
    for dialect in DIALECTS {
        let altering = server(dialect, |body, count| {
            let mut body = body.to_vec();
            body[24] ^= u8::from(count == 5);
            body
        });
        let error = run(&altering).expect_err("the fault must be seen");
        assert!(error.root_cause().to_string().starts_with("expected"), "{dialect:?}: {error:#}");
    }
}
