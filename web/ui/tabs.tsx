/** Tabs after the ARIA pattern: one stop for the Tab key, arrows move between them. */

import type { JSX } from 'preact';

interface TabsProps<Name extends string> {
  label: string;
  /** Prefix of the ids; the panel is `<id>-panel`. */
  id: string;
  tabs: readonly { name: Name; text: string; count?: number }[];
  selected: Name;
  onSelect(name: Name): void;
}

export function Tabs<Name extends string>(props: TabsProps<Name>): JSX.Element {
  const { tabs, selected, id, onSelect } = props;
  const move = (event: KeyboardEvent, from: number) => {
    const rtl = getComputedStyle(event.currentTarget as Element).direction === 'rtl';
    const forward = rtl ? 'ArrowLeft' : 'ArrowRight';
    const back = rtl ? 'ArrowRight' : 'ArrowLeft';
    const steps: Record<string, number> = { [forward]: 1, [back]: -1 };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = tabs[(from + step + tabs.length) % tabs.length];
    if (next === undefined) return;
    onSelect(next.name);
    document.getElementById(`${id}-${next.name}`)?.focus();
  };
  return (
    <div class="tabs" role="tablist" aria-label={props.label}>
      {tabs.map(({ name, text, count }, idx) => (
        <button
          key={name}
          type="button"
          role="tab"
          id={`${id}-${name}`}
          aria-selected={name === selected}
          aria-controls={name === selected ? `${id}-panel` : undefined}
          tabIndex={name === selected ? 0 : -1}
          onClick={() => onSelect(name)}
          onKeyDown={(event) => move(event, idx)}
        >
          {text}
          {count !== undefined && <span class="count">{count}</span>}
        </button>
      ))}
    </div>
  );
}
