/** Five short sounds, made by the browser's synthesizer: no files. */

import { type ReadonlySignal, signal } from '@preact/signals';
import type { Sound } from './prefs.ts';

interface Note {
  hz: number;
  /** From the beginning of the sound. */
  atS: number;
  lastsS: number;
  wave: OscillatorType;
}

const SCORES: Record<Sound, readonly Note[]> = {
  chime: [
    { hz: 880, atS: 0, lastsS: 0.5, wave: 'sine' },
    { hz: 1318.5, atS: 0.12, lastsS: 0.6, wave: 'sine' },
  ],
  pluck: [{ hz: 587.3, atS: 0, lastsS: 0.25, wave: 'triangle' }],
  bell: [
    { hz: 987.8, atS: 0, lastsS: 0.9, wave: 'sine' },
    { hz: 2_489, atS: 0, lastsS: 0.4, wave: 'sine' },
    { hz: 784, atS: 0.18, lastsS: 0.9, wave: 'sine' },
  ],
  knock: [
    { hz: 180, atS: 0, lastsS: 0.09, wave: 'triangle' },
    { hz: 170, atS: 0.14, lastsS: 0.09, wave: 'triangle' },
  ],
  drop: [
    { hz: 700, atS: 0, lastsS: 0.12, wave: 'sine' },
    { hz: 520, atS: 0.07, lastsS: 0.2, wave: 'sine' },
  ],
};

/** Two sounds at once are one too many. */
const APART_MS = 700;

export class Speaker {
  /** The browser keeps quiet until the person has clicked somewhere. */
  readonly blocked: ReadonlySignal<boolean>;
  readonly #blocked = signal(false);
  #audio: AudioContext | null = null;
  #lastAt = 0;

  constructor() {
    this.blocked = this.#blocked;
  }

  play(sound: Sound, volume: number): void {
    const now = Date.now();
    if (now - this.#lastAt < APART_MS) return;
    this.#lastAt = now;
    void this.#sound(sound, volume);
  }

  /** After a click: lets the browser play from now on, and plays at once. */
  async test(sound: Sound, volume: number): Promise<void> {
    this.#lastAt = Date.now();
    await this.#sound(sound, volume);
  }

  /** After a click. */
  async unblock(): Promise<void> {
    this.#audio ??= new AudioContext();
    await this.#audio.resume();
    this.#blocked.value = this.#audio.state !== 'running';
  }

  async #sound(sound: Sound, volume: number): Promise<void> {
    this.#audio ??= new AudioContext();
    const audio = this.#audio;
    // Never settles while it is not allowed: the state tells.
    void audio.resume();
    await new Promise((resolve) => setTimeout(resolve, 50));
    this.#blocked.value = audio.state !== 'running';
    if (this.#blocked.peek()) return;
    for (const note of SCORES[sound]) {
      const from = audio.currentTime + note.atS;
      const tone = audio.createOscillator();
      const loudness = audio.createGain();
      tone.type = note.wave;
      tone.frequency.value = note.hz;
      loudness.gain.setValueAtTime(0, from);
      loudness.gain.linearRampToValueAtTime(volume * 0.4, from + 0.012);
      loudness.gain.exponentialRampToValueAtTime(0.0001, from + note.lastsS);
      tone.connect(loudness).connect(audio.destination);
      tone.start(from);
      tone.stop(from + note.lastsS);
    }
  }
}
