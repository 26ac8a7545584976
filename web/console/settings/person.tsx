/** One person: what they are called, what they may, what they take. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import { Glyph } from '../../ui/icons.tsx';
import { inWords } from '../auth/words.ts';
import type { Shell } from '../shell.ts';
import {
  type Agent,
  CAPACITY_MAX,
  CAPACITY_MIN,
  type Person,
  personOf,
  personTroubles,
  wordsIn,
} from './agent.ts';
import { AvatarPanel } from './avatar.tsx';
import { useDepartments } from './department.ts';
import { Editing } from './editing.ts';
import { Checks, NumberField, Select, TextField } from './fields.tsx';
import { Finding, useFinder } from './finding.tsx';
import { Loaded, PageHead, Panel, SaveBar, when } from './parts.tsx';
import {
  AccountBadge,
  DisableDialog,
  type Invitation,
  InvitationDialog,
  invite,
  mayTouch,
  rolesToGive,
} from './people.tsx';

const NAMES: Record<keyof Person, string> = {
  name: 'Name',
  display_name: 'Name for visitors',
  title: 'Title for visitors',
  email: 'Email',
  role: 'Role',
  capacity: 'Conversations at once',
  skills: 'Skills',
  departments: 'Departments',
};

export function PersonPage({ shell, id }: { shell: Shell; id: string }): JSX.Element {
  const { session } = shell;
  const finder = useFinder();
  const agent = useSignal<Agent | null>(null);
  const departments = useDepartments(session);
  const invitation = useSignal<Invitation | null>(null);
  const disabling = useSignal(false);
  const path = `/v1/agents/${encodeURIComponent(id)}`;
  const editing = useMemo(() => {
    const take = ({ body, etag }: { body: Agent; etag: string | null }) => {
      agent.value = body;
      return { body: personOf(body), etag };
    };
    return new Editing<Person>({
      load: async () => take(await session.ask<Agent>('GET', path)),
      save: async (_whole, changed, etag) =>
        take(await session.ask<Agent>('PATCH', path, { body: changed, ifMatch: etag ?? '*' })),
      check: personTroubles,
    });
  }, []);
  useEffect(() => void editing.load(), []);
  const person = editing.draft.value;
  const known = agent.value;
  const errors = editing.errors.value;
  const set =
    <Name extends keyof Person>(name: Name) =>
    (value: Person[Name]) =>
      editing.set(name, value);
  const setDisabled = async (disabled: boolean) => {
    try {
      await session.ask<Agent>('PATCH', path, {
        body: { disabled },
        ifMatch: editing.etag ?? '*',
      });
      shell.toasts.say(disabled ? 'They may not come in any more.' : 'They may come in.');
      await editing.load();
    } catch (error) {
      shell.toasts.say(inWords(error), { bad: true });
    }
  };
  const send = async () => {
    if (known === null) return;
    try {
      invitation.value = await invite(session, known);
    } catch (error) {
      shell.toasts.say(inWords(error), { bad: true });
    }
  };
  const touch = known !== null && mayTouch(session, known);
  const self = known?.id === session.me.value?.principal.id;
  return (
    <>
      <PageHead
        title={known?.name ?? 'Person'}
        back={{ href: '/console/settings/people', text: 'People' }}
        text={
          known && (
            <>
              <AccountBadge agent={known} /> {`Last here: ${when(known.last_seen_at)}`}
            </>
          )
        }
      >
        {touch && (
          <button type="button" class="quiet" onClick={() => void send()}>
            <Glyph name="mail" />
            {known.account === 'active' ? 'Link for a new password' : 'Invitation link'}
          </button>
        )}
        {touch && !self && (
          <button
            type="button"
            class="quiet"
            onClick={() => {
              if (known.disabled) void setDisabled(false);
              else disabling.value = true;
            }}
          >
            <Glyph name={known.disabled ? 'reopen' : 'lock'} />
            {known.disabled ? 'Let in again' : 'Disable…'}
          </button>
        )}
      </PageHead>
      <Loaded
        state={editing.state.value}
        refusal={editing.refusal.value}
        trouble={editing.trouble.value}
        onRetry={() => void editing.load()}
      >
        {person !== null && known !== null && (
          <Finding finder={finder}>
            <fieldset class="plain-set" disabled={!touch}>
              <legend class="sr">{known.name}</legend>
              {!touch && <p class="notice">Only an owner can change an owner.</p>}
              <Panel title="Who">
                <TextField
                  label="Name"
                  value={person.name}
                  wrong={errors.name}
                  onValue={set('name')}
                />
                <TextField
                  label="Name for visitors"
                  hint="What visitors see instead, such as a first name. Empty for the name."
                  value={person.display_name}
                  wrong={errors.display_name}
                  onValue={set('display_name')}
                />
                <TextField
                  label="Title for visitors"
                  hint="What visitors read beside the name, such as “Plant doctor”."
                  value={person.title}
                  wrong={errors.title}
                  onValue={set('title')}
                />
                <TextField
                  label="Email"
                  ltr
                  inputMode="email"
                  value={person.email}
                  wrong={errors.email}
                  onValue={set('email')}
                />
              </Panel>
              <AvatarPanel
                shell={shell}
                path={`${path}/avatar`}
                name={known.name}
                src={known.avatar}
                onChanged={() => void editing.load()}
              />
              <Panel title="Work">
                <Select
                  label="Role"
                  value={person.role}
                  disabled={self}
                  hint={self ? 'Nobody changes their own role.' : undefined}
                  choices={rolesToGive(session)}
                  wrong={errors.role}
                  onValue={set('role')}
                />
                <NumberField
                  label="Conversations at once"
                  hint={`${CAPACITY_MIN} to ${CAPACITY_MAX}. Nobody is given more; a colleague may still hand one over.`}
                  min={CAPACITY_MIN}
                  max={CAPACITY_MAX}
                  value={person.capacity}
                  wrong={errors.capacity}
                  onValue={(value) => editing.set('capacity', value ?? 0)}
                />
                <SkillsField value={person.skills} wrong={errors.skills} onValue={set('skills')} />
                {departments.value.length > 0 && (
                  <Checks
                    legend="Departments"
                    value={person.departments}
                    wrong={errors.departments}
                    choices={departments.value.map(({ id: one, name }) => [one, name] as const)}
                    onValue={set('departments')}
                  />
                )}
              </Panel>
              <SaveBar editing={editing} names={NAMES} shell={shell} />
            </fieldset>
          </Finding>
        )}
      </Loaded>
      {invitation.value !== null && (
        <InvitationDialog
          invitation={invitation.value}
          onClose={() => {
            invitation.value = null;
          }}
        />
      )}
      {disabling.value && known !== null && (
        <DisableDialog
          agent={known}
          onConfirm={() => void setDisabled(true)}
          onClose={() => {
            disabling.value = false;
          }}
        />
      )}
    </>
  );
}

interface SkillsProps {
  value: readonly string[];
  wrong: string | undefined;
  onValue(value: string[]): void;
}

/** Written as words between commas; what is written stays while it is being written. */
function SkillsField({ value, wrong, onValue }: SkillsProps): JSX.Element {
  const text = useSignal(value.join(', '));
  const shown = wordsIn(text.value).join() === value.join() ? text.value : value.join(', ');
  return (
    <TextField
      label="Skills"
      hint="With commas between, such as: Arabic, returns. Conversations can ask for them."
      value={shown}
      wrong={wrong}
      onValue={(written) => {
        text.value = written;
        onValue(wordsIn(written));
      }}
    />
  );
}
