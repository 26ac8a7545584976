/** A list that grows at the end and is read aloud as it does. */

import { Component, type ComponentChildren, createRef, type JSX } from 'preact';

interface LogProps {
  label: string;
  /** Changes whenever something was added at the beginning. */
  oldest: string;
  /** The newest thing that the reader wrote: writing leads back to the end. */
  own: string;
  /** What others wrote, by key, in order. */
  others: readonly string[];
  /** What the way back to the end says while `n` are unread below. */
  news(n: number): string;
  children: ComponentChildren;
}

/** So near to the end counts as there, in pixels. */
const NEAR = 40;

/**
 * It stays at the end while the reader is there, and otherwise where the reader is, also when older
 * items come in above. Then a button counts what is new below.
 */
export class Log extends Component<LogProps> {
  readonly #box = createRef<HTMLDivElement>();
  #atEnd = true;
  #fromEnd = 0;
  /** The last of the others that was seen. */
  #seen: string | undefined;
  #resize: ResizeObserver | null = null;

  override componentDidMount(): void {
    const box = this.#box.current;
    if (box === null) return;
    this.#resize = new ResizeObserver(() => this.#stay());
    this.#resize.observe(box);
    this.#stay();
  }

  override componentWillUnmount(): void {
    this.#resize?.disconnect();
  }

  override componentDidUpdate(before: LogProps): void {
    const box = this.#box.current;
    if (box === null) return;
    if (before.own !== this.props.own) this.#atEnd = true;
    if (!this.#atEnd && before.oldest !== this.props.oldest) {
      box.scrollTop = box.scrollHeight - this.#fromEnd;
    }
    this.#stay();
  }

  override render({ label, others, news, children }: LogProps): JSX.Element {
    if (this.#atEnd) this.#seen = others.at(-1);
    const fresh = others.length - 1 - others.lastIndexOf(this.#seen ?? '');
    return (
      <div class="talk">
        <div
          class="log"
          role="log"
          aria-label={label}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard.
          tabIndex={0}
          ref={this.#box}
          onScroll={() => this.#scrolled()}
        >
          <ol>{children}</ol>
        </div>
        {!this.#atEnd && fresh > 0 && (
          <button type="button" class="news" onClick={() => this.#end()}>
            {news(fresh)}
          </button>
        )}
      </div>
    );
  }

  #stay(): void {
    const box = this.#box.current;
    if (box !== null && this.#atEnd) box.scrollTop = box.scrollHeight;
  }

  #end(): void {
    this.#atEnd = true;
    this.#stay();
    this.#box.current?.focus();
    this.setState({});
  }

  #scrolled(): void {
    const box = this.#box.current;
    if (box === null) return;
    this.#fromEnd = box.scrollHeight - box.scrollTop;
    const atEnd = this.#fromEnd - box.clientHeight < NEAR;
    if (atEnd === this.#atEnd) return;
    this.#atEnd = atEnd;
    this.setState({});
  }
}
