/** On which sites a widget stands, how it gets there, and how a site vouches for its visitors. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import { Confirm, Dialog } from '../../ui/dialog.tsx';
import { Glyph } from '../../ui/icons.tsx';
import { inWords } from '../auth/words.ts';
import type { Shell } from '../shell.ts';
import type { PartProps } from './designer.tsx';
import { TextField } from './fields.tsx';
import { checkOrigin, ORIGINS_MAX } from './origins.ts';
import { Copy, Panel } from './parts.tsx';
import type { Settings } from './widget.ts';

interface Code {
  html: string;
  origin: string;
  csp: Record<string, string>;
}

interface EmbedProps extends PartProps {
  shell: Shell;
  id: string;
  saved: Settings | null;
}

export function Embed({ settings, errors, set, shell, id, saved }: EmbedProps): JSX.Element {
  return (
    <>
      <Sites
        origins={settings.allowed_origins}
        wrong={errors.allowed_origins}
        onOrigins={(origins) => set('allowed_origins', origins)}
      />
      <CodePanel shell={shell} id={id} ready={(saved?.allowed_origins.length ?? 0) > 0} />
      <IdentityPanel shell={shell} id={id} />
    </>
  );
}

interface SitesProps {
  origins: readonly string[];
  wrong: string | undefined;
  onOrigins(origins: string[]): void;
}

function Sites({ origins, wrong, onOrigins }: SitesProps): JSX.Element {
  const typed = useSignal('');
  const trouble = useSignal<string | null>(null);
  const add = () => {
    const checked = checkOrigin(typed.value);
    if ('trouble' in checked) {
      trouble.value = checked.trouble;
    } else if (origins.includes(checked.origin)) {
      trouble.value = `${checked.origin} is there already.`;
    } else if (origins.length >= ORIGINS_MAX) {
      trouble.value = `At most ${ORIGINS_MAX} sites.`;
    } else {
      onOrigins([...origins, checked.origin]);
      typed.value = '';
      trouble.value = null;
    }
  };
  return (
    <Panel title="Sites" text="Only these may show the widget. Everywhere else it stays away.">
      {origins.length === 0 ? (
        <p class="notice">On no site yet. Add the first one here, then save.</p>
      ) : (
        <ul class="chips" aria-label="Sites">
          {origins.map((origin) => (
            <li key={origin} class="chip" dir="ltr">
              {origin}
              <button
                type="button"
                class="plain"
                aria-label={`Remove ${origin}`}
                onClick={() => onOrigins(origins.filter((other) => other !== origin))}
              >
                <Glyph name="close" />
              </button>
            </li>
          ))}
        </ul>
      )}
      <form
        class="with-action"
        onSubmit={(event) => {
          event.preventDefault();
          add();
        }}
      >
        <TextField
          label="Add a site"
          hint="Such as https://www.example.com, *.example.com, or localhost:* to try it on this machine."
          ltr
          inputMode="url"
          value={typed.value}
          wrong={trouble.value ?? wrong}
          onValue={(value) => {
            typed.value = value;
            trouble.value = null;
          }}
        />
        <button type="submit" class="quiet" disabled={typed.value.trim() === ''}>
          Add
        </button>
      </form>
    </Panel>
  );
}

function CodePanel(props: { shell: Shell; id: string; ready: boolean }): JSX.Element {
  const { shell, id, ready } = props;
  const code = useSignal<Code | null>(null);
  const trouble = useSignal<string | null>(null);
  useEffect(() => {
    shell.session.ask<Code>('GET', `/v1/widgets/${encodeURIComponent(id)}/embed`).then(
      ({ body }) => {
        code.value = body;
      },
      (error) => {
        trouble.value = inWords(error);
      },
    );
  }, []);
  return (
    <Panel
      title="Put it on the page"
      text="Paste this line before the end of the page’s body, on every page that should have the chat."
    >
      {!ready && (
        <p class="notice">It shows itself only on the sites above, once they are saved.</p>
      )}
      {trouble.value !== null && (
        <p class="wrong" role="alert">
          {trouble.value}
        </p>
      )}
      {code.value !== null && (
        <>
          <Copy label="HTML" text={code.value.html} block />
          <details class="more">
            <summary>The site has a content security policy</summary>
            <p class="soft small">
              Then it must allow these. Nothing else is needed: no inline script, no inline style.
            </p>
            <Copy
              label="Policy lines"
              block
              text={Object.entries(code.value.csp)
                .map(([name, sources]) => `${name} ${sources};`)
                .join('\n')}
            />
          </details>
        </>
      )}
    </Panel>
  );
}

interface IdentityKey {
  kid: string;
  secret: string;
}

/** With this a site's server says who a visitor is, so that nobody can pretend. */
function IdentityPanel({ shell, id }: { shell: Shell; id: string }): JSX.Element {
  const key = useSignal<IdentityKey | null>(null);
  const asking = useSignal<'rotate' | 'revoke' | null>(null);
  // By the time of the answer the question is closed.
  const how = asking.value;
  const make = async (revoke: boolean) => {
    try {
      const path = `/v1/widgets/${encodeURIComponent(id)}/identity-key${revoke ? '?revoke=1' : ''}`;
      key.value = (await shell.session.ask<IdentityKey>('POST', path, { body: {} })).body;
    } catch (error) {
      shell.toasts.say(inWords(error), { bad: true });
    }
  };
  return (
    <Panel
      title="Known visitors"
      text="If people sign in on your site, your server can tell the widget who they are: with a token (JWT, HS256) signed by a key that only your server has."
    >
      <div class="buttons start">
        <button
          type="button"
          class="quiet"
          onClick={() => {
            asking.value = 'rotate';
          }}
        >
          <Glyph name="key" />
          New identity key…
        </button>
        <button
          type="button"
          class="ghost"
          onClick={() => {
            asking.value = 'revoke';
          }}
        >
          It leaked: replace it at once…
        </button>
      </div>
      {how !== null && (
        <Confirm
          title="Make a new identity key?"
          text={
            how === 'rotate'
              ? 'The one before, if there is one, stays good for 24 hours, so that your server can change over.'
              : 'The one before ends now: tokens signed with it are refused until your server has the new one.'
          }
          action={how === 'rotate' ? 'Make it' : 'Replace it now'}
          danger={how === 'revoke'}
          onConfirm={() => void make(how === 'revoke')}
          onClose={() => {
            asking.value = null;
          }}
        />
      )}
      {key.value !== null && (
        <Dialog
          title="The identity key"
          onClose={() => {
            key.value = null;
          }}
        >
          <p class="soft">
            The secret is shown this once. It belongs on your server, never into a page.
          </p>
          <Copy label="Key id (kid)" text={key.value.kid} />
          <Copy label="Secret" text={key.value.secret} />
          <Copy
            label="On the page"
            block
            text={"switchboard('identify', '…the token that your server signed…');"}
          />
          <div class="buttons">
            <button
              type="button"
              class="primary"
              onClick={() => {
                key.value = null;
              }}
            >
              I have it
            </button>
          </div>
        </Dialog>
      )}
    </Panel>
  );
}
