/** The hours in which the console keeps quiet. */

import type { JSX } from 'preact';
import { timeAhead } from '../../ui/time.ts';
import { now } from '../clock.ts';
import type { Prefs } from '../prefs.ts';
import { type Days, type QuietHours, quietUntil } from '../quiet.ts';
import { Findable } from './findable.tsx';
import { DAY_NAMES, WEEKDAYS, type Weekday } from './hours.ts';
import { Panel } from './parts.tsx';

/** As `Date.getDay` counts them. */
const NUMBERS: Record<Weekday, number> = {
  mon: 1,
  tue: 2,
  wed: 3,
  thu: 4,
  fri: 5,
  sat: 6,
  sun: 0,
};

const WORDS = 'No sounds and no notifications at certain hours';

export function QuietHoursPanel({ prefs }: { prefs: Prefs }): JSX.Element {
  const hours = prefs.quiet.value;
  const set = (part: Partial<QuietHours>) => {
    prefs.quiet.value = { ...prefs.quiet.peek(), ...part };
  };
  return (
    <Panel title="Quiet hours">
      <Findable words={[WORDS, ...WEEKDAYS.map((day) => DAY_NAMES[day])]}>
        <label class="check">
          <input
            type="checkbox"
            checked={hours.on}
            onChange={(event) => set({ on: event.currentTarget.checked })}
          />
          <span>
            {WORDS}
            <small>The tests above sound all the same.</small>
          </span>
        </label>
        {hours.on && (
          <>
            <div class="from-to">
              <label class="field">
                From
                <input
                  type="time"
                  value={hours.from}
                  aria-invalid={hours.from === '' ? true : undefined}
                  onInput={(event) => set({ from: event.currentTarget.value })}
                />
              </label>
              <label class="field">
                To
                <input
                  type="time"
                  value={hours.to}
                  aria-invalid={hours.to === '' ? true : undefined}
                  onInput={(event) => set({ to: event.currentTarget.value })}
                />
              </label>
            </div>
            <fieldset class="segments">
              <legend>Beginning on</legend>
              {WEEKDAYS.map((day) => (
                <label key={day}>
                  <input
                    type="checkbox"
                    checked={hours.days[NUMBERS[day]] === true}
                    onChange={(event) =>
                      set({ days: withDay(hours.days, NUMBERS[day], event.currentTarget.checked) })
                    }
                  />
                  <span>{DAY_NAMES[day]}</span>
                </label>
              ))}
            </fieldset>
          </>
        )}
        <p role="status" class="soft small">
          {said(hours)}
        </p>
      </Findable>
    </Panel>
  );
}

function withDay(days: Days, day: number, on: boolean): Days {
  const is = (idx: number) => (idx === day ? on : days[idx] === true);
  return [is(0), is(1), is(2), is(3), is(4), is(5), is(6)];
}

/** What holds now. */
function said(hours: QuietHours): string {
  if (!hours.on) return '';
  if (hours.from === '' || hours.to === '') return 'Write both times, such as 20:00.';
  if (!hours.days.includes(true)) return 'Without a day there are no quiet hours.';
  const zone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  const end = quietUntil(hours, new Date(now.value));
  const state =
    end === null
      ? 'It is not quiet now'
      : `It is quiet now, until ${timeAhead(end.getTime(), now.value)}`;
  return `${state}. The hours are those of ${zone}, as set on this computer.`;
}
