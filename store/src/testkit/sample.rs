//! Small true-to-life values.

use std::sync::Arc;

use switchboard_domain::conversation::{Body, Contact, Created, Event, Ordinals, SendKey, Stream};
use switchboard_domain::ids::{
    ConversationId, EventId, LogId, Number, Seq, TenantId, Timestamp, VisitorId,
};
use switchboard_domain::person::{Author, Principal};

use crate::port::{Append, ConversationKey};

/// The visitor of every sample.
pub const VISITOR: VisitorId = VisitorId::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);

/// A conversation of a tenant, told apart by a small number.
#[must_use]
pub fn key(tenant: &str, conversation: u64) -> ConversationKey {
    ConversationKey {
        tenant: TenantId(tenant.into()),
        conversation: ConversationId::from_u128(
            0x0190_0000_0000_7000_8000_0000_0000_0000 | u128::from(conversation),
        ),
    }
}

/// An append of these events that asks for no mark.
#[must_use]
pub fn append(key: &ConversationKey, events: &[Event]) -> Append {
    Append { key: key.clone(), epoch: 1, events: events.into(), mark_dirty: false }
}

/// An event by the visitor, written a second after the one before.
#[must_use]
pub fn event(stream: Stream, seq: u64, public_head: u64, body: Body) -> Event {
    let lane = match stream {
        Stream::Public => 0,
        Stream::Internal => 1_u128 << 32,
    };
    Event {
        stream,
        seq: Seq(seq),
        public_head: Seq(public_head),
        id: EventId::from_u128((0x0191 << 112) | lane | u128::from(seq)),
        at: Timestamp(1_760_000_000_000).plus_ms(i64::try_from(public_head * 1_000).unwrap_or(0)),
        from: Author { principal: Principal::Visitor(VISITOR), name: Some("Vera".into()) },
        key: None,
        ordinals: Ordinals {
            visitor: u32::try_from(public_head).unwrap_or(0),
            agent: 0,
            system: 0,
        },
        body,
    }
}

/// The first event of a conversation of that integer name.
#[must_use]
pub fn created(number: u64) -> Event {
    let visitor = Contact { name: Some("Vera".into()), ..Contact::anonymous(VISITOR) };
    let created = Created::by(
        visitor,
        LogId::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 | u128::from(number)),
        Number(number),
    );
    Event {
        ordinals: Ordinals::default(),
        ..event(Stream::Public, 1, 1, Body::Created(Box::new(created)))
    }
}

/// A public message without a key.
#[must_use]
pub fn message(seq: u64, text: &str) -> Event {
    event(Stream::Public, seq, seq, Body::Message { text: text.into(), files: Vec::new() })
}

/// An internal note.
#[must_use]
pub fn note(seq: u64, public_head: u64, text: &str) -> Event {
    event(Stream::Internal, seq, public_head, Body::Note { text: Arc::from(text), transfer: false })
}

/// The same event under an idempotency key.
#[must_use]
pub fn keyed(event: Event, device: u128, n: u64) -> Event {
    let device = switchboard_domain::ids::DeviceId::from_u128(device);
    Event { key: Some(SendKey { device, n, digest: n ^ 0xfeed }), ..event }
}
