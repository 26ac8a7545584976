/** Files that the page makes. */

import type { TextFile } from './transcript-file.ts';

/** Puts a file where the browser puts what is downloaded. */
export function saveFile({ name, text }: TextFile): void {
  const address = URL.createObjectURL(new Blob([text], { type: 'text/plain;charset=utf-8' }));
  const link = document.createElement('a');
  link.href = address;
  link.download = name;
  link.click();
  // The download has begun with the click; the address is good for no other.
  setTimeout(() => URL.revokeObjectURL(address));
}
