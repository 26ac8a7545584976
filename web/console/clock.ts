import { signal } from '@preact/signals';

/** Now, often enough for waiting times. */
export const now = signal(Date.now());
