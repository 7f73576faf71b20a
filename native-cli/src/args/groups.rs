//! The commands by what a person wants to do, for help and man page.

/// What a person wants to do, and the commands for it.
pub type Group = (&'static str, &'static [&'static str]);

/// Every command is in one group.
pub const GROUPS: &[Group] = &[
    ("Back up", &["export", "backups", "trigger-snapshot"]),
    ("Check", &["validate"]),
    (
        "Look into a backup, a directory or a service",
        &[
            "inspect",
            "objects",
            "show",
            "keys",
            "keys-layout",
            "get",
            "log",
            "diff",
            "dump-raft-log-wal",
            "view",
        ],
    ),
    ("Restore", &["import"]),
    ("Change", &["rewrite", "filter", "extract", "filter-tenant", "redact", "upsert", "lua"]),
    (
        "Run a service",
        &[
            "serve",
            "status",
            "member-list",
            "watch",
            "metrics",
            "transfer-leader",
            "list-features",
            "set-feature",
            "bench-client-num-conn",
        ],
    ),
    ("About this program", &["completions", "man", "help"]),
];
