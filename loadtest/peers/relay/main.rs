//! The bare relay.
fn main() {}
