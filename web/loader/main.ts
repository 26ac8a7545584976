export {};

document.title += '';
