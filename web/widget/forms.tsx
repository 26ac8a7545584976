/** What is asked before a chat, and what can be left when nobody is there: fetched when it is shown. */

import type { JSX } from 'preact';
import type { Widget } from './model.ts';
import type { Field, Settings } from './settings.ts';
import { say } from './words.ts';

export function Before({ widget, leave }: { widget: Widget; leave: boolean }): JSX.Element | null {
  const settings = widget.settings.value;
  if (settings === null) return null;
  const fields = fieldsOf(settings, widget.who.verified.value, leave);
  const submit = (form: HTMLFormElement) => {
    const given = new FormData(form);
    const text = (name: string) => String(given.get(name) ?? '').trim();
    widget.answer(fields.map(({ name }) => [name, text(`field-${name}`)]));
    if (leave) widget.send(text('message'));
  };
  return (
    <form
      class="form"
      onSubmit={(event) => {
        event.preventDefault();
        submit(event.currentTarget);
      }}
    >
      <h2>{say(leave ? 'leave' : 'before')}</h2>
      {leave && <p class="soft">{say('answer')}</p>}
      {fields.map((field) => (
        <Label key={field.name} text={field.label} required={field.required}>
          {input(field)}
        </Label>
      ))}
      <Topics widget={widget} />
      {leave && (
        <Label text={say('message')} required>
          <textarea name="message" rows={4} required dir="auto" />
        </Label>
      )}
      <button type="submit" class="primary">
        {say(leave ? 'send' : 'begin')}
      </button>
    </form>
  );
}

/** What it is about: the departments to choose from, before there is a chat. */
export function Topics({ widget }: { widget: Widget }): JSX.Element | null {
  const { departments = [], department_required = false } = widget.settings.value ?? {};
  if (widget.conversation.value !== null || departments.length === 0) return null;
  const chosen = widget.stored.answers.value.department;
  return (
    <fieldset class="topics">
      <legend>{say('department')}</legend>
      {departments.map(({ id, name }) => (
        <label key={id} class="second">
          <input
            type="radio"
            name="department"
            required={department_required}
            checked={id === chosen}
            onChange={() => widget.stored.answer({ department: id })}
          />
          {name}
        </label>
      ))}
    </fieldset>
  );
}

function fieldsOf(settings: Settings, verified: boolean, leave: boolean): Field[] {
  const required = leave || settings.email_required === true;
  const fields = (settings.prechat?.fields ?? []).map((field) =>
    field.name === 'email' && required ? { ...field, required } : field,
  );
  if (required && !fields.some(({ name }) => name === 'email')) {
    fields.push({ name: 'email', label: say('email'), kind: 'email', required });
  }
  // A signed token has said these already.
  return fields.filter(({ name }) => !(verified && (name === 'name' || name === 'email')));
}

interface LabelProps {
  text: string;
  required: boolean;
  children: JSX.Element;
}

function Label({ text, required, children }: LabelProps): JSX.Element {
  return (
    // biome-ignore lint/a11y/noLabelWithoutControl: the control is its child.
    <label>
      <span dir="auto">{text}</span> {!required && <small>({say('optional')})</small>}
      {children}
    </label>
  );
}

function input({ name, kind, required, choices }: Field): JSX.Element {
  const common = { name: `field-${name}`, required, dir: 'auto' as const };
  if (kind === 'long') return <textarea {...common} rows={3} />;
  if (kind === 'choice') {
    return (
      <select {...common}>
        <option value="">{say('choose')}</option>
        {choices?.map((choice) => (
          <option key={choice}>{choice}</option>
        ))}
      </select>
    );
  }
  // What browsers may fill in; other names mean nothing to them.
  const typed = { ...common, autocomplete: kind === 'phone' ? 'tel' : name };
  if (kind === 'email') return <input {...typed} type="email" />;
  if (kind === 'phone') return <input {...typed} type="tel" />;
  return <input {...typed} />;
}
