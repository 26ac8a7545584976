/** socket.io-client over each of its transports, in both namespaces. */

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Server } from '../browser/kit/server.ts';
import { Client, serve, token, WAYS } from './kit.ts';

let server: Server;
let people = 1000;

beforeAll(async () => {
  server = await serve();
});

afterAll(() => server.stop());

/** Somebody new. */
function somebody(role: string): { id: string; bearer: string } {
  people += 1;
  return { id: String(people), bearer: token(String(people), role) };
}

/** A customer in a chat of phase5 with an agent. */
async function chat(settings: object) {
  const [customer, agent] = await Promise.all([
    Client.enter(server.address, somebody('customer').bearer, settings),
    Client.enter(server.address, somebody('agent').bearer, settings),
  ]);
  const { session } = (await customer.do('chat:start', { subject: 'Help' })) as {
    session: { id: number };
  };
  await agent.do('chat:accept', { session_id: session.id });
  const say = async (from: Client, content: string) => {
    await from.do('chat:send_message', { session_id: session.id, content });
  };
  return { customer, agent, session: session.id, say };
}

describe.each(WAYS)('%s', (way, settings) => {
  test('a customer and an agent talk on /', async () => {
    const { customer, agent, say } = await chat(settings);
    await say(customer, 'question');
    await agent.hears('chat:new_message', { message: { content: 'question' } });
    await say(agent, 'answer');
    await customer.hears('chat:new_message', { message: { content: 'answer' } });
    const expected = way === 'polling' ? 'polling' : 'websocket';
    await expect.poll(() => customer.transport, { timeout: 20_000 }).toBe(expected);
    await say(agent, 'after the upgrade, if any');
    await customer.hears('chat:new_message', { message: { content: 'after the upgrade, if any' } });
    customer.close();
    agent.close();
  });

  test('a customer and a supporter talk in /chat', async () => {
    const [owner, support] = [somebody('customer'), somebody('manager')];
    const room = await (
      await fetch(`${server.address}/api/chat/room`, {
        headers: { authorization: `Bearer ${owner.bearer}` },
      })
    ).json();
    const url = `${server.address}/chat`;
    const customer = await Client.enter(url, owner.bearer, settings);
    const manager = await Client.enter(url, support.bearer, settings);
    await customer.do('joinRoom', { roomId: room.id });
    const said = { roomId: room.id, senderId: owner.id, message: 'question' };
    await customer.do('sendMessage', said);
    await manager.hears('newChatRequest', { roomId: room.id, message: 'question' });
    await manager.do('joinRoom', { roomId: room.id });
    await customer.hears('supportJoined');
    const answer = { roomId: room.id, senderId: support.id, message: 'answer' };
    await manager.do('sendMessage', answer);
    await customer.hears('newMessage', { message: 'answer', isFromSupport: true });
    customer.close();
    manager.close();
  });

  test('the longest text arrives as it was, and one that is longer is refused', async () => {
    const { customer, agent, session, say } = await chat(settings);
    const longest = '𝄞'.repeat(4096);
    await say(customer, longest);
    await agent.hears('chat:new_message', { message: { content: longest } });
    const longer = { session_id: session, content: `${longest}.` };
    expect(await customer.ask('chat:send_message', longer)).toMatchObject({ success: false });
    customer.close();
    agent.close();
  });

  test('many at once arrive in order', async () => {
    const { customer, agent, say } = await chat(settings);
    // Together more than one payload may have.
    const texts = Array.from({ length: 100 }, (_, n) => `${n} ${'x'.repeat(1000)}`);
    await Promise.all(texts.map((text) => say(customer, text)));
    for (const text of texts) {
      const { message } = await agent.hears('chat:new_message', {
        message: { sender_type: 'customer' },
      });
      expect(message).toMatchObject({ content: text });
    }
    customer.close();
    agent.close();
  });

  test('whoever is not let in is told why', async () => {
    const forged = token('1', 'admin', 'another secret that is long enough');
    for (const [path, bearer, why] of [
      ['', undefined, 'A valid token is needed'],
      ['', forged, 'A valid token is needed'],
      ['/chat', forged, 'A valid token is needed'],
      ['/nowhere', token('1', 'customer'), 'Invalid namespace'],
    ] as const) {
      const auth = bearer === undefined ? {} : { token: bearer };
      const client = new Client(server.address + path, { ...settings, auth });
      expect(await client.refused()).toBe(why);
    }
  });

  test('a token may stand in a header or in the address', async () => {
    const { bearer } = somebody('customer');
    for (const said of [
      { extraHeaders: { authorization: `Bearer ${bearer}` } },
      { query: { token: bearer } },
    ]) {
      const client = new Client(server.address, { ...settings, ...said });
      await client.connected();
      await client.do('chat:start', {});
      client.close();
    }
  });

  test('whoever leaves can come back', async () => {
    const { customer, agent, say } = await chat(settings);
    customer.socket.disconnect();
    await say(agent, 'while you were away');
    customer.socket.connect();
    await customer.connected();
    await say(agent, 'welcome back');
    await customer.hears('chat:new_message', { message: { content: 'welcome back' } });
    customer.close();
    agent.close();
  });
});

test('both namespaces share one transport', async () => {
  const { bearer } = somebody('customer');
  const first = new Client(server.address, { auth: { token: bearer }, forceNew: false });
  const second = new Client(`${server.address}/chat`, { auth: { token: bearer }, forceNew: false });
  await Promise.all([first.connected(), second.connected()]);
  expect(second.socket.io).toBe(first.socket.io);
  await first.do('chat:start', {});
  // Back at once: a goodbye to the first visit must not end the second one.
  first.socket.disconnect().connect();
  await first.connected();
  await first.do('chat:start', {});
  first.close();
  await second.do('register', { userId: String(people) });
  second.close();
});
