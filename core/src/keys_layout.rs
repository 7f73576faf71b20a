//! How many keys there are below each directory of the key space.

/// How many keys a directory has, those of its subdirectories included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeysCount<'a> {
    /// The directory: a key without its last segments. Empty for all keys.
    pub prefix: &'a str,
    /// How many keys are below it.
    pub count: u64,
}

/// Counts sorted keys per directory, as the server's `SnapshotKeysLayout` does: a key is split at
/// each `/` and its last segment left out, and a directory is told when the keys leave it, so
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
    /// The directory of the last key.
    current: String,
    /// For each directory above the last key: the length of its path, and the keys so far.
    open: Vec<(usize, u64)>,
    total: u64,
}

impl KeysLayout {
    /// Counts directories of up to `depth` segments; none counts all.
    pub fn new(depth: Option<u32>) -> Self {
        Self { depth, ..Self::default() }
    }

    /// Counts a key; `each` gets the directories that it leaves. Keys come in byte order.
    pub fn key(&mut self, key: &str, each: impl FnMut(KeysCount<'_>)) {
        let directory = key.rsplit_once('/').map(|(directory, _)| directory);
        let stays = |path: &str| {
            directory.is_some_and(|directory| {
                directory
                    .strip_prefix(path)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
        };
        let kept =
            self.open.iter().take_while(|(len, _)| self.current.get(..*len).is_some_and(stays));
        let kept = kept.count();
        self.close(kept, each);
        self.total += 1;
        let Some(directory) = directory else { return };
        let known = self.open.last().map(|(len, _)| *len);
        let deeper = directory.match_indices('/').map(|(at, _)| at).chain([directory.len()]);
        for len in deeper.filter(|len| known.is_none_or(|known| *len > known)) {
            self.open.push((len, 0));
        }
        directory.clone_into(&mut self.current);
        // A directory's own count goes up its parents when it is left.
        if let Some((_, count)) = self.open.last_mut() {
            *count += 1;
        }
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

#[cfg(test)]
mod tests {
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
    fn directories_are_told_when_they_are_left() {
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
}
