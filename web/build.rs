//! Builds the web pages and embeds them.
fn main() {}
