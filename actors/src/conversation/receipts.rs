//! How far everybody has got in one conversation.

use switchboard_domain::person::{Principal, Side};
use switchboard_domain::receipt::Receipt;

/// The receipts of one conversation. Read from the store when first needed.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    known: Option<Vec<(Principal, Receipt)>>,
    /// Whose receipt rose since they were last handed over for storing.
    raised: Vec<Principal>,
}

impl Receipts {
    pub(super) const fn are_loaded(&self) -> bool {
        self.known.is_some()
    }

    /// All of them, if they were read.
    pub(super) fn known(&self) -> Option<&[(Principal, Receipt)]> {
        self.known.as_deref()
    }

    pub(super) fn load(&mut self, stored: Vec<(Principal, Receipt)>) {
        self.known = Some(stored);
    }

    /// The receipt of one principal; zeros for one who never read.
    pub(super) fn of(&self, principal: Principal) -> Receipt {
        let known = self.known.iter().flatten();
        known
            .filter(|(by, _)| *by == principal)
            .map(|(_, receipt)| *receipt)
            .next()
            .unwrap_or_default()
    }

    /// The furthest receipt on one side.
    pub(super) fn furthest_of(&self, side: Side) -> Receipt {
        let own = self.known.iter().flatten().filter(|(by, _)| by.side() == side);
        own.fold(Receipt::default(), |furthest, (_, receipt)| furthest.furthest(*receipt))
    }

    /// The agents' receipts.
    pub(super) fn of_agents(&self) -> impl Iterator<Item = (Principal, Receipt)> {
        self.known.iter().flatten().filter(|(by, _)| by.is_agent()).copied()
    }

    /// Takes in a receipt that rose.
    pub(super) fn set(&mut self, principal: Principal, receipt: Receipt) {
        let known = self.known.get_or_insert_default();
        match known.iter_mut().find(|(by, _)| *by == principal) {
            Some((_, old)) => *old = receipt,
            None => known.push((principal, receipt)),
        }
        if !self.raised.contains(&principal) {
            self.raised.push(principal);
        }
    }

    /// What rose since the last call.
    pub(super) fn take_raised(&mut self) -> Vec<(Principal, Receipt)> {
        let raised = std::mem::take(&mut self.raised);
        raised.into_iter().map(|principal| (principal, self.of(principal))).collect()
    }

    /// What `take_raised` gave could not be handed over.
    pub(super) fn put_back(&mut self, receipts: Vec<(Principal, Receipt)>) {
        for (principal, _) in receipts {
            if !self.raised.contains(&principal) {
                self.raised.push(principal);
            }
        }
    }
}
