//! Who asks: user and password of the handshake.
//!
//! The password comes from a file or from the environment, never from an argument: arguments can
//! be read by every user of the machine, and stay in the history of the shell.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;

use anyhow::Result;

use crate::failure::Usage;
use crate::files::read_secret;

/// The environment variable that holds the password.
pub const PASSWORD_VARIABLE: &str = "METACTL_PASSWORD";

/// The user that every server knows.
const DEFAULT_USERNAME: &str = "root";

/// User and password.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user.
    pub username: String,
    /// The password. Servers up to 260304 do not look at it.
    pub password: String,
}

impl Default for Credentials {
    /// `root` without a password: enough for a server without authentication.
    fn default() -> Self {
        Self { username: DEFAULT_USERNAME.to_owned(), password: String::new() }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("username", &self.username).finish_non_exhaustive()
    }
}

impl Credentials {
    /// The user, `root` when none is named, with the password of the file or, without one, of
    /// [`PASSWORD_VARIABLE`]. A line end after the password in the file is not part of it.
    ///
    /// # Errors
    ///
    /// When the name is empty, the file cannot be read or is empty, or the password is no text.
    pub fn load(username: Option<&str>, password_file: Option<&Path>) -> Result<Self> {
        let variable = std::env::var_os(PASSWORD_VARIABLE);
        Self::from_sources(username, password_file, variable)
    }

    fn from_sources(
        username: Option<&str>,
        password_file: Option<&Path>,
        variable: Option<OsString>,
    ) -> Result<Self> {
        if username.is_some_and(str::is_empty) {
            return Err(Usage::error(
                "--user is empty",
                "give the name of a user that the server knows, or leave it out: the user is root \
                 then",
            ));
        }
        let password = match (password_file, variable) {
            (Some(path), _) => read_password(path)?,
            (None, Some(variable)) => variable.into_string().map_err(|_| {
                Usage::error(
                    format!("the value of {PASSWORD_VARIABLE} is not UTF-8"),
                    "put the password into a file and name it with --password-file",
                )
            })?,
            (None, None) => String::new(),
        };
        let username = username.unwrap_or(DEFAULT_USERNAME).to_owned();
        Ok(Self { username, password })
    }
}

fn read_password(path: &Path) -> Result<String> {
    read_secret(path, "password", "--password-file")
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    fn check(file: Option<&[u8]>, variable: Option<&str>, password: &str) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        if let Some(bytes) = file {
            fs::write(&path, bytes).unwrap();
        }
        let loaded = Credentials::from_sources(
            Some("backup"),
            file.map(|_| path.as_path()),
            variable.map(OsString::from),
        );
        let expected = Credentials { username: "backup".to_owned(), password: password.to_owned() };
        assert_eq!(loaded.unwrap(), expected);
    }

    #[test]
    fn passwords() {
        check(None, None, "");
        check(None, Some("secret"), "secret");
        check(None, Some("secret\n"), "secret\n");
        check(Some(b"secret"), None, "secret");
        check(Some(b"secret\n"), None, "secret");
        check(Some(b"secret\r\n"), None, "secret");
        check(Some(b"secret\r"), None, "secret\r");
        check(Some(b" two\nlines \n\n"), None, " two\nlines \n");
        check(Some(b"of the file"), Some("of the environment"), "of the file");
    }

    #[test]
    fn the_user_is_root_by_default() {
        let loaded = Credentials::from_sources(None, None, None).unwrap();
        assert_eq!(loaded, Credentials::default());
        assert_eq!(loaded.username, "root");
    }

    #[test]
    fn an_empty_name_is_a_wrong_usage() {
        let error = Credentials::from_sources(Some(""), None, None).unwrap_err();
        assert!(error.is::<Usage>());
        assert!(format!("{error:#}").ends_with(": --user is empty"));
    }

    #[test]
    fn the_password_is_never_shown() {
        let credentials =
            Credentials { username: "root".to_owned(), password: "secret".to_owned() };
        assert_eq!(format!("{credentials:?}"), r#"Credentials { username: "root", .. }"#);
    }

    #[test]
    fn what_is_no_password_file_is_reported() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let message = || format!("{:#}", read_password(&path).unwrap_err());
        assert_eq!(
            message(),
            format!(
                "cannot read the password file {}: No such file or directory (os error 2)",
                path.display()
            )
        );
        let no_password = format!(
            "the file holds the password in UTF-8, and nothing else: {} is no password file",
            path.display()
        );
        fs::write(&path, b"\xff").unwrap();
        assert_eq!(message(), no_password);
        fs::write(&path, vec![b'a'; 65_537]).unwrap();
        assert_eq!(message(), no_password);
    }

    #[test]
    fn an_empty_password_file_is_a_wrong_usage() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        for empty in ["", "\n", "\r\n"] {
            fs::write(&path, empty).unwrap();
            let variable = Some(OsString::from("of the environment"));
            let error =
                Credentials::from_sources(Some("backup"), Some(&path), variable).unwrap_err();
            assert!(error.is::<Usage>());
            assert_eq!(
                format!("{error:#}"),
                format!(
                    "write the password into it, or leave out --password-file: the password file \
                     {} is empty",
                    path.display()
                )
            );
        }
    }

    #[test]
    fn a_variable_that_is_no_text_is_a_wrong_usage() {
        let variable = OsString::from_vec(vec![0xff]);
        let error = Credentials::from_sources(None, None, Some(variable)).unwrap_err();
        assert!(error.is::<Usage>());
        assert_eq!(
            format!("{error:#}"),
            "put the password into a file and name it with --password-file: \
             the value of METACTL_PASSWORD is not UTF-8"
        );
    }
}
