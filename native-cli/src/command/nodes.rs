//! The nodes that a dump is restored as: the one that it is of, one of a new cluster, or each of it.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fmt::Display;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use anyhow::{Context, Result};
use metadump::cluster::{ClusterMember, InitialCluster, parse_members};
use metadump::record::NodeId;

use crate::args::Cluster;
use crate::dump_name::DumpName;
use crate::failure::Usage;
use crate::progress::Progress;

/// What stands for the id of a node in a path.
const ID: &str = "{id}";

/// The nodes of the command line, at least one: as a member of which new cluster each is restored,
/// none when the old one is kept.
///
/// # Errors
///
/// A [`Usage`] error when a member is malformed, given twice, or the node's own id is no member.
pub fn nodes(args: &Cluster) -> Result<Vec<Option<InitialCluster>>> {
    let own_id = match (args.id, args.initial_cluster.as_slice()) {
        (None, []) if args.all => {
            return Err(Usage::error(
                "--all is given without --initial-cluster",
                "name every node of the new cluster with --initial-cluster ID=HOST:PORT",
            ));
        }
        (None, []) => return Ok(vec![None]),
        (Some(_), []) => {
            return Err(Usage::error(
                "--id is given without --initial-cluster",
                "the id of a node only changes together with its cluster: name every node with \
                 --initial-cluster ID=HOST:PORT, or leave --id out",
            ));
        }
        (own_id, [..]) => own_id,
    };
    let mut members = Vec::new();
    for text in &args.initial_cluster {
        members.extend(parse_members(text).map_err(|error| {
            Usage::error(
                format!("--initial-cluster {text}: {error}"),
                "write each node as ID=HOST:PORT, for example 1=localhost:29103, and several with \
                 commas between them or with --initial-cluster for each",
            )
        })?);
    }
    let own_id = match own_id {
        None if !args.all => Some(default_id(&members)?),
        own_id => own_id,
    };
    let first = members.first().map_or(NodeId::default(), |member| member.id);
    let cluster = InitialCluster::new(own_id.unwrap_or(first), members).map_err(|error| {
        Usage::error(
            error.to_string(),
            "every node of the new cluster has an id and an address of its own",
        )
    })?;
    Ok(match own_id {
        Some(_) => vec![Some(cluster)],
        None => cluster.of_each_node().map(Some).collect(),
    })
}

/// The id of the node that is restored where none is given: that of the only node, or 0, which it
/// is to the official tool.
fn default_id(members: &[ClusterMember]) -> Result<NodeId> {
    let unset = NodeId::default();
    match members {
        [only] => Ok(only.id),
        _ if members.iter().any(|member| member.id == unset) => Ok(unset),
        _ => Err(Usage::error(
            "--initial-cluster is given without --id",
            "say with --id which of the nodes it is for, or name all with --all",
        )),
    }
}

/// The path of each node, which `flag` names for all of them.
///
/// # Errors
///
/// A [`Usage`] error when the path says of several nodes not which one it is of, or when two nodes
/// would have the same.
pub fn paths(
    path: &Path,
    flag: &str,
    args: &Cluster,
    nodes: &[Option<InitialCluster>],
) -> Result<Vec<PathBuf>> {
    let name = path.as_os_str().as_bytes();
    if !are_several(name, &path.display(), flag, args)? {
        return Ok(vec![path.to_owned()]);
    }
    let mut paths = Vec::new();
    let mut places: Vec<(NodeId, PathBuf)> = Vec::new();
    for id in nodes.iter().flatten().map(InitialCluster::own_id) {
        let path = PathBuf::from(OsString::from_vec(with_id(name, id)));
        let place = resolved(&path)?;
        if let Some((other, _)) = places.iter().find(|(_, taken)| *taken == place) {
            return Err(Usage::error(
                format!("nodes {other} and {id} would both be written to {}", place.display()),
                &format!("let {flag} lead to a place of its own for each node, through no link"),
            ));
        }
        places.push((id, place));
        paths.push(path);
    }
    Ok(paths)
}

/// The same of dumps, which may be in a store.
///
/// # Errors
///
/// As [`paths`].
pub fn names(
    name: &DumpName,
    flag: &str,
    args: &Cluster,
    nodes: &[Option<InitialCluster>],
) -> Result<Vec<DumpName>> {
    let url = match name {
        DumpName::Path(path) => {
            return Ok(paths(path, flag, args, nodes)?.into_iter().map(DumpName::Path).collect());
        }
        DumpName::Chain(_) => return Ok(vec![name.clone()]),
        DumpName::Url(url) => url,
    };
    if !are_several(url.as_given().as_bytes(), url, flag, args)? {
        return Ok(vec![name.clone()]);
    }
    let ids = nodes.iter().flatten().map(InitialCluster::own_id);
    let of_node = |id| DumpName::of(OsString::from_vec(with_id(url.as_given().as_bytes(), id)));
    Ok(ids.map(of_node).collect())
}

/// Whether a name is for several nodes.
fn are_several(name: &[u8], shown: &dyn Display, flag: &str, args: &Cluster) -> Result<bool> {
    let has_id = memchr::memmem::find(name, ID.as_bytes()).is_some();
    match (args.all, has_id) {
        (true, true) => Ok(true),
        (false, false) => Ok(false),
        (false, true) => Err(Usage::error(
            format!("{flag} {shown} has {ID} in it, which is for every node of a new cluster"),
            "add --all, which writes one for each; of one node, write its id in its place",
        )),
        (true, false) => Err(Usage::error(
            format!("--all is given, but {flag} {shown} is one path for all nodes"),
            &format!("write {ID} where the id of each node belongs, for example {flag} 'node{ID}'"),
        )),
    }
}

/// The name of a node.
fn with_id(path: &[u8], id: NodeId) -> Vec<u8> {
    let id = id.to_string();
    let (mut with_id, mut from) = (Vec::new(), 0);
    for at in memchr::memmem::find_iter(path, ID.as_bytes()) {
        with_id.extend_from_slice(path.get(from..at).unwrap_or_default());
        with_id.extend_from_slice(id.as_bytes());
        from = at + ID.len();
    }
    with_id.extend_from_slice(path.get(from..).unwrap_or_default());
    with_id
}

/// Where a path leads to, as far as it is there.
fn resolved(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path);
    let path = path.context("the working directory cannot be read")?;
    let mut place = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                place.pop();
            }
            component => place.push(component),
        }
        if let Ok(real) = place.canonicalize() {
            place = real;
        }
    }
    Ok(place)
}

/// Says what is to be said of several nodes: what is the same of all only once.
#[derive(Debug, Default)]
pub struct Said(HashSet<String>);

impl Said {
    /// Whether a line is to be said, as it has not been yet.
    pub fn is_new(&mut self, line: &str) -> bool {
        self.0.insert(line.to_owned())
    }

    /// Says a line, unless it has been.
    pub fn say(&mut self, line: &str, progress: &Progress) {
        if self.is_new(line) {
            progress.say(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_id_takes_every_place_that_is_for_it() {
        for (path, expected) in
            [("node{id}", "node7"), ("{id}/{id}.db", "7/7.db"), ("{{id}", "{7"), ("{i}d", "{i}d")]
        {
            assert_eq!(with_id(path.as_bytes(), NodeId(7)), expected.as_bytes());
        }
    }

    #[test]
    fn a_path_leads_where_its_links_do() {
        let home = tempfile::tempdir().unwrap();
        let home = home.path().canonicalize().unwrap();
        std::fs::create_dir(home.join("a")).unwrap();
        std::os::unix::fs::symlink("a", home.join("link")).unwrap();
        for path in ["a/new", "link/new", "none/../a/new", "link/../a/./new"] {
            assert_eq!(resolved(&home.join(path)).unwrap(), home.join("a/new"), "{path}");
        }
    }
}
