/** What the tests of a file play on: one browser, and a server for each test or for all. */

import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { launch, Profile } from './people.ts';
import { Server } from './server.ts';

export interface Stage {
  readonly server: Server;
  /** A new browser profile; closed with the server, and then nothing may have gone wrong in it. */
  profile(): Promise<Profile>;
}

export function setStage(servers: 'each test' | 'once'): Stage {
  let browser: Browser;
  let server: Server;
  let profiles: Profile[] = [];
  const open = async () => {
    server = await Server.start();
  };
  const close = async () => {
    const opened = profiles;
    profiles = [];
    try {
      for (const profile of opened) await profile.close();
    } finally {
      await server.stop();
    }
  };
  beforeAll(async () => {
    browser = await launch();
    if (servers === 'once') await open();
  });
  if (servers === 'each test') {
    beforeEach(open);
    afterEach(close);
  }
  afterAll(async () => {
    try {
      if (servers === 'once') await close();
    } finally {
      await browser.close();
    }
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
