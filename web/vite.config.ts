import { defineConfig } from 'vite';

/**
 * One document and what it names. Each is built by itself (`UI_PAGE` says which), so that the widget
 * carries nothing that only the console uses. Scripts and styles get names by content, so they may
 * be kept for ever.
 */
export default defineConfig({
  base: '/',
  publicDir: false,
  logLevel: 'warn',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2022',
    cssTarget: ['chrome123', 'firefox120', 'safari17.5'],
    modulePreload: false,
    emptyOutDir: false,
    // A data: URL would need a hole in the policy of the pages.
    assetsInlineLimit: 0,
    rolldownOptions: { input: `${process.env.UI_PAGE}.html` },
  },
});
