"""What the database tells: is the work done, and what waits for somebody?"""

from collections.abc import Iterator
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from wagtail_smartgift import capabilities, codes, health
from wagtail_smartgift.choices import OrderStatus, OwnCodes, SessionStatus
from wagtail_smartgift.conf import Account, get_conf, is_loopback_url
from wagtail_smartgift.models import (
    CapabilityRecord,
    CatalogueSync,
    PaymentSession,
    VoucherOrder,
    VoucherOrderEvent,
)
from wagtail_smartgift.models.sealed import SEALED_COLUMNS, SealedColumn
from wagtail_smartgift.services import forgetting, sales_journal, vault
from wagtail_smartgift.services.doctor.findings import (
    Finding,
    ago,
    fault,
    ok,
    warning,
)
from wagtail_smartgift.services.probing.questions import QUESTIONS


#: Seconds that a paid order may wait to be sent.
_LONG_QUEUED = 3600
#: Stored secrets of each kind that are tried: the newest, and the oldest.
_SAMPLE = 200


def catalogue() -> Iterator[Finding]:
    synced = {row.account: row for row in CatalogueSync.objects.all()}
    for alias in get_conf().accounts:
        row = synced.get(alias)
        if row is None or row.synced_at is None:
            yield fault(
                "catalogue",
                f"that of {alias} was never read",
                "Run `manage.py smartgift_sync`, and every few minutes from cron.",
            )
            continue
        age = (timezone.now() - row.synced_at).total_seconds()
        when = f"that of {alias} was read {ago(age)}"
        if age > health.STALE_CATALOGUE:
            yield fault(
                "catalogue",
                f"{when}: prices and stock are out of date",
                "Run `manage.py smartgift_sync` and see what it says; run it every few "
                "minutes.",
            )
        elif row.failed_at is not None and row.failed_at > row.synced_at:
            yield warning(
                "catalogue",
                f"{when}, and could not be read since",
                "Run `manage.py smartgift_sync` and see what it says.",
            )
        else:
            yield ok("catalogue", when)


def sweep() -> Iterator[Finding]:
    at = health.last_sweep()
    age = None if at is None else (timezone.now() - at).total_seconds()
    if age is None or age > health.OVERDUE:
        yield fault(
            "sweep",
            "it never ran" if age is None else f"it last ran {ago(age)}",
            "Run `manage.py smartgift_reconcile` every minute: nothing else finishes "
            "what a lost answer has left behind.",
        )
    else:
        yield ok("sweep", f"it last ran {ago(age)}")
    overdue = health.overdue()
    if overdue:
        yield fault(
            "sweep",
            f"{overdue} payments, orders, events and messages have been due for five "
            "minutes",
            "Run `manage.py smartgift_reconcile` and look into its log.",
        )
    foreign = health.overdue_elsewhere()
    if foreign:
        yield ok("sweep", f"{foreign} more are due, and another key's: left alone")


def orders() -> Iterator[Finding]:
    queued = VoucherOrder.objects.filter(status=OrderStatus.QUEUED)
    limit = timezone.now() - timedelta(seconds=_LONG_QUEUED)
    late = queued.filter(created_at__lte=limit).count()
    if late:
        yield warning(
            "orders",
            f"{late} of {queued.count()} queued orders have waited for more than an hour",
            "They are paid for. See below whether Smart Gift answers.",
        )
    else:
        yield ok("orders", f"{queued.count()} are queued")


def attention() -> Iterator[Finding]:
    sessions = PaymentSession.objects.filter(status=SessionStatus.NEEDS_ATTENTION)
    sales = VoucherOrder.objects.filter(status=OrderStatus.NEEDS_ATTENTION)
    payments, orders = sessions.count(), sales.count()
    if payments or orders:
        yield warning(
            "people",
            f"{payments} payments and {orders} orders wait for somebody to decide",
            "Settle them in the Wagtail admin: Gift vouchers > Needs attention tells what "
            "to look up in Smart Gift's dashboard.",
        )
    else:
        yield ok("people", "nothing waits for somebody to decide")


def personal_data() -> Iterator[Finding]:
    """See whether somebody forgets customers when their time has come."""
    days = get_conf().keep_personal_data_days
    overdue = forgetting.overdue()
    if overdue:
        more = " or more" if overdue >= forgetting.MANY else ""
        yield warning(
            "personal data",
            f"customers stand in {overdue}{more} orders and payments that are past "
            f"their {days:g} days, or were to be erased",
            "Run `manage.py smartgift_prune`, and every day.",
        )
    else:
        yield ok("personal data", f"nothing is older than its {days:g} days")


def secrets() -> Iterator[Finding]:
    """Try to read stored secrets with the keys that are configured."""
    unreadable, tried = [], 0
    for column in SEALED_COLUMNS:
        texts = _sample(column)
        tried += len(texts)
        closed = sum(not _opens(text) for text in texts)
        if closed:
            unreadable.append(f"{closed} of {len(texts)} {column.content}")
    if unreadable:
        yield fault(
            "encryption",
            f"the configured keys do not open {', '.join(unreadable)} that were tried",
            "Put the earlier key back at the end of ENCRYPTION_KEYS.",
        )
    else:
        yield ok("encryption", f"the configured keys open all {tried} that were tried")


def _sample(column: SealedColumn) -> set[str]:
    """Return the newest and the oldest values: keys change once in a while."""
    rows = column.model._default_manager.exclude(**{column.field: ""})
    texts = rows.values_list(column.field, flat=True)
    age = column.age
    return {*texts.order_by(f"-{age}")[:_SAMPLE], *texts.order_by(age)[:_SAMPLE]}


def _opens(text: str) -> bool:
    try:
        vault.open_sealed(text)
    except codes.UndecryptableError:
        return False
    return True


def probe() -> Iterator[Finding]:
    for account in get_conf().accounts.values():
        yield from _probe(account)
    for record in CapabilityRecord.objects.exclude(owed=[]):
        yield warning(
            "probe",
            f"{len(record.owed)} pennies that a probe of {record.account} took on "
            f"{record.probed_at:%d %B %Y} were not given back",
            "Run `manage.py smartgift_probe` with the same voucher; where its key or "
            "address has changed since, reverse these redemptions in Smart Gift's "
            f"dashboard: {', '.join(map(str, record.owed))}.",
        )


def _probe(account: Account) -> Iterator[Finding]:
    probed_at = capabilities.last_probed(account)
    known = capabilities.of(account)
    for question in QUESTIONS:
        answer = getattr(known, question.name)
        if answer is not None and answer in question.alarming:
            yield fault(
                "probe",
                f"{account.alias}: {question.text} {question.words(answer).capitalize()}",
                question.consequence(answer),
            )
    if known.own_codes in {OwnCodes.REFUSED, OwnCodes.IGNORED}:
        yield warning(
            "own numbers",
            f"Smart Gift has {known.own_codes} voucher numbers of our own when it was "
            f"probed for {account.alias}; none is sent, and a sale whose answer is lost "
            "needs a person",
            "Set OWN_VOUCHER_CODES to False, or ask Smart Gift to take them.",
        )
    if capabilities.is_fresh(probed_at):
        yield ok("probe", f"{account.alias} was probed on {probed_at:%d %B %Y}")
    elif is_loopback_url(account.base_url):
        yield ok("probe", f"{account.alias} is a sandbox, which nobody needs to probe")
    else:
        when = "never" if probed_at is None else f"last on {probed_at:%d %B %Y}"
        yield warning(
            "probe",
            f"{account.alias} was {when} probed with this key at this address: what is "
            "not documented is taken for as bad as it can be",
            "Run `manage.py smartgift_probe` with a voucher of your own.",
        )


def refused_numbers() -> Iterator[Finding]:
    """Report sales that had to be sent again without numbers of our own."""
    since = timezone.now() - timedelta(days=capabilities.FRESH_DAYS)
    count = VoucherOrderEvent.objects.filter(
        Q(reason=sales_journal.CODE_REFUSED), created_at__gte=since
    ).count()
    if count:
        yield warning(
            "own numbers",
            f"Smart Gift has refused voucher numbers of our own {count} times in "
            f"{capabilities.FRESH_DAYS} days; those orders were sent again without",
            "Set OWN_VOUCHER_CODES to False to spare the first attempt.",
        )
    else:
        yield ok("own numbers", "Smart Gift has refused none")
