/** Widgets: the list of them, and a new one. The designer is a page of its own. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import type { Session } from '../session.ts';
import type { Shell } from '../shell.ts';
import { everyPage } from './collection.ts';
import { Designer } from './designer.tsx';
import { TextField } from './fields.tsx';
import { AddButton, FormDialog, ThingList, useCollection, useNamed } from './lists.tsx';
import { checkOrigin } from './origins.ts';
import { PageHead } from './parts.tsx';
import type { PageProps } from './settings.tsx';
import { ACCENT, DEFAULTS, trimmed, type Widget } from './widget.ts';

const PATH = '/console/settings/widgets';

export function Widgets({ shell, id }: PageProps): JSX.Element {
  return id === null ? <List shell={shell} /> : <Designer shell={shell} id={id} />;
}

function List({ shell }: { shell: Shell }): JSX.Element {
  const { session } = shell;
  const widgets = useCollection<Widget>(
    () => everyPage<Widget>(session, '/v1/widgets'),
    ({ id, settings }) => [id, settings.name, ...settings.allowed_origins].join(' '),
  );
  const adding = useSignal(false);
  const add = <AddButton text="Make a widget" adding={adding} />;
  return (
    <>
      <PageHead title="Widgets" text="The chats on your sites: one for each site, or one for all.">
        {widgets.items.value.length > 0 && add}
      </PageHead>
      <ThingList
        things={widgets}
        label="Widgets"
        icon="message"
        empty={{
          title: 'No widget yet',
          text: (
            <>
              <p>Make one, then put its line of HTML into your site.</p>
              {add}
            </>
          ),
        }}
        row={({ id, settings }) => (
          <>
            <Swatch color={settings.theme?.accent ?? ACCENT} />
            <div class="thing-main">
              <a class="thing-name" href={`${PATH}/${id}`} dir="auto">
                {settings.name}
              </a>
              <span class="soft small" dir="ltr">
                {settings.allowed_origins.join(', ') || 'on no site yet'}
              </span>
            </div>
            <div class="thing-more">
              {settings.enabled === false && <span class="badge warn">Off</span>}
              <code>{id}</code>
            </div>
          </>
        )}
      />
      {adding.value && (
        <AddDialog
          session={session}
          onAdded={(widget) => {
            adding.value = false;
            shell.router.go(`${PATH}/${widget.id}`);
          }}
          onClose={() => {
            adding.value = false;
          }}
        />
      )}
    </>
  );
}

/** A dot of a color: drawn, because a policy forbids styles in attributes. */
function Swatch({ color }: { color: string }): JSX.Element {
  return (
    <span class="thing-icon">
      <svg viewBox="0 0 32 32" width="32" height="32" aria-hidden="true">
        <circle cx="16" cy="16" r="16" fill={color} />
        <path class="swatch-mark" d="M9 11h14v9h-8l-4 4v-4H9z" />
      </svg>
    </span>
  );
}

interface AddProps {
  session: Session;
  onAdded(widget: Widget): void;
  onClose(): void;
}

function AddDialog({ session, onAdded, onClose }: AddProps): JSX.Element {
  const named = useNamed();
  const site = useSignal('');
  const checked = site.value.trim() === '' ? null : checkOrigin(site.value);
  const wrong = checked !== null && 'trouble' in checked ? checked.trouble : null;
  const add = async () => {
    const { id, name } = named;
    const allowed_origins = checked !== null && 'origin' in checked ? [checked.origin] : [];
    const settings = trimmed({ ...DEFAULTS, name, allowed_origins });
    onAdded((await session.ask<Widget>('POST', '/v1/widgets', { body: { id, settings } })).body);
  };
  return (
    <FormDialog
      title="Make a widget"
      action="Make it"
      ready={named.ready && wrong === null}
      onSubmit={add}
      onClose={onClose}
    >
      {named.nameField('For you and your colleagues, such as: Shop.')}
      <TextField
        label="Site"
        hint="Where it may be shown. You can add more, and change it later."
        placeholder="https://www.example.com"
        ltr
        inputMode="url"
        value={site.value}
        wrong={wrong}
        onValue={(value) => {
          site.value = value;
        }}
      />
      {named.idField('It stands in the line of HTML, and never changes.')}
    </FormDialog>
  );
}
