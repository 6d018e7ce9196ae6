//! Prints the hash of a password for `plugins.toml`: the password is the first line of standard input.

use std::io::{self, BufRead};

use argon2::Argon2;
use argon2::password_hash::PasswordHasher;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    eprintln!("The password:");
    let mut line = String::new();
    io::stdin().lock().read_line(&mut line)?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() {
        return Err("an empty password is none".into());
    }
    println!("{}", Argon2::default().hash_password(password.as_bytes())?);
    Ok(())
}
