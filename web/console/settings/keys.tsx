/** API keys: for programs, each with no more than it needs. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { Confirm, Dialog } from '../../ui/dialog.tsx';
import { Glyph } from '../../ui/icons.tsx';
import type { Session } from '../session.ts';
import { everyPage } from './collection.ts';
import { Checks, Select, TextField } from './fields.tsx';
import { AddButton, FormDialog, ThingList, useCollection } from './lists.tsx';
import { Copy, PageHead, when } from './parts.tsx';
import type { PageProps } from './settings.tsx';

interface Key {
  id: string;
  name: string;
  scopes: string[];
  created_at?: string;
  expires_at?: string | null;
  last_used_at?: string | null;
}

interface Created extends Key {
  secret: string;
}

const SCOPES: readonly (readonly [string, string])[] = [
  ['conversations:read', 'Read conversations'],
  ['conversations:write', 'Write and change conversations'],
  ['agents:read', 'Read people'],
  ['agents:write', 'Change people'],
  ['settings:read', 'Read widgets and departments'],
  ['settings:write', 'Change widgets and departments'],
];

const DAY_MS = 86_400_000;
const LIVES: readonly (readonly [string, string])[] = [
  ['30', '30 days'],
  ['90', '90 days'],
  ['365', 'A year'],
  ['', 'Until it is revoked'],
];

export function Keys({ shell }: PageProps): JSX.Element {
  const { session } = shell;
  const keys = useCollection<Key>(
    () => everyPage<Key>(session, '/v1/keys'),
    ({ name, scopes }) => [name, ...scopes].join(' '),
  );
  const adding = useSignal(false);
  const created = useSignal<Created | null>(null);
  const revoking = useSignal<Key | null>(null);
  const revoke = async (key: Key) => {
    const refused = await keys.remove(key.id, () => session.ask('DELETE', `/v1/keys/${key.id}`));
    if (refused === null) shell.toasts.say(`${key.name} opens nothing any more.`);
    else shell.toasts.say(`${key.name}: ${refused}`, { bad: true });
  };
  // What is asked about: by the time of the answer the question is closed.
  const doomed = revoking.value;
  const add = <AddButton text="Create a key" adding={adding} />;
  return (
    <>
      <PageHead
        title="API keys"
        text="For programs that work with conversations, people or settings. What they do stands under the key’s name."
      >
        {keys.items.value.length > 0 && add}
      </PageHead>
      <ThingList
        things={keys}
        label="API keys"
        icon="key"
        empty={{
          title: 'No keys yet',
          text: (
            <>
              <p>A key lets a program in without a person’s password.</p>
              {add}
            </>
          ),
        }}
        row={(key) => (
          <>
            <span class="thing-icon">
              <Glyph name="key" />
            </span>
            <div class="thing-main">
              <strong class="thing-name" dir="auto">
                {key.name}
              </strong>
              <span class="soft small">
                {`Last used ${when(key.last_used_at)} · ${
                  key.expires_at == null ? 'no end' : `until ${when(key.expires_at)}`
                }`}
              </span>
              <span class="badges">
                {key.scopes.map((scope) => (
                  <span key={scope} class="badge">
                    {scope}
                  </span>
                ))}
              </span>
            </div>
            <button
              type="button"
              class="ghost"
              aria-label={`Revoke ${key.name}`}
              onClick={() => {
                revoking.value = key;
              }}
            >
              Revoke…
            </button>
          </>
        )}
      />
      {adding.value && (
        <CreateDialog
          session={session}
          onCreated={(key) => {
            const { secret: _once, ...kept } = key;
            keys.put(kept);
            adding.value = false;
            created.value = key;
          }}
          onClose={() => {
            adding.value = false;
          }}
        />
      )}
      {created.value !== null && (
        <Dialog
          title={`The secret of ${created.value.name}`}
          onClose={() => {
            created.value = null;
          }}
        >
          <p class="soft">
            It is shown this once. Put it where the program reads it, and nowhere else.
          </p>
          <Copy label="Secret" text={created.value.secret} />
          <div class="buttons">
            <button
              type="button"
              class="primary"
              onClick={() => {
                created.value = null;
              }}
            >
              I have it
            </button>
          </div>
        </Dialog>
      )}
      {doomed !== null && (
        <Confirm
          title={`Revoke ${doomed.name}?`}
          text="Whatever uses it is refused at once, and what it has open is closed within seconds. This cannot be undone."
          action="Revoke"
          danger
          onConfirm={() => void revoke(doomed)}
          onClose={() => {
            revoking.value = null;
          }}
        />
      )}
    </>
  );
}

interface CreateProps {
  session: Session;
  onCreated(key: Created): void;
  onClose(): void;
}

function CreateDialog({ session, onCreated, onClose }: CreateProps): JSX.Element {
  const name = useSignal('');
  const scopes = useSignal<string[]>([]);
  const life = useSignal('90');
  const create = async () => {
    const ends = life.value === '' ? null : Date.now() + Number(life.value) * DAY_MS;
    const body = {
      name: name.value.trim(),
      scopes: scopes.value,
      ...(ends === null ? {} : { expires_at: new Date(ends).toISOString() }),
    };
    onCreated((await session.ask<Created>('POST', '/v1/keys', { body })).body);
  };
  return (
    <FormDialog
      title="Create a key"
      action="Create"
      ready={name.value.trim() !== '' && scopes.value.length > 0}
      onSubmit={create}
      onClose={onClose}
    >
      <TextField
        label="Name"
        hint="Of the program, such as: order bot."
        value={name.value}
        focus
        onValue={(value) => {
          name.value = value;
        }}
      />
      <Checks
        legend="What it may do"
        choices={SCOPES}
        value={scopes.value}
        onValue={(value) => {
          scopes.value = value;
        }}
      />
      <Select
        label="How long"
        value={life.value}
        choices={LIVES}
        onValue={(value) => {
          life.value = value;
        }}
      />
    </FormDialog>
  );
}
