//! Transactions: which branch runs.

use super::condition::Condition;
use super::operation::Step;
use super::reply::{ExecutionPath, KvTransactionReply, TxnOpResponse, TxnReply};
use super::rules::TransactionRule;
use super::store::Store;
use super::{Application, ApplyError};
use crate::dump::record::{KvTransaction, TxnOp, TxnRequest};

impl<S: Store> Application<'_, S> {
    /// Runs the first of the branches of a `TxnRequest` that applies: `operations` in order, then
    /// `if_then` when all of `condition` holds, then `else_then`.
    pub(super) fn transaction(
        &mut self,
        request: &TxnRequest<'_>,
    ) -> Result<TxnReply, ApplyError<S::Error>> {
        let rule = self.rules.transaction;
        for (position, branch) in (0..).zip(&request.operations) {
            let holds = match &branch.predicate {
                Some(expression) => self.holds(Condition::of_expression(expression, rule))?,
                None => true,
            };
            if holds {
                let responses = self.txn_operations(&branch.operations)?;
                return Ok(TxnReply { path: ExecutionPath::Operation(position), responses });
            }
        }
        let nothing_to_decide = request.condition.is_empty() && request.if_then.is_empty();
        let without_if = rule == TransactionRule::ConvertedWithoutEmptyIf && nothing_to_decide;
        if !without_if && self.holds(Condition::of_request(&request.condition, rule))? {
            let responses = self.txn_operations(&request.if_then)?;
            return Ok(TxnReply { path: ExecutionPath::Then, responses });
        }
        let path = if without_if && request.else_then.is_empty() {
            ExecutionPath::Nothing
        } else {
            ExecutionPath::Else
        };
        let responses = self.txn_operations(&request.else_then)?;
        Ok(TxnReply { path, responses })
    }

    /// Runs the first branch of a `KvTransaction` whose predicate holds.
    pub(super) fn kv_transaction(
        &mut self,
        transaction: &KvTransaction<'_>,
    ) -> Result<KvTransactionReply, ApplyError<S::Error>> {
        for (position, branch) in (0..).zip(&transaction.branches) {
            let holds = match &branch.predicate {
                Some(predicate) => self.holds(Condition::of_predicate(predicate))?,
                None => true,
            };
            if holds {
                let steps = branch.operations.iter().map(Step::of_kv);
                let responses = steps.map(|step| self.step(&step)).collect::<Result<_, _>>()?;
                return Ok(KvTransactionReply { executed_branch: Some(position), responses });
            }
        }
        Ok(KvTransactionReply { executed_branch: None, responses: Vec::new() })
    }

    fn txn_operations(
        &mut self,
        operations: &[TxnOp<'_>],
    ) -> Result<Vec<TxnOpResponse>, ApplyError<S::Error>> {
        let rule = self.rules.transaction;
        let steps = operations.iter().filter_map(|operation| Step::of_txn(operation, rule));
        steps.map(|step| self.step(&step)).collect()
    }
}
