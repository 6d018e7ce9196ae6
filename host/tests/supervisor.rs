//! A supervisor such as systemd starts the server, and is told how it stands.

use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// How long a test that fails waits.
const PATIENCE: Duration = Duration::from_secs(30);

struct Supervised {
    child: Child,
    /// Who serves in its place.
    followed_by: Option<Pid>,
    told: UnixDatagram,
    _folder: tempfile::TempDir,
}

impl Supervised {
    fn start(watchdog: Option<Duration>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("plugins")).unwrap();
        std::fs::write(folder.path().join("plugins.toml"), "[server]\nlisten = \"127.0.0.1:0\"\nshards = 1\n").unwrap();
        let path = folder.path().join("notify");
        let told = UnixDatagram::bind(&path).unwrap();
        told.set_read_timeout(Some(PATIENCE)).unwrap();
        // As systemd does: the watchdog is for this process.
        let mut command = Command::new("/bin/sh");
        command.args(["-c", "export WATCHDOG_PID=$$; exec \"$0\" serve", env!("CARGO_BIN_EXE_switchboard")]);
        command.current_dir(folder.path()).env("NOTIFY_SOCKET", path).stdout(Stdio::null());
        match watchdog {
            Some(interval) => command.env("WATCHDOG_USEC", interval.as_micros().to_string()),
            None => command.env_remove("WATCHDOG_USEC"),
        };
        Self { child: command.spawn().unwrap(), followed_by: None, told, _folder: folder }
    }

    fn hear(&self) -> String {
        let mut text = [0; 500];
        let len = self.told.recv(&mut text).expect("the supervisor is told");
        String::from_utf8_lossy(&text[..len]).into_owned()
    }

    /// What begins so, after whatever else is said.
    fn hear_of(&self, beginning: &str) -> String {
        loop {
            let told = self.hear();
            if let Some(rest) = told.strip_prefix(beginning) {
                return rest.to_owned();
            }
        }
    }

    fn signal(&self, signal: Signal) {
        let serves = self.followed_by.unwrap_or_else(|| Pid::from_child(&self.child));
        kill_process(serves, signal).unwrap();
    }
}

impl Drop for Supervised {
    fn drop(&mut self) {
        // They may have ended by themselves.
        if let Some(follower) = self.followed_by {
            let _ = kill_process(follower, Signal::KILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_supervisor_is_told_of_readiness_reloading_and_the_end() {
    let mut server = Supervised::start(None);
    let ready = server.hear();
    assert!(ready.starts_with("READY=1\nSTATUS=serves at 127.0.0.1:"), "{ready}");
    server.signal(Signal::HUP);
    let reloading = server.hear();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert!(server.hear().starts_with("READY=1\n"));
    server.signal(Signal::TERM);
    assert!(server.hear().starts_with("STOPPING=1\n"));
    assert!(server.child.wait().unwrap().success());
}

#[test]
fn a_watchdog_hears_again_and_again_that_the_server_lives() {
    let server = Supervised::start(Some(Duration::from_millis(40)));
    assert!(server.hear().starts_with("READY=1\n"));
    for _ in 0..5 {
        assert_eq!(server.hear(), "WATCHDOG=1");
    }
}

#[test]
fn the_process_that_follows_is_supervised_instead() {
    let mut server = Supervised::start(Some(Duration::from_millis(100)));
    assert!(server.hear().starts_with("READY=1\n"));
    server.signal(Signal::USR2);
    let told = server.hear_of("MAINPID=");
    let (process, rest) = told.split_once('\n').unwrap();
    assert_eq!(rest, "READY=1\nSTATUS=has handed over");
    server.followed_by = Pid::from_raw(process.parse().unwrap());
    assert!(server.child.wait().unwrap().success());
    // What the former process has said is passed over: from now on it is the next one that lives.
    server.told.set_nonblocking(true).unwrap();
    while server.told.recv(&mut [0; 500]).is_ok() {}
    server.told.set_nonblocking(false).unwrap();
    assert_eq!(server.hear_of("WATCHDOG=1"), "");
    server.signal(Signal::TERM);
    server.hear_of("STOPPING=1");
}
