/** Who changed what in the settings, newest first. */

import type { JSX } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import { browserClock } from '../../client/browser.ts';
import { Glyph, type GlyphName } from '../../ui/icons.tsx';
import { type AuditEntry, type AuditKind, AuditLog, deedOf, fieldName } from './audit.ts';
import { shortly } from './changes.ts';
import { Loaded, Nothing, PageHead, when } from './parts.tsx';
import type { PageProps } from './settings.tsx';

const ICONS: Record<AuditKind, GlyphName> = {
  person: 'user',
  key: 'key',
  department: 'building',
  widget: 'message',
  tenant: 'globe',
};

export function Audit({ shell }: PageProps): JSX.Element {
  const log = useMemo(() => new AuditLog(shell.session, browserClock), []);
  useEffect(() => {
    void log.load();
    return () => log.close();
  }, []);
  return (
    <>
      <PageHead
        title="Audit log"
        text="Who changed people, API keys, departments, widgets or the tenant’s name, and when. The newest 10,000 changes are kept; secrets never are."
      />
      <Loaded
        state={log.state.value}
        refusal={log.refusal.value}
        trouble={log.trouble.value}
        onRetry={() => void log.load()}
      >
        <LookFor log={log} />
        <Entries log={log} />
      </Loaded>
    </>
  );
}

function LookFor({ log }: { log: AuditLog }): JSX.Element {
  const n = log.items.value.length;
  return (
    <div class="search">
      <Glyph name="search" />
      <input
        class="input"
        type="search"
        aria-label="Search the audit log"
        placeholder="A name, a field, a value…"
        value={log.text.value}
        onInput={(event) => log.look(event.currentTarget.value)}
      />
      <span class="soft small" role="status">
        {log.asking.value
          ? 'Looking…'
          : log.text.value !== '' && `${n}${log.more.value ? ' or more' : ''} found`}
      </span>
    </div>
  );
}

function Entries({ log }: { log: AuditLog }): JSX.Element {
  const entries = log.items.value;
  return (
    <>
      {entries.length > 0 && (
        <ol class="things" aria-label="Changes">
          {entries.map((entry) => (
            <li key={entry.number} class="thing">
              <One entry={entry} />
            </li>
          ))}
        </ol>
      )}
      {entries.length === 0 && !log.asking.value && (
        <Nothing icon="search" title={log.text.value === '' ? 'No changes yet' : 'None found'}>
          {noneOf(log)}
        </Nothing>
      )}
      {log.more.value && (
        <div class="buttons">
          <button
            type="button"
            class="quiet"
            disabled={log.asking.value}
            onClick={() => void log.older()}
          >
            Older changes
          </button>
        </div>
      )}
      {entries.length > 0 && (
        <p role="alert" class="wrong">
          {log.trouble.value}
        </p>
      )}
    </>
  );
}

function noneOf({ text, more }: AuditLog): string {
  if (text.value === '') return 'What somebody changes from now on is listed here.';
  return `Nothing like it among the ${more.value ? 'newer' : 'kept'} changes.`;
}

function One({ entry }: { entry: AuditEntry }): JSX.Element {
  const { by, subject, changes, left_out: leftOut } = entry;
  return (
    <>
      <span class="thing-icon">
        <Glyph name={ICONS[subject.kind]} />
      </span>
      <div class="thing-main">
        <p class="deed" dir="auto">
          <bdi>{by.name}</bdi>
          {`${by.kind === 'key' ? ' (API key)' : ''} ${deedOf(entry)} `}
          <bdi>
            <strong>{subject.name}</strong>
          </bdi>
        </p>
        <time class="soft small" dateTime={entry.at}>
          {when(entry.at)}
        </time>
        {changes.length > 0 && (
          <details>
            <summary>{changes.map(({ field }) => fieldName(field)).join(', ')}</summary>
            <dl class="differences">
              {changes.map(({ field, before, after }) => (
                <div key={field}>
                  <dt>{fieldName(field)}</dt>
                  <dd>
                    {before !== null && <del dir="auto">{shortly(before)}</del>}
                    {before !== null && after !== null && <span class="sr"> becomes </span>}
                    {after !== null && <ins dir="auto">{shortly(after)}</ins>}
                  </dd>
                </div>
              ))}
            </dl>
            {leftOut > 0 && <p class="soft small">{`And ${leftOut} more.`}</p>}
          </details>
        )}
      </div>
    </>
  );
}
