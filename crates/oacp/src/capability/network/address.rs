//! Addresses that nobody reaches by accident.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The ranges that are not the public Internet, with what they are for. The first that holds an
/// address names it. Each is also a way to the host's own network, or to services that trust
/// whoever reaches them.
const V4: [(Ipv4Addr, u32, &str); 17] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8, "this network"),
    (Ipv4Addr::new(10, 0, 0, 0), 8, "private"),
    (Ipv4Addr::new(100, 64, 0, 0), 10, "carrier-grade NAT"),
    (Ipv4Addr::new(127, 0, 0, 0), 8, "loopback"),
    (Ipv4Addr::new(168, 63, 129, 16), 32, "cloud platform"),
    (Ipv4Addr::new(169, 254, 0, 0), 16, "link-local"),
    (Ipv4Addr::new(172, 16, 0, 0), 12, "private"),
    (Ipv4Addr::new(192, 0, 0, 0), 24, "protocol assignments"),
    (Ipv4Addr::new(192, 0, 2, 0), 24, "documentation"),
    (Ipv4Addr::new(192, 88, 99, 0), 24, "6to4 relay"),
    (Ipv4Addr::new(192, 168, 0, 0), 16, "private"),
    (Ipv4Addr::new(198, 18, 0, 0), 15, "benchmarking"),
    (Ipv4Addr::new(198, 51, 100, 0), 24, "documentation"),
    (Ipv4Addr::new(203, 0, 113, 0), 24, "documentation"),
    (Ipv4Addr::new(224, 0, 0, 0), 4, "multicast"),
    (Ipv4Addr::BROADCAST, 32, "broadcast"),
    (Ipv4Addr::new(240, 0, 0, 0), 4, "reserved"),
];

const V6: [(Ipv6Addr, u32, &str); 13] = [
    (Ipv6Addr::UNSPECIFIED, 128, "unspecified"),
    (Ipv6Addr::LOCALHOST, 128, "loopback"),
    // An IPv4 address is embedded in each of these, and a gateway may send on to it.
    (
        Ipv6Addr::new(0, 0, 0, 0, 0xffff, 0, 0, 0),
        96,
        "IPv4-translated",
    ),
    (Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96, "NAT64"),
    (Ipv6Addr::new(0x64, 0xff9b, 1, 0, 0, 0, 0, 0), 48, "NAT64"),
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 32, "Teredo"),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16, "6to4"),
    (Ipv6Addr::new(0x100, 0, 0, 0, 0, 0, 0, 0), 64, "discard"),
    (
        Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0),
        32,
        "documentation",
    ),
    (
        Ipv6Addr::new(0xfc00, 0, 0, 0, 0, 0, 0, 0),
        7,
        "unique local",
    ),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10, "link-local"),
    (Ipv6Addr::new(0xfec0, 0, 0, 0, 0, 0, 0, 0), 10, "site-local"),
    (Ipv6Addr::new(0xff00, 0, 0, 0, 0, 0, 0, 0), 8, "multicast"),
];

/// The special range that an address is in, as `loopback`: nobody reaches it unless an exact rule
/// says `private`. `None`: a public address. One that maps to IPv4 is judged as that.
pub fn special_range(address: IpAddr) -> Option<&'static str> {
    match judged(address) {
        IpAddr::V4(address) => V4
            .iter()
            .find(|(first, bits, _)| shares_v4(address, *first, *bits))
            .map(|(_, _, name)| *name),
        IpAddr::V6(address) => V6
            .iter()
            .find(|(first, bits, _)| shares_v6(address, *first, *bits))
            .map(|(_, _, name)| *name),
    }
}

/// The form in which an address is compared: IPv4-mapped (`::ffff:0:0/96`) and IPv4-compatible
/// (`::/96`) ones as the IPv4 address within.
pub(crate) fn judged(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else {
        return address;
    };
    let compatible = || shares_v6(v6, Ipv6Addr::UNSPECIFIED, 96) && v6.to_bits() > 1;
    match v6.to_ipv4_mapped() {
        Some(v4) => v4.into(),
        None if compatible() => Ipv4Addr::from_bits(v6.to_bits() as u32).into(),
        None => address,
    }
}

/// Whether the first `bits` of two addresses are the same.
pub(super) fn shares(a: IpAddr, b: IpAddr, bits: u32) -> bool {
    match (a, b) {
        (IpAddr::V4(a), IpAddr::V4(b)) => shares_v4(a, b, bits),
        (IpAddr::V6(a), IpAddr::V6(b)) => shares_v6(a, b, bits),
        _ => false,
    }
}

fn shares_v4(a: Ipv4Addr, b: Ipv4Addr, bits: u32) -> bool {
    (a.to_bits() ^ b.to_bits()).leading_zeros() >= bits
}

fn shares_v6(a: Ipv6Addr, b: Ipv6Addr, bits: u32) -> bool {
    (a.to_bits() ^ b.to_bits()).leading_zeros() >= bits
}

/// The first address of the network.
pub(super) fn network(address: IpAddr, bits: u32) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let mask = u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0);
            Ipv4Addr::from_bits(address.to_bits() & mask).into()
        }
        IpAddr::V6(address) => {
            let mask = u128::MAX.checked_shl(128 - bits.min(128)).unwrap_or(0);
            Ipv6Addr::from_bits(address.to_bits() & mask).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_range_begins_and_ends_where_it_says() {
        for (first, last, name) in [
            ("0.0.0.0", "0.255.255.255", "this network"),
            ("10.0.0.0", "10.255.255.255", "private"),
            ("100.64.0.0", "100.127.255.255", "carrier-grade NAT"),
            ("127.0.0.0", "127.255.255.255", "loopback"),
            ("168.63.129.16", "168.63.129.16", "cloud platform"),
            ("169.254.0.0", "169.254.255.255", "link-local"),
            ("172.16.0.0", "172.31.255.255", "private"),
            ("192.0.0.0", "192.0.0.255", "protocol assignments"),
            ("192.0.2.0", "192.0.2.255", "documentation"),
            ("192.88.99.0", "192.88.99.255", "6to4 relay"),
            ("192.168.0.0", "192.168.255.255", "private"),
            ("198.18.0.0", "198.19.255.255", "benchmarking"),
            ("198.51.100.0", "198.51.100.255", "documentation"),
            ("203.0.113.0", "203.0.113.255", "documentation"),
            ("224.0.0.0", "239.255.255.255", "multicast"),
            ("240.0.0.0", "255.255.255.254", "reserved"),
            ("255.255.255.255", "255.255.255.255", "broadcast"),
        ] {
            let (first, last): (Ipv4Addr, Ipv4Addr) =
                (first.parse().unwrap(), last.parse().unwrap());
            for bits in [first.to_bits(), last.to_bits()] {
                assert_eq!(special_range(Ipv4Addr::from_bits(bits).into()), Some(name));
                // In every disguise.
                for high in [0xffff_u128 << 32, 0] {
                    let v6 = Ipv6Addr::from_bits(high | u128::from(bits));
                    if v6.to_bits() > 1 {
                        assert_eq!(special_range(v6.into()), Some(name), "{v6}");
                    }
                }
            }
            let neighbours = [
                first.to_bits().checked_sub(1),
                last.to_bits().checked_add(1),
            ];
            for bits in neighbours.into_iter().flatten() {
                let found = special_range(Ipv4Addr::from_bits(bits).into());
                let adjoining = ["multicast", "reserved", "broadcast"];
                assert!(
                    found.is_none()
                        || (adjoining.contains(&name) && adjoining.contains(&found.unwrap())),
                    "{first}–{last}: {bits:#x} is {found:?}"
                );
            }
        }
        for (first, last, name) in [
            ("::", "::", "unspecified"),
            ("::1", "::1", "loopback"),
            ("::ffff:0:0:0", "::ffff:0:ffff:ffff", "IPv4-translated"),
            ("64:ff9b::", "64:ff9b::ffff:ffff", "NAT64"),
            ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "NAT64"),
            ("100::", "100::ffff:ffff:ffff:ffff", "discard"),
            ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "Teredo"),
            (
                "2001:db8::",
                "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff",
                "documentation",
            ),
            ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "6to4"),
            (
                "fc00::",
                "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "unique local",
            ),
            (
                "fe80::",
                "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "link-local",
            ),
            (
                "fec0::",
                "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "site-local",
            ),
            (
                "ff00::",
                "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
                "multicast",
            ),
        ] {
            let (first, last): (Ipv6Addr, Ipv6Addr) =
                (first.parse().unwrap(), last.parse().unwrap());
            assert_eq!(special_range(first.into()), Some(name));
            assert_eq!(special_range(last.into()), Some(name));
            let neighbours = [
                first.to_bits().checked_sub(1),
                last.to_bits().checked_add(1),
            ];
            for bits in neighbours.into_iter().flatten() {
                let found = special_range(Ipv6Addr::from_bits(bits).into());
                assert_ne!(found, Some(name), "{first}–{last}");
            }
        }
    }

    #[test]
    fn public_addresses_are_in_no_range() {
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "128.0.0.0",
            "172.32.0.0",
            "192.0.1.0",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "::ffff:8.8.8.8",
            "64:ff9b:2::",
            "2003::",
            "fbff::",
        ] {
            assert_eq!(special_range(address.parse().unwrap()), None, "{address}");
        }
    }

    #[test]
    fn an_address_has_one_form_to_be_judged_in() {
        for (address, form) in [
            ("::ffff:127.0.0.1", "127.0.0.1"),
            ("::ffff:7f00:1", "127.0.0.1"),
            ("::7f00:1", "127.0.0.1"),
            ("::2", "0.0.0.2"),
            ("::1", "::1"),
            ("::", "::"),
            ("::1:0:0", "::1:0:0"),
            ("fe80::1", "fe80::1"),
            ("10.0.0.1", "10.0.0.1"),
        ] {
            let found = judged(address.parse().unwrap());
            assert_eq!(found, form.parse::<IpAddr>().unwrap(), "{address}");
        }
    }

    #[test]
    fn networks() {
        let network = |address: &str, bits| network(address.parse().unwrap(), bits).to_string();
        assert_eq!(network("10.1.2.3", 8), "10.0.0.0");
        assert_eq!(network("10.1.2.3", 32), "10.1.2.3");
        assert_eq!(network("10.1.2.3", 0), "0.0.0.0");
        assert_eq!(network("fe80::1", 10), "fe80::");
        assert_eq!(network("fe80::1", 128), "fe80::1");
        assert_eq!(network("fe80::1", 0), "::");
        let v4: IpAddr = "0.0.0.0".parse().unwrap();
        assert!(!shares(v4, "::".parse().unwrap(), 0));
        assert!(shares(v4, "255.0.0.1".parse().unwrap(), 0));
    }
}
