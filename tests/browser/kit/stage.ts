/**
 * What the tests of a file play on: one browser, and a new server for each test. So no test finds
 * what another left, and a second try not what the first one left.
 */

import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { launch, Profile } from './people.ts';
import { Server } from './server.ts';

export interface Stage {
  readonly server: Server;
  /** A new browser profile; closed with the server, and then nothing may have gone wrong in it. */
  profile(): Promise<Profile>;
}

export function setStage(options: { demo: boolean } = { demo: true }): Stage {
  let browser: Browser;
  let server: Server;
  let profiles: Profile[] = [];
  beforeAll(async () => {
    browser = await launch();
  });
  beforeEach(async () => {
    server = await Server.start(options);
  });
  afterEach(async () => {
    const opened = profiles;
    profiles = [];
    try {
      for (const profile of opened) await profile.close();
    } finally {
      await server.stop();
    }
  });
  afterAll(async () => {
    await browser.close();
  });
  return {
    get server() {
      return server;
    },
    async profile() {
      const opened = await Profile.open(browser);
      profiles.push(opened);
      return opened;
    },
  };
}
