//! Takes the viewer's page into the binary, packed, when it has been built (`make web`).

use std::io::{self, Write};
use std::path::PathBuf;
use std::{env, fs};

use flate2::Compression;
use flate2::write::GzEncoder;

fn main() -> io::Result<()> {
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
