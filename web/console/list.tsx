/** The lists of conversations. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Glyph } from '../ui/icons.tsx';
import { Patience } from '../ui/lazy.tsx';
import { type VirtualHandle, VirtualList } from '../ui/virtual.tsx';
import { quotable } from './api.ts';
import { type Command, FILTER_NAMES } from './commands.ts';
import type { Desk } from './desk.ts';
import { FILTERS, type FilterName } from './inbox.ts';
import { focusOn, panel } from './panels.ts';
import { PickedBar } from './picked-bar.tsx';
import type { Prefs } from './prefs.ts';
import { ROW_PX, Row } from './row.tsx';
import { pathOf } from './shell.ts';

const EMPTY: Record<FilterName, [string, string]> = {
  all: ['No conversations yet', 'They appear here as soon as a visitor writes.'],
  unassigned: ['Nobody is waiting', 'New conversations ring here first.'],
  active: ['Nobody is in a conversation', 'Those that somebody answers are here.'],
  mine: ['You have no open conversations', 'Accept one from Unassigned.'],
  closed: ['Nothing is closed yet', 'What you resolve is kept here.'],
};

interface ListPaneProps {
  desk: Desk;
  prefs: Prefs;
  commands: readonly Command[];
}

export function ListPane({ desk, prefs, commands }: ListPaneProps): JSX.Element {
  const searching = desk.filtering.searches.value;
  return (
    <section class="list" aria-label="Conversations">
      <ListHead desk={desk} />
      <Filters desk={desk} searching={searching} />
      <Saved desk={desk} searching={searching} />
      <PickedBar desk={desk} commands={commands} />
      <Rows key={searching ? 'found' : desk.inbox.filter.value} desk={desk} prefs={prefs} />
    </section>
  );
}

function ListHead({ desk }: { desk: Desk }): JSX.Element {
  const waiting = desk.inbox.count('unassigned');
  return (
    <header class="list-head">
      <div class="list-title">
        <span class="list-name" aria-hidden="true">
          Inbox
        </span>
        <p class="sr" role="status">{`${waiting} waiting`}</p>
        <span class="grow" />
        {waiting > 0 && (
          <button type="button" class="quiet slim" onClick={() => void desk.takeNext()}>
            Accept next
          </button>
        )}
        <button
          type="button"
          class="plain"
          aria-label="New chat"
          title="New chat"
          onClick={() => {
            panel.value = { name: 'new-chat' };
          }}
        >
          <Glyph name="plus" />
        </button>
      </div>
      <SearchBox desk={desk} />
    </header>
  );
}

function SearchBox({ desk }: { desk: Desk }): JSX.Element {
  const { search, filtering } = desk;
  return (
    // biome-ignore lint/a11y/useSemanticElements: the element is too new for screen readers.
    <div class="search" role="search">
      <Glyph name="search" />
      <input
        type="search"
        class="search-field"
        data-place="search"
        aria-label="Search conversations"
        placeholder="Search name, email, number…"
        autocomplete="off"
        value={search.text.value}
        onInput={(event) => filtering.look(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === 'Escape' && search.text.peek() !== '') {
            event.preventDefault();
            event.stopPropagation();
            filtering.look('');
          } else if (event.key === 'ArrowDown') {
            event.preventDefault();
            document.querySelector<HTMLElement>('[data-place="list"]')?.focus();
          }
        }}
      />
      {search.text.value !== '' && (
        <button
          type="button"
          class="plain"
          aria-label="Clear the search"
          onClick={() => filtering.look('')}
        >
          <Glyph name="close" />
        </button>
      )}
    </div>
  );
}

interface FiltersProps {
  desk: Desk;
  searching: boolean;
}

/** The lists: which one is shown, or to which a search is narrowed. */
function Filters({ desk, searching }: FiltersProps): JSX.Element {
  const { inbox, filtering } = desk;
  const now = searching ? filtering.list.value : inbox.filter.value;
  return (
    <nav class="filters" aria-label="Filters">
      {FILTERS.map((name) => (
        <button
          key={name}
          type="button"
          class="filter"
          aria-pressed={name === now}
          onClick={() => (searching ? filtering.narrow(name) : inbox.choose(name))}
        >
          {FILTER_NAMES[name]}
          {!searching && inbox.count(name) > 0 && (
            <span class={name === 'unassigned' ? 'count waiting' : 'count'}>
              {short(inbox.count(name))}
            </span>
          )}
        </button>
      ))}
    </nav>
  );
}

/** What the person keeps looking for, and the way to keep or drop it. */
function Saved({ desk, searching }: FiltersProps): JSX.Element | null {
  const { filtering } = desk;
  const [saved, now] = [filtering.saved.value, filtering.now.value];
  if (saved.length === 0 && !searching) return null;
  return (
    <section class="filters" aria-label="Saved filters">
      {saved.map((one) => (
        <button
          key={one.name}
          type="button"
          class="filter saved"
          aria-pressed={one === now}
          onClick={() => (one === now ? filtering.look('') : filtering.find(one.text, one.list))}
        >
          <Glyph name="search" />
          <span dir="auto">{one.name}</span>
        </button>
      ))}
      {searching && now === null && (
        <button
          type="button"
          class="filter"
          onClick={() => {
            panel.value = { name: 'save-filter' };
          }}
        >
          <Glyph name="plus" />
          Save this filter…
        </button>
      )}
      {now !== null && (
        <button
          type="button"
          class="filter"
          aria-label={`Remove filter ${now.name}`}
          onClick={() => {
            filtering.remove(now.name);
            focusOn('search');
          }}
        >
          <Glyph name="trash" />
          Remove
        </button>
      )}
    </section>
  );
}

function Rows({ desk, prefs }: { desk: Desk; prefs: Prefs }): JSX.Element {
  const { inbox } = desk;
  const handle = useRef<VirtualHandle>(null);
  const found = desk.filtering.found.value;
  const searching = desk.filtering.searches.value;
  const keys = searching ? (found ?? []) : inbox.order.value;
  const selected = desk.selected.value;
  const cursor = useSignal<string | null>(null);
  const fromPx = useRef<number | null>(null);
  fromPx.current ??= searching ? 0 : desk.where.takeListPx(inbox.filter.peek());
  const wanted = cursor.value ?? selected;
  const at = wanted === null ? 0 : Math.max(0, keys.indexOf(wanted));
  useEffect(() => {
    cursor.value = null;
    const idx = selected === null ? -1 : inbox.order.peek().indexOf(selected);
    if (idx >= 0) handle.current?.reveal(idx);
  }, [selected]);
  useEffect(
    () => () => {
      if (!searching) desk.where.listPx = 0;
      inbox.hold('pointer', false);
      inbox.hold('focus', false);
    },
    [],
  );
  const move = (to: number) => {
    const key = keys[Math.max(0, Math.min(keys.length - 1, to))];
    if (key === undefined) return;
    cursor.value = key;
    handle.current?.reveal(keys.indexOf(key));
    const link = () => document.querySelector<HTMLElement>(`.row a[href="${pathOf(key)}"]`);
    const there = link();
    // The next key may come before the next frame, and is meant for that row.
    if (there !== null) there.focus();
    else requestAnimationFrame(() => link()?.focus());
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only watches who is in it, and moves the focus.
    <div
      class={desk.picked.ids.value.length > 0 ? 'rows picking' : 'rows'}
      onPointerEnter={() => inbox.hold('pointer', true)}
      onPointerLeave={() => inbox.hold('pointer', false)}
      onFocusIn={() => inbox.hold('focus', true)}
      onFocusOut={(event) => {
        const to = event.relatedTarget;
        if (!(to instanceof Node && event.currentTarget.contains(to))) inbox.hold('focus', false);
      }}
      onKeyDown={(event) => {
        const steps: Record<string, number> = {
          ArrowDown: at + 1,
          ArrowUp: at - 1,
          PageDown: at + 10,
          PageUp: at - 10,
          Home: 0,
          End: keys.length - 1,
        };
        const to = steps[event.key];
        if (to === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
        event.preventDefault();
        move(to);
      }}
    >
      {inbox.fresh.value > 0 && !searching && (
        <button
          type="button"
          class="pill"
          onClick={() => {
            inbox.show();
            handle.current?.toTop();
          }}
        >
          {`${inbox.fresh.value} new`}
        </button>
      )}
      {keys.length === 0 ? (
        <Nothing desk={desk} searching={searching} />
      ) : (
        <VirtualList
          label={searching ? 'Found' : FILTER_NAMES[inbox.filter.value]}
          keys={keys}
          rowPx={ROW_PX[prefs.density.value]}
          handle={handle}
          fromPx={fromPx.current}
          onScrolled={(px) => {
            fromPx.current = 0;
            if (!searching) desk.where.listPx = px;
          }}
          onNearEnd={() => {
            if (!searching) void inbox.more();
          }}
          row={(id, idx) => (
            <Row key={id} desk={desk} id={id} place={idx + 1} of={keys.length} stop={idx === at} />
          )}
        />
      )}
      {searching && (
        <p class="limit" role="status">
          {desk.filtering.notice.value}
        </p>
      )}
    </div>
  );
}

function Nothing({ desk, searching }: { desk: Desk; searching: boolean }): JSX.Element {
  const { inbox, search } = desk;
  if (searching) {
    if (search.state.value === 'failed') {
      return (
        <div class="nothing" role="alert">
          <h2>The search did not work</h2>
          <p>{quotable('The server may be busy.', search.error.value)}</p>
          <button type="button" class="quiet" onClick={() => void search.again()}>
            Try again
          </button>
        </div>
      );
    }
    if (search.state.value === 'asking') return <Patience rows={6} />;
    return (
      <div class="nothing" role="status">
        <h2>Nothing found</h2>
        <p>Try a name, an email address, a number, a tag or a page.</p>
      </div>
    );
  }
  if (!inbox.loaded.value) return <Patience rows={8} />;
  const [title, text] = EMPTY[inbox.filter.value];
  return (
    <div class="nothing">
      <Glyph name="inbox" />
      <h2>{title}</h2>
      <p>{text}</p>
    </div>
  );
}

function short(count: number): string {
  return count < 1_000 ? String(count) : `${Math.floor(count / 1_000)}k`;
}
