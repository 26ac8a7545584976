/** Small pieces that both pages show. */

import type { ComponentChildren, JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { linkify } from './linkify.ts';

/** Text as written, with its addresses as links. */
export function Prose({ text }: { text: string }): JSX.Element {
  return (
    <span class="prose" dir="auto">
      {linkify(text).map((part, idx) =>
        part.href === null ? (
          part.text
        ) : (
          <a key={idx} href={part.href} target="_blank" rel="noopener noreferrer nofollow">
            {part.text}
          </a>
        ),
      )}
    </span>
  );
}

interface AvatarProps {
  name: string;
  /** A picture of this server; without one the letters of the name stand in. */
  src?: string | null | undefined;
  large?: boolean;
}

/** A picture, or the letters of a name on a color that is always the same for that name. */
export function Avatar({ name, src, large }: AvatarProps): JSX.Element {
  const size = large ? ' large' : '';
  if (src) return <img class={`avatar${size}`} src={src} alt="" draggable={false} />;
  const words = name.trim().split(/\s+/);
  const letters = words.slice(0, 2).map((word) => [...word][0] ?? '');
  let hash = 0;
  for (const sign of name) hash = (hash * 31 + (sign.codePointAt(0) ?? 0)) % 6;
  return (
    <span class={`avatar tone-${hash}${size}`} aria-hidden="true">
      {letters.join('').toUpperCase() || '?'}
    </span>
  );
}

export function TypingDots(): JSX.Element {
  return (
    <span class="dots" aria-hidden="true">
      <i />
      <i />
      <i />
    </span>
  );
}

/** Outlines after Lucide (ISC license), drawn in the color of the text. */
const ICONS = {
  back: 'M15 18l-6-6 6-6',
  check: 'M20 6L9 17l-5-5',
  close: 'M18 6L6 18M6 6l12 12',
  down: 'M6 9l6 6 6-6',
  inbox:
    'M22 12h-6l-2 3h-4l-2-3H2M5.45 5.11L2 12v6a2 2 0 0 0 2 2h16a2 2 0 0 0 2-2v-6l-3.45-6.89A2 2 0 0 0 16.76 4H7.24a2 2 0 0 0-1.79 1.11z',
  lock: 'M5 11h14v10H5zM8 11V7a4 4 0 0 1 8 0v4',
  logout: 'M9 21H5a2 2 0 0 1-2-2V5a2 2 0 0 1 2-2h4M16 17l5-5-5-5M21 12H9',
  reopen: 'M3 12a9 9 0 1 0 3-6.7L3 8M3 3v5h5',
  send: 'M22 2L11 13M22 2l-7 20-4-9-9-4z',
  theme: 'M12 3a6 6 0 0 0 9 9 9 9 0 1 1-9-9z',
  transfer: 'M8 3L4 7l4 4M4 7h16M16 21l4-4-4-4M20 17H4',
} as const;

export function Icon({ name }: { name: keyof typeof ICONS }): JSX.Element {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={ICONS[name]} />
    </svg>
  );
}

interface LogProps {
  label: string;
  /** Changes whenever something was added at the end. */
  newest: string;
  /** Changes whenever something was added at the beginning. */
  oldest: string;
  children: ComponentChildren;
}

/**
 * A list that grows at the end and is read aloud as it does. It stays at the end while the reader
 * is there, and otherwise where the reader is, also when older items come in above.
 */
export function Log({ label, newest, oldest, children }: LogProps): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const place = useRef({ atEnd: true, fromEnd: 0, oldest });
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return;
    if (place.current.atEnd) element.scrollTop = element.scrollHeight;
    else if (place.current.oldest !== oldest) {
      element.scrollTop = element.scrollHeight - place.current.fromEnd;
    }
    place.current.oldest = oldest;
  }, [newest, oldest, children]);
  useLayoutEffect(() => {
    const element = box.current;
    if (element === null) return undefined;
    const stay = new ResizeObserver(() => {
      if (place.current.atEnd) element.scrollTop = element.scrollHeight;
    });
    stay.observe(element);
    return () => stay.disconnect();
  }, []);
  return (
    <div
      class="log"
      role="log"
      aria-label={label}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard.
      tabIndex={0}
      ref={box}
      onScroll={(event) => {
        const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
        place.current.fromEnd = scrollHeight - scrollTop;
        place.current.atEnd = scrollHeight - scrollTop - clientHeight < 40;
      }}
    >
      <ol>{children}</ol>
    </div>
  );
}

interface ComposerProps {
  label: string;
  placeholder: string;
  /** Says what the button does; also its name. */
  sendLabel: string;
  bytesMax: number;
  text: string;
  onText(text: string): void;
  onSend(text: string): void;
  inputRef?: { current: HTMLTextAreaElement | null };
}

/** Enter sends, Shift+Enter makes a line, and an input method's Enter is the input method's. */
export function Composer(props: ComposerProps): JSX.Element {
  const { text, bytesMax } = props;
  const tooLong = new TextEncoder().encode(text).length > bytesMax;
  const empty = text.trim() === '';
  const send = () => {
    if (!empty && !tooLong) props.onSend(text.trim());
  };
  return (
    <form
      class="composer"
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
    >
      <textarea
        ref={props.inputRef ?? null}
        aria-label={props.label}
        aria-invalid={tooLong}
        placeholder={props.placeholder}
        rows={1}
        dir="auto"
        value={text}
        onInput={(event) => props.onText(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
          event.preventDefault();
          send();
        }}
      />
      <button type="submit" class="send" aria-label={props.sendLabel} disabled={empty || tooLong}>
        <Icon name="send" />
      </button>
      {tooLong && (
        <p class="too-long" role="alert">
          This is longer than one message can be.
        </p>
      )}
    </form>
  );
}
