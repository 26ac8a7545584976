//! Who calls: the address behind the proxies that the operator trusts.

use std::net::{IpAddr, SocketAddr};

use http::HeaderMap;

/// Where proxies write who called them, oldest first.
const FORWARDED_FOR: &str = "x-forwarded-for";

/// Who sent a request; an extension of each one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The client, as far as trusted hops say; what limits count by.
    pub address: IpAddr,
    /// The other end of the socket.
    pub direct: SocketAddr,
    /// Whether the request says that somebody passed it on, trusted or not.
    pub is_forwarded: bool,
}

impl Peer {
    /// Reads the client's address: with `hops` trusted proxies, each of which appended the address
    /// it was called from, the client is the `hops`-th entry from the right. What stands further
    /// left was written by strangers. When it is missing or no address, the other end of the
    /// socket is all we know.
    #[must_use]
    pub fn read(headers: &HeaderMap, direct: SocketAddr, hops: u8) -> Self {
        let is_forwarded = headers.contains_key(FORWARDED_FOR) || headers.contains_key("forwarded");
        let trusted = hops.checked_sub(1).and_then(|skipped| {
            let lines = headers.get_all(FORWARDED_FOR).iter().rev();
            let entries = lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b','));
            let entry = entries.take(usize::from(hops)).nth(usize::from(skipped))?;
            parse(std::str::from_utf8(entry).ok()?.trim())
        });
        let address = trusted.unwrap_or(direct.ip()).to_canonical();
        Self { address, direct, is_forwarded }
    }
}

/// An address, with or without a port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`,
/// `[2001:db8::1]`, `[2001:db8::1]:80`.
fn parse(entry: &str) -> Option<IpAddr> {
    let bare = entry.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(entry);
    let with_port = || entry.parse::<SocketAddr>().ok().map(|address| address.ip());
    bare.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header lines, the trusted hops, the address that counts.
    fn check(lines: &[&str], hops: u8, expected: &str) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        let direct = SocketAddr::from(([10, 0, 0, 9], 1_234));
        let peer = Peer::read(&headers, direct, hops);
        assert_eq!(peer.address.to_string(), expected, "{lines:?} with {hops} hops");
        assert_eq!(peer.is_forwarded, !lines.is_empty());
    }

    #[test]
    fn only_the_right_most_untrusted_address_counts() {
        check(&[], 0, "10.0.0.9");
        check(&["192.0.2.1"], 0, "10.0.0.9");
        check(&[], 1, "10.0.0.9");
        check(&["192.0.2.1"], 1, "192.0.2.1");
        check(&["198.51.100.7, 192.0.2.1"], 1, "192.0.2.1");
        check(&["198.51.100.7", "192.0.2.1"], 1, "192.0.2.1");
        check(&["198.51.100.7, 192.0.2.1"], 2, "198.51.100.7");
        check(&["198.51.100.7", "192.0.2.1"], 2, "198.51.100.7");
        check(&["203.0.113.5, 198.51.100.7,192.0.2.1"], 2, "198.51.100.7");
        check(&["192.0.2.1"], 2, "10.0.0.9");
        check(&["192.0.2.1, not an address"], 1, "10.0.0.9");
        check(&["192.0.2.1,"], 1, "10.0.0.9");
        check(&["192.0.2.1:4711"], 1, "192.0.2.1");
        check(&["2001:db8::1"], 1, "2001:db8::1");
        check(&["[2001:db8::1]"], 1, "2001:db8::1");
        check(&["[2001:db8::1]:4711"], 1, "2001:db8::1");
        check(&["::ffff:192.0.2.1"], 1, "192.0.2.1");
    }
}
