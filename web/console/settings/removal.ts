/** A widget being removed: its name is written first, and nobody else's change is overrun unseen. */

import { batch, computed, type ReadonlySignal, type Signal, signal } from '@preact/signals-core';
import { type Answer, Refusal } from '../api.ts';
import { inWords, isConflict } from '../auth/words.ts';

/** What is looked at before it goes. */
export interface Removable {
  name: string;
  etag: string | null;
}

/** Somebody changed it since it was looked at. */
export interface ChangedMeanwhile {
  by: string | null;
  at: string | null;
}

export interface RemovalPorts {
  remove(etag: string): Promise<unknown>;
  /** The thing as it is now. */
  load(): Promise<Answer<{ name: string }>>;
}

export class Removal {
  readonly typed = signal('');
  readonly busy = signal(false);
  readonly trouble: Signal<string | null> = signal(null);
  /** After this the thing is looked at anew, and removing goes by how it is now. */
  readonly changed: Signal<ChangedMeanwhile | null> = signal(null);
  readonly name: ReadonlySignal<string>;
  /** Whether the name is written. */
  readonly ready: ReadonlySignal<boolean>;
  readonly #ports: RemovalPorts;
  readonly #now: Signal<Removable>;

  constructor(thing: Removable, ports: RemovalPorts) {
    this.#ports = ports;
    this.#now = signal(thing);
    this.name = computed(() => this.#now.value.name);
    this.ready = computed(() => plain(this.typed.value) === plain(this.name.value));
  }

  /** Whether it is gone. */
  async remove(): Promise<boolean> {
    if (!this.ready.peek() || this.busy.peek()) return false;
    batch(() => {
      this.busy.value = true;
      this.trouble.value = null;
    });
    try {
      await this.#ports.remove(this.#now.peek().etag ?? '*');
      return true;
    } catch (error) {
      if (isConflict(error)) await this.#lookAgain(error);
      else this.trouble.value = inWords(error);
      return false;
    } finally {
      this.busy.value = false;
    }
  }

  async #lookAgain(refused: unknown): Promise<void> {
    try {
      const { body, etag } = await this.#ports.load();
      batch(() => {
        this.#now.value = { name: body.name, etag };
        this.changed.value =
          refused instanceof Refusal ? { by: refused.by, at: refused.at } : { by: null, at: null };
      });
    } catch (error) {
      this.trouble.value = inWords(error);
    }
  }
}

function plain(name: string): string {
  return name.normalize('NFC').trim();
}
