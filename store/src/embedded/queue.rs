//! A queue with a bound in items and bytes (P7). What does not fit is refused, never waited for.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Shared by those who push and the threads that take.
#[derive(Debug)]
pub(super) struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    arrived: Condvar,
    items_max: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Waiting<T> {
    items: VecDeque<(T, usize)>,
    bytes: usize,
    closed: bool,
    /// How many items wake who waits for them.
    wanted: usize,
}

impl<T> Queue<T> {
    pub(super) fn new(items_max: usize, bytes_max: usize) -> Self {
        let waiting = Waiting { items: VecDeque::new(), bytes: 0, closed: false, wanted: 1 };
        Self { waiting: Mutex::new(waiting), arrived: Condvar::new(), items_max, bytes_max }
    }

    /// Adds an item of that size, or gives it back when the queue is full or closed. An empty
    /// queue takes an item of any size.
    pub(super) fn push(&self, item: T, bytes: usize) -> Result<(), T> {
        let mut waiting = self.waiting.lock();
        let fits = waiting.items.len() < self.items_max
            && waiting.bytes.saturating_add(bytes) <= self.bytes_max;
        if waiting.closed || !(fits || waiting.items.is_empty()) {
            return Err(item);
        }
        waiting.bytes += bytes;
        waiting.items.push_back((item, bytes));
        let are_enough = self.are_enough(&waiting);
        drop(waiting);
        if are_enough {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Waits until so many items are there, but no longer than that; not at all once the queue is
    /// closed, nor when it is half full. For the only thread that takes: what comes meanwhile wakes
    /// no other.
    pub(super) fn gather(&self, items: usize, at_most: Duration) {
        if at_most.is_zero() {
            return;
        }
        let until = Instant::now() + at_most;
        let mut waiting = self.waiting.lock();
        waiting.wanted = items.min(self.items_max / 2);
        while !self.are_enough(&waiting) {
            if self.arrived.wait_until(&mut waiting, until).timed_out() {
                break;
            }
        }
        waiting.wanted = 1;
    }

    fn are_enough(&self, waiting: &Waiting<T>) -> bool {
        waiting.closed
            || waiting.items.len() >= waiting.wanted
            || waiting.bytes > self.bytes_max / 2
    }

    /// Waits for something to do, then moves up to `items_max` items into `taken`; answers their
    /// bytes, and `None` once the queue is closed and empty.
    pub(super) fn take(&self, taken: &mut Vec<T>, items_max: usize) -> Option<usize> {
        let mut waiting = self.waiting.lock();
        while waiting.items.is_empty() {
            if waiting.closed {
                return None;
            }
            self.arrived.wait(&mut waiting);
        }
        let count = waiting.items.len().min(items_max);
        let mut bytes_taken = 0;
        for (item, bytes) in waiting.items.drain(..count) {
            bytes_taken += bytes;
            taken.push(item);
        }
        waiting.bytes -= bytes_taken;
        Some(bytes_taken)
    }

    /// Refuses what comes from now on; what waits is still taken.
    pub(super) fn close(&self) {
        self.waiting.lock().closed = true;
        self.arrived.notify_all();
    }

    /// Refuses what comes from now on and drops what waits.
    pub(super) fn abandon(&self) {
        self.close();
        let dropped = std::mem::take(&mut self.waiting.lock().items);
        drop(dropped);
    }

    /// Items that wait now.
    pub(super) fn len(&self) -> usize {
        self.waiting.lock().items.len()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    #[test]
    fn both_bounds_refuse() {
        let queue = Queue::new(2, 100);
        assert_eq!(queue.push("large", 1_000), Ok(()), "an empty queue takes any size");
        assert_eq!(queue.push("over the bytes", 1), Err("over the bytes"));
        let mut taken = Vec::new();
        assert_eq!(queue.take(&mut taken, 8), Some(1_000));
        assert_eq!(queue.push("a", 50), Ok(()));
        assert_eq!(queue.push("b", 50), Ok(()));
        assert_eq!(queue.push("over the items", 0), Err("over the items"));
        assert_eq!(queue.len(), 2);
        assert_eq!(queue.take(&mut taken, 1), Some(50));
        assert_eq!(queue.push("c", 50), Ok(()));
        assert_eq!(taken, ["large", "a"]);
    }

    #[test]
    fn a_closed_queue_is_emptied_and_then_ends() {
        let queue = Queue::new(8, 100);
        assert_eq!(queue.push(1, 1), Ok(()));
        queue.close();
        assert_eq!(queue.push(2, 1), Err(2));
        let mut taken = Vec::new();
        assert_eq!(queue.take(&mut taken, 8), Some(1));
        assert_eq!(queue.take(&mut taken, 8), None);
        assert_eq!(taken, [1]);
    }

    #[test]
    fn who_gathers_waits_for_so_many_or_so_long() {
        let queue = Arc::new(Queue::new(8, 100));
        let (short, long) = (Duration::from_millis(20), Duration::from_secs(600));
        let began = Instant::now();
        queue.gather(2, short);
        assert!(began.elapsed() >= short, "nothing came");
        assert_eq!(queue.push("one", 1), Ok(()));
        let pusher = Arc::clone(&queue);
        let second = thread::spawn(move || pusher.push("two", 1));
        queue.gather(2, long);
        assert_eq!(queue.len(), 2);
        second.join().expect("it does not panic").expect("there is room");
        assert_eq!(queue.push("three", 1), Ok(()));
        assert_eq!(queue.push("four", 1), Ok(()));
        queue.gather(1_000, long);
        let mut taken = Vec::new();
        assert_eq!(queue.take(&mut taken, 8), Some(4), "half of its items is enough");
        assert_eq!(queue.push("large", 51), Ok(()));
        queue.gather(2, long);
        assert_eq!(queue.take(&mut taken, 8), Some(51), "so is half of its bytes");
        queue.close();
        queue.gather(1, long);
    }

    #[test]
    fn every_item_is_taken_once() {
        let queue = Arc::new(Queue::new(usize::MAX, usize::MAX));
        let takers: Vec<_> = (0..4)
            .map(|_| {
                let queue = Arc::clone(&queue);
                thread::spawn(move || {
                    let mut taken = Vec::new();
                    while queue.take(&mut taken, 3).is_some() {}
                    taken
                })
            })
            .collect();
        for item in 0..1_000 {
            assert_eq!(queue.push(item, 1), Ok(()));
        }
        queue.close();
        let mut taken: Vec<i32> =
            takers.into_iter().flat_map(|it| it.join().expect("a taker ends well")).collect();
        taken.sort_unstable();
        assert_eq!(taken, (0..1_000).collect::<Vec<_>>());
    }
}
