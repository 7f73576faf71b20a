//! How a command line names what it is about: the dump, its manifest, the service.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::Path;
use std::process::Command;

use metadump::manifest::Manifest;
use metadump_tests::fixtures::fixture;
use metadump_tests::metactl::{Ran, binary, command, run, run_with_stdin};
use metadump_tests::served::Served;
use rustix::fs::{CWD, FileType, Mode, mknodat};
use tempfile::TempDir;

/// A directory with a dump and its manifest, `meta.db`, and the same dump alone, `copy.db`.
fn place() -> TempDir {
    let place = TempDir::new().unwrap();
    let origin = fixture("v004/v004-origin.export.ndjson");
    let meta = place.path().join("meta.db");
    let ran = run([
        "rewrite".as_ref(),
        "--db".as_ref(),
        origin.as_os_str(),
        "--output".as_ref(),
        meta.as_os_str(),
    ]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    fs::copy(meta, place.path().join("copy.db")).unwrap();
    place
}

/// Runs a command line in the directory.
fn run_in(place: &Path, line: &str) -> Ran {
    command(line.split_whitespace()).current_dir(place).output().unwrap().into()
}

#[test]
fn a_dump_is_named_with_and_without_a_flag() {
    let place = place();
    for line in [
        "validate DUMP",
        "inspect DUMP --format json",
        "keys-layout DUMP",
        "rewrite DUMP --id 1 --initial-cluster 1=localhost:1",
        "import DUMP --raft-dir dir --dry-run",
    ] {
        let bare = run_in(place.path(), &line.replace("DUMP", "meta.db"));
        assert_eq!(bare.code, Some(0), "{line}: {}", bare.stderr);
        for named in ["--db meta.db", "--db=meta.db", "meta.db --db meta.db"] {
            assert_eq!(run_in(place.path(), &line.replace("DUMP", named)), bare, "{line}: {named}");
        }
    }
}

#[test]
fn two_dumps_are_refused_where_one_is_read() {
    let place = place();
    for line in [
        "validate",
        "inspect",
        "keys-layout",
        "rewrite",
        "import --raft-dir dir",
        "import --grpc-api-address 127.0.0.1:1",
        "serve",
        "view",
    ] {
        let line = format!("{line} meta.db --db copy.db");
        let ran = run_in(place.path(), &line);
        let expected = "error: FILE is meta.db, but --db is copy.db\n\
                        help:  name the dump once: FILE and --db FILE mean the same\n";
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(2), expected), "{line}");
    }
    assert!(!place.path().join("dir").exists());
}

#[test]
fn several_dumps_are_validated_however_they_are_named() {
    let place = place();
    let bare = run_in(place.path(), "validate meta.db copy.db");
    assert_eq!(bare.code, Some(0), "{}", bare.stderr);
    assert_eq!(run_in(place.path(), "validate --db meta.db --db copy.db"), bare);
}

#[test]
fn the_manifest_of_a_pipe_is_named() {
    let place = place();
    let dump = fs::read(place.path().join("meta.db")).unwrap();
    let manifest = place.path().join("meta.db.manifest.json");
    let manifest = manifest.to_str().unwrap();
    let piped = |args: &[&str], dump: &[u8]| {
        run_with_stdin(args.iter().copied().chain(["--manifest", manifest]), dump)
    };
    let ran = piped(&["validate", "--require-manifest"], &dump);
    let verdict = "stdin: 188 lines, V004, 0 errors, 0 warnings, 0 notes\n";
    assert_eq!((ran.code, String::from_utf8_lossy(&ran.stdout).as_ref()), (Some(0), verdict));

    let dir = place.path().join("dir");
    let import = ["import", "--require-manifest", "--raft-dir", dir.to_str().unwrap()];
    for (args, fate) in
        [(&import[..], "import"), (&["serve", "-"], "serve"), (&["rewrite"], "rewrite")]
    {
        // A line is lost in which nothing else is seen to be missing.
        let cut = &dump[..dump.len() - 1];
        let ran = piped(args, cut);
        assert_eq!(ran.code, Some(3), "{fate}: {}", ran.stderr);
        assert!(ran.stderr.contains("anifest"), "{fate}: {}", ran.stderr);
    }
    assert!(!dir.exists());
    let ran = piped(&import, &dump);
    assert_eq!((ran.code, ran.stderr.lines().count()), (Some(0), 2), "{}", ran.stderr);
    // It proves as much when the dump is read more than once.
    let ran = piped(&["import", "--dry-run", "--require-manifest", "--raft-dir", "new"], &dump);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn a_manifest_that_is_not_there_is_reported_before_anything_is_read() {
    let place = place();
    let ran = run_in(place.path(), "validate copy.db --manifest none.json");
    let expected = "error: cannot read the manifest none.json\n\
                    cause: No such file or directory (os error 2)\n\
                    help:  check the path: there is nothing under this name\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(3), expected));
    let ran = run_in(place.path(), "validate copy.db meta.db --manifest meta.db.manifest.json");
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    let ran = run_in(place.path(), "inspect copy.db --manifest meta.db.manifest.json");
    let shown = String::from_utf8(ran.stdout).unwrap();
    assert!(shown.ends_with("findings: 188 lines, V004, 0 errors, 0 warnings, 0 notes\n"));
}

#[test]
fn inspect_says_when_a_dump_was_written_if_a_manifest_does() {
    let place = place();
    let path = place.path().join("meta.db.manifest.json");
    let mut manifest = Manifest::parse(&fs::read(&path).unwrap()).unwrap();
    manifest.created_at_ms = 1_795_900_769_474;
    manifest.created_by = "a program".to_owned();
    fs::write(&path, manifest.to_json().unwrap()).unwrap();
    let shown = |args: &str| String::from_utf8(run_in(place.path(), args).stdout).unwrap();
    let of = "\nmanifest: of 2026-11-28 21:19:29 UTC, by a program\nfindings: 188 lines, ";
    assert!(shown("inspect meta.db").contains(of));
    assert!(shown("inspect copy.db").contains("\nmanifest: none\nfindings: 188 lines, "));
}

#[test]
fn the_manifest_of_a_dump_on_stdout_goes_to_the_file_that_is_named() {
    let place = place();
    run_in(place.path(), "import meta.db --raft-dir dir");
    for line in [
        "export --raft-dir dir --manifest out.db.zst.manifest.json",
        "export --raft-dir dir --db - --manifest out.db.zst.manifest.json",
        "rewrite meta.db --output-manifest out.db.zst.manifest.json",
        "rewrite meta.db --data-version V004 --output-manifest out.db.zst.manifest.json",
    ] {
        let ran = run_in(place.path(), line);
        assert_eq!(ran.code, Some(0), "{line}: {}", ran.stderr);
        let path = place.path().join("out.db.zst.manifest.json");
        let manifest = fs::read_to_string(&path).unwrap();
        assert!(manifest.contains("\"dump\": \"out.db.zst\""), "{line}: {manifest}");
        fs::write(place.path().join("piped.db"), &ran.stdout).unwrap();
        let check = "validate piped.db --require-manifest --manifest out.db.zst.manifest.json";
        let checked = run_in(place.path(), check);
        assert_eq!(checked.code, Some(0), "{line}: {}", String::from_utf8_lossy(&checked.stdout));
        fs::remove_file(path).unwrap();
    }
    // What is in the directory afterwards is what was before.
    let mut names: Vec<_> =
        fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["copy.db", "dir", "meta.db", "meta.db.manifest.json", "piped.db"]);
}

#[test]
fn the_manifest_of_a_file_stands_beside_it() {
    let place = place();
    let ran = run_in(place.path(), "rewrite meta.db --output new.db --output-manifest new.json");
    let expected = "error: a manifest is named, but new.db is a file\n\
                    help:  the manifest of a file is written beside it, where every command looks \
                    for it: leave the flag out\n";
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(2), expected));
    let ran = run_in(place.path(), "rewrite meta.db --output-manifest /dev/null");
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(!place.path().join("new.db").exists());
    // A dump that is refused leaves the manifest of the one before.
    fs::write(place.path().join("old.json"), "old").unwrap();
    let ran = run_in(place.path(), "export --raft-dir none --manifest old.json");
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_eq!(fs::read_to_string(place.path().join("old.json")).unwrap(), "old");
}

#[test]
fn a_conflict_names_the_flags_that_are_given() {
    let place = place();
    for (line, reported) in [
        (
            "export --raft-dir d --connect-timeout 5",
            "error: the argument '--raft-dir <DIR>' cannot be used with \
             '--connect-timeout <SECONDS>'\n",
        ),
        (
            "export --raft-dir d --connect-timeout=5 --from any",
            "error: the argument '--raft-dir <DIR>' cannot be used with:\n  \
             --connect-timeout <SECONDS>\n  --from <FROM>\n",
        ),
        (
            "keys-layout meta.db --raft-dir d",
            "error: the argument '--raft-dir <DIR>' cannot be used with '[FILE]'\n",
        ),
    ] {
        let ran = run_in(place.path(), line);
        let first = ran.stderr.split("\nUsage:").next().unwrap();
        assert_eq!((ran.code, first), (Some(2), reported), "{line}");
    }
}

#[test]
fn who_asks_for_more_is_reported_that_there_is_no_more() {
    for line in ["--verbose", "validate -v", "import --raft-dir dir --verbose"] {
        let ran = run(line.split_whitespace());
        let expected = "error: there is no --verbose\n\
                        help:  everything that there is to say is said, on stderr; --quiet leaves \
                        only errors\n";
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(2), expected), "{line}");
    }
}

#[test]
fn an_empty_address_of_the_environment_is_none() {
    let asked = |address: &str| {
        let mut status = command(["status", "--connect-timeout", "1"]);
        Ran::from(status.env("METASRV_GRPC_API_ADDRESS", address).output().unwrap())
    };
    let ran = asked("");
    // Whether a server runs there or not.
    assert!(!ran.stderr.contains("METASRV_GRPC_API_ADDRESS"), "{}", ran.stderr);
    assert!(ran.code == Some(0) || ran.stderr.contains("127.0.0.1:9191"), "{}", ran.stderr);
    assert_eq!(asked("nowhere").code, Some(2));
}

#[test]
fn threads_that_are_not_started_are_reported() {
    let place = place();
    let ran = run_in(place.path(), "validate meta.db --threads 100000");
    let said = "note: of 100,000 threads only ";
    assert_eq!(ran.code, Some(0));
    assert!(ran.stderr.starts_with(said), "{}", ran.stderr);
    assert!(ran.stderr.ends_with(" are started, 4 for each core\n"), "{}", ran.stderr);
    assert_eq!(run_in(place.path(), "validate meta.db --threads 1").stderr, "");
}

#[test]
fn no_file_of_a_command_line_is_waited_for_or_read_without_end() {
    let place = place();
    mknodat(CWD, place.path().join("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
    std::thread::scope(|scope| {
        for line in [
            "status --username u --password-file FILE",
            "status --grpc-tls-ca-cert FILE --grpc-tls-domain-name localhost",
            "status --grpc-tls-client-cert FILE --grpc-tls-client-key FILE",
            "serve --grpc-api-address 127.0.0.1:0 --username u --password-file FILE",
            "serve --grpc-api-address 127.0.0.1:0 --grpc-tls-server-cert FILE \
             --grpc-tls-server-key FILE",
        ] {
            let place = place.path();
            scope.spawn(move || {
                for (file, cause) in [
                    ("/dev/zero", "it is a device, not a regular file"),
                    ("pipe", "nothing came through the pipe within 10 s"),
                ] {
                    let ran = run_in(place, &line.replace("FILE", file));
                    assert_eq!(ran.code, Some(3), "{line}: {}", ran.stderr);
                    let said = format!("cause: {cause}\n");
                    assert!(ran.stderr.contains(&said), "{line}: {}", ran.stderr);
                }
            });
        }
    });
}

#[test]
fn a_password_comes_through_a_pipe_too() {
    let mut serve = command(["serve", "--grpc-api-address", "127.0.0.1:0", "--username", "drill"]);
    serve.env("METACTL_PASSWORD", "secret");
    let served = Served::run(serve);
    let script = r#""$0" status --username drill --password-file <(sleep 1; echo secret) \
                    --grpc-api-address "$1""#;
    let ran = Command::new("bash")
        .args(["-c", script])
        .arg(binary())
        .arg(served.address())
        .output()
        .unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn a_directory_of_a_service_is_known_by_its_database() {
    let place = place();
    for name in ["database.redb", "database"] {
        fs::create_dir_all(place.path().join("dir/store")).unwrap();
        fs::write(place.path().join("dir/store").join(name), "").unwrap();
        let ran = run_in(place.path(), "import meta.db --raft-dir dir");
        let expected = "error: dir is the data directory of `serve`\n\
                        help:  give --raft-dir the directory that the server has as raft_dir\n";
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(3), expected), "{name}");
        fs::remove_dir_all(place.path().join("dir")).unwrap();
    }
}

#[test]
fn a_dump_that_cannot_become_a_new_cluster_is_refused_with_help() {
    let place = place();
    fs::copy(fixture("findings/log-ids-disagree.ndjson"), place.path().join("two.db")).unwrap();
    for more in ["", "--dry-run"] {
        let line = format!("rewrite two.db --id 1 --initial-cluster 1=a:1 {more}");
        let ran = run_in(place.path(), &line);
        let expected = "error: the log and the state do not belong together: last applied is \
                        T2-N1.5, the log has T1-N1.5\n\
                        help:  the dump is put together from two, or damaged: take a dump from \
                        another node\n";
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(3), expected), "{line}");
    }
}

#[test]
fn values_of_flags_are_refused_in_words_of_the_field() {
    let place = place();
    for (args, expected) in [
        ("serve --grpc-api-address localhost:0", "expected an IP address and a port, such as"),
        ("serve --admin-api-address 1", "expected an IP address and a port, such as"),
        ("serve --token-lifetime x", "expected a whole number below 2^64"),
        ("validate --threads 0 meta.db", "expected a whole number from 1"),
        ("keys-layout --depth 4294967296", "expected a whole number below 2^32"),
        ("export --chunk-size 0", "expected a whole number from 1"),
        ("status --max-message-bytes 18446744073709551616", "expected a whole number below 2^64"),
        ("rewrite --db meta.db --id x", "expected a whole number below 2^64"),
        ("view meta.db --port 65536", "expected a whole number from 0 to 65535"),
    ] {
        let ran = run_in(place.path(), args);
        assert_eq!(ran.code, Some(2), "{args}: {}", ran.stderr);
        assert!(ran.stderr.contains(&format!(": {expected}")), "{args}: {}", ran.stderr);
    }
}

/// An unset variable of a script names nothing, least of all the folder that the script runs in.
#[test]
fn an_empty_name_is_refused() {
    let place = place();
    for args in [
        ["validate", "meta.db", ""].as_slice(),
        &["rewrite", "meta.db", "--output", ""],
        &["redact", "meta.db", "--output", ""],
        &["diff", "meta.db", ""],
        &["backups", ""],
        &["export", "--raft-dir", "node1", "--every", "60s", "--into", ""],
    ] {
        let ran: Ran = command(args).current_dir(&place).output().unwrap().into();
        assert_eq!(ran.code, Some(2), "{args:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("but none was supplied"), "{args:?}: {}", ran.stderr);
    }
}

/// What is only for a directory is refused for a running service, and not passed over.
#[test]
fn a_running_service_takes_no_flags_of_a_directory() {
    let lines = [
        "export --live",
        "export --salvage",
        "export --data-version V003",
        "import --keep-old",
        "import --data-version V003",
    ];
    for line in lines {
        let args = line.split(' ').chain(["--grpc-api-address", "127.0.0.1:1"]);
        let ran = run(args);
        let flag = line.split(' ').nth(1).unwrap();
        let reported = format!("error: the argument '{flag}");
        assert!(ran.code == Some(2) && ran.stderr.starts_with(&reported), "{line}: {}", ran.stderr);
        assert!(ran.stderr.contains("cannot be used with"), "{line}: {}", ran.stderr);
    }
}
