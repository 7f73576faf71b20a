//! One of the two states: where it is, and its keys in their order.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use metadump::check::Code;
use metadump::moment::At;

use crate::args::{Connection, Place};
use crate::chain::holds_pieces;
use crate::command::convert;
use crate::command::plan::Reading;
use crate::command::service::connect_options_to;
use crate::command::state::{State, exported};
use crate::dump_name::DumpName;
use crate::failure::{Help, usual_help};
use crate::input::Source;
use crate::progress::Progress;
use crate::raft_dir::{Access, DirReader, RaftDir};

/// What has a state, open.
#[derive(Clone)]
pub enum Opened {
    /// A dump; that of a running service is one.
    Dump(Source),
    /// The data directory of a stopped node.
    Directory(PathBuf),
}

impl Opened {
    /// Opens what the command line names.
    pub fn open(place: &Place, connection: &Connection, progress: &Progress) -> Result<Self> {
        Ok(match place {
            Place::Named(DumpName::Path(path)) if is_directory(path) => {
                Self::Directory(path.clone())
            }
            Place::Named(name) => Self::Dump(Source::open(Some(name))?.repeatable(progress)?),
            Place::Service(servers) => {
                let connect = connect_options_to(servers.clone(), connection)?;
                Self::Dump(exported(&connect, progress)?)
            }
        })
    }

    /// Its state at a moment.
    pub fn at(&self, at: At, progress: &Progress) -> Result<State> {
        match self {
            Self::Dump(source) => State::of_dump(source.clone(), at, progress),
            Self::Directory(dir) => State::of_directory(dir, at, progress),
        }
    }

    /// The same of a state whose keys do not come in order: written once more, sorted.
    pub fn sorted(&self, state: &State, at: At, progress: &Progress) -> Result<State> {
        // What is no record is reported, and not left out.
        state.for_each_fact(progress, true, |_| Ok(()))?;
        let reading = match self {
            Self::Dump(source) => Reading::of(source, progress)?,
            Self::Directory(dir) => {
                let reader = DirReader::open(&RaftDir::new(dir), Access::Stopped)?;
                Reading::of_node(&dir.display().to_string(), |write| {
                    reader.for_each_line(write)?;
                    reader.assert_unchanged()
                })?
            }
        };
        let accepted: Vec<Code> =
            Code::ALL.iter().copied().filter(|code| code.is_acceptable()).collect();
        let sorted = convert::to_v004(&reading, &accepted, progress);
        // What the operating system refuses is no fault of the keys.
        let sorted = sorted.map_err(|error| {
            match error.is::<Help>() || usual_help(&error).is_some() {
            true => error,
            false => error
                .context(format!(
                    "{}: its keys are out of order, or one is there twice: they cannot be sorted",
                    state.name()
                ))
                .context(Help("`databend-metactl validate` says where".to_owned())),
        }
        })?;
        let sorted = State::of_dump(sorted.source().clone(), at, progress)?;
        Ok(sorted.by_rules_of(state.version()))
    }
}

fn is_directory(path: &Path) -> bool {
    let is_dir = path != Path::new("-") && fs::metadata(path).is_ok_and(|found| found.is_dir());
    is_dir && !holds_pieces(path)
}
