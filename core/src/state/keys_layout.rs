//! How many keys there are below each directory of the key space.

use memchr::memchr_iter;

/// How many keys a directory has, those of its subdirectories included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeysCount<'a> {
    /// The directory: a key without its last segments. Empty for all keys.
    pub prefix: &'a str,
    /// How many keys are below it.
    pub count: u64,
}

/// The deepest level whose directories are reported; keys below count in it. A key of 100,000 slashes
/// would have as many directories, whose paths together are gigabytes; servers write keys of less
/// than ten levels.
pub const MOST_LEVELS: usize = 100;

/// Counts sorted keys per directory, as the server's `SnapshotKeysLayout` does: a key is split at
/// each `/` and its last segment left out, and a directory is reported when the keys leave it, so
/// children come before their parents and the total with the empty prefix comes last.
///
/// ```
/// use metadump::keys_layout::KeysLayout;
///
/// let mut layout = KeysLayout::new(None);
/// let mut lines = Vec::new();
/// for key in ["a/b/1", "a/b/2", "a/c", "d"] {
///     layout.key(key, |found| lines.push(format!("{} {}", found.prefix, found.count)));
/// }
/// layout.finish(|found| lines.push(format!("{} {}", found.prefix, found.count)));
/// assert_eq!(lines, ["a/b 2", "a 3", " 4"]);
/// ```
#[derive(Debug, Clone, Default)]
pub struct KeysLayout {
    depth: Option<u32>,
    /// The directory of the last key, up to the deepest level.
    current: String,
    /// For each directory above the last key: the length of its path, and the keys so far.
    open: Vec<(usize, u64)>,
    total: u64,
    deeper: u64,
}

impl KeysLayout {
    /// Counts directories of up to `depth` segments; none counts all up to [`MOST_LEVELS`].
    pub fn new(depth: Option<u32>) -> Self {
        Self { depth, ..Self::default() }
    }

    /// Counts a key; `each` gets the directories that it leaves. Keys come in byte order.
    pub fn key(&mut self, key: &str, each: impl FnMut(KeysCount<'_>)) {
        self.total += 1;
        let slashes = memchr_iter(b'/', key.as_bytes());
        let lens: Vec<usize> = slashes.take(MOST_LEVELS + 1).collect();
        // The key's last segment is no directory.
        let lens = match lens.get(..MOST_LEVELS) {
            Some(reported) if lens.len() > MOST_LEVELS => {
                self.deeper += 1;
                reported
            }
            _ => &lens,
        };
        let directory = lens.last().and_then(|len| key.get(..*len)).unwrap_or_default();
        let shared = common_len(directory, &self.current);
        let open = self.open.iter().map(|(len, _)| len);
        let kept = open.zip(lens).take_while(|(open, len)| open == len && **len <= shared).count();
        self.close(kept, each);
        self.open.extend(lens.iter().skip(kept).map(|len| (*len, 0)));
        directory.clone_into(&mut self.current);
        // A directory's own count goes up its parents when it is left.
        if let Some((_, count)) = self.open.last_mut() {
            *count += 1;
        }
    }

    /// How many keys so far are below the deepest level whose directories are reported.
    pub const fn deeper_keys(&self) -> u64 {
        self.deeper
    }

    /// Tells the directories that are left, and the total.
    pub fn finish(mut self, mut each: impl FnMut(KeysCount<'_>)) {
        self.close(0, &mut each);
        each(KeysCount { prefix: "", count: self.total });
    }

    /// Leaves the directories beyond the first `kept`.
    fn close(&mut self, kept: usize, mut each: impl FnMut(KeysCount<'_>)) {
        while self.open.len() > kept
            && let Some((len, count)) = self.open.pop()
        {
            let shown = self.depth.is_none_or(|depth| self.open.len() < depth as usize);
            if let (true, Some(prefix)) = (shown, self.current.get(..len)) {
                each(KeysCount { prefix, count });
            }
            if let Some((_, parent)) = self.open.last_mut() {
                *parent += count;
            }
        }
    }
}

/// How many bytes two texts have in common at their start.
fn common_len(one: &str, other: &str) -> usize {
    one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lines(keys: &[&str], depth: Option<u32>) -> Vec<String> {
        let mut lines = Vec::new();
        let mut layout = KeysLayout::new(depth);
        for key in keys {
            layout.key(key, |found| lines.push(format!("{} {}", found.prefix, found.count)));
        }
        layout.finish(|found| lines.push(format!("{} {}", found.prefix, found.count)));
        lines
    }

    #[test]
    fn directories_are_reported_when_they_are_left() {
        assert_eq!(lines(&[], None), [" 0"]);
        assert_eq!(lines(&["hello"], None), [" 1"]);
        let keys = ["a", "a/1", "a/b/1", "a/b/c/1", "a/bc/1", "ab/1", "b//1", "é/1"];
        assert_eq!(
            lines(&keys, None),
            ["a/b/c 1", "a/b 2", "a/bc 1", "a 4", "ab 1", "b/ 1", "b 1", "é 1", " 8"]
        );
        assert_eq!(lines(&keys, Some(1)), ["a 4", "ab 1", "b 1", "é 1", " 8"]);
        assert_eq!(lines(&keys, Some(0)), [" 8"]);
    }
    #[test]
    fn deep_levels_are_counted_and_not_reported() {
        let reported = "d/".repeat(MOST_LEVELS);
        let deep = [format!("{reported}a/1"), format!("{reported}b/c/1"), "z/1".to_owned()];
        let mut layout = KeysLayout::new(None);
        let mut lines = Vec::new();
        for key in &deep {
            layout.key(key, |found| lines.push((found.prefix.to_owned(), found.count)));
        }
        assert_eq!(layout.deeper_keys(), 2);
        layout.finish(|found| lines.push((found.prefix.to_owned(), found.count)));
        let mut expected: Vec<(String, u64)> = (1..=MOST_LEVELS)
            .rev()
            .map(|levels| (reported[..2 * levels - 1].to_owned(), 2))
            .collect();
        expected.extend([("z".to_owned(), 1), (String::new(), 3)]);
        assert_eq!(lines, expected);
    }

    proptest! {
        #[test]
        fn every_directory_is_reported_once_with_the_keys_below_it(
            mut keys in prop::collection::vec("[ab/é]{0,8}", 0..20),
            depth in prop::option::of(0_u32..4),
        ) {
            keys.sort_unstable();
            keys.dedup();
            let mut expected = std::collections::BTreeMap::new();
            for key in &keys {
                let segments: Vec<&str> = key.split('/').collect();
                let most = depth.map_or(usize::MAX, |depth| depth as usize);
                for levels in 1..segments.len() {
                    if levels <= most {
                        *expected.entry(segments[..levels].join("/")).or_insert(0) += 1;
                    }
                }
            }
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let mut found = lines(&keys, depth);
            prop_assert_eq!(found.pop(), Some(format!(" {}", keys.len())));
            found.sort_unstable();
            let mut expected: Vec<String> =
                expected.iter().map(|(prefix, count)| format!("{prefix} {count}")).collect();
            expected.sort_unstable();
            prop_assert_eq!(found, expected);
        }
    }
}
