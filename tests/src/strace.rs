//! `strace`, which has system calls of a command fail, kill it, or written down.

use std::path::Path;
use std::process::Command;

/// Runs the program whose name and arguments are added to it. The `calls`, divided by commas, are
/// written to `log`; of these, `injections` alter some, in strace's words: `fsync:error=EIO:when=3`.
///
/// The program stops at these calls alone, and is else as fast as without; unless a signal is
/// injected, which strace 6.1 then forgets.
pub fn strace<S: AsRef<str>>(calls: &str, log: impl AsRef<Path>, injections: &[S]) -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-e", &format!("trace={calls}"), "-o"]).arg(log.as_ref());
    let injections = injections.iter().map(AsRef::as_ref);
    if !injections.clone().any(|injection| injection.contains(":signal=")) {
        strace.arg("--seccomp-bpf");
    }
    for injection in injections {
        strace.args(["-e", &format!("inject={injection}")]);
    }
    strace
}

/// For when what was called does not matter.
pub const NO_LOG: &str = "/dev/null";
