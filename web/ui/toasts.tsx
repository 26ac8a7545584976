/** Short words about what just happened, with a way to undo or retry where there is one. */

import { type ReadonlySignal, signal } from '@preact/signals';
import type { JSX } from 'preact';
import type { Cancel, Clock } from '../client/ports.ts';
import { Glyph } from './icons.tsx';

export interface Toast {
  id: number;
  text: string;
  bad: boolean;
  action: { text: string; run(): void } | null;
}

export interface ToastOptions {
  bad?: boolean;
  action?: { text: string; run(): void };
}

const SHOWN_MAX = 3;
const TOAST_MS = 6_000;
/** What went wrong or can be acted on stays longer. */
const LONG_MS = 14_000;

export class Toasts {
  readonly list: ReadonlySignal<readonly Toast[]>;
  readonly #list = signal<readonly Toast[]>([]);
  readonly #ends = new Map<number, Cancel>();
  readonly #clock: Clock;
  #next = 1;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.list = this.#list;
  }

  say(text: string, { bad = false, action }: ToastOptions = {}): void {
    const toast: Toast = { id: this.#next++, text, bad, action: action ?? null };
    this.#list.value = [...this.#list.peek(), toast].slice(-SHOWN_MAX);
    this.#count(toast);
  }

  dismiss(id: number): void {
    this.#ends.get(id)?.();
    this.#ends.delete(id);
    this.#list.value = this.#list.peek().filter((toast) => toast.id !== id);
  }

  /** While somebody reads or reaches for one of them, none goes away. */
  hold(on: boolean): void {
    for (const end of this.#ends.values()) end();
    this.#ends.clear();
    if (!on) for (const toast of this.#list.peek()) this.#count(toast);
  }

  #count(toast: Toast): void {
    const ms = toast.bad || toast.action !== null ? LONG_MS : TOAST_MS;
    this.#ends.set(
      toast.id,
      this.#clock.after(ms, () => this.dismiss(toast.id)),
    );
  }
}

export function ToastStack({ toasts }: { toasts: Toasts }): JSX.Element {
  return (
    <section
      class="toasts"
      aria-label="Notices"
      onPointerEnter={() => toasts.hold(true)}
      onPointerLeave={() => toasts.hold(false)}
      onFocusCapture={() => toasts.hold(true)}
      onBlurCapture={() => toasts.hold(false)}
    >
      <div role="status">
        {toasts.list.value.map((toast) => (
          <div key={toast.id} class={toast.bad ? 'toast bad' : 'toast'}>
            <Glyph name={toast.bad ? 'alert' : 'check'} />
            <span class="grow">{toast.text}</span>
            {toast.action !== null && (
              <button
                type="button"
                class="toast-action"
                onClick={() => {
                  toasts.dismiss(toast.id);
                  toast.action?.run();
                }}
              >
                {toast.action.text}
              </button>
            )}
            <button
              type="button"
              class="plain"
              aria-label="Dismiss"
              onClick={() => toasts.dismiss(toast.id)}
            >
              <Glyph name="close" />
            </button>
          </div>
        ))}
      </div>
    </section>
  );
}
