/** How the console looks and behaves for one person. */

import { type Signal, useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { Glyph } from '../../ui/icons.tsx';
import {
  type Advance,
  type AlertEvent,
  type Density,
  EVENTS,
  type Prefs,
  SOUNDS,
  type Sound,
  type Theme,
} from '../prefs.ts';
import type { Shell } from '../shell.ts';
import { ChosenKeysPanel } from './chosen-keys.tsx';
import { Findable, useFound } from './findable.tsx';
import { Finding, useFinder } from './finding.tsx';
import { Panel } from './parts.tsx';
import { QuietHoursPanel } from './quiet-hours.tsx';
import type { PageProps } from './settings.tsx';

/** What can be chosen; 0 is never. */
const AWAY_MINUTES = [0, 5, 10, 15, 30, 60];

function undoText(seconds: number): string {
  if (seconds === 0) return 'Off: what you send goes at once.';
  return `What you send waits ${seconds} s, and can be taken back until then.`;
}

interface ChoicesProps<Value extends string> {
  legend: string;
  pref: Signal<Value>;
  choices: readonly [Value, string][];
}

function Choices<Value extends string>(props: ChoicesProps<Value>): JSX.Element {
  const { legend, pref, choices } = props;
  const shown = useFound(legend, ...choices.map(([, text]) => text));
  return (
    <fieldset class="segments" hidden={!shown}>
      <legend>{legend}</legend>
      {choices.map(([value, text]) => (
        <label key={value}>
          <input
            type="radio"
            name={legend}
            checked={pref.value === value}
            onChange={() => {
              pref.value = value;
            }}
          />
          <span>{text}</span>
        </label>
      ))}
    </fieldset>
  );
}

export function Preferences({ shell, commands }: PageProps): JSX.Element {
  const { prefs } = shell;
  const finder = useFinder();
  return (
    <>
      <header class="page-head">
        <h2>Preferences</h2>
        <p class="soft">
          Yours wherever you sign in; volume and desktop notifications are this browser’s. Changes
          are kept at once.
        </p>
      </header>
      <Finding finder={finder}>
        <Panel title="Look">
          <Choices<Theme>
            legend="Colors"
            pref={prefs.theme}
            choices={[
              ['system', 'As the system'],
              ['light', 'Light'],
              ['dark', 'Dark'],
            ]}
          />
          <Choices<Density>
            legend="List"
            pref={prefs.density}
            choices={[
              ['comfortable', 'Comfortable'],
              ['compact', 'Compact'],
            ]}
          />
        </Panel>
        <Panel title="Work">
          <Choices<Advance>
            legend="When a conversation is done, open"
            pref={prefs.advance}
            choices={[
              ['next', 'The next'],
              ['previous', 'The previous'],
              ['list', 'The list'],
            ]}
          />
          <Findable words={['Undo send', 'What you send waits, and can be taken back']}>
            <label class="field">
              Undo send
              <input
                type="range"
                min="0"
                max="10"
                step="1"
                value={prefs.undoS.value}
                aria-valuetext={undoText(prefs.undoS.value)}
                onInput={(event) => {
                  prefs.undoS.value = event.currentTarget.valueAsNumber;
                }}
              />
              <small>{undoText(prefs.undoS.value)}</small>
            </label>
          </Findable>
          <Findable words={['Set me away']}>
            <label class="field">
              Set me away
              <select
                value={String(prefs.awayMin.value)}
                onChange={(event) => {
                  prefs.awayMin.value = Number(event.currentTarget.value);
                }}
              >
                {AWAY_MINUTES.map((minutes) => (
                  <option key={minutes} value={String(minutes)}>
                    {minutes === 0 ? 'Never by itself' : `After ${minutes} minutes without a touch`}
                  </option>
                ))}
              </select>
              <small>
                You are warned a minute before, and back with the next key. What you choose yourself
                stays.
              </small>
            </label>
          </Findable>
          <Findable words={['Single-key shortcuts']}>
            <label class="check">
              <input
                type="checkbox"
                checked={prefs.singleKeys.value}
                onChange={(event) => {
                  prefs.singleKeys.value = event.currentTarget.checked;
                }}
              />
              <span>
                Single-key shortcuts
                <small>Keys such as j, k and r. Those with Ctrl or Alt always work.</small>
              </span>
            </label>
          </Findable>
        </Panel>
        <AlertsPanel shell={shell} />
        <QuietHoursPanel prefs={prefs} />
        <ChosenKeysPanel prefs={prefs} commands={commands} />
      </Finding>
    </>
  );
}

const EVENT_NAMES: Record<AlertEvent, string> = {
  waiting: 'Somebody new is waiting',
  assigned: 'A conversation is given to you',
  reply: 'A visitor writes in your conversation',
};

const SOUND_NAMES: Record<Sound | 'none', string> = {
  none: 'No sound',
  chime: 'Chime',
  pluck: 'Pluck',
  bell: 'Bell',
  knock: 'Knock',
  drop: 'Drop',
};

function AlertsPanel({ shell }: { shell: Shell }): JSX.Element {
  const { prefs, speaker } = shell;
  const permission = useSignal(
    typeof Notification === 'undefined' ? 'missing' : Notification.permission,
  );
  const allow = async () => {
    permission.value = await Notification.requestPermission();
  };
  return (
    <Panel title="Sounds and notifications">
      <Findable words={['Volume']}>
        <label class="field">
          Volume
          <input
            type="range"
            min="0"
            max="1"
            step="0.05"
            value={prefs.volume.value}
            aria-valuetext={`${Math.round(prefs.volume.value * 100)} %`}
            onInput={(event) => {
              prefs.volume.value = event.currentTarget.valueAsNumber;
            }}
          />
        </label>
      </Findable>
      {EVENTS.map((event) => (
        <AlertRow
          key={event}
          event={event}
          prefs={prefs}
          mayNotify={permission.value === 'granted'}
          onTest={(sound) => void speaker.test(sound, prefs.volume.peek())}
        />
      ))}
      {speaker.blocked.value && (
        <p class="wrong" role="alert">
          The browser blocks sounds on this page. Allow them beside its address.
        </p>
      )}
      {permission.value === 'default' && (
        <div>
          <button type="button" class="quiet" onClick={() => void allow()}>
            Allow desktop notifications
          </button>
        </div>
      )}
      {permission.value === 'denied' && (
        <p class="soft">
          The browser does not let this page notify you. Allow it beside the address, then reload.
        </p>
      )}
    </Panel>
  );
}

interface AlertRowProps {
  event: AlertEvent;
  prefs: Prefs;
  mayNotify: boolean;
  onTest(sound: Sound): void;
}

function AlertRow({ event, prefs, mayNotify, onTest }: AlertRowProps): JSX.Element {
  const sound = prefs.sounds.value[event];
  const shown = useFound(EVENT_NAMES[event], 'Sound', 'On the desktop');
  return (
    <fieldset class="alert" hidden={!shown}>
      <legend>{EVENT_NAMES[event]}</legend>
      <select
        class="input"
        aria-label={`Sound: ${EVENT_NAMES[event]}`}
        value={sound}
        onChange={(change) => {
          const chosen = change.currentTarget.value as Sound | 'none';
          prefs.sounds.value = { ...prefs.sounds.peek(), [event]: chosen };
        }}
      >
        {(['none', ...SOUNDS] as const).map((name) => (
          <option key={name} value={name}>
            {SOUND_NAMES[name]}
          </option>
        ))}
      </select>
      <button
        type="button"
        class="quiet"
        aria-label={`Test: ${EVENT_NAMES[event]}`}
        disabled={sound === 'none'}
        onClick={() => {
          if (sound !== 'none') onTest(sound);
        }}
      >
        <Glyph name="volume" />
        Test
      </button>
      {mayNotify && (
        <label class="check">
          <input
            type="checkbox"
            checked={prefs.desktop.value[event]}
            onChange={(change) => {
              const on = change.currentTarget.checked;
              prefs.desktop.value = { ...prefs.desktop.peek(), [event]: on };
            }}
          />
          <span>On the desktop, while you look elsewhere</span>
        </label>
      )}
    </fieldset>
  );
}
