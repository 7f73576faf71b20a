//! Takes into the binary what it does not consist of: the viewer's page, packed, when it has been
//! built (`make web`), and the commit.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Command;
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;

fn main() -> io::Result<()> {
    commit();
    println!("cargo:rerun-if-changed=../web/dist");
    let page = match fs::read("../web/dist/metadump-viewer.html") {
        Ok(page) => page,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let mut packed = GzEncoder::new(Vec::new(), Compression::best());
    packed.write_all(&page)?;
    let out = env::var_os("OUT_DIR").map(PathBuf::from).unwrap_or_default();
    fs::write(out.join("viewer.html.gz"), packed.finish()?)
}

/// Tells the compiler the commit as ` 0a8f03b42d`; nothing outside a checkout.
fn commit() {
    let git = |args: &[&str]| {
        let output = Command::new("git").args(args).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let commit =
        git(&["rev-parse", "--short=10", "HEAD"]).map_or_else(String::new, |c| format!(" {c}"));
    println!("cargo:rustc-env=METADUMP_COMMIT={commit}");
    // What changes with every commit and every change of branch.
    if let Some(log) = git(&["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"]) {
        println!("cargo:rerun-if-changed={log}");
    }
}
