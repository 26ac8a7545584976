/** API keys: for programs, each with no more than it needs. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import { Confirm, Dialog } from '../../ui/dialog.tsx';
import { Glyph } from '../../ui/icons.tsx';
import { inWords } from '../auth/words.ts';
import type { Session } from '../session.ts';
import { Collection, everyPage } from './collection.ts';
import { Checks, Select, TextField } from './fields.tsx';
import { Copy, Loaded, Nothing, PageHead, Search, when } from './parts.tsx';
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
  ['agents:read', 'Read people and departments'],
  ['agents:write', 'Change people and departments'],
  ['settings:read', 'Read settings'],
  ['settings:write', 'Change settings'],
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
  const keys = useMemo(
    () =>
      new Collection<Key>(
        () => everyPage<Key>(session, '/v1/keys'),
        ({ name, scopes }) => [name, ...scopes].join(' '),
      ),
    [],
  );
  const adding = useSignal(false);
  const created = useSignal<Created | null>(null);
  const revoking = useSignal<Key | null>(null);
  useEffect(() => void keys.load(), []);
  const revoke = async (key: Key) => {
    const refused = await keys.remove(key.id, () => session.ask('DELETE', `/v1/keys/${key.id}`));
    if (refused === null) shell.toasts.say(`${key.name} opens nothing any more.`);
    else shell.toasts.say(`${key.name}: ${refused}`, { bad: true });
  };
  const add = (
    <button
      type="button"
      class="primary"
      onClick={() => {
        adding.value = true;
      }}
    >
      <Glyph name="plus" />
      Create a key
    </button>
  );
  return (
    <>
      <PageHead
        title="API keys"
        text="For programs that work with conversations, people or settings. What they do stands under the key’s name."
      >
        {keys.items.value.length > 0 && add}
      </PageHead>
      <Loaded
        state={keys.state.value}
        refusal={keys.refusal.value}
        trouble={keys.trouble.value}
        onRetry={() => void keys.load()}
      >
        <Search collection={keys} label="Search keys" />
        {keys.items.value.length === 0 ? (
          <Nothing icon="key" title="No keys yet">
            <p>A key lets a program in without a person’s password.</p>
            {add}
          </Nothing>
        ) : (
          <ul class="things" aria-label="API keys">
            {keys.found.value.map((key) => (
              <li key={key.id} class="thing">
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
              </li>
            ))}
          </ul>
        )}
      </Loaded>
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
      {revoking.value !== null && (
        <Confirm
          title={`Revoke ${revoking.value.name}?`}
          text="Whatever uses it is refused at once, and what it has open is closed within seconds. This cannot be undone."
          action="Revoke"
          danger
          onConfirm={() => {
            if (revoking.value !== null) void revoke(revoking.value);
          }}
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
  const trouble = useSignal<string | null>(null);
  const ready = name.value.trim() !== '' && scopes.value.length > 0;
  const create = async () => {
    if (!ready) return;
    try {
      const ends = life.value === '' ? null : Date.now() + Number(life.value) * DAY_MS;
      const body = {
        name: name.value.trim(),
        scopes: scopes.value,
        ...(ends === null ? {} : { expires_at: new Date(ends).toISOString() }),
      };
      onCreated((await session.ask<Created>('POST', '/v1/keys', { body })).body);
    } catch (error) {
      trouble.value = inWords(error);
    }
  };
  return (
    <Dialog title="Create a key" onClose={onClose}>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void create();
        }}
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
        <p role="alert" class="wrong">
          {trouble.value}
        </p>
        <div class="buttons">
          <button type="button" class="quiet" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={!ready}>
            Create
          </button>
        </div>
      </form>
    </Dialog>
  );
}
