/** The rules of signals. This file runs over the real ones and over the small ones. */

import { computed, effect, signal } from '@preact/signals-core';
import { expect, test } from 'vitest';

test('a computed value is computed when it is asked for, and once', () => {
  const a = signal(1);
  let runs = 0;
  const double = computed(() => {
    runs += 1;
    return a.value * 2;
  });
  expect(runs).toBe(0);
  expect([double.value, double.peek(), double.value]).toEqual([2, 2, 2]);
  expect(runs).toBe(1);
  a.value = 2;
  a.value = 3;
  expect(double.value).toBe(6);
  expect(runs).toBe(2);
});

test('nobody sees half a change', () => {
  const first = signal('Ada');
  const upper = computed(() => first.value.toUpperCase());
  const both = computed(() => `${first.value} ${upper.value}`);
  const seen: string[] = [];
  effect(() => {
    seen.push(both.value);
  });
  first.value = 'Ben';
  expect(seen).toEqual(['Ada ADA', 'Ben BEN']);
});

test('an effect does not run for a computed value that stayed the same', () => {
  const count = signal(1);
  const many = computed(() => count.value > 10);
  let runs = 0;
  effect(() => {
    runs += 1;
    void many.value;
  });
  count.value = 2;
  count.value = 3;
  expect(runs).toBe(1);
  count.value = 11;
  expect(runs).toBe(2);
});

test('an effect hears only of what it read last', () => {
  const which = signal(true);
  const one = signal(1);
  const two = signal(2);
  const seen: number[] = [];
  effect(() => {
    seen.push(which.value ? one.value : two.value);
  });
  two.value = 20;
  which.value = false;
  one.value = 10;
  two.value = 21;
  expect(seen).toEqual([1, 20, 21]);
});

test('what an effect changes is settled after it, also when it changes what it read', () => {
  const count = signal(0);
  const log: string[] = [];
  effect(() => {
    log.push(`a${count.value}`);
    if (count.value < 3) count.value += 1;
    log.push('end');
  });
  effect(() => {
    log.push(`b${count.value}`);
  });
  expect(log).toEqual(['a0', 'end', 'a1', 'end', 'a2', 'end', 'a3', 'end', 'b3']);
});

test('an effect that was ended is silent, and peeking is not reading', () => {
  const a = signal(1);
  const b = signal(1);
  let runs = 0;
  const stop = effect(() => {
    runs += 1;
    void a.value;
    b.peek();
  });
  b.value = 2;
  expect(runs).toBe(1);
  a.value = 2;
  expect(runs).toBe(2);
  stop();
  a.value = 3;
  expect(runs).toBe(2);
});

test('a computed value that is read by effects and by hand follows either way', () => {
  const a = signal(1);
  const next = computed(() => a.value + 1);
  const seen: number[] = [];
  effect(() => {
    seen.push(next.value);
  });
  expect(next.peek()).toBe(2);
  a.value = 5;
  expect(next.peek()).toBe(6);
  a.value = 7;
  expect(seen).toEqual([2, 6, 8]);
});

test('one error does not stop the others', () => {
  const a = signal(1);
  effect(() => {
    if (a.value === 2) throw new Error('at two');
  });
  let last = 0;
  effect(() => {
    last = a.value;
  });
  expect(() => {
    a.value = 2;
  }).toThrow('at two');
  a.value = 3;
  expect(last).toBe(3);
});
