import type { JSX } from 'preact';

/** The product's mark. */
export function Mark(): JSX.Element {
  return (
    <svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="9" />
      <path d="M9 11h6a4 4 0 0 1 0 8h-2M23 21h-6a4 4 0 0 1 0-8h2" />
    </svg>
  );
}
