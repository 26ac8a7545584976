//! The frames a server sends, as far as the tools look at them. Unknown kinds and fields are skipped.

use serde::Deserialize;
use serde_json::Value;

use crate::history::Stream;

/// A frame from the server.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Frame {
    /// Hello was accepted.
    Ready {
        /// Who the token speaks for.
        principal: Person,
        /// Bounds and times.
        #[serde(default)]
        limits: Value,
    },
    /// A subscription begins.
    Subscribed {
        /// What was subscribed to.
        conversation: String,
        /// Which stream.
        #[serde(default = "public", deserialize_with = "stream")]
        stream: Stream,
        /// The identity of the history.
        log: String,
        /// The last position there is.
        head: u64,
        /// `replay` or `snapshot`.
        mode: String,
        /// The first position that follows.
        from: u64,
    },
    /// One event.
    Event(Event),
    /// Several events of one stream.
    Events {
        /// Where.
        conversation: String,
        /// Which stream.
        #[serde(default = "public", deserialize_with = "stream")]
        stream: Stream,
        /// The events, in order.
        items: Vec<Event>,
    },
    /// A send is durable.
    Ack {
        /// The position in the outbox.
        n: u64,
        /// The position in the stream.
        seq: u64,
        /// The identity of the event.
        id: String,
    },
    /// A send is refused.
    Nack {
        /// The position in the outbox.
        n: u64,
        /// Why.
        code: String,
        /// The position the server expects, for `gap`.
        #[serde(default)]
        expect: Option<u64>,
        /// When to try again.
        #[serde(default)]
        retry_after_ms: Option<u64>,
    },
    /// A command was carried out.
    Done {
        /// The command's reference.
        #[serde(rename = "ref")]
        reference: String,
        /// The position of its event, where there is one.
        #[serde(default)]
        seq: Option<u64>,
    },
    /// A command or request is refused.
    Refused(Refusal),
    /// The last frame was not good.
    Error {
        /// Why.
        code: String,
    },
    /// The server asks whether the client lives.
    Ping,
    /// The answer to a ping.
    Pong,
    /// Anything else.
    #[serde(other)]
    Other,
}

/// Why a command was refused.
#[derive(Clone, Debug, Deserialize)]
pub struct Refusal {
    /// The command's reference.
    #[serde(rename = "ref", default)]
    pub reference: Option<String>,
    /// The stable code.
    pub code: String,
    /// Who was there first, for `already_accepted`.
    #[serde(default)]
    pub by: Option<Person>,
    /// What was refused, when it was no command: `subscribe`, `fetch` or `watch`.
    #[serde(default)]
    pub re: Option<String>,
    /// The conversation that it was refused of.
    #[serde(default)]
    pub conversation: Option<String>,
    /// The stream that it was refused of.
    #[serde(default = "public", deserialize_with = "stream")]
    pub stream: Stream,
    /// When to try again.
    #[serde(default)]
    pub retry_after_ms: Option<u64>,
}

impl Refusal {
    /// Whether a subscription was not to be had, or ended, because its conversation is on its way to
    /// another node: it is to be asked for again.
    #[must_use]
    pub fn is_lost_subscription(&self) -> bool {
        self.re.as_deref() == Some("subscribe") && self.code == "busy"
    }
}

/// Somebody.
#[derive(Clone, Debug, Deserialize)]
pub struct Person {
    /// The identity.
    #[serde(default)]
    pub id: String,
    /// The name to show.
    #[serde(default)]
    pub name: Option<String>,
}

/// One event, over WebSocket or in a page of HTTP.
#[derive(Clone, Debug, Deserialize)]
pub struct Event {
    /// The conversation; pages may leave it out.
    #[serde(default)]
    pub conversation: Option<String>,
    /// The stream.
    #[serde(default = "public", deserialize_with = "stream")]
    pub stream: Stream,
    /// The position.
    pub seq: u64,
    /// The identity.
    pub id: String,
    /// What happened.
    pub kind: String,
    /// Who did it.
    #[serde(default)]
    pub from: Author,
    /// Its content.
    #[serde(default)]
    pub body: Value,
}

/// Who wrote an event.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Author {
    /// `visitor`, `agent`, `bot` or `system`.
    #[serde(default)]
    pub kind: String,
}

impl Event {
    /// The text of a message, note or whisper that a person or bot wrote; none for the system's own.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        let is_text = matches!(&*self.kind, "message" | "note" | "whisper");
        (is_text && self.from.kind != "system")
            .then(|| self.body.get("text").and_then(Value::as_str))
            .flatten()
    }
}

fn public() -> Stream {
    Stream::Public
}

/// The stream by its name on the wire; null stands for the default.
fn stream<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Stream, D::Error> {
    match Option::<String>::deserialize(from)?.as_deref() {
        None | Some("public") => Ok(Stream::Public),
        Some("internal") => Ok(Stream::Internal),
        Some(other) => Err(serde::de::Error::custom(format!("unknown stream {other:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_the_protocol_are_read() {
        let ack = r#"{"type":"ack","conversation":"c","n":7,"seq":58,"id":"i","at":"…","duplicate":false}"#;
        assert!(matches!(serde_json::from_str(ack).unwrap(), Frame::Ack { n: 7, seq: 58, .. }));
        let event = r#"{"type":"event","conversation":"c","stream":"internal","seq":42,"public_head":57,
            "id":"i","at":"…","kind":"note","from":{"kind":"agent","id":"a","name":"Ada"},"body":{"text":"hm"}}"#;
        let Frame::Event(event) = serde_json::from_str(event).unwrap() else { panic!("an event") };
        assert_eq!((event.stream, event.seq, event.text()), (Stream::Internal, 42, Some("hm")));
        let welcome = r#"{"seq":1,"id":"i","kind":"message","from":{"kind":"system"},"body":{"text":"Hello"}}"#;
        assert_eq!(serde_json::from_str::<Event>(welcome).unwrap().text(), None);
        let unknown = r#"{"type":"tomorrow","x":1}"#;
        assert!(matches!(serde_json::from_str(unknown).unwrap(), Frame::Other));
    }
}
