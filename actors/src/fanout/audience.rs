//! Who hears one conversation, in little room: a node keeps this of each conversation that somebody
//! listens to, for as long as they do.

use std::slice::from_ref;

use switchboard_cluster::ownership::{Epoch, NodeName};
use switchboard_domain::conversation::Heads;
use switchboard_domain::ids::ConversationId;

use super::{Listener, Subscription};

/// Who hears one conversation.
#[derive(Debug)]
pub(super) struct Audience {
    pub(super) conversation: ConversationId,
    /// How far both streams were published. What is stored beyond it nobody heard, because the
    /// conversation failed in between.
    pub(super) published: Heads,
    pub(super) source: Source,
    pub(super) hearers: Hearers,
}

/// Who tells what is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// The owner, who is here and owned it under this epoch.
    Here(Epoch),
    /// The owner on another node.
    There(NodeName),
}

/// Those who hear it, here and on other nodes. Most conversations have one, the visitor, who takes
/// no room of their own.
#[derive(Debug, Default)]
pub(super) enum Hearers {
    #[default]
    Nobody,
    Here(Subscription),
    There(Listener),
    Many(Box<Many>),
}

/// In the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Many {
    here: Vec<Subscription>,
    there: Vec<Listener>,
}

impl Audience {
    pub(super) const fn new(conversation: ConversationId, published: Heads) -> Self {
        let source = Source::Here(Epoch(0));
        Self { conversation, published, source, hearers: Hearers::Nobody }
    }

    pub(super) const fn is_empty(&self) -> bool {
        matches!(self.hearers, Hearers::Nobody)
    }

    /// The owner on another node that tells of it; `None` where the owner is this node.
    pub(super) const fn told_by(&self) -> Option<&NodeName> {
        self.source.node()
    }
}

impl Source {
    pub(super) const fn node(&self) -> Option<&NodeName> {
        match self {
            Self::Here(_) => None,
            Self::There(node) => Some(node),
        }
    }
}

impl Hearers {
    pub(super) fn here(&self) -> &[Subscription] {
        match self {
            Self::Here(subscription) => from_ref(subscription),
            Self::Many(many) => &many.here,
            Self::Nobody | Self::There(_) => &[],
        }
    }

    /// Who listens on other nodes; only on the owner's node.
    pub(super) fn there(&self) -> &[Listener] {
        match self {
            Self::There(listener) => from_ref(listener),
            Self::Many(many) => &many.there,
            Self::Nobody | Self::Here(_) => &[],
        }
    }

    pub(super) fn enter(&mut self, subscription: Subscription) {
        *self = match std::mem::take(self) {
            Self::Nobody => Self::Here(subscription),
            some => some.with(|many| many.here.push(subscription)),
        };
    }

    pub(super) fn enter_there(&mut self, listener: Listener) {
        *self = match std::mem::take(self) {
            Self::Nobody => Self::There(listener),
            some => some.with(|many| many.there.push(listener)),
        };
    }

    pub(super) fn retain_here(&mut self, mut keep: impl FnMut(&Subscription) -> bool) {
        match self {
            Self::Nobody | Self::There(_) => {}
            Self::Here(subscription) => {
                if !keep(subscription) {
                    *self = Self::Nobody;
                }
            }
            Self::Many(many) => {
                many.here.retain(keep);
                self.shrink();
            }
        }
    }

    pub(super) fn retain_there(&mut self, mut keep: impl FnMut(&Listener) -> bool) {
        match self {
            Self::Nobody | Self::Here(_) => {}
            Self::There(listener) => {
                if !keep(listener) {
                    *self = Self::Nobody;
                }
            }
            Self::Many(many) => {
                many.there.retain(keep);
                self.shrink();
            }
        }
    }

    /// These and more.
    fn with(self, more: impl FnOnce(&mut Many)) -> Self {
        let mut many = match self {
            Self::Nobody => Box::default(),
            Self::Here(one) => Box::new(Many { here: vec![one], there: Vec::new() }),
            Self::There(one) => Box::new(Many { here: Vec::new(), there: vec![one] }),
            Self::Many(many) => many,
        };
        more(&mut many);
        Self::Many(many)
    }

    /// One who is left alone takes no room of their own.
    fn shrink(&mut self) {
        let Self::Many(many) = self else { return };
        *self = match (many.here.len(), many.there.len()) {
            (0, 0) => Self::Nobody,
            (1, 0) => many.here.pop().map_or(Self::Nobody, Self::Here),
            (0, 1) => many.there.pop().map_or(Self::Nobody, Self::There),
            _ => return,
        };
    }
}
