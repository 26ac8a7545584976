//! What the server sees of the device on which a conversation begins.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::{HeaderMap, header};
use switchboard_domain::limit::CONTEXT_BYTES_MAX;

/// Bytes of a browser's name that are kept: real ones have two hundred.
const USER_AGENT_BYTES_MAX: usize = 512;
/// What the server notes of the device; a widget cannot say it.
pub const USER_AGENT: &str = "user_agent";
/// See [`USER_AGENT`].
pub const ADDRESS: &str = "address";

/// What the server notes of the device on which a conversation begins, instead of what the widget
/// may have said under the same names. When there is no room beside what the widget said, nothing.
pub fn note_device(context: &mut BTreeMap<String, String>, headers: &HeaderMap, address: IpAddr) {
    context.remove(USER_AGENT);
    context.remove(ADDRESS);
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    let agent = agent.map(|text| text.get(..USER_AGENT_BYTES_MAX).unwrap_or(text).to_owned());
    for (name, value) in [(USER_AGENT, agent), (ADDRESS, Some(network_of(address).to_string()))] {
        let taken: usize = context.iter().map(|(name, value)| name.len() + value.len()).sum();
        if let Some(value) = value
            && taken + name.len() + value.len() <= CONTEXT_BYTES_MAX
        {
            context.insert(name.to_owned(), value);
        }
    }
}

/// An address without what tells one line of a network from another: the last byte of IPv4, all
/// behind the first 48 bits of IPv6.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            Ipv4Addr::new(a, b, c, 0).into()
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(context: &[(&str, &str)], agent: &str, address: &str) -> BTreeMap<String, String> {
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let mut context: BTreeMap<_, _> = context.iter().map(own).collect();
        let headers = HeaderMap::from_iter([(header::USER_AGENT, agent.parse().unwrap())]);
        note_device(&mut context, &headers, address.parse().unwrap());
        context
    }

    #[test]
    fn the_device_is_what_the_server_sees_and_not_what_the_widget_says() {
        let said = [("page", "https://a.example/"), ("user_agent", "x"), ("address", "8.8.8.8")];
        let noted = noted(&said, "Firefox", "203.0.113.77");
        assert_eq!(noted["page"], "https://a.example/");
        assert_eq!((&*noted["user_agent"], &*noted["address"]), ("Firefox", "203.0.113.0"));
    }

    #[test]
    fn of_an_address_its_network_is_kept() {
        for (address, network) in [
            ("127.0.0.1", "127.0.0.0"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
            ("::ffff:203.0.113.77", "203.0.113.0"),
        ] {
            assert_eq!(noted(&[], "x", address)["address"], network);
        }
    }

    #[test]
    fn what_is_noted_is_bounded_and_leaves_the_rest_alone() {
        let long = noted(&[], &"a".repeat(5_000), "127.0.0.1");
        assert_eq!(long["user_agent"].len(), USER_AGENT_BYTES_MAX);
        let full = "x".repeat(CONTEXT_BYTES_MAX - 4);
        let noted = noted(&[("page", &full)], "Firefox", "127.0.0.1");
        assert_eq!(noted.len(), 1);
    }
}
