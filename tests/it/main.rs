//! A whole node in this process, called from outside over loopback.

mod http;
mod tokens;
mod node;
mod openapi;
