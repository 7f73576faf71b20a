//! `--metrics-file`: how runs went, for the textfile collector of node_exporter.

// A test stops at whatever it does not expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use metadump_tests::fixtures::{fixture, unpack};
use metadump_tests::metactl::{Ran, run};
use metadump_tests::tree::names;
use tempfile::TempDir;

/// The value of a metric, by all that stands before it; none when it is not there.
fn value(file: &Path, metric: &str) -> Option<f64> {
    let text = fs::read_to_string(file).unwrap();
    assert!(text.ends_with("# EOF\n"), "{text}");
    let metric = format!("databend_metactl_{metric} ");
    text.lines().find_map(|line| line.strip_prefix(&metric)).map(|value| value.parse().unwrap())
}

fn validate(dump: &Path, file: &Path) -> Ran {
    let [dump, file] = [dump, file].map(|path| path.to_str().unwrap());
    run(["validate", dump, "--metrics-file", file])
}

#[test]
fn an_export_says_what_it_has_written() {
    let place = TempDir::new().unwrap();
    let (_scratch, dir) = unpack("v004/v004-origin.tar.gz");
    let (db, file) = (place.path().join("meta.db"), place.path().join("prod.prom"));
    let [dir, db_arg, file_arg] = [&dir, &db, &file].map(|path| path.to_str().unwrap());
    let ran = run(["export", "--raft-dir", dir, "--db", db_arg, "--metrics-file", file_arg]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let run_labels = r#"{command="export",name="prod"}"#;
    let of_run = |metric: &str| value(&file, &format!("{metric}{run_labels}"));
    assert_eq!(of_run("run_exit_code"), Some(0.0));
    assert_eq!(of_run("last_success_timestamp_seconds"), of_run("run_end_timestamp_seconds"));
    assert!(of_run("run_end_timestamp_seconds") > Some(1.7e9));
    assert!(of_run("run_duration_seconds") > Some(0.0));
    let labels = format!(r#"{{command="export",name="prod",dump="{db_arg}"}}"#);
    let of_dump = |metric: &str| value(&file, &format!("{metric}{labels}"));
    assert_eq!(of_dump("dump_bytes"), Some(fs::metadata(&db).unwrap().len() as f64));
    assert_eq!(of_dump("dump_lines"), Some(188.0));
    assert_eq!(of_dump("dump_last_applied_index"), Some(80.0));
    assert_eq!(of_dump("dump_last_log_index"), Some(95.0));
    assert!(of_dump("dump_keys") > Some(0.0));
    assert!(of_dump("dump_log_entries") > Some(0.0));
    // The collector runs as another user.
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o644);
    assert_eq!(names(place.path()), ["meta.db", "meta.db.manifest.json", "prod.prom"]);
}

#[test]
fn a_failure_leaves_the_time_of_the_last_success() {
    let place = TempDir::new().unwrap();
    let file = place.path().join("nightly.prom");
    let labels = r#"{command="validate",name="nightly"}"#;
    let of_run = |metric: &str| value(&file, &format!("{metric}{labels}"));
    let good = fixture("v004/v004-origin.export.ndjson");
    let broken = place.path().join("broken.db");
    let text = fs::read_to_string(&good).unwrap();
    fs::write(&broken, text.replacen("[\"raft_log\"", "[\"raft_lag\"", 2)).unwrap();

    assert_eq!(validate(&broken, &file).code, Some(1));
    assert_eq!(of_run("run_exit_code"), Some(1.0));
    assert_eq!(of_run("last_success_timestamp_seconds"), None);
    let findings = format!(
        r#"dump_findings{{command="validate",name="nightly",dump="{}",severity="error"}}"#,
        broken.display()
    );
    assert!(value(&file, &findings) >= Some(2.0));

    let old = "databend_metactl_last_success_timestamp_seconds{command=\"validate\",name=\"nightly\"} 77\n";
    fs::write(&file, old).unwrap();
    assert_eq!(validate(&broken, &file).code, Some(1));
    assert_eq!(of_run("last_success_timestamp_seconds"), Some(77.0));
    assert_eq!(validate(&place.path().join("none"), &file).code, Some(3));
    assert_eq!(of_run("run_exit_code"), Some(3.0));
    assert_eq!(of_run("last_success_timestamp_seconds"), Some(77.0));
    assert_eq!(validate(&good, &file).code, Some(0));
    assert!(of_run("last_success_timestamp_seconds") > Some(1.7e9));
}

#[test]
fn what_is_no_file_of_metrics_stays() {
    let place = TempDir::new().unwrap();
    let good = fixture("v004/v004-origin.export.ndjson");
    let other = place.path().join("other");
    fs::write(&other, "precious\n").unwrap();
    let ran = validate(&good, &other);
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("holds something else than metrics\n"), "{}", ran.stderr);
    assert_eq!(fs::read(&other).unwrap(), b"precious\n");
    assert_eq!(ran.stdout, b"");
    let ran = validate(&good, place.path());
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("is not a file\n"), "{}", ran.stderr);
    let ran = validate(&good, &place.path().join("none/x.prom"));
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("there is no directory"), "{}", ran.stderr);

    // Nor is what the run itself writes.
    let (_scratch, dir) = unpack("v004/v004-origin.tar.gz");
    let db = place.path().join("meta.db");
    let manifest = place.path().join("meta.db.manifest.json");
    let elsewhere = place.path().join("sub/../meta.db");
    fs::create_dir(place.path().join("sub")).unwrap();
    for file in [&db, &manifest, &elsewhere, Path::new("-")] {
        let [dir, db, file] = [&dir, db.as_path(), file].map(|path| path.to_str().unwrap());
        let ran = run(["export", "--raft-dir", dir, "--db", db, "--metrics-file", file]);
        assert_eq!(ran.code, Some(2), "{file}: {}", ran.stderr);
        assert!(ran.stderr.contains(" is the name of something else\n"), "{}", ran.stderr);
    }
    assert!(!db.exists() && !manifest.exists());

    // Nor what has something of somebody else in it, or nothing; nor is a link that leads nowhere replaced.
    for text in ["node_x 1\ndatabend_metactl_foo 2\n", ""] {
        fs::write(&other, text).unwrap();
        assert_eq!(validate(&good, &other).code, Some(2));
        assert_eq!(fs::read_to_string(&other).unwrap(), text);
    }
    let nowhere = place.path().join("nowhere.prom");
    symlink("none.prom", &nowhere).unwrap();
    assert_eq!(validate(&good, &nowhere).code, Some(2));
    assert!(nowhere.is_symlink());

    // Nothing is written to what a node has.
    let own = dir.join("own.prom");
    let lock = dir.join("df_meta/V004/log/LOCK");
    for file in [&own, &lock] {
        let [dir, file] = [&dir, file].map(|path| path.to_str().unwrap());
        let ran = run(["validate", "--raft-dir", dir, "--metrics-file", file]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    }
    assert!(!own.exists());

    // However long it is, the next run goes on from it.
    let long = place.path().join("long.prom");
    let line = "databend_metactl_dump_keys{dump=\"x\"} 1\n";
    fs::write(&long, line.repeat(1 + (1 << 20) / line.len())).unwrap();
    assert_eq!(validate(&good, &long).code, Some(0));

    // A link stays one.
    let (target, link) = (place.path().join("target.prom"), place.path().join("link.prom"));
    fs::write(&target, "databend_metactl_run_exit_code 3\n").unwrap();
    symlink(&target, &link).unwrap();
    assert_eq!(validate(&good, &link).code, Some(0));
    assert!(link.is_symlink());
    assert_eq!(value(&target, r#"run_exit_code{command="validate",name="target"}"#), Some(0.0));
}
