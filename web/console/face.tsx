/** A person's picture, or the letters of their name where there is none. */

import type { JSX } from 'preact';
import { Avatar } from '../ui/parts.tsx';

interface FaceProps {
  name: string;
  /** A path on this server. */
  src?: string | null | undefined;
  large?: boolean;
}

export function Face({ name, src, large }: FaceProps): JSX.Element {
  if (!src) return <Avatar name={name} {...(large ? { large } : {})} />;
  return <img class={large ? 'avatar large' : 'avatar'} src={src} alt="" />;
}
