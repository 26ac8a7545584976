//! Networks as operators write them: `10.0.0.0/8`, `2001:db8::/32`, or one address.

use std::net::IpAddr;
use std::str::FromStr;

/// Addresses that have their first bits in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Its first address.
    first: IpAddr,
    /// How many bits are in common.
    n_bits: u8,
}

/// Why a text is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// What stands before the slash is no address.
    #[error("its address cannot be read")]
    Address,
    /// What stands behind the slash is no number of bits.
    #[error("its number of bits cannot be read")]
    Bits,
    /// The address has bits beyond those in common: one of the two is a mistake.
    #[error("its address has bits beyond its own")]
    Beyond,
}

impl Network {
    /// Whether an address lies in it. An IPv4 address is the same in the clothes of IPv6.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.first, address.to_canonical()) {
            (IpAddr::V4(first), IpAddr::V4(address)) => {
                (first.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(self.n_bits)
            }
            (IpAddr::V6(first), IpAddr::V6(address)) => {
                (first.to_bits() ^ address.to_bits()).leading_zeros() >= u32::from(self.n_bits)
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

impl FromStr for Network {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let (address, bits) = text.split_once('/').map_or((text, None), |(a, b)| (a, Some(b)));
        let first: IpAddr = address.parse().map_err(|_no_address| Unreadable::Address)?;
        let (n_bits_max, n_zeros) = match first {
            IpAddr::V4(first) => (32, first.to_bits().trailing_zeros()),
            IpAddr::V6(first) => (128, first.to_bits().trailing_zeros()),
        };
        let n_bits = match bits {
            None => n_bits_max,
            Some(bits) => bits.parse().map_err(|_no_number| Unreadable::Bits)?,
        };
        if n_bits > n_bits_max {
            return Err(Unreadable::Bits);
        }
        if n_zeros < u32::from(n_bits_max - n_bits) {
            return Err(Unreadable::Beyond);
        }
        Ok(Self { first, n_bits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_what_begins_like_it() {
        for (network, address, holds) in [
            ("10.0.0.0/8", "10.255.1.2", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("192.0.2.128/25", "192.0.2.129", true),
            ("192.0.2.128/25", "192.0.2.127", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("127.0.0.1", "127.0.0.2", false),
            ("0.0.0.0/0", "203.0.113.7", true),
            ("0.0.0.0/0", "2001:db8::1", false),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("::/0", "2001:db9::1", true),
            ("::1", "::1", true),
        ] {
            let network: Network = network.parse().unwrap();
            assert_eq!(network.holds(address.parse().unwrap()), holds, "{network:?} {address}");
        }
    }

    #[test]
    fn what_is_no_network_says_why() {
        for (text, why) in [
            ("", Unreadable::Address),
            ("localhost", Unreadable::Address),
            ("10.0.0/8", Unreadable::Address),
            ("10.0.0.0/", Unreadable::Bits),
            ("10.0.0.0/33", Unreadable::Bits),
            ("10.0.0.0/-1", Unreadable::Bits),
            ("::/129", Unreadable::Bits),
            ("10.0.0.1/8", Unreadable::Beyond),
            ("2001:db8::1/32", Unreadable::Beyond),
        ] {
            assert_eq!(text.parse::<Network>(), Err(why), "{text}");
        }
    }
}
