import { defineConfig } from 'vite';

/** The three documents. Their scripts and styles get names by content, so they may be kept for ever. */
export default defineConfig({
  base: '/',
  publicDir: false,
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2022',
    modulePreload: false,
    // A data: URL would need a hole in the policy of the pages.
    assetsInlineLimit: 0,
    rolldownOptions: {
      input: { console: 'console.html', demo: 'demo.html', widget: 'widget.html' },
    },
  },
});
