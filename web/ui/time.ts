/** Times as people read them. Formatters are made once: making one costs more than using it. */

const clock = new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' });
const date = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' });
const DAY_MS = 24 * 60 * 60 * 1000;

const ahead = new Intl.DateTimeFormat(undefined, {
  weekday: 'long',
  hour: 'numeric',
  minute: '2-digit',
});

/** A moment to come: the time alone where that is enough. */
export function timeAhead(at: number, now: number): string {
  return (at - now < DAY_MS ? clock : ahead).format(at);
}

export function timeOfDay(at: number): string {
  return clock.format(at);
}

export function dayName(at: number, now: number): string {
  const start = new Date(now);
  start.setHours(0, 0, 0, 0);
  if (at >= start.getTime()) return 'Today';
  if (at >= start.getTime() - DAY_MS) return 'Yesterday';
  return date.format(at);
}

/** How long something lasts, in the largest unit that says something. */
export function duration(ms: number): string {
  const minutes = Math.max(0, Math.floor(ms / 60_000));
  if (minutes < 1) return 'now';
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 24 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} d`;
}
