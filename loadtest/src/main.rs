//! Load generators, fault campaigns and their checker.
fn main() {}
