//! The audiences of a region by conversation. Each takes one pointer beside itself, and is found by
//! what it holds: a set of the standard library could not change it.

use std::hash::BuildHasher as _;

use hashbrown::HashTable;
use switchboard_domain::conversation::Heads;
use switchboard_domain::ids::{ConversationId, TenantId};
use switchboard_store::ConversationKey;

use super::audience::Audience;
use crate::maps::{HashMap, State};

/// P10: every look-up is by tenant and conversation. Of a tenant without any nothing is left.
#[derive(Debug, Default)]
pub(super) struct Audiences {
    tenants: HashMap<TenantId, HashTable<Box<Audience>>>,
    hasher: State,
}

impl Audiences {
    pub(super) fn get(&self, key: &ConversationKey) -> Option<&Audience> {
        let hash = self.hasher.hash_one(key.conversation);
        let found = self.tenants.get(&key.tenant)?.find(hash, is(key.conversation));
        found.map(|audience| &**audience)
    }

    pub(super) fn get_mut(&mut self, key: &ConversationKey) -> Option<&mut Audience> {
        let hash = self.hasher.hash_one(key.conversation);
        let found = self.tenants.get_mut(&key.tenant)?.find_mut(hash, is(key.conversation));
        found.map(|audience| &mut **audience)
    }

    /// The audience of a conversation; one that is entered now has heard all up to `heads`.
    pub(super) fn enter(&mut self, key: &ConversationKey, heads: Heads) -> &mut Audience {
        let Self { tenants, hasher } = self;
        let audiences = tenants.entry(key.tenant.clone()).or_default();
        let hash = |conversation: ConversationId| hasher.hash_one(conversation);
        let entry = audiences.entry(hash(key.conversation), is(key.conversation), |audience| {
            hash(audience.conversation)
        });
        entry.or_insert_with(|| Box::new(Audience::new(key.conversation, heads))).into_mut()
    }

    pub(super) fn remove(&mut self, key: &ConversationKey) -> Option<Box<Audience>> {
        let hash = self.hasher.hash_one(key.conversation);
        let audiences = self.tenants.get_mut(&key.tenant)?;
        let found = audiences.find_entry(hash, is(key.conversation)).ok()?;
        let (audience, _) = found.remove();
        if audiences.is_empty() {
            self.tenants.remove(&key.tenant);
        }
        Some(audience)
    }

    /// Keeps those for which this says so.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&ConversationKey, &mut Audience) -> bool) {
        self.tenants.retain(|tenant, audiences| {
            let conversation = ConversationId::from_u128(0);
            let mut key = ConversationKey { tenant: tenant.clone(), conversation };
            audiences.retain(|audience| {
                key.conversation = audience.conversation;
                keep(&key, audience)
            });
            !audiences.is_empty()
        });
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Audience> {
        self.tenants.values().flatten().map(|audience| &**audience)
    }
}

fn is(conversation: ConversationId) -> impl Fn(&Box<Audience>) -> bool {
    move |audience| audience.conversation == conversation
}
