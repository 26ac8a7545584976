//! The keys that tests sign with.

/// Signs for the tenant `default`.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";
/// The public half of a key made for these tests alone; signs for the tenant `other`.
pub(crate) const OTHER_PUBLIC: &str = "Wu_rVO_1JE1-Rgm1cWEx2aoIDOPvjaJRqH5cX_vW_Ps";
