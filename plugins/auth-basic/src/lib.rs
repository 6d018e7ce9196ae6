//! Lets only those connect who know a name and a password of the configuration: HTTP's scheme Basic (RFC 7617).
//!
//! Passwords are configured as Argon2 hashes, in PHC strings. One is made with the plugin's example, which asks for the password on
//! standard input:
//!
//! ```text
//! cargo run -q -p switchboard-auth-basic --example hash
//! ```
//!
//! or with Debian's `argon2`: `argon2 "$(openssl rand -hex 16)" -id -m 15 -t 2 -p 1 -e`. Then, in `plugins.toml`:
//!
//! ```toml
//! [auth-basic]
//! realm = "Staff"
//!
//! [auth-basic.users]
//! ann = "$argon2id$v=19$m=19456,t=2,p=1$…$…"
//! ```
//!
//! A refused request is answered as Primus answers its authorization hook: 401, `WWW-Authenticate: Basic realm="…"`, and
//! `{"error": "…"}`. What the name and password open is the connection; they are sent with every request, so use TLS.
//!
//! Hashes are computed on threads of the plugin's own, a few at once; a flood of wrong passwords gets 503 instead of all memory. Names
//! that nobody has take as long as others.
#![forbid(unsafe_code)]

mod config;
mod header;
mod users;

use std::sync::{PoisonError, RwLock};

use plugin_api::prelude::*;
use tokio::sync::Semaphore;

pub use self::config::Config;
use self::header::Credentials;
use self::users::Users;

/// The plugin.
pub struct AuthBasic {
    gate: RwLock<Arc<Gate>>,
}

impl Plugin for AuthBasic {
    const NAME: &'static str = "auth-basic";
    const DESCRIPTION: &'static str = "names and passwords, by HTTP's Basic scheme";
    type Config = Config;

    fn start(config: Config, _host: Host) -> Result<Self, StartError> {
        Ok(Self { gate: RwLock::new(Arc::new(Gate::new(&config)?)) })
    }

    fn register(self: &Arc<Self>, registrar: &mut Registrar<'_>) {
        let auth = Arc::clone(self);
        registrar.authorizer(Priority::GUARD, move |request: Request<'static>| {
            let gate = Arc::clone(&auth.gate.read().unwrap_or_else(PoisonError::into_inner));
            gate.admit(request.header("authorization").map(str::to_owned))
        });
    }

    fn reconfigure(&self, config: Config) -> Result<bool, StartError> {
        *self.gate.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Gate::new(&config)?);
        Ok(true)
    }
}

export_plugin!(AuthBasic);

/// One configuration at work.
struct Gate {
    users: Users,
    challenge: String,
    /// Permits for those whose password is checked.
    checks: Arc<Semaphore>,
    /// Permits for those, and for those who wait for it.
    places: Arc<Semaphore>,
}

impl Gate {
    fn new(config: &Config) -> Result<Self, StartError> {
        let challenge = header::challenge(&config.realm)
            .ok_or_else(|| StartError::at("realm", "a realm has printable ASCII only, as it is sent in a header"))?;
        let users =
            Users::new(&config.users).map_err(|(name, error)| StartError::at(format!("users.{name}"), error.to_string()))?;
        if config.max_checks == 0 {
            return Err(StartError::at("max_checks", "at least one password has to be checked at once"));
        }
        if users.is_empty() {
            tracing::warn!("there are no users: nobody can connect");
        }
        let places = config.max_checks.saturating_add(config.max_waiting);
        Ok(Self {
            users,
            challenge,
            checks: Arc::new(Semaphore::new(config.max_checks.min(Semaphore::MAX_PERMITS))),
            places: Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS))),
        })
    }

    /// Decides on the value of a request's `Authorization` field.
    ///
    /// # Cancel safety
    ///
    /// A check that has begun goes on to its end; nothing else remains.
    async fn admit(self: Arc<Self>, field: Option<String>) -> Result<(), Refusal> {
        let Some(credentials) = field.as_deref().and_then(header::credentials) else {
            return Err(self.refusal("a name and a password are needed"));
        };
        if self.users.is_known(&credentials) || Arc::clone(&self).check(credentials).await? {
            Ok(())
        } else {
            Err(self.refusal("the name or the password is wrong"))
        }
    }

    /// Checks a password on a thread that may be kept busy.
    async fn check(self: Arc<Self>, credentials: Credentials) -> Result<bool, Refusal> {
        let overloaded = || Refusal::new("too many passwords are being checked: try again later").with_status(503);
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| overloaded())?;
        // The semaphore is never closed.
        let check = Arc::clone(&self.checks).acquire_owned().await.map_err(|_| overloaded())?;
        let checked = tokio::task::spawn_blocking(move || {
            // Held until the check is done, even if nobody waits for it any more.
            let _permits = (place, check);
            self.users.check(&credentials)
        });
        checked.await.map_err(|error| {
            tracing::error!(%error, "a password could not be checked");
            Refusal::new("the password could not be checked").with_status(500)
        })
    }

    fn refusal(&self, message: &str) -> Refusal {
        Refusal::new(message).with_authenticate(self.challenge.clone())
    }
}

#[cfg(test)]
mod tests;
