/** The forms of people who come in: fields, what is wrong with them, and a button that waits. */

import './form.css';
import { type Signal, useSignal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { useId } from 'preact/hooks';
import { Glyph } from '../../ui/icons.tsx';
import { emailTrouble } from '../address.ts';

/** As on the server. */
export const PASSWORD_MIN = 10;
export const PASSWORD_MAX = 256;

interface EntryProps {
  label: string;
  value: Signal<string>;
  type?: 'text' | 'email';
  autocomplete: string;
  hint?: string;
  wrong?: string | null;
  focus?: boolean;
}

export function Entry(props: EntryProps): JSX.Element {
  const id = useId();
  const left = useSignal(false);
  const wrong =
    props.wrong ?? (left.value && props.type === 'email' ? emailTrouble(props.value.value) : null);
  const described = [props.hint && `${id}-hint`, wrong && `${id}-wrong`].filter(Boolean);
  const attributes = {
    id,
    required: true,
    autocomplete: props.autocomplete,
    'aria-invalid': wrong ? true : undefined,
    'aria-describedby': described.join(' ') || undefined,
    'data-focus': props.focus,
    dir: props.type === 'email' ? 'ltr' : 'auto',
    value: props.value.value,
    onInput: (event: { currentTarget: HTMLInputElement }) => {
      props.value.value = event.currentTarget.value;
    },
    onBlur: () => {
      left.value = true;
    },
  } as const;
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      {props.type === 'email' ? <input {...attributes} type="email" /> : <input {...attributes} />}
      {props.hint && <small id={`${id}-hint`}>{props.hint}</small>}
      {wrong && (
        <span id={`${id}-wrong`} class="wrong">
          {wrong}
        </span>
      )}
    </div>
  );
}

interface PasswordProps {
  label: string;
  value: Signal<string>;
  /** A new one is measured while it is written; the one of today is not. */
  fresh: boolean;
  wrong?: string | null;
}

export function Password({ label, value, fresh, wrong }: PasswordProps): JSX.Element {
  const id = useId();
  const shown = useSignal(false);
  const length = [...value.value].length;
  const hint = fresh ? passwordHint(length) : null;
  const attributes = {
    id,
    required: true,
    dir: 'ltr',
    autocomplete: fresh ? 'new-password' : 'current-password',
    maxLength: fresh ? PASSWORD_MAX : undefined,
    'aria-invalid': wrong ? true : undefined,
    'aria-describedby': hint === null && !wrong ? undefined : `${id}-hint`,
    value: value.value,
    onInput: (event: { currentTarget: HTMLInputElement }) => {
      value.value = event.currentTarget.value;
    },
  } as const;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <span class="with-button" dir="ltr">
        {shown.value ? (
          <input {...attributes} type="text" />
        ) : (
          <input {...attributes} type="password" />
        )}
        <button
          type="button"
          class="plain"
          aria-pressed={shown.value}
          aria-label={`Show ${label.toLowerCase()}`}
          onClick={() => {
            shown.value = !shown.value;
          }}
        >
          <Glyph name="eye" />
        </button>
      </span>
      {wrong ? (
        <span id={`${id}-hint`} class="wrong">
          {wrong}
        </span>
      ) : (
        hint !== null && <small id={`${id}-hint`}>{hint}</small>
      )}
    </div>
  );
}

export function passwordHint(length: number): string {
  if (length === 0)
    return `At least ${PASSWORD_MIN} characters. A few words that belong together nowhere are good.`;
  if (length < PASSWORD_MIN) return `${PASSWORD_MIN - length} more characters are needed.`;
  if (length > PASSWORD_MAX) return `At most ${PASSWORD_MAX} characters.`;
  return 'Long enough.';
}

interface FormProps {
  /** What the button does. */
  action: string;
  ready: boolean;
  /** Resolves to what went wrong, in words; `null` when all went well. */
  onSubmit(): Promise<string | null>;
  children: ComponentChildren;
}

export function Form({ action, ready, onSubmit, children }: FormProps): JSX.Element {
  const busy = useSignal(false);
  const trouble = useSignal<string | null>(null);
  const submit = async () => {
    if (!ready || busy.value) return;
    busy.value = true;
    trouble.value = null;
    try {
      trouble.value = await onSubmit();
    } finally {
      busy.value = false;
    }
  };
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      {children}
      <p role="alert" class="wrong">
        {trouble.value}
      </p>
      <button type="submit" class="primary wide" disabled={!ready || busy.value}>
        {busy.value ? 'One moment…' : action}
      </button>
    </form>
  );
}
