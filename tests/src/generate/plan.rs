//! Which records a made-up dump has: ids, sequence numbers, log positions and times, each
//! computed from a position.

/// Files that are loaded into each table.
pub(super) const FILES: u64 = 20;

/// One file in so many is forgotten after a while: its key expires.
pub(super) const FILES_PER_EXPIRY: u64 = 10;

/// Sequence numbers that a table takes: its id, its four other records, and its files.
const TABLE_SEQS: u64 = 1 + 4 + FILES;

/// Sequence numbers that a database takes: its id and its three other records.
const DATABASE_SEQS: u64 = 1 + 3;

/// Log entries that a table takes: the id, the table, the files.
pub(super) const TABLE_ENTRIES: u64 = 3;

/// How many keys expire at the same moment.
pub(super) const EXPIRY_GROUP: u64 = 4;

/// The first log index that belongs to a table; what came before is purged.
const TABLES_START_AT_INDEX: u64 = 1_000;

/// The leader's clock at the first table's first entry, milliseconds since 1970 (in 2026).
const CLOCK_MS: u64 = 1_780_000_000_000;

/// When the first keys expire, milliseconds since 1970: in the year 2100, so that none of the
/// keys expires while a dump is in use, whatever today is.
const EXPIRY_MS: u64 = 4_102_444_800_000;

/// Where everything is in a dump with so many tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    /// Tables in the state machine.
    pub(super) tables: u64,
    /// Tables that only the log knows, created after the snapshot was taken.
    pub(super) later_tables: u64,
    /// Tables of the state machine whose creation is still in the log.
    logged_tables: u64,
    /// Databases.
    pub(super) databases: u64,
    /// Users.
    pub(super) users: u64,
    first_database_id: u64,
    first_table_id: u64,
    /// Steps through the expiring keys in the order of their times; coprime to their number.
    stride: u64,
    /// Undoes `stride`.
    inverse_stride: u64,
}

impl Plan {
    pub(super) fn new(tables: u64) -> Self {
        let later_tables = tables / 50 + 1;
        let databases = tables / 50 + 1;
        let users = tables / 20 + 1;
        // All ids of a kind have the same number of digits, so keys sort as their ids do.
        let first_database_id = same_width_from(users + 1, databases * DATABASE_SEQS);
        let first_table_id = same_width_from(
            first_database_id + databases * DATABASE_SEQS,
            (tables + later_tables) * TABLE_SEQS,
        );
        let expiring = tables * (FILES / FILES_PER_EXPIRY);
        let (stride, inverse_stride) = coprime(expiring);
        Self {
            tables,
            later_tables,
            logged_tables: tables / 10 + 1,
            databases,
            users,
            first_database_id,
            first_table_id,
            stride,
            inverse_stride,
        }
    }

    pub(super) const fn user_seq(&self, user: u64) -> u64 {
        1 + user
    }

    /// A database's id, which is a sequence number as well.
    pub(super) const fn database_id(&self, database: u64) -> u64 {
        self.first_database_id + database * DATABASE_SEQS
    }

    /// A table's id, which is a sequence number as well.
    pub(super) const fn table_id(&self, table: u64) -> u64 {
        self.first_table_id + table * TABLE_SEQS
    }

    /// The sequence number of a file's record.
    pub(super) const fn file_seq(&self, table: u64, file: u64) -> u64 {
        self.table_id(table) + 5 + file
    }

    /// The database that a table is in; tables of one database follow each other.
    pub(super) const fn database_of(&self, table: u64) -> u64 {
        let in_first = (self.tables + self.later_tables).div_ceil(self.databases);
        table / in_first
    }

    /// The last sequence number that the state machine has given out.
    pub(super) const fn sequence(&self) -> u64 {
        self.table_id(self.tables) - 1
    }

    /// The tables whose entries are in the log.
    pub(super) const fn log_tables(&self) -> std::ops::Range<u64> {
        self.tables.saturating_sub(self.logged_tables)..self.tables + self.later_tables
    }

    /// The log index of a table's n-th entry.
    pub(super) const fn entry_index(&self, table: u64, nth: u64) -> u64 {
        TABLES_START_AT_INDEX + table * TABLE_ENTRIES + nth
    }

    /// The index of the log's first entry, one before the first table's.
    pub(super) const fn first_index(&self) -> u64 {
        self.entry_index(self.log_tables().start, 0) - 1
    }

    pub(super) const fn last_applied_index(&self) -> u64 {
        self.entry_index(self.tables, 0) - 1
    }

    pub(super) const fn last_index(&self) -> u64 {
        self.entry_index(self.tables + self.later_tables, 0) - 1
    }

    /// The leader's clock at a log index, milliseconds.
    pub(super) const fn clock_ms(&self, index: u64) -> u64 {
        CLOCK_MS + index * 37
    }

    /// How many keys of the state machine expire.
    pub(super) const fn expiring(&self) -> u64 {
        self.tables * (FILES / FILES_PER_EXPIRY)
    }

    /// When a file's record expires, milliseconds; none for most. Whole seconds, which is all
    /// that releases before 1.2.770 could say.
    pub(super) fn expiry_ms(&self, table: u64, file: u64) -> Option<u64> {
        if !file.is_multiple_of(FILES_PER_EXPIRY) {
            return None;
        }
        let nth = table * (FILES / FILES_PER_EXPIRY) + file / FILES_PER_EXPIRY;
        let rank = if table < self.tables {
            modular_product(nth, self.inverse_stride, self.expiring())
        } else {
            nth
        };
        Some(EXPIRY_MS + rank / EXPIRY_GROUP * 1_000)
    }

    /// The table and file that the key of a rank belongs to, ranks being in the order of time.
    pub(super) fn expiring_file(&self, rank: u64) -> (u64, u64) {
        let nth = modular_product(rank, self.stride, self.expiring());
        let each = FILES / FILES_PER_EXPIRY;
        (nth / each, nth % each * FILES_PER_EXPIRY)
    }
}

/// The least power of ten from `least` on after which `count` numbers have the same width.
fn same_width_from(least: u64, count: u64) -> u64 {
    let mut start: u64 = 1;
    while start < least || start.saturating_mul(9) < count {
        start = start.saturating_mul(10);
    }
    start
}

/// A number near 0.618 times `n` that has no divisor in common with `n`, and its inverse modulo
/// `n`: multiples of it visit every number below `n` once, in no apparent order.
fn coprime(n: u64) -> (u64, u64) {
    let near = u64::try_from(u128::from(n) * 618 / 1000).unwrap_or(1).max(1);
    let candidates = near..=near.saturating_add(n);
    candidates
        .filter_map(|stride| inverse(stride, n).map(|inverse| (stride, inverse)))
        .next()
        .unwrap_or((1, 1))
}

/// The inverse of `a` modulo `n` by Euclid's extended algorithm, if there is one.
fn inverse(a: u64, n: u64) -> Option<u64> {
    let (mut r, mut next_r) = (i128::from(n), i128::from(a));
    let (mut t, mut next_t) = (0i128, 1i128);
    while next_r != 0 {
        let quotient = r / next_r;
        (r, next_r) = (next_r, r - quotient * next_r);
        (t, next_t) = (next_t, t - quotient * next_t);
    }
    if r != 1 {
        return None;
    }
    u64::try_from(t.rem_euclid(i128::from(n))).ok()
}

fn modular_product(a: u64, b: u64, n: u64) -> u64 {
    let product = u128::from(a) * u128::from(b) % u128::from(n);
    u64::try_from(product).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ranks_visit_every_expiring_file_once_and_agree_with_its_time() {
        for tables in [1, 2, 5, 6, 7, 10, 99, 100, 1000] {
            let plan = Plan::new(tables);
            let mut seen = BTreeSet::new();
            for rank in 0..plan.expiring() {
                let (table, file) = plan.expiring_file(rank);
                let expected = EXPIRY_MS + rank / EXPIRY_GROUP * 1_000;
                assert_eq!(plan.expiry_ms(table, file), Some(expected), "{tables} {rank}");
                assert!(seen.insert((table, file)), "{tables} {rank}");
            }
            assert_eq!(seen.len() as u64, plan.expiring());
            assert!(seen.iter().all(|(table, file)| *table < tables && *file < FILES));
        }
    }

    #[test]
    fn ids_of_a_kind_have_one_width_and_kinds_do_not_overlap() {
        for tables in [1, 3, 50, 1_000, 123_456, 9_999_999_999] {
            let plan = Plan::new(tables);
            let digits = |id: u64| id.to_string().len();
            assert!(plan.user_seq(plan.users - 1) < plan.database_id(0));
            let last_database = plan.database_id(plan.databases) - 1;
            assert_eq!(digits(plan.database_id(0)), digits(last_database));
            assert!(last_database < plan.table_id(0));
            let last_table = plan.table_id(plan.tables + plan.later_tables) - 1;
            assert_eq!(digits(plan.table_id(0)), digits(last_table));
            assert!(plan.database_of(tables + plan.later_tables - 1) < plan.databases);
        }
    }
}
