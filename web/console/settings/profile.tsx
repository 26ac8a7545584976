/** One's own profile: name, picture, password. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import { Problem } from '../../client/http.ts';
import { Form, PASSWORD_MIN, Password } from '../auth/form.tsx';
import { inWords } from '../auth/words.ts';
import type { Shell } from '../shell.ts';
import type { Agent } from './agent.ts';
import { AvatarPanel } from './avatar.tsx';
import { Editing } from './editing.ts';
import { TextField } from './fields.tsx';
import { Finding, useFinder } from './finding.tsx';
import { Loaded, PageHead, Panel, SaveBar } from './parts.tsx';
import { roleName } from './people.tsx';
import type { PageProps } from './settings.tsx';

interface Own {
  name: string;
  display_name: string;
  title: string;
}

const ME = '/v1/agents/me';

export function Profile({ shell }: PageProps): JSX.Element {
  const { session } = shell;
  const me = session.me.value;
  const finder = useFinder();
  const avatar = useSignal<string | undefined>(undefined);
  const editing = useMemo(() => {
    const take = ({ body, etag }: { body: Agent; etag: string | null }) => {
      const { name, display_name = '', title = '' } = body;
      avatar.value = body.avatar;
      return { body: { name, display_name, title }, etag };
    };
    return new Editing<Own>({
      load: async () => take(await session.ask<Agent>('GET', ME)),
      save: async (_whole, changed, etag) => {
        const saved = take(
          await session.ask<Agent>('PATCH', ME, {
            body: changed,
            ...(etag === null ? {} : { ifMatch: etag }),
          }),
        );
        const known = session.me.peek();
        if (known !== null) {
          const { name, display_name } = saved.body;
          session.changed({ principal: { ...known.principal, name }, display_name });
        }
        return saved;
      },
      check: ({ name }): Record<string, string> =>
        name.trim() === '' ? { name: 'You need a name.' } : {},
    });
  }, []);
  useEffect(() => void editing.load(), []);
  const own = editing.draft.value;
  return (
    <>
      <PageHead
        title="Your profile"
        text={
          me &&
          `${me.email ?? 'No mail address'} · ${roleName(me.principal.role)} of ${me.tenant.name}`
        }
      />
      <Loaded
        state={editing.state.value}
        refusal={editing.refusal.value}
        trouble={editing.trouble.value}
        onRetry={() => void editing.load()}
      >
        {own !== null && (
          <>
            <Finding finder={finder}>
              <Panel title="Name">
                <TextField
                  label="Name"
                  value={own.name}
                  wrong={editing.errors.value.name}
                  onValue={(value) => editing.set('name', value)}
                />
                <TextField
                  label="Name for visitors"
                  hint="What visitors see instead, such as your first name. Empty for your name."
                  value={own.display_name}
                  wrong={editing.errors.value.display_name}
                  onValue={(value) => editing.set('display_name', value)}
                />
                <TextField
                  label="Title for visitors"
                  hint="What visitors read beside your name, such as “Plant doctor”."
                  value={own.title}
                  wrong={editing.errors.value.title}
                  onValue={(value) => editing.set('title', value)}
                />
              </Panel>
              <AvatarPanel
                shell={shell}
                path={`${ME}/avatar`}
                name={own.name}
                src={avatar.value}
                onChanged={() =>
                  void editing.load().then(() => session.changed({ avatar: avatar.peek() ?? '' }))
                }
              />
              {me?.via === 'cookie' && <PasswordPanel shell={shell} />}
              <Panel title="Notifications" text="Sounds, desktop notices and quiet hours.">
                <p>
                  <a href="/console/settings/preferences">Preferences</a>
                </p>
              </Panel>
            </Finding>
            <SaveBar
              editing={editing}
              shell={shell}
              names={{
                name: 'Name',
                display_name: 'Name for visitors',
                title: 'Title for visitors',
              }}
            />
          </>
        )}
      </Loaded>
    </>
  );
}

function PasswordPanel({ shell }: { shell: Shell }): JSX.Element {
  const current = useSignal('');
  const fresh = useSignal('');
  const submit = async () => {
    try {
      const body = { current: current.value, new: fresh.value };
      await shell.session.ask('PUT', '/v1/auth/password', { body });
      current.value = '';
      fresh.value = '';
      shell.toasts.say('Your password is changed. Your other browsers are signed out.');
      return null;
    } catch (error) {
      const wrong = error instanceof Problem && error.code === 'bad_credentials';
      return wrong ? 'The current password is not right.' : inWords(error);
    }
  };
  return (
    <Panel title="Password" text="Changing it signs you out in every other browser.">
      <Form
        action="Change password"
        ready={current.value !== '' && [...fresh.value].length >= PASSWORD_MIN}
        onSubmit={submit}
      >
        <Password label="Current password" value={current} fresh={false} />
        <Password label="New password" value={fresh} fresh />
      </Form>
    </Panel>
  );
}
