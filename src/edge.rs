//! The doors: bytes from outside become commands, and events become bytes.

pub mod listener;
pub mod admin;
