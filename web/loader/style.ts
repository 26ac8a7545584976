/** What the loader looks like. `--switchboard-…` may be set by the host page. */
export const CSS = [
  ':host{all:initial;--a:#4338ca;--x:var(--switchboard-x,20px);--y:var(--switchboard-y,20px)}',
  'button{font:14px system-ui;border:1px solid #0000;cursor:pointer;background:none;color:inherit}',
  '.l,.p,.n{position:fixed;z-index:var(--switchboard-z,2147483000);inset-inline-end:var(--x);inset-block-end:calc(var(--y) + 72px);border-radius:18px;box-shadow:0 4px 20px #0005}',
  '.left *{inset-inline:var(--x) auto}',
  '.l{inset-block-end:var(--y);border-radius:50%;width:60px;height:60px;background:var(--switchboard-accent,var(--a));color:var(--switchboard-ink,lch(from var(--a) calc(4999 - 99*l) 0 0))}',
  ':focus-visible{outline:3px solid;outline-offset:-6px}',
  'i{display:block;width:26px;height:26px;margin:auto;background:currentColor;clip-path:path("M13 1a12 12 0 1 1-6 22l-6 2 2-6A12 12 0 0 1 13 1z");forced-color-adjust:none}',
  '[aria-expanded=true] i{clip-path:path("M4 8l9 9 9-9 2 3-11 11L2 11z")}',
  'b{position:absolute;top:-6px;inset-inline:auto -6px;min-width:20px;padding:0 4px;border-radius:18px;background:#b91c1c;color:#fff;line-height:22px}',
  'b:empty,[hidden]{display:none!important}',
  '.p{width:392px;height:min(680px,100vh - 112px)}',
  'iframe{width:100%;height:100%;border:0;border-radius:inherit}',
  '.n{display:flex;max-width:min(320px,100vw - 40px);background:#fff;color:#111}',
  '.n *{min-width:44px;min-height:44px;max-height:88px;padding:12px;text-align:start;overflow:hidden;overflow-wrap:anywhere}',
  '@media(max-width:480px){.p,.left .p{inset:0;width:100%;height:100%;border-radius:0}.p:not([hidden])~.l{display:none}}',
].join('');
