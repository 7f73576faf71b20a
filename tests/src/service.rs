//! `databend-metactl serve` as a process of its own, on a free port of 127.0.0.1.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use crate::metactl::command;

/// How long a service may take to load what it serves.
const START: Duration = Duration::from_secs(120);

/// A running service; it is killed when this is dropped.
pub struct Service {
    child: Child,
    /// Where clients call.
    pub address: String,
    /// What it says on stderr after it has named its address, line by line.
    pub said: Receiver<String>,
}

impl Service {
    /// Starts a service and waits until it listens.
    ///
    /// # Panics
    ///
    /// When it ends, or names no address in time.
    pub fn start<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Self {
        let mut serve = command(["serve", "--grpc-api-address", "127.0.0.1:0"]);
        serve.args(args).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = match serve.spawn() {
            Ok(child) => child,
            Err(error) => panic!("cannot run the binary: {error}"),
        };
        let stderr = child.stderr.take();
        let (say, said) = channel();
        std::thread::spawn(move || {
            let lines = stderr.map(|stderr| BufReader::new(stderr).lines());
            for line in lines.into_iter().flatten().map_while(Result::ok) {
                // Nobody may listen any more; the pipe is read to its end all the same.
                let _ = say.send(line);
            }
        });
        let mut before = Vec::new();
        let address = loop {
            match said.recv_timeout(START) {
                Ok(line) => match grpc_address(&line) {
                    Some(address) => break address,
                    None => before.push(line),
                },
                Err(_) => panic!("the service names no address: {before:#?}"),
            }
        };
        Self { child, address, said }
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, as a crash does, and waits for that.
    ///
    /// # Panics
    ///
    /// When it cannot be killed.
    pub fn kill(mut self) {
        if let Err(error) = self.child.kill().and_then(|()| self.child.wait()) {
            panic!("cannot kill the service: {error}");
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in a line that tells where gRPC is served.
fn grpc_address(line: &str) -> Option<String> {
    let (_, rest) = line.split_once("gRPC")?;
    let at = rest.find("127.0.0.1:")?;
    let address = rest.get(at..)?;
    let end = address.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':');
    address.get(..end.unwrap_or(address.len())).map(str::to_owned)
}
