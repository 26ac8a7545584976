/**
 * The part of `@preact/signals-core` that the widget uses, in a quarter of the bytes. The build of
 * the widget puts this in its place, and every test of client and widget runs over both.
 *
 * A change casts doubt on everything that depends on it; then the effects look. Each asks whether
 * what it had read is really another value now, and runs again only then. So nobody sees half a
 * change, and what nobody reads is not computed.
 */

/** What was read and in which version, for one computation. */
class Reading {
  #sources = new Map<Signal<unknown>, number>();
  readonly #onDoubt: () => void;

  constructor(onDoubt: () => void) {
    this.#onDoubt = onDoubt;
  }

  doubt(): void {
    this.#onDoubt();
  }

  note(source: Signal<unknown>, version: number): void {
    if (this.#sources.has(source)) return;
    this.#sources.set(source, version);
    source.readings.add(this);
  }

  /** Whether anything that was read is another value now. */
  get outdated(): boolean {
    for (const [source, version] of this.#sources) if (source.fresh() !== version) return true;
    return false;
  }

  /** Runs and notes what is read anew. */
  run<Value>(compute: () => Value): Value {
    this.forget();
    const outer = current;
    current = this;
    try {
      return compute();
    } finally {
      current = outer;
    }
  }

  forget(): void {
    for (const source of this.#sources.keys()) source.readings.delete(this);
    this.#sources.clear();
  }
}

let current: Reading | null = null;
let settling = false;
const doubting = new Set<() => void>();

export class Signal<Value> {
  readonly readings = new Set<Reading>();
  protected held: Value;
  protected version = 0;

  constructor(held: Value) {
    this.held = held;
  }

  get value(): Value {
    current?.note(this, this.fresh());
    return this.peek();
  }

  set value(value: Value) {
    if (value === this.held) return;
    this.put(value);
    this.doubt();
    settle();
  }

  /** The value, without noting that it was read. */
  peek(): Value {
    this.fresh();
    return this.held;
  }

  /** The version after everything that was outstanding is done. */
  fresh(): number {
    return this.version;
  }

  protected put(value: Value): void {
    this.held = value;
    this.version += 1;
  }

  protected doubt(): void {
    for (const reading of [...this.readings]) reading.doubt();
  }
}

export type ReadonlySignal<Value> = Pick<Signal<Value>, 'peek'> & { readonly value: Value };

class Computed<Value> extends Signal<Value> {
  #doubtful = false;
  readonly #compute: () => Value;
  readonly #reading = new Reading(() => {
    if (this.#doubtful) return;
    this.#doubtful = true;
    this.doubt();
  });

  constructor(compute: () => Value) {
    // Never seen: it is computed before anybody gets it.
    super(undefined as Value);
    this.#compute = compute;
  }

  override fresh(): number {
    if (this.version === 0 || (this.#doubtful && this.#reading.outdated)) {
      const value = this.#reading.run(this.#compute);
      if (this.version === 0 || value !== this.held) this.put(value);
    }
    this.#doubtful = false;
    return this.version;
  }
}

export function signal<Value>(value: Value): Signal<Value> {
  return new Signal(value);
}

export function computed<Value>(compute: () => Value): ReadonlySignal<Value> {
  return new Computed(compute);
}

/** Runs now, and again whenever something that it read has changed. Returns how to end that. */
export function effect(run: () => void): () => void {
  const reading = new Reading(() => doubting.add(look));
  const look = () => {
    if (reading.outdated) reading.run(run);
  };
  // Changes that it makes are settled when it is done.
  const outer = settling;
  settling = true;
  try {
    reading.run(run);
  } finally {
    settling = outer;
  }
  settle();
  return () => {
    reading.forget();
    doubting.delete(look);
  };
}

function settle(): void {
  if (settling) return;
  settling = true;
  try {
    for (const look of doubting) {
      doubting.delete(look);
      look();
    }
  } finally {
    settling = false;
  }
}
