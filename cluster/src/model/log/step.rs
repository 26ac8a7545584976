//! What can happen next.

use std::mem;

use super::state::{Broken, Life, Message, Node, Sends, Serving, State, Swap, quorums};
use super::{Bounds, REPLICAS};
use crate::log::takeover::{Ask, Next, TakeOver, Taken};
use crate::log::writer::{Appending, Ticket, Writer};
use crate::log::{At, LogEpoch, Row};
use crate::ownership::Epoch;
use crate::rows::Outcome;
use crate::rules::Rule;

/// One step of one part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A node claims the shard.
    Claim(u8),
    /// A node begins a life of the log and reads the head.
    Begin(u8),
    /// … with what the last owner handed on.
    BeginWarm(u8),
    /// A node reads the head again.
    ReadHead(u8),
    /// A node reads the tail from these replicas.
    ReadTail(u8, u8),
    /// The rows that a node wrote again are at quorum.
    Rewritten(u8),
    /// A conditional write is carried out, or refused.
    Land(usize),
    /// A node gives up waiting for one.
    GiveUp(u8),
    /// A client sends a message to a node.
    Send(u8, Message),
    /// A row arrives at a replica.
    Arrive(usize, u8),
    /// A node hears that an append is at quorum, asks whether it holds, and acknowledges.
    Stored(u8, Ticket),
    /// A node gives up waiting for the newest append.
    Forget(u8, Ticket),
    /// The owner fails; its supervisor begins a new life.
    Fail(u8, u8),
    /// A node puts the log away.
    Mark(u8),
    /// A node ends the log's life, to give the shard away, and keeps what it will hand on.
    Collect(u8),
    /// A node releases the shard, and hands on what it kept.
    HandOn(u8),
    /// A reader reads by the head row alone.
    Read(u8),
}

pub(super) fn actions(model: &Bounds, state: &State, actions: &mut Vec<Action>) {
    if state.broken.is_some() {
        return;
    }
    for node in 0..model.nodes {
        actions_of(model, state, node, actions);
    }
    actions.extend((0..state.swaps.len()).map(Action::Land));
    for (index, (_, mask)) in state.rows.iter().enumerate() {
        // Replicas that have the same rows are the same.
        let arrives = (0_u8..).take(REPLICAS).filter(|replica| mask & (1 << replica) == 0);
        actions.extend(arrives.map(|replica| Action::Arrive(index, replica)));
    }
    if !model.rules.keeps(Rule::OwnerBoundsReads) {
        actions.extend(quorums().map(Action::Read));
    }
}

fn actions_of(model: &Bounds, state: &State, node: u8, actions: &mut Vec<Action>) {
    let Some(here) = state.node(node) else { return };
    // Before the first claim nodes differ in name alone.
    let is_next = state.claimed.0 > 0 || node == 0;
    if is_next && state.claimed.0 < model.claims && state.holder != Some(node) {
        actions.push(Action::Claim(node));
    }
    let may_begin = here.epoch.is_some() && here.activations < model.activations;
    if here.leaving.is_some() && here.epoch.is_some() {
        actions.push(Action::HandOn(node));
    }
    match &here.life {
        Life::Idle => {
            // Also between the two steps of a hand-off, which the next owner must notice.
            if may_begin {
                actions.push(Action::Begin(node));
                if state.warm.is_some() {
                    actions.push(Action::BeginWarm(node));
                }
            }
        }
        Life::Taking { ask, .. } => {
            match ask {
                Ask::ReadHead => actions.push(Action::ReadHead(node)),
                Ask::ReadTail { .. } => {
                    actions.extend(quorums().map(|quorum| Action::ReadTail(node, quorum)));
                }
                Ask::Rewrite(rows) => {
                    if state.is_at_quorum(rows) {
                        actions.push(Action::Rewritten(node));
                    }
                }
                Ask::Swap { .. } => actions.push(Action::GiveUp(node)),
            }
            if may_begin {
                actions.push(Action::Fail(node, 0));
            }
        }
        Life::Marking(_) => actions.push(Action::GiveUp(node)),
        Life::Serving(serving) => {
            actions_of_owner(model, state, node, serving, actions);
            if may_begin {
                actions.extend(restarts(model).map(|quorum| Action::Fail(node, quorum)));
            }
        }
    }
}

/// How an owner's life may begin again: by a take-over, or by a read of some quorum.
fn restarts(model: &Bounds) -> impl Iterator<Item = u8> {
    let takes_over = model.rules.keeps(Rule::RestartTakesOver);
    quorums().take(if takes_over { 0 } else { 3 }).chain(takes_over.then_some(0))
}

fn actions_of_owner(
    model: &Bounds,
    state: &State,
    node: u8,
    serving: &Serving,
    actions: &mut Vec<Action>,
) {
    let writer = &serving.writer;
    for message in 0..model.messages.min(state.sent.saturating_add(1)) {
        let waits = writer.pending(&message).is_some() && model.rules.keeps(Rule::DuplicateWaits);
        if !waits && (writer.is_open() || serving.sends.contains_key(&message)) {
            actions.push(Action::Send(node, message));
        }
    }
    for (ticket, rows) in writer.awaited() {
        if state.is_at_quorum(rows) {
            actions.push(Action::Stored(node, ticket));
        }
        if !model.rules.keeps(Rule::SeqNeverReused) {
            actions.push(Action::Forget(node, ticket));
        }
    }
    if state.marks < model.marks && is_settled_without(model, serving, Rule::SettleBeforeMark) {
        actions.push(Action::Mark(node));
    }
    // Only an owner that believes in its claim gives the shard away.
    let may_leave = |node: &Node| node.epoch.is_some() && node.leaving.is_none();
    if state.node(node).is_some_and(may_leave)
        && state.hand_offs < model.hand_offs
        && is_settled_without(model, serving, Rule::SettleBeforeHandOff)
    {
        actions.push(Action::Collect(node));
    }
}

fn is_settled_without(model: &Bounds, serving: &Serving, rule: Rule) -> bool {
    serving.writer.awaited().next().is_none() || !model.rules.keeps(rule)
}

pub(super) fn step(model: &Bounds, state: &mut State, action: Action) {
    match action {
        Action::Claim(node) => claim(model, state, node),
        Action::Begin(node) => begin(model, state, node),
        Action::BeginWarm(node) => begin_warm(model, state, node),
        Action::ReadHead(node) => {
            let head = state.head;
            take_on(model, state, node, |machine, _| machine.head(head));
        }
        Action::ReadTail(node, quorum) => {
            let rows = state.found(model, quorum);
            let from_all = !model.rules.keeps(Rule::DedupeFromCounting);
            take_on(model, state, node, |machine, sends| {
                if from_all {
                    sends.extend(rows.iter().map(|row| (row.entry, row.at)));
                }
                let after = machine.from();
                machine.tail(rows.into_iter().filter(|row| !after.cover(row.at)).collect())
            });
        }
        Action::Rewritten(node) => take_on(model, state, node, |machine, _| machine.rewritten()),
        Action::Land(index) => land(model, state, index),
        Action::GiveUp(node) => give_up(model, state, node),
        Action::Send(node, message) => send(model, state, node, message),
        Action::Arrive(index, replica) => {
            if let Some((_, mask)) = state.rows.get_mut(index) {
                *mask |= 1 << replica;
            }
        }
        Action::Stored(node, ticket) => stored(model, state, node, ticket),
        Action::Forget(node, ticket) => {
            if let Some(Life::Serving(serving)) = life(state, node) {
                serving.writer.withdraw(ticket);
            }
        }
        Action::Fail(node, quorum) => fail(model, state, node, quorum),
        Action::Mark(node) => mark(model, state, node),
        Action::Collect(node) => collect(model, state, node),
        Action::HandOn(node) => hand_on(state, node),
        Action::Read(quorum) => state.read_by_head(model, quorum),
    }
}

fn life(state: &mut State, node: u8) -> Option<&mut Life> {
    state.nodes.get_mut(usize::from(node)).map(|node| &mut node.life)
}

fn take_life(state: &mut State, node: u8) -> Life {
    life(state, node).map_or(Life::Idle, |life| mem::replace(life, Life::Idle))
}

fn set_life(state: &mut State, node: u8, new: Life) {
    if let Some(life) = life(state, node) {
        *life = new;
    }
}

fn claim(model: &Bounds, state: &mut State, node: u8) {
    state.claimed = Epoch(state.claimed.0.saturating_add(1));
    state.holder = Some(node);
    let claimed = state.claimed;
    if let Some(here) = state.nodes.get_mut(usize::from(node)) {
        here.epoch = Some(claimed);
        here.activations = 0;
        here.leaving = None;
        if model.rules.keeps(Rule::BootKeepsNothing) {
            here.life = Life::Idle;
        }
    }
}

/// The epoch of the next life on a node.
fn activate(model: &Bounds, state: &mut State, node: u8) -> LogEpoch {
    let head = state.head;
    let Some(here) = state.nodes.get_mut(usize::from(node)) else { return LogEpoch::default() };
    here.activations = here.activations.saturating_add(1);
    let shard = here.epoch.unwrap_or_default();
    let mut activation = here.activations;
    if !model.rules.keeps(Rule::ActivationFromMemory) {
        let found = head.filter(|head| head.epoch.shard == shard);
        activation = found.map_or(1, |head| head.epoch.activation.saturating_add(1));
    }
    LogEpoch { shard, activation }
}

fn begin(model: &Bounds, state: &mut State, node: u8) {
    let epoch = activate(model, state, node);
    let (from, sends) = state.checkpoint.clone();
    let (machine, ask) = TakeOver::begin(epoch, from, model.rules);
    set_life(state, node, Life::Taking { machine, ask, sends });
    let head = state.head;
    take_on(model, state, node, |machine, _| machine.head(head));
}

fn begin_warm(model: &Bounds, state: &mut State, node: u8) {
    let Some((warm, sends)) = state.warm.take() else { return };
    let epoch = activate(model, state, node);
    let sends = if model.rules.keeps(Rule::DedupeHandedOn) { sends } else { Sends::new() };
    let (machine, ask) = TakeOver::begin_warm(epoch, warm, model.rules);
    set_life(state, node, Life::Taking { machine, ask: Ask::ReadHead, sends });
    take_on(model, state, node, |_, _| Next::Ask(ask));
}

/// Tells a take-over something and does what it wants next.
fn take_on(
    model: &Bounds,
    state: &mut State,
    node: u8,
    answer: impl FnOnce(&mut TakeOver<Message>, &mut Sends) -> Next<Message>,
) {
    let Life::Taking { mut machine, mut sends, .. } = take_life(state, node) else { return };
    match answer(&mut machine, &mut sends) {
        Next::Ask(ask) => {
            match &ask {
                Ask::Rewrite(rows) => state.write(rows.clone()),
                Ask::Swap { expect, head } => {
                    state.swaps.push(Swap { by: node, expect: *expect, head: *head });
                    if !model.rules.keeps(Rule::HeadBeforeRows) {
                        let next = machine.swapped(&Outcome::Applied);
                        return serve_next(model, state, node, next, sends);
                    }
                }
                Ask::ReadHead | Ask::ReadTail { .. } => {}
            }
            set_life(state, node, Life::Taking { machine, ask, sends });
        }
        next => serve_next(model, state, node, next, sends),
    }
}

fn serve_next(model: &Bounds, state: &mut State, node: u8, next: Next<Message>, mut sends: Sends) {
    match next {
        Next::Taken(taken) => {
            state.adopt(model, &taken);
            if model.rules.keeps(Rule::DedupeRebuilt) {
                remember(&mut sends, &taken.rows);
            }
            let writer = Writer::open(&taken, model.rules);
            set_life(state, node, Life::Serving(Serving { writer, sends }));
            vouch(model, state, node);
        }
        Next::Missing { .. } => state.breaks(Broken::Lost),
        Next::Superseded | Next::Ask(_) => {}
    }
}

fn remember(sends: &mut Sends, rows: &[Row<Message>]) {
    for row in rows {
        sends.entry(row.entry).or_insert(row.at);
    }
}

fn vouch(model: &Bounds, state: &mut State, node: u8) {
    let Some(Life::Serving(serving)) = state.node(node).map(|node| &node.life) else { return };
    let holds = || state.holds(model, node, serving.writer.head().epoch);
    if let Some(bound) = serving.writer.vouch(holds) {
        state.bounds.insert(bound);
    }
}

fn land(model: &Bounds, state: &mut State, index: usize) {
    if index >= state.swaps.len() {
        return;
    }
    let swap = state.swaps.remove(index);
    let is_awaited = swap.is_awaited(&state.nodes);
    let matches = if model.rules.keeps(Rule::ExactHead) {
        state.head == swap.expect
    } else {
        state.head.is_none_or(|head| head.epoch <= swap.head.epoch)
    };
    let outcome = if matches { Outcome::Applied } else { Outcome::Refused(state.head) };
    if matches {
        state.head = Some(swap.head);
    }
    if is_awaited {
        if let Some(Life::Marking(_)) = life(state, swap.by) {
            set_life(state, swap.by, Life::Idle);
        } else {
            take_on(model, state, swap.by, |machine, _| machine.swapped(&outcome));
        }
    }
}

fn give_up(model: &Bounds, state: &mut State, node: u8) {
    if let Some(Life::Marking(_)) = life(state, node) {
        let Life::Marking(serving) = take_life(state, node) else { return };
        if !model.rules.keeps(Rule::UnknownMarkEnds) {
            set_life(state, node, Life::Serving(serving));
        }
        return;
    }
    take_on(model, state, node, |machine, _| machine.swapped(&Outcome::Unknown));
}

fn send(model: &Bounds, state: &mut State, node: u8, message: Message) {
    state.sent = state.sent.max(message.saturating_add(1));
    let Some(Life::Serving(serving)) = life(state, node) else { return };
    if let Some(&at) = serving.sends.get(&message) {
        return state.acknowledge(message, at);
    }
    let mut entries = vec![(0, message)];
    if message < model.pairs {
        entries.push((1, message));
    }
    match serving.writer.append(Some(message), entries, 0) {
        Appending::Write(_, rows) => state.write(rows),
        Appending::Waits(ticket) => {
            let mut awaited = serving.writer.awaited();
            let rows = awaited.find(|(pending, _)| *pending == ticket).map(|(_, rows)| rows);
            let at = rows.and_then(|rows| rows.first()).map(|row| row.at);
            drop(awaited);
            if let Some(at) = at {
                state.acknowledge(message, at);
            }
        }
        Appending::Refused => {}
    }
}

fn stored(model: &Bounds, state: &mut State, node: u8, ticket: Ticket) {
    let Life::Serving(mut serving) = take_life(state, node) else { return };
    serving.writer.stored(ticket);
    let epoch = serving.writer.head().epoch;
    let Ok(acked) = serving.writer.acknowledge(|| state.holds(model, node, epoch)) else {
        // Its lease is over: it ends, and begins again if it can.
        return;
    };
    for append in acked {
        for row in &append.rows {
            state.tell(row.at, row.entry);
            state.acked.insert(row.entry);
        }
        remember(&mut serving.sends, &append.rows);
    }
    set_life(state, node, Life::Serving(serving));
    vouch(model, state, node);
}

fn fail(model: &Bounds, state: &mut State, node: u8, quorum: u8) {
    let failed = take_life(state, node);
    if quorum == 0 {
        return;
    }
    // Without the rule: the same head again, and whatever rows are found.
    let Life::Serving(serving) = failed else { return };
    let head = serving.writer.head();
    let found = state.found(model, quorum);
    let counting = crate::log::counting(Some(&head), found, model.rules);
    let (heads, rows) = crate::log::cut(crate::log::Heads::default(), counting, model.rules);
    if let Some(here) = state.nodes.get_mut(usize::from(node)) {
        here.activations = here.activations.saturating_add(1);
    }
    let next = Next::Taken(Taken { head, heads, rows });
    serve_next(model, state, node, next, Sends::new());
}

fn mark(model: &Bounds, state: &mut State, node: u8) {
    let Life::Serving(mut serving) = take_life(state, node) else { return };
    let before = serving.clone();
    serving.writer.seal();
    let Some(Ask::Swap { expect, head }) = serving.writer.mark() else { return };
    state.marks = state.marks.saturating_add(1);
    // What is remembered is written before the mark; a checkpoint never falls back.
    let heads = head.mark.unwrap_or_default();
    if model.rules.keeps(Rule::SettleBeforeMark) && heads >= state.checkpoint.0 {
        let kept = model.rules.keeps(Rule::DedupeRebuilt);
        state.checkpoint = (heads, if kept { serving.sends.clone() } else { Sends::new() });
    }
    state.swaps.push(Swap { by: node, expect, head });
    let keeps = model.rules.keeps(Rule::UnknownMarkEnds);
    set_life(state, node, Life::Marking(if keeps { serving } else { before }));
}

fn collect(model: &Bounds, state: &mut State, node: u8) {
    let Life::Serving(mut serving) = take_life(state, node) else { return };
    let pending: Vec<(Message, At)> = serving
        .writer
        .awaited()
        .flat_map(|(_, rows)| rows.iter().map(|row| (row.entry, row.at)))
        .collect();
    let before = serving.clone();
    serving.writer.seal();
    let Some(warm) = serving.writer.hand_on() else { return };
    state.hand_offs = state.hand_offs.saturating_add(1);
    let mut sends = serving.sends;
    sends.extend(pending);
    if let Some(here) = state.nodes.get_mut(usize::from(node)) {
        here.leaving = Some((warm, sends));
    }
    if !model.rules.keeps(Rule::HandOffEndsServing) {
        state.lingers = Some(node);
        set_life(state, node, Life::Serving(before));
    }
}

fn hand_on(state: &mut State, node: u8) {
    let Some(here) = state.nodes.get_mut(usize::from(node)) else { return };
    here.epoch = None;
    let Some((warm, sends)) = here.leaving.take() else { return };
    // The release is a conditional write of its own: without the claim it does nothing, and then
    // nothing is sent on.
    if state.holder == Some(node) && warm.head.epoch.shard == state.claimed {
        state.holder = None;
        state.warm = Some((warm, sends));
    }
}
