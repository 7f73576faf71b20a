//! What is not brought, and why.

use anyhow::{Result, anyhow};
use metadump::carry::{Becomes, CarryError, CarryPlan, Fate};
use metadump::value::ObjectKind;

use super::{Prepared, differs, is_changed_there};
use crate::command::filter;
use crate::failure::{Help, Usage, WithHelp};
use crate::report::{plural, printable};

/// The refusal of what is asked for.
pub fn refused(name: &str, error: &CarryError) -> anyhow::Error {
    let text = printable(&error.to_string());
    let help = match error {
        CarryError::Select(error) => return filter::refused(name, error.clone()),
        CarryError::Key(_) => "name the object: `databend-metactl objects` lists those of a dump",
        CarryError::Dropped { .. } => {
            "--at takes the state before it was dropped; `databend-metactl log --object` shows when \
             that was"
        }
        CarryError::Several { .. } => "give the id instead: table:ID, database:ID",
        CarryError::NotRenamed { .. } => {
            "only databases and tables get other names: leave out --as, or rename what has the name \
             in the cluster"
        }
        CarryError::NewName { .. } => {
            "a database gets a name such as shop2, a table one such as orders2 or shop2.orders"
        }
        CarryError::OtherTenant { .. } => {
            "an object stays in its tenant, whose roles and policies it refers to"
        }
        CarryError::NoDatabase { near, .. } if near.is_empty() => {
            "the tenant has no database there: bring it back, or create it"
        }
        CarryError::NoDatabase { near, .. } => {
            return Usage::error(text, &format!("there is: {}", printable(&near.join(", "))));
        }
        CarryError::SameName { .. } => "give them different names with --as",
        CarryError::Unread { .. } => {
            return anyhow!("{text}").context(Help(
                "nothing was written: free the ids in the cluster, or leave the object out"
                    .to_owned(),
            ));
        }
        _ => "see `databend-metactl import --help`",
    };
    Usage::error(text, help)
}

/// Refuses what would write over something, or point at something else.
pub fn objections(plan: &CarryPlan, prepared: &Prepared) -> Result<()> {
    let mut taken = Vec::new();
    let mut clashes = Vec::new();
    for (item, _, settled) in prepared.steps(plan) {
        match item.fate {
            Fate::Taken { .. } if differs(settled) && !is_changed_there(item, settled) => {
                taken.push(item);
            }
            Fate::Taken { .. } => {}
            _ => clashes.extend(&settled.clashes),
        }
    }
    if let Some(first) = taken.first() {
        let more = match taken.len() as u64 - 1 {
            0 => String::new(),
            more => format!(", and {} more", plural(more, "object")),
        };
        let described = first.described();
        let has = match &first.called {
            None => format!("{}{more} already, and not as in the dump", printable(&described)),
            Some(called) => format!(
                "a {} {}{more} already, and it is not {} of the dump",
                first.object.kind.name(),
                printable(called),
                printable(&described)
            ),
        };
        let can_be_renamed = matches!(first.object.kind, ObjectKind::Database | ObjectKind::Table);
        return Err(anyhow!("the cluster has {has}")).help(if can_be_renamed {
            "nothing was written: give it another name with --as, or rename or drop what is there"
        } else {
            "nothing was written: rename or drop what is there"
        });
    }
    if let Some(first) = clashes.first() {
        return Err(anyhow!(
            "the cluster has {} already that would be written, the first one \"{}\"",
            plural(clashes.len() as u64, "key"),
            printable(first)
        ))
        .help("nothing was written: see what it is with `get`, and whether it can go");
    }
    let mut others = prepared.composed.outside.iter();
    if let Some(outside) = others.find(|outside| outside.becomes == Becomes::Another) {
        let kind = outside.kind.name().replace('_', " ");
        return Err(anyhow!(
            "key \"{}\" refers to the {kind} {}, which is another one in the cluster",
            printable(&outside.key),
            outside.id
        ))
        .help(
            "nothing was written: bring what it refers to as well, with --object, or first remove \
             that from what refers to it",
        );
    }
    Ok(())
}
