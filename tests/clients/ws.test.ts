/** `ws` on plain JSON frames. */

import { once } from 'node:events';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Server } from '../browser/kit/server.ts';
import { inTime, serve, type Told, token } from './kit.ts';

let server: Server;

beforeAll(async () => {
  server = await serve();
});

afterAll(() => server.stop());

/** A socket of TMS, with a token in one of its two places. */
function open(bearer: string, inAddress: boolean): WebSocket {
  const url = `${server.address.replace('http', 'ws')}/v1/chat/ws`;
  return inAddress
    ? new WebSocket(`${url}?token=${bearer}`)
    : new WebSocket(url, { headers: { authorization: `Bearer ${bearer}` } });
}

/** The next frame that is like that. */
function hears(socket: WebSocket, like: object): Promise<Told> {
  return inTime(JSON.stringify(like), (done) => {
    const look = (text: unknown) => {
      const frame = JSON.parse(String(text)) as Told;
      try {
        expect(frame).toMatchObject(like);
      } catch {
        return;
      }
      socket.off('message', look);
      done(frame);
    };
    socket.on('message', look);
  });
}

async function post(path: string, bearer: string, body: object): Promise<Told> {
  const answer = await fetch(`${server.address}/v1/chat/sessions${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${bearer}`, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  expect(answer.ok).toBe(true);
  return (await answer.json()) as Told;
}

test.each([[true], [false]])(
  'a customer and an agent talk; token in the address: %s',
  async (inAddress) => {
    const [customer, agent] = [token('1', 'customer'), token('3', 'agent')];
    const sockets = [open(customer, inAddress), open(agent, inAddress)] as const;
    await Promise.all(sockets.map((socket) => once(socket, 'open')));
    const [visitor, support] = sockets;
    const created = hears(support, { type: 'session_created' });
    const { id } = await post('', customer, { widget_id: 'demo' });
    await created;
    const assigned = hears(visitor, { type: 'session_assigned', session_id: id });
    await post(`/${id}/assign`, agent, { agent_id: '3' });
    await assigned;
    for (const [from, to, content] of [
      [visitor, support, 'question'],
      [support, visitor, 'answer'],
    ] as const) {
      const heard = hears(to, { type: 'new_message', session_id: id, message: { content } });
      from.send(JSON.stringify({ type: 'send_message', session_id: id, content }));
      await heard;
    }
    const ended = hears(visitor, { type: 'session_ended', session_id: id });
    await post(`/${id}/end`, agent, {});
    await ended;
    for (const socket of sockets) {
      socket.close(1000);
      const [code] = await once(socket, 'close');
      expect(code).toBe(1000);
    }
  },
);

test('a forged token is refused before the socket opens', async () => {
  const socket = open(token('1', 'admin', 'another secret that is long enough'), true);
  const [, response] = await once(socket, 'unexpected-response');
  expect(response.statusCode).toBe(401);
  response.destroy();
});
