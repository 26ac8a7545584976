/** When somebody answers: by day, in a time zone, without the holidays. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { Glyph } from '../../ui/icons.tsx';
import { inWords } from '../auth/words.ts';
import type { Shell } from '../shell.ts';
import type { PartProps } from './designer.tsx';
import { Segments } from './fields.tsx';
import { useFound } from './findable.tsx';
import {
  DAY_NAMES,
  dayTroubles,
  HOLIDAYS_MAX,
  type Hours,
  hoursTrouble,
  isTimezone,
  nextSpan,
  officeHours,
  SPANS_MAX,
  type Span,
  type Verdict,
  verdictText,
  WEEKDAYS,
  type Weekday,
} from './hours.ts';
import { Panel } from './parts.tsx';

interface HoursProps extends PartProps {
  shell: Shell;
}

export function HoursEditor({ settings, errors, set, shell }: HoursProps): JSX.Element {
  const { hours } = settings;
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <Panel
      title="Hours"
      text="Outside them the widget says when you are back, and does what you chose under Words."
    >
      <Segments
        legend="When is somebody there?"
        value={hours === undefined ? 'always' : 'hours'}
        choices={[
          ['always', 'Always'],
          ['hours', 'At certain hours'],
        ]}
        onValue={(value) => set('hours', value === 'always' ? undefined : officeHours(own))}
      />
      {hours !== undefined && (
        <>
          <Timezone
            value={hours.timezone}
            onValue={(timezone) => set('hours', { ...hours, timezone })}
          />
          <div class="days">
            {WEEKDAYS.map((day) => (
              <Day
                key={day}
                day={day}
                spans={hours.days[day] ?? []}
                onSpans={(spans) => set('hours', withDay(hours, day, spans))}
              />
            ))}
          </div>
          <Holidays
            days={hours.holidays}
            onDays={(holidays) => set('hours', { ...hours, holidays })}
          />
          {errors.hours && <p class="wrong">{errors.hours}</p>}
          <Trial shell={shell} hours={hours} />
        </>
      )}
    </Panel>
  );
}

/** A day without hours is closed, and left out. */
function withDay(hours: Hours, day: Weekday, spans: Span[]): Hours {
  const { [day]: _old, ...days } = hours.days;
  return { ...hours, days: spans.length === 0 ? days : { ...days, [day]: spans } };
}

function Timezone(props: { value: string; onValue(value: string): void }): JSX.Element {
  const id = useId();
  const known = isTimezone(props.value);
  const shown = useFound('Time zone');
  return (
    <div class="field" hidden={!shown}>
      <label for={id}>Time zone</label>
      <input
        id={id}
        dir="ltr"
        list={`${id}-zones`}
        autocomplete="off"
        aria-invalid={known ? undefined : true}
        aria-describedby={`${id}-now`}
        value={props.value}
        onInput={(event) => props.onValue(event.currentTarget.value)}
      />
      <datalist id={`${id}-zones`}>
        {Intl.supportedValuesOf('timeZone').map((zone) => (
          <option key={zone} value={zone} />
        ))}
      </datalist>
      <small id={`${id}-now`}>
        {known ? `It is ${timeIn(props.value)} there now.` : 'Such as Europe/Berlin.'}
      </small>
    </div>
  );
}

function timeIn(timeZone: string): string {
  const format = new Intl.DateTimeFormat(undefined, {
    timeZone,
    weekday: 'long',
    hour: '2-digit',
    minute: '2-digit',
  });
  return format.format(new Date());
}

interface DayProps {
  day: Weekday;
  spans: readonly Span[];
  onSpans(spans: Span[]): void;
}

function Day({ day, spans, onSpans }: DayProps): JSX.Element {
  const name = DAY_NAMES[day];
  const troubles = dayTroubles(spans);
  const shown = useFound(name);
  const change = (at: number, part: Partial<Span>) =>
    onSpans(spans.map((span, idx) => (idx === at ? { ...span, ...part } : span)));
  return (
    <fieldset class="weekday" hidden={!shown}>
      <legend>{name}</legend>
      <div class="spans">
        {spans.length === 0 && <span class="soft closed">Closed</span>}
        {spans.map((span, idx) => (
          <div class="span" key={idx}>
            <input
              class="input"
              type="time"
              aria-label={`${name} opens`}
              aria-invalid={troubles[idx] ? true : undefined}
              value={span.from}
              onInput={(event) => change(idx, { from: event.currentTarget.value })}
            />
            <span aria-hidden="true">–</span>
            <input
              class="input"
              type="time"
              aria-label={`${name} closes`}
              aria-invalid={troubles[idx] ? true : undefined}
              // Browsers know no 24:00; midnight at the end of the day is what they write for it.
              value={span.to === '24:00' ? '00:00' : span.to}
              onInput={(event) => {
                const to = event.currentTarget.value;
                change(idx, { to: to === '00:00' ? '24:00' : to });
              }}
            />
            <button
              type="button"
              class="plain"
              aria-label={`Remove these hours of ${name}`}
              onClick={() => onSpans(spans.filter((_other, at) => at !== idx))}
            >
              <Glyph name="close" />
            </button>
            {troubles[idx] && <span class="wrong">{troubles[idx]}</span>}
          </div>
        ))}
      </div>
      <button
        type="button"
        class="plain"
        aria-label={`Add hours to ${name}`}
        disabled={spans.length >= SPANS_MAX}
        onClick={() => onSpans([...spans, nextSpan(spans)])}
      >
        <Glyph name="plus" />
      </button>
    </fieldset>
  );
}

interface HolidaysProps {
  days: readonly string[];
  onDays(days: string[]): void;
}

function Holidays({ days, onDays }: HolidaysProps): JSX.Element {
  const day = useSignal('');
  const id = useId();
  const shown = useFound('Days closed altogether');
  const add = () => {
    if (day.value === '') return;
    onDays([...new Set([...days, day.value])].sort());
    day.value = '';
  };
  return (
    <div class="field" hidden={!shown}>
      <label for={id}>Days closed altogether</label>
      <span class="with-action">
        <input
          id={id}
          type="date"
          value={day.value}
          onInput={(event) => {
            day.value = event.currentTarget.value;
          }}
        />
        <button
          type="button"
          class="quiet"
          disabled={day.value === '' || days.length >= HOLIDAYS_MAX}
          onClick={add}
        >
          Add
        </button>
      </span>
      {days.length > 0 && (
        <ul class="chips" aria-label="Days closed altogether">
          {days.map((one) => (
            <li key={one} class="chip">
              {DATE.format(new Date(`${one}T12:00:00Z`))}
              <button
                type="button"
                class="plain"
                aria-label={`Remove ${one}`}
                onClick={() => onDays(days.filter((other) => other !== one))}
              >
                <Glyph name="close" />
              </button>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** Asks the server, whose hours they are, what they say of a moment; also before they are saved. */
function Trial({ shell, hours }: { shell: Shell; hours: Hours }): JSX.Element {
  const at = useSignal('');
  const said = useSignal('');
  const id = useId();
  const shown = useFound('Open at …? Test');
  const written = JSON.stringify(hours);
  const latest = useRef(written);
  latest.current = written;
  useEffect(() => {
    // What was said was said of other hours.
    said.value = '';
  }, [written]);
  const test = async () => {
    const [day = '', time = ''] = at.value.split('T');
    const asked = [at.value, written].join();
    const isStale = () => asked !== [at.value, latest.current].join();
    try {
      const body = { hours, day, time: time.slice(0, 5) };
      const answer = await shell.session.ask<Verdict>('POST', '/v1/hours/check', { body });
      if (!isStale()) said.value = verdictText(answer.body, hours);
    } catch (error) {
      if (!isStale()) said.value = inWords(error);
    }
  };
  return (
    <form
      class="field"
      hidden={!shown}
      onSubmit={(event) => {
        event.preventDefault();
        void test();
      }}
    >
      <label for={id}>Open at …?</label>
      <span class="with-action">
        <input
          id={id}
          type="datetime-local"
          aria-describedby={`${id}-said`}
          value={at.value}
          onInput={(event) => {
            at.value = event.currentTarget.value;
            said.value = '';
          }}
        />
        <button
          type="submit"
          class="quiet"
          disabled={at.value === '' || hoursTrouble(hours) !== null}
        >
          Test
        </button>
      </span>
      <small id={`${id}-said`} role="status">
        {said.value}
      </small>
    </form>
  );
}

const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeZone: 'UTC' });
