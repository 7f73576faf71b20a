//! The ids that a database gives to its objects, as they stand in keys.
//!
//! An id is the sequence number of a write to `__fd_id_gen/<kind>`, so no two objects of a service
//! share one, and the service's sequence is at or beyond every id that it has given out.

/// The id of an object, and what it is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId<'a> {
    /// The kind of object, as its keys spell it: `table`, `database`.
    pub kind: &'a str,
    /// The id.
    pub id: u64,
}

impl<'a> ObjectId<'a> {
    /// The object that a key holds, of the form `__fd_<kind>_by_id/…/<id>`.
    ///
    /// ```
    /// use metadump::object_id::ObjectId;
    ///
    /// let key = "__fd_row_access_policy_by_id/tenant/57";
    /// assert_eq!(ObjectId::held_by(key), Some(ObjectId { kind: "row_access_policy", id: 57 }));
    /// assert_eq!(ObjectId::held_by("__fd_database_id_to_name/57"), None);
    /// ```
    pub fn held_by(key: &'a str) -> Option<Self> {
        Self::before(key, "_by_id/")
    }

    /// The object that a key names, of the form `__fd_<kind>_id_to_name/…/<id>`.
    pub fn named_by(key: &'a str) -> Option<Self> {
        Self::before(key, "_id_to_name/")
    }

    /// Some kinds have a tenant in between: the id is the last segment either way.
    fn before(key: &'a str, marker: &str) -> Option<Self> {
        let (kind, ids) = key.strip_prefix("__fd_")?.split_once(marker)?;
        let id = ids.rsplit('/').next()?.parse().ok()?;
        (!kind.contains('/')).then_some(Self { kind, id })
    }
}
