/** How a widget looks, and what it says. */

import type { JSX } from 'preact';
import { useId } from 'preact/hooks';
import { contrast, inkOn, parseColor } from './contrast.ts';
import type { PartProps } from './designer.tsx';
import { NumberField, Segments, Select, TextField } from './fields.tsx';
import { useFound } from './findable.tsx';
import { Panel } from './parts.tsx';
import { ACCENT, type ColorTrouble, colorTroubles, RADIUS_MAX, type Theme } from './widget.ts';

type ColorName = 'accent' | 'background' | 'text';

const COLORS: readonly (readonly [ColorName, string, string])[] = [
  [
    'accent',
    'Accent',
    'Launcher, header and the visitor’s own messages. Text on it is white or black.',
  ],
  ['background', 'Background', 'Behind everything. Empty for that of the scheme.'],
  ['text', 'Text', 'On the background. Empty for that of the scheme.'],
];

export function Look({ settings, errors, set }: PartProps): JSX.Element {
  const { theme } = settings;
  const change = (part: Partial<Theme>) => set('theme', { ...theme, ...part });
  const troubles = colorTroubles(theme);
  return (
    <>
      <Panel title="Colors">
        <Segments
          legend="Scheme"
          value={theme.scheme}
          choices={[
            ['auto', 'As the visitor has it'],
            ['light', 'Light'],
            ['dark', 'Dark'],
          ]}
          onValue={(scheme) => change({ scheme })}
        />
        {COLORS.map(([name, label, hint]) => (
          <ColorField
            key={name}
            label={label}
            hint={hint}
            value={theme[name]}
            usual={name === 'accent' ? ACCENT : undefined}
            trouble={troubles.find(({ field }) => field === name)}
            onValue={(color) => change({ [name]: color })}
          />
        ))}
      </Panel>
      <Panel title="Shape and place">
        <NumberField
          label="Roundness of corners"
          hint={`In pixels, 0 to ${RADIUS_MAX}. Empty for the widget’s own.`}
          min={0}
          max={RADIUS_MAX}
          value={theme.radius}
          onValue={(radius) => change({ radius })}
        />
        <Segments
          legend="Side of the page"
          value={theme.side}
          choices={[
            ['right', 'Right'],
            ['left', 'Left'],
          ]}
          onValue={(side) => change({ side })}
        />
        {errors.theme && troubles.length === 0 && <p class="wrong">{errors.theme}</p>}
      </Panel>
    </>
  );
}

interface ColorProps {
  label: string;
  hint: string;
  value: string | undefined;
  /** What it is when it is empty. */
  usual: string | undefined;
  trouble: ColorTrouble | undefined;
  onValue(color: string | undefined): void;
}

function ColorField(props: ColorProps): JSX.Element {
  const { label, hint, value, usual, trouble, onValue } = props;
  const id = useId();
  const shown = useFound(label, hint);
  const color = parseColor(value ?? usual ?? '');
  const isBad = value !== undefined && parseColor(value) === null;
  const ink = label === 'Accent' && color !== null ? inkOn(color) : null;
  return (
    <div class="field" hidden={!shown}>
      <label for={id}>{label}</label>
      <span class="color">
        <input
          type="color"
          aria-label={`${label}, picker`}
          value={color === null ? '#808080' : (value ?? usual)}
          onInput={(event) => onValue(event.currentTarget.value)}
        />
        <input
          id={id}
          dir="ltr"
          placeholder={usual ?? 'as the scheme'}
          maxLength={7}
          aria-invalid={trouble !== undefined || isBad ? true : undefined}
          aria-describedby={`${id}-hint`}
          value={value ?? ''}
          onInput={(event) => onValue(event.currentTarget.value.trim() || undefined)}
        />
        {ink !== null && color !== null && (
          <span class="badge good">
            {`${ink[0] === 0 ? 'black' : 'white'} ${contrast(color, ink).toFixed(1)}:1`}
          </span>
        )}
      </span>
      <small id={`${id}-hint`}>{hint}</small>
      {isBad && <span class="wrong">A color is written #rrggbb.</span>}
      {trouble !== undefined && (
        <span class="wrong contrast" role="status">
          {`Too little contrast with ${trouble.against}: ${trouble.ratio.toFixed(1)}:1, and 4.5:1 is needed.`}
          <button type="button" class="quiet" onClick={() => onValue(trouble.better)}>
            <svg viewBox="0 0 16 16" width="16" height="16" aria-hidden="true">
              <rect width="16" height="16" rx="4" fill={trouble.better} />
            </svg>
            {`Use ${trouble.better}`}
          </button>
        </span>
      )}
    </div>
  );
}

export function Words({ settings, errors, set }: PartProps): JSX.Element {
  const { theme, offline } = settings;
  return (
    <>
      <Panel title="What it is called">
        <TextField
          label="Name"
          hint="For you and your colleagues."
          value={settings.name}
          wrong={errors.name}
          onValue={(value) => set('name', value)}
        />
        <TextField
          label="Title"
          hint="At the top of the open widget. Empty for the name."
          value={theme.title ?? ''}
          onValue={(value) => set('theme', { ...theme, title: value || undefined })}
        />
        <Select
          label="Language"
          value={settings.locale}
          choices={[
            ['auto', 'That of the visitor’s browser'],
            ['en', 'English'],
            ['ar', 'العربية (Arabic)'],
          ]}
          onValue={(value) => set('locale', value)}
        />
      </Panel>
      <Panel title="What it says">
        <TextField
          label="Welcome"
          hint="The first words of a new conversation."
          rows={3}
          value={settings.welcome ?? ''}
          wrong={errors.welcome}
          onValue={(value) => set('welcome', value || undefined)}
        />
        <Select
          label="While nobody is there"
          value={offline.behavior}
          choices={[
            ['message', 'Take a message; it waits for you'],
            ['form', 'Ask for an address too, to answer later'],
            ['redirect', 'Lead to another page'],
          ]}
          onValue={(behavior) => set('offline', { ...offline, behavior })}
        />
        {offline.behavior === 'redirect' && (
          <TextField
            label="Address of that page"
            ltr
            inputMode="url"
            placeholder="https://www.example.com/contact"
            value={offline.redirect_url ?? ''}
            wrong={errors.offline}
            onValue={(value) => set('offline', { ...offline, redirect_url: value || undefined })}
          />
        )}
        <TextField
          label="Words while away"
          rows={3}
          value={settings.offline_message ?? ''}
          wrong={errors.offline_message}
          onValue={(value) => set('offline_message', value || undefined)}
        />
      </Panel>
    </>
  );
}
