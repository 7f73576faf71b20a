//! The binary as a meta service, run as a user runs it.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::metactl;

/// A service that runs until this is dropped.
#[derive(Debug)]
pub struct Served {
    child: Child,
    /// Where clients connect.
    pub grpc: SocketAddr,
    /// Where the operator does.
    pub admin: SocketAddr,
    /// What it said until it took calls.
    pub said: Vec<String>,
    /// What it says from then on.
    said_later: Option<JoinHandle<Vec<String>>>,
    /// Its temporary files, which one that is killed leaves.
    _temporary: TempDir,
}

impl Served {
    /// Starts `serve` with arguments, on free ports, and waits until it takes calls.
    ///
    /// # Panics
    ///
    /// When it ends before it does.
    pub fn start<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Self {
        Self::start_at("127.0.0.1:0", args)
    }

    /// Starts `serve` with arguments and the gRPC address, and waits until it takes calls.
    ///
    /// # Panics
    ///
    /// When it ends before it does.
    pub fn start_at<S: AsRef<OsStr>>(grpc: &str, args: impl IntoIterator<Item = S>) -> Self {
        let mut metactl = metactl::command::<&str>([]);
        metactl.args(["serve", "--grpc-api-address", grpc]).args(args);
        Self::run(metactl)
    }

    /// Runs a command line of `serve`, and waits until it takes calls.
    ///
    /// # Panics
    ///
    /// When it ends before it does.
    pub fn run(mut serve: Command) -> Self {
        let Ok(temporary) = tempfile::tempdir() else { panic!("no temporary directory") };
        serve.args(["--admin-api-address", "127.0.0.1:0"]).env("TMPDIR", temporary.path());
        let Ok(mut child) = serve.stdout(Stdio::null()).stderr(Stdio::piped()).spawn() else {
            panic!("cannot run the binary")
        };
        let stderr = child.stderr.take();
        let mut lines = BufReader::new(stderr.unwrap_or_else(|| panic!("stderr is piped"))).lines();
        let (mut said, mut admin) = (Vec::new(), None);
        let grpc = loop {
            let Some(Ok(line)) = lines.next() else { panic!("the service ended: {said:?}") };
            said.push(line.clone());
            if let Some(address) = line.strip_prefix("admin API at ") {
                admin = address.parse().ok();
            }
            if let Some(address) = line.strip_prefix("gRPC API at ") {
                break address.parse().ok();
            }
        };
        // What it says later must not fill the pipe.
        let said_later = std::thread::spawn(move || lines.map_while(Result::ok).collect());
        let (Some(grpc), Some(admin)) = (grpc, admin) else { panic!("no addresses: {said:?}") };
        Self { child, grpc, admin, said, said_later: Some(said_later), _temporary: temporary }
    }

    /// Where clients connect, for a command line.
    pub fn address(&self) -> String {
        self.grpc.to_string()
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills it, so that it gets to do nothing more.
    pub fn kill(mut self) {
        let killed = self.kill_all();
        assert!(killed.is_ok(), "{killed:?}");
    }

    /// Kills it, or the service that it runs, as `strace` does, which ends with it.
    fn kill_all(&mut self) -> std::io::Result<ExitStatus> {
        let pid = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let children = children.unwrap_or_default();
        let children = children.split_whitespace().filter_map(|child| child.parse().ok());
        let mut service = children.filter_map(Pid::from_raw).peekable();
        if service.peek().is_none() {
            self.child.kill()?;
        }
        service.try_for_each(|service| kill_process(service, Signal::KILL))?;
        self.child.wait()
    }

    /// Waits until it has ended by itself: how, and what it said after it took calls.
    ///
    /// # Panics
    ///
    /// When it cannot be waited for.
    pub fn ended_saying(mut self) -> (ExitStatus, Vec<String>) {
        let said = self.said_later.take().and_then(|said| said.join().ok());
        (self.ended(), said.unwrap_or_default())
    }

    /// Waits until it has ended, on a signal that it was sent.
    ///
    /// # Panics
    ///
    /// When it cannot be waited for.
    pub fn ended(mut self) -> ExitStatus {
        match self.child.wait() {
            Ok(status) => status,
            Err(error) => panic!("cannot wait for the service: {error}"),
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        // It has ended already when a test waited for it.
        let _ = self.kill_all();
    }
}
