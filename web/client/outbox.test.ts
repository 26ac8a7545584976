import { expect, test } from 'vitest';
import { FakeClock, idsFrom, MemoryStore, settle } from '../test/fake/ports.ts';
import type { ClientFrame } from './frames.ts';
import { Outbox } from './outbox.ts';

const CHAT = 'chat';

function makeOutbox() {
  const store = new MemoryStore();
  const sent: ClientFrame[] = [];
  /** What was written down at the moment each frame went out. */
  const written: string[] = [];
  const outbox = new Outbox({
    clock: new FakeClock(),
    store,
    key: 'outbox',
    newId: idsFrom('entry'),
    transmit: (frame) => {
      sent.push(frame);
      written.push(store.texts.get('outbox') ?? '');
      return true;
    },
    onLate: () => {},
  });
  const numbers = () => sent.flatMap((frame) => (frame.type === 'send' ? [frame.n] : []));
  return { outbox, sent, written, numbers };
}

test('nothing goes out before it is written down as tried', async () => {
  const { outbox, written } = makeOutbox();
  outbox.connected(16);
  outbox.add(CHAT, 'message', 'hello');
  await settle();
  expect(JSON.parse(written[0] ?? 'null')).toEqual([
    [CHAT, { next: 2, entries: [expect.objectContaining({ n: 1, text: 'hello', tried: true })] }],
  ]);
});

test('a number below what the server expects is asked for again as it is: it may be stored', async () => {
  const { outbox, numbers } = makeOutbox();
  outbox.connected(16);
  for (const text of ['a', 'b', 'c']) outbox.add(CHAT, 'message', text);
  await settle();
  expect(numbers()).toEqual([1, 2, 3]);
  // All three arrived on a connection that died; on the next one the first finds the server busy.
  outbox.lost();
  outbox.connected(16);
  await settle();
  outbox.nack({ type: 'nack', conversation: CHAT, n: 1, code: 'busy' });
  const ack = { type: 'ack', conversation: CHAT, id: 'e', at: '', duplicate: true } as const;
  outbox.ack({ ...ack, n: 2, seq: 2 });
  outbox.nack({ type: 'nack', conversation: CHAT, n: 3, code: 'too_large' });
  outbox.lost();
  outbox.connected(16);
  await settle();
  expect(numbers()).toEqual([1, 2, 3, 1, 2, 3, 1]);
});

test('answers to numbers that are not in flight change nothing', async () => {
  const { outbox, numbers } = makeOutbox();
  outbox.connected(16);
  outbox.add(CHAT, 'message', 'a');
  await settle();
  outbox.nack({ type: 'nack', conversation: CHAT, n: 9, code: 'closed' });
  outbox.nack({ type: 'nack', conversation: 'other', n: 1, code: 'closed' });
  expect(outbox.rows(CHAT).peek()).toMatchObject([{ n: 1, state: 'flying' }]);
  outbox.ack({ type: 'ack', conversation: CHAT, n: 1, seq: 5, id: 'e', at: '', duplicate: false });
  outbox.nack({ type: 'nack', conversation: CHAT, n: 1, code: 'gap', expect: 1 });
  expect(outbox.rows(CHAT).peek()).toMatchObject([{ state: 'stored', seq: 5 }]);
  expect(numbers()).toEqual([1]);
});

test('what was written before the conversation existed goes to it in order', async () => {
  const { outbox, sent } = makeOutbox();
  outbox.connected(16);
  for (const text of ['a', 'b']) outbox.add('draft:1', 'message', text);
  await settle();
  expect(sent).toEqual([]);
  outbox.rename('draft:1', CHAT);
  await settle();
  expect(sent).toMatchObject([
    { conversation: CHAT, n: 1, body: { text: 'a' } },
    { conversation: CHAT, n: 2, body: { text: 'b' } },
  ]);
});

test('a gap that an ack has closed meanwhile renumbers nothing', async () => {
  const { outbox, sent } = makeOutbox();
  outbox.connected(16);
  for (const text of ['a', 'b']) outbox.add(CHAT, 'message', text);
  await settle();
  // The server took the second send before the first.
  outbox.nack({ type: 'nack', conversation: CHAT, n: 2, code: 'gap', expect: 1 });
  outbox.ack({ type: 'ack', conversation: CHAT, n: 1, seq: 1, id: 'e', at: '', duplicate: false });
  await settle();
  expect(sent.slice(2)).toMatchObject([{ n: 2, body: { text: 'b' } }]);
});
