//! Whether the condition of a branch holds in the present state.

use std::cmp::Ordering;

use super::Application;
use super::rules::TransactionRule;
use super::store::Store;
use crate::dump::record::{BooleanExpression, CompareOp, KvPredicate, Target, TxnCondition};

/// A condition, in either form in which a log has it.
pub(super) enum Condition<'a> {
    /// All hold; so it does when there are none.
    All(Box<dyn Iterator<Item = Self> + 'a>),
    /// One holds, or there are none.
    Any(Box<dyn Iterator<Item = Self> + 'a>),
    /// A comparison with what a key holds.
    Key(KeyCondition<'a>),
    /// Settled without a look at the state.
    Settled(bool),
}

/// A comparison of what is there with what is given: `there op given`.
pub(super) struct KeyCondition<'a> {
    pub(super) key: &'a str,
    op: CompareOp,
    pub(super) given: &'a Target<'a>,
}

/// The conditions of a group that is being evaluated.
struct Group<'a> {
    rest: Box<dyn Iterator<Item = Condition<'a>> + 'a>,
    /// What a child says that settles the group: false where all must hold.
    settles: bool,
    /// What the group says when its children are through.
    otherwise: bool,
}

impl<S: Store> Application<'_, S> {
    /// Evaluates a condition from left to right, as far as it takes.
    ///
    /// Groups are kept on a stack of our own, since the input decides how deep they are.
    pub(super) fn holds(&self, condition: Condition<'_>) -> Result<bool, S::Error> {
        let mut groups: Vec<Group<'_>> = Vec::new();
        let mut next = condition;
        loop {
            let mut holds = match next {
                Condition::All(rest) => {
                    groups.push(Group { rest, settles: false, otherwise: true });
                    None
                }
                Condition::Any(rest) => {
                    // Nothing to choose from holds.
                    groups.push(Group { rest, settles: true, otherwise: true });
                    None
                }
                Condition::Key(condition) => Some(self.compare(&condition)?),
                Condition::Settled(holds) => Some(holds),
            };
            next = loop {
                let Some(group) = groups.last_mut() else { return Ok(holds.unwrap_or(true)) };
                if let Some(child) = holds {
                    // From the first child on, an "any" without one that holds does not hold.
                    group.otherwise = !group.settles;
                    if child == group.settles {
                        groups.pop();
                        continue;
                    }
                }
                match group.rest.next() {
                    Some(child) => break child,
                    None => holds = groups.pop().map(|group| group.otherwise),
                }
            };
        }
    }

    fn compare(&self, condition: &KeyCondition<'_>) -> Result<bool, S::Error> {
        let KeyCondition { key, op, given } = condition;
        let ordering = match given {
            Target::Seq(seq) => {
                let there = self.store.record(key)?.map_or(0, |record| record.seq);
                there.cmp(seq)
            }
            Target::Value(value) => match self.store.record(key)? {
                Some(record) => record.data.decode().cmp(&value.decode()),
                // No comparison holds for what is not there, not even "not equal".
                None => return Ok(false),
            },
            Target::KeysWithPrefix(count) => {
                let most = usize::try_from(count.saturating_add(1)).unwrap_or(usize::MAX);
                let mut there: u64 = 0;
                for key in self.prefixed(key).take(most) {
                    key?;
                    there += 1;
                }
                there.cmp(count)
            }
        };
        Ok(op.admits(ordering))
    }
}

impl CompareOp {
    const fn admits(self, ordering: Ordering) -> bool {
        match self {
            Self::Eq => ordering.is_eq(),
            Self::Gt => ordering.is_gt(),
            Self::Ge => ordering.is_ge(),
            Self::Lt => ordering.is_lt(),
            Self::Le => ordering.is_le(),
            Self::Ne => ordering.is_ne(),
        }
    }
}

impl<'a> Condition<'a> {
    /// All conditions of a `TxnRequest`.
    pub(super) fn of_request(conditions: &'a [TxnCondition<'a>], rule: TransactionRule) -> Self {
        Self::All(Box::new(conditions.iter().map(move |one| Self::of_txn(one, rule))))
    }

    /// The predicate of one of the `operations` of a `TxnRequest`.
    pub(super) fn of_expression(
        expression: &'a BooleanExpression<'a>,
        rule: TransactionRule,
    ) -> Self {
        let nested =
            expression.sub_expressions.iter().map(move |sub| Self::of_expression(sub, rule));
        let plain = expression.conditions.iter().map(move |one| Self::of_txn(one, rule));
        let children = Box::new(nested.chain(plain));
        match (expression.operator, rule) {
            (1, TransactionRule::AsSent) => Self::Settled(true),
            (1, _) => Self::Any(children),
            _ => Self::All(children),
        }
    }

    /// The predicate of a branch of a `KvTransaction`.
    pub(super) fn of_predicate(predicate: &'a KvPredicate<'a>) -> Self {
        match predicate {
            KvPredicate::And(children) => {
                Self::All(Box::new(children.iter().map(Self::of_predicate)))
            }
            KvPredicate::Or(children) => {
                Self::Any(Box::new(children.iter().map(Self::of_predicate)))
            }
            KvPredicate::Leaf(leaf) => {
                Self::Key(KeyCondition { key: &leaf.key, op: leaf.op, given: &leaf.target })
            }
        }
    }

    fn of_txn(condition: &'a TxnCondition<'a>, rule: TransactionRule) -> Self {
        let op = match (condition.expected, rule) {
            (0, _) => CompareOp::Eq,
            (1, _) => CompareOp::Gt,
            (2, _) => CompareOp::Ge,
            (3, _) => CompareOp::Lt,
            (4, _) => CompareOp::Le,
            (5, _) => CompareOp::Ne,
            (_, TransactionRule::AsSent) => return Self::Settled(false),
            _ => CompareOp::Eq,
        };
        match &condition.target {
            Some(given) => Self::Key(KeyCondition { key: &condition.key, op, given }),
            None => Self::Settled(false),
        }
    }
}
