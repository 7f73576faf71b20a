//! Recipients and identities, of the command line or of the environment.

use std::env::{self, VarError};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::OnceLock;

use age::secrecy::SecretString;
use age::x25519::{Identity, Recipient};
use anyhow::{Context, Result};

use super::sealing::Sealing;
use crate::args::Encryption;
use crate::failure::{Usage, WithHelp};
use crate::files::{read_secret, read_small_or_piped};

/// The environment variable that holds recipients.
const RECIPIENTS_VARIABLE: &str = "METACTL_RECIPIENTS";

/// The environment variable that holds identities.
const IDENTITY_VARIABLE: &str = "METACTL_IDENTITY";

/// The ending of what is encrypted.
const ENDING: &str = "age";

static KEYS: OnceLock<Keys> = OnceLock::new();

/// Takes what the command line and the environment say, for the rest of the process.
///
/// # Errors
///
/// When a key is none, or its file cannot be read.
pub fn choose(args: &Encryption) -> Result<()> {
    let (recipients, identities) = (variable(RECIPIENTS_VARIABLE)?, variable(IDENTITY_VARIABLE)?);
    let keys = Keys::of(args, &recipients, &identities)?;
    // There is one command line.
    let _ = KEYS.set(keys);
    Ok(())
}

/// A variable of the environment; one that is not set is empty.
fn variable(name: &str) -> Result<String> {
    match env::var(name) {
        Ok(text) => Ok(text),
        Err(VarError::NotPresent) => Ok(String::new()),
        Err(VarError::NotUnicode(_)) => Err(Usage::error(
            format!("the value of {name} is not UTF-8"),
            "keys of age are ASCII: set it again, one key per line",
        )),
    }
}

/// What was chosen.
pub fn keys() -> &'static Keys {
    KEYS.get_or_init(Keys::default)
}

/// Whether a name asks for encryption.
pub fn is_asked_for_by(name: &Path) -> bool {
    name.extension() == Some(OsStr::new(ENDING))
}

/// Who reads what is written, and by which means it is read.
#[derive(Default)]
pub struct Keys {
    /// Those of the command line: all that is written is for them.
    given: Vec<Recipient>,
    /// Those of the environment: what is called so is for them.
    usual: Vec<Recipient>,
    identities: Vec<Identity>,
    passphrase: Option<SecretString>,
}

impl Keys {
    fn of(args: &Encryption, recipients: &str, identities: &str) -> Result<Self> {
        let mut keys = Self::default();
        for text in &args.recipient {
            keys.given.push(recipient(text.trim(), "--recipient")?);
        }
        for path in &args.recipients_file {
            let text = text_of(path, "recipients")?;
            keys.given.extend(each(&text, &path.display().to_string(), recipient)?);
        }
        keys.usual = each(recipients, RECIPIENTS_VARIABLE, recipient)?;
        for path in &args.identity {
            let text = text_of(path, "identities")?;
            keys.identities.extend(each(&text, &path.display().to_string(), identity)?);
        }
        if args.identity.is_empty() {
            keys.identities = each(identities, IDENTITY_VARIABLE, identity)?;
        }
        if let Some(path) = &args.passphrase_file {
            keys.passphrase = Some(read_secret(path, "passphrase", "--passphrase-file")?.into());
        }
        Ok(keys)
    }

    /// How a dump of this name is encrypted; none when it is not. What has no name is stdout.
    ///
    /// # Errors
    ///
    /// A [`Usage`] error when the name asks for it, and nobody could read it then.
    pub fn sealing(&self, name: Option<&Path>) -> Result<Option<Sealing>> {
        let sealing = match (&*self.given, name.filter(|name| is_asked_for_by(name))) {
            ([_, ..], _) => Sealing::for_recipients(&self.given),
            ([], None) => return Ok(None),
            ([], Some(name)) => {
                self.assert_some_for(name)?;
                match &self.passphrase {
                    Some(passphrase) => Sealing::with_passphrase(passphrase.clone()),
                    None => Sealing::for_recipients(&self.usual),
                }
            }
        };
        sealing.map(Some)
    }

    /// Refuses to write what nobody could read.
    ///
    /// # Errors
    ///
    /// A [`Usage`] error when the name asks for encryption, and nobody is named.
    pub fn assert_some_for(&self, name: &Path) -> Result<()> {
        if self.can_write() || !is_asked_for_by(name) {
            return Ok(());
        }
        Err(Usage::error(
            format!("{} would be encrypted for nobody", name.display()),
            "name who reads it with --recipient (`age-keygen` makes an identity and its recipient), \
             --recipients-file or --passphrase-file; or take `.age` off the name",
        ))
    }

    /// Refuses to write in the clear what a passphrase is given for; for where nothing is read that it
    /// could be for. Gives what to say where recipients are known, and the name does not ask for them.
    ///
    /// # Errors
    ///
    /// A [`Usage`] error when a passphrase has no effect.
    pub fn assert_effect_on(&self, name: Option<&Path>) -> Result<Option<String>> {
        if self.are_given() || name.is_some_and(is_asked_for_by) {
            return Ok(None);
        }
        let shown = name.map_or_else(|| "stdout".to_owned(), |name| name.display().to_string());
        if self.passphrase.is_some() {
            return Err(Usage::error(
                format!("--passphrase-file is given, and {shown} would not be encrypted"),
                "give it a name that ends in `.age`, as meta.db.zst.age, or leave out \
                 --passphrase-file",
            ));
        }
        let is_named = name.is_some() && !self.usual.is_empty();
        Ok(is_named.then(|| {
            format!(
                "note: {shown} is not encrypted: {RECIPIENTS_VARIABLE} is for names that end in `.age`"
            )
        }))
    }

    /// Whether anything is named that reads what is encrypted.
    pub const fn can_read(&self) -> bool {
        !self.identities.is_empty() || self.passphrase.is_some()
    }

    /// Whether anybody is named who could read what is encrypted.
    pub const fn can_write(&self) -> bool {
        !self.given.is_empty() || !self.usual.is_empty() || self.passphrase.is_some()
    }

    /// Whether what is written is encrypted, whatever its name.
    pub const fn are_given(&self) -> bool {
        !self.given.is_empty()
    }

    /// The identities that read what is for recipients.
    pub fn identities(&self) -> &[Identity] {
        &self.identities
    }

    /// What reads what is encrypted with a passphrase.
    pub const fn passphrase(&self) -> Option<&SecretString> {
        self.passphrase.as_ref()
    }
}

fn text_of(path: &Path, what: &str) -> Result<String> {
    let shown = path.display();
    let bytes =
        read_small_or_piped(path).with_context(|| format!("cannot read the {what} {shown}"))?;
    String::from_utf8(bytes)
        .ok()
        .with_context(|| format!("{shown} holds no {what}: it is no text"))
        .help("if it is encrypted itself, decrypt it first: `age --decrypt`")
}

/// The keys of a text, one per line; blank lines and those that begin with `#` are none. A line is never
/// shown: it may be a secret.
fn each<T>(text: &str, of: &str, parse: impl Fn(&str, &str) -> Result<T>) -> Result<Vec<T>> {
    let lines = text.lines().zip(1..).map(|(line, number)| (line.trim(), number));
    let mut lines = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#')).peekable();
    if lines.peek().is_none() && !text.is_empty() {
        return Err(Usage::error(format!("{of} holds no key"), "write one per line"));
    }
    lines.map(|(line, number)| parse(line, &format!("{of}, line {number}"))).collect()
}

fn recipient(text: &str, of: &str) -> Result<Recipient> {
    text.parse().map_err(|why: &str| {
        let is_secret = text.to_ascii_uppercase().starts_with("AGE-SECRET-KEY");
        let why = if is_secret { "it is an identity" } else { why };
        Usage::error(
            format!("{of}: no recipient of age: {why}"),
            "a recipient begins with `age1`: `age-keygen -y IDENTITY-FILE` prints that of an identity",
        )
    })
}

fn identity(text: &str, of: &str) -> Result<Identity> {
    text.parse().map_err(|why: &str| {
        let why = if text.starts_with("age1") { "it is a recipient" } else { why };
        Usage::error(
            format!("{of}: no identity of age: {why}"),
            "an identity begins with `AGE-SECRET-KEY-1`: `age-keygen` makes one",
        )
    })
}
