//! The binary under test, run as a user runs it.

use std::ffi::OsStr;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// The binary, built once a test run with the profile of the tests.
pub fn binary() -> PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    let built = BINARY.get_or_init(|| {
        // Who runs all tests builds it once.
        if let Some(built) = std::env::var_os("METACTL") {
            return built.into();
        }
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut build = Command::new(cargo);
        // As scripts/debug-build.sh, which says why.
        build.args(["build", "--quiet", "--workspace"]);
        build.args(["--bin", "databend-metactl", "--example", "check"]);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        let status = build.current_dir(env!("CARGO_MANIFEST_DIR")).status();
        assert!(status.is_ok_and(|status| status.success()), "cannot build databend-metactl");
        let mut test = std::env::current_exe().unwrap_or_default();
        while test.file_name().is_some_and(|name| name != "debug" && name != "release") {
            test.pop();
        }
        test.join("databend-metactl")
    });
    built.clone()
}

/// A command line of the binary, without colour.
pub fn command<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(binary());
    command.args(args).env("NO_COLOR", "1").stdin(Stdio::null());
    command
}

/// What a run of the binary gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// The exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// What it said.
    pub stderr: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: output.stdout,
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs the binary to its end.
///
/// # Panics
///
/// When the binary cannot be started.
pub fn run<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Ran {
    match command(args).output() {
        Ok(output) => output.into(),
        Err(error) => panic!("cannot run the binary: {error}"),
    }
}

/// Runs the binary to its end without root's right to write everywhere.
///
/// # Panics
///
/// When it cannot be started; who is root needs `setpriv` for it.
pub fn unprivileged<S: AsRef<OsStr>>(args: &[S]) -> Ran {
    if !rustix::process::geteuid().is_root() {
        return run(args);
    }
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--bounding-set=-dac_override,-dac_read_search", "--"]);
    setpriv.arg(binary()).args(args).env("NO_COLOR", "1");
    match setpriv.output() {
        Ok(output) => output.into(),
        Err(error) => panic!("cannot run setpriv, which is part of util-linux: {error}"),
    }
}

/// Runs the binary to its end with `input` on stdin.
///
/// # Panics
///
/// When the binary cannot be started.
pub fn run_with_stdin<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>, input: &[u8]) -> Ran {
    let mut command = command(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => panic!("cannot run the binary: {error}"),
    };
    let stdin = child.stdin.take();
    let input = input.to_vec();
    // The binary may end before it has read everything, which is no fault of the test.
    let feeder = std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&input)));
    let output = child.wait_with_output();
    let _ = feeder.join();
    match output {
        Ok(output) => output.into(),
        Err(error) => panic!("cannot run the binary: {error}"),
    }
}
