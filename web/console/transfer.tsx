/** Hands a conversation on, to a person or a department, with a word why. */

import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect } from 'preact/hooks';
import type { Card } from '../client/frames.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Glyph } from '../ui/icons.tsx';
import { type Crew, crewOf, crewText, type Worker } from './crews.ts';
import type { Desk } from './desk.ts';
import { byRoom, Face, loadOf } from './people.tsx';
import { visitorName } from './words.ts';

interface TransferProps {
  desk: Desk;
  card: Card;
  onClose(): void;
}

export function TransferDialog({ desk, card, onClose }: TransferProps): JSX.Element {
  /** `agent/<id>` or `department/<id>`. */
  const target = useSignal('');
  const reason = useSignal('');
  const workers = useSignal<readonly Worker[] | null>(null);
  useEffect(() => {
    desk.workers().then(
      (all) => {
        workers.value = all;
      },
      // Without it departments are named all the same.
      () => {},
    );
  }, [desk]);
  const ready = target.value !== '' && reason.value.trim() !== '';
  const agents = desk.colleagues.value
    .filter(({ agent }) => agent.id !== card.agent?.id)
    .sort(byRoom);
  const presences = desk.client.agents.value;
  const departments = desk.departments.value
    .filter(({ id }) => id !== card.department)
    .map((one) => ({ ...one, crew: workers.value && crewOf(one.id, workers.value, presences) }));
  const transfer = () => {
    const agent = agents.find((one) => target.peek() === `agent/${one.agent.id}`)?.agent;
    const department = departments.find(({ id }) => target.peek() === `department/${id}`)?.id;
    const to = agent !== undefined ? { agent } : department !== undefined ? { department } : null;
    if (to === null) return;
    onClose();
    void desk.acts.transfer(card, to, reason.peek().trim());
  };
  const choose = (value: string) => () => {
    target.value = value;
  };
  return (
    <Dialog title={`Hand over ${visitorName(card)}`} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (ready) transfer();
        }}
      >
        {agents.length === 0 && departments.length === 0 && (
          <p class="soft">There is nobody else, and no other department.</p>
        )}
        {agents.length > 0 && (
          <fieldset class="targets">
            <legend>Agents</legend>
            {agents.map((presence, idx) => (
              <label key={presence.agent.id} class="target">
                <input
                  type="radio"
                  name="target"
                  data-focus={idx === 0 || undefined}
                  checked={target.value === `agent/${presence.agent.id}`}
                  onChange={choose(`agent/${presence.agent.id}`)}
                />
                <Face presence={presence} />
                <span class="target-text">
                  <bdi>{presence.agent.name}</bdi>
                  <small>{loadOf(presence)}</small>
                </span>
                <Load name={presence.agent.name} of={presence} />
              </label>
            ))}
          </fieldset>
        )}
        {departments.length > 0 && (
          <fieldset class="targets">
            <legend>Departments</legend>
            {departments.map(({ id, name, crew }) => (
              <label key={id} class="target">
                <input
                  type="radio"
                  name="target"
                  checked={target.value === `department/${id}`}
                  onChange={choose(`department/${id}`)}
                />
                <Glyph name="building" />
                <span class="target-text">
                  <bdi>{name}</bdi>
                  {crew !== null && <small>{crewText(crew)}</small>}
                </span>
                {crew !== null && <Load name={name} of={crew} />}
              </label>
            ))}
          </fieldset>
        )}
        <label class="field">
          Why, for your colleagues only
          <textarea
            required
            rows={3}
            dir="auto"
            value={reason.value}
            onInput={(event) => {
              reason.value = event.currentTarget.value;
            }}
          />
        </label>
        <div class="buttons">
          <button type="button" class="quiet" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary" disabled={!ready}>
            Hand over
          </button>
        </div>
      </form>
    </Dialog>
  );
}

/** How much of the room is taken. */
function Load({ name, of }: { name: string; of: Pick<Crew, 'active' | 'capacity'> }): JSX.Element {
  return (
    <meter
      aria-label={`Load of ${name}`}
      min={0}
      max={Math.max(1, of.capacity)}
      value={of.active}
    />
  );
}
