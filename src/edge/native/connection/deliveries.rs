//! What the outlet carries, written for this client.

use switchboard_actors::Published;
use switchboard_actors::delivery::{Delivery, Door, Unsubscribed};
use switchboard_actors::subscriber::Ended;
use switchboard_domain::person::Side;
use tokio::time::{Duration, Instant};

use super::{Close, Code, Connection, Frame, Person, event, past};
use crate::edge::native::wire::person::Agent;
use crate::edge::native::wire::stream_name;
use crate::edge::native::wire::time::Rfc3339;

/// How long a client may stay after the moment it was told to come back.
const DRAIN_GRACE: Duration = Duration::from_secs(2);

impl Connection {
    pub(super) async fn deliver(&mut self, delivery: Result<Delivery, Ended>) -> Result<(), Close> {
        let delivery = match delivery {
            Ok(delivery) => delivery,
            Err(Ended::Slow) => return Err(Close::Slow),
            Err(Ended::Closed) => return Err(Close::Gone),
        };
        match delivery {
            Delivery::Event(published) => self.event(&published).await,
            // Boxed while it runs: events are what there is most of, and they need little.
            other => Box::pin(self.deliver_other(other)).await,
        }
    }

    async fn deliver_other(&mut self, delivery: Delivery) -> Result<(), Close> {
        match delivery {
            Delivery::Event(published) => self.event(&published).await,
            Delivery::Subscribed { conversation, ref_id, subscribed } => {
                self.subscribed(conversation, ref_id, subscribed).await
            }
            Delivery::Unsubscribed { conversation, stream, why } => {
                self.subscriptions.remove(conversation, stream);
                let code = match why {
                    Unsubscribed::Forbidden => Code::NotFound,
                    Unsubscribed::Lost => Code::Busy,
                };
                let frame = Frame::Refused {
                    reference: None,
                    re: Some("subscribe"),
                    conversation: Some(conversation.uuid()),
                    stream: stream_name(stream),
                    code: code.as_str(),
                    by: None,
                    detail: None,
                    retry_after_ms: None,
                };
                self.write(self.codec.encode(&frame)).await
            }
            Delivery::Receipt { conversation, by, receipt } => {
                let frame = Frame::Receipt {
                    conversation: conversation.uuid(),
                    by: Person::from(&by),
                    read: receipt.read.0,
                    received: receipt.received.0,
                };
                self.write(self.codec.encode(&frame)).await
            }
            Delivery::Typing { conversation, from, on, preview } => {
                let frame = Frame::Typing {
                    conversation: conversation.uuid(),
                    from: Person::from(&from),
                    on,
                    preview: preview.as_deref().filter(|_| self.side() == Side::Agent),
                };
                self.write(self.codec.encode(&frame)).await
            }
            Delivery::View(delta) => self.view(&delta).await,
            Delivery::Presence { agents, snapshot } => self.presence(&agents, snapshot).await,
            Delivery::AnybodyOnline(online) => {
                self.write(self.codec.encode(&Frame::AnybodyOnline { online })).await
            }
            Delivery::QueuePosition { conversation, position, eta } => {
                let frame =
                    Frame::Queue { conversation: conversation.uuid(), position, eta_s: eta };
                self.write(self.codec.encode(&frame)).await
            }
            // P13: only who hears the internal stream is told; a visitor's socket would not carry it.
            Delivery::Page { .. } | Delivery::Viewing { .. } | Delivery::Company(_)
                if self.side() != Side::Agent =>
            {
                tracing::error!(connection = %self.id, "agents' news were on their way to a visitor");
                Ok(())
            }
            Delivery::Page { conversation, page } => {
                let frame = Frame::Page {
                    conversation: conversation.uuid(),
                    url: &page.url,
                    title: &page.title,
                    did: page.did.as_deref(),
                    at: Rfc3339(page.at),
                };
                self.write(self.codec.encode(&frame)).await
            }
            Delivery::Viewing { conversation, agents } => {
                let frame = Frame::Viewing {
                    conversation: conversation.uuid(),
                    agents: agents.iter().map(Agent::from).collect(),
                };
                self.write(self.codec.encode(&frame)).await
            }
            Delivery::Company(all) => self.company(&all).await,
            Delivery::Conversation(conversation) => {
                let frame = Frame::Conversation { conversation: conversation.uuid() };
                self.write(self.codec.encode(&frame)).await
            }
            Delivery::Preferences { version } => {
                self.write(self.codec.encode(&Frame::Preferences { version })).await
            }
            Delivery::Drafts { version } => {
                self.write(self.codec.encode(&Frame::Drafts { version })).await
            }
            Delivery::Drain { reconnect_in_ms } => {
                let wait = Duration::from_millis(u64::from(reconnect_in_ms));
                self.clock.drain_at = Some(Instant::now() + wait + DRAIN_GRACE);
                self.write(self.codec.encode(&Frame::Drain { reconnect_in_ms })).await
            }
            Delivery::Revoked => Err(Close::Unauthenticated),
            Delivery::Door(Door::Answer(frame)) => self.write(frame).await,
            Delivery::Door(Door::Void) => Err(Close::Void),
            Delivery::Door(Door::Rest) => {
                // It waits beneath what is written here, and leaves with the next flush.
                self.is_unsent = true;
                Ok(())
            }
        }
    }

    async fn event(&mut self, published: &Published) -> Result<(), Close> {
        let reader = self.identity.caller.author.principal;
        if !past::is_for(published, reader) {
            tracing::error!(connection = %self.id, "an internal event was on its way to a visitor");
            return Ok(());
        }
        self.write(event::encoded(published, self.codec, reader)).await
    }
}
