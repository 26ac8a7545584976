/** Tenants: customers kept apart on this server. For owners of the first one alone. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { Dialog } from '../../ui/dialog.tsx';
import { Glyph } from '../../ui/icons.tsx';
import { Refusal } from '../api.ts';
import { inWords } from '../auth/words.ts';
import type { Session } from '../session.ts';
import { everyPage } from './collection.ts';
import { AddButton, FormDialog, ThingList, useCollection, useNamed } from './lists.tsx';
import { Copy, PageHead, when } from './parts.tsx';
import type { PageProps } from './settings.tsx';

/** The tenant that everything begins with: its owner came in at the first start. */
const FIRST = 'default';

interface Tenant {
  id: string;
  name: string;
}

interface Created extends Tenant {
  setup: { link: string; expires_at?: string };
}

export function Tenants({ shell }: PageProps): JSX.Element {
  const { session } = shell;
  const tenants = useCollection<Tenant>(
    () => everyPage<Tenant>(session, '/v1/tenants'),
    ({ id, name }) => `${id} ${name}`,
  );
  const adding = useSignal(false);
  const created = useSignal<Created | null>(null);
  /** For an owner whose first link was lost. */
  const link = async (tenant: Tenant) => {
    try {
      const { body } = await session.ask<Created['setup']>(
        'POST',
        `/v1/tenants/${tenant.id}/setup`,
      );
      created.value = { ...tenant, setup: body };
    } catch (error) {
      const owned = error instanceof Refusal && error.status === 409;
      const said = owned ? `${tenant.name} has an owner already.` : inWords(error);
      shell.toasts.say(said, { bad: true });
    }
  };
  return (
    <>
      <PageHead
        title="Tenants"
        text="Each has people, widgets and conversations of its own, and sees nothing of the others."
      >
        <AddButton text="Add a tenant" adding={adding} />
      </PageHead>
      <ThingList
        things={tenants}
        label="Tenants"
        icon="globe"
        row={({ id, name }) => (
          <>
            <span class="thing-icon">
              <Glyph name="globe" />
            </span>
            <div class="thing-main">
              <strong class="thing-name" dir="auto">
                {name}
              </strong>
            </div>
            <code class="thing-more">{id}</code>
            {id !== FIRST && (
              <button
                type="button"
                class="ghost"
                aria-label={`New set-up link for ${name}`}
                onClick={() => void link({ id, name })}
              >
                New link
              </button>
            )}
          </>
        )}
      />
      {adding.value && (
        <AddDialog
          session={session}
          onAdded={(tenant) => {
            tenants.put({ id: tenant.id, name: tenant.name });
            adding.value = false;
            created.value = tenant;
          }}
          onClose={() => {
            adding.value = false;
          }}
        />
      )}
      {created.value !== null && (
        <Dialog
          title={`Give ${created.value.name} this link`}
          onClose={() => {
            created.value = null;
          }}
        >
          <p class="soft">
            Whoever opens it first becomes the owner. It works once
            {created.value.setup.expires_at
              ? `, until ${when(created.value.setup.expires_at)}. `
              : '. '}
            At sign-in they write the tenant’s short name: <code>{created.value.id}</code>.
          </p>
          <Copy label="Set-up link" text={created.value.setup.link} />
          <div class="buttons">
            <button
              type="button"
              class="primary"
              onClick={() => {
                created.value = null;
              }}
            >
              Done
            </button>
          </div>
        </Dialog>
      )}
    </>
  );
}

interface AddProps {
  session: Session;
  onAdded(tenant: Created): void;
  onClose(): void;
}

function AddDialog({ session, onAdded, onClose }: AddProps): JSX.Element {
  const named = useNamed();
  const add = async () => {
    const body = { id: named.id, name: named.name };
    onAdded((await session.ask<Created>('POST', '/v1/tenants', { body })).body);
  };
  return (
    <FormDialog
      title="Add a tenant"
      action="Add"
      ready={named.ready}
      onSubmit={add}
      onClose={onClose}
    >
      {named.nameField()}
      {named.idField('It stands in the names of its widgets, and never changes.')}
    </FormDialog>
  );
}
