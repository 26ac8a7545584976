//! The doors: bytes from outside become commands, and events become bytes. A door translates and
//! never decides; what is allowed is said in the domain and asked through the actors' handles.

pub mod request_id;
pub mod problem;
pub mod limits;
pub mod network;
pub mod listener;
pub mod connections;
pub mod trails;
pub mod viewers;
pub mod line;
pub mod doors;
pub mod assets;
pub mod admin;
pub mod caller;
pub mod presences;
pub mod commands;
pub mod cookies;
pub mod device;
pub mod headers;
pub mod cross_origin;
pub mod time;
pub mod opening;
pub mod search;
pub mod writing;
pub mod numbers;
pub mod native;
pub mod dialect;
