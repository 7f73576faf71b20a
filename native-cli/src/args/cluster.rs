//! The cluster a dump is restored as, and the versions that can be written.

use clap::{Args, ValueEnum};
use metadump::record::{DataVersion, NodeId};

use super::values::whole;

/// The new cluster that a dump is restored as.
#[derive(Debug, Args)]
pub struct Cluster {
    /// The id of the node that is restored; it must be one of the new cluster. By default it is
    /// that of the only node; of several, one has to be named.
    #[arg(long, value_name = "ID", value_parser = parse_node_id)]
    pub id: Option<NodeId>,

    /// A node of the new cluster, `ID=HOST:PORT`, or several separated by commas; may be
    /// repeated.
    #[arg(long, value_name = "ID=HOST:PORT")]
    pub initial_cluster: Vec<String>,

    /// Every node of the new cluster at once, all or none: `{id}` in the path stands for the id of
    /// each.
    #[arg(long, conflicts_with = "id")]
    pub all: bool,
}

impl Cluster {
    /// Whether any of it is.
    pub const fn is_given(&self) -> bool {
        self.id.is_some() || self.all || !self.initial_cluster.is_empty()
    }
}

impl Cluster {
    /// The id, when it is given without a cluster: then it changes nothing.
    pub fn id_alone(&self) -> Option<NodeId> {
        self.id.filter(|_| self.initial_cluster.is_empty())
    }
}

fn parse_node_id(text: &str) -> Result<NodeId, String> {
    whole(text, "below 2^64").map(NodeId)
}

/// The data versions that can be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TargetVersion {
    /// Releases 1.1.40 to 1.2.52.
    #[value(name = "V001")]
    V001,
    /// Releases 1.2.53 to 1.2.546.
    #[value(name = "V002")]
    V002,
    /// Releases 1.2.547 to 1.2.654.
    #[value(name = "V003")]
    V003,
    /// Releases since 1.2.655.
    #[value(name = "V004")]
    V004,
}

impl TargetVersion {
    /// The version.
    pub const fn data_version(self) -> DataVersion {
        match self {
            Self::V001 => DataVersion::V001,
            Self::V002 => DataVersion::V002,
            Self::V003 => DataVersion::V003,
            Self::V004 => DataVersion::V004,
        }
    }
}
