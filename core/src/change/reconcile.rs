//! What a running service lacks of a dump's state.
//!
//! Both sides come in key order and are merged; the plan that comes out names the keys to write
//! and to delete, each with the sequence number at which the service was found, so that a write
//! of somebody else in the meantime is noticed and never overwritten. What was written is equal
//! the next time: a plan that was carried out in part is continued by making a new one.
//!
//! ```text
//! state of the dump ──┐
//!                     ├─► Reconciler ─► WritePlan: puts, deletions, id conflicts
//! keys of the service ┘
//! ```

use std::borrow::Cow;
use std::iter::Peekable;

use crate::change::registration::is_registration;
use crate::dump::record::SeqV;
use crate::state::apply::{ExpiryRule, SharedRecord};
use crate::state::object_id::ObjectId;

/// What it takes to give a service the keys of a dump.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WritePlan {
    /// Keys that only the dump has, in order.
    pub missing: Vec<String>,
    /// Keys with another value or expiry, in order.
    pub different: Vec<Present>,
    /// Keys that only the service has and that do not expire by themselves, in order.
    pub extra: Vec<Present>,
    /// How many keys the service has beside those that expire by themselves.
    pub extra_expiring: u64,
    /// How many keys are the same on both sides.
    pub same: u64,
    /// How many keys of the dump have expired.
    pub expired: u64,
    /// How many keys of the dump are registrations of query nodes that are left out.
    pub registrations: u64,
    /// Ids that stand for one object in the dump and for another one in the service.
    pub conflicts: Vec<IdConflict>,
    /// The largest object id in the dump.
    pub largest_id: Option<(String, u64)>,
    /// The largest sequence number of a key in the service.
    pub largest_seq: u64,
}

/// A key of the service as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Present {
    /// The key.
    pub key: String,
    /// The sequence number of its record.
    pub seq: u64,
}

/// An id that both sides gave out, for different objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdConflict {
    /// The kind of object.
    pub kind: String,
    /// The id.
    pub id: u64,
}

impl WritePlan {
    /// Whether the service has every key of the dump already.
    pub fn is_done(&self) -> bool {
        self.missing.is_empty() && self.different.is_empty()
    }

    /// The keys to write, with the sequence number at which the service was found; 0 when it does
    /// not have the key.
    pub fn puts(&self) -> impl Iterator<Item = (&str, u64)> {
        let missing = self.missing.iter().map(|key| (key.as_str(), 0));
        missing.chain(self.different.iter().map(|found| (found.key.as_str(), found.seq)))
    }

    /// How far the service's sequence must go before an id that it gives out next cannot be one
    /// of the dump; none when it has come so far.
    pub fn sequence_gap(&self, sequence: u64) -> Option<u64> {
        let (_, largest) = self.largest_id.as_ref()?;
        largest.checked_sub(sequence).filter(|gap| *gap > 0)
    }
}

/// What becomes of the registrations of query nodes in a dump, see [`is_registration`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registrations {
    /// They are left out, and what the service has under their keys is left alone: the nodes of
    /// then are gone, and those of now register themselves.
    LeftOut,
    /// They are keys like all others.
    Wanted,
}

/// Why two sides cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CompareError<E> {
    /// The state of the dump cannot be read.
    #[error("the state of the dump cannot be read: {0}")]
    Store(E),
    /// The service's keys do not ascend.
    #[error("the service lists key {key:?} after {after:?}: keys must ascend")]
    Unsorted {
        /// The key.
        key: String,
        /// The one before it.
        after: String,
    },
}

/// Merges the keys of a dump's state with those of a service.
#[allow(missing_debug_implementations)] // the iterator behind it has none
pub struct Reconciler<W: Iterator> {
    wanted: Peekable<W>,
    expiry: ExpiryRule,
    clock_ms: u64,
    registrations: Registrations,
    last_key: Option<String>,
    plan: WritePlan,
}

/// What a key of the dump asks for.
enum Fate<'a> {
    /// The record is to be there.
    Wanted(Cow<'a, str>, SharedRecord),
    /// It has expired: the dump does not have the key any more.
    Expired,
    /// It is a registration that is left out.
    Registration,
}

impl<'a, E, W> Reconciler<W>
where
    W: Iterator<Item = Result<(Cow<'a, str>, SharedRecord), E>>,
{
    /// Compares the state of a dump, in key order, of which what has expired by `clock_ms`, the
    /// service's clock in milliseconds since 1970, is left out, with a service that has this unit
    /// of expiry.
    pub fn new(wanted: W, expiry: ExpiryRule, clock_ms: u64, registrations: Registrations) -> Self {
        let wanted = wanted.peekable();
        let plan = WritePlan::default();
        Self { wanted, expiry, clock_ms, registrations, last_key: None, plan }
    }

    /// The next key of the service.
    ///
    /// # Errors
    ///
    /// See [`CompareError`].
    pub fn present(&mut self, key: &str, record: &SeqV<'_>) -> Result<(), CompareError<E>> {
        if let Some(after) = self.last_key.as_ref().filter(|after| after.as_str() >= key) {
            return Err(CompareError::Unsorted { key: key.to_owned(), after: after.clone() });
        }
        let last_key = self.last_key.get_or_insert_default();
        last_key.clear();
        last_key.push_str(key);
        self.plan.largest_seq = self.plan.largest_seq.max(record.seq);

        self.missing_before(Some(key))?;
        let is_same_key = matches!(self.wanted.peek(), Some(Ok((wanted, _))) if *wanted == key);
        match if is_same_key { self.next_wanted()? } else { None } {
            Some(Fate::Wanted(_, wanted)) => self.both(key, &wanted, record),
            Some(Fate::Registration) => {}
            Some(Fate::Expired) | None if record.expire_ms().is_some() => {
                self.plan.extra_expiring += 1;
            }
            Some(Fate::Expired) | None => {
                self.plan.extra.push(Present { key: key.to_owned(), seq: record.seq });
            }
        }
        Ok(())
    }

    /// The plan, after the last key of the service.
    ///
    /// # Errors
    ///
    /// See [`CompareError`].
    pub fn finish(mut self) -> Result<WritePlan, CompareError<E>> {
        self.missing_before(None)?;
        Ok(self.plan)
    }

    /// Takes the keys of the dump that come before a key of the service, or all.
    fn missing_before(&mut self, key: Option<&str>) -> Result<(), CompareError<E>> {
        loop {
            match self.wanted.peek() {
                None => return Ok(()),
                Some(Ok((wanted, _))) if key.is_some_and(|key| &**wanted >= key) => return Ok(()),
                Some(_) => {}
            }
            if let Some(Fate::Wanted(wanted, _)) = self.next_wanted()? {
                self.plan.missing.push(wanted.into_owned());
            }
        }
    }

    /// The next key of the dump, if there is one.
    fn next_wanted(&mut self) -> Result<Option<Fate<'a>>, CompareError<E>> {
        let Some(next) = self.wanted.next() else { return Ok(None) };
        let (key, record) = next.map_err(CompareError::Store)?;
        if let Some(ObjectId { kind, id }) = ObjectId::held_by(&key)
            && self.plan.largest_id.as_ref().is_none_or(|(_, largest)| *largest < id)
        {
            self.plan.largest_id = Some((kind.to_owned(), id));
        }
        if record.expire_ms().is_some_and(|expire_ms| expire_ms < self.clock_ms) {
            self.plan.expired += 1;
            return Ok(Some(Fate::Expired));
        }
        let expire_at = record.meta.and_then(|meta| meta.expire_at);
        if self.registrations == Registrations::LeftOut && is_registration(&key, expire_at) {
            self.plan.registrations += 1;
            return Ok(Some(Fate::Registration));
        }
        Ok(Some(Fate::Wanted(key, record)))
    }

    /// A key that both sides have.
    fn both(&mut self, key: &str, wanted: &SeqV<'_>, present: &SeqV<'_>) {
        if is_same(wanted, present, self.expiry) {
            self.plan.same += 1;
            return;
        }
        self.plan.different.push(Present { key: key.to_owned(), seq: present.seq });
        if let Some(ObjectId { kind, id }) = ObjectId::named_by(key) {
            self.plan.conflicts.push(IdConflict { kind: kind.to_owned(), id });
        }
    }
}

/// Whether a record of the service is what a write of the dump's record makes: the same value, and
/// the same expiry in the service's unit.
pub fn is_same(wanted: &SeqV<'_>, present: &SeqV<'_>, expiry: ExpiryRule) -> bool {
    let of_present = present.meta.and_then(|meta| meta.expire_at);
    let same_expiry = match (expire_at(wanted, expiry), of_present) {
        (None, None) => true,
        (Some(wanted), Some(present)) => expiry.to_ms(wanted) == expiry.to_ms(present),
        _ => false,
    };
    same_expiry && wanted.data == present.data
}

/// When a record of the dump is to expire, in the unit of the service; up to a second later where
/// that is seconds, never earlier.
pub fn expire_at(wanted: &SeqV<'_>, expiry: ExpiryRule) -> Option<u64> {
    let stored = wanted.meta.and_then(|meta| meta.expire_at)?;
    Some(match expiry {
        ExpiryRule::ByMagnitude => stored,
        ExpiryRule::Seconds => crate::dump::record::expire_at_ms(stored).div_ceil(1000),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::convert::Infallible;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::dump::record::KVMeta;

    fn record(seq: u64, value: &str, expire_at: Option<u64>) -> SeqV<'static> {
        let meta = Some(KVMeta { expire_at, proposed_at_ms: Some(seq) });
        SeqV { seq, meta, data: value.as_bytes().to_vec().into() }
    }

    type Records<'a> = [(&'a str, SeqV<'static>)];

    fn plan(wanted: &Records<'_>, present: &Records<'_>, expiry: ExpiryRule) -> WritePlan {
        let wanted = wanted.iter().map(|(key, record)| {
            Ok::<_, Infallible>((Cow::Borrowed(*key), Arc::new(record.clone())))
        });
        compare(wanted, present, expiry, Registrations::LeftOut)
    }

    fn compare<'a>(
        wanted: impl Iterator<Item = Result<(Cow<'a, str>, SharedRecord), Infallible>>,
        present: &Records<'_>,
        expiry: ExpiryRule,
        registrations: Registrations,
    ) -> WritePlan {
        let mut reconciler = Reconciler::new(wanted, expiry, CLOCK_MS, registrations);
        for (key, record) in present {
            reconciler.present(key, record).unwrap();
        }
        reconciler.finish().unwrap()
    }

    const CLOCK_MS: u64 = 1_800_000_000_000;
    const LATER_MS: u64 = CLOCK_MS + 1_500;

    fn found(key: &str, seq: u64) -> Present {
        Present { key: key.to_owned(), seq }
    }

    #[test]
    fn each_key_is_missing_different_extra_or_the_same() {
        let wanted = [
            ("a", record(1, "1", None)),
            ("b", record(2, "2", None)),
            ("c", record(3, "3", Some(LATER_MS))),
            ("d", record(4, "4", Some(CLOCK_MS - 1))),
            ("e", record(5, "5", Some(CLOCK_MS - 1))),
            ("z", record(6, "6", None)),
        ];
        let present = [
            ("0", record(20, "", None)),
            ("b", record(21, "2", None)),
            ("c", record(22, "3", None)),
            ("d", record(23, "new", None)),
            ("f", record(24, "", Some(LATER_MS))),
        ];
        let plan = plan(&wanted, &present, ExpiryRule::ByMagnitude);
        assert_eq!(
            plan,
            WritePlan {
                missing: vec!["a".to_owned(), "z".to_owned()],
                different: vec![found("c", 22)],
                extra: vec![found("0", 20), found("d", 23)],
                extra_expiring: 1,
                same: 1,
                expired: 2,
                registrations: 0,
                conflicts: vec![],
                largest_id: None,
                largest_seq: 24,
            }
        );
        assert!(!plan.is_done());
        assert_eq!(plan.puts().collect::<Vec<_>>(), [("a", 0), ("z", 0), ("c", 22)]);
    }

    #[test]
    fn registrations_are_left_out_and_left_alone() {
        let (node, gone, taken) = (
            "__fd_clusters_v6/t/online_nodes/a",
            "__fd_clusters_v6/t/online_nodes/b",
            "__fd_warehouses/v1/t/w",
        );
        let defined = "__fd_warehouses/v1/t/x";
        let wanted = [
            (node, record(1, "old", Some(LATER_MS))),
            (gone, record(2, "old", Some(LATER_MS))),
            ("__fd_clusters_v6/t/online_nodes/c", record(3, "old", Some(CLOCK_MS - 1))),
            (taken, record(4, "self-managed", Some(LATER_MS))),
            (defined, record(5, "system-managed", None)),
        ];
        let present = [
            (node, record(20, "new", Some(LATER_MS))),
            ("__fd_clusters_v6/t/online_nodes/d", record(21, "new", Some(LATER_MS))),
            (taken, record(22, "system-managed", None)),
        ];
        let left_out = WritePlan {
            missing: vec![defined.to_owned()],
            extra_expiring: 1,
            expired: 1,
            registrations: 3,
            largest_seq: 22,
            ..WritePlan::default()
        };
        assert_eq!(plan(&wanted, &present, ExpiryRule::ByMagnitude), left_out);

        let each =
            wanted.iter().map(|(key, record)| Ok((Cow::Borrowed(*key), Arc::new(record.clone()))));
        assert_eq!(
            compare(each, &present, ExpiryRule::ByMagnitude, Registrations::Wanted),
            WritePlan {
                missing: vec![gone.to_owned(), defined.to_owned()],
                different: vec![found(node, 20), found(taken, 22)],
                registrations: 0,
                ..left_out
            }
        );
    }

    #[test]
    fn expiry_is_compared_in_the_unit_of_the_service() {
        let wanted = [("k", record(1, "", Some(LATER_MS)))];
        let seconds = |at| [("k", record(9, "", Some(at)))];
        let rounded_up = LATER_MS.div_ceil(1000);
        assert!(plan(&wanted, &seconds(rounded_up), ExpiryRule::Seconds).is_done());
        assert!(!plan(&wanted, &seconds(rounded_up - 1), ExpiryRule::Seconds).is_done());
        assert!(!plan(&wanted, &seconds(rounded_up), ExpiryRule::ByMagnitude).is_done());
        assert!(plan(&wanted, &wanted, ExpiryRule::ByMagnitude).is_done());
    }

    #[test]
    fn an_id_that_names_two_objects_is_a_conflict() {
        let named = |name| [("__fd_table_id_to_name/7", record(8, name, None))];
        let conflict = IdConflict { kind: "table".to_owned(), id: 7 };
        let reported = plan(&named("ours"), &named("theirs"), ExpiryRule::ByMagnitude).conflicts;
        assert_eq!(reported, [conflict]);
        assert_eq!(plan(&named("a"), &named("a"), ExpiryRule::ByMagnitude).conflicts, []);
    }

    #[test]
    fn the_sequence_must_reach_the_largest_id() {
        let wanted = [
            ("__fd_database_by_id/30", record(31, "", None)),
            ("__fd_table_by_id/20", record(21, "", None)),
        ];
        let plan = plan(&wanted, &[], ExpiryRule::ByMagnitude);
        assert_eq!(plan.largest_id, Some(("database".to_owned(), 30)));
        assert_eq!(plan.sequence_gap(0), Some(30));
        assert_eq!(plan.sequence_gap(29), Some(1));
        assert_eq!(plan.sequence_gap(30), None);
        assert_eq!(WritePlan::default().sequence_gap(0), None);
    }

    #[test]
    fn keys_of_the_service_must_ascend() {
        let mut reconciler = Reconciler::new(
            std::iter::empty::<Result<_, Infallible>>(),
            ExpiryRule::ByMagnitude,
            CLOCK_MS,
            Registrations::Wanted,
        );
        reconciler.present("b", &record(1, "", None)).unwrap();
        for key in ["a", "b"] {
            let error = CompareError::Unsorted { key: key.to_owned(), after: "b".to_owned() };
            assert_eq!(reconciler.present(key, &record(2, "", None)), Err(error));
        }
    }

    fn side() -> impl Strategy<Value = BTreeMap<String, SeqV<'static>>> {
        let expiry = prop_oneof![Just(None), Just(Some(LATER_MS)), Just(Some(CLOCK_MS - 1))];
        let value = ("[ab]?", expiry, 1..99_u64);
        let record = value.prop_map(|(value, expiry, seq)| record(seq, &value, expiry));
        prop::collection::btree_map("[a-c]{0,2}", record, 0..9)
    }

    proptest! {
        /// Carrying out a plan leaves nothing to do, and every key is counted once.
        #[test]
        fn a_plan_that_is_carried_out_leaves_nothing(wanted in side(), present in side()) {
            let of = |side: &BTreeMap<String, SeqV<'static>>, service: &BTreeMap<String, SeqV<'static>>| {
                let wanted: Vec<_> = side.iter().map(|(k, r)| (k.as_str(), r.clone())).collect();
                let present: Vec<_> = service.iter().map(|(k, r)| (k.as_str(), r.clone())).collect();
                plan(&wanted, &present, ExpiryRule::ByMagnitude)
            };
            let first = of(&wanted, &present);
            let counted = first.same + first.expired
                + first.missing.len() as u64 + first.different.len() as u64;
            prop_assert_eq!(counted, wanted.len() as u64);

            let mut written = present.clone();
            for (key, seq) in first.puts() {
                prop_assert_eq!(present.get(key).map_or(0, |record| record.seq), seq);
                written.insert(key.to_owned(), wanted[key].clone());
            }
            for extra in &first.extra {
                written.remove(&extra.key);
            }
            let second = of(&wanted, &written);
            prop_assert!(second.is_done());
            prop_assert_eq!(second.extra, []);
        }
    }
}
