/**
 * The English words that only later parts say. The build leaves them out of the first part and puts
 * them here; it finds them itself (`vite.config.ts`). Elsewhere these are simply all words.
 */

export { default as english } from '../locales/en.json';
