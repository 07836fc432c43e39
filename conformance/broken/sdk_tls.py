# SPDX-License-Identifier: Apache-2.0
"""Faults of what lies below the frames."""
import ssl

from sdk_bend import Handle, Link, before, behind, fault


def trusts_anybody(context):
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE


def verifies(change):
    """Lets a fault change how a link with TLS verifies."""
    behind(Link, "__init__", lambda self, *_: self.context
           and change(self.context))


@fault
def certificate_not_verified():
    verifies(trusts_anybody)


@fault
def host_name_not_verified():
    verifies(lambda context: setattr(context, "check_hostname", False))


@fault
def expired_certificate_taken():
    """Asks for no time at all: X509_V_FLAG_NO_CHECK_TIME."""
    verifies(lambda context: setattr(
        context, "verify_flags", context.verify_flags | 0x200000))


@fault
def verified_once():
    """Takes whoever is at the address of a server that was verified."""
    behind(Link, "connect", lambda self: self.context
           and trusts_anybody(self.context))


@fault
def goes_without_tls():
    behind(Link, "__init__", lambda self, *_: setattr(self, "context", None))


@fault
def no_ticket():
    before(Link, "connect", lambda self: setattr(self, "ticket", None))


@fault
def first_ticket_for_ever():
    """Offers the ticket of its first connection at each one."""
    def connect(self):
        self.first = getattr(self, "first", None) or self.ticket
        self.ticket = self.first
    before(Link, "connect", connect)


@fault
def distrust_is_for_ever():
    """Waits for a person after a server that is not trusted."""
    plain = Handle.plan

    def plan(self):
        plain(self)
        if self.detail and not self.link.sock:
            self.due = None
    Handle.plan = plan
