/** Cutting a square out of a picture: where it lies, and how it is moved. Without a DOM. */

export interface Size {
  width: number;
  height: number;
}

export interface Crop {
  /** 1 shows as much as fits; larger shows less. */
  zoom: number;
  /** The middle of the square, in parts of the picture's width and height. */
  x: number;
  y: number;
}

export const ZOOM_MAX = 4;
/** The side of what is sent, in pixels: the server keeps 128. */
export const SIDE_PX = 256;
/** As on the server. */
export const AVATAR_BYTES_MAX = 512 * 1_024;

export const WHOLE: Crop = { zoom: 1, x: 0.5, y: 0.5 };

export interface Square {
  x: number;
  y: number;
  side: number;
}

/** The square in pixels of the picture. It never leaves the picture. */
export function squareOf({ width, height }: Size, { zoom, x, y }: Crop): Square {
  const side = Math.min(width, height) / between(zoom, 1, ZOOM_MAX);
  return {
    side,
    x: between(x * width - side / 2, 0, width - side),
    y: between(y * height - side / 2, 0, height - side),
  };
}

/** The crop after its square was pushed by so many of its own sides. */
export function pushed(size: Size, crop: Crop, dx: number, dy: number): Crop {
  const { x, y, side } = squareOf(size, crop);
  const next = {
    zoom: crop.zoom,
    x: (x + side / 2 + dx * side) / size.width,
    y: (y + side / 2 + dy * side) / size.height,
  };
  const kept = squareOf(size, next);
  return {
    zoom: crop.zoom,
    x: (kept.x + kept.side / 2) / size.width,
    y: (kept.y + kept.side / 2) / size.height,
  };
}

function between(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), most);
}
