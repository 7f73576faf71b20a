//! The first reading of a dump, on all cores: it is checked, held against its manifest, and whoever
//! needs more of it sees its lines.

use anyhow::Result;
use metadump::check::{Inspection, References, Requirement};
use metadump::{Line, Report};

use crate::input::Source;
use crate::manifest::evidence;
use crate::progress::Progress;
use crate::scanning::{Scanned, Threads, for_each_beside};

/// A reading of a dump.
#[derive(Clone, Copy)]
pub struct FirstReading<'a> {
    /// The dump.
    pub source: &'a Source,
    /// Whether it may come without its manifest.
    pub requirement: Requirement,
    /// On how many threads it is read.
    pub threads: Threads,
    /// Where it says how far it is.
    pub progress: &'a Progress,
}

impl FirstReading<'_> {
    /// Checks every line; `each` gets them in their order, with what `make` makes of each on the
    /// thread that scans it.
    ///
    /// # Errors
    ///
    /// When the dump cannot be read, and the first error of `each`.
    pub fn inspect<T: Send>(
        &self,
        make: impl Fn(&Line<'_>, &Scanned<'_>) -> T + Sync,
        each: impl FnMut(&mut Inspection, &Line<'_>, &Scanned<'_>, T) -> Result<()> + Send,
    ) -> Result<Report> {
        self.inspect_beside(make, each, |_| ())
    }

    /// The same, and a checksum of all lines, to see whether a second reading finds the same.
    ///
    /// # Errors
    ///
    /// As [`inspect`](Self::inspect).
    pub fn inspect_and_sum<T: Send>(
        &self,
        make: impl Fn(&Line<'_>, &Scanned<'_>) -> T + Sync,
        each: impl FnMut(&mut Inspection, &Line<'_>, &Scanned<'_>, T) -> Result<()> + Send,
    ) -> Result<(Report, u32)> {
        let mut checksum = crc32fast::Hasher::new();
        let report = self.inspect_beside(make, each, |bytes| checksum.update(bytes))?;
        Ok((report, checksum.finalize()))
    }

    /// What needs values or all bytes is done where it keeps no other line waiting: the references are
    /// found by the thread that scans, and hashes have a turn of their own.
    fn inspect_beside<T: Send>(
        &self,
        make: impl Fn(&Line<'_>, &Scanned<'_>) -> T + Sync,
        mut each: impl FnMut(&mut Inspection, &Line<'_>, &Scanned<'_>, T) -> Result<()> + Send,
        mut beside: impl FnMut(&[u8]) + Send,
    ) -> Result<Report> {
        let Self { source, requirement, threads, progress } = *self;
        let mut inspection = Inspection::new(evidence(source), requirement);
        let mut measure = inspection.take_byte_measure();
        for_each_beside(
            source,
            threads,
            progress,
            |line, scanned| (References::of(scanned), make(line, scanned)),
            |line, scanned, (references, made)| {
                inspection.prepared(line, scanned, references);
                each(&mut inspection, line, scanned, made)
            },
            |bytes| {
                if let Some(measure) = &mut measure {
                    measure.add(bytes);
                }
                beside(bytes);
            },
        )?;
        if let Some(measure) = measure {
            inspection.set_byte_measure(measure);
        }
        Ok(inspection.finish())
    }
}
