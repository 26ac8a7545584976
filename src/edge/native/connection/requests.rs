//! Frames that ask something of an actor. A send is answered from the task that brings its answer,
//! as a rule the conversation's own or the link's to another node; all else becomes a future whose
//! answer is written later.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use switchboard_actors::answer::Placed;
use switchboard_actors::delivery::{Delivery, Door};
use switchboard_actors::{Refusal, Stored};
use switchboard_domain::conversation::{SendKey, Stream};
use switchboard_domain::ids::{ConversationId, Seq, TenantId, WidgetId};
use switchboard_domain::person::Side;
use switchboard_store::Range;
use tokio::time::Instant;
use uuid::Uuid;

use super::{Answer, Connection, Frame, Problem, subscriptions};
use crate::directory::Directory;
use crate::edge::native::commands;
use crate::edge::native::wire::Codec;
use crate::edge::native::wire::incoming::{Args, FetchRange, MessageBody, SendKind};
use crate::edge::native::wire::outgoing::Ack;
use crate::edge::native::wire::person::Agent;
use crate::edge::native::wire::time::Rfc3339;

/// Characters of a typing preview.
const PREVIEW_CHARS_MAX: usize = 200;
/// Bytes of one `events` frame that answers a fetch, about.
const FETCH_FRAME_BYTES: usize = 64 * 1024;

impl Connection {
    /// Passes a message on. Its answer goes to the client from wherever it comes, and not past here.
    pub(super) fn send(
        &mut self,
        conversation: ConversationId,
        n: u64,
        kind: SendKind,
        body: MessageBody,
        if_head: Option<Seq>,
    ) {
        let doors = Arc::clone(&self.doors);
        let identity = Arc::clone(&self.identity);
        let (codec, device) = (self.codec, self.device);
        let key = doors.key(&identity.tenant, conversation);
        let (command, digest) = commands::send(kind, body, if_head);
        let send_key = Some(SendKey { device, n, digest });
        let now = Instant::now();
        let by = now + doors.conversations.answer_within();
        self.clock.answer_by.get_or_insert(by);
        let (sending, outlet) = (self.sends.begin(now), self.outlet.clone());
        commands::ask_then(&doors, &identity, &key, send_key, command, move |asked| {
            outlet.push(Delivery::Door(settled(codec, conversation, n, asked)));
            drop(sending);
        });
    }

    pub(super) async fn typing(
        &mut self,
        conversation: ConversationId,
        on: bool,
        preview: Option<&str>,
    ) {
        let identity = Arc::clone(&self.identity);
        let preview = match preview.filter(|_| self.side() == Side::Visitor) {
            Some(preview) => {
                let widget = self.subscriptions.widget(conversation).cloned();
                let is_shown = is_previewed(&self.doors.directory, &identity.tenant, widget).await;
                is_shown.then(|| {
                    let mut chars = preview.char_indices();
                    let end = chars.nth(PREVIEW_CHARS_MAX).map_or(preview.len(), |(idx, _)| idx);
                    Arc::from(&preview[..end])
                })
            }
            None => None,
        };
        let key = self.doors.key(&identity.tenant, conversation);
        self.doors.conversations.typing(&key, &identity.caller, on, preview);
        if self.side() == Side::Agent {
            self.doors.viewers.types(&key, self.outlet.id(), on);
        }
    }

    pub(super) fn fetch(
        &self,
        conversation: ConversationId,
        stream: Stream,
        range: FetchRange,
        limit: usize,
    ) -> BoxFuture<'static, Answer> {
        let doors = Arc::clone(&self.doors);
        let identity = Arc::clone(&self.identity);
        let codec = self.codec;
        async move {
            let key = doors.key(&identity.tenant, conversation);
            let range = match range {
                FetchRange::After(seq) => Range::After(seq),
                FetchRange::Before(seq) => Range::Before(seq),
            };
            let read =
                doors.conversations.history(&key, &identity.caller, stream, range, limit).await;
            match read {
                Ok(history) => Answer::Frames(subscriptions::batches(
                    codec,
                    identity.caller.author.principal,
                    conversation,
                    stream,
                    &history.events,
                    history.more,
                    FETCH_FRAME_BYTES,
                )),
                Err(refusal) => {
                    let problem = Problem::from(refusal);
                    let about = (None, Some("fetch"), Some(conversation));
                    Answer::Frame(refused(codec, about, &problem))
                }
            }
        }
        .boxed()
    }

    pub(super) fn act(
        &self,
        reference: Uuid,
        conversation: ConversationId,
        action: String,
        args: Box<Args>,
    ) -> BoxFuture<'static, Answer> {
        let doors = Arc::clone(&self.doors);
        let identity = Arc::clone(&self.identity);
        let codec = self.codec;
        async move {
            let key = doors.key(&identity.tenant, conversation);
            let content = format!("{action} {args:?}");
            let asked = async {
                let command = commands::action(&doors, &identity, &key, &action, *args).await?;
                let reference = reference.to_string();
                let once = commands::one_shot("do", &reference, content.as_bytes());
                Ok::<_, Problem>(commands::ask(&doors, &identity, &key, Some(once), command).await?)
            }
            .await;
            let about = (Some(reference), None, Some(conversation));
            match asked {
                Ok(done) => Answer::Frame(codec.encode(&Frame::Done {
                    reference,
                    conversation: conversation.uuid(),
                    seq: done.events.first().map(|published| published.event.seq.0),
                })),
                Err(problem) => Answer::Frame(refused(codec, about, &problem)),
            }
        }
        .boxed()
    }
}

/// Whether agents see what a visitor types before it is sent. The widget says so, to the visitor
/// too: whatever a client sends, nobody is read who was not told.
async fn is_previewed(directory: &Directory, tenant: &TenantId, widget: Option<WidgetId>) -> bool {
    let Some(widget) = widget else { return false };
    let found = directory.widget(tenant, &widget).await;
    matches!(found, Ok(Some(widget)) if widget.value.settings.preview_typing)
}

/// What a client is told of a send.
fn settled(
    codec: Codec,
    conversation: ConversationId,
    n: u64,
    asked: Result<Stored, Refusal>,
) -> Door {
    match asked {
        Ok(stored) => acked(codec, conversation, n, stored),
        // Neither stored nor refused: only a nack says "not stored" (P4).
        Err(Refusal::Unknown) => Door::Void,
        Err(refusal) => {
            let problem = Problem::from(refusal);
            Door::Answer(codec.encode(&Frame::Nack {
                conversation: conversation.uuid(),
                n,
                code: problem.code.as_str(),
                expect: problem.expect,
                retry_after_ms: problem.retry_after_ms,
            }))
        }
    }
}

fn acked(codec: Codec, conversation: ConversationId, n: u64, stored: Stored) -> Door {
    let Some(Placed { seq, id, at }) = stored.placed else { return Door::Void };
    let ack = Ack {
        conversation: conversation.uuid(),
        n,
        seq: seq.0,
        id: id.uuid(),
        at: Rfc3339(at),
        duplicate: stored.duplicate,
    };
    Door::Answer(ack.encoded(codec))
}

type About = (Option<Uuid>, Option<&'static str>, Option<ConversationId>);

fn refused(codec: Codec, (reference, re, conversation): About, problem: &Problem) -> bytes::Bytes {
    codec.encode(&Frame::Refused {
        reference,
        re,
        conversation: conversation.map(ConversationId::uuid),
        stream: None,
        code: problem.code.as_str(),
        by: problem.by.as_deref().map(Agent::from),
        detail: problem.detail.as_deref(),
        retry_after_ms: problem.retry_after_ms,
    })
}
