//! Foreign APIs, held to their own documents: transcripts that are spoken to a whole node step by
//! step (`tests/transcripts`), and inventories that say which step proves each line of a document
//! (`tests/inventory`).

mod socket;
mod plain;
mod pattern;
mod transcript;
mod inventory;
mod phase5;
mod fullmag;
mod ges;
mod tms;
mod localpro;
mod pairs;
mod routing;
mod protocol;
mod hostile;

use std::path::PathBuf;

/// A folder below `tests/`.
fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}
