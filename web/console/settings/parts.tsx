/** What every page of the settings is made of. */

import { type Signal, useSignal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { Dialog } from '../../ui/dialog.tsx';
import { Glyph, type GlyphName } from '../../ui/icons.tsx';
import { Patience } from '../../ui/lazy.tsx';
import type { Shell } from '../shell.ts';
import { pageName } from '../tab.ts';
import { details, shortly } from './changes.ts';
import type { Collection } from './collection.ts';
import type { Editing, Loading } from './editing.ts';
import { Inside, usePanel } from './findable.tsx';

interface HeadProps {
  title: string;
  text?: ComponentChildren;
  /** The page above, with a way back. */
  back?: { href: string; text: string };
  children?: ComponentChildren;
}

export function PageHead({ title, text, back, children }: HeadProps): JSX.Element {
  useEffect(() => {
    pageName.value = `${title} – Settings`;
    return () => {
      pageName.value = null;
    };
  }, [title]);
  return (
    <header class="page-head">
      {back && (
        <a class="back-link" href={back.href}>
          <Glyph name="back" />
          {back.text}
        </a>
      )}
      <div class="page-title">
        <h2 dir="auto">{title}</h2>
        <div class="buttons">{children}</div>
      </div>
      {text && <p class="soft">{text}</p>}
    </header>
  );
}

interface PanelProps {
  title: string;
  text?: ComponentChildren;
  children: ComponentChildren;
}

export function Panel({ title, text, children }: PanelProps): JSX.Element {
  const { id, words, shown } = usePanel(title, text);
  return (
    <section class="panel" aria-labelledby={id} hidden={!shown}>
      <div>
        <h3 id={id}>{title}</h3>
        {text && <p class="soft small">{text}</p>}
      </div>
      <Inside id={id} words={words}>
        {children}
      </Inside>
    </section>
  );
}

interface StateProps {
  state: Loading;
  refusal: string | null;
  trouble: string | null;
  onRetry(): void;
  children: ComponentChildren;
}

/** Loading, not allowed, not there, broken — or what it is about. */
export function Loaded({ state, refusal, trouble, onRetry, children }: StateProps): JSX.Element {
  if (state === 'loading') return <Patience rows={4} />;
  if (state === 'ready') return <>{children}</>;
  if (refusal === 'forbidden') {
    return (
      <Nothing icon="lock" title="This is not for your role">
        Ask an owner of this tenant if you need it.
      </Nothing>
    );
  }
  if (refusal === 'not_found') {
    return (
      <Nothing icon="search" title="It is not there any more">
        Somebody may have removed it.
      </Nothing>
    );
  }
  return (
    <div role="alert">
      <Nothing icon="alert" title="This could not be loaded">
        {trouble}
        <button type="button" class="quiet" onClick={onRetry}>
          Try again
        </button>
      </Nothing>
    </div>
  );
}

interface NothingProps {
  icon: GlyphName;
  title: string;
  children: ComponentChildren;
}

export function Nothing({ icon, title, children }: NothingProps): JSX.Element {
  return (
    <div class="none">
      <Glyph name={icon} />
      <h2>{title}</h2>
      <div class="soft">{children}</div>
    </div>
  );
}

interface SearchProps<Item extends { id: string }> {
  collection: Pick<Collection<Item>, 'items' | 'found' | 'search'>;
  label: string;
}

/** Looks through a list of the server. */
export function Search<Item extends { id: string }>({
  collection,
  label,
}: SearchProps<Item>): JSX.Element | null {
  return (
    <SearchField
      label={label}
      text={collection.search}
      found={collection.found.value.length}
      total={collection.items.value.length}
    />
  );
}

interface SearchFieldProps {
  label: string;
  text: Signal<string>;
  found: number;
  /** `null` where it is not known before something is looked for. */
  total: number | null;
}

/** A long list can be searched; a short one is seen at a glance. */
export function SearchField({ label, text, found, total }: SearchFieldProps): JSX.Element | null {
  if (total !== null && total < 5 && text.value === '') return null;
  return (
    <div class="search">
      <Glyph name="search" />
      <input
        class="input"
        type="search"
        aria-label={label}
        placeholder={label}
        value={text.value}
        onInput={(event) => {
          text.value = event.currentTarget.value;
        }}
      />
      <span class="soft small" role="status">
        {text.value !== '' && `${found} of ${total ?? found}`}
      </span>
    </div>
  );
}

interface SaveBarProps<Thing extends object> {
  editing: Editing<Thing>;
  /** What people call the fields. */
  names: Partial<Record<keyof Thing & string, string>>;
  shell: Shell;
  /** Called after a save. */
  onSaved?(): void;
}

/** What changed, and the two ways on: keep it, or go back. Leaving with changes asks first. */
export function SaveBar<Thing extends object>(props: SaveBarProps<Thing>): JSX.Element | null {
  const { editing, names, shell } = props;
  const dirty = editing.dirty.value;
  const leaving = useSignal<string | null>(null);
  useEffect(() => {
    if (!dirty) return undefined;
    // The bar comes while somebody writes, and must not come over what they write in.
    document.activeElement?.scrollIntoView({ block: 'nearest' });
    const stay = (event: BeforeUnloadEvent) => event.preventDefault();
    addEventListener('beforeunload', stay);
    shell.router.guard = (to) => {
      leaving.value = to;
      return false;
    };
    return () => {
      removeEventListener('beforeunload', stay);
      shell.router.guard = null;
    };
  }, [dirty]);
  const save = async () => {
    if (await editing.save()) {
      shell.toasts.say('Saved.');
      props.onSaved?.();
    }
  };
  const errors = Object.values(editing.errors.value);
  const trouble = editing.trouble.value;
  return (
    <>
      {editing.conflict.value !== null && (
        <ConflictDialog editing={editing} names={names} shell={shell} />
      )}
      {leaving.value !== null && (
        <LeaveDialog
          onStay={() => {
            leaving.value = null;
          }}
          onLeave={() => {
            const to = leaving.value;
            leaving.value = null;
            shell.router.guard = null;
            editing.undo();
            if (to !== null) shell.router.go(to);
          }}
        />
      )}
      <section class={dirty ? 'save-bar shown' : 'save-bar'} aria-label="Unsaved changes">
        {dirty && (
          <>
            <div class="grow" role="status">
              <strong>{errors[0] ?? trouble ?? 'Not saved yet'}</strong>
              <details>
                <summary>
                  {editing.changes.value.map(({ field }) => names[field] ?? field).join(', ')}
                </summary>
                <Differences editing={editing} names={names} />
              </details>
            </div>
            <div class="buttons">
              <button type="button" class="quiet" onClick={() => editing.undo()}>
                Undo
              </button>
              <button
                type="button"
                class="primary"
                disabled={editing.saving.value || errors.length > 0}
                onClick={() => void save()}
              >
                {editing.saving.value ? 'Saving…' : 'Save'}
              </button>
            </div>
          </>
        )}
      </section>
    </>
  );
}

function Differences<Thing extends object>({
  editing,
  names,
}: Pick<SaveBarProps<Thing>, 'editing' | 'names'>): JSX.Element {
  return (
    <dl class="differences">
      {editing.changes.value
        .flatMap(({ field, from, to }) => details(names[field] ?? field, from, to))
        .map(({ what, from, to }, idx) => (
          <div key={idx}>
            <dt dir="auto">{what}</dt>
            <dd>
              <del dir="auto">{from}</del>
              <span class="sr"> becomes </span>
              <ins dir="auto">{to}</ins>
            </dd>
          </div>
        ))}
    </dl>
  );
}

function LeaveDialog({ onStay, onLeave }: { onStay(): void; onLeave(): void }): JSX.Element {
  return (
    <Dialog title="Leave without saving?" onClose={onStay}>
      <p class="soft">What you changed on this page is not saved yet.</p>
      <div class="buttons">
        <button type="button" class="quiet" onClick={onLeave}>
          Discard changes
        </button>
        <button type="button" class="primary" data-focus onClick={onStay}>
          Stay here
        </button>
      </div>
    </Dialog>
  );
}

function ConflictDialog<Thing extends object>({
  editing,
  names,
  shell,
}: SaveBarProps<Thing>): JSX.Element | null {
  const conflict = editing.conflict.value;
  if (conflict === null) return null;
  const who = conflict.by ?? 'Somebody else';
  const touched = editing.changes.value.flatMap(({ field, to }) => {
    const what = names[field] ?? field;
    const parts = details(what, conflict.theirs[field], to);
    // Who wrote the same differs in nothing; it is theirs and ours.
    return parts.length > 0 ? parts : [{ what, from: shortly(to), to: shortly(to) }];
  });
  const mine = async () => {
    if (await editing.keepMine()) shell.toasts.say('Saved over it.');
  };
  return (
    <Dialog title={`${who} changed this meanwhile`} size="wide" onClose={() => editing.postpone()}>
      <p class="soft">
        Yours is not saved. You can put your changes on top of theirs, or take theirs and lose
        yours.
      </p>
      <div class="scroll">
        <table class="compare">
          <thead>
            <tr>
              <th scope="col">What</th>
              <th scope="col">Theirs, saved now</th>
              <th scope="col">Yours</th>
            </tr>
          </thead>
          <tbody>
            {touched.map(({ what, from, to }, idx) => (
              <tr key={idx}>
                <th scope="row" dir="auto">
                  {what}
                </th>
                <td dir="auto">{from}</td>
                <td dir="auto">{to}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <div class="buttons">
        <button type="button" class="quiet" onClick={() => editing.takeTheirs()}>
          Take theirs
        </button>
        <button type="button" class="primary" data-focus onClick={() => void mine()}>
          Put mine on top
        </button>
      </div>
    </Dialog>
  );
}

interface CopyProps {
  label: string;
  text: string;
  /** Text of several lines. */
  block?: boolean;
}

/** Something to take elsewhere, with a button that takes it. */
export function Copy({ label, text, block }: CopyProps): JSX.Element {
  const said = useSignal<'' | 'Copied' | 'Select it and copy'>('');
  const box = useRef<HTMLInputElement & HTMLTextAreaElement>(null);
  const id = useId();
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      said.value = 'Copied';
    } catch {
      // Not allowed here: the text is selected, so that the keys of the system do it.
      box.current?.select();
      said.value = 'Select it and copy';
    }
  };
  const attributes = {
    id,
    readOnly: true,
    dir: 'ltr',
    value: text,
    onFocus: () => box.current?.select(),
  } as const;
  return (
    <div class="handed">
      <label for={id} class="copy-label">
        {label}
      </label>
      <div class={block ? 'copy-box block' : 'copy-box'}>
        {block ? (
          <textarea ref={box} {...attributes} rows={text.split('\n').length + 1} />
        ) : (
          <input ref={box} {...attributes} />
        )}
        <button
          type="button"
          class="quiet"
          aria-label={`Copy ${label.toLowerCase()}`}
          onClick={() => void copy()}
        >
          <Glyph name={said.value === 'Copied' ? 'check' : 'copy'} />
          {said.value === 'Copied' ? 'Copied' : 'Copy'}
        </button>
      </div>
      <span class="soft small" role="status">
        {said.value === 'Copied' ? '' : said.value}
        <span class="sr">{said.value}</span>
      </span>
    </div>
  );
}

/** When it was, as people say it. */
export function when(at: string | null | undefined, never = 'never'): string {
  if (at == null) return never;
  const date = new Date(at);
  return Number.isNaN(date.getTime()) ? never : DATE.format(date);
}

const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
