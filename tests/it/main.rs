//! A whole node in this process, called from outside over loopback: one binary, because linking is
//! what costs.

mod http;
mod tokens;
mod node;
mod harness;
mod straight_line;
mod openapi;
