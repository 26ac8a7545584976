/** A server that goes away: clients come back by their own means, and nothing acknowledged is lost. */

import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Server } from '../browser/kit/server.ts';
import { Client, serve, token, WAYS } from './kit.ts';

let server: Server;

beforeEach(async () => {
  server = await serve();
});

afterEach(() => server.stop());

const ENDS: readonly ['kill' | 'terminate'][] = [['kill'], ['terminate']];

describe.each(WAYS)('%s', (_way, settings) => {
  test.each(ENDS)('after %s', async (end) => {
    const customer = await Client.enter(server.address, token('1', 'customer'), settings);
    const agent = await Client.enter(server.address, token('3', 'agent'), settings);
    const { session } = (await customer.do('chat:start', {})) as { session: { id: number } };
    const of = { session_id: session.id };
    await agent.do('chat:accept', of);
    await customer.do('chat:send_message', { ...of, content: 'before' });
    const gone = new Promise((resolve) => customer.socket.once('disconnect', resolve));
    await server[end]();
    // "io server disconnect" would mean: for good.
    expect(['transport close', 'transport error', 'ping timeout']).toContain(await gone);
    await server.run();
    await Promise.all([customer.connected(), agent.connected()]);
    await agent.do('chat:send_message', { ...of, content: 'after' });
    await customer.hears('chat:new_message', { message: { content: 'after' } });
    const kept = await fetch(`${server.address}/api/live-chat/${session.id}/messages`, {
      headers: { authorization: `Bearer ${token('1', 'customer')}` },
    });
    const { messages } = (await kept.json()) as { messages: { content: string }[] };
    const contents = messages.map(({ content }) => content);
    expect(contents.filter((content) => content === 'before')).toHaveLength(1);
    expect(contents.at(-1)).toBe('after');
    customer.close();
    agent.close();
  });
});
