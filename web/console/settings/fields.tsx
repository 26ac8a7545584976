/** Fields of the settings: a label, what it is for, what is wrong with it. */

import { useSignal } from '@preact/signals';
import type { ComponentChildren, JSX } from 'preact';
import { useId } from 'preact/hooks';
import { useFound } from './findable.tsx';

interface Base {
  label: string;
  hint?: ComponentChildren;
  wrong?: string | null | undefined;
  disabled?: boolean;
}

/** What can be chosen is found too. */
interface Choosable extends Base {
  choices?: readonly (readonly [string, string])[];
}

interface Described {
  id: string;
  described: string | undefined;
}

/** The frame around a control: the control gets the id and what describes it. */
export function Field(
  props: Choosable & { children(control: Described): ComponentChildren },
): JSX.Element {
  const id = useId();
  const described = [props.hint && `${id}-hint`, props.wrong && `${id}-wrong`].filter(Boolean);
  const shown = useFound(props.label, props.hint, ...(props.choices ?? []).map(([, text]) => text));
  return (
    <div class="field" hidden={!shown}>
      <label for={id}>{props.label}</label>
      {props.children({ id, described: described.join(' ') || undefined })}
      {props.hint && <small id={`${id}-hint`}>{props.hint}</small>}
      {props.wrong && (
        <span id={`${id}-wrong`} class="wrong">
          {props.wrong}
        </span>
      )}
    </div>
  );
}

interface TextProps extends Base {
  value: string;
  onValue(value: string): void;
  rows?: number;
  placeholder?: string;
  /** For what is not prose: names, addresses, codes. */
  ltr?: boolean;
  required?: boolean;
  focus?: boolean;
  maxLength?: number;
  /** What is wrong, said once the field was left: nobody is corrected in the middle of a word. */
  late?: string | null;
  inputMode?: 'numeric' | 'email' | 'url';
}

export function TextField(given: TextProps): JSX.Element {
  const left = useSignal(false);
  const props = { ...given, wrong: given.wrong ?? (left.value ? given.late : null) };
  return (
    <Field {...props}>
      {({ id, described }) => {
        const attributes = {
          id,
          'aria-describedby': described,
          'aria-invalid': props.wrong ? true : undefined,
          'data-focus': props.focus,
          dir: props.ltr ? 'ltr' : 'auto',
          disabled: props.disabled,
          maxLength: props.maxLength,
          placeholder: props.placeholder,
          required: props.required,
          autocomplete: 'off',
          value: props.value,
          onInput: (event: { currentTarget: { value: string } }) =>
            props.onValue(event.currentTarget.value),
          onBlur: () => {
            left.value = true;
          },
        } as const;
        return props.rows === undefined ? (
          <input {...attributes} inputMode={props.inputMode} />
        ) : (
          <textarea {...attributes} rows={props.rows} />
        );
      }}
    </Field>
  );
}

interface NumberProps extends Base {
  value: number | undefined;
  min: number;
  max: number;
  onValue(value: number | undefined): void;
}

/** A whole number; an empty field is none. */
export function NumberField(props: NumberProps): JSX.Element {
  return (
    <Field {...props}>
      {({ id, described }) => (
        <input
          id={id}
          class="short"
          type="number"
          step={1}
          min={props.min}
          max={props.max}
          aria-describedby={described}
          aria-invalid={props.wrong ? true : undefined}
          disabled={props.disabled}
          value={props.value ?? ''}
          onInput={(event) => {
            const text = event.currentTarget.value;
            props.onValue(text === '' ? undefined : Number(text));
          }}
        />
      )}
    </Field>
  );
}

interface SelectProps<Value extends string> extends Base {
  value: Value;
  choices: readonly (readonly [Value, string])[];
  onValue(value: Value): void;
}

export function Select<Value extends string>(props: SelectProps<Value>): JSX.Element {
  return (
    <Field {...props}>
      {({ id, described }) => (
        <select
          id={id}
          aria-describedby={described}
          disabled={props.disabled}
          value={props.value}
          onChange={(event) => props.onValue(event.currentTarget.value as Value)}
        >
          {props.choices.map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

interface ToggleProps extends Base {
  value: boolean;
  onValue(value: boolean): void;
}

export function Toggle({ label, hint, wrong, value, disabled, onValue }: ToggleProps): JSX.Element {
  const id = useId();
  const described = [hint && `${id}-hint`, wrong && `${id}-wrong`].filter(Boolean).join(' ');
  const shown = useFound(label, hint);
  return (
    <div class="check" hidden={!shown}>
      <input
        type="checkbox"
        id={id}
        aria-describedby={described || undefined}
        aria-invalid={wrong ? true : undefined}
        checked={value}
        disabled={disabled}
        onChange={(event) => onValue(event.currentTarget.checked)}
      />
      <span>
        <label for={id}>{label}</label>
        {hint && <small id={`${id}-hint`}>{hint}</small>}
        {wrong && (
          <span id={`${id}-wrong`} class="wrong">
            {wrong}
          </span>
        )}
      </span>
    </div>
  );
}

interface SegmentsProps<Value extends string> {
  legend: string;
  value: Value;
  choices: readonly (readonly [Value, string])[];
  onValue(value: Value): void;
}

export function Segments<Value extends string>(props: SegmentsProps<Value>): JSX.Element {
  const name = useId();
  const shown = useFound(props.legend, ...props.choices.map(([, text]) => text));
  return (
    <fieldset class="segments" hidden={!shown}>
      <legend>{props.legend}</legend>
      {props.choices.map(([value, text]) => (
        <label key={value}>
          <input
            type="radio"
            name={name}
            checked={props.value === value}
            onChange={() => props.onValue(value)}
          />
          <span>{text}</span>
        </label>
      ))}
    </fieldset>
  );
}

interface ChecksProps {
  legend: string;
  hint?: string;
  wrong?: string | null | undefined;
  choices: readonly (readonly [string, string])[];
  value: readonly string[];
  onValue(value: string[]): void;
}

/** Any of several. */
export function Checks(props: ChecksProps): JSX.Element {
  const shown = useFound(props.legend, props.hint, ...props.choices.map(([, text]) => text));
  return (
    <fieldset class="checks" hidden={!shown}>
      <legend>{props.legend}</legend>
      {props.hint && <p class="soft small">{props.hint}</p>}
      <div class="checks-list">
        {props.choices.map(([id, text]) => (
          <label key={id} class="check">
            <input
              type="checkbox"
              checked={props.value.includes(id)}
              onChange={(event) => {
                const rest = props.value.filter((other) => other !== id);
                props.onValue(event.currentTarget.checked ? [...rest, id] : rest);
              }}
            />
            <span dir="auto">{text}</span>
          </label>
        ))}
      </div>
      {props.wrong && <span class="wrong">{props.wrong}</span>}
    </fieldset>
  );
}
