/** A person's picture: chosen, cut to a square here, and sent. */

import { type Signal, useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Dialog } from '../../ui/dialog.tsx';
import { Avatar } from '../../ui/parts.tsx';
import { inWords } from '../auth/words.ts';
import type { Shell } from '../shell.ts';
import { AVATAR_BYTES_MAX, type Crop, pushed, SIDE_PX, squareOf, WHOLE, ZOOM_MAX } from './crop.ts';
import { Panel } from './parts.tsx';

interface AvatarPanelProps {
  shell: Shell;
  /** Where the picture is put. */
  path: string;
  name: string;
  src: string | undefined;
  onChanged(): void;
}

export function AvatarPanel({ shell, path, name, src, onChanged }: AvatarPanelProps): JSX.Element {
  const picture = useSignal<ImageBitmap | null>(null);
  const input = useRef<HTMLInputElement>(null);
  const choose = async (file: File | undefined) => {
    if (file === undefined) return;
    try {
      picture.value = await createImageBitmap(file);
    } catch {
      shell.toasts.say('This is not a picture that can be read. Take a PNG, JPEG or WebP.', {
        bad: true,
      });
    }
  };
  const send = async (blob: Blob) => {
    try {
      await shell.session.ask('PUT', path, { body: blob });
      picture.value = null;
      shell.toasts.say('The picture is changed.');
      onChanged();
    } catch (error) {
      shell.toasts.say(inWords(error), { bad: true });
    }
  };
  const remove = async () => {
    try {
      await shell.session.ask('DELETE', path);
      shell.toasts.say('The picture is gone.');
      onChanged();
    } catch (error) {
      shell.toasts.say(inWords(error), { bad: true });
    }
  };
  return (
    <Panel title="Picture" text="Colleagues see it, and visitors where a widget shows pictures.">
      <div class="avatar-row">
        <Avatar name={name} src={src} large />
        <input
          ref={input}
          class="sr"
          type="file"
          tabIndex={-1}
          aria-label="Picture file"
          accept="image/png,image/jpeg,image/webp"
          onChange={(event) => {
            void choose(event.currentTarget.files?.[0]);
            event.currentTarget.value = '';
          }}
        />
        <button type="button" class="quiet" onClick={() => input.current?.click()}>
          {src ? 'Change picture…' : 'Choose a picture…'}
        </button>
        {src && (
          <button type="button" class="ghost" onClick={() => void remove()}>
            Remove
          </button>
        )}
      </div>
      {picture.value !== null && (
        <CropDialog
          picture={picture.value}
          onCut={(blob) => void send(blob)}
          onClose={() => {
            picture.value = null;
          }}
        />
      )}
    </Panel>
  );
}

interface CropProps {
  picture: ImageBitmap;
  onCut(blob: Blob): void;
  onClose(): void;
}

/** A key moves the square by this part of its side. */
const STEP = 0.05;
const STEPS: Record<string, readonly [number, number]> = {
  ArrowLeft: [-STEP, 0],
  ArrowRight: [STEP, 0],
  ArrowUp: [0, -STEP],
  ArrowDown: [0, STEP],
};

function CropDialog({ picture, onCut, onClose }: CropProps): JSX.Element {
  const crop = useSignal<Crop>(WHOLE);
  const canvas = useRef<HTMLCanvasElement>(null);
  const { zoom, x, y } = crop.value;
  useEffect(() => {
    if (canvas.current !== null) draw(canvas.current, picture, crop.value);
  }, [zoom, x, y]);
  const cut = async () => {
    const blob = await encoded(picture, crop.value);
    if (blob !== null) onCut(blob);
  };
  return (
    <Dialog title="Cut to a square" onClose={onClose}>
      <p class="soft">Drag it into place, or use the arrow keys.</p>
      <Stage crop={crop} picture={picture}>
        <canvas ref={canvas} width={SIDE_PX} height={SIDE_PX} />
      </Stage>
      <label class="field">
        Zoom
        <input
          type="range"
          min={1}
          max={ZOOM_MAX}
          step={0.05}
          value={zoom}
          onInput={(event) => {
            crop.value = { ...crop.peek(), zoom: Number(event.currentTarget.value) };
          }}
        />
      </label>
      <div class="buttons">
        <button type="button" class="quiet" onClick={onClose}>
          Cancel
        </button>
        <button type="button" class="primary" onClick={() => void cut()}>
          Use this
        </button>
      </div>
    </Dialog>
  );
}

interface StageProps {
  crop: Signal<Crop>;
  picture: ImageBitmap;
  children: JSX.Element;
}

function Stage({ crop, picture, children }: StageProps): JSX.Element {
  const from = useRef<{ x: number; y: number } | null>(null);
  return (
    <div
      class="crop"
      role="application"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: the arrow keys move what it shows.
      tabIndex={0}
      aria-label="Part of the picture; arrow keys move it"
      onKeyDown={(event) => {
        const step = STEPS[event.key];
        if (step === undefined) return;
        event.preventDefault();
        crop.value = pushed(picture, crop.peek(), step[0], step[1]);
      }}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        from.current = { x: event.clientX, y: event.clientY };
      }}
      onPointerMove={(event) => {
        if (from.current === null) return;
        const side = event.currentTarget.clientWidth;
        const [dx, dy] = [event.clientX - from.current.x, event.clientY - from.current.y];
        from.current = { x: event.clientX, y: event.clientY };
        // The picture follows the finger, so the square goes the other way.
        crop.value = pushed(picture, crop.peek(), -dx / side, -dy / side);
      }}
      onPointerUp={() => {
        from.current = null;
      }}
    >
      {children}
    </div>
  );
}

function draw(canvas: HTMLCanvasElement, picture: ImageBitmap, crop: Crop): void {
  const { x, y, side } = squareOf(picture, crop);
  const context = canvas.getContext('2d');
  if (context === null) return;
  context.imageSmoothingQuality = 'high';
  context.clearRect(0, 0, SIDE_PX, SIDE_PX);
  context.drawImage(picture, x, y, side, side, 0, 0, SIDE_PX, SIDE_PX);
}

/** The square as a file: a PNG, or a JPEG when that would be too large. */
async function encoded(picture: ImageBitmap, crop: Crop): Promise<Blob | null> {
  const canvas = document.createElement('canvas');
  canvas.width = SIDE_PX;
  canvas.height = SIDE_PX;
  draw(canvas, picture, crop);
  const as = (type: string) =>
    new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, type, 0.9));
  const png = await as('image/png');
  return png !== null && png.size <= AVATAR_BYTES_MAX ? png : as('image/jpeg');
}
