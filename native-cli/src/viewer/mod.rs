//! The viewer with a dump in it: serves the page and the dump's bytes to a browser on this machine.
//!
//! **Invariant:** only who knows the address that is printed gets anything. The server listens at
//! 127.0.0.1; every path begins with a random token, the host has to be this one, so that no other
//! page in the browser can ask, and what is served is only ever read.

mod answer;
mod page;
mod range;
mod served_file;

use std::convert::Infallible;
use std::ffi::OsStr;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, Semaphore};

use self::answer::{DUMP, END, MANIFEST, OTHER, Site};
use self::served_file::ServedFile;
use crate::listen::{Reach, accept, bind};
use crate::manifest;
use crate::progress::Progress;
use crate::runtime::{keep_a_thread, no_thread, on_this_thread};
use crate::signals::Signals;

/// How long a client may take to send the head of its request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How many connections there are at a time.
const MOST_CONNECTIONS: usize = 64;

/// How long an answer that is under way may take once the end was asked for.
const LAST_ANSWER: Duration = Duration::from_secs(1);

/// What of a file's name is not itself in an address.
const NAME: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_');

/// What to serve.
pub struct Options<'a> {
    /// The dump.
    pub dump: &'a Path,
    /// What the page calls it.
    pub name: &'a OsStr,
    /// Its manifest, if it is not the one beside it.
    pub manifest: Option<&'a Path>,
    /// A second dump to compare it with, and what the page calls that.
    pub other: Option<(&'a Path, &'a OsStr)>,
    /// The port; 0 for a free one.
    pub port: u16,
    /// A page in place of the one in the program.
    pub page: Option<&'a Path>,
}

/// Serves until a signal or the page ends it. `announce` gets the address.
///
/// # Errors
///
/// When the dump, the page or the port cannot be had.
pub fn run(
    options: &Options<'_>,
    progress: &Progress,
    announce: impl FnOnce(&str) -> Result<()>,
) -> Result<()> {
    let dump = ServedFile::open(options.dump)?;
    let beside = manifest::path_of(options.dump);
    let beside = Some(beside.as_path()).filter(|beside| beside.exists());
    let manifest = options.manifest.or(beside).map(ServedFile::open).transpose()?;
    let other = options.other.map(|(path, _)| ServedFile::open(path)).transpose()?;
    let page = page::page(options.page)?;
    let mut random = [0; 16];
    getrandom::fill(&mut random).context("the system has no random numbers")?;
    let token = format!("{:032x}", u128::from_ne_bytes(random));
    on_this_thread()?.block_on(async {
        no_thread(keep_a_thread())?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
        let listener = bind("the viewer's address", address, Reach::ThisMachine).await?;
        let port = listener.local_addr().context("cannot determine the port")?.port();
        let site =
            Site { hosts: hosts(port), token, page, dump, manifest, other, end: Notify::new() };
        let mut signals = Signals::catch()?;
        announce(&url(&site, port, options))?;
        progress.say("only this machine can connect; Ctrl-C or the page's \"End server\" ends it");
        let site = Arc::new(site);
        tokio::select! {
            () = signals.next() => {}
            () = site.end.notified() => tokio::time::sleep(LAST_ANSWER).await,
            () = serve(listener, Arc::clone(&site)) => {}
        }
        Ok(())
    })
}

/// What a browser calls this machine. It leaves the port of plain HTTP out.
fn hosts(port: u16) -> Vec<String> {
    let names = ["127.0.0.1", "localhost"];
    let mut hosts = names.map(|name| format!("{name}:{port}")).to_vec();
    if port == 80 {
        hosts.extend(names.map(str::to_owned));
    }
    hosts
}

/// The address that opens the page with the dump in it.
fn url(site: &Site, port: u16, options: &Options<'_>) -> String {
    let encoded = |name: &OsStr| utf8_percent_encode(&name.to_string_lossy(), NAME).to_string();
    let manifest =
        site.manifest.as_ref().map_or(String::new(), |_| format!("&manifest={MANIFEST}"));
    let other = options.other.map_or_else(String::new, |(_, name)| {
        format!("&other={OTHER}&other-name={}", encoded(name))
    });
    let (token, name) = (&site.token, encoded(options.name));
    format!("http://127.0.0.1:{port}/{token}/?dump={DUMP}{manifest}{other}&end={END}&name={name}")
}

async fn serve(listener: TcpListener, site: Arc<Site>) {
    let room = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    loop {
        let Ok(room) = Arc::clone(&room).acquire_owned().await else { return };
        let stream = accept(&listener).await;
        let site = Arc::clone(&site);
        tokio::spawn(async move {
            connection(stream, site).await;
            drop(room);
        });
    }
}

async fn connection(stream: TcpStream, site: Arc<Site>) {
    let answer = service_fn(move |request| {
        let site = Arc::clone(&site);
        async move { Ok::<_, Infallible>(site.answer(&request)) }
    });
    // What a client does to its own connection is its own affair.
    let _ = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_names_the_port_unless_it_is_that_of_http() {
        assert_eq!(hosts(8080), ["127.0.0.1:8080", "localhost:8080"]);
        assert_eq!(hosts(80), ["127.0.0.1:80", "localhost:80", "127.0.0.1", "localhost"]);
    }
}
