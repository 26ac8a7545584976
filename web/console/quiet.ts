/**
 * Hours in which nothing rings and nothing comes up on the desktop, by the clock on the wall here.
 * Pure.
 */

/** Days as `Date.getDay` counts them: 0 is Sunday. */
export type Days = readonly [boolean, boolean, boolean, boolean, boolean, boolean, boolean];

export interface QuietHours {
  on: boolean;
  /** `22:00`. */
  from: string;
  /** Before `from` it is on the next day; the same is a whole day. */
  to: string;
  /** The days on which they begin. */
  days: Days;
}

export const USUAL_QUIET: QuietHours = {
  on: false,
  from: '20:00',
  to: '08:00',
  days: [true, true, true, true, true, true, true],
};

/** When the quiet that there is now ends; `null` when there is none. Hours that touch are one. */
export function quietUntil(hours: QuietHours, now: Date): Date | null {
  const [from, to] = [minutesOf(hours.from), minutesOf(hours.to)];
  if (!hours.on || from === null || to === null) return null;
  const lasts = to > from ? 0 : 1;
  let end: Date | null = null;
  // From yesterday's, which may reach into today, as far as one leads into the next.
  for (let day = -1; day <= 7; day += 1) {
    const begins = at(now, day, from);
    const ends = at(now, day + lasts, to);
    if (hours.days[begins.getDay()] !== true) continue;
    const reached = end ?? now;
    if (begins.getTime() <= reached.getTime() && ends.getTime() > reached.getTime()) end = ends;
  }
  return end;
}

/** A time of day, some days from now: the clock on the wall knows when it is changed. */
function at(now: Date, day: number, minutes: number): Date {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + day, 0, minutes);
}

function minutesOf(time: string): number | null {
  const [, hours, minutes] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(time) ?? [];
  return hours === undefined ? null : Number(hours) * 60 + Number(minutes);
}
