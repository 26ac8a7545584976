/** A widget's settings as the server keeps them, what is wrong with them, and how visitors get them. */

import type { Settings as Shown } from '../../widget/settings.ts';
import {
  CONTRAST_MIN,
  colorText,
  contrast,
  nearestReadable,
  parseColor,
  type Rgb,
} from './contrast.ts';
import { type Hours, hoursTrouble } from './hours.ts';
import { checkOrigin } from './origins.ts';

export type Scheme = 'auto' | 'light' | 'dark';
export type Routing = 'manual' | 'least_busy' | 'round_robin' | 'skills';
export type QuestionKind = 'text' | 'email' | 'phone' | 'long' | 'choice';

export interface Theme {
  accent?: string;
  background?: string;
  text?: string;
  radius?: number;
  side: 'right' | 'left';
  scheme: Scheme;
  title?: string;
}

export interface Question {
  name: string;
  label: string;
  kind: QuestionKind;
  required: boolean;
  choices?: string[];
}

export interface Settings {
  name: string;
  enabled: boolean;
  allowed_origins: string[];
  welcome?: string;
  offline_message?: string;
  offline: { behavior: 'message' | 'form' | 'redirect'; redirect_url?: string };
  theme: Theme;
  locale: 'auto' | 'en' | 'ar';
  auto_open_s?: number;
  show_avatars: boolean;
  uploads: boolean;
  preview_typing: boolean;
  email_required: boolean;
  prechat: { fields: Question[] };
  departments: string[];
  department_required: boolean;
  identity_required: boolean;
  hours?: Hours;
  routing?: Routing;
  queue_max?: number;
}

export interface Widget {
  id: string;
  settings: Settings;
}

/** Questions before a conversation at most, as on the server. */
export const QUESTIONS_MAX = 8;
export const CHOICES_MAX = 32;
export const AUTO_OPEN_S_MAX = 600;
export const QUEUE_MAX_MAX = 10_000;
export const RADIUS_MAX = 24;
export const ACCENT = '#4338ca';

const WHITE: Rgb = [255, 255, 255];
/** The widget's own colors, where the settings say nothing. */
const OWN: Record<'light' | 'dark', { background: Rgb; text: Rgb }> = {
  light: { background: WHITE, text: [28, 30, 43] },
  dark: { background: [21, 23, 31], text: [236, 238, 244] },
};

export const DEFAULTS: Settings = {
  name: '',
  enabled: true,
  allowed_origins: [],
  offline: { behavior: 'message' },
  theme: { side: 'right', scheme: 'auto' },
  locale: 'auto',
  show_avatars: true,
  uploads: false,
  preview_typing: false,
  email_required: false,
  prechat: { fields: [] },
  departments: [],
  department_required: false,
  identity_required: false,
};

/** Settings with what the answer left out. */
export function whole(settings: Partial<Settings>): Settings {
  return {
    ...DEFAULTS,
    ...settings,
    theme: { ...DEFAULTS.theme, ...settings.theme },
    offline: { ...DEFAULTS.offline, ...settings.offline },
  };
}

/** Without the empty texts that mean nothing. */
export function trimmed(settings: Settings): Settings {
  const { welcome, offline_message, hours, routing, auto_open_s, queue_max, ...rest } = settings;
  const { title, accent, background, text, radius, ...theme } = settings.theme;
  const { redirect_url, ...offline } = settings.offline;
  return {
    ...rest,
    theme: {
      ...theme,
      ...(title?.trim() && { title }),
      ...(accent && { accent }),
      ...(background && { background }),
      ...(text && { text }),
      ...(radius !== undefined && { radius }),
    },
    offline: { ...offline, ...(redirect_url?.trim() && { redirect_url }) },
    ...(welcome?.trim() && { welcome }),
    ...(offline_message?.trim() && { offline_message }),
    ...(hours && { hours }),
    ...(routing && { routing }),
    ...(auto_open_s !== undefined && { auto_open_s }),
    ...(queue_max !== undefined && { queue_max }),
  };
}

/** A color that cannot be read, and the nearest one that can. */
export interface ColorTrouble {
  field: 'background' | 'text';
  ratio: number;
  /** What it is held against. */
  against: string;
  better: string;
}

/**
 * Colors whose text would be hard to read. Colors that are none are another matter. What stands on
 * the accent is white or black, whichever can be read.
 */
export function colorTroubles(theme: Theme): ColorTrouble[] {
  const troubles: ColorTrouble[] = [];
  const background = parseColor(theme.background ?? '');
  const text = parseColor(theme.text ?? '');
  if (background === null && text === null) return troubles;
  const schemes = theme.scheme === 'auto' ? (['light', 'dark'] as const) : [theme.scheme];
  for (const scheme of schemes) {
    const under = background ?? OWN[scheme].background;
    const over = text ?? OWN[scheme].text;
    const ratio = contrast(under, over);
    if (ratio >= CONTRAST_MIN) continue;
    const [field, color, on] =
      text === null ? (['background', under, over] as const) : (['text', over, under] as const);
    const against = field === 'text' ? 'the background' : 'the text on it';
    const where =
      theme.scheme === 'auto' && !(background && text) ? ` in the ${scheme} scheme` : '';
    troubles.push({
      field,
      ratio,
      against: against + where,
      better: colorText(nearestReadable(color, on)),
    });
    break;
  }
  return troubles;
}

/** What is wrong, by field of the settings. */
export function widgetTroubles(settings: Settings): Record<string, string> {
  const troubles: Record<string, string> = {};
  if (settings.name.trim() === '') troubles.name = 'A widget needs a name.';
  const bad = settings.allowed_origins.map(checkOrigin).find((checked) => 'trouble' in checked);
  if (bad !== undefined && 'trouble' in bad) troubles.allowed_origins = bad.trouble;
  const { theme } = settings;
  for (const field of ['accent', 'background', 'text'] as const) {
    const color = theme[field];
    if (color && parseColor(color) === null) troubles.theme = 'A color is written #rrggbb.';
  }
  if (colorTroubles(theme).length > 0) {
    troubles.theme ??= 'A color has too little contrast for its text.';
  }
  if (settings.auto_open_s !== undefined && !isBetween(settings.auto_open_s, 0, AUTO_OPEN_S_MAX)) {
    troubles.auto_open_s = `Write 0 to ${AUTO_OPEN_S_MAX} seconds.`;
  }
  if (settings.queue_max !== undefined && !isBetween(settings.queue_max, 1, QUEUE_MAX_MAX)) {
    troubles.queue_max = `Write 1 to ${QUEUE_MAX_MAX.toLocaleString('en')}, or nothing.`;
  }
  if (settings.offline.behavior === 'redirect') {
    const trouble = linkTrouble(settings.offline.redirect_url ?? '');
    if (trouble !== null) troubles.offline = trouble;
  }
  if (settings.department_required && settings.departments.length === 0) {
    troubles.department_required = 'Offer departments to choose from first.';
  }
  const asked = settings.prechat.fields.map((_field, idx) => questionTrouble(settings, idx));
  const first = asked.find((trouble) => trouble !== null);
  if (first) troubles.prechat = first;
  const hours = settings.hours === undefined ? null : hoursTrouble(settings.hours);
  if (hours !== null) troubles.hours = hours;
  return troubles;
}

/** What is wrong with one question. */
export function questionTrouble({ prechat }: Settings, idx: number): string | null {
  const question = prechat.fields[idx];
  if (question === undefined) return null;
  if (question.label.trim() === '') return 'Write the question that visitors read.';
  if (!/^[a-z0-9][a-z0-9_-]{0,63}$/.test(question.name)) {
    return 'Its name may have a–z, 0–9, - and _, and begins with a letter or digit.';
  }
  if (prechat.fields.findIndex(({ name }) => name === question.name) !== idx) {
    return `“${question.name}” is asked twice.`;
  }
  if (question.kind === 'choice') {
    const choices = (question.choices ?? []).map((choice) => choice.trim());
    if (choices.length === 0 || choices.some((choice) => choice === '')) {
      return 'Write the choices, one a line.';
    }
    if (new Set(choices).size < choices.length) return 'A choice stands there twice.';
    if (choices.length > CHOICES_MAX) return `At most ${CHOICES_MAX} choices.`;
  }
  return null;
}

/** The names that become the contact have kinds of their own. */
export const CONTACT_KINDS: Record<string, QuestionKind> = {
  name: 'text',
  email: 'email',
  phone: 'phone',
};

/** A name for the answers to a question, from its words, that no other question has. */
export function nameFor(label: string, taken: readonly string[]): string {
  const words = label
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '_')
    .replace(/^_+|_+$/g, '')
    .slice(0, 48);
  const base = words === '' || words in CONTACT_KINDS ? 'question' : words;
  for (let n = 1; ; n += 1) {
    const name = n === 1 ? base : `${base}_${n}`;
    if (!taken.includes(name)) return name;
  }
}

function linkTrouble(text: string): string | null {
  let url: URL;
  try {
    url = new URL(text.trim());
  } catch {
    return 'Write the whole address of a page, such as https://www.example.com/contact.';
  }
  const checked = checkOrigin(url.origin);
  return 'trouble' in checked ? checked.trouble : null;
}

function isBetween(number: number, least: number, most: number): boolean {
  return Number.isInteger(number) && number >= least && number <= most;
}

/** A short name for a new widget or department, from what people call it. */
export function shortName(name: string): string {
  return name
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 40);
}

export function isShortName(text: string): boolean {
  return /^[a-z0-9][a-z0-9_-]{0,63}$/.test(text);
}

/** The settings as `GET /v1/widgets/{id}` would give them to a visitor, for the preview. */
export function asVisitorsGetIt(
  id: string,
  settings: Settings,
  departments: readonly { id: string; name: string }[],
  there: boolean,
): Shown {
  const { name, welcome, offline_message, theme } = settings;
  const offered = departments.filter((department) => settings.departments.includes(department.id));
  return {
    id,
    name: theme.title?.trim() || name,
    welcome: welcome ?? '',
    offline_message: offline_message ?? '',
    offline: settings.offline,
    theme,
    locale: settings.locale,
    show_avatars: settings.show_avatars,
    preview_typing: settings.preview_typing,
    email_required: settings.email_required,
    prechat: settings.prechat,
    departments: offered.map((department) => ({ id: department.id, name: department.name })),
    department_required: settings.department_required,
    identity_required: settings.identity_required,
    open: there,
    online: there,
  };
}
