//! The viewer's page, as it is served.

use std::io::{self, Read};
use std::path::Path;

use anyhow::{Context, Result, ensure};
use flate2::read::GzDecoder;
use hyper::body::Bytes;

use crate::failure::WithHelp;
use crate::files::open_regular;

/// The page that was there when this program was built, packed; empty when there was none.
const BUILT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/viewer.html.gz"));

/// What the page may connect to: nothing as a file, its own server as a served one.
const POLICY: &str = "connect-src 'none'";
const SERVED_POLICY: &str = "connect-src 'self'";

/// A page has less, whatever is named.
const MOST_BYTES: u64 = 64 << 20;

/// The page, allowed to read the dump from where it came from.
///
/// # Errors
///
/// When there is no page, or the file is none.
pub fn page(path: Option<&Path>) -> Result<Bytes> {
    let html = match path {
        Some(path) => open_regular(path)
            .and_then(|file| io::read_to_string(file.take(MOST_BYTES)))
            .with_context(|| format!("cannot read {}", path.display()))?,
        None => built()?,
    };
    ensure!(
        html.matches(POLICY).count() == 1,
        "the page is not the viewer: it has no policy that lets it connect to nothing"
    );
    Ok(html.replacen(POLICY, SERVED_POLICY, 1).into())
}

fn built() -> Result<String> {
    let mut html = String::new();
    GzDecoder::new(BUILT)
        .read_to_string(&mut html)
        .context("the page in this program is broken")?;
    let found = if html.is_empty() {
        Err(anyhow::anyhow!("this program has no page in it"))
    } else {
        Ok(html)
    };
    found.help(
        "build it with `make build`, or give --page metadump-viewer.html, which `make web` builds",
    )
}
