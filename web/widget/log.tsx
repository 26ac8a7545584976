/** A list that grows at the end and is read aloud as it does. */

import { Component, type ComponentChildren, createRef, type JSX } from 'preact';
import type { Place } from './stored.ts';

interface LogProps {
  label: string;
  /** Changes whenever something was added at the beginning. */
  oldest: string;
  /** The newest thing that the reader wrote: writing leads back to the end. */
  own: string;
  /** What others wrote, by key, in order. */
  others: readonly string[];
  /** Where an earlier page was left. */
  place: Place | null;
  /** Whether the newest part is there, so that what is missing is older or gone. */
  whole: boolean;
  /** Asks for what is before; `null` when there is nothing. */
  older: (() => void) | null;
  /** The reader stays at a place from now on; `null` is the end. */
  onPlace(place: Place | null): void;
  /** What the way back to the end says while `n` are unread below. */
  news(n: number): string;
  children: ComponentChildren;
}

/** So near to the end counts as there, in pixels. */
const NEAR = 40;
/** How many older pages are fetched for the place where an earlier page was left. */
const TRIES_MAX = 5;

/**
 * It stays at the end while the reader is there, and otherwise where the reader is, also when older
 * items come in above. Then a button counts what is new below.
 */
export class Log extends Component<LogProps> {
  readonly #box = createRef<HTMLDivElement>();
  /** Where to go back to as soon as that is there. */
  #wanted = this.props.place;
  #atEnd = this.#wanted === null;
  #fromEnd = 0;
  /** The last of the others that was seen. */
  #seen = this.#wanted?.[2];
  #resize: ResizeObserver | null = null;
  /** What was the oldest when older items were asked for, and how often they were. */
  #asked = '';
  #tries = 0;

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
    if (this.props.own !== '' && before.own !== this.props.own) {
      this.#wanted = null;
      this.#atEnd = true;
    }
    if (!this.#atEnd && this.#wanted === null && before.oldest !== this.props.oldest) {
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
        {!this.#atEnd && this.#wanted === null && fresh > 0 && (
          <button type="button" class="news" onClick={() => this.#end()}>
            {news(fresh)}
          </button>
        )}
      </div>
    );
  }

  #stay(): void {
    const box = this.#box.current;
    if (box === null) return;
    // A box that is not shown has no height, and nothing in it has a place.
    if (this.#wanted !== null && box.clientHeight > 0) this.#goBack(box, this.#wanted);
    if (this.#atEnd) box.scrollTop = box.scrollHeight;
  }

  /**
   * To where an earlier page was left, which may be long ago. What is gone leads to the end. The
   * transcript comes in parts, and only over all that is below can the box be scrolled so far.
   */
  #goBack(box: HTMLElement, [key, below]: Place): void {
    const { oldest, older, whole } = this.props;
    if (!whole) return;
    const item = document.getElementById(key);
    if (item !== null) {
      this.#wanted = null;
      box.scrollTop = item.offsetTop - below;
      this.setState({});
    } else if (oldest !== this.#asked) {
      this.#asked = oldest;
      if (older !== null && this.#tries++ < TRIES_MAX) {
        older();
      } else {
        this.#wanted = null;
        this.#atEnd = true;
      }
    }
  }

  #end(): void {
    this.#wanted = null;
    this.#atEnd = true;
    this.#stay();
    this.#box.current?.focus();
    this.setState({});
  }

  #scrolled(): void {
    const box = this.#box.current;
    if (box === null) return;
    this.#fromEnd = box.scrollHeight - box.scrollTop;
    if (box.clientHeight === 0) return;
    // Whoever scrolls has a place.
    this.#wanted = null;
    const atEnd = this.#fromEnd - box.clientHeight < NEAR;
    const first = [...box.querySelectorAll<HTMLElement>('[id]')].find(
      (item) => item.offsetTop + item.offsetHeight > box.scrollTop,
    );
    this.props.onPlace(
      atEnd || first === undefined
        ? null
        : [first.id, first.offsetTop - box.scrollTop, this.#seen ?? ''],
    );
    if (atEnd === this.#atEnd) return;
    this.#atEnd = atEnd;
    this.setState({});
  }
}
