//! Every bound of a conversation, with its unit and its reason.

/// Bytes of one message, note or whisper. Long enough for a pasted log, short enough that a
/// page of 200 stays under a megabyte or so.
pub const TEXT_BYTES_MAX: usize = 16_384;
/// Characters of the newest message that lists show: one line of a wide list.
pub const PREVIEW_CHARS_MAX: usize = 80;
/// Devices a conversation remembers in memory; others are looked up in the log. A person has a
/// few; the bound only limits what a hostile client can make us hold.
pub const DEVICES_KEPT_MAX: usize = 16;
/// Sends a device remembers by position; equal to what a client may have unacked, so that a
/// reconnect is answered from memory.
pub const SENDS_KEPT_MAX: usize = 16;
