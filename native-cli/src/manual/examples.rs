//! The examples of help and man pages, each with what it is for.

/// A command line and what it is for.
pub struct Example {
    pub what: &'static str,
    pub line: &'static str,
}

pub const FIRST_STEPS: &[Example] = &[
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
pub fn examples(command: &str) -> &'static [Example] {
    match command {
        "export" => &[
            Example {
                what: "Back up a running node",
                line: "databend-metactl export --grpc-api-address 127.0.0.1:9191 --db meta.db.zst",
            },
            Example {
                what: "Back up a running node so that only one identity of age reads it",
                line: "databend-metactl export --grpc-api-address 127.0.0.1:9191 \
                       --db meta.db.zst.age --recipients-file recipients.txt",
            },
            Example {
                what: "Back up a stopped node",
                line: "databend-metactl export --raft-dir ./.databend/meta1 --db meta.db",
            },
            Example {
                what: "Back up only what came after the last backup in a folder",
                line: "databend-metactl export --grpc-api-address 127.0.0.1:9191 \
                       --since backups/ --db backups/0200.db",
            },
            Example {
                what: "Back up every minute, until it is told to end",
                line: "databend-metactl export --grpc-api-address 127.0.0.1:9191 --every 60s \
                       --into s3://backups/meta/",
            },
            Example {
                what: "File what it holds as tables of a fleet",
                line: "databend-metactl export --grpc-api-address 127.0.0.1:9191 --to parquet \
                       --into lake --cluster prod-eu",
            },
        ],
        "backups" => &[
            Example {
                what: "See that every backup can be restored, and that the youngest is of today",
                line: "databend-metactl backups s3://backups/meta/ --check --max-age 25h",
            },
            Example {
                what: "See which backups would be forgotten",
                line: "databend-metactl backups backups/ --forget --keep-daily 7 --keep-weekly 4 \
                       --dry-run",
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
                what: "Restore all nodes of a new cluster, or none",
                line: "databend-metactl import --raft-dir ./.databend/meta{id} --db meta.db --all \
                       --initial-cluster 1=meta1:28103,2=meta2:28103,3=meta3:28103",
            },
            Example {
                what: "Restore keys of a running cluster",
                line: "databend-metactl import --grpc-api-address 127.0.0.1:9191 --db meta.db --yes",
            },
            Example {
                what: "Bring a dropped table back into a running cluster",
                line: "databend-metactl import --grpc-api-address 127.0.0.1:9191 --db meta.db \
                       --object shop.orders --yes",
            },
        ],
        "validate" => &[
            Example {
                what: "Check several backups, and that each is complete",
                line: "databend-metactl validate --require-manifest meta1.db meta2.db.zst",
            },
            Example {
                what: "Check all backups of a store, as test cases for CI",
                line: "databend-metactl validate --format junit 's3://backups/nightly/**?region=eu-central-1'",
            },
        ],
        "inspect" => &[
            Example { what: "Show what a dump holds", line: "databend-metactl inspect meta.db" },
            Example {
                what: "Show what a dump and the increments behind it hold",
                line: "databend-metactl inspect --db meta.db --db 0100.db --db 0200.db",
            },
        ],
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
        "diff" => &[
            Example {
                what: "Show what has changed since last night",
                line: "databend-metactl diff yesterday.db.zst grpc://127.0.0.1:9191",
            },
            Example {
                what: "Show what the log did to the tables of a tenant after the snapshot",
                line: "databend-metactl diff meta.db --at-a snapshot --tenant acme --kind table",
            },
            Example {
                what: "See whether two stopped nodes have the same state",
                line: "databend-metactl diff --stat ./.databend/meta1 ./.databend/meta2",
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
                what: "Write the dump of each node of a new cluster",
                line: "databend-metactl rewrite --db meta.db --output node{id}.db --all \
                       --initial-cluster 1=meta1:28103,2=meta2:28103,3=meta3:28103",
            },
            Example {
                what: "Take the state before log entry 1245, and see what is lost",
                line: "databend-metactl rewrite --db meta.db --at 1244 --dry-run",
            },
            Example {
                what: "The same, and give out no id again that the cluster has given out since",
                line: "databend-metactl rewrite --db meta.db --output before.db --at 1244 \
                       --beyond ./.databend/meta1",
            },
            Example {
                what: "Write it for servers of V003",
                line: "databend-metactl rewrite --db meta.db --output v003.db --data-version V003",
            },
            Example {
                what: "File it as tables, for SQL over the backups of many clusters",
                line: "databend-metactl rewrite --db meta.db --to parquet --output lake --cluster prod-eu",
            },
        ],
        "filter" => &[
            Example {
                what: "Write the dump of one tenant",
                line: "databend-metactl filter --db meta.db --output acme.db --tenant acme",
            },
            Example {
                what: "See what would go with a database",
                line: "databend-metactl filter --db meta.db --object sales --drop --dry-run --list",
            },
        ],
        "extract" => &[Example {
            what: "Write a dump of a table with what it needs",
            line: "databend-metactl extract sales.orders --db meta.db --output orders.db",
        }],
        "filter-tenant" => &[Example {
            what: "Write what belongs to a tenant, as the official command does",
            line: "databend-metactl filter-tenant --tenant acme --input meta.db --output acme.db",
        }],
        "redact" => &[
            Example {
                what: "Make a copy that can be shared",
                line: "databend-metactl redact --db meta.db --output shared.db.zst",
            },
            Example {
                what: "See which fields would be replaced",
                line: "databend-metactl redact --db meta.db --dry-run",
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
        "upsert" => &[Example {
            what: "Put a key",
            line: "databend-metactl upsert --grpc-api-address 127.0.0.1:9191 --key mykey \
                   --value myvalue",
        }],
        "metrics" => &[Example {
            what: "See what a server counts",
            line: "databend-metactl metrics --admin-api-address 127.0.0.1:28002",
        }],
        "trigger-snapshot" => &[Example {
            what: "Have a server take a snapshot",
            line: "databend-metactl trigger-snapshot --admin-api-address 127.0.0.1:28002",
        }],
        "transfer-leader" => &[
            Example {
                what: "Have the next voter lead",
                line: "databend-metactl transfer-leader --admin-api-address 127.0.0.1:28002",
            },
            Example {
                what: "Have node 2 lead",
                line: "databend-metactl transfer-leader --to 2 --admin-api-address 127.0.0.1:28002",
            },
        ],
        "list-features" => &[Example {
            what: "See which features are enabled",
            line: "databend-metactl list-features --admin-api-address 127.0.0.1:28002",
        }],
        "set-feature" => &[Example {
            what: "Enable a feature",
            line: "databend-metactl set-feature --feature dummy --enable true",
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
        "view" => &[
            Example {
                what: "Look into a dump in the browser",
                line: "databend-metactl view --open meta.db",
            },
            Example {
                what: "Compare two dumps there",
                line: "databend-metactl view monday.db tuesday.db",
            },
            Example {
                what: "Look into the data directory of a stopped node",
                line: "databend-metactl view --raft-dir /var/lib/databend/meta/raft",
            },
        ],
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
    use clap::CommandFactory;

    use super::*;
    use crate::args::Cli;
    use crate::manual::command;

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
}
