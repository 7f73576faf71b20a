//! Who may log in: the user of the command line, or those of a server's configuration.

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::failure::WithHelp;
use crate::files::read_small_or_piped;
use crate::grpc::Credentials;

/// Who may log in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Users {
    /// `root` with any password, as with a server that has no `[grpc_auth]`.
    #[default]
    RootAlone,
    /// These, and nobody else.
    Known {
        /// Their names and passwords.
        known: Vec<Credentials>,
        /// What becomes of a known name with another password.
        passwords: Passwords,
    },
}

/// What becomes of a known name with another password, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passwords {
    /// It is refused: `strict = true`.
    Required,
    /// It is let in and counted: `strict = false`.
    Counted,
}

/// The configuration of a server, as far as it matters here.
#[derive(Deserialize)]
struct Configuration {
    grpc_auth: Option<GrpcAuth>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GrpcAuth {
    strict: bool,
    #[serde(default)]
    credentials: Vec<Pair>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    username: String,
    password: String,
}

impl Users {
    /// The table `[grpc_auth]` of a server's configuration file; without one, `root` alone.
    ///
    /// # Errors
    ///
    /// When the file cannot be read, or the table is not as a server wants it.
    pub fn of_configuration(path: &Path) -> Result<Self> {
        let shown = path.display();
        let bytes = read_small_or_piped(path).with_context(|| format!("cannot read {shown}"))?;
        let text = String::from_utf8(bytes).with_context(|| format!("{shown} is not UTF-8"))?;
        Self::of_toml(&text).with_context(|| format!("{shown} cannot be used")).help(
            "[grpc_auth] has `strict`, true or false, and behind it a table \
             [[grpc_auth.credentials]] with `username` and `password` for each user",
        )
    }

    fn of_toml(text: &str) -> Result<Self> {
        // What the parser says about a place would quote a password.
        let Configuration { grpc_auth } = toml::from_str(text)
            .map_err(|error: toml::de::Error| anyhow::anyhow!("{}", error.message()))?;
        let Some(GrpcAuth { strict, credentials }) = grpc_auth else { return Ok(Self::RootAlone) };
        anyhow::ensure!(!credentials.is_empty(), "[grpc_auth] names no user");
        let mut known: Vec<Credentials> = Vec::new();
        for Pair { username, password } in credentials {
            anyhow::ensure!(!username.is_empty(), "a user in [grpc_auth] has no name");
            anyhow::ensure!(!password.is_empty(), "user {username:?} has no password");
            let is_new = known.iter().all(|other| other.username != username);
            anyhow::ensure!(is_new, "user {username:?} is there twice");
            known.push(Credentials { username, password });
        }
        let passwords = if strict { Passwords::Required } else { Passwords::Counted };
        Ok(Self::Known { known, passwords })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn users(text: &str) -> Result<Users, String> {
        Users::of_toml(text).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn tables() {
        assert_eq!(users("admin_api_address = \"0.0.0.0:28002\""), Ok(Users::RootAlone));
        let one = "[raft_config]\nid = 1\n[grpc_auth]\nstrict = true\n\
                   [[grpc_auth.credentials]]\nusername = \"a\"\npassword = \"b\"\n";
        let a = Credentials { username: "a".to_owned(), password: "b".to_owned() };
        let known = vec![a.clone()];
        assert_eq!(users(one), Ok(Users::Known { known, passwords: Passwords::Required }));
        let two = format!(
            "{}[[grpc_auth.credentials]]\nusername = \"c\"\npassword = \"b\"\n",
            one.replace("true", "false")
        );
        let known = vec![a.clone(), Credentials { username: "c".to_owned(), ..a }];
        assert_eq!(users(&two), Ok(Users::Known { known, passwords: Passwords::Counted }));
    }

    #[test]
    fn what_a_server_does_not_take_is_refused_without_a_password() {
        let check = |text: &str, error: &str| assert_eq!(users(text), Err(error.to_owned()));
        check("[grpc_auth]\nstrict = true", "[grpc_auth] names no user");
        let pair = |name: &str, password: &str| {
            format!("[[grpc_auth.credentials]]\nusername = \"{name}\"\npassword = \"{password}\"\n")
        };
        let table = |pairs: &[String]| format!("[grpc_auth]\nstrict = true\n{}", pairs.concat());
        check(&table(&[pair("", "x")]), "a user in [grpc_auth] has no name");
        check(&table(&[pair("a", "")]), "user \"a\" has no password");
        check(&table(&[pair("a", "x"), pair("a", "y")]), "user \"a\" is there twice");
        let wrong = "[grpc_auth]\nstrict = \"s3cret\"";
        let error = users(wrong).unwrap_err();
        assert!(error.contains("expected a boolean"), "{error}");
        let wrong = table(&["[[grpc_auth.credentials]]\npassword = \"s3cret\"\n".to_owned()]);
        let error = users(&wrong).unwrap_err();
        assert!(error.contains("username") && !error.contains("s3cret"), "{error}");
    }
}
