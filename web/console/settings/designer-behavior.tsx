/** What a widget does, and with whom. */

import type { JSX } from 'preact';
import { ROUTINGS } from './department.ts';
import type { PartProps } from './designer.tsx';
import { Checks, NumberField, Select, Toggle } from './fields.tsx';
import { Panel } from './parts.tsx';
import { AUTO_OPEN_S_MAX, QUEUE_MAX_MAX, type Routing } from './widget.ts';

export function Behavior({ settings, errors, departments, set }: PartProps): JSX.Element {
  return (
    <>
      <Panel title="Showing itself">
        <Toggle
          label="Shown at all"
          hint="Off takes it from every site at once. Conversations go on."
          value={settings.enabled}
          onValue={(value) => set('enabled', value)}
        />
        <NumberField
          label="Opens by itself after"
          hint="Seconds; empty for never. Once per visit, and never again after somebody closed it."
          min={0}
          max={AUTO_OPEN_S_MAX}
          value={settings.auto_open_s}
          wrong={errors.auto_open_s}
          onValue={(value) => set('auto_open_s', value)}
        />
        <Toggle
          label="Pictures of agents"
          value={settings.show_avatars}
          onValue={(value) => set('show_avatars', value)}
        />
      </Panel>
      <Panel title="Writing">
        <Toggle
          label="Agents see what is typed before it is sent"
          hint="The widget tells visitors so."
          value={settings.preview_typing}
          onValue={(value) => set('preview_typing', value)}
        />
        <Toggle
          label="Only for visitors whom your site has identified"
          hint="With a signed token; see Sites & embed."
          value={settings.identity_required}
          onValue={(value) => set('identity_required', value)}
        />
      </Panel>
      <Panel title="Where conversations go">
        {departments.length > 0 && (
          <Checks
            legend="Departments to choose from"
            hint="None offers no choice."
            choices={departments.map(({ id, name }) => [id, name] as const)}
            value={settings.departments}
            wrong={errors.departments}
            onValue={(value) => set('departments', value)}
          />
        )}
        <Toggle
          label="One must be chosen"
          disabled={settings.departments.length === 0 && !settings.department_required}
          value={settings.department_required}
          wrong={errors.department_required}
          onValue={(value) => set('department_required', value)}
        />
        <Select<Routing | ''>
          label="How a conversation finds somebody"
          value={settings.routing ?? ''}
          choices={[['', 'As its department says'], ...ROUTINGS]}
          onValue={(value) => set('routing', value === '' ? undefined : value)}
        />
        <NumberField
          label="How many may wait"
          hint="For a department, or without one; empty for any number. Whoever comes later reads that everybody is busy, and is offered what you chose for when nobody is there."
          min={1}
          max={QUEUE_MAX_MAX}
          value={settings.queue_max}
          wrong={errors.queue_max}
          onValue={(value) => set('queue_max', value)}
        />
      </Panel>
    </>
  );
}
