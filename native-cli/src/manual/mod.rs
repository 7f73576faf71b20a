//! What help and man pages say beside the flags: examples, environment, files, exit codes.

mod examples;

use std::io;

use clap::builder::PossibleValuesParser;
use clap::{Command, CommandFactory};
use clap_mangen::Man;
use roff::{Inline, Roff, bold, roman};

use self::examples::{Example, FIRST_STEPS, examples};
use crate::args::{Cli, GROUPS};

/// The name of the program, of its pages and of its completions.
pub const PROGRAM: &str = "databend-metactl";

/// One line of a table: a name and what it means.
type Row = (&'static str, &'static str);

/// How every command ends.
const EXIT_STATUS: &[Row] = &[
    ("0", "done; also when the reader of a pipe has gone"),
    (
        "1",
        "dump or log has errors, --salvage losses, diff differences; show, get --exit-code: no such key",
    ),
    ("2", "wrong usage"),
    ("3", "refused, or reading or writing failed"),
];

/// How wide the list of commands is at most.
const OVERVIEW_COLUMNS: usize = 80;

/// The flags of a command that say which environment and which files it knows.
const OF_SERVICE: &str = "grpc_api_address";

/// The command line with what this module adds to each command.
pub fn command() -> Command {
    let all = without_overview();
    let overview = overview(&all);
    all.help_template(overview)
}

/// The help of the program: its commands by what they are for.
fn overview(all: &Command) -> String {
    let styles = all.get_styles();
    let (header, literal) = (styles.get_header(), styles.get_literal());
    let width = names_in(all).iter().map(String::len).max().unwrap_or_default();
    let mut text = "{about-with-newline}\n{usage-heading} {usage}\n".to_owned();
    for (group, names) in GROUPS {
        text.push_str(&format!("\n{header}{group}:{header:#}\n"));
        for name in *names {
            text.push_str(&format!("  {literal}{name:width$}{literal:#} "));
            let mut column = width + 3;
            for word in about(all, name).split_whitespace() {
                if column + 1 + word.len() > OVERVIEW_COLUMNS {
                    text.push_str(&format!("\n{:column$}", "", column = width + 3));
                    column = width + 3;
                }
                text.push_str(&format!(" {word}"));
                column += 1 + word.len();
            }
            text.push('\n');
        }
    }
    text + &format!("\n{header}Options:{header:#}\n{{options}}{{after-help}}")
}

/// What a command does, in a line.
fn about(all: &Command, name: &str) -> String {
    let Some(command) = all.find_subcommand(name) else {
        return "Print this, or the help of a command".to_owned();
    };
    // Nothing is styled in it; to look for that in every text takes as long as all else at the start.
    let about = command.get_about().map(|about| about.ansi().to_string()).unwrap_or_default();
    about.trim_end_matches('.').to_owned()
}

fn without_overview() -> Command {
    let all = Cli::command();
    let names = names_in(&all);
    let pages = PossibleValuesParser::new(names.clone());
    // The names are known only here.
    let all = all.after_help(exit_codes()).mut_subcommand("man", |man| {
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
    names_in(&Cli::command())
}

fn names_in(all: &Command) -> Vec<String> {
    all.get_subcommands().map(|command| command.get_name().to_owned()).collect()
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
            self.commands().to_writer(&mut out)?;
        }
        self.examples().to_writer(&mut out)?;
        table("ENVIRONMENT", &self.environment()).to_writer(&mut out)?;
        table("FILES", files(self.name)).to_writer(&mut out)?;
        table("EXIT STATUS", EXIT_STATUS).to_writer(&mut out)?;
        self.see_also().to_writer(&mut out)?;
        Ok(out)
    }

    fn commands(&self) -> Roff {
        let mut roff = Roff::new();
        roff.control("SH", ["COMMANDS"]);
        for (group, names) in GROUPS {
            roff.control("SS", [*group]);
            // The command `help` has no page.
            for name in names.iter().filter(|name| self.all.find_subcommand(name).is_some()) {
                roff.control("TP", []);
                roff.text([bold(format!("{PROGRAM}-{name}")), roman("(1)")]);
                roff.text([roman(about(self.all, name))]);
            }
        }
        roff
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
            let has = |command: &Command| {
                command.get_arguments().any(|arg| arg.get_id() == id && !arg.is_hide_set())
            };
            self.name.map_or_else(|| commands.any(has), |_| has(&self.command))
        };
        let mut rows = Vec::new();
        if takes(OF_SERVICE) && !self.name.is_some_and(ignores_address) {
            rows.push((
                "METASRV_GRPC_API_ADDRESS",
                "the gRPC addresses of servers, separated by commas, when --grpc-api-address is not \
                 given; a note says so, as the commands of the official tool pass it over",
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
        Some("extract" | "filter" | "filter-tenant" | "redact" | "rewrite") => &[MANIFEST],
        Some(
            "diff" | "dump-raft-log-wal" | "get" | "keys" | "keys-layout" | "log" | "objects"
            | "serve" | "show",
        ) => &[DF_META],
        Some(_) => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_one_group() {
        let mut grouped: Vec<&str> = GROUPS.iter().flat_map(|(_, names)| *names).copied().collect();
        grouped.sort_unstable();
        let mut all = names();
        all.push("help".to_owned());
        all.sort_unstable();
        assert_eq!(grouped, all);
    }

    #[test]
    fn the_help_of_the_program_fits_into_its_lines() {
        let help = command().render_help().to_string();
        for (group, names) in GROUPS {
            assert!(help.contains(&format!("\n{group}:\n  {}  ", names[0])), "{group}: {help}");
        }
        let longest = help.lines().map(str::len).max();
        assert!(longest <= Some(100), "{longest:?}: {help}");
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
    fn the_page_of_the_program_lists_every_command_in_its_group() {
        let page = String::from_utf8(man_page(None).unwrap()).unwrap();
        let (_, commands) = page.split_once("\n.SH COMMANDS\n").unwrap();
        let (commands, _) = commands.split_once("\n.SH ").unwrap();
        for (group, names) in GROUPS {
            let (_, of_group) = commands
                .split_once(&format!(".SS \"{group}\"\n"))
                .unwrap_or_else(|| commands.split_once(&format!(".SS {group}\n")).unwrap());
            let of_group = of_group.split(".SS ").next().unwrap();
            for name in names.iter().filter(|name| **name != "help") {
                let listed = format!("databend\\-metactl\\-{}\\fR(1)\n", name.replace('-', "\\-"));
                assert!(of_group.contains(&listed), "{group}: {listed} is not in {of_group}");
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
