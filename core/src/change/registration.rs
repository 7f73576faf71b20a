//! The keys with which query nodes announce themselves.
//!
//! A node writes what it is, with an expiry, and renews that as long as it lives: what a dump has
//! of it mentions nodes that were there when the dump was taken.

/// Whether a record is the registration of a query node: one below `__fd_clusters`, any of its
/// numbered successors, or `__fd_warehouses`, that expires. A warehouse that the system manages
/// stands beside them without expiry: that is a definition.
///
/// ```
/// use metadump::registration::is_registration;
///
/// assert!(is_registration("__fd_clusters_v6/acme/online_nodes/n1", Some(1_796_273_929_000)));
/// assert!(is_registration("__fd_warehouses/v1/acme/c1", Some(1_796_273_929_000)));
/// assert!(!is_registration("__fd_warehouses/v1/acme/managed", None));
/// ```
pub fn is_registration(key: &str, expire_at: Option<u64>) -> bool {
    expire_at.is_some() && key.split_once('/').is_some_and(|(prefix, _)| is_of_nodes(prefix))
}

/// Whether nodes register below this prefix.
fn is_of_nodes(prefix: &str) -> bool {
    let Some(version) = prefix.strip_prefix("__fd_clusters") else {
        return prefix == "__fd_warehouses";
    };
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    version.is_empty() || version.strip_prefix("_v").is_some_and(is_number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(key: &str, expected: bool) {
        assert_eq!(is_registration(key, Some(1)), expected, "{key}");
        assert!(!is_registration(key, None), "{key}");
    }

    #[test]
    fn keys_of_all_ages() {
        check("__fd_clusters/acme/c1/databend_query/n1", true);
        check("__fd_clusters_v3/acme/c1/databend_query/n1", true);
        check("__fd_clusters_v6/acme/online_nodes/n1", true);
        check("__fd_clusters_v6/acme/online_clusters/w1/c1/n1", true);
        check("__fd_clusters_v12/acme/online_nodes/n1", true);
        check("__fd_warehouses/v1/acme/w1", true);
    }

    #[test]
    fn keys_of_others() {
        check("__fd_clusters", false);
        check("__fd_clusters_v/acme/n1", false);
        check("__fd_clusters_v6x/acme/n1", false);
        check("__fd_clusters_of_mine/acme/n1", false);
        check("__fd_warehouses", false);
        check("__fd_warehouses_v2/v1/acme/w1", false);
        check("__fd_table_lock/acme/7/1", false);
        check("x/__fd_clusters/acme/n1", false);
    }
}
