/** The widget designer: every setting, beside the real widget as it would be. */

import './designer.css';
import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import { Glyph } from '../../ui/icons.tsx';
import { Tabs } from '../../ui/tabs.tsx';
import type { Shell } from '../shell.ts';
import { type Department, useDepartments } from './department.ts';
import { Behavior } from './designer-behavior.tsx';
import { Embed } from './designer-embed.tsx';
import { HoursEditor } from './designer-hours.tsx';
import { Look, Words } from './designer-look.tsx';
import { Questions } from './designer-questions.tsx';
import { Editing } from './editing.ts';
import { Finding, useFinder } from './finding.tsx';
import { Loaded, PageHead, SaveBar } from './parts.tsx';
import { Preview } from './preview.tsx';
import { RemoveDialog } from './removal.tsx';
import { type Settings, trimmed, type Widget, whole, widgetTroubles } from './widget.ts';

const NAMES: Record<keyof Settings, string> = {
  name: 'Name',
  enabled: 'Shown at all',
  allowed_origins: 'Sites',
  welcome: 'Welcome',
  offline_message: 'Words while away',
  offline: 'While nobody is there',
  theme: 'Look',
  locale: 'Language',
  auto_open_s: 'Opens by itself',
  queue_max: 'How many may wait',
  show_avatars: 'Pictures of agents',
  uploads: 'Files',
  preview_typing: 'Typing preview',
  email_required: 'Email needed',
  prechat: 'Questions',
  departments: 'Departments',
  department_required: 'Department needed',
  identity_required: 'Only known visitors',
  hours: 'Hours',
  routing: 'How it finds somebody',
};

const WIDGETS = '/console/settings/widgets';

const TABS = [
  { name: 'look', text: 'Look' },
  { name: 'words', text: 'Words' },
  { name: 'questions', text: 'Questions' },
  { name: 'hours', text: 'Hours' },
  { name: 'behavior', text: 'Behavior' },
  { name: 'embed', text: 'Sites & embed' },
] as const;
type TabName = (typeof TABS)[number]['name'];

/** What a part of the designer is given. */
export interface PartProps {
  settings: Settings;
  errors: Record<string, string>;
  departments: readonly Department[];
  set<Name extends keyof Settings>(name: Name, value: Settings[Name]): void;
}

export function Designer({ shell, id }: { shell: Shell; id: string }): JSX.Element {
  const { session } = shell;
  const finder = useFinder('a part');
  const departments = useDepartments(session);
  const tab = useSignal<TabName>('look');
  const there = useSignal(true);
  const removing = useSignal(false);
  const path = `/v1/widgets/${encodeURIComponent(id)}/settings`;
  const editing = useMemo(() => {
    const take = ({ body, etag }: { body: Widget; etag: string | null }) => ({
      body: whole(body.settings),
      etag,
    });
    return new Editing<Settings>({
      load: async () => take(await session.ask<Widget>('GET', path)),
      save: async (settings, _changed, etag) =>
        take(
          await session.ask<Widget>('PUT', path, { body: trimmed(settings), ifMatch: etag ?? '*' }),
        ),
      check: widgetTroubles,
    });
  }, []);
  useEffect(() => {
    void editing.load().then(() => {
      // A widget that is on no site yet needs one before anything else.
      if (editing.saved.peek()?.allowed_origins.length === 0) tab.value = 'embed';
    });
  }, []);
  const settings = editing.draft.value;
  const errors = editing.errors.value;
  const part = (name: TabName) =>
    settings !== null && (
      <Part
        tab={name}
        shell={shell}
        id={id}
        saved={editing.saved.value}
        settings={settings}
        errors={errors}
        departments={departments.value}
        set={(field, value) => editing.set(field, value)}
      />
    );
  return (
    <div class="designer">
      <PageHead
        title={editing.saved.value?.name ?? 'Widget'}
        back={{ href: WIDGETS, text: 'Widgets' }}
      >
        {editing.state.value === 'ready' && (
          <button
            type="button"
            class="quiet"
            onClick={() => {
              removing.value = true;
            }}
          >
            <Glyph name="trash" />
            Remove widget…
          </button>
        )}
      </PageHead>
      <Loaded
        state={editing.state.value}
        refusal={editing.refusal.value}
        trouble={editing.trouble.value}
        onRetry={() => void editing.load()}
      >
        {settings !== null && (
          <>
            <div class="designer-panes">
              <div class="designer-form">
                <Finding finder={finder}>
                  {!finder.looks && (
                    <Tabs<TabName>
                      label="Parts of the widget"
                      id="designer"
                      tabs={TABS}
                      selected={tab.value}
                      onSelect={(name) => {
                        tab.value = name;
                      }}
                    />
                  )}
                  {/* A search goes over all parts, one after the other. */}
                  {finder.looks ? (
                    TABS.map(({ name }) => (
                      <div key={name} class="designer-part">
                        {part(name)}
                      </div>
                    ))
                  ) : (
                    <div
                      class="designer-part"
                      role="tabpanel"
                      id="designer-panel"
                      aria-labelledby={`designer-${tab.value}`}
                    >
                      {part(tab.value)}
                    </div>
                  )}
                </Finding>
              </div>
              <Preview
                id={id}
                settings={settings}
                departments={departments.value}
                there={there.value}
                onThere={(value) => {
                  there.value = value;
                }}
              />
            </div>
            <SaveBar editing={editing} names={NAMES} shell={shell} />
          </>
        )}
      </Loaded>
      {removing.value && editing.saved.value !== null && (
        <RemoveDialog
          widget={{ name: editing.saved.value.name, etag: editing.etag }}
          origins={editing.saved.value.allowed_origins}
          remove={(etag) =>
            session.ask('DELETE', `/v1/widgets/${encodeURIComponent(id)}`, { ifMatch: etag })
          }
          load={async () => {
            const { body, etag } = await session.ask<Widget>('GET', path);
            return { body: body.settings, etag };
          }}
          onRemoved={(name) => {
            removing.value = false;
            // Nothing is left that could be saved.
            shell.router.guard = null;
            editing.undo();
            shell.toasts.say(`${name} is removed.`);
            shell.router.go(WIDGETS);
          }}
          onClose={() => {
            removing.value = false;
          }}
        />
      )}
    </div>
  );
}

interface WhichProps extends PartProps {
  tab: TabName;
  shell: Shell;
  id: string;
  saved: Settings | null;
}

function Part({ tab, shell, id, saved, ...part }: WhichProps): JSX.Element {
  switch (tab) {
    case 'look':
      return <Look {...part} />;
    case 'words':
      return <Words {...part} />;
    case 'questions':
      return <Questions {...part} />;
    case 'hours':
      return <HoursEditor {...part} shell={shell} />;
    case 'behavior':
      return <Behavior {...part} />;
    case 'embed':
      return <Embed {...part} shell={shell} id={id} saved={saved} />;
  }
}
