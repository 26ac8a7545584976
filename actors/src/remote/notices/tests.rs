use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use switchboard_cluster::transport::{NotSent, Peer, Receiver, Transport};

use super::*;

fn node(name: &str) -> NodeName {
    NodeName(name.into())
}

/// Carries everything to one receiver at once, or nothing while it is full.
#[derive(Debug)]
struct Way {
    from: NodeName,
    to: Arc<dyn Receiver>,
    is_full: Arc<AtomicBool>,
}

impl Transport for Way {
    fn send(&self, _to: &NodeName, envelope: Bytes) -> Result<(), NotSent> {
        if self.is_full.load(Ordering::Relaxed) {
            return Err(NotSent::Full);
        }
        self.to.receive(&self.from, envelope);
        Ok(())
    }

    fn offer(&self, to: &NodeName, envelope: Bytes) -> Result<(), NotSent> {
        self.send(to, envelope)
    }
}

#[derive(Debug, Default)]
struct Diary(Mutex<Vec<String>>);

impl Diary {
    fn note(&self, what: String) {
        self.0.lock().push(what);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock())
    }
}

impl Notices for Diary {
    fn linked(&self, node: &NodeName) {
        self.note(format!("linked {node}"));
    }

    fn missed(&self, node: &NodeName) {
        self.note(format!("missed {node}"));
    }

    fn heard(&self, from: &NodeName, words: &Bytes) {
        self.note(format!("{from}: {}", String::from_utf8_lossy(words)));
    }

    fn gone(&self, node: &NodeName) {
        self.note(format!("gone {node}"));
    }
}

#[test]
fn a_notice_is_heard_or_that_it_was_missed() {
    let (one, two) = (Remote::new(), Remote::new());
    let (told, hears) = (Arc::new(Diary::default()), Arc::new(Diary::default()));
    let is_full = Arc::new(AtomicBool::new(false));
    let way = Way { from: node("one"), to: two.receiver(), is_full: Arc::clone(&is_full) };
    one.connect(Arc::new(way));
    one.listen(Arc::clone(&told) as _);
    let words = |text: &'static str| Bytes::from_static(text.as_bytes());

    one.tell_all(words("to nobody"));
    let up = |name: &str| Peer { node: node(name), version: 1 };
    one.receiver().up(&up("two"));
    two.receiver().up(&up("one"));
    two.listen(Arc::clone(&hears) as _);
    assert_eq!(told.take(), ["linked two", "missed two"]);
    assert_eq!(hears.take(), ["linked one", "missed one"], "also when it listens late");
    one.tell_all(words("first"));
    one.tell(&node("two"), words("second"));
    assert_eq!(hears.take(), ["one: first", "one: second"]);

    is_full.store(true, Ordering::Relaxed);
    one.tell_all(words("lost"));
    one.settle();
    is_full.store(false, Ordering::Relaxed);
    assert!(hears.take().is_empty());
    one.settle();
    assert_eq!(hears.take(), ["missed one"]);
    assert_eq!(told.take(), ["linked two"], "what stands is to be told again");
    one.settle();
    assert!(hears.take().is_empty(), "said once");

    one.receiver().down(&node("two"));
    assert_eq!(told.take(), ["gone two"]);
    assert!(one.linked().is_empty());
    one.tell_all(words("to nobody"));
    assert!(hears.take().is_empty());
}
