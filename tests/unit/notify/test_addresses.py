"""Which addresses are public, also where IPv6 wraps IPv4."""

from __future__ import annotations

import pytest

from services.alert.notify.addresses import AddressRefused, AddressUnknown, addresses_of, is_public


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
)
def test_addresses_of_the_public_internet(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "10.0.0.1",
        "172.16.5.4",
        "192.168.1.1",
        "169.254.169.254",  # where clouds keep their secrets
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "2002:7f00:1::",  # 6to4 of 127.0.0.1
        "64:ff9b::7f00:1",  # NAT64 of 127.0.0.1
        "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
    ],
)
def test_addresses_of_our_own_network_and_of_nobody(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "2130706433", "0x7f000001", "127.1"])
def test_this_machine_is_refused_however_it_is_spelt(host: str) -> None:
    with pytest.raises((AddressRefused, AddressUnknown)):
        addresses_of(host, 80, allow_private=False)


def test_a_private_address_can_be_allowed() -> None:
    assert addresses_of("127.0.0.1", 80, allow_private=True) == ["127.0.0.1"]


def test_a_name_that_is_no_name_is_told() -> None:
    with pytest.raises(AddressUnknown, match="looked up"):
        addresses_of("a" * 70 + ".example", 443, allow_private=False)
