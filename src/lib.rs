//! Switchboard, a live-chat cluster in one binary.
