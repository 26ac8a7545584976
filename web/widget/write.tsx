/** Where the visitor writes. */

import { Component, createRef, type JSX } from 'preact';
import { Icon } from './icons.tsx';
import type { Widget } from './model.ts';
import { say } from './words.ts';

interface WriteProps {
  widget: Widget;
  text: string;
  editing: boolean;
  bytesMax: number;
  /** Counts the times that the visitor opened the panel, to take the focus then and only then. */
  opened: number;
  previewed: boolean;
}

/** Enter sends, Shift+Enter makes a line, and an input method's Enter is the input method's. */
export class Write extends Component<WriteProps> {
  readonly #input = createRef<HTMLTextAreaElement>();

  override componentDidMount(): void {
    if (this.props.opened > 0) this.#input.current?.focus();
  }

  override componentDidUpdate(before: WriteProps): void {
    const { opened, editing } = this.props;
    if (opened !== before.opened || (editing && !before.editing)) this.#input.current?.focus();
  }

  override render({ widget, text, editing, bytesMax, previewed }: WriteProps): JSX.Element {
    const tooLong = new TextEncoder().encode(text).length > bytesMax;
    const empty = text.trim() === '';
    const send = () => {
      if (!empty && !tooLong) widget.send(text.trim());
    };
    const press = (event: KeyboardEvent) => {
      // Some browsers end a composition with this code and no `isComposing`.
      if (event.isComposing || event.keyCode === 229) return;
      if (event.key === 'Enter' && !event.shiftKey) {
        event.preventDefault();
        send();
      } else if (event.key === 'ArrowUp' && text === '') {
        event.preventDefault();
        widget.editLast();
      } else if (event.key === 'Escape' && editing) {
        event.stopPropagation();
        widget.cancelEdit();
      }
    };
    return (
      <form
        class="composer"
        onSubmit={(event) => {
          event.preventDefault();
          send();
          this.#input.current?.focus();
        }}
      >
        {editing && (
          <p class="hint">
            {say('editing')}
            <button type="button" class="link" onClick={() => widget.cancelEdit()}>
              {say('cancel')}
            </button>
          </p>
        )}
        <div class="box">
          <textarea
            ref={this.#input}
            aria-label={say('message')}
            aria-invalid={tooLong}
            placeholder={say('write')}
            rows={1}
            dir="auto"
            value={text}
            onInput={(event) => widget.write(event.currentTarget.value)}
            onKeyDown={press}
          />
          <button type="submit" class="send" aria-label={say('send')} disabled={empty || tooLong}>
            <Icon name="send" />
          </button>
        </div>
        {tooLong && (
          <p class="hint bad" role="alert">
            {say('too_long')}
          </p>
        )}
        {previewed && <p class="hint">{say('previewed')}</p>}
      </form>
    );
  }
}
