//! How far a principal has got: delivered and read positions in the public stream.

use crate::conversation::Ordinals;
use crate::ids::Seq;

/// The position of one principal in one conversation. Both positions only rise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Receipt {
    /// Everything up to here has reached a device of the principal.
    pub received: Seq,
    /// Everything up to here has been read.
    pub read: Seq,
    /// The message counts at `read`, so that unread counts need no scan (P12).
    pub read_ordinals: Ordinals,
}
