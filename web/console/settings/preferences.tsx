/** How the console looks and behaves for one person in this browser. */

import type { Signal } from '@preact/signals';
import type { JSX } from 'preact';
import type { Advance, Density, Theme } from '../prefs.ts';
import type { Shell } from '../shell.ts';

interface ChoicesProps<Value extends string> {
  legend: string;
  pref: Signal<Value>;
  choices: readonly [Value, string][];
}

function Choices<Value extends string>(props: ChoicesProps<Value>): JSX.Element {
  const { legend, pref, choices } = props;
  return (
    <fieldset class="segments">
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

export function Preferences({ shell }: { shell: Shell }): JSX.Element {
  const { prefs } = shell;
  return (
    <>
      <header class="page-head">
        <h2>Preferences</h2>
        <p class="soft">For you, in this browser. Changes are kept at once.</p>
      </header>
      <section class="panel" aria-labelledby="look-title">
        <h3 id="look-title">Look</h3>
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
      </section>
      <section class="panel" aria-labelledby="work-title">
        <h3 id="work-title">Work</h3>
        <Choices<Advance>
          legend="When a conversation is done, open"
          pref={prefs.advance}
          choices={[
            ['next', 'The next'],
            ['previous', 'The previous'],
            ['list', 'The list'],
          ]}
        />
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
      </section>
    </>
  );
}
