/** What a search over the settings of a page looks at: whatever does not fit is out of the way. */

import { type ComponentChildren, createContext, type JSX } from 'preact';
import { useContext, useEffect, useId, useMemo } from 'preact/hooks';
import type { Finder } from './finder.ts';

export const FinderContext = createContext<Finder | null>(null);
/** The panel around a setting, and what stands over it. */
const PanelContext = createContext<PanelWords | null>(null);

interface PanelWords {
  id: string;
  words: string;
}

/** Whether a setting is shown, by what is said of it; without a search around it always. */
export function useFound(...said: ComponentChildren[]): boolean {
  const finder = useContext(FinderContext);
  const panel = useContext(PanelContext);
  const id = panel?.id ?? null;
  const words = joined([panel?.words, ...said]);
  useEffect(() => finder?.add({ words, panel: id }), [finder, id, words]);
  return finder === null || finder.fits(words);
}

interface FindableProps {
  words: readonly ComponentChildren[];
  children: ComponentChildren;
}

/** A setting of several controls: it is found as one. */
export function Findable({ words, children }: FindableProps): JSX.Element {
  const shown = useFound(...words);
  return (
    <div class="findable" hidden={!shown}>
      <FinderContext.Provider value={null}>{children}</FinderContext.Provider>
    </div>
  );
}

/** Whether a panel is shown, and what its settings need to know of it. */
export function usePanel(title: string, text: ComponentChildren): PanelWords & { shown: boolean } {
  const id = useId();
  const finder = useContext(FinderContext);
  const words = joined([title, text]);
  useEffect(() => finder?.addPanel(id, words), [finder, id, words]);
  return { id, words, shown: finder === null || finder.shows(id, words) };
}

/** Around what is in a panel. */
export function Inside({ id, words, children }: PanelWords & { children: ComponentChildren }) {
  const value = useMemo(() => ({ id, words }), [id, words]);
  return <PanelContext.Provider value={value}>{children}</PanelContext.Provider>;
}

function joined(said: readonly ComponentChildren[]): string {
  return said.filter((part) => typeof part === 'string').join(' ');
}
