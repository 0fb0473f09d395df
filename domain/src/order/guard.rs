//! The named conditions of workflows, evaluated.

use super::{Facts, Head, Item, ItemStatus, ProductKind};
use crate::workflow::Guard;

/// What a guard reads: enough of an order to tell what is open, for a list as for a decision.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The order.
    pub head: &'a Head,
    /// Its lines.
    pub items: &'a [Item],
    /// What is known besides.
    pub facts: &'a Facts,
}

impl Subject<'_> {
    /// Whether the condition holds now.
    pub fn holds(&self, guard: Guard) -> bool {
        match guard {
            Guard::NoProviderApproval => self.every_product(|product| !product.needs_provider_approval),
            Guard::NoConsumerApproval => self.every_product(|product| !product.needs_consumer_approval),
            Guard::ManualOffering => {
                self.every_product(|product| matches!(product.kind, ProductKind::Basic | ProductKind::Slurm))
            }
            Guard::NothingActive => self.items.iter().all(|item| item.status != ItemStatus::Active),
            Guard::AgentAssigned => self.head.parties.agent.is_some(),
            Guard::PaidInFull => self.head.due() <= 0,
            Guard::Expired => {
                self.facts.expiry_enabled && self.head.expires_on.is_some_and(|day| day < self.facts.today)
            }
        }
    }

    /// A line whose product has left the catalogue fails every condition on products.
    fn every_product(&self, holds: impl Fn(&super::Product) -> bool) -> bool {
        self.items
            .iter()
            .all(|item| item.product.and_then(|id| self.facts.products.get(&id)).is_some_and(&holds))
    }
}
