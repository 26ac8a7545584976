/** Departments: what they are called, and how their conversations find somebody. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import { Confirm } from '../../ui/dialog.tsx';
import { Glyph } from '../../ui/icons.tsx';
import { inWords } from '../auth/words.ts';
import type { Session } from '../session.ts';
import type { Shell } from '../shell.ts';
import type { Agent } from './agent.ts';
import { everyPage } from './collection.ts';
import { type Department, fetchDepartments, ROUTINGS } from './department.ts';
import { Editing } from './editing.ts';
import { Select, TextField } from './fields.tsx';
import { Finding, useFinder } from './finding.tsx';
import { AddButton, FormDialog, ThingList, useCollection, useNamed } from './lists.tsx';
import { Loaded, PageHead, Panel, SaveBar } from './parts.tsx';
import type { PageProps } from './settings.tsx';
import type { Routing, Widget } from './widget.ts';

const PATH = '/console/settings/departments';

export function Departments({ shell, id }: PageProps): JSX.Element {
  return id === null ? <List shell={shell} /> : <One shell={shell} id={id} />;
}

function List({ shell }: { shell: Shell }): JSX.Element {
  const { session } = shell;
  const departments = useCollection<Department>(
    () => fetchDepartments(session),
    ({ id, name }) => `${id} ${name}`,
  );
  const adding = useSignal(false);
  return (
    <>
      <PageHead
        title="Departments"
        text="Where a conversation waits, and how it finds somebody. Widgets can let visitors choose."
      >
        <AddButton text="Add a department" adding={adding} />
      </PageHead>
      <ThingList
        things={departments}
        label="Departments"
        icon="building"
        empty={{
          title: 'No departments',
          text: 'Without them everybody sees every conversation. Add one when teams should have their own.',
        }}
        row={({ id, name, routing }) => (
          <>
            <span class="thing-icon">
              <Glyph name="building" />
            </span>
            <div class="thing-main">
              <a class="thing-name" href={`${PATH}/${id}`} dir="auto">
                {name}
              </a>
              <span class="soft small">
                {ROUTINGS.find(([known]) => known === routing)?.[1] ?? routing}
              </span>
            </div>
            <code class="thing-more">{id}</code>
          </>
        )}
      />
      {adding.value && (
        <AddDialog
          session={session}
          onAdded={(department) => {
            departments.put(department);
            adding.value = false;
            shell.toasts.say(`${department.name} is there.`);
          }}
          onClose={() => {
            adding.value = false;
          }}
        />
      )}
    </>
  );
}

interface AddProps {
  session: Session;
  onAdded(department: Department): void;
  onClose(): void;
}

function AddDialog({ session, onAdded, onClose }: AddProps): JSX.Element {
  const named = useNamed();
  const routing = useSignal<Routing>('manual');
  const add = async () => {
    const body = { id: named.id, name: named.name, routing: routing.value };
    onAdded((await session.ask<Department>('POST', '/v1/departments', { body })).body);
  };
  return (
    <FormDialog
      title="Add a department"
      action="Add"
      ready={named.ready}
      onSubmit={add}
      onClose={onClose}
    >
      {named.nameField()}
      {named.idField('For links and programs. It never changes.')}
      <Select
        label="How a conversation finds somebody"
        value={routing.value}
        choices={ROUTINGS}
        onValue={(value) => {
          routing.value = value;
        }}
      />
    </FormDialog>
  );
}

interface Uses {
  people: number;
  widgets: string[];
}

function One({ shell, id }: { shell: Shell; id: string }): JSX.Element {
  const { session } = shell;
  const path = `/v1/departments/${encodeURIComponent(id)}`;
  const finder = useFinder();
  const uses = useSignal<Uses | null>(null);
  const editing = useMemo(
    () =>
      new Editing<Department>({
        load: () => session.ask<Department>('GET', path),
        save: ({ name, routing }, _changed, etag) =>
          session.ask<Department>('PUT', path, { body: { name, routing }, ifMatch: etag ?? '*' }),
        check: ({ name }): Record<string, string> =>
          name.trim() === '' ? { name: 'A department needs a name.' } : {},
      }),
    [],
  );
  useEffect(() => void editing.load(), []);
  const department = editing.draft.value;
  /** Says what happens before it does. */
  const look = async () => {
    try {
      const [people, widgets] = await Promise.all([
        everyPage<Agent>(session, '/v1/agents'),
        everyPage<Widget>(session, '/v1/widgets'),
      ]);
      uses.value = {
        people: people.filter(({ departments }) => departments.includes(id)).length,
        widgets: widgets
          .filter(({ settings }) => settings.departments?.includes(id))
          .map(({ settings }) => settings.name),
      };
    } catch (error) {
      shell.toasts.say(inWords(error), { bad: true });
    }
  };
  const remove = async () => {
    try {
      await session.ask('DELETE', path, { ifMatch: editing.etag ?? '*' });
      editing.undo();
      shell.toasts.say(`${department?.name ?? id} is gone.`);
      shell.router.go(PATH);
    } catch (error) {
      shell.toasts.say(inWords(error), { bad: true });
    }
  };
  return (
    <>
      <PageHead
        title={editing.saved.value?.name ?? 'Department'}
        back={{ href: PATH, text: 'Departments' }}
        text={<code>{id}</code>}
      >
        {editing.state.value === 'ready' && (
          <button type="button" class="quiet" onClick={() => void look()}>
            <Glyph name="trash" />
            Delete…
          </button>
        )}
      </PageHead>
      <Loaded
        state={editing.state.value}
        refusal={editing.refusal.value}
        trouble={editing.trouble.value}
        onRetry={() => void editing.load()}
      >
        {department !== null && (
          <>
            <Finding finder={finder}>
              <Panel title="Department">
                <TextField
                  label="Name"
                  hint="Visitors read it too, where a widget offers the choice."
                  value={department.name}
                  wrong={editing.errors.value.name}
                  onValue={(value) => editing.set('name', value)}
                />
                <Select
                  label="How a conversation finds somebody"
                  value={department.routing}
                  choices={ROUTINGS}
                  onValue={(value) => editing.set('routing', value)}
                />
              </Panel>
            </Finding>
            <SaveBar
              editing={editing}
              shell={shell}
              names={{ name: 'Name', routing: 'How a conversation finds somebody' }}
            />
          </>
        )}
      </Loaded>
      {uses.value !== null && (
        <Confirm
          title={`Delete ${editing.saved.value?.name ?? id}?`}
          text={deletionText(uses.value)}
          action="Delete"
          danger
          onConfirm={() => void remove()}
          onClose={() => {
            uses.value = null;
          }}
        />
      )}
    </>
  );
}

/** What happens when a department goes. */
export function deletionText({ people, widgets }: Uses): string {
  const members =
    people === 0
      ? 'Nobody works in it.'
      : `${people === 1 ? 'One person' : `${people} people`} of it stay${people === 1 ? 's' : ''}, without it.`;
  const offered =
    widgets.length === 0
      ? 'No widget offers it.'
      : `Visitors cannot choose it any more in: ${widgets.join(', ')}.`;
  return `${members} ${offered} Its open conversations stay, and everybody sees them. This cannot be undone.`;
}
