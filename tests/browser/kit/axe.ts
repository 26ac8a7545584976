/** A state of a page under axe, in both colors, both directions, wide and narrow, with pictures. */

import { AxeBuilder } from '@axe-core/playwright';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { picture } from './people.ts';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
/** The least that a pointer must be able to hit (2.5.8), in pixels. */
const TARGET_PX = 24;

/** No violation, no sideways scrolling and no tiny target. Returns in how many ways it was looked at. */
export async function checkEverywhere(page: Page, state: string): Promise<number> {
  let checked = 0;
  for (const dir of ['ltr', 'rtl']) {
    await page.evaluate((value) => {
      document.documentElement.dir = value;
    }, dir);
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      for (const width of [1280, 320]) {
        await page.setViewportSize({ width, height: 760 });
        const where = `${state} ${colorScheme} ${dir} ${width}`;
        await picture(page, where.replaceAll(' ', '-'));
        const { violations } = await new AxeBuilder({ page }).withTags(RULES).analyze();
        const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html)}`);
        expect(found, where).toEqual([]);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect(wide, where).toBeLessThanOrEqual(0);
        expect(await tinyTargets(page), where).toEqual([]);
        checked += 1;
      }
    }
  }
  await page.evaluate(() => {
    document.documentElement.dir = 'ltr';
  });
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce' });
  await page.setViewportSize({ width: 1280, height: 800 });
  return checked;
}

/** Buttons and the like that are too small to hit; links within a text may be. */
function tinyTargets(page: Page): Promise<string[]> {
  return page.evaluate((least) => {
    const shown = [
      ...document.querySelectorAll<HTMLElement>('button, select, [role=option], summary'),
    ];
    return shown
      .filter((element) => element.checkVisibility() && element.getClientRects().length > 0)
      .filter((element) => {
        const { width, height } = element.getBoundingClientRect();
        return width < least || height < least;
      })
      .map((element) => element.outerHTML.slice(0, 160));
  }, TARGET_PX);
}
