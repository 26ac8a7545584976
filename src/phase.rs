//! What a node is doing: the one word that readiness, doors and connections look at.

use tokio::sync::watch;

/// A life, in order; it never goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Repairing and opening; not ready.
    Starting,
    /// Serving.
    Ready,
    /// Told to stop: unready, takes no new connection, clients are told when to come back (P9).
    Draining,
    /// The time for that is over, or a second signal came: what is left is cut.
    Cutting,
}

impl Phase {
    /// As the ops listener shows it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::Cutting => "cutting",
        }
    }
}

/// Moves the phase on.
#[derive(Debug)]
pub struct Lead(watch::Sender<Phase>);

/// Sees the phase. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Watch(watch::Receiver<Phase>);

/// A node that starts.
#[must_use]
pub fn starting() -> (Lead, Watch) {
    let (sender, receiver) = watch::channel(Phase::Starting);
    (Lead(sender), Watch(receiver))
}

impl Lead {
    /// Moves on to `phase`; an earlier one changes nothing.
    pub fn advance(&self, phase: Phase) {
        self.0.send_if_modified(|current| {
            let moves = phase > *current;
            *current = phase.max(*current);
            moves
        });
    }
}

impl Watch {
    /// The phase now. A node whose [`Lead`] is gone is being cut.
    #[must_use]
    pub fn now(&self) -> Phase {
        if self.0.has_changed().is_err() { Phase::Cutting } else { *self.0.borrow() }
    }

    /// Waits until the node is in `phase` or past it. Cancel safe.
    pub async fn reached(&mut self, phase: Phase) {
        // An error means that the lead is gone, which is past every phase.
        let _gone = self.0.wait_for(|current| *current >= phase).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_phase_never_goes_back() {
        let (lead, mut watch) = starting();
        assert_eq!(watch.now(), Phase::Starting);
        lead.advance(Phase::Draining);
        lead.advance(Phase::Ready);
        assert_eq!(watch.now(), Phase::Draining);
        watch.reached(Phase::Ready).await;
    }

    #[tokio::test]
    async fn a_node_whose_lead_is_gone_is_being_cut() {
        let (lead, mut watch) = starting();
        drop(lead);
        assert_eq!(watch.now(), Phase::Cutting);
        watch.reached(Phase::Cutting).await;
    }
}
