//! `--notify-command`: a command of the user's that tells others how a run ended.

use std::io::{self, ErrorKind};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::failure::WithHelp;

/// How long it may take: nobody waits for a backup that waits for a pager.
const MOST_TIME: Duration = Duration::from_secs(60);

/// How often is looked whether it has ended.
const TICK: Duration = Duration::from_millis(20);

/// How long a message gets: the environment of a process has limits.
const LONGEST_MESSAGE: usize = 16 << 10;

/// What the command gets to know.
#[derive(Debug)]
pub struct Ended<'a> {
    /// Which command has ended.
    pub command: &'a str,
    /// With which exit code.
    pub exit_code: u8,
    /// What failed, or a line per dump.
    pub message: &'a str,
}

/// Has the shell run `line`, and waits for it. What it prints goes to stderr.
///
/// # Errors
///
/// When it cannot be started, fails, or takes longer than a minute, at which it is killed.
pub fn notify(line: &str, ended: &Ended<'_>) -> Result<()> {
    notify_within(MOST_TIME, line, ended)
        .help("what else the run had to do is done; nobody may have been notified of how it ended")
}

fn notify_within(limit: Duration, line: &str, ended: &Ended<'_>) -> Result<()> {
    let message = ended.message.trim_end();
    let shown = message.get(..message.floor_char_boundary(LONGEST_MESSAGE)).unwrap_or_default();
    let stderr = io::stderr().as_fd().try_clone_to_owned().map_or(Stdio::null(), Stdio::from);
    let child = Command::new("/bin/sh")
        .args(["-c", line])
        .env("METACTL_COMMAND", ended.command)
        .env("METACTL_EXIT_CODE", ended.exit_code.to_string())
        .env("METACTL_MESSAGE", shown)
        .stdin(Stdio::null())
        .stdout(stderr)
        .process_group(0)
        .spawn()
        .context("cannot start the shell for --notify-command")?;
    let status = end_of(child, limit).context("cannot wait for --notify-command")?;
    match status {
        None => Err(anyhow!("--notify-command took more than {} seconds", limit.as_secs())),
        Some(status) if !status.success() => Err(anyhow!("--notify-command failed: {status}")),
        Some(_) => Ok(()),
    }
}

/// How it ended; none when it did not in time, and was killed with what it has started.
fn end_of(mut child: Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let started = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(Some(status)),
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ if started.elapsed() >= limit => break,
            _ => thread::sleep(TICK),
        }
    }
    kill_process_group(Pid::from_child(&child), Signal::KILL)?;
    child.wait()?;
    Ok(None)
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    const ENDED: Ended<'_> = Ended { command: "export", exit_code: 3, message: "error: no\n" };

    #[test]
    fn a_command_gets_to_know_how_a_run_ended() {
        let line = "test \"$METACTL_COMMAND $METACTL_EXIT_CODE $METACTL_MESSAGE\" = \
                    'export 3 error: no'";
        notify(line, &ENDED).unwrap();
        let error = notify("exit 7", &ENDED).unwrap_err();
        assert!(format!("{error:#}").contains("failed: exit status: 7"), "{error:#}");
    }

    #[test]
    fn a_command_that_does_not_end_is_killed_with_its_children() {
        let (mut reader, writer) = io::pipe().unwrap();
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", "sleep 1000 & echo started; wait"]).process_group(0).stdout(writer);
        let child = shell.spawn().unwrap();
        // The pipe ends when nobody has it any more, the test included.
        drop(shell);
        let mut started = [0; 8];
        reader.read_exact(&mut started).unwrap();
        assert!(end_of(child, Duration::ZERO).unwrap().is_none());
        assert_eq!(reader.read(&mut started).unwrap(), 0);
    }

    #[test]
    fn a_command_that_takes_too_long_is_a_failure() {
        let error = notify_within(Duration::ZERO, "sleep 1000", &ENDED).unwrap_err();
        assert_eq!(error.to_string(), "--notify-command took more than 0 seconds");
    }

    #[test]
    fn a_long_message_is_cut() {
        let message = "ä".repeat(1 << 20);
        let ended = Ended { message: &message, ..ENDED };
        notify("test ${#METACTL_MESSAGE} -le 16384", &ended).unwrap();
    }
}
