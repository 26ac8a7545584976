//! The `switchboard` command.

use std::process::ExitCode;

/// Memory of idle connections is what a node is sized by; this allocator packs small things
/// tightly and gives back what a burst took.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    // What is not text cannot be one of our settings.
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    switchboard::cli::run(std::env::args_os(), environment)
}
