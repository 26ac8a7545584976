import { expect, test } from 'vitest';
import { FakeClock, idsFrom, MemoryStore, settle } from '../test/fake/ports.ts';
import type { ClientFrame } from './frames.ts';
import { Holding } from './holding.ts';
import { Outbox } from './outbox.ts';

const CHAT = 'chat';

function make(clock = new FakeClock(), store = new MemoryStore()) {
  const sent: ClientFrame[] = [];
  const newId = idsFrom('entry');
  const outbox = new Outbox({
    clock,
    store,
    key: 'outbox',
    newId,
    transmit: (frame) => {
      sent.push(frame);
      return true;
    },
    onLate: () => {},
  });
  const holding = new Holding({ outbox, clock, newId });
  const texts = () => sent.flatMap((frame) => (frame.type === 'send' ? [frame.body.text] : []));
  const numbers = () => sent.flatMap((frame) => (frame.type === 'send' ? [frame.n] : []));
  outbox.connected(16);
  return { clock, store, outbox, holding, texts, numbers };
}

test('what is held waits, nothing overtakes it, and it goes by itself', async () => {
  const { clock, holding, texts, numbers } = make();
  holding.send(CHAT, 'message', 'held', null, 5_000);
  holding.send(CHAT, 'message', 'after', null, 0);
  holding.send('other', 'message', 'elsewhere', null, 0);
  await clock.pass(4_999);
  expect(texts()).toEqual(['elsewhere']);
  expect([...holding.until.value.values()]).toEqual([clock.now() + 1]);
  await clock.pass(1);
  expect(texts()).toEqual(['elsewhere', 'held', 'after']);
  expect(numbers()).toEqual([1, 1, 2]);
  expect(holding.until.value.size).toBe(0);
});

test('one that waits shorter does not overtake one that waits longer', async () => {
  const { clock, holding, texts } = make();
  holding.send(CHAT, 'message', 'ten', null, 10_000);
  holding.send(CHAT, 'message', 'three', null, 3_000);
  await clock.pass(9_999);
  expect(texts()).toEqual([]);
  await clock.pass(1);
  expect(texts()).toEqual(['ten', 'three']);
});

test('it can be taken back until it goes, and then not', async () => {
  const { clock, outbox, holding, texts, numbers } = make();
  holding.send(CHAT, 'message', 'back', null, 5_000);
  holding.send(CHAT, 'message', 'stays', null, 5_000);
  const [first, second] = outbox.rows(CHAT).peek();
  outbox.discard(CHAT, first?.id ?? '');
  await clock.pass(5_000);
  expect([texts(), numbers()]).toEqual([['stays'], [1]]);
  outbox.discard(CHAT, second?.id ?? '');
  expect(outbox.rows(CHAT).peek()).toMatchObject([{ text: 'stays' }]);
});

test('it goes at once when the page goes', async () => {
  const { holding, texts } = make();
  holding.send(CHAT, 'message', 'one', null, 5_000);
  holding.send(CHAT, 'note', 'two', null, 10_000);
  await settle();
  expect(texts()).toEqual([]);
  holding.release();
  await settle();
  expect(texts()).toEqual(['one', 'two']);
});

test('what a page that died held goes with the next one', async () => {
  const { clock, store, holding, texts } = make();
  holding.send(CHAT, 'message', 'one', null, 5_000);
  await settle();
  const next = make(clock, store);
  await next.outbox.restore();
  next.outbox.pump();
  await settle();
  expect([texts(), next.texts()]).toEqual([[], ['one']]);
});
