/** A visitor and an agent talk through the real pages and the real stage.server. */

import { expect, test } from 'vitest';
import { Agent, picture, SERVER_GONE, Visitor } from './kit/people.ts';
import { setStage } from './kit/stage.ts';

const stage = setStage();

const profile = () => stage.profile();

test('visitor and agent talk both ways', async () => {
  const visitor = await Visitor.open(await profile(), `${stage.server.address}/demo`);
  await visitor.openChat();
  await visitor.say('Is my fern meant to be yellow?');
  const ada = await Agent.open(await profile(), stage.server.address, 'Ada');
  await ada.accept('Is my fern meant to be yellow?');
  await visitor.log.getByText(/^Ada.* joined the chat$/).waitFor();
  await ada.say('Rather green. How often do you water it?');
  await visitor.sees('Rather green. How often do you water it?');
  await visitor.input.pressSequentially('Hm');
  await ada.page.getByText('is typing…').waitFor();
  await ada.reply.pressSequentially('W');
  await visitor.chat.getByText('is typing…').waitFor();
  await visitor.say('Twice a day');
  await ada.sees('Twice a day');
  await visitor.log.getByText('Seen').waitFor();
  await picture(visitor.page, 'talk-visitor');
  await picture(ada.page, 'talk-agent');
  await ada.button('Resolve').click();
  await visitor.chat.getByRole('button', { name: 'Start a new chat' }).click();
  await visitor.say('One more thing');
  await ada.filter('Unassigned').click();
  await ada.accept('One more thing');
  await ada.sees('One more thing');
});

test('after a reload both are where they were', async () => {
  const visitor = await Visitor.open(await profile(), `${stage.server.address}/demo`);
  await visitor.openChat();
  await visitor.say('Before the reload');
  const ada = await Agent.open(await profile(), stage.server.address, 'Ada');
  await ada.accept('Before the reload');
  await ada.say('I am still here');
  await visitor.sees('I am still here');
  await Promise.all([visitor.page.reload(), ada.page.reload()]);
  const texts = ['Before the reload', 'I am still here'];
  for (const person of [visitor, ada]) {
    await person.sees('I am still here');
    expect(await person.order(texts)).toEqual(texts);
  }
  await visitor.say('So am I');
  await ada.sees('So am I');
});

test('a message written without a connection survives a reload and arrives once', async () => {
  const shop = await profile();
  let cut = false;
  await shop.context.routeWebSocket('**/v1/stream', (socket) => {
    if (cut) void socket.close({ code: 1001 });
    else socket.connectToServer();
  });
  const visitor = await Visitor.open(shop, `${stage.server.address}/demo`);
  await visitor.openChat();
  await visitor.say('first');
  const ada = await Agent.open(await profile(), stage.server.address, 'Ada');
  await ada.accept('first');
  cut = true;
  await visitor.page.reload();
  await visitor.say('second');
  await visitor.say('third');
  await visitor.chat.getByText('Sending…').first().waitFor();
  await visitor.page.reload();
  await visitor.sees('third');
  cut = false;
  await ada.sees('third');
  const texts = ['first', 'second', 'third'];
  expect(await ada.order(texts)).toEqual(texts);
  await visitor.log.getByText('Seen').waitFor();
  expect(await visitor.order(texts)).toEqual(texts);
});

test('kill -9 with messages on their way: each arrives once and in order', async () => {
  const [shop, office] = [await profile(), await profile()];
  const visitor = await Visitor.open(shop, `${stage.server.address}/demo`);
  await visitor.openChat();
  await visitor.say('one');
  const ada = await Agent.open(office, stage.server.address, 'Ada');
  await ada.accept('one');
  await ada.say('two');
  await visitor.sees('two');
  for (const opened of [shop, office]) opened.expect(SERVER_GONE);
  await stage.server.kill();
  await visitor.say('three');
  await visitor.say('four');
  await ada.note('five, for us');
  await visitor.chat.getByText(/Reconnecting/).waitFor();
  await picture(visitor.page, 'reconnecting-visitor');
  await picture(ada.page, 'reconnecting-agent');
  await stage.server.run();
  await ada.sees('four');
  await ada.say('six');
  await visitor.sees('six');
  const seen = ['one', 'two', 'three', 'four', 'six'];
  expect(await visitor.order(seen)).toEqual(seen);
  expect(await ada.order([...seen, 'five, for us'])).toHaveLength(6);
  expect(await ada.order(seen)).toEqual(seen);
  await Promise.all([visitor.page.reload(), ada.page.reload()]);
  for (const person of [visitor, ada]) {
    await person.sees('six');
    expect(await person.order(seen)).toEqual(seen);
  }
});

test('two tabs of one visitor are in step, and so is one opened later', async () => {
  const shop = await profile();
  const one = await Visitor.open(shop, `${stage.server.address}/demo`);
  const two = await Visitor.open(shop, `${stage.server.address}/demo`);
  for (const tab of [one, two]) await tab.openChat();
  await one.say('from the first tab');
  await two.sees('from the first tab');
  await two.say('from the second tab');
  await one.sees('from the second tab');
  const ada = await Agent.open(await profile(), stage.server.address, 'Ada');
  await ada.accept('from the second tab');
  await ada.say('hello to both');
  const texts = ['from the first tab', 'from the second tab', 'hello to both'];
  const three = await Visitor.open(shop, `${stage.server.address}/demo`);
  for (const tab of [one, two, three]) {
    await tab.sees('hello to both');
    expect(await tab.order(texts)).toEqual(texts);
  }
  await one.page.close();
  await two.say('the first tab is gone');
  await ada.sees('the first tab is gone');
});

test('who accepts too late is told who was first', async () => {
  const office = await profile();
  let hold = false;
  await office.context.routeWebSocket('**/v1/stream', (socket) => {
    const upstream = socket.connectToServer();
    upstream.onMessage((message) => {
      // A slow line: Ben's list does not hear yet that Ada has taken it.
      if (!(hold && /"type":"(view|event)"/.test(String(message)))) socket.send(message);
    });
  });
  const visitor = await Visitor.open(await profile(), `${stage.server.address}/demo`);
  await visitor.openChat();
  await visitor.say('Anybody?');
  const ben = await Agent.open(office, stage.server.address, 'Ben');
  const accept = ben.row('Anybody?').getByRole('button', { name: /Assign to me/ });
  await accept.waitFor();
  hold = true;
  const ada = await Agent.open(await profile(), stage.server.address, 'Ada');
  await ada.accept('Anybody?');
  await accept.click();
  await ben.page.getByText(/Ada.* has already taken it\.$/).waitFor();
  await picture(ben.page, 'accept-too-late');
});

test('of two who accept at the same moment one gets it', async () => {
  const visitor = await Visitor.open(await profile(), `${stage.server.address}/demo`);
  await visitor.openChat();
  await visitor.say('Quick!');
  const ada = await Agent.open(await profile(), stage.server.address, 'Ada');
  const ben = await Agent.open(await profile(), stage.server.address, 'Ben');
  const buttons = [ada, ben].map((one) =>
    one.row('Quick!').getByRole('button', { name: /Assign to me/ }),
  );
  for (const button of buttons) await button.waitFor();
  await Promise.all(
    buttons.map((button) => button.click({ timeout: 2_000 }).catch(() => undefined)),
  );
  await visitor.log.getByText(/joined the chat/).waitFor();
  const owners = [ada, ben].map((one) => one.filter('Mine 1'));
  await expect
    .poll(async () => (await Promise.all(owners.map((tab) => tab.count()))).sort())
    .toEqual([0, 1]);
  expect(await visitor.log.getByText(/joined the chat/).count()).toBe(1);
});

test('a note never reaches the visitor, in no byte', async () => {
  const shop = await profile();
  const visitor = await Visitor.open(shop, `${stage.server.address}/demo`);
  const heard: string[] = [];
  visitor.page.on('websocket', (socket) => {
    socket.on('framereceived', ({ payload }) => heard.push(String(payload)));
  });
  await visitor.openChat();
  await visitor.say('Hello there');
  const ada = await Agent.open(await profile(), stage.server.address, 'Ada');
  await ada.accept('Hello there');
  for (const text of ['secret one', 'secret two', 'secret three']) await ada.note(text);
  await picture(ada.page, 'notes');
  await ada.say('Out in the open');
  await visitor.sees('Out in the open');
  expect(heard.length).toBeGreaterThan(0);
  expect(heard.filter((frame) => /secret|internal|note/.test(frame))).toEqual([]);
  expect(await visitor.chat.getByText(/secret/).count()).toBe(0);
  const seqs = heard
    .map((frame): { type: string; seq?: number } => JSON.parse(frame))
    .flatMap((frame) => (frame.type === 'event' ? [frame.seq ?? 0] : []));
  expect(seqs).toEqual(seqs.map((_, idx) => (seqs[0] ?? 0) + idx));
});

test('a transfer reaches the other agent with its reason, which the visitor does not see', async () => {
  const visitor = await Visitor.open(await profile(), `${stage.server.address}/demo`);
  await visitor.openChat();
  await visitor.say('Where is my parcel?');
  const ada = await Agent.open(await profile(), stage.server.address, 'Ada');
  const ben = await Agent.open(await profile(), stage.server.address, 'Ben');
  await ada.accept('Where is my parcel?');
  await ada.button('Transfer').click();
  // Both work for all departments.
  await ada.dialog.getByRole('radio', { name: /Sales\s*2 online · 1 of \d+ chats/ }).waitFor();
  await ada.dialog.getByRole('radio', { name: /Ben/ }).check();
  await ada.dialog.getByRole('textbox').fill('Knows the depot');
  await picture(ada.page, 'transfer');
  await ada.dialog.getByRole('button', { name: 'Hand over' }).click();
  await ada.dialog.waitFor({ state: 'hidden' });
  await ben.filter('Mine 1').click();
  await ben.open('Where is my parcel?');
  await ben.sees('Knows the depot');
  await ben.say('It is in Leeds');
  await visitor.sees('It is in Leeds');
  await visitor.log.getByText(/handed you to Ben/).waitFor();
  expect(await visitor.chat.getByText('Knows the depot').count()).toBe(0);
});

test('a burst across a kill arrives once and in order, and older messages can be read', async () => {
  const [shop, office] = [await profile(), await profile()];
  const visitor = await Visitor.open(shop, `${stage.server.address}/demo`);
  await visitor.openChat();
  await visitor.say('Tell me everything');
  const ada = await Agent.open(office, stage.server.address, 'Ada');
  await ada.accept('Tell me everything');
  const texts = Array.from({ length: 70 }, (_, idx) => `fact ${idx + 1}`);
  for (const opened of [shop, office]) opened.expect(SERVER_GONE);
  for (const text of texts.slice(0, 40)) await ada.say(text);
  await stage.server.kill();
  for (const text of texts.slice(40)) await ada.say(text);
  await stage.server.run();
  await visitor.sees('fact 70');
  expect(await visitor.order(texts)).toEqual(texts);
  await ada.log.getByText('Seen').waitFor();
  expect(await ada.order(texts)).toEqual(texts);
  await visitor.page.reload();
  await visitor.sees('fact 70');
  const older = visitor.chat.getByRole('button', { name: 'Show earlier messages' });
  expect(await visitor.order(texts)).toEqual(texts.slice(-50));
  await older.click();
  await visitor.sees('Tell me everything');
  expect(await visitor.order(texts)).toEqual(texts);
  expect(await older.count()).toBe(0);
});

test('a server that leaves in order is left and found again without a word', async () => {
  const [shop, office] = [await profile(), await profile()];
  const visitor = await Visitor.open(shop, `${stage.server.address}/demo`);
  await visitor.openChat();
  await visitor.say('Are you open?');
  const ada = await Agent.open(office, stage.server.address, 'Ada');
  await ada.accept('Are you open?');
  for (const opened of [shop, office]) opened.expect(SERVER_GONE);
  expect(await stage.server.terminate()).toBe(0);
  await visitor.say('Hello?');
  await stage.server.run();
  await ada.sees('Hello?');
  await ada.say('We are');
  await visitor.sees('We are');
});

test('the visitor sees whether anybody is there, and the switch survives a reload', async () => {
  const visitor = await Visitor.open(await profile(), `${stage.server.address}/demo`);
  await visitor.openChat();
  await visitor.chat.getByText('Nobody is here right now. Leave a message').waitFor();
  await visitor.say('I leave a message');
  const lamp = visitor.chat.locator('.head .dot.on');
  const ada = await Agent.open(await profile(), stage.server.address, 'Ada');
  await lamp.waitFor();
  await ada.status('Away');
  await lamp.waitFor({ state: 'detached' });
  await ada.page.reload();
  await expect.poll(() => ada.me.getAttribute('aria-label')).toMatch(/Away$/);
  await ada.status('Online');
  await lamp.waitFor();
});
