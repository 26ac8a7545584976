//! The widget, the console and the demo page, embedded.
