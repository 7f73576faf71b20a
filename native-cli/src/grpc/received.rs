//! How much of a stream has arrived.

use std::fmt;

use metadump::scan::envelope;

use crate::report::{grouped, plural, printable};

/// How much of a key is shown.
const SHOWN_CHARS: usize = 80;

/// The lines of a dump that have arrived, and which of them was the last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Received {
    /// How many lines.
    pub lines: u64,
    /// How many bytes, line ends included.
    pub bytes: u64,
    /// The last line.
    pub last_line: String,
}

impl Received {
    /// Counts the next line.
    pub fn count(&mut self, line: &str) {
        self.lines += 1;
        self.bytes += line.len() as u64 + 1;
    }

    /// What the last line is about: its kind and its key, as far as they are in it.
    fn last_subject(&self) -> Option<String> {
        let envelope = envelope(self.last_line.as_bytes())?;
        let key = envelope.key.and_then(|key| self.last_line.get(key)).unwrap_or_default();
        let shown: String = printable(key).chars().take(SHOWN_CHARS).collect();
        let more = if key.chars().count() > SHOWN_CHARS { "…" } else { "" };
        Some(format!("{} {shown}{more}", envelope.kind.name()).trim_end().to_owned())
    }
}

impl fmt::Display for Received {
    /// `2 lines, 345 bytes, the last is line 2: GenericKV "key"`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lines == 0 {
            return f.write_str("nothing");
        }
        write!(f, "{}, {}", plural(self.lines, "line"), plural(self.bytes, "byte"))?;
        if let Some(subject) = self.last_subject() {
            write!(f, ", the last is line {}: {subject}", grouped(self.lines))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str], expected: &str) {
        let mut received = Received::default();
        for line in lines {
            received.count(line);
            received.last_line = (*line).to_owned();
        }
        assert_eq!(received.to_string(), expected);
    }

    #[test]
    fn the_last_line_is_reported_by_kind_and_key() {
        check(&[], "nothing");
        check(&["garbage"], "1 line, 8 bytes");
        check(&[r#"["raft_log",{"NodeId":1}]"#], "1 line, 26 bytes, the last is line 1: NodeId");
        let value = r#"{"seq":1,"meta":null,"data":[]}"#;
        let line = |key: &str| {
            format!(r#"["state_machine/0",{{"GenericKV":{{"key":"{key}","value":{value}}}}}]"#)
        };
        check(&["a", &line("é/b")], "2 lines, 91 bytes, the last is line 2: GenericKV \"é/b\"");
        let long = "k".repeat(100);
        let shown = "k".repeat(79);
        check(
            &[&line(&long)],
            &format!("1 line, 185 bytes, the last is line 1: GenericKV \"{shown}…"),
        );
    }
}
