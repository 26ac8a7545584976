/** A modal dialog on the native element: focus is held inside and goes back where it was. */

import type { ComponentChildren, JSX } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';

interface DialogProps {
  title: string;
  /** Shown at the top; without it the title is only for screen readers. */
  heading?: boolean;
  size?: 'small' | 'wide' | 'palette';
  /** Escape, the backdrop, or whatever inside calls it. The dialog is open while it is mounted. */
  onClose(): void;
  children: ComponentChildren;
}

/** What has `data-focus` is focused first. */
export function Dialog(props: DialogProps): JSX.Element {
  const { title, heading = true, size = 'small', onClose, children } = props;
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useLayoutEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    dialog?.querySelector<HTMLElement>('[data-focus]')?.focus();
    return () => dialog?.close();
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: a click on the backdrop is what Escape does by key.
    <dialog
      ref={element}
      class={`dialog ${size}`}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === event.currentTarget) onClose();
      }}
    >
      <div class="sheet">
        <h2 id={id} class={heading ? undefined : 'sr'}>
          {title}
        </h2>
        {children}
      </div>
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  text: string;
  /** What the button does, in a verb. */
  action: string;
  danger?: boolean;
  onConfirm(): void;
  onClose(): void;
}

/** Asks before something that cannot be undone. */
export function Confirm(props: ConfirmProps): JSX.Element {
  const { title, text, action, danger = false, onConfirm, onClose } = props;
  return (
    <Dialog title={title} onClose={onClose}>
      <p class="soft">{text}</p>
      <div class="buttons">
        <button type="button" class="quiet" data-focus onClick={onClose}>
          Cancel
        </button>
        <button
          type="button"
          class={danger ? 'primary danger' : 'primary'}
          onClick={() => {
            onClose();
            onConfirm();
          }}
        >
          {action}
        </button>
      </div>
    </Dialog>
  );
}
