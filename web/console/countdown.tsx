/** Seconds that are left, for those who see them; whoever listens is told once, by what stands around. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';

const TICK_MS = 250;

interface CountdownProps {
  /** Milliseconds since the epoch. */
  until: number;
}

export function Countdown({ until }: CountdownProps): JSX.Element {
  const left = () => Math.max(0, Math.ceil((until - Date.now()) / 1_000));
  const seconds = useSignal(left());
  useEffect(() => {
    const timer = setInterval(() => {
      seconds.value = left();
    }, TICK_MS);
    return () => clearInterval(timer);
  }, [until]);
  return (
    <span class="countdown" aria-hidden="true">
      {`${seconds.value} s`}
    </span>
  );
}
