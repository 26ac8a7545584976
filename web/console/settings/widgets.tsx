/** Widgets: the list of them, and a new one. The designer is a page of its own. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import { Dialog } from '../../ui/dialog.tsx';
import { Glyph } from '../../ui/icons.tsx';
import { inWords } from '../auth/words.ts';
import type { Session } from '../session.ts';
import type { Shell } from '../shell.ts';
import { Collection, everyPage } from './collection.ts';
import { Designer } from './designer.tsx';
import { TextField } from './fields.tsx';
import { checkOrigin } from './origins.ts';
import { Loaded, Nothing, PageHead, Search } from './parts.tsx';
import type { PageProps } from './settings.tsx';
import { ACCENT, DEFAULTS, isShortName, shortName, trimmed, type Widget } from './widget.ts';

const PATH = '/console/settings/widgets';

export function Widgets({ shell, id }: PageProps): JSX.Element {
  return id === null ? <List shell={shell} /> : <Designer shell={shell} id={id} />;
}

function List({ shell }: { shell: Shell }): JSX.Element {
  const { session } = shell;
  const widgets = useMemo(
    () =>
      new Collection<Widget>(
        () => everyPage<Widget>(session, '/v1/widgets'),
        ({ id, settings }) => [id, settings.name, ...settings.allowed_origins].join(' '),
      ),
    [],
  );
  const adding = useSignal(false);
  useEffect(() => void widgets.load(), []);
  const add = (
    <button
      type="button"
      class="primary"
      onClick={() => {
        adding.value = true;
      }}
    >
      <Glyph name="plus" />
      Make a widget
    </button>
  );
  return (
    <>
      <PageHead title="Widgets" text="The chats on your sites: one for each site, or one for all.">
        {widgets.items.value.length > 0 && add}
      </PageHead>
      <Loaded
        state={widgets.state.value}
        refusal={widgets.refusal.value}
        trouble={widgets.trouble.value}
        onRetry={() => void widgets.load()}
      >
        <Search collection={widgets} label="Search widgets" />
        {widgets.items.value.length === 0 ? (
          <Nothing icon="message" title="No widget yet">
            <p>Make one, then put its line of HTML into your site.</p>
            {add}
          </Nothing>
        ) : (
          <ul class="things" aria-label="Widgets">
            {widgets.found.value.map(({ id, settings }) => (
              <li key={id} class="thing">
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
              </li>
            ))}
          </ul>
        )}
      </Loaded>
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
  const name = useSignal('');
  /** `null` as long as it follows the name. */
  const written = useSignal<string | null>(null);
  const site = useSignal('');
  const trouble = useSignal<string | null>(null);
  const id = written.value ?? shortName(name.value);
  const checked = site.value.trim() === '' ? null : checkOrigin(site.value);
  const wrong = checked !== null && 'trouble' in checked ? checked.trouble : null;
  const ready = name.value.trim() !== '' && isShortName(id) && wrong === null;
  const add = async () => {
    if (!ready) return;
    try {
      const allowed_origins = checked !== null && 'origin' in checked ? [checked.origin] : [];
      const settings = trimmed({ ...DEFAULTS, name: name.value.trim(), allowed_origins });
      onAdded((await session.ask<Widget>('POST', '/v1/widgets', { body: { id, settings } })).body);
    } catch (error) {
      trouble.value = inWords(error);
    }
  };
  return (
    <Dialog title="Make a widget" onClose={onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void add();
        }}
      >
        <TextField
          label="Name"
          hint="For you and your colleagues, such as: Shop."
          value={name.value}
          focus
          onValue={(value) => {
            name.value = value;
          }}
        />
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
        <TextField
          label="Short name"
          hint="It stands in the line of HTML, and never changes."
          ltr
          value={id}
          wrong={id === '' || isShortName(id) ? null : 'Only a–z, 0–9, - and _.'}
          onValue={(value) => {
            written.value = value;
          }}
        />
        <p role="alert" class="wrong">
          {trouble.value}
        </p>
        <div class="buttons">
          <button type="button" class="quiet" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={!ready}>
            Make it
          </button>
        </div>
      </form>
    </Dialog>
  );
}
