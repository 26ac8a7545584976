/** What it is about, where the visitor may say so. */

import type { JSX } from 'preact';
import type { Widget } from './model.ts';
import { say } from './words.ts';

/** The departments to choose from, before there is a chat. */
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
