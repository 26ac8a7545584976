/** Opening hours as the server keeps them, and what can be wrong with them. */

export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

export interface Span {
  /** `HH:MM` */
  from: string;
  /** `HH:MM`; `24:00` is the end of the day. */
  to: string;
}

export interface Hours {
  timezone: string;
  days: Partial<Record<Weekday, Span[]>>;
  /** Closed days, `YYYY-MM-DD`. */
  holidays: string[];
}

/** Opening times of one day at most, as on the server. */
export const SPANS_MAX = 4;
export const HOLIDAYS_MAX = 366;

export const DAY_NAMES: Record<Weekday, string> = {
  mon: 'Monday',
  tue: 'Tuesday',
  wed: 'Wednesday',
  thu: 'Thursday',
  fri: 'Friday',
  sat: 'Saturday',
  sun: 'Sunday',
};

/** What one begins with: office hours where the administrator is. */
export function officeHours(timezone: string): Hours {
  const day = () => [{ from: '09:00', to: '17:00' }];
  return {
    timezone,
    days: { mon: day(), tue: day(), wed: day(), thu: day(), fri: day() },
    holidays: [],
  };
}

/** `HH:MM` as minutes since midnight, up to `24:00`; `null` when it is no time. */
export function minuteOfDay(text: string): number | null {
  const match = /^(\d\d):(\d\d)$/.exec(text);
  if (match === null) return null;
  const [hours, minutes] = [Number(match[1]), Number(match[2])];
  const valid = minutes < 60 && (hours < 24 || (hours === 24 && minutes === 0));
  return valid ? hours * 60 + minutes : null;
}

/** What is wrong with a day, by the number of its span. */
export function dayTroubles(spans: readonly Span[]): (string | null)[] {
  let end = 0;
  return spans.map(({ from, to }) => {
    const [opens, closes] = [minuteOfDay(from), minuteOfDay(to)];
    if (opens === null || closes === null) return 'Write both times, such as 09:00.';
    if (closes <= opens) return 'It closes before it opens.';
    if (opens < end) return 'It begins before the one above ends.';
    end = closes;
    return null;
  });
}

export function hoursTrouble(hours: Hours): string | null {
  if (!isTimezone(hours.timezone)) return 'Choose a time zone.';
  for (const day of WEEKDAYS) {
    if (dayTroubles(hours.days[day] ?? []).some((trouble) => trouble !== null)) {
      return `Look at the hours of ${DAY_NAMES[day]}.`;
    }
  }
  if (WEEKDAYS.every((day) => (hours.days[day] ?? []).length === 0)) {
    return 'It would never be open. Add hours to a day, or make it always open.';
  }
  return null;
}

export function isTimezone(name: string): boolean {
  if (name === '') return false;
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** A span to add after these: an hour after the last one, as long as the day goes. */
export function nextSpan(spans: readonly Span[]): Span {
  const last = minuteOfDay(spans.at(-1)?.to ?? '08:00') ?? 480;
  const from = Math.min(last + 60, 23 * 60);
  return { from: timeText(from), to: timeText(Math.min(from + 240, 24 * 60)) };
}

function timeText(minutes: number): string {
  const two = (number: number) => String(number).padStart(2, '0');
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** What the server says of hours at a moment. */
export interface Verdict {
  at: string;
  open: boolean;
  reason: 'within' | 'holiday' | 'closed_day' | 'outside';
  closes_at?: string;
  next_open_at?: string;
}

/** The same in words, with the times of the hours' own zone. */
export function verdictText(
  { at, ...said }: Verdict,
  { timezone: timeZone }: Hours,
  locale?: string,
): string {
  const day = new Intl.DateTimeFormat('en', { timeZone, weekday: 'long' }).format(new Date(at));
  const format = new Intl.DateTimeFormat(locale, {
    timeZone,
    dateStyle: 'full',
    timeStyle: 'short',
  });
  const time = (text: string) => format.format(new Date(text));
  if (said.open) {
    const closes =
      said.closes_at === undefined
        ? 'It does not close within a year.'
        : `It closes on ${time(said.closes_at)}.`;
    return `Open: within the hours of ${day}. ${closes}`;
  }
  const why = {
    within: '',
    holiday: 'that day is closed altogether',
    closed_day: `${day} has no hours`,
    outside: `that is outside the hours of ${day}`,
  }[said.reason];
  const opens =
    said.next_open_at === undefined
      ? 'It does not open within a year.'
      : `It opens next on ${time(said.next_open_at)}.`;
  return `Closed: ${why}. ${opens}`;
}
