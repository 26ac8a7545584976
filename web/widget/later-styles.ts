import styles from './later.css?inline';

/** The styles of later parts: a sheet that is made, because no policy lets an inline one in. */
export function wear(): void {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(styles);
  document.adoptedStyleSheets.push(sheet);
}
