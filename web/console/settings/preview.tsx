/**
 * The real widget in a frame, with settings that are not saved yet. We play the loader: one port,
 * handed to our own origin, and everything the widget keeps is kept here and forgotten.
 */

import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import type { Handshake } from '../../widget/bridge.ts';
import type { Settings as Shown } from '../../widget/settings.ts';
import type { Department } from './department.ts';
import { Segments } from './fields.tsx';
import { asVisitorsGetIt, type Settings, widgetTroubles } from './widget.ts';

interface PreviewProps {
  id: string;
  settings: Settings;
  departments: readonly Department[];
  there: boolean;
  onThere(there: boolean): void;
}

/** Typing is seen after a breath, not at every key. */
const BREATH_MS = 120;

export function Preview({ id, settings, departments, there, onThere }: PreviewProps): JSX.Element {
  const port = useRef<MessagePort | null>(null);
  const latest = useRef<Shown | null>(null);
  const shown = asVisitorsGetIt(id, settings, departments, there);
  const written = JSON.stringify(shown);
  useEffect(() => {
    // What cannot be saved is not shown either: the last good state stays.
    if (Object.keys(widgetTroubles(settings)).some((field) => field !== 'name')) return undefined;
    latest.current = shown;
    const timer = setTimeout(() => port.current?.postMessage(['preview', shown]), BREATH_MS);
    return () => clearTimeout(timer);
  }, [written]);
  return (
    <section class="preview" aria-label="Preview">
      <Segments
        legend="Preview"
        value={there ? 'there' : 'away'}
        choices={[
          ['there', 'We are there'],
          ['away', 'We are away'],
        ]}
        onValue={(value) => onThere(value === 'there')}
      />
      <div class={`preview-page ${settings.theme.side}`}>
        <iframe
          title="The widget as it would be"
          src={`/widget?widget=${encodeURIComponent(id)}&preview`}
          onLoad={(event) => {
            port.current?.close();
            port.current = meet(event.currentTarget, latest.current ?? shown);
          }}
        />
      </div>
      {!settings.enabled && <p class="notice">It is off: no site shows it.</p>}
    </section>
  );
}

/** Hands the widget its port, and answers what it asks. It is not told that it is shown: it would take the focus. */
function meet(frame: HTMLIFrameElement, preview: Shown): MessagePort {
  const { port1, port2 } = new MessageChannel();
  const kept = new Map<string, string>();
  port1.onmessage = (event: MessageEvent<unknown[]>) => {
    const [name, ask, key, text] = event.data as [string, number, string, string];
    const answer = (value: unknown) => port1.postMessage(['answer', ask, value]);
    if (name === 'get') answer(kept.get(key) ?? null);
    else if (name === 'keys') answer([...kept.keys()].filter((known) => known.startsWith(key)));
    else if (name === 'claim') answer(true);
    else if (name === 'remove') answer(kept.delete(key));
    else if (name === 'set') {
      kept.set(key, text);
      answer(null);
    }
  };
  const handshake: Handshake = {
    switchboard: 1,
    referrer: '',
    locale: navigator.language,
    preview,
  };
  frame.contentWindow?.postMessage(handshake, location.origin, [port2]);
  return port1;
}
