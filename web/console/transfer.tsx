/** Hands a conversation on, to a person or a department, with a word why. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useLayoutEffect, useRef } from 'preact/hooks';
import type { Card } from '../client/frames.ts';
import { type Desk, visitorName } from './model.ts';

interface TransferProps {
  desk: Desk;
  card: Card;
  onClose(): void;
}

export function TransferDialog({ desk, card, onClose }: TransferProps): JSX.Element {
  const dialog = useRef<HTMLDialogElement>(null);
  /** `agent/<id>` or `department/<id>`. */
  const target = useSignal('');
  const reason = useSignal('');
  useLayoutEffect(() => dialog.current?.showModal(), []);
  const ready = target.value !== '' && reason.value.trim() !== '';
  const transfer = async () => {
    const [kind = '', id = ''] = target.value.split('/');
    const args = { [kind]: id, reason: reason.value.trim() };
    if (await desk.act(card.id, 'transfer', args, 'Handed over.')) dialog.current?.close();
  };
  const agents = desk.colleagues.value.filter(({ agent }) => agent.id !== card.agent?.id);
  const departments = desk.departments.value.filter(({ id }) => id !== card.department);
  return (
    <dialog ref={dialog} aria-labelledby="transfer-title" onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) void transfer();
        }}
      >
        <h2 id="transfer-title">Hand over {visitorName(card)}</h2>
        <label>
          To
          <select
            required
            value={target.value}
            onChange={(event) => {
              target.value = event.currentTarget.value;
            }}
          >
            <option value="">Choose…</option>
            {agents.length > 0 && (
              <optgroup label="Agents">
                {agents.map(({ agent, status }) => (
                  <option key={agent.id} value={`agent/${agent.id}`}>
                    {`${agent.name} (${status})`}
                  </option>
                ))}
              </optgroup>
            )}
            {departments.length > 0 && (
              <optgroup label="Departments">
                {departments.map(({ id, name }) => (
                  <option key={id} value={`department/${id}`}>
                    {name}
                  </option>
                ))}
              </optgroup>
            )}
          </select>
        </label>
        <label>
          Why, for your colleagues only
          <textarea
            required
            rows={3}
            value={reason.value}
            onInput={(event) => {
              reason.value = event.currentTarget.value;
            }}
          />
        </label>
        <div class="buttons">
          <button type="button" class="quiet" onClick={() => dialog.current?.close()}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={!ready || desk.busy.value.has(card.id)}>
            Hand over
          </button>
        </div>
      </form>
    </dialog>
  );
}
