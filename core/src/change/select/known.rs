//! The objects that there are, and those that are asked for.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::choice::Choice;
use super::error::SelectError;
use super::selector::{Alias, Keys, Rest};
use crate::ordered;
use crate::state::objects::{Object, ObjectRef, Owner, near};
use crate::value::ObjectKind;

/// The objects that there are.
pub(super) struct Known {
    by_owner: HashMap<Owner, u32>,
    /// Those with ids whose names stand in keys.
    by_name: HashMap<Alias, Vec<u32>>,
}

impl Known {
    pub(super) fn of(objects: &[Object], aliases: &BTreeMap<Alias, Keys>) -> Self {
        let kinds = ordered::set(aliases.keys().map(|(kind, ..)| *kind));
        let mut by_owner = HashMap::with_capacity(objects.len());
        let mut by_name: HashMap<Alias, Vec<u32>> = HashMap::new();
        for (object, number) in objects.iter().zip(0..) {
            let named = object.tenant.clone().zip(object.name.clone());
            match (object.id, named) {
                (Some(id), named) => {
                    by_owner.insert(Owner::Id(object.kind, id), number);
                    if let Some((tenant, name)) = named.filter(|_| kinds.contains(&object.kind)) {
                        by_name.entry((object.kind, tenant, name)).or_default().push(number);
                    }
                }
                (None, Some((tenant, name))) => {
                    by_owner.insert(Owner::Name(object.kind, tenant, name), number);
                }
                (None, None) => {}
            }
        }
        Self { by_owner, by_name }
    }

    /// The numbers of what an owner is.
    pub(super) fn numbers(&self, owner: &Owner) -> Vec<u32> {
        match (self.by_owner.get(owner), owner) {
            (Some(number), _) => vec![*number],
            (None, Owner::Name(kind, tenant, name)) => {
                self.alias(&(*kind, tenant.clone(), name.clone())).to_vec()
            }
            _ => Vec::new(),
        }
    }

    pub(super) fn alias(&self, alias: &Alias) -> &[u32] {
        self.by_name.get(alias).map(Vec::as_slice).unwrap_or_default()
    }
}

/// An object in words: `table sales.orders (id 42)`.
pub(crate) fn described(object: &Object) -> String {
    let kind = object.kind.name().replace('_', " ");
    match (&object.name, object.id) {
        (Some(_), Some(id)) => format!("{kind} {} (id {id})", object.full_name()),
        (Some(_), None) => format!("{kind} {}", object.full_name()),
        (None, Some(id)) => format!("{kind} {id}"),
        (None, None) => kind,
    }
}

/// Refuses names of what is not there, or is there more than once.
pub(super) fn assert_there(
    choice: &Choice,
    objects: &[Object],
    known: &Known,
    rest: &BTreeMap<Rest, Keys>,
    seen: &BTreeSet<String>,
) -> Result<(), SelectError> {
    if choice.tenants.is_empty() && choice.prefixes.is_empty() && choice.objects.is_empty() {
        return Err(SelectError::NothingChosen);
    }
    let of_objects = objects.iter().filter_map(|object| object.tenant.as_deref());
    let of_rest = rest.keys().filter_map(|(_, _, tenant)| tenant.as_deref());
    let of_names = known.by_name.keys().map(|(_, tenant, _)| &**tenant);
    let tenants = ordered::set(of_objects.chain(of_rest).chain(of_names));
    if let Some(asked) = choice.tenants.iter().find(|asked| !tenants.contains(asked.as_str())) {
        let near = near(asked, tenants.iter().copied());
        return Err(SelectError::NoTenant { asked: asked.clone(), near });
    }
    if let Some(asked) = choice.prefixes.iter().find(|prefix| !seen.contains(*prefix)) {
        return Err(SelectError::NoKey { asked: format!("that begins with {asked}") });
    }
    for asked in &choice.objects {
        let found = || objects.iter().filter(|object| asked.names(object));
        match asked {
            ObjectRef::Key(key) if seen.contains(key) => continue,
            ObjectRef::Key(key) => return Err(SelectError::NoKey { asked: key.clone() }),
            _ => {}
        }
        if found().next().is_none() {
            if let ObjectRef::Name { kind: ObjectKind::Tenant, name, .. } = asked
                && tenants.contains(name.as_str())
            {
                return Err(SelectError::NoOwnKey(name.clone()));
            }
            let near = asked.near(objects);
            return Err(SelectError::NoObject { asked: asked.to_string(), near });
        }
        let has_tenant = matches!(
            asked,
            ObjectRef::Id(..)
                | ObjectRef::Name { tenant: Some(_), .. }
                | ObjectRef::Path { tenant: Some(_), .. }
        );
        let tenants = ordered::set(found().filter_map(|found| found.tenant.as_deref()));
        if !has_tenant && tenants.len() > 1 {
            let tenants = tenants.into_iter().map(str::to_owned).collect();
            return Err(SelectError::Ambiguous { asked: asked.to_string(), tenants });
        }
    }
    Ok(())
}
