//! A run against a server that is not faithful ends with an error, whatever the fault is.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use load::connection::Target;
use load::dialect::Dialect;
use load::meter::Window;
use load::process::CpuClock;
use load::{echo, fan_out, light};

const LENGTH: usize = 32;

const WINDOW: Window = Window { warm_up: Duration::ZERO, length: Duration::from_millis(500) };

/// What a server does with a message. It is told the message, how many came before it on its connection, and who might get it.
type Deliver = dyn Fn(&[u8], usize, &mut [TcpStream]) + Send + Sync;

/// A raw server on threads, which does with each message what `deliver` says.
fn server(deliver: impl Fn(&[u8], usize, &mut [TcpStream]) + Send + Sync + 'static) -> Target {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address: SocketAddr = listener.local_addr().unwrap();
    let receivers: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
    let deliver: Arc<Deliver> = Arc::new(deliver);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut role = [0];
            stream.read_exact(&mut role).unwrap();
            // Here and not in the connection's thread: receivers are known in the order in which they came.
            if &role == b"r" {
                receivers.lock().unwrap().push(stream);
                continue;
            }
            let (receivers, deliver) = (Arc::clone(&receivers), Arc::clone(&deliver));
            thread::spawn(move || serve(stream, role, &receivers, &*deliver));
        }
    });
    Target { address, path: "/".to_owned(), dialect: Dialect::Raw, length: LENGTH }
}

fn serve(mut stream: TcpStream, role: [u8; 1], receivers: &Mutex<Vec<TcpStream>>, deliver: &Deliver) {
    let mut message = [0; LENGTH];
    for count in 0.. {
        // The client may end at any time.
        if stream.read_exact(&mut message).is_err() {
            return;
        }
        if &role == b"p" {
            deliver(&message, count, &mut receivers.lock().unwrap());
        } else {
            deliver(&message, count, &mut [stream.try_clone().unwrap()]);
        }
    }
}

fn to_all(message: &[u8], receivers: &mut [TcpStream]) {
    for receiver in receivers {
        let _ = receiver.write_all(message);
    }
}

fn echo(target: &Target) -> anyhow::Result<u64> {
    let config = echo::Config { connections: 3, pipeline: 4, window: WINDOW };
    Ok(echo::run(target, CpuClock::own(), config)?.messages)
}

fn fan_out(target: &Target) -> anyhow::Result<u64> {
    let config = fan_out::Config { receivers: 5, outstanding: 2, window: WINDOW };
    Ok(fan_out::run(target, CpuClock::own(), config)?.messages)
}

/// More receivers than are watched, so that some are only swept.
fn light_fan_out(target: &Target) -> anyhow::Result<u64> {
    let config = fan_out::Config { receivers: 20, outstanding: 1, window: WINDOW };
    Ok(light::run(target, CpuClock::own(), config)?.messages)
}

#[track_caller]
fn assert_mismatch(run: anyhow::Result<u64>) {
    let error = run.expect_err("the fault must be seen");
    assert!(error.root_cause().to_string().starts_with("expected"), "{error:#}");
}

#[test]
fn faithful_servers_are_measured() {
    assert!(echo(&server(|message, _, all| to_all(message, all))).unwrap() > 0);
    assert!(fan_out(&server(|message, _, all| to_all(message, all))).unwrap() > 0);
    assert!(light_fan_out(&server(|message, _, all| to_all(message, all))).unwrap() > 0);
}

#[test]
fn an_altered_echo_ends_the_run() {
    let target = server(|message, count, all| {
        let mut message = message.to_vec();
        message[LENGTH - 2] ^= u8::from(count == 5);
        to_all(&message, all);
    });
    assert_mismatch(echo(&target));
}

#[test]
fn an_echo_that_comes_twice_ends_the_run() {
    let target = server(|message, count, all| {
        to_all(message, all);
        if count == 5 {
            to_all(message, all);
        }
    });
    assert_mismatch(echo(&target));
}

#[test]
fn a_connection_that_the_server_closes_ends_the_run() {
    let target = server(|message, count, all| {
        to_all(message, all);
        if count == 5 {
            all[0].shutdown(Shutdown::Both).unwrap();
        }
    });
    echo(&target).expect_err("a closed connection must be seen");
}

#[test]
fn a_delivery_that_one_receiver_misses_ends_the_run() {
    let forgetful = || {
        server(|message, _, all| {
            let missed = usize::from(&message[1..17] == b"0000000000000003");
            to_all(message, &mut all[missed..]);
        })
    };
    assert_mismatch(fan_out(&forgetful()));
    assert_mismatch(light_fan_out(&forgetful()));
}
