/** Two soft notes, made here: no file is fetched. Browsers keep quiet until the visitor clicked. */

import type { Bridge } from './bridge.ts';
import { RANG, READ, RINGING } from './keys.ts';

const NOTES_HZ = [660, 880];
const NOTE_S = 0.12;
const LOUDNESS = 0.08;
/** Longer than it takes until a page that is looked at has told the others. */
const PAUSE_MS = 500;
/** What could not sound by then is old. */
const LATE_MS = 5_000;

let audio: AudioContext | null = null;

/**
 * Sounds in one of the pages of a site, and in none when the visitor has read the event in another.
 * Without an event it sounds here and now.
 */
export async function chime({ store }: Pick<Bridge, 'store'>, event?: string): Promise<void> {
  const asked = performance.now();
  try {
    audio ??= new AudioContext();
    // A page that may not sound waits here for a click, and leaves it to the others.
    await audio.resume();
  } catch {
    // A browser that cannot sound: the message is seen all the same.
    return;
  }
  if (performance.now() - asked > LATE_MS) return;
  if (event !== undefined) {
    const own = `${Math.random()}`;
    await store.set(RINGING, own);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    // Whichever page was the last to say so; where nothing can be kept, each.
    const ringing = (await store.get(RINGING)) ?? own;
    // Ids rise with time.
    const read = (await store.get(READ)) ?? '';
    const rang = (await store.get(RANG)) ?? '';
    // A page that was slower to begin finds that another has sounded.
    if (ringing !== own || read >= event || rang >= event) return;
    await store.set(RANG, event);
  }
  play(audio);
}

function play(context: AudioContext): void {
  const { currentTime, destination } = context;
  for (const [idx, hertz] of NOTES_HZ.entries()) {
    const start = currentTime + idx * NOTE_S;
    const loudness = context.createGain();
    loudness.gain.setValueAtTime(LOUDNESS, start);
    loudness.gain.exponentialRampToValueAtTime(0.001, start + 3 * NOTE_S);
    const note = context.createOscillator();
    note.frequency.value = hertz;
    note.connect(loudness).connect(destination);
    note.start(start);
    note.stop(start + 3 * NOTE_S);
  }
}
