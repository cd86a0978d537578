"""Spellings of a mail address that all reach the same mailbox."""


def same_address(address: str) -> str:
    """The spelling that two addresses have in common when they are one: lower case, the domain in punycode.

    What is no address comes back in lower case, so it equals nothing but itself.
    """
    local, at, domain = address.strip().lower().rpartition("@")
    return local + at + ascii_host(domain)


def same_mailbox(address: str) -> str:
    """As `same_address`, without what stands after a plus: `anna+school@…` lands where `anna@…` does."""
    local, at, domain = same_address(address).rpartition("@")
    return local.partition("+")[0] + at + domain


def spellings(address: str) -> set[str]:
    """The address in lower case, with its domain in punycode and in the letters of its own alphabet."""
    address = same_address(address)
    local, at, domain = address.rpartition("@")
    try:
        return {address, local + at + domain.encode("ascii").decode("idna")}
    except UnicodeError:
        return {address}


def ascii_host(host: str) -> str:
    """The host name as DNS knows it, in lower case; unchanged where it cannot be one."""
    host = host.strip().lower().rstrip(".")
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host
