//! Who is let in, and what those are told who aren't.

use argon2::password_hash::PasswordHasher;
use argon2::{Algorithm, Argon2, Params, Version};
use auth_basic::AuthBasic;
use base64ct::{Base64, Encoding};
use plugin_api::testing::{Bench, json};
use plugin_api::{Refusal, Request};
use serde_json::Value;

/// The hash of a password, as cheap as Argon2 makes it.
fn hash(password: &str) -> String {
    let params = Params::new(8, 1, 1, None).unwrap();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password(password.as_bytes()).unwrap().to_string()
}

fn config() -> Value {
    json!({ "realm": "Staff", "users": { "ann": hash("sesame"), "ben": hash("with:colon €") } })
}

fn bench() -> Bench {
    Bench::start::<AuthBasic>(config()).unwrap()
}

fn request(field: &str) -> Request<'static> {
    Request::new("GET", "/primus").with_header("Authorization", field)
}

/// Whether this name and password open the connection.
#[track_caller]
fn connect(bench: &Bench, user: &str, password: &str) -> Result<(), Refusal> {
    let token = Base64::encode_string(format!("{user}:{password}").as_bytes());
    bench.connect(request(&format!("Basic {token}"))).map(drop)
}

fn wrong() -> Refusal {
    Refusal::new("the name or the password is wrong").with_authenticate("Basic realm=\"Staff\"")
}

#[track_caller]
fn refused_config(config: Value, words: &[&str]) {
    let failure = Bench::start::<AuthBasic>(config).map(drop).unwrap_err().to_string();
    for word in words {
        assert!(failure.contains(word), "{failure}");
    }
}

#[test]
fn the_right_password_opens_the_connection_again_and_again() {
    let bench = bench();
    for _ in 0..2 {
        connect(&bench, "ann", "sesame").unwrap();
        connect(&bench, "ben", "with:colon €").unwrap();
    }
}

#[test]
fn a_wrong_password_and_a_wrong_name_are_told_the_same() {
    let bench = bench();
    for (user, password) in
        [("ann", "sesam"), ("ann", ""), ("ann", "with:colon €"), ("nobody", "sesame"), ("", ""), ("Ann", "sesame")]
    {
        assert_eq!(connect(&bench, user, password), Err(wrong()), "{user}");
    }
}

#[test]
fn a_password_that_was_right_once_makes_no_other_right() {
    let bench = bench();
    connect(&bench, "ann", "sesame").unwrap();
    assert_eq!(connect(&bench, "ann", "sesam"), Err(wrong()));
    assert_eq!(connect(&bench, "ben", "sesame"), Err(wrong()));
    connect(&bench, "ann", "sesame").unwrap();
}

#[test]
fn without_credentials_a_name_and_a_password_are_asked_for() {
    let bench = bench();
    let asked = Refusal::new("a name and a password are needed").with_authenticate("Basic realm=\"Staff\"");
    assert_eq!(asked.status, 401);
    assert_eq!(bench.connect("/primus").map(drop), Err(asked.clone()));
    for field in ["Bearer abc", "Basic", "Basic !", "Basic YWJj"] {
        assert_eq!(bench.connect(request(field)).map(drop), Err(asked.clone()), "{field}");
    }
}

#[test]
fn without_users_nobody_is_let_in() {
    let bench = Bench::start::<AuthBasic>(json!({})).unwrap();
    assert!(connect(&bench, "admin", "admin").is_err());
    assert!(connect(&bench, "", "").is_err());
    assert!(bench.logs().iter().any(|log| log.message.contains("nobody can connect")));
}

#[test]
fn users_change_while_it_runs() {
    let bench = bench();
    connect(&bench, "ann", "sesame").unwrap();
    let changed = json!({ "realm": "Staff", "users": { "ann": hash("new"), "cid": hash("sesame") } });
    assert!(bench.reconfigure::<AuthBasic>(changed).unwrap());
    assert_eq!(connect(&bench, "ann", "sesame"), Err(wrong()));
    assert_eq!(connect(&bench, "ben", "with:colon €"), Err(wrong()));
    connect(&bench, "ann", "new").unwrap();
    connect(&bench, "cid", "sesame").unwrap();
}

#[test]
fn a_faulty_change_leaves_the_users_as_they_were() {
    let bench = bench();
    let failure = bench.reconfigure::<AuthBasic>(json!({ "users": { "ann": "sesame" } })).unwrap_err();
    assert!(failure.to_string().contains("PHC string"), "{failure}");
    connect(&bench, "ann", "sesame").unwrap();
}

#[test]
fn hashes_of_all_kinds_of_argon2_are_taken() {
    let kinds = [Algorithm::Argon2d, Algorithm::Argon2i, Algorithm::Argon2id];
    for (kind, version) in kinds.into_iter().flat_map(|kind| [(kind, Version::V0x10), (kind, Version::V0x13)]) {
        let hasher = Argon2::new(kind, version, Params::new(16, 2, 2, None).unwrap());
        let hash = hasher.hash_password(b"sesame").unwrap().to_string();
        let bench = Bench::start::<AuthBasic>(json!({ "users": { "ann": hash } })).unwrap();
        connect(&bench, "ann", "sesame").unwrap();
        connect(&bench, "ann", "sesam").unwrap_err();
    }
}

#[test]
fn what_cannot_be_right_in_the_configuration_is_refused_by_name() {
    refused_config(json!({ "users": { "ann": "sesame" } }), &["PHC string"]);
    refused_config(json!({ "users": { "ann": "$2b$10$abcdefghijklmnopqrstuv" } }), &["PHC string"]);
    refused_config(
        json!({ "users": { "ann": "$scrypt$ln=16,r=8,p=1$aM15713r3Xsvxbi31lqr1Q$nFNh2CVHVjNldFVKDHDlm4CbdRSCdEBsjjJxD+iCs5E" } }),
        &["PHC string"],
    );
    refused_config(json!({ "users": { "ann": "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ" } }), &["missing"]);
    refused_config(json!({ "users": { "a:b": hash("x") } }), &["no colon"]);
    refused_config(json!({ "realm": "a\nb" }), &["printable ASCII"]);
    refused_config(json!({ "max_checks": 0 }), &["at least one"]);
    refused_config(json!({ "user": {} }), &["user"]);
}
