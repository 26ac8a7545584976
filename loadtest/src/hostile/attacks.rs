//! Frames that are not the protocol: garbage, oversized, wrong opcode, unknown, deeply nested,
//! fragmented, too early, too late. Each is answered by an error or a close code.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite::Message;

use super::offender::{Masked, Offender, Opcode, Outcome, fence, frame, offend, outcome, raw};
use crate::client::Encoding;
use crate::report::Report;
use crate::rng::Rng;
use crate::server::Server;

/// After an offence the server says something at once, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(3);
/// Hello must come within 5 s.
const HELLO_PATIENCE: Duration = Duration::from_secs(9);
/// A request's head must come within 10 s.
const HEAD_PATIENCE: Duration = Duration::from_secs(16);
/// What a server may take for one frame, far above any it must take.
const OVERSIZED_BYTES: usize = 1024 * 1024;

type Check = fn(&Outcome) -> bool;

pub(super) async fn run(
    server: &mut Server,
    n_damaged: u32,
    rng: &mut Rng,
    report: &mut Report,
) -> anyhow::Result<()> {
    let offender = Offender::new(server.public).await?;
    frames(&offender, report).await?;
    encodings(&offender, report).await?;
    websocket(&offender, report).await?;
    before_hello(&offender, report).await?;
    http(&offender, report).await?;
    damaged(&offender, n_damaged, rng, report).await?;
    anyhow::ensure!(server.exited().is_none(), "the server died: {}", server.log_tail());
    Ok(())
}

fn text(payload: impl AsRef<[u8]>) -> Vec<u8> {
    frame(0x80, Opcode::Text, Masked::Yes, payload.as_ref())
}

/// With a ping behind, so that silence need not be waited for.
fn fenced(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.extend(fence(Encoding::Json));
    bytes
}

fn told(report: &mut Report, name: &str, passed: bool, outcome: &Outcome) {
    let codes = if outcome.codes.is_empty() { "–".to_owned() } else { outcome.codes.join(", ") };
    let close = outcome.close.map_or_else(|| "open".to_owned(), |code| format!("closed {code}"));
    report.check(name, passed, format!("{codes}; {close}"));
}

/// An error, and the socket lives.
fn lives(outcome: &Outcome) -> bool {
    !outcome.codes.is_empty() && outcome.close.is_none()
}

/// What is no frame at all, and what must be said to it.
fn no_frames() -> Vec<(&'static str, String, Check)> {
    vec![
        ("garbage", "not json at all {".to_owned(), lives),
        ("an empty frame", String::new(), lives),
        ("null", "null".to_owned(), lives),
        ("an array", "[1,2,3]".to_owned(), lives),
        ("an unknown type", r#"{"type":"launch"}"#.to_owned(), |outcome| {
            outcome.is_error("unknown_type") && outcome.close.is_none()
        }),
        ("no type", r#"{"conversation":"x"}"#.to_owned(), lives),
        ("a number as type", r#"{"type":7}"#.to_owned(), lives),
    ]
}

/// The part of the campaign that a deaf server must fail: how many cases there are, and which
/// were not answered as they must be.
pub(super) async fn nonsense(address: SocketAddr) -> anyhow::Result<(usize, Vec<&'static str>)> {
    let offender = Offender::new(address).await?;
    let mut unanswered = Vec::new();
    let cases = no_frames();
    let n_cases = cases.len() + 1;
    for (name, payload, passed) in cases {
        let socket = offender.ready(Encoding::Json).await?;
        if !passed(&offend(socket, &fenced(text(payload)), PATIENCE).await) {
            unanswered.push(name);
        }
    }
    if !is_ended(&flood(&offender).await?) {
        unanswered.push(FLOOD);
    }
    // Deaf is not dead.
    let good = fenced(text(offender.send(1, "fine").to_string()));
    let outcome = offend(offender.ready(Encoding::Json).await?, &good, PATIENCE).await;
    anyhow::ensure!(outcome == Outcome::default(), "a good frame: {outcome:?}");
    Ok((n_cases, unanswered))
}

const FLOOD: &str = "40 bad frames in a row";

async fn flood(offender: &Offender) -> anyhow::Result<Outcome> {
    let flood: Vec<u8> = (0..40).flat_map(|_| text("nonsense")).collect();
    Ok(offend(offender.ready(Encoding::Json).await?, &fenced(flood), PATIENCE).await)
}

fn is_ended(outcome: &Outcome) -> bool {
    outcome.close == Some(4501)
}

/// Bad frames on a JSON connection that is ready: an error, and the socket lives.
async fn frames(offender: &Offender, report: &mut Report) -> anyhow::Result<()> {
    let refused: Check = |outcome| !outcome.codes.is_empty() || outcome.close.is_some();
    let id = &offender.conversation;
    let unknown = uuid::Uuid::new_v4().to_string();
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let nested_body = format!(
        r#"{{"type":"send","conversation":"{id}","n":1,"kind":"message","body":{{"text":"x","files":{}}}}}"#,
        nested(5_000)
    );
    let bad_frames: Vec<(&str, String, Check)> = vec![
        ("n as text", offender.send(1, "x").to_string().replace("\"n\":1", "\"n\":\"1\""), lives),
        ("n negative", offender.send(1, "x").to_string().replace("\"n\":1", "\"n\":-1"), lives),
        ("n huge", offender.send(1, "x").to_string().replace("\"n\":1", "\"n\":1e99"), lives),
        ("n zero", offender.send(0, "x").to_string(), lives),
        ("n too far", offender.send(9, "x").to_string(), |outcome| outcome.is_error("gap")),
        (
            "a lone surrogate",
            offender.send(1, "x").to_string().replace("\"x\"", r#""\ud800""#),
            lives,
        ),
        ("a NUL in the text", offender.send(1, "a\u{0}b").to_string(), lives),
        ("an empty text", offender.send(1, "").to_string(), lives),
        ("a text above the limit", offender.send(1, &"x".repeat(20_000)).to_string(), |outcome| {
            outcome.is_error("too_large") || outcome.close == Some(1009)
        }),
        ("nested 10,000 deep", nested(10_000), refused),
        ("a body nested 5,000 deep", nested_body, refused),
        ("a million bytes", "x".repeat(OVERSIZED_BYTES), |outcome| outcome.close == Some(1009)),
        (
            "a note by a visitor",
            json!({"type":"send","conversation":id,"n":1,"kind":"note","body":{"text":"x"}})
                .to_string(),
            lives,
        ),
        (
            "an unknown conversation",
            json!({"type":"subscribe","conversation":unknown,"log":null,"after":null}).to_string(),
            |outcome| outcome.is_error("not_found"),
        ),
        (
            "an id that is none",
            json!({"type":"subscribe","conversation":"../etc","log":null,"after":null}).to_string(),
            lives,
        ),
        (
            "an unknown action",
            json!({"type":"do","ref":unknown,"conversation":id,"action":"explode","args":{}})
                .to_string(),
            lives,
        ),
        (
            "an agent's action",
            json!({"type":"do","ref":unknown,"conversation":id,"action":"accept","args":{}})
                .to_string(),
            lives,
        ),
        (
            "an agent's view",
            json!({"type":"watch","ref":unknown,"view":{},"sort":"recent","limit":200}).to_string(),
            lives,
        ),
        (
            "a fetch of everything",
            json!({"type":"fetch","conversation":id,"after":0,"limit":1_000_000_000}).to_string(),
            |_| true,
        ),
    ];
    for (name, payload, passed) in no_frames().into_iter().chain(bad_frames) {
        let socket = offender.ready(Encoding::Json).await?;
        let outcome = offend(socket, &fenced(text(payload)), PATIENCE).await;
        told(report, name, passed(&outcome), &outcome);
    }
    let outcome = flood(offender).await?;
    told(report, FLOOD, is_ended(&outcome), &outcome);
    let socket = offender.ready(Encoding::Json).await?;
    let good = text(offender.send(1, "still fine").to_string());
    let outcome = offend(socket, &fenced(good), PATIENCE).await;
    told(report, "a good frame after all that", outcome == Outcome::default(), &outcome);
    Ok(())
}

async fn encodings(offender: &Offender, report: &mut Report) -> anyhow::Result<()> {
    let wrong: Check = |outcome| outcome.close == Some(4501);
    let refused: Check = |outcome| !outcome.codes.is_empty() || outcome.close.is_some();
    let binary = |payload: &[u8]| frame(0x80, Opcode::Binary, Masked::Yes, payload);
    let hello = offender.hello().to_string();
    let cases: [(&str, Encoding, Vec<u8>, Check); 6] = [
        ("binary on a text connection", Encoding::Json, binary(hello.as_bytes()), wrong),
        ("text on a binary connection", Encoding::MessagePack, text(&hello), wrong),
        ("msgpack garbage", Encoding::MessagePack, binary(&[0xc1, 0xff, 0x00, 0x93]), refused),
        ("msgpack nested 10,000 deep", Encoding::MessagePack, binary(&[0x91; 10_000]), refused),
        (
            "msgpack that announces 4 GiB",
            Encoding::MessagePack,
            binary(&[0xdf, 0xff, 0xff, 0xff, 0xff, 0xa4]),
            refused,
        ),
        ("JSON inside msgpack", Encoding::MessagePack, binary(hello.as_bytes()), refused),
    ];
    for (name, encoding, mut bytes, passed) in cases {
        bytes.extend(fence(encoding));
        let outcome = offend(offender.ready(encoding).await?, &bytes, PATIENCE).await;
        told(report, name, passed(&outcome), &outcome);
    }
    Ok(())
}

/// Offences below the protocol, against RFC 6455 itself.
async fn websocket(offender: &Offender, report: &mut Report) -> anyhow::Result<()> {
    let closed: Check = |outcome| outcome.close.is_some();
    let part = |head, opcode, payload: &[u8]| frame(head, opcode, Masked::Yes, payload);
    let good = offender.send(1, "in pieces").to_string();
    let mut pieces = part(0, Opcode::Text, &[]);
    for byte in good.as_bytes() {
        pieces.extend(part(0, Opcode::Continuation, &[*byte]));
        pieces.extend(part(0x80, Opcode::Ping, b""));
    }
    pieces.extend(part(0x80, Opcode::Continuation, b""));
    let mut endless = part(0, Opcode::Text, b"{");
    for _ in 0..2_000 {
        endless.extend(part(0, Opcode::Continuation, &[b' '; 1024]));
    }
    let mut empty = part(0, Opcode::Text, b"{");
    for _ in 0..100_000 {
        empty.extend(part(0, Opcode::Continuation, b""));
    }
    let mut huge = part(0x80, Opcode::Text, b"");
    huge.truncate(1);
    huge.extend([0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, b'x']);
    let pings: Vec<u8> = (0..50_000).flat_map(|_| part(0x80, Opcode::Ping, b"")).collect();
    let unmasked = frame(0x80, Opcode::Text, Masked::No, b"{}");
    let cases: Vec<(&str, Vec<u8>, Check)> = vec![
        ("a message in 1-byte fragments", pieces, |outcome| *outcome == Outcome::default()),
        ("fragments without end", endless, closed),
        ("100,000 empty fragments", empty, |_| true),
        ("50,000 pings", pings, |_| true),
        ("invalid UTF-8", text([0xff, 0xfe, 0xfd]), |outcome| {
            outcome.close.is_some() || !outcome.codes.is_empty()
        }),
        ("an unmasked frame", unmasked, closed),
        ("a reserved opcode", part(0x80, Opcode::Reserved, b"x"), closed),
        ("reserved bits", part(0xf0, Opcode::Text, b"{}"), closed),
        ("a ping of 200 bytes", part(0x80, Opcode::Ping, &[0; 200]), closed),
        ("a fragmented ping", part(0, Opcode::Ping, b"x"), closed),
        ("a continuation of nothing", part(0x80, Opcode::Continuation, b"x"), closed),
        ("a frame of 2^63 bytes announced", huge, closed),
    ];
    for (name, bytes, passed) in cases {
        let socket = offender.ready(Encoding::Json).await?;
        let outcome = offend(socket, &fenced(bytes), PATIENCE).await;
        told(report, name, passed(&outcome), &outcome);
    }
    Ok(())
}

async fn before_hello(offender: &Offender, report: &mut Report) -> anyhow::Result<()> {
    let auth: Check = |outcome| outcome.close == Some(4500);
    let refused: Check = |outcome| !outcome.codes.is_empty() || outcome.close.is_some();
    let bad_token =
        json!({"type": "hello", "token": "sbv_x.y.z", "device": uuid::Uuid::new_v4().to_string()});
    let none = r#"{"alg":"none"}"#;
    let forged = json!({"type": "hello", "token": format!("{none}.e30."), "device": uuid::Uuid::new_v4().to_string()});
    let bad_device = json!({"type": "hello", "token": offender.secret, "device": "my phone"});
    let subscribe = json!({"type": "subscribe", "conversation": offender.conversation});
    let cases: [(&str, Vec<u8>, Check); 6] = [
        ("no hello", Vec::new(), auth),
        ("a token that is none", text(bad_token.to_string()), auth),
        ("a forged token", text(forged.to_string()), auth),
        ("a device that is no id", text(bad_device.to_string()), refused),
        ("a subscription before hello", text(subscribe.to_string()), refused),
        ("garbage before hello", text("garbage"), refused),
    ];
    for (name, bytes, passed) in cases {
        let socket = offender.silent(Encoding::Json).await?;
        let outcome = offend(socket, &bytes, HELLO_PATIENCE).await;
        told(report, name, passed(&outcome), &outcome);
    }
    Ok(())
}

async fn http(offender: &Offender, report: &mut Report) -> anyhow::Result<()> {
    let header = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(256 * 1024));
    let many = format!("GET / HTTP/1.1\r\nhost: x\r\n{}\r\n", "a: b\r\n".repeat(5_000));
    let two = "POST /v1/conversations HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\
               transfer-encoding: chunked\r\n\r\n0\r\n\r\nGET / HTTP/1.1\r\n\r\n";
    let body = "POST /v1/conversations HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
                content-length: 99999999999\r\n\r\n{";
    let deep = "[".repeat(50_000);
    let deep = format!(
        "POST /v1/conversations HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{deep}",
        deep.len()
    );
    let cases: [(&str, Vec<u8>); 8] = [
        ("TLS to the plain port", vec![0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x0a]),
        ("zeroes", vec![0; 4096]),
        ("a head that never ends", b"GET / HTTP/1.1\r\nhost: x\r\nx: ".to_vec()),
        ("a header of 256 KiB", header.into_bytes()),
        ("5,000 headers", many.into_bytes()),
        ("two lengths", two.as_bytes().to_vec()),
        ("a body announced of 100 GB", body.as_bytes().to_vec()),
        ("a body nested 50,000 deep", deep.into_bytes()),
    ];
    for (name, bytes) in cases {
        let answer = raw(offender.address, &bytes, HEAD_PATIENCE).await?;
        let refused = match answer.as_deref() {
            None => false,
            Some("") => true,
            Some(line) => line.starts_with("HTTP/1.1 4"),
        };
        report.check(name, refused, format!("{answer:?}"));
    }
    Ok(())
}

/// Good frames with random damage, many on one connection; the outcome is free, the server is not.
async fn damaged(
    offender: &Offender,
    n: u32,
    rng: &mut Rng,
    report: &mut Report,
) -> anyhow::Result<()> {
    let id = &offender.conversation;
    let seeds = [
        offender.send(1, "hello").to_string(),
        offender.hello().to_string(),
        json!({"type":"subscribe","conversation":id,"log":null,"after":3}).to_string(),
        json!({"type":"read","conversation":id,"seq":1}).to_string(),
        json!({"type":"typing","conversation":id,"on":true,"preview":"hm"}).to_string(),
        json!({"type":"fetch","conversation":id,"before":9,"limit":5}).to_string(),
        json!({"type":"do","ref":uuid::Uuid::new_v4().to_string(),"conversation":id,"action":"rate","args":{"score":5}})
            .to_string(),
    ];
    let (mut n_codes, mut n_closed) = (0, 0);
    let mut sent = 0;
    while sent < n {
        let mut socket = offender.ready(Encoding::Json).await?;
        for _ in 0..10 {
            let seed = seeds.get(rng.index(seeds.len())).map(String::as_str).unwrap_or_default();
            let payload = damage(seed.as_bytes(), rng);
            let message = Message::text(String::from_utf8_lossy(&payload).into_owned());
            sent += 1;
            if futures_util::SinkExt::send(&mut socket, message).await.is_err() {
                break;
            }
        }
        let outcome = outcome(&mut socket, Duration::from_millis(100)).await;
        n_codes += outcome.codes.len();
        n_closed += usize::from(outcome.close.is_some());
    }
    let facts = format!("{sent} frames: {n_codes} errors, {n_closed} closes");
    report.check("damaged frames", n_codes > 0, facts);
    Ok(())
}

fn damage(seed: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=rng.below(4) {
        let at = rng.index(bytes.len());
        match rng.below(5) {
            0 => bytes.truncate(at),
            1 => {
                let copy = bytes.get(at..).unwrap_or_default().to_vec();
                bytes.extend(copy);
            }
            2 => drop(bytes.get(at).is_some().then(|| bytes.remove(at))),
            3 => bytes
                .insert(at.min(bytes.len()), *b"{}[],:\"\\09-".get(rng.index(11)).unwrap_or(&b' ')),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = u8::try_from(rng.below(256)).unwrap_or(0);
                }
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_written_as_the_rfc_says() {
        assert_eq!(text("hi"), [0x81, 0x82, 0, 0, 0, 0, b'h', b'i']);
        let long = text(vec![b'x'; 300]);
        assert_eq!(long.get(..4).unwrap(), [0x81, 0xfe, 1, 44]);
        assert_eq!(frame(0x80, Opcode::Ping, Masked::No, b""), [0x89, 0]);
    }

    #[test]
    fn damage_is_repeated_by_its_seed() {
        let run = |seed| damage(b"{\"type\":\"hello\"}", &mut Rng::new(seed));
        assert_eq!(run(5), run(5));
        assert!((0..50).any(|seed| run(seed) != run(seed + 1)));
    }
}
