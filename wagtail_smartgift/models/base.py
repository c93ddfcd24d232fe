"""What every row that has to do with money carries."""

from collections.abc import Iterable
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from wagtail_smartgift.conf import Account, get_conf


class AccountBound(models.Model):
    """A row that belongs to one Smart Gift company at one address.

    A copy of the production database on another host must not spend or release
    real vouchers: a row is worked on only while its account still has the same
    base URL and key, or says that the row's key was its own before.
    """

    account = models.CharField(_("account"), max_length=64, editable=False)
    account_base_url = models.CharField(max_length=255, editable=False)
    account_key_hash = models.CharField(max_length=64, editable=False)

    class Meta:
        abstract = True

    def bind_to(self, account: Account) -> None:
        self.account = account.alias
        self.account_base_url = account.base_url
        self.account_key_hash = account.key_hash

    @staticmethod
    def bound_to(accounts: Iterable[Account], *, prefix: str = "") -> models.Q:
        """Select the rows of these accounts; ``prefix`` is the way to them."""
        bound = models.Q(pk__in=[])
        for account in accounts:
            bound |= models.Q(
                **{
                    f"{prefix}account": account.alias,
                    f"{prefix}account_base_url": account.base_url,
                    f"{prefix}account_key_hash__in": account.key_hashes,
                }
            )
        return bound

    @classmethod
    def ours(cls, *, prefix: str = "") -> models.Q:
        """Select the rows of the accounts that are configured now."""
        return cls.bound_to(get_conf().accounts.values(), prefix=prefix)

    def is_bound_to(self, account: Account) -> bool:
        return (
            self.account == account.alias
            and self.account_base_url == account.base_url
            and self.account_key_hash in account.key_hashes
        )


class Claimable(models.Model):
    """A row that one worker at a time works on.

    A claim is taken by a conditional UPDATE and runs out by itself, so a worker
    that died holds nobody up for long.
    """

    claimed_by = models.CharField(max_length=36, blank=True, editable=False)
    claimed_until = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        abstract = True


class Swept(models.Model):
    """A row that the sweep comes back to until it is settled."""

    #: When to look (again); null when nothing is to be done.
    next_look_at = models.DateTimeField(null=True, blank=True, editable=False)
    #: Counts every change of state, so that a stale worker's write is refused.
    version = models.PositiveIntegerField(default=0, editable=False)
    #: Why a person has to decide; empty while nobody has to.
    attention_code = models.CharField(
        _("needs attention because"), max_length=64, blank=True, editable=False
    )

    class Meta:
        abstract = True


class Timestamped(models.Model):
    created_at = models.DateTimeField(
        _("created at"), default=timezone.now, editable=False
    )
    updated_at = models.DateTimeField(
        _("updated at"), default=timezone.now, editable=False
    )

    class Meta:
        abstract = True


class Forgettable(models.Model):
    """A row of money that a person stands in, and is taken out of in time.

    What is left then still tells what was sold or paid, when, and under which
    reference.
    """

    #: When the person was taken out of it.
    forgotten_at = models.DateTimeField(null=True, blank=True, editable=False)
    #: When somebody asked for that before its time. What is not settled yet keeps
    #: until then what it needs.
    erase_asked_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        abstract = True


def kept_index(name: str) -> models.Index:
    """Return the index by which the rows are found whose time comes."""
    return models.Index(
        fields=["updated_at"],
        condition=models.Q(forgotten_at__isnull=True),
        name=name,
    )


def erase_asked_index(name: str) -> models.Index:
    """Return the index by which the rows are found that somebody wants erased."""
    return models.Index(
        fields=["erase_asked_at"],
        condition=models.Q(forgotten_at__isnull=True, erase_asked_at__isnull=False),
        name=name,
    )


class AppendOnlyError(TypeError):
    """A journal was about to be rewritten."""


class AppendOnlyQuerySet(models.QuerySet):
    def update(self, **kwargs):
        raise AppendOnlyError("A journal is append-only: add an event instead.")

    def delete(self):
        raise AppendOnlyError("A journal is append-only: events are never deleted.")


class JournalEvent(models.Model):
    """An append-only record of one step: what was asked, and what came of it."""

    created_at = models.DateTimeField(
        _("at"), default=timezone.now, editable=False, db_index=True
    )
    attempt = models.PositiveIntegerField(default=0, editable=False)
    #: A closed word of ours for why; never the provider's text.
    reason = models.CharField(max_length=64, blank=True, editable=False)
    #: Who, when a person did it.
    actor = models.CharField(max_length=150, blank=True, editable=False)

    objects = AppendOnlyQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise AppendOnlyError("A journal is append-only: add an event instead.")
        super().save(*args, **kwargs)

    def delete(self, *args, **kwargs):
        raise AppendOnlyError("A journal is append-only: events are never deleted.")
