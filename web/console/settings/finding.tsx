/** A search over the settings of a page. */

import type { ComponentChildren, JSX } from 'preact';
import { useMemo } from 'preact/hooks';
import { FinderContext } from './findable.tsx';
import { Finder, type Shown } from './finder.ts';
import { Nothing, SearchField } from './parts.tsx';

export function useFinder(shown: Shown = 'all'): Finder {
  return useMemo(() => new Finder(shown), []);
}

interface FindingProps {
  finder: Finder;
  children: ComponentChildren;
}

/** The settings of a page, under a field that looks for them. */
export function Finding({ finder, children }: FindingProps): JSX.Element {
  const none = finder.looks && finder.found.value === 0;
  return (
    <FinderContext.Provider value={finder}>
      <SearchField
        label="Search these settings"
        text={finder.text}
        found={finder.found.value}
        total={finder.shown === 'all' || finder.looks ? finder.total.value : null}
      />
      {children}
      {none && (
        <Nothing icon="search" title="None found">
          Nothing like it among these settings.
        </Nothing>
      )}
    </FinderContext.Provider>
  );
}
