/** Everybody who works here: who may what, who may come in, and who is new. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { Confirm, Dialog } from '../../ui/dialog.tsx';
import { Glyph } from '../../ui/icons.tsx';
import { Menu, type MenuItem } from '../../ui/menu.tsx';
import { Avatar } from '../../ui/parts.tsx';
import { emailTrouble, isEmail } from '../address.ts';
import { inWords } from '../auth/words.ts';
import { type Role, rank, type Session } from '../session.ts';
import type { Shell } from '../shell.ts';
import { type Agent, ROLES } from './agent.ts';
import { everyPage } from './collection.ts';
import { Select, TextField } from './fields.tsx';
import { AddButton, FormDialog, ThingList, useCollection } from './lists.tsx';
import { Copy, PageHead, when } from './parts.tsx';
import { PersonPage } from './person.tsx';
import type { PageProps } from './settings.tsx';

const PEOPLE = '/console/settings/people';

export function People({ shell, id }: PageProps): JSX.Element {
  return id === null ? <PeopleList shell={shell} /> : <PersonPage shell={shell} id={id} />;
}

/** A link that somebody must be given by hand. */
export interface Invitation {
  name: string;
  link: string;
  expires_at?: string;
  kind?: 'invite' | 'reset';
}

export async function invite(session: Session, agent: { id: string; name: string }) {
  const { body } = await session.ask<Omit<Invitation, 'name'>>(
    'POST',
    `/v1/agents/${agent.id}/invitation`,
    { body: {} },
  );
  return { ...body, name: agent.name };
}

function PeopleList({ shell }: { shell: Shell }): JSX.Element {
  const { session } = shell;
  const people = useCollection<Agent>(
    () => everyPage<Agent>(session, '/v1/agents'),
    ({ name, display_name, email, role, skills, departments }) =>
      [name, display_name, email, role, ...skills, ...departments].join(' '),
  );
  const adding = useSignal(false);
  const invitation = useSignal<Invitation | null>(null);
  const disabling = useSignal<Agent | null>(null);

  const change = async (agent: Agent, changed: Partial<Agent>, said: string) => {
    const refused = await people.change(agent.id, changed, async () => {
      const { etag } = await session.ask<Agent>('GET', `/v1/agents/${agent.id}`);
      const asking = { body: changed, ...(etag === null ? {} : { ifMatch: etag }) };
      return (await session.ask<Agent>('PATCH', `/v1/agents/${agent.id}`, asking)).body;
    });
    if (refused === null) shell.toasts.say(said);
    else shell.toasts.say(`${agent.name}: ${refused}`, { bad: true });
  };
  const send = async (agent: Agent) => {
    try {
      invitation.value = await invite(session, agent);
      if (agent.account === 'none') people.put({ ...agent, account: 'invited' });
    } catch (error) {
      shell.toasts.say(inWords(error), { bad: true });
    }
  };
  const me = session.me.value?.principal;
  const actions = (agent: Agent): MenuItem[][] => {
    const items: MenuItem[] = [
      { text: 'Edit', icon: 'edit', onSelect: () => shell.router.go(`${PEOPLE}/${agent.id}`) },
    ];
    if (!mayTouch(session, agent)) return [items];
    items.push({
      text: agent.account === 'active' ? 'Link for a new password' : 'Invitation link',
      icon: 'mail',
      onSelect: () => void send(agent),
    });
    if (agent.id === me?.id) return [items];
    const door: MenuItem = agent.disabled
      ? {
          text: 'Let in again',
          icon: 'reopen',
          onSelect: () => void change(agent, { disabled: false }, `${agent.name} may come in.`),
        }
      : {
          text: 'Disable…',
          icon: 'lock',
          danger: true,
          onSelect: () => {
            disabling.value = agent;
          },
        };
    return [items, [door]];
  };

  return (
    <>
      <PageHead title="People" text="Who answers, who leads, and who may change things.">
        <AddButton text="Add a person" adding={adding} />
      </PageHead>
      <ThingList
        things={people}
        label="People"
        icon="users"
        off={(agent) => agent.disabled}
        row={(agent) => (
          <>
            <Avatar name={agent.name} src={agent.avatar} />
            <div class="thing-main">
              <a class="thing-name" href={`${PEOPLE}/${agent.id}`} dir="auto">
                {agent.name}
              </a>
              <span class="soft small" dir="auto">
                {agent.email ?? 'no mail address'}
              </span>
            </div>
            <div class="thing-more">
              <AccountBadge agent={agent} />
              <span class="badge">{roleName(agent.role)}</span>
            </div>
            <Menu label={`Actions for ${agent.name}`} align="end" groups={actions(agent)}>
              <Glyph name="more" />
            </Menu>
          </>
        )}
      />
      {adding.value && (
        <AddDialog
          session={session}
          onAdded={(agent, link) => {
            people.put(agent);
            adding.value = false;
            invitation.value = link;
          }}
          onClose={() => {
            adding.value = false;
          }}
        />
      )}
      {invitation.value !== null && (
        <InvitationDialog
          invitation={invitation.value}
          onClose={() => {
            invitation.value = null;
          }}
        />
      )}
      {disabling.value !== null && (
        <DisableDialog
          agent={disabling.value}
          onConfirm={(agent) =>
            void change(agent, { disabled: true }, `${agent.name} may not come in any more.`)
          }
          onClose={() => {
            disabling.value = null;
          }}
        />
      )}
    </>
  );
}

/** Nobody below an owner touches an owner. */
export function mayTouch(session: Session, agent: Agent): boolean {
  return session.may('admin') && (agent.role !== 'owner' || session.may('owner'));
}

/** The roles that a person may give: none above their own. */
export function rolesToGive(session: Session): (readonly [Role, string])[] {
  const own = rank(session.me.peek()?.principal.role);
  return ROLES.filter(([role]) => rank(role) <= own).map(
    ([role, name, what]) => [role, `${name}: ${what}`] as const,
  );
}

export function roleName(role: Role): string {
  return ROLES.find(([known]) => known === role)?.[1] ?? role;
}

export function AccountBadge({ agent }: { agent: Agent }): JSX.Element | null {
  if (agent.disabled) return <span class="badge bad">Disabled</span>;
  if (agent.account === 'invited') return <span class="badge warn">Invited</span>;
  if (agent.account === 'none') return <span class="badge">No account</span>;
  return null;
}

export function DisableDialog(props: {
  agent: Agent;
  onConfirm(agent: Agent): void;
  onClose(): void;
}): JSX.Element {
  const { agent, onConfirm, onClose } = props;
  const has = agent.active === 1 ? 'one conversation' : `${agent.active} conversations`;
  const open = agent.active > 0 ? ` ${has} of theirs stay open; assign them to somebody.` : '';
  return (
    <Confirm
      title={`Disable ${agent.name}?`}
      text={`They are signed out everywhere within seconds and cannot come in any more. What they wrote stays.${open} You can let them in again at any time.`}
      action="Disable"
      danger
      onConfirm={() => onConfirm(agent)}
      onClose={onClose}
    />
  );
}

export function InvitationDialog(props: { invitation: Invitation; onClose(): void }): JSX.Element {
  const { name, link, expires_at, kind } = props.invitation;
  const what = kind === 'reset' ? 'a link for a new password' : 'an invitation';
  return (
    <Dialog title={`Give ${name} this link`} onClose={props.onClose}>
      <p class="soft">
        It is {what}. Send it to nobody else: whoever opens it first becomes {name}. It works once
        {expires_at ? `, until ${when(expires_at)}.` : '.'}
      </p>
      <Copy label="Link" text={link} />
      <div class="buttons">
        <button type="button" class="primary" onClick={props.onClose}>
          Done
        </button>
      </div>
    </Dialog>
  );
}

interface AddProps {
  session: Session;
  onAdded(agent: Agent, invitation: Invitation): void;
  onClose(): void;
}

function AddDialog({ session, onAdded, onClose }: AddProps): JSX.Element {
  const name = useSignal('');
  const email = useSignal('');
  const role = useSignal<Role>('agent');
  // What is repeated as it was makes no second person; what was corrected is another request.
  const key = useMemo(() => crypto.randomUUID(), [name.value, email.value, role.value]);
  const add = async () => {
    const body = { name: name.value.trim(), email: email.value.trim(), role: role.value };
    const { body: agent } = await session.ask<Agent>('POST', '/v1/agents', { body, key });
    onAdded({ ...agent, account: 'invited' }, await invite(session, agent));
  };
  return (
    <FormDialog
      title="Add a person"
      action="Add and make a link"
      ready={name.value.trim() !== '' && isEmail(email.value)}
      onSubmit={add}
      onClose={onClose}
    >
      <TextField
        label="Name"
        value={name.value}
        required
        focus
        onValue={(value) => {
          name.value = value;
        }}
      />
      <TextField
        label="Email"
        hint="They sign in with it."
        ltr
        inputMode="email"
        required
        late={emailTrouble(email.value)}
        value={email.value}
        onValue={(value) => {
          email.value = value;
        }}
      />
      <Select
        label="Role"
        value={role.value}
        choices={rolesToGive(session)}
        onValue={(value) => {
          role.value = value;
        }}
      />
    </FormDialog>
  );
}
