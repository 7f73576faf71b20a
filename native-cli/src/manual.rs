//! What help and man pages say beside the flags: examples, environment, files, exit codes.

use std::io;

use clap::builder::PossibleValuesParser;
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use roff::{Inline, Roff, bold, roman};

use crate::args::Cli;

/// The name of the program, of its pages and of its completions.
pub const PROGRAM: &str = "databend-metactl";

/// A command line and what it is for.
struct Example {
    what: &'static str,
    line: &'static str,
}

/// One line of a table: a name and what it means.
type Row = (&'static str, &'static str);

/// How every command ends.
const EXIT_STATUS: &[Row] = &[
    ("0", "done; also when the reader of a pipe has gone"),
    (
        "1",
        "dump or log has errors, or --salvage has losses to report; show, get --exit-code: no such key",
    ),
    ("2", "wrong usage"),
    ("3", "refused, or reading or writing failed"),
];

/// The flags of a command that say which environment and which files it knows.
const OF_SERVICE: &str = "grpc_api_address";

/// The command line with what this module adds to each command.
pub fn command() -> Command {
    let names = names();
    let pages = PossibleValuesParser::new(names.clone());
    // The names are known only here.
    let all = Cli::command().after_help(exit_codes()).mut_subcommand("man", |man| {
        man.mut_arg("command", |arg| arg.value_parser(pages).hide_possible_values(true))
    });
    names.iter().fold(all, |command, name| {
        command.mut_subcommand(name, |sub| {
            let more = long_help(name);
            if more.is_empty() { sub } else { sub.after_long_help(more) }
        })
    })
}

/// The names of the commands.
pub fn names() -> Vec<String> {
    Cli::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
}

fn exit_codes() -> String {
    let rows = EXIT_STATUS.iter().map(|(code, meaning)| format!("\n  {code}  {meaning}"));
    format!("Exit codes:{}", rows.collect::<String>())
}

fn long_help(name: &str) -> String {
    let mut text = String::new();
    for Example { what, line } in examples(name) {
        text.push_str(if text.is_empty() { "Examples:\n" } else { "\n" });
        text.push_str(&format!("  {what}:\n    {line}\n"));
    }
    text
}

/// The man page of the program, or of one command.
///
/// # Errors
///
/// `NotFound` when there is no such command.
pub fn man_page(name: Option<&str>) -> io::Result<Vec<u8>> {
    // The command `help` has no page.
    let mut all = command().disable_help_subcommand(true);
    all.build();
    let Some(name) = name else {
        return Page { command: all.clone(), name: None, all: &all }.render();
    };
    let Some(found) = all.find_subcommand(name) else {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no command {name}")));
    };
    let page = format!("{PROGRAM}-{name}");
    // The page has the examples in a section of their own.
    let command = found.clone().name(page).after_long_help(None).after_help(None);
    Page { command, name: Some(name), all: &all }.render()
}

/// One man page.
struct Page<'a> {
    command: Command,
    name: Option<&'a str>,
    all: &'a Command,
}

impl Page<'_> {
    fn render(&self) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        // A page of a command has no version but that of the program.
        let version = self.all.get_version().unwrap_or_default();
        let source = format!("{PROGRAM} {version}");
        let man = Man::new(self.command.clone()).manual("metadump").source(source);
        man.render_title(&mut out)?;
        man.render_name_section(&mut out)?;
        man.render_synopsis_section(&mut out)?;
        man.render_description_section(&mut out)?;
        man.render_options_section(&mut out)?;
        if self.name.is_none() {
            man.render_subcommands_section(&mut out)?;
        }
        self.examples().to_writer(&mut out)?;
        table("ENVIRONMENT", &self.environment()).to_writer(&mut out)?;
        table("FILES", files(self.name)).to_writer(&mut out)?;
        table("EXIT STATUS", EXIT_STATUS).to_writer(&mut out)?;
        self.see_also().to_writer(&mut out)?;
        Ok(out)
    }

    fn examples(&self) -> Roff {
        let mut roff = Roff::new();
        roff.control("SH", ["EXAMPLES"]);
        for Example { what, line } in self.name.map_or(FIRST_STEPS, examples) {
            roff.control("PP", []);
            roff.text([roman(format!("{what}:"))]);
            // A command line is not filled, so that it can be copied.
            roff.control("RS", ["4"]);
            roff.control("EX", []);
            roff.text([roman(*line)]);
            roff.control("EE", []);
            roff.control("RE", []);
        }
        roff
    }

    fn environment(&self) -> Vec<Row> {
        let takes = |id: &str| {
            let mut commands = self.all.get_subcommands();
            let has = |command: &Command| command.get_arguments().any(|arg| arg.get_id() == id);
            self.name.map_or_else(|| commands.any(has), |_| has(&self.command))
        };
        let mut rows = Vec::new();
        if takes(OF_SERVICE) && !self.name.is_some_and(ignores_address) {
            rows.push((
                "METASRV_GRPC_API_ADDRESS",
                "the gRPC addresses of servers, separated by commas, when --grpc-api-address is not \
                 given",
            ));
        }
        if takes("password_file") {
            rows.push((
                "METACTL_PASSWORD",
                "the user's password, when no --password-file is given",
            ));
        }
        rows.extend([
            ("TMPDIR", "where temporary files go; /tmp by default"),
            ("NO_COLOR, TERM", "no colour when NO_COLOR is set, or TERM is dumb"),
        ]);
        rows
    }

    fn see_also(&self) -> Roff {
        let mut roff = Roff::new();
        roff.control("SH", ["SEE ALSO"]);
        let mut pages: Vec<String> = Vec::new();
        if self.name.is_some() {
            pages.push(PROGRAM.to_owned());
        } else {
            let names = self.all.get_subcommands().map(Command::get_name);
            pages.extend(names.map(|name| format!("{PROGRAM}-{name}")));
        }
        let mut inlines: Vec<Inline> = Vec::new();
        for page in pages {
            if !inlines.is_empty() {
                inlines.push(roman(", "));
            }
            inlines.extend([bold(page), roman("(1)")]);
        }
        roff.text(inlines);
        roff
    }
}

/// Whether a command takes the address of a service from its flag alone.
fn ignores_address(command: &str) -> bool {
    matches!(command, "import" | "keys" | "log" | "objects" | "serve" | "show")
}

fn table(title: &str, rows: &[Row]) -> Roff {
    let mut roff = Roff::new();
    if !rows.is_empty() {
        roff.control("SH", [title]);
    }
    for (name, meaning) in rows {
        roff.control("TP", []);
        roff.text([bold(*name)]);
        roff.text([roman(*meaning)]);
    }
    roff
}

const MANIFEST: Row =
    ("FILE.manifest.json", "the manifest of the dump FILE, which proves it complete");
const DF_META: Row = ("DIR/df_meta", "the data of a node: its version, log and snapshots");
const STAGING: Row =
    ("DIR/.metadump-import", "the new data while it is written; gone when the import ends");
const KEPT: Row = ("DIR/metadump-old-DATE", "the data that an import with --keep-old has replaced");

fn files(command: Option<&str>) -> &'static [Row] {
    match command {
        None => &[MANIFEST, DF_META, STAGING, KEPT],
        Some("export" | "validate" | "inspect") => &[MANIFEST, DF_META],
        Some("import") => &[MANIFEST, DF_META, STAGING, KEPT],
        Some("rewrite") => &[MANIFEST],
        Some(
            "dump-raft-log-wal" | "get" | "keys" | "keys-layout" | "log" | "objects" | "serve"
            | "show",
        ) => &[DF_META],
        Some(_) => &[],
    }
}

const FIRST_STEPS: &[Example] = &[
    Example {
        what: "Back up a running node",
        line: "databend-metactl export --grpc-api-address 127.0.0.1:9191 --db meta.db",
    },
    Example { what: "Check the backup", line: "databend-metactl validate meta.db" },
    Example {
        what: "Restore it",
        line: "databend-metactl import --raft-dir ./.databend/restored --db meta.db",
    },
];

/// At least one for each command.
fn examples(command: &str) -> &'static [Example] {
    match command {
        "export" => &[
            Example {
                what: "Back up a running node",
                line: "databend-metactl export --grpc-api-address 127.0.0.1:9191 --db meta.db.zst",
            },
            Example {
                what: "Back up a stopped node",
                line: "databend-metactl export --raft-dir ./.databend/meta1 --db meta.db",
            },
        ],
        "import" => &[
            Example {
                what: "See what a restore would do",
                line: "databend-metactl import --raft-dir ./.databend/meta1 --db meta.db --dry-run",
            },
            Example {
                what: "Restore as node 1 of a new cluster",
                line: "databend-metactl import --raft-dir ./.databend/meta1 --db meta.db --id 1 \
                       --initial-cluster 1=meta1:28103 --initial-cluster 2=meta2:28103",
            },
            Example {
                what: "Restore keys of a running cluster",
                line: "databend-metactl import --grpc-api-address 127.0.0.1:9191 --db meta.db --yes",
            },
        ],
        "validate" => &[Example {
            what: "Check several backups, and that each is complete",
            line: "databend-metactl validate --require-manifest meta1.db meta2.db.zst",
        }],
        "inspect" => {
            &[Example { what: "Show what a dump holds", line: "databend-metactl inspect meta.db" }]
        }
        "objects" => &[
            Example {
                what: "List the tenants, the largest first",
                line: "databend-metactl objects --db meta.db --sort bytes",
            },
            Example {
                what: "List the tables as they were two hours ago",
                line: "databend-metactl objects --db meta.db --kind table --at=-2h",
            },
        ],
        "show" => &[
            Example {
                what: "Show a table and all that belongs to it",
                line: "databend-metactl show sales.orders --db meta.db",
            },
            Example {
                what: "Show a user of a running cluster",
                line: "databend-metactl show user:root --grpc-api-address 127.0.0.1:9191",
            },
        ],
        "keys" => &[Example {
            what: "Find the keys that hold credentials",
            line: "databend-metactl keys --db meta.db --credentials",
        }],
        "keys-layout" => &[Example {
            what: "Count the keys of each kind",
            line: "databend-metactl keys-layout --db meta.db --depth 1",
        }],
        "log" => &[
            Example {
                what: "Show what happened in the last two hours",
                line: "databend-metactl log --db meta.db --since=-2h",
            },
            Example {
                what: "Find out when a table was dropped",
                line: "databend-metactl log --db meta.db --object sales.orders",
            },
        ],
        "dump-raft-log-wal" => &[
            Example {
                what: "See the records of the log of a stopped node",
                line: "databend-metactl dump-raft-log-wal --raft-dir ./.databend/meta1",
            },
            Example {
                what: "See the values that its entries write as well, decoded",
                line: "databend-metactl dump-raft-log-wal --raft-dir ./.databend/meta1 -V",
            },
        ],
        "rewrite" => &[
            Example {
                what: "Give a dump another node id and address",
                line: "databend-metactl rewrite --db meta.db --output node2.db --id 2 \
                       --initial-cluster 2=localhost:29203",
            },
            Example {
                what: "Take the state before log entry 1245, and see what is lost",
                line: "databend-metactl rewrite --db meta.db --at 1244 --dry-run",
            },
            Example {
                what: "Write it for servers of V003",
                line: "databend-metactl rewrite --db meta.db --output v003.db --data-version V003",
            },
        ],
        "status" => &[
            Example {
                what: "See whether a node has a leader",
                line: "databend-metactl status --grpc-api-address 127.0.0.1:9191",
            },
            Example {
                what: "Wait for a server that starts",
                line: "databend-metactl status --grpc-api-address 127.0.0.1:9191 --wait 60",
            },
        ],
        "member-list" => &[Example {
            what: "List the members of a cluster",
            line: "databend-metactl member-list --grpc-api-address 127.0.0.1:9191",
        }],
        "get" => &[
            Example {
                what: "Print a value",
                line: "databend-metactl get --key __fd_database_by_id/1 --format json",
            },
            Example {
                what: "Write its bytes into a file, if there is such a key",
                line: "databend-metactl get --key __fd_database_by_id/1 --raw --exit-code > database",
            },
        ],
        "watch" => &[Example {
            what: "Follow the changes of users",
            line: "databend-metactl watch --prefix __fd_users/",
        }],
        "lua" => &[
            Example { what: "Run a script", line: "databend-metactl lua --file load.lua" },
            Example {
                what: "Define functions in a file, and call one",
                line: "databend-metactl lua --file define.lua --script callit()",
            },
        ],
        "bench-client-num-conn" => &[Example {
            what: "See whether a server takes 2,000 connections",
            line: "databend-metactl bench-client-num-conn --grpc-api-address 127.0.0.1:9191 \
                   --num 2000",
        }],
        "serve" => &[
            Example {
                what: "Serve a backup for a drill",
                line: "databend-metactl serve --db meta.db --grpc-api-address 127.0.0.1:9291",
            },
            Example {
                what: "Keep what the drill writes",
                line: "databend-metactl serve --db meta.db --data-dir ./drill",
            },
        ],
        "view" => &[Example {
            what: "Look into a dump in the browser",
            line: "databend-metactl view meta.db",
        }],
        "completions" => &[Example {
            what: "Enable completion in the running shell",
            line: "source <(databend-metactl completions bash)",
        }],
        "man" => &[Example {
            what: "Read about one command",
            line: "databend-metactl man export | man -l -",
        }],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_an_example_that_its_flags_allow() {
        for sub in Cli::command().get_subcommands() {
            let lines = examples(sub.get_name());
            assert!(!lines.is_empty(), "{} has no example", sub.get_name());
            for Example { line, .. } in lines.iter().chain(FIRST_STEPS) {
                // What the shell takes for itself.
                let line = line.trim_start_matches("source <(").trim_end_matches(')');
                let line = line.split(['|', '>']).next().unwrap_or_default();
                let parsed = command().try_get_matches_from(line.split_whitespace());
                assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
            }
        }
    }

    #[test]
    fn help_says_how_every_command_ends() {
        let help = command().render_help().to_string();
        let (_, codes) = help.split_once("\nExit codes:\n").unwrap();
        let rows: Vec<String> =
            EXIT_STATUS.iter().map(|(code, meaning)| format!("  {code}  {meaning}")).collect();
        assert_eq!(codes.trim_end(), rows.join("\n"));
    }

    #[test]
    fn help_and_pages_say_of_what_is_left_out_what_happens_then() {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        for sub in command().get_subcommands_mut() {
            let name = sub.get_name().to_owned();
            let help = words(&sub.render_long_help().to_string());
            let page = String::from_utf8(man_page(Some(&name)).unwrap()).unwrap();
            let takes_address = sub.get_arguments().any(|arg| arg.get_id() == OF_SERVICE);
            let has_default = takes_address && !ignores_address(&name);
            let said = (
                help.contains("Without it, METASRV_GRPC_API_ADDRESS, or else 127.0.0.1:9191"),
                page.contains("METASRV_GRPC_API_ADDRESS\\fR"),
            );
            assert_eq!(said, (has_default, has_default), "{name}: {help}");
            if has_default {
                assert!(!help.contains("it is read from stdin"), "{name}: {help}");
                assert!(!help.contains("in place of a dump"), "{name}: {help}");
            }
        }
    }

    #[test]
    fn every_page_has_its_sections() {
        let names = names();
        for name in names.iter().map(|name| Some(name.as_str())).chain([None]) {
            let page = String::from_utf8(man_page(name).unwrap()).unwrap();
            let source = format!("\"{PROGRAM} {}\"", command().get_version().unwrap());
            assert!(page.contains(&source), "{name:?}: {source} is not in its title");
            let sections: Vec<&str> =
                page.lines().filter_map(|line| line.strip_prefix(".SH ")).collect();
            for wanted in
                ["NAME", "SYNOPSIS", "OPTIONS", "EXAMPLES", "ENVIRONMENT", "\"EXIT STATUS\""]
            {
                assert!(sections.contains(&wanted), "{name:?}: {wanted} is not in {sections:?}");
            }
        }
        assert_eq!(man_page(Some("none")).unwrap_err().to_string(), "there is no command none");
    }
}
