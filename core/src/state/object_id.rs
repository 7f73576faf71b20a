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
        // The marker ends with the first slash: of most keys nothing behind it is looked at.
        let slash = memchr::memchr(b'/', key.as_bytes())?;
        let (first, ids) = key.split_at_checked(slash + 1)?;
        let kind = first.strip_prefix("__fd_")?.strip_suffix(marker)?;
        let id = ids.rsplit('/').next()?.parse().ok()?;
        Some(Self { kind, id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_segment_says_whether_a_key_holds_an_object() {
        let id = |kind| Some(ObjectId { kind, id: 5 });
        assert_eq!(ObjectId::held_by("__fd_table_by_id/5"), id("table"));
        assert_eq!(ObjectId::held_by("__fd_a_by_id_by_id/5"), id("a_by_id"));
        assert_eq!(ObjectId::named_by("__fd_index_id_to_name/5"), id("index"));
        for none in [
            "__fd_by_id/5",
            "__fd_table_by_id",
            "__fd_table_by_id/",
            "__fd_table_by_id/x",
            "__fd_table/1/a_by_id/5",
            "table_by_id/5",
            "",
        ] {
            assert_eq!(ObjectId::held_by(none), None, "{none}");
        }
    }
}
