//! `bench-client-num-conn`: opens connections to a running service and keeps them, to see how many it
//! takes.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;
use rustix::process::{Resource, getrlimit};

use super::Outcome;
use super::service::{connect_options, say_note};
use crate::args::BenchClientNumConn;
use crate::failure::WithHelp;
use crate::grpc::{ConnectOptions, Failure, Retry, Session, get, wait};
use crate::listen::raise_file_limit;
use crate::progress::Progress;
use crate::report::{grouped, plural, printable};
use crate::signals::LastWords;
use crate::stdout::stdout;

/// The key that is read over each connection.
const KEY: &str = "foo";

/// How many connections in a row are refused before no more are tried.
const MOST_REFUSED: u64 = 10;

/// Runs the command.
pub fn run(args: &BenchClientNumConn, progress: &Progress) -> Result<Outcome> {
    let retry = Retry { tries: 1, ..Retry::default() };
    let options = ConnectOptions { retry, ..connect_options(&args.service, progress)? };
    // Each connection is a file.
    raise_file_limit();
    let opened = Arc::new(AtomicU64::new(0));
    let _words = LastWords::ask({
        let opened = Arc::clone(&opened);
        move || format!("{} were open", connections(opened.load(Ordering::Relaxed)))
    });
    let addresses: Vec<String> = options.addresses.iter().map(ToString::to_string).collect();
    writeln!(
        stdout(),
        "loop: connect to metasrv {}, get_kv('{KEY}'), do not drop the connection, num={}",
        addresses.join(","),
        args.num
    )?;
    let ended = wait(async {
        let mut sessions = Vec::new();
        let (mut refused, mut in_a_row, mut last) = (0, 0, None);
        for number in 1..=args.num {
            let asked = ask(&options, progress).await;
            let answer = match &asked {
                Ok((_, answer)) => format!("Ok({answer})"),
                Err(failure) => format!("Err({})", printable(&failure.to_string())),
            };
            writeln!(stdout(), "{number}-th: get_kv({KEY}): {answer}")?;
            match asked {
                Ok((session, _)) => {
                    sessions.push(session);
                    in_a_row = 0;
                    opened.store(sessions.len() as u64, Ordering::Relaxed);
                }
                Err(failure) => {
                    (refused, in_a_row, last) = (refused + 1, in_a_row + 1, Some(failure));
                    if in_a_row == MOST_REFUSED {
                        break;
                    }
                }
            }
        }
        writeln!(stdout(), "bench completed: {} connections created", sessions.len())?;
        stdout().flush()?;
        Ok::<_, anyhow::Error>((sessions.len() as u64, refused, last))
    })??;
    let (opened, refused, Some(last)) = ended else { return Ok(Outcome::Done) };
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let help = format!(
        "{}; after {MOST_REFUSED} failures in a row no more are tried. This process may have {} files \
         open (ulimit -n)",
        last.help(),
        grouped(files)
    );
    let tried = connections(opened.saturating_add(refused));
    let what = format!("{} of {tried} failed", grouped(refused));
    Err(anyhow::Error::new(last).context(what)).help(help)
}

fn connections(count: u64) -> String {
    plural(count, "connection")
}

/// Opens a connection and reads a key over it.
async fn ask(options: &ConnectOptions, progress: &Progress) -> Result<(Session, String), Failure> {
    let session = Session::open(options, &mut |note| say_note(note, progress)).await?;
    let values = get(&session, &[KEY.to_owned()]).await?;
    let answer = match values.first() {
        Some(Some(value)) => {
            format!(
                "Some(SeqV {{ seq: {}, {} }})",
                value.seq,
                plural(value.data.len() as u64, "byte")
            )
        }
        _ => "None".to_owned(),
    };
    Ok((session, answer))
}
