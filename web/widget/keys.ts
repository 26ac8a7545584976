/** Names under which a page keeps what other pages of its site hear of. */

/** The event up to which the visitor has read; a change of it by another tab concerns us. */
export const READ = 'read';
/** Which of the pages is about to sound. */
export const RINGING = 'ringing';
/** The event up to which one of the pages has sounded. */
export const RANG = 'rang';
