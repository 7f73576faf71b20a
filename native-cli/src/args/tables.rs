//! `--to parquet`: tables in place of a dump.

use clap::{Args, ValueEnum};

/// Tables in place of a dump.
#[derive(Debug, Args)]
pub struct Tables {
    /// Write no dump, but tables for DuckDB, Databend or Spark: `keys`, `log`, `objects` and `findings`,
    /// each a file `TABLE/cluster=NAME/day=YYYY-MM-DD/DUMP.TIME.parquet` below a folder or a prefix that many
    /// dumps share. Credentials are masked. Damaged data gives what can be read of it.
    #[arg(
        long,
        value_name = "FORM",
        value_enum,
        help_heading = HEADING,
        group = "into_folder",
        requires = "cluster_name"
    )]
    pub to: Option<TableForm>,

    /// The name of the cluster, by which engines tell its tables from those of others.
    #[arg(
        id = "cluster_name",
        long = "cluster",
        value_name = "NAME",
        help_heading = HEADING,
        value_parser = cluster_name,
        requires = "to"
    )]
    pub cluster: Option<String>,
}

impl Tables {
    /// The cluster that tables are asked for of.
    pub fn of_cluster(&self) -> Option<&str> {
        self.to.and(self.cluster.as_deref())
    }
}

/// Under which the help lists them.
const HEADING: &str = "Tables";

/// What Hive calls a partition without a name: an engine reads it as no name.
const NO_NAME: &str = "__HIVE_DEFAULT_PARTITION__";

/// The form of tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TableForm {
    /// Apache Parquet.
    Parquet,
}

fn cluster_name(text: &str) -> Result<String, String> {
    match text {
        "" => Err("a cluster has a name".to_owned()),
        NO_NAME => Err("engines read this as no name at all".to_owned()),
        text => Ok(text.to_owned()),
    }
}
