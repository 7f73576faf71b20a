//! The order of the pieces of a chain: each names its parent by hash.

use std::collections::{BTreeMap, BTreeSet};

use crate::check::manifest::{Manifest, Parent};

/// A piece, by what is known of it without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// How it is called in messages.
    pub shown: String,
    /// Its file name.
    pub file: String,
    /// Its manifest. Only a base can do without one, which is then known by its name.
    pub manifest: Option<Manifest>,
}

/// Why pieces are no chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// Nothing is there.
    #[error("there is no dump")]
    Empty,
    /// Two pieces have the same content.
    #[error("{one} and {other} are the same")]
    Duplicate {
        /// One.
        one: String,
        /// The other.
        other: String,
    },
    /// Two dumps, neither of which is an increment.
    #[error("{one} and {other} are both no increments: a chain has one dump that it begins with")]
    SeveralBases {
        /// One.
        one: String,
        /// The other.
        other: String,
    },
    /// The parent of an increment is not there.
    #[error("{name} is an increment of {}, which is not there", parent.dump)]
    Missing {
        /// The increment.
        name: String,
        /// What it goes on from.
        parent: Box<Parent>,
    },
    /// What has the name of the parent is something else.
    #[error("{name} is an increment of another {}: that has the SHA-256 {}", shown, parent.sha256)]
    WrongParent {
        /// The increment.
        name: String,
        /// What has the name.
        shown: String,
        /// What it goes on from.
        parent: Box<Parent>,
    },
    /// Two increments go on from the same piece.
    #[error("{one} and {other} are both increments of {parent}")]
    Fork {
        /// One.
        one: String,
        /// The other.
        other: String,
        /// What both go on from.
        parent: String,
    },
    /// An increment that begins elsewhere than its parent ends.
    #[error("{name} goes on from another entry than {parent} ends with")]
    Gap {
        /// The increment.
        name: String,
        /// What it goes on from.
        parent: String,
    },
}

impl Link {
    fn parent(&self) -> Option<&Parent> {
        self.manifest.as_ref()?.parent.as_ref()
    }

    fn sha256(&self) -> Option<&str> {
        self.manifest.as_ref().map(|manifest| manifest.sha256.as_str())
    }

    /// Whether it is what an increment goes on from.
    fn is(&self, parent: &Parent) -> bool {
        self.sha256().map_or(self.file == parent.dump, |sha256| sha256 == parent.sha256)
    }
}

/// The pieces of one chain in their order, by their place in `links`.
///
/// # Errors
///
/// When they are none, or more than one.
pub fn ordered(links: &[Link]) -> Result<Vec<usize>, ChainError> {
    let mut known: BTreeMap<&str, &Link> = BTreeMap::new();
    for link in links {
        if let Some(before) = link.sha256().and_then(|sha256| known.insert(sha256, link)) {
            let (one, other) = (before.shown.clone(), link.shown.clone());
            return Err(ChainError::Duplicate { one, other });
        }
    }
    let mut bases = links.iter().enumerate().filter(|(_, link)| link.parent().is_none());
    let Some((mut at, base)) = bases.next() else {
        return Err(links.first().map_or(ChainError::Empty, |first| without_parent(links, first)));
    };
    if let Some((_, other)) = bases.next() {
        let (one, other) = (base.shown.clone(), other.shown.clone());
        return Err(ChainError::SeveralBases { one, other });
    }
    let mut children: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    let by_hash: BTreeMap<&str, usize> =
        links.iter().enumerate().filter_map(|(at, link)| Some((link.sha256()?, at))).collect();
    for (child, link) in links.iter().enumerate() {
        let Some(parent) = link.parent() else { continue };
        let unproven = (base.manifest.is_none() && base.is(parent)).then_some(at);
        let Some(of) = by_hash.get(parent.sha256.as_str()).copied().or(unproven) else {
            return Err(without_parent(links, link));
        };
        children.entry(of).or_default().push(child);
    }
    let mut order = vec![at];
    while let Some(next) = children.get(&at) {
        let named = |at: &usize| links.get(*at).map(|link| link.shown.clone()).unwrap_or_default();
        let (child, parent) = match next.as_slice() {
            [child] => (*child, named(&at)),
            [one, other, ..] => {
                let (one, other, parent) = (named(one), named(other), named(&at));
                return Err(ChainError::Fork { one, other, parent });
            }
            [] => break,
        };
        let end = links.get(at).and_then(|link| link.manifest.as_ref()).map(Manifest::end);
        let from = links.get(child).and_then(Link::parent).map(|parent| parent.last_log);
        if end.is_some_and(|end| end != from) {
            return Err(ChainError::Gap { name: named(&child), parent });
        }
        order.push(child);
        at = child;
    }
    // Hashes go round in no circle: what is left goes on from what is behind it.
    let reached: BTreeSet<usize> = order.iter().copied().collect();
    match links.iter().enumerate().find(|(at, _)| !reached.contains(at)) {
        Some((_, link)) => Err(without_parent(links, link)),
        None => Ok(order),
    }
}

/// What there is to say of the first piece before this one whose parent is not there.
fn without_parent(links: &[Link], link: &Link) -> ChainError {
    let mut orphan = link;
    for _ in links {
        let Some(parent) = orphan.parent() else { break };
        match links.iter().find(|link| link.is(parent)) {
            Some(found) => orphan = found,
            None => break,
        }
    }
    let Some(parent) = orphan.parent().cloned().map(Box::new) else { return ChainError::Empty };
    let name = orphan.shown.clone();
    match links.iter().find(|link| link.file == parent.dump) {
        Some(named) => ChainError::WrongParent { name, shown: named.shown.clone(), parent },
        None => ChainError::Missing { name, parent },
    }
}

/// The pieces that belong together, whether they are a chain or not, by their place in `links`: those
/// that go on from one another, and those that go on from the same. Dumps that are the same (of a
/// cluster that was idle) are a family each; an increment goes on from the one that it names.
pub fn families(links: &[Link]) -> Vec<Vec<usize>> {
    let mut by_hash: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut by_file: BTreeMap<&str, usize> = BTreeMap::new();
    for (at, link) in links.iter().enumerate() {
        match link.sha256() {
            Some(sha256) => by_hash.entry(sha256).or_default().push(at),
            None => {
                by_file.entry(&link.file).or_insert(at);
            }
        }
    }
    // Each points to another one of its family, or to itself.
    let mut towards = Vec::from_iter(0..links.len());
    let root = |towards: &[usize], mut at: usize| {
        while let Some(next) = towards.get(at).copied().filter(|next| *next != at) {
            at = next;
        }
        at
    };
    for (at, link) in links.iter().enumerate() {
        let Some(parent) = link.parent() else { continue };
        let same = by_hash.get(parent.sha256.as_str()).map(Vec::as_slice).unwrap_or_default();
        let is_named = |at: &&usize| links.get(**at).is_some_and(|link| link.file == parent.dump);
        let known = same.iter().find(is_named).or(same.first());
        let known = known.or_else(|| by_file.get(parent.dump.as_str())).copied();
        // Those of a parent that is not there meet at the first of them.
        let other = known.unwrap_or_else(|| {
            by_hash.insert(&parent.sha256, vec![at]);
            at
        });
        let (one, other) = (root(&towards, at), root(&towards, other));
        if let Some(to) = towards.get_mut(one.max(other)) {
            *to = one.min(other);
        }
        // The way to the first of a long chain stays short.
        if let Some(to) = towards.get_mut(at) {
            *to = one.min(other);
        }
    }
    let mut families: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for at in 0..links.len() {
        families.entry(root(&towards, at)).or_default().push(at);
    }
    families.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Summary;
    use crate::check::manifest::ManifestBuilder;
    use crate::dump::record::LogId;

    fn link(name: &str, index: u64, parent: Option<(&str, u64)>) -> Link {
        let mut summary = Summary::default();
        summary.log.last = Some(LogId::new(1, 1, index));
        let manifest = ManifestBuilder::default().finish(name, &summary, String::new(), 0);
        let parent = parent.map(|(dump, index)| Parent {
            dump: dump.to_owned(),
            sha256: format!("of {dump}"),
            last_log: LogId::new(1, 1, index),
            created_at_ms: None,
        });
        let manifest = Manifest { sha256: format!("of {name}"), parent, ..manifest };
        Link { shown: format!("a/{name}"), file: name.to_owned(), manifest: Some(manifest) }
    }

    fn chain() -> Vec<Link> {
        vec![
            link("two", 30, Some(("one", 20))),
            link("base", 10, None),
            link("one", 20, Some(("base", 10))),
        ]
    }

    fn said(links: &[Link]) -> String {
        ordered(links).map_or_else(|error| error.to_string(), |order| format!("{order:?}"))
    }

    #[test]
    fn a_chain_is_ordered_however_it_is_named() {
        assert_eq!(said(&chain()), "[1, 2, 0]");
        assert_eq!(said(&chain()[1..]), "[0, 1]");
        assert_eq!(said(&chain()[1..2]), "[0]");
        // A dump of the official tool has no manifest.
        let mut of_official = chain();
        of_official[1].manifest = None;
        assert_eq!(said(&of_official), "[1, 2, 0]");
    }

    #[test]
    fn what_is_no_chain_is_said_by_name() {
        let with = |more: Link| said(&[chain(), vec![more]].concat());
        assert_eq!(said(&[]), "there is no dump");
        assert_eq!(with(chain()[2].clone()), "a/one and a/one are the same");
        assert_eq!(
            with(link("other", 5, None)),
            "a/base and a/other are both no increments: a chain has one dump that it begins with"
        );
        assert_eq!(
            with(link("twin", 25, Some(("one", 20)))),
            "a/two and a/twin are both increments of a/one"
        );
        assert_eq!(
            with(link("far", 50, Some(("three", 40)))),
            "a/far is an increment of three, which is not there"
        );
        assert_eq!(said(&chain()[..2]), "a/two is an increment of one, which is not there");
        assert_eq!(said(&chain()[..1]), "a/two is an increment of one, which is not there");
        let mut wrong = chain();
        wrong[1].manifest.as_mut().unwrap().sha256 = "another".to_owned();
        assert_eq!(
            said(&wrong),
            "a/one is an increment of another a/base: that has the SHA-256 of base"
        );
        let mut gap = chain();
        gap[1].manifest.as_mut().unwrap().last_log = Some(LogId::new(1, 1, 11));
        assert_eq!(said(&gap), "a/one goes on from another entry than a/base ends with");
    }

    #[test]
    fn families_are_what_belongs_together() {
        let others = vec![
            link("other", 5, None),
            link("x", 9, Some(("lost", 8))),
            link("y", 9, Some(("lost", 8))),
            link("z", 10, Some(("y", 9))),
        ];
        let all = [others, chain()].concat();
        assert_eq!(families(&all), [vec![0], vec![1, 2, 3], vec![4, 5, 6]]);
        // The same dump twice, of which the second is gone on from.
        let mut first = link("first", 10, None);
        first.manifest = link("base", 10, None).manifest;
        let all = [vec![first], chain()].concat();
        assert_eq!(families(&all), [vec![0], vec![1, 2, 3]]);
    }
}
