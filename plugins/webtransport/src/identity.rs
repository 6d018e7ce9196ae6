//! The certificate that clients see: from files, or made here and renewed before it expires.

use std::time::{Duration, Instant};

use plugin_api::StartError;
use wtransport::Identity;
use wtransport::tls::Sha256DigestFmt;

use crate::config::Credentials;

/// How long a certificate that is made here is valid: browsers take a hash for 14 days at most (W3C WebTransport, section on
/// custom certificate requirements), and clocks differ.
const VALID_DAYS: u32 = 13;

/// When it is renewed.
const RENEWED_AFTER: Duration = Duration::from_secs(9 * 24 * 3600);

/// The certificate in force.
pub struct Certified {
    credentials: Credentials,
    identity: Identity,
    since: Instant,
}

impl Certified {
    /// Reads or makes one.
    ///
    /// # Errors
    ///
    /// A file can't be read, or a name can't stand in a certificate; with the key of the configuration.
    pub async fn new(credentials: Credentials) -> Result<Self, StartError> {
        let identity = identity(&credentials).await?;
        Ok(Self { credentials, identity, since: Instant::now() })
    }

    /// It, for a configuration of TLS.
    pub fn identity(&self) -> Identity {
        self.identity.clone_identity()
    }

    /// What clients are to trust where no authority has signed it: SHA-256 in hexadecimal digits.
    pub fn hashes(&self) -> Vec<String> {
        match self.credentials {
            Credentials::Files { .. } => Vec::new(),
            Credentials::SelfSigned(_) => {
                let certificates = self.identity.certificate_chain().as_slice();
                let hex = |digest: String| digest.replace(':', "");
                certificates.iter().map(|certificate| hex(certificate.hash().fmt(Sha256DigestFmt::DottedHex))).collect()
            }
        }
    }

    /// Takes another one where it is time; whether there is one.
    ///
    /// # Errors
    ///
    /// As [`Certified::new`]; the one in force stays.
    pub async fn renew(&mut self) -> Result<bool, StartError> {
        if matches!(self.credentials, Credentials::SelfSigned(_)) && self.since.elapsed() < RENEWED_AFTER {
            return Ok(false);
        }
        let identity = identity(&self.credentials).await?;
        let certificates = |identity: &Identity| {
            identity.certificate_chain().as_slice().iter().map(|certificate| certificate.der().to_vec()).collect::<Vec<_>>()
        };
        let is_new = certificates(&identity) != certificates(&self.identity);
        if is_new {
            (self.identity, self.since) = (identity, Instant::now());
        }
        Ok(is_new)
    }
}

async fn identity(credentials: &Credentials) -> Result<Identity, StartError> {
    match credentials {
        Credentials::Files { certificate, key } => Identity::load_pemfiles(certificate, key).await.map_err(|error| {
            let (certificate, key) = (certificate.display(), key.display());
            StartError::at("certificate", format!("{certificate} and {key} are no certificate and its key: {error}"))
        }),
        Credentials::SelfSigned(names) => {
            let builder = Identity::self_signed_builder().subject_alt_names(names).from_now_utc().validity_days(VALID_DAYS);
            builder.build().map_err(|error| StartError::at("names", format!("they can't stand in a certificate: {error}")))
        }
    }
}
