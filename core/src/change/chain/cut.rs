//! Takes an increment out of the lines of an export.

use crate::change::chain::Part;
use crate::check::manifest::line_hash;
use crate::dump::record::{DataVersion, LogId};

/// What a line of the export is to the increment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// One of its first lines.
    Head,
    /// One of its entries.
    Entry,
    /// None of its lines.
    Nothing,
    /// None either, and no more will come.
    Enough,
}

/// Why what came after a dump cannot be told from an export: it takes a whole dump.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoIncrement {
    /// The export is of a data version whose dumps have the log in another form.
    #[error("increments are of data version V004, and the data is not")]
    Version,
    /// Entries between the end and the log of the export are gone.
    #[error("the log is purged up to {purged}, beyond the end of the parent, {end}")]
    Purged {
        /// How far the log is purged.
        purged: LogId,
        /// The end of the parent.
        end: LogId,
    },
    /// The log has another entry where the parent ends.
    #[error("the log has {found} where the parent ends with {end}: it has taken another way")]
    Fork {
        /// The entry, or how far the log is purged.
        found: LogId,
        /// The end of the parent.
        end: LogId,
    },
    /// The entry where the parent ends is another one, under the same id.
    #[error("the log has another entry {end} than the parent: it has taken another way")]
    OtherEnd {
        /// The end of the parent.
        end: LogId,
    },
    /// The log ends before the parent does.
    #[error("the log ends at {}, before the end of the parent, {end}", Shown(*last))]
    Behind {
        /// The last entry of the log, if it has one.
        last: Option<LogId>,
        /// The end of the parent.
        end: LogId,
    },
    /// Entries are missing in the log.
    #[error("the log goes from {last} to {found}: entries are missing")]
    Gap {
        /// The entry before the gap.
        last: LogId,
        /// The one behind it.
        found: LogId,
    },
    /// A line is no record.
    #[error("line {line} is no record of a log")]
    Unread {
        /// Its number, from 1.
        line: u64,
    },
}

struct Shown(Option<LogId>);

impl std::fmt::Display for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(id) => id.fmt(f),
            None => f.write_str("its beginning"),
        }
    }
}

/// Takes the lines of an export of V004 in their order, and says which are those of the increment.
///
/// ```
/// use metadump::chain::{Cut, Taken};
/// use metadump::record::LogId;
///
/// let entry = |index: u64| {
///     format!(
///         r#"["raft_log",{{"LogEntry":{{"log_id":{{"leader_id":{{"term":1,"node_id":1}},"index":{index}}},"payload":"Blank"}}}}]"#
///     )
/// };
/// let header = r#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]"#;
/// let mut cut = Cut::behind(LogId::new(1, 1, 7));
/// assert_eq!(cut.line(header.as_bytes())?, Taken::Head);
/// assert_eq!(cut.line(entry(7).as_bytes())?, Taken::Nothing);
/// assert_eq!(cut.line(entry(8).as_bytes())?, Taken::Entry);
/// assert_eq!(cut.finish()?, Some(LogId::new(1, 1, 8)));
/// # Ok::<(), metadump::chain::NoIncrement>(())
/// ```
#[derive(Debug)]
pub struct Cut {
    /// Where the parent ends.
    end: LogId,
    /// The hash of the line of that entry.
    end_hash: Option<String>,
    lines: u64,
    has_header: bool,
    /// Whether the log has the end of the parent, or is purged up to it.
    meets: bool,
    /// The last entry.
    last: Option<LogId>,
}

impl Cut {
    /// Of what came after this entry.
    pub const fn behind(end: LogId) -> Self {
        Self { end, end_hash: None, lines: 0, has_header: false, meets: false, last: None }
    }

    /// Of what came after the entry whose line has this hash, if one is known: another cluster, or one
    /// that went back, may have given its id to another entry.
    #[must_use]
    pub fn known_by(self, end_hash: Option<String>) -> Self {
        Self { end_hash, ..self }
    }

    /// Takes the next line, without its line end.
    ///
    /// # Errors
    ///
    /// When there is no increment.
    pub fn line(&mut self, line: &[u8]) -> Result<Taken, NoIncrement> {
        self.lines += 1;
        let part = Part::of(line);
        if !self.has_header {
            self.has_header = part == Part::Header(Some(DataVersion::V004));
            return if self.has_header { Ok(Taken::Head) } else { Err(NoIncrement::Version) };
        }
        match part {
            Part::Header(_) | Part::NodeId | Part::Vote | Part::Committed => Ok(Taken::Head),
            Part::Purged(purged) => self.purged(purged),
            Part::Entry(id) => self.entry(id, line),
            Part::State => self.finish().map(|_| Taken::Enough),
            Part::Other => Err(NoIncrement::Unread { line: self.lines }),
        }
    }

    fn purged(&mut self, purged: Option<LogId>) -> Result<Taken, NoIncrement> {
        let end = self.end;
        match purged {
            Some(purged) if purged.index > end.index => Err(NoIncrement::Purged { purged, end }),
            Some(found) if found.index == end.index && found != end => {
                Err(NoIncrement::Fork { found, end })
            }
            purged => {
                self.meets |= purged == Some(end);
                self.last = purged;
                Ok(Taken::Nothing)
            }
        }
    }

    fn entry(&mut self, id: LogId, line: &[u8]) -> Result<Taken, NoIncrement> {
        let end = self.end;
        if let Some(last) = self.last.replace(id)
            && last.index.checked_add(1) != Some(id.index)
        {
            return Err(NoIncrement::Gap { last, found: id });
        }
        if id.index == end.index && id != end {
            return Err(NoIncrement::Fork { found: id, end });
        }
        if id == end && self.end_hash.as_ref().is_some_and(|hash| *hash != line_hash(line)) {
            return Err(NoIncrement::OtherEnd { end });
        }
        self.meets |= id == end;
        match id.index > end.index {
            true if self.meets => Ok(Taken::Entry),
            true => Err(NoIncrement::Gap { last: end, found: id }),
            false => Ok(Taken::Nothing),
        }
    }

    /// Ends the log: its last entry, if it has any behind the parent.
    ///
    /// # Errors
    ///
    /// When the log does not reach the end of the parent.
    pub fn finish(&self) -> Result<Option<LogId>, NoIncrement> {
        let Self { end, last, .. } = *self;
        if !self.has_header {
            return Err(NoIncrement::Version);
        }
        if !self.meets {
            return Err(NoIncrement::Behind { last, end });
        }
        Ok(last.filter(|last| last.index > end.index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = r#"["header",{"DataHeader":{"key":"header","value":{"version":"V004"}}}]"#;
    const STATE: &str = r#"["state_machine/0",{"Sequences":{"key":"generic-kv","value":3}}]"#;

    fn id(term: u64, index: u64) -> LogId {
        LogId::new(term, 1, index)
    }

    fn json(id: LogId) -> String {
        let (term, index) = (id.leader_id.term, id.index);
        format!(r#"{{"leader_id":{{"term":{term},"node_id":1}},"index":{index}}}"#)
    }

    fn purged(id: LogId) -> String {
        format!(r#"["raft_log",{{"Purged":{}}}]"#, json(id))
    }

    fn entry(id: LogId) -> String {
        format!(r#"["raft_log",{{"LogEntry":{{"log_id":{},"payload":"Blank"}}}}]"#, json(id))
    }

    fn cut(lines: &[String]) -> Result<Option<u64>, NoIncrement> {
        let mut cut = Cut::behind(id(2, 7));
        for line in lines {
            if cut.line(line.as_bytes())? == Taken::Enough {
                break;
            }
        }
        cut.finish().map(|last| last.map(|last| last.index))
    }

    #[test]
    fn another_entry_of_the_same_id_is_another_way() {
        let end = id(2, 7);
        let behind = |line: String| {
            let mut cut = Cut::behind(end).known_by(Some(line_hash(entry(end).as_bytes())));
            cut.line(HEADER.as_bytes())?;
            cut.line(line.as_bytes())
        };
        assert_eq!(behind(entry(end)), Ok(Taken::Nothing));
        let other = entry(end).replace(
            r#""Blank""#,
            r#"{"Normal":{"time_ms":5,"cmd":{"UpsertKV":{"key":"k","seq":"Any","value":"Delete"}}}}"#,
        );
        assert_eq!(behind(other), Err(NoIncrement::OtherEnd { end }));
        assert_eq!(behind(purged(end)), Ok(Taken::Nothing));
    }

    #[test]
    fn an_increment_goes_on_where_its_parent_ends() {
        let header = || HEADER.to_owned();
        let end = id(2, 7);
        let check = |lines: Vec<String>, expected| assert_eq!(cut(&lines), expected, "{lines:?}");
        check(vec![header(), entry(id(1, 6)), entry(end), entry(id(3, 8))], Ok(Some(8)));
        check(vec![header(), purged(end), entry(id(2, 8)), STATE.to_owned()], Ok(Some(8)));
        check(vec![header(), purged(end), STATE.to_owned()], Ok(None));
        check(vec![header(), purged(id(1, 6)), entry(end)], Ok(None));
        check(
            vec![header(), purged(id(2, 8)), entry(id(2, 9))],
            Err(NoIncrement::Purged { purged: id(2, 8), end }),
        );
        let fork = Err(NoIncrement::Fork { found: id(3, 7), end });
        check(vec![header(), purged(id(3, 7))], fork);
        check(vec![header(), entry(id(1, 6)), entry(id(3, 7))], fork);
        let behind = |last| Err(NoIncrement::Behind { last, end });
        check(vec![header(), entry(id(1, 6)), STATE.to_owned()], behind(Some(id(1, 6))));
        check(vec![header(), STATE.to_owned()], behind(None));
        check(vec![header(), purged(id(1, 5))], behind(Some(id(1, 5))));
        check(
            vec![header(), entry(end), entry(id(2, 9))],
            Err(NoIncrement::Gap { last: end, found: id(2, 9) }),
        );
        check(
            vec![header(), entry(id(2, 9))],
            Err(NoIncrement::Gap { last: end, found: id(2, 9) }),
        );
        check(vec![header(), "{}".to_owned()], Err(NoIncrement::Unread { line: 2 }));
        check(vec![entry(end)], Err(NoIncrement::Version));
        check(vec![HEADER.replace("V004", "V003")], Err(NoIncrement::Version));
        check(vec![], Err(NoIncrement::Version));
    }
}
