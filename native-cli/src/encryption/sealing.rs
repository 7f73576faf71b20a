//! Encrypts what is written.

use std::io::{self, Write};

use age::secrecy::SecretString;
use age::stream::StreamWriter;
use age::x25519::Recipient;
use age::{Encryptor, scrypt};
use anyhow::{Context, Result};
use metadump::manifest::{ByteMeasure, Encrypted};
use sha2::{Digest, Sha256};

/// How much work it is to try a passphrase, as a power of two: what age itself takes.
const WORK_FACTOR: u8 = 18;

/// How a dump is encrypted.
pub struct Sealing {
    encryptor: Encryptor,
    /// The fingerprints of its recipients; none with a passphrase.
    recipients: Vec<String>,
}

impl Sealing {
    /// Whoever has one of their identities reads it.
    ///
    /// # Errors
    ///
    /// Never in practice: recipients of one kind go together.
    pub fn for_recipients(recipients: &[Recipient]) -> Result<Self> {
        let each = recipients.iter().map(|recipient| -> &dyn age::Recipient { recipient });
        let encryptor = Encryptor::with_recipients(each).context("cannot encrypt")?;
        let recipients = recipients.iter().map(fingerprint).collect();
        Ok(Self { encryptor, recipients })
    }

    /// Whoever knows the passphrase reads it.
    ///
    /// # Errors
    ///
    /// Never in practice.
    pub fn with_passphrase(passphrase: SecretString) -> Result<Self> {
        let mut recipient = scrypt::Recipient::new(passphrase);
        recipient.set_work_factor(WORK_FACTOR);
        let one: &dyn age::Recipient = &recipient;
        let encryptor =
            Encryptor::with_recipients(std::iter::once(one)).context("cannot encrypt")?;
        Ok(Self { encryptor, recipients: Vec::new() })
    }
}

/// What is known of a recipient without saying who it is: SHA-256 of its text.
fn fingerprint(recipient: &Recipient) -> String {
    let digest = Sha256::digest(recipient.to_string());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A writer that encrypts, or passes everything on as it is.
pub enum Sink<W: Write> {
    Open(W),
    Sealed { stream: Box<StreamWriter<Measured<W>>>, recipients: Vec<String> },
}

impl<W: Write> Sink<W> {
    /// Begins to write.
    ///
    /// # Errors
    ///
    /// When the beginning cannot be written.
    pub fn begin(sealing: Option<Sealing>, writer: W) -> io::Result<Self> {
        let Some(Sealing { encryptor, recipients }) = sealing else {
            return Ok(Self::Open(writer));
        };
        let measured = Measured { writer, bytes: ByteMeasure::default() };
        Ok(Self::Sealed { stream: Box::new(encryptor.wrap_output(measured)?), recipients })
    }

    /// Writes what is left; says what was written, if that is encrypted.
    ///
    /// # Errors
    ///
    /// When that fails.
    pub fn finish(self) -> io::Result<(W, Option<Encrypted>)> {
        match self {
            Self::Open(writer) => Ok((writer, None)),
            Self::Sealed { stream, recipients } => {
                let Measured { writer, bytes } = stream.finish()?;
                Ok((writer, Some(Encrypted::with_age(recipients, bytes))))
            }
        }
    }
}

impl<W: Write> Write for Sink<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Open(writer) => writer.write(bytes),
            Self::Sealed { stream, .. } => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Open(writer) => writer.flush(),
            Self::Sealed { stream, .. } => stream.flush(),
        }
    }
}

/// Measures what passes.
pub struct Measured<W> {
    writer: W,
    bytes: ByteMeasure,
}

impl<W: Write> Write for Measured<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.writer.write(bytes)?;
        self.bytes.add(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
