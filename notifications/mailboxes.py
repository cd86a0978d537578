"""Spellings of a mail address that all reach the same mailbox."""

from django.conf import settings

from wording.web_address import same_host


def same_address(address: str) -> str:
    """The spelling that two addresses have in common when they are one: lower case, the domain in punycode.

    What is no address comes back in lower case, so it equals nothing but itself.
    """
    local, at, domain = address.strip().lower().rpartition("@")
    return local + at + same_host(domain)


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


def is_extra_recipient(address: str) -> bool:
    """Whether the settings name the address, or its domain, as one that gets mails on trial."""
    address = same_address(address)
    domain = address.rpartition("@")[2]
    named = settings.EMAIL_EXTRA_RECIPIENTS
    return any(
        same_address(name) == address if "@" in name.strip("@") else same_host(name.strip("@")) == domain
        for name in named
    )
