import { expect, test } from 'vitest';
import { colorText, contrast, inkOn, nearestReadable, parseColor, type Rgb } from './contrast.ts';
import {
  dayTroubles,
  hoursTrouble,
  minuteOfDay,
  nextSpan,
  officeHours,
  verdictText,
} from './hours.ts';
import { checkOrigin } from './origins.ts';
import {
  asVisitorsGetIt,
  colorTroubles,
  DEFAULTS,
  nameFor,
  type Settings,
  shortName,
  trimmed,
  whole,
  widgetTroubles,
} from './widget.ts';

test('contrast is that of WCAG', () => {
  const ratio = (a: string, b: string) =>
    contrast(parseColor(a) as Rgb, parseColor(b) as Rgb).toFixed(2);
  expect(ratio('#000000', '#ffffff')).toBe('21.00');
  expect(ratio('#777777', '#ffffff')).toBe('4.48');
  expect(ratio('#ffffff', '#777777')).toBe('4.48');
  expect(ratio('#4338ca', '#ffffff')).toBe('7.90');
  for (const bad of ['', 'red', '#fff', '#12345g', '#1234567']) expect(parseColor(bad)).toBe(null);
});

test('every color has a readable one near it, on every background', () => {
  const parts = [0, 51, 102, 153, 204, 255];
  for (const red of parts)
    for (const green of parts)
      for (const blue of parts) {
        for (const on of [
          [255, 255, 255],
          [118, 118, 118],
          [0, 0, 0],
          [blue, red, green],
        ] as Rgb[]) {
          const better = nearestReadable([red, green, blue], on);
          expect(contrast(better, on)).toBeGreaterThanOrEqual(4.5);
          expect(parseColor(colorText(better))).toEqual(better);
        }
      }
});

test('a readable color stays as it is, and another changes as little as it must', () => {
  expect(nearestReadable([67, 56, 202], [255, 255, 255])).toEqual([67, 56, 202]);
  const better = nearestReadable([119, 119, 119], [255, 255, 255]);
  expect(better).toEqual([118, 118, 118]);
});

test('on every accent the ink of the widget can be read', () => {
  const parts = [0, 36, 73, 109, 146, 182, 219, 255];
  for (const red of parts)
    for (const green of parts)
      for (const blue of parts) {
        const color: Rgb = [red, green, blue];
        expect(contrast(color, inkOn(color)), colorText(color)).toBeGreaterThanOrEqual(4.5);
      }
  for (const accent of ['#ffd000', '#ffffff', '#000000', '#777777'])
    expect(colorTroubles({ side: 'right', scheme: 'auto', accent })).toEqual([]);
});

test('a color that cannot be read is refused with one that can', () => {
  const gray = { side: 'right', scheme: 'light', background: '#888888', text: '#999999' } as const;
  const [trouble] = colorTroubles(gray);
  expect(trouble).toMatchObject({ field: 'text', against: 'the background' });
  expect(colorTroubles({ ...gray, text: trouble?.better ?? '' })).toEqual([]);
  // Alone it is held against the scheme's own text, in each scheme that may come.
  const white = { side: 'right', background: '#ffffff' } as const;
  expect(colorTroubles({ ...white, scheme: 'light' })).toEqual([]);
  expect(colorTroubles({ ...white, scheme: 'auto' })[0]?.against).toMatch(/dark scheme/);
});

test.each([
  ['https://www.example.com', 'https://www.example.com'],
  ['www.Example.com', 'https://www.example.com'],
  ['  https://example.com/page?x#y ', 'https://example.com'],
  ['https://example.com:443', 'https://example.com'],
  ['https://example.com:8443', 'https://example.com:8443'],
  ['*.example.com', 'https://*.example.com'],
  ['https://*.shop.example.com/', 'https://*.shop.example.com'],
  ['münchen.example', 'https://xn--mnchen-3ya.example'],
  ['localhost:3000', 'http://localhost:3000'],
  ['http://localhost:*', 'http://localhost:*'],
  ['127.0.0.1:8081', 'http://127.0.0.1:8081'],
  ['http://[::1]:5000', 'http://[::1]:5000'],
])('%s is the site %s', (typed, origin) => {
  expect(checkOrigin(typed)).toEqual({ origin });
  // What the server keeps may be written again.
  expect(checkOrigin(origin)).toEqual({ origin });
});

test.each([
  ['', /Write a domain/],
  ['*', /every site/],
  ['https://*', /not a domain|star/],
  ['http://example.com', /Use https:\/\/example\.com/],
  ['ftp://example.com', /https/],
  ['javascript:alert(1)', /./],
  ['https://user:word@example.com', /name and password/],
  ['a.*.example.com', /star/],
  ['*.com', /two parts/],
  ['*.127.0.0.1', /two parts/],
  ['https://example.com:*', /Any port/],
  ['example', /no ending/],
  ['a.com b.com', /One domain/],
])('%j is refused with a word what to do', (typed, words) => {
  const checked = checkOrigin(typed);
  expect('trouble' in checked && checked.trouble).toMatch(words);
});

test('hours are times in order', () => {
  expect(minuteOfDay('09:30')).toBe(570);
  expect(minuteOfDay('24:00')).toBe(1_440);
  for (const bad of ['9:30', '24:01', '12:60', 'x']) expect(minuteOfDay(bad)).toBe(null);
  const troubles = dayTroubles([
    { from: '09:00', to: '12:00' },
    { from: '11:00', to: '13:00' },
    { from: '15:00', to: '14:00' },
    { from: '', to: '18:00' },
  ]);
  expect(troubles.map((trouble) => trouble === null)).toEqual([true, false, false, false]);
  expect(hoursTrouble(officeHours('Europe/Berlin'))).toBe(null);
  expect(hoursTrouble(officeHours('Mars/Base'))).toMatch(/time zone/);
  expect(hoursTrouble({ ...officeHours('UTC'), days: {} })).toMatch(/never be open/);
  expect(nextSpan([{ from: '09:00', to: '12:00' }])).toEqual({ from: '13:00', to: '17:00' });
  expect(dayTroubles([nextSpan([{ from: '20:00', to: '24:00' }])])).toEqual([null]);
});

const GOOD: Settings = { ...DEFAULTS, name: 'Shop' };

test.each<[string, Partial<Settings>, RegExp]>([
  ['name', { name: ' ' }, /name/],
  ['allowed_origins', { allowed_origins: ['http://example.com'] }, /https/],
  ['theme', { theme: { ...DEFAULTS.theme, background: '#777777' } }, /contrast/],
  ['theme', { theme: { ...DEFAULTS.theme, text: 'red' } }, /#rrggbb/],
  ['auto_open_s', { auto_open_s: 601 }, /600/],
  ['queue_max', { queue_max: 0 }, /10,000/],
  ['offline', { offline: { behavior: 'redirect' } }, /whole address/],
  ['offline', { offline: { behavior: 'redirect', redirect_url: 'javascript:x' } }, /./],
  ['department_required', { department_required: true }, /departments/],
  ['hours', { hours: officeHours('') }, /time zone/],
  [
    'prechat',
    { prechat: { fields: [{ name: 'size', label: 'Size', kind: 'choice', required: false }] } },
    /choices/,
  ],
])('%s is looked at before it is sent', (field, change, words) => {
  expect(widgetTroubles(GOOD)).toEqual({});
  const troubles = widgetTroubles({ ...GOOD, ...change });
  expect(Object.keys(troubles)).toEqual([field]);
  expect(troubles[field]).toMatch(words);
});

test('a question gets a name from its words that no other has', () => {
  expect(nameFor('Your order number?', [])).toBe('your_order_number');
  expect(nameFor('Size', ['size', 'size_2'])).toBe('size_3');
  expect(nameFor('Email', [])).toBe('question');
  expect(nameFor('رقم', ['question'])).toBe('question_2');
  expect(shortName(' Größe & Co. ')).toBe('gro-e-co');
});

test('what says nothing is not sent, and what is left out is as the server has it', () => {
  const sent = trimmed({ ...GOOD, welcome: '  ', theme: { ...GOOD.theme, title: '' } });
  expect('welcome' in sent || 'title' in sent.theme).toBe(false);
  expect(whole(sent)).toEqual(GOOD);
});

test('visitors never get the list of sites, and only the departments offered', () => {
  const settings = { ...GOOD, allowed_origins: ['https://a.example'], departments: ['sales'] };
  const departments = [
    { id: 'sales', name: 'Sales' },
    { id: 'secret', name: 'Secret' },
  ];
  const got = JSON.stringify(asVisitorsGetIt('shop', settings, departments, true));
  expect(got).not.toContain('a.example');
  expect(got).not.toContain('Secret');
  expect(got).toContain('"name":"Sales"');
});

test('what the server says of hours is told with why and what comes next, in their own zone', () => {
  const hours = officeHours('Europe/Berlin');
  const at = '2026-12-24T09:00:00.000Z';
  const next = '2026-12-28T08:00:00.000Z';
  for (const [verdict, words] of [
    [
      { at, open: true, reason: 'within', closes_at: '2026-12-24T16:00:00.000Z' },
      'Open: within the hours of Thursday. It closes on Thursday, December 24, 2026 at 5:00 PM.',
    ],
    [{ at, open: true, reason: 'within' }, /It does not close within a year\.$/],
    [
      { at, open: false, reason: 'holiday', next_open_at: next },
      'Closed: that day is closed altogether. It opens next on Monday, December 28, 2026 at 9:00 AM.',
    ],
    [
      { at, open: false, reason: 'closed_day', next_open_at: next },
      /^Closed: Thursday has no hours\./,
    ],
    [{ at, open: false, reason: 'outside' }, /outside the hours of Thursday\. It does not open/],
  ] as const) {
    expect(verdictText(verdict, hours, 'en-US').replaceAll(/\s/g, ' ')).toMatch(words);
  }
});
