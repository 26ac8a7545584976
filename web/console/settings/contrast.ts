/** Whether text can be read on a color (WCAG 2.2, 1.4.3), and the nearest color where it can. */

/** What running text needs. */
export const CONTRAST_MIN = 4.5;

export type Rgb = readonly [number, number, number];

/** Reads `#rrggbb`; `null` for anything else. */
export function parseColor(text: string): Rgb | null {
  const match = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(text.trim());
  if (match === null) return null;
  const [, red = '', green = '', blue = ''] = match;
  return [Number.parseInt(red, 16), Number.parseInt(green, 16), Number.parseInt(blue, 16)];
}

export function colorText(color: Rgb): string {
  return `#${color.map((part) => Math.round(part).toString(16).padStart(2, '0')).join('')}`;
}

function luminance(color: Rgb): number {
  const [red, green, blue] = color.map((part) => {
    const value = part / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** From 1 (the same) to 21 (black and white). */
export function contrast(a: Rgb, b: Rgb): number {
  const [dark, bright] = [luminance(a), luminance(b)].sort((one, other) => one - other) as [
    number,
    number,
  ];
  return (bright + 0.05) / (dark + 0.05);
}

const WHITE: Rgb = [255, 255, 255];
const BLACK: Rgb = [0, 0, 0];
/** Where black and white have the same contrast, as in `widget.css`. */
const MIDDLE = 0.18;

/** The color of text on a color, as the widget chooses it. It always can be read. */
export function inkOn(color: Rgb): Rgb {
  return luminance(color) < MIDDLE ? WHITE : BLACK;
}

/** Shades tried on the way to black and to white. */
const STEPS = 255;

/**
 * The nearest color to `color`, on its way to black or to white, that can be read against `on`.
 * There always is one: against any color black or white has at least 4.58.
 */
export function nearestReadable(color: Rgb, on: Rgb, least = CONTRAST_MIN): Rgb {
  const toward = (goal: Rgb): { color: Rgb; step: number } | null => {
    for (let step = 0; step <= STEPS; step += 1) {
      const mixed = color.map((part, idx) =>
        Math.round(part + (((goal[idx] ?? 0) - part) * step) / STEPS),
      ) as unknown as Rgb;
      if (contrast(mixed, on) >= least) return { color: mixed, step };
    }
    return null;
  };
  const found = [toward(BLACK), toward(WHITE)].filter((way) => way !== null);
  found.sort((a, b) => a.step - b.step);
  return found[0]?.color ?? BLACK;
}
