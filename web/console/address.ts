/** Mail addresses, as far as a page can tell. */

/** Something, an @, a host, no spaces: as the server looks at it. */
export function isEmail(text: string): boolean {
  return /^[^\s@<>,;"]+@[^\s@<>,;"]+$/.test(text.trim());
}

/** What is wrong with an address; nothing yet with an empty one. */
export function emailTrouble(text: string): string | null {
  return text.trim() === '' || isEmail(text) ? null : 'Write an address such as ada@example.com.';
}
