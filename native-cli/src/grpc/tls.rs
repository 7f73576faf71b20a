//! TLS: the certificates that are used, and what can be wrong with them.

use std::error::Error;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{AlertDescription, CertificateError};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use super::Address;
use super::causes::{causes, root_cause};
use crate::failure::{Usage, WithHelp};
use crate::files::read_small_or_piped;

/// The files and the name that the command line gives.
#[derive(Debug, Clone, Default)]
pub struct TlsFiles {
    /// The certificates of the authorities that may sign the server's, in PEM.
    pub ca_cert: Option<PathBuf>,
    /// The name that the server's certificate must be for, when it is not the host's.
    pub domain_name: Option<String>,
    /// The client's certificate, in PEM, with the intermediate ones behind it.
    pub client_cert: Option<PathBuf>,
    /// The client's private key, in PEM.
    pub client_key: Option<PathBuf>,
}

/// How TLS is spoken. The default trusts the authorities that the system trusts.
#[derive(Clone, Default)]
pub struct Tls {
    authorities_pem: Option<Vec<u8>>,
    domain_name: Option<String>,
    identity: Option<Identity>,
}

impl fmt::Debug for Tls {
    /// Without the private key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("domain_name", &self.domain_name).finish_non_exhaustive()
    }
}

impl TlsFiles {
    /// Reads the files; none when nothing is given, which means plain text.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or holds no PEM of its kind, and a [`Usage`] error when a
    /// certificate of the client comes without its key, or the key without the certificate.
    pub fn load(&self) -> Result<Option<Tls>> {
        let identity = match (&self.client_cert, &self.client_key) {
            (Some(certificate), Some(key)) => {
                Some(Identity::from_pem(read_certificates(certificate)?, read_private_key(key)?))
            }
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                return Err(Usage::error(
                    "a client certificate and its key only go together",
                    "give both --grpc-tls-client-cert and --grpc-tls-client-key",
                ));
            }
        };
        let authorities_pem = self.ca_cert.as_deref().map(read_certificates).transpose()?;
        let domain_name = self.domain_name.clone();
        let any = identity.is_some() || authorities_pem.is_some() || domain_name.is_some();
        Ok(any.then_some(Tls { authorities_pem, domain_name, identity }))
    }
}

fn read_certificates(path: &Path) -> Result<Vec<u8>> {
    read_pem(path, "certificate", |pem| {
        let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        certificates.is_ok_and(|certificates| !certificates.is_empty())
    })
}

fn read_private_key(path: &Path) -> Result<Vec<u8>> {
    read_pem(path, "private key", |pem| PrivateKeyDer::from_pem_slice(pem).is_ok())
}

fn read_pem(path: &Path, what: &str, is_it: impl Fn(&[u8]) -> bool) -> Result<Vec<u8>> {
    let shown = path.display();
    let pem =
        read_small_or_piped(path).with_context(|| format!("cannot read the {what} in {shown}"))?;
    if !is_it(&pem) {
        return Err(anyhow::anyhow!("{shown} holds no {what} in PEM"))
            .help(format!("a {what} in PEM stands between BEGIN and END lines that name it"));
    }
    Ok(pem)
}

impl Tls {
    /// The configuration for a connection to `address`.
    pub(super) fn config(&self, address: &Address) -> ClientTlsConfig {
        let name = self.domain_name.as_deref().unwrap_or(address.host());
        let config = ClientTlsConfig::new().domain_name(name);
        let config = match &self.authorities_pem {
            Some(pem) => config.ca_certificate(Certificate::from_pem(pem)),
            None => config.with_native_roots(),
        };
        match &self.identity {
            Some(identity) => config.identity(identity.clone()),
            None => config,
        }
    }
}

/// What a server says to a client whose certificate it misses or does not accept.
const CLIENT_CERTIFICATE_ALERTS: [AlertDescription; 8] = [
    AlertDescription::AccessDenied,
    AlertDescription::BadCertificate,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateRequired,
    AlertDescription::CertificateUnknown,
    AlertDescription::DecryptError,
    AlertDescription::UnknownCA,
    AlertDescription::UnsupportedCertificate,
];

/// Why no TLS connection comes about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsProblem {
    /// No trusted authority signed the server's certificate.
    UnknownAuthority,
    /// The server's certificate is for other names.
    WrongName {
        /// The name it should be for.
        expected: String,
        /// The names it is for.
        presented: Vec<String>,
    },
    /// The server's certificate is no longer, or not yet, valid.
    NotInForce,
    /// The server asks for a certificate of the client, and there is none.
    ClientCertificateMissing,
    /// The server does not accept the client's certificate.
    ClientCertificateRefused,
    /// What the server sends is not TLS.
    NotTls,
    /// Something else, in the words of the TLS library.
    Other(String),
}

impl TlsProblem {
    /// Looks for a TLS problem among the causes of an error.
    pub(super) fn among_causes(error: &(dyn Error + 'static)) -> Option<Self> {
        let typed = causes(error).find_map(|cause| cause.downcast_ref::<rustls::Error>());
        typed.map(Self::of).or_else(|| {
            // What comes after the TLS handshake passes through HTTP/2, which keeps its text only.
            let text = root_cause(error);
            let alerts = CLIENT_CERTIFICATE_ALERTS.into_iter();
            let mut alerts = alerts.map(rustls::Error::AlertReceived);
            alerts.find(|alert| alert.to_string() == text).as_ref().map(Self::of)
        })
    }

    fn of(error: &rustls::Error) -> Self {
        use rustls::Error::{AlertReceived, InvalidCertificate, InvalidMessage};
        match error {
            InvalidCertificate(problem) => {
                Self::of_certificate(problem).unwrap_or_else(|| Self::Other(error.to_string()))
            }
            AlertReceived(AlertDescription::CertificateRequired) => Self::ClientCertificateMissing,
            AlertReceived(alert) if CLIENT_CERTIFICATE_ALERTS.contains(alert) => {
                Self::ClientCertificateRefused
            }
            InvalidMessage(_) => Self::NotTls,
            _ => Self::Other(error.to_string()),
        }
    }

    fn of_certificate(problem: &CertificateError) -> Option<Self> {
        match problem {
            // A bad signature is that of another authority of the same name, such as an older one.
            CertificateError::UnknownIssuer | CertificateError::BadSignature => {
                Some(Self::UnknownAuthority)
            }
            CertificateError::NotValidForNameContext { expected, presented } => {
                Some(Self::WrongName {
                    expected: expected.to_str().into_owned(),
                    presented: presented.iter().map(|name| bare_name(name)).collect(),
                })
            }
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Some(Self::NotInForce),
            _ => None,
        }
    }

    /// What the user can do.
    pub(super) const fn help(&self) -> &'static str {
        match self {
            Self::UnknownAuthority => {
                "give the certificate of the authority that signed the server's with \
                 --grpc-tls-ca-cert, and its name with --grpc-tls-domain-name"
            }
            Self::WrongName { .. } => {
                "connect by a name that the certificate is for, or say with \
                 --grpc-tls-domain-name which of its names to expect"
            }
            Self::NotInForce => {
                "renew the server's certificate, and compare the clocks of both machines"
            }
            Self::ClientCertificateMissing => {
                "give a certificate that the server accepts with --grpc-tls-client-cert and \
                 --grpc-tls-client-key"
            }
            Self::ClientCertificateRefused => {
                "give a certificate that is signed by an authority the server trusts"
            }
            Self::NotTls => {
                "leave out https:// and the options for TLS if the server speaks plain text, and \
                 check that the port is the gRPC port"
            }
            Self::Other(_) => "check the certificates on both sides",
        }
    }
}

impl fmt::Display for TlsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownAuthority => {
                f.write_str("its certificate is not signed by a trusted authority")
            }
            Self::WrongName { expected, presented } if presented.is_empty() => {
                write!(f, "its certificate is not for {expected:?}")
            }
            Self::WrongName { expected, presented } => {
                write!(f, "its certificate is not for {expected:?} but for {presented:?}")
            }
            Self::NotInForce => f.write_str("its certificate has expired or is not valid yet"),
            Self::ClientCertificateMissing => f.write_str("it asks for a client certificate"),
            Self::ClientCertificateRefused => f.write_str("it refuses the client certificate"),
            Self::NotTls => f.write_str("it does not speak TLS"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// The name itself out of the TLS library's `DnsName("localhost")` and `IpAddress(127.0.0.1)`.
fn bare_name(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, inner)| inner.strip_suffix(')'));
    let inner = inner.unwrap_or(name).trim_matches('"');
    inner.parse().map_or(inner.to_owned(), |ip: IpAddr| ip.to_string())
}
