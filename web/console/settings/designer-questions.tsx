/** What a widget asks before a conversation begins. */

import type { JSX } from 'preact';
import { Glyph } from '../../ui/icons.tsx';
import type { PartProps } from './designer.tsx';
import { Select, TextField, Toggle } from './fields.tsx';
import { Findable } from './findable.tsx';
import { Panel } from './parts.tsx';
import {
  CONTACT_KINDS,
  nameFor,
  QUESTIONS_MAX,
  type Question,
  type QuestionKind,
  questionTrouble,
} from './widget.ts';

const KINDS: readonly (readonly [QuestionKind, string])[] = [
  ['text', 'A line'],
  ['long', 'Several lines'],
  ['choice', 'One of several'],
  ['email', 'A mail address'],
  ['phone', 'A phone number'],
];

const CONTACT: readonly Question[] = [
  { name: 'name', label: 'Your name', kind: 'text', required: false },
  { name: 'email', label: 'Your email', kind: 'email', required: false },
  { name: 'phone', label: 'Your phone number', kind: 'phone', required: false },
];

export function Questions({ settings, errors, set }: PartProps): JSX.Element {
  const { fields } = settings.prechat;
  const put = (next: Question[]) => set('prechat', { fields: next });
  const change = (at: number, part: Partial<Question>) =>
    put(fields.map((field, idx) => (idx === at ? { ...field, ...part } : field)));
  const move = (at: number, by: -1 | 1) => {
    const next = [...fields];
    const [moved] = next.splice(at, 1);
    if (moved !== undefined) next.splice(at + by, 0, moved);
    put(next);
  };
  const full = fields.length >= QUESTIONS_MAX;
  const offered = CONTACT.filter(({ name }) => fields.every((field) => field.name !== name));
  return (
    <Panel
      title="Questions before a conversation"
      text="The fewer, the more people write. Answers stand beside the conversation."
    >
      <Toggle
        label="A mail address is needed"
        hint="So that you can answer when they have gone."
        value={settings.email_required}
        onValue={(value) => set('email_required', value)}
      />
      {fields.length > 0 && (
        <ol class="questions">
          {fields.map((field, idx) => (
            <li key={field.name}>
              <Findable words={['Question', field.label, ...(field.choices ?? [])]}>
                <One
                  field={field}
                  number={idx + 1}
                  last={idx === fields.length - 1}
                  trouble={errors.prechat ? questionTrouble(settings, idx) : null}
                  onChange={(part) => change(idx, part)}
                  onMove={(by) => move(idx, by)}
                  onRemove={() => put(fields.filter((_other, at) => at !== idx))}
                />
              </Findable>
            </li>
          ))}
        </ol>
      )}
      <div class="buttons start">
        {offered.map((field) => (
          <button
            key={field.name}
            type="button"
            class="quiet"
            disabled={full}
            onClick={() => put([...fields, field])}
          >
            <Glyph name="plus" />
            {field.label.replace('Your ', '').replace(/^./, (letter) => letter.toUpperCase())}
          </button>
        ))}
        <button
          type="button"
          class="quiet"
          disabled={full}
          onClick={() => {
            const name = nameFor(
              '',
              fields.map((field) => field.name),
            );
            put([...fields, { name, label: '', kind: 'text', required: false }]);
          }}
        >
          <Glyph name="plus" />
          Another question
        </button>
      </div>
      {full && <p class="soft small">{`${QUESTIONS_MAX} are the most.`}</p>}
    </Panel>
  );
}

interface OneProps {
  field: Question;
  number: number;
  last: boolean;
  trouble: string | null;
  onChange(part: Partial<Question>): void;
  onMove(by: -1 | 1): void;
  onRemove(): void;
}

function One({ field, number, last, trouble, onChange, onMove, onRemove }: OneProps): JSX.Element {
  const contact = field.name in CONTACT_KINDS;
  return (
    <fieldset class="question">
      <legend class="sr">{`Question ${number}`}</legend>
      <div class="question-head">
        <TextField
          label={`Question ${number}`}
          value={field.label}
          wrong={trouble}
          onValue={(label) => onChange({ label })}
        />
        <div class="question-buttons">
          <button
            type="button"
            class="plain"
            aria-label={`Move question ${number} up`}
            disabled={number === 1}
            onClick={() => onMove(-1)}
          >
            <span class="turned">
              <Glyph name="down" />
            </span>
          </button>
          <button
            type="button"
            class="plain"
            aria-label={`Move question ${number} down`}
            disabled={last}
            onClick={() => onMove(1)}
          >
            <Glyph name="down" />
          </button>
          <button
            type="button"
            class="plain"
            aria-label={`Remove question ${number}`}
            onClick={onRemove}
          >
            <Glyph name="trash" />
          </button>
        </div>
      </div>
      {!contact && (
        <Select
          label="Answer"
          value={field.kind}
          choices={KINDS}
          onValue={(kind) => {
            const { choices: _old, ...rest } = field;
            onChange(
              kind === 'choice'
                ? { kind, choices: ['Yes', 'No'] }
                : { ...rest, kind, choices: undefined },
            );
          }}
        />
      )}
      {field.kind === 'choice' && (
        <TextField
          label="Choices, one a line"
          rows={3}
          value={(field.choices ?? []).join('\n')}
          onValue={(text) => onChange({ choices: text.split('\n') })}
        />
      )}
      <Toggle
        label="Must be answered"
        value={field.required}
        onValue={(required) => onChange({ required })}
      />
    </fieldset>
  );
}
