"""The campaign's books: every order against the ledger, and why a person is needed.

``discrepancies`` holds what our rows, and the shop's answers, say against what the
sandbox's ledger says. ``proofs`` asks of each case that was put before a person whether
a machine could have known, by what the witness and the diaries saw and we did not.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from tests.money.world import compare_session, stands
from wagtail_smartgift.choices import (
    LIVE_REDEMPTION_STATUSES,
    OrderStatus,
    Outcome,
    RedemptionStatus,
    SessionStatus,
)
from wagtail_smartgift.models import (
    OutboxEvent,
    PaymentSession,
    Redemption,
    VoucherOrder,
    VoucherOrderEvent,
)
from wagtail_smartgift.services import journal, vault


S = RedemptionStatus
PENNIES = Decimal(100)


@dataclass
class Evidence:
    """What others saw: the ledger, the witness, the diaries, and who was killed."""

    #: The sandbox's own records.
    redemptions: list[Any]
    sales: list[Any]
    entries: list[Any]
    #: Every request that came in.
    testimony: list[dict[str, Any]]
    diaries: list[dict[str, Any]]
    killed: set[int]
    by_voucher: dict[str, list[Any]] = field(init=False)

    def __post_init__(self) -> None:
        self.by_voucher = defaultdict(list)
        for one in self.redemptions:
            if one.by == "api":
                self.by_voucher[one.voucher_no].append(one)
        self.lines = {line["id"]: line for line in self.testimony}
        self.history: dict[str, list[Any]] = defaultdict(list)
        for entry in self.entries:
            self.history[entry.voucher_no].append(entry)
        self.last_call: dict[int, dict[str, Any]] = {}
        self.answered_by: dict[str, int] = {}
        self.last_answer: dict[int, str] = {}
        for line in self.diaries:
            if "call" in line:
                self.last_call[line["pid"]] = line
                self.last_answer.pop(line["pid"], None)
            elif line.get("answered"):
                self.answered_by[line["answered"]] = line["pid"]
                self.last_answer[line["pid"]] = line["answered"]

    def was_lost(self, request_id: str, *, path: str, voucher: str | None) -> bool:
        """Tell whether nobody who is alive was told what became of a request.

        Either the answer did not leave as it should, or it reached a process that was
        killed before its next call, or one that was killed waiting for it.
        """
        line = self.lines.get(request_id, {})
        if line.get("fault") is not None:
            return True
        pid = self.answered_by.get(request_id)
        if pid is not None:
            return pid in self.killed and self.last_answer.get(pid) == request_id
        return any(
            last["call"] == path and last["voucher"] == voucher
            for pid, last in self.last_call.items()
            if pid in self.killed
        )

    def balance_at(self, number: str, at: datetime) -> Decimal:
        """Return what a voucher held at a moment, by the ledger alone."""
        signs = {"issue": 1, "sale": 1, "top_up": 1, "reverse": 1, "redeem": -1}
        return sum(
            (
                signs.get(entry.event, 0) * entry.amount
                for entry in self.history[number]
                if entry.at <= at
            ),
            Decimal(0),
        )


# -- discrepancies ---------------------------------------------------------------------


def discrepancies(evidence: Evidence) -> Iterator[str]:
    """Yield each difference between an order and the ledger; there should be none."""
    rows = list(Redemption.objects.select_related("session").order_by("pk"))
    for row in rows:
        yield from _of_row(row)
    by_voucher: dict[str, list[Redemption]] = defaultdict(list)
    for row in rows:
        by_voucher[vault.voucher_number(row)].append(row)
    for number in by_voucher.keys() | evidence.by_voucher.keys():
        yield from _of_voucher(number, by_voucher[number], evidence.by_voucher[number])
    for session in PaymentSession.objects.all():
        try:
            compare_session(session)
        except AssertionError as error:
            yield f"{session.reference} contradicts itself: {str(error)[:300]}"
    yield from _of_sales(evidence)
    yield from _of_what_was_told(evidence)
    untold = OutboxEvent.objects.filter(dispatched_at__isnull=True).count()
    if untold:
        yield f"{untold} events were told to nobody"


def _of_row(row: Redemption) -> Iterator[str]:
    folded = journal.fold(row.events.order_by("id"))
    if row.status in LIVE_REDEMPTION_STATUSES:
        yield f"{row.pk} of {row.session} is not at rest: {row.status}"
    if folded.status != row.status:
        yield f"{row.pk} of {row.session} is {row.status}, its journal {folded.status}"
    standing = bool(row.proof) and row.status != S.REVERSED
    if row.status != S.NEEDS_ATTENTION and folded.taken != (
        row.amount if standing else 0
    ):
        yield f"{row.pk} of {row.session}: the journal took {folded.taken}"


def _of_voucher(
    number: str, rows: Iterable[Redemption], there: Iterable[Any]
) -> Iterator[str]:
    """Match each debit that stands with the row that knows of it, and the reverse."""
    standing = {one.id: one for one in there if one.reversed_at is None}
    without_ids = []
    for row in rows:
        if row.status != S.REDEEMED:
            without_ids.append(row)
            continue
        if not row.redemption_ids:
            without_ids.append(row)
            continue
        taken = [standing.pop(int(one), None) for one in row.redemption_ids]
        pence = sum(one.pence for one in taken if one is not None)
        if None in taken or Decimal(pence) / PENNIES != stands(row)[0]:
            yield (
                f"{number}: {row.session} says {row.amount} was taken as "
                f"{row.redemption_ids}, the ledger says {pence}"
            )
    # Debits whose ids were lost: by their sum, since nothing else tells them apart.
    least = sum((stands(row)[0] for row in without_ids), Decimal(0))
    most = sum((stands(row)[1] for row in without_ids), Decimal(0))
    rest = Decimal(sum(one.pence for one in standing.values())) / PENNIES
    if not least <= rest <= most:
        yield (
            f"{number}: the ledger has {rest} more than orders with ids, which should "
            f"be {least} to {most} of "
            + ", ".join(f"{r.session} {r.status}" for r in without_ids)
        )


def _of_sales(evidence: Evidence) -> Iterator[str]:
    sold = defaultdict(list)
    for sale in evidence.sales:
        sold[sale.reference].append(sale)
    for order in VoucherOrder.objects.prefetch_related("items"):
        sales = sold.pop(order.remote_reference, [])
        if len(sales) > 1:
            yield f"{order} was sold {len(sales)} times"
        if order.status == OrderStatus.PLACED:
            ours = {vault.open_sealed(i.number_encrypted) for i in order.items.all()}
            if not sales or set(sales[0].vouchers) != ours:
                yield f"{order} is placed, and the ledger has other vouchers or none"
        elif order.status == OrderStatus.REFUSED and sales:
            yield f"{order} is refused here and sold there"
        elif order.status in {OrderStatus.QUEUED, OrderStatus.PLACING}:
            yield f"{order} is not at rest: {order.status}"
    for reference in sold:
        yield f"{reference} was sold and nobody here knows"


#: What a shop may have been told of an order -> how it may stand in the end.
_AFTERWARDS = {
    "confirmed": {"confirmed", "cancelled", "needs_attention"},
    "cancelled": {"cancelled"},
    "cancelling": {"cancelled", "needs_attention"},
    "refunding": {"confirmed", "needs_attention"},
    "placed": {"placed"},
    "refused": {"refused"},
    "queued": {"placed", "refused", "needs_attention"},
    "placing": {"placed", "refused", "needs_attention"},
}


def _of_what_was_told(evidence: Evidence) -> Iterator[str]:
    """A shop acts on what it was told: that must not turn out to be untrue."""
    now: dict[str, str] = dict(
        PaymentSession.objects.values_list("reference", "status")
    ) | dict(VoucherOrder.objects.values_list("reference", "status"))
    for line in evidence.diaries:
        if line.get("stumbled"):
            yield "a sweep stumbled; see the log"
        told = line.get("status")
        if told in _AFTERWARDS and now[line["ref"]] not in _AFTERWARDS[told]:
            yield (
                f"{line['ref']}: {line['verb']} told {told}, and it is "
                f"{now[line['ref']]} in the end"
            )


# -- what a person has to decide ---------------------------------------------------------


@dataclass(frozen=True)
class Case:
    """Something that was put before a person, and whether that was right."""

    code: str
    where: str
    #: Why no machine could know; empty: one could have.
    proof: str
    #: The journal and the ledger, where there is no proof.
    story: tuple[str, ...] = ()


def proofs(evidence: Evidence) -> Iterator[Case]:
    """Yield every case that needs a person, with the proof that it does."""
    for row in Redemption.objects.filter(status=S.NEEDS_ATTENTION):
        number = vault.voucher_number(row)
        prove = _PROOFS.get(row.attention_code)
        proof = "" if prove is None else prove(row, number, evidence)
        story = () if proof else _story(row, number, evidence)
        yield Case(row.attention_code, f"{row.session} {number}", proof, story)
    for session in PaymentSession.objects.filter(status=SessionStatus.NEEDS_ATTENTION):
        if not session.redemptions.filter(status=S.NEEDS_ATTENTION).exists():
            yield Case(session.attention_code, str(session), "")
    for order in VoucherOrder.objects.filter(status=OrderStatus.NEEDS_ATTENTION):
        yield Case(order.attention_code, str(order), _of_unknown_sale(order))


def _story(row: Redemption, number: str, evidence: Evidence) -> tuple[str, ...]:
    """Return what happened on both sides, in the order of time."""
    lines = [
        (
            event.created_at,
            f"here: {event.operation} {event.outcome} -> {event.status} "
            f"{event.reason} {event.amount} {event.balance} {event.held_until}",
        )
        for event in row.events.order_by("id")
    ]
    lines += [
        (
            entry.at,
            f"there: {entry.event} {entry.amount} by {entry.by} {entry.redemptions} "
            f"{evidence.lines.get(entry.request_id, {}).get('fault')}",
        )
        for entry in evidence.history[number]
    ]
    return tuple(f"{at:%H:%M:%S.%f} {text}" for at, text in sorted(lines))


def _of_lost_ids(row: Redemption, number: str, evidence: Evidence) -> str:
    """Redeemed, to be given back, and the answer with the ids is gone."""
    for entry in evidence.history[number]:
        if entry.event != "redeem" or entry.by != "api":
            continue
        ours = entry.amount == stands(row)[1]
        if ours and evidence.was_lost(entry.request_id, path="/redeem", voucher=number):
            return "the only answer with its ids was lost"
    return ""


def _of_moved_balance(row: Redemption, number: str, evidence: Evidence) -> str:
    """The balance is another one, and nothing kept others away at that time."""
    events = list(row.events.order_by("id"))
    looks = [e for e in events if e.operation == "check" and e.balance is not None]
    asked = [e for e in events if e.operation == "redeem" and e.outcome == "requested"]
    if not looks or not asked:
        return ""
    look, first = looks[-1], asked[-1]
    held_until = max(
        (e.held_until for e in events if e.id <= first.id and e.held_until),
        default=None,
    )
    exchanged = any(
        e.operation == "release" and first.id < e.id < look.id for e in events
    )
    over = held_until is None or look.created_at >= held_until
    if look.balance == row.baseline or not (over or exchanged):
        return ""
    return "it moved when our hold was over" if over else "it moved round our fence"


def _of_rest(row: Redemption, number: str, evidence: Evidence) -> str:
    """Its money was given back, and the rest was spent before it could be redeemed."""
    last = row.events.order_by("-id")[0]
    left = evidence.balance_at(number, last.created_at)
    if left < row.amount:
        return "somebody spent it between the reversal and the redeem"
    return ""


def _of_refused_reversal(row: Redemption, number: str, evidence: Evidence) -> str:
    """The ids are refused after a lost answer, and the balance tells nothing.

    What this shop itself took since is in its own books; what a till took is not.
    """
    ids = {int(one) for one in row.redemption_ids}
    history = evidence.history[number]
    ours = [entry for entry in history if ids & set(entry.redemptions)]
    lost = any(
        entry.event == "reverse"
        and evidence.was_lost(entry.request_id, path="/redeem/reverse", voucher=number)
        for entry in ours
    )
    others = any(
        entry.event in {"redeem", "top_up"}
        and entry.by != "api"
        and entry.id > ours[0].id
        for entry in history
    )
    if lost and others:
        return "its answer was lost, and a till moved the balance since"
    return ""


def _of_unknown_sale(order: VoucherOrder) -> str:
    """Asked for, without an answer, and not to be found by its first number.

    That a voucher is not found does not tell that it was not sold, until it is known
    how soon a new one can be checked.
    """
    events = VoucherOrderEvent.objects.filter(order=order)
    in_doubt = events.filter(operation="place", outcome=Outcome.UNKNOWN).exists()
    looked = events.filter(operation="check", reason="not_found").exists()
    if order.attention_code == "sale_unknown" and in_doubt and looked:
        return "no answer, and its number is not found"
    return ""


_PROOFS = {
    "ids_lost": _of_lost_ids,
    "balance_moved": _of_moved_balance,
    "remainder_not_redeemed": _of_rest,
    "reverse_refused_ids": _of_refused_reversal,
}


def count(cases: Iterable[Case]) -> dict[str, dict[str, int]]:
    """Return for each code how many there are, and how many are proved."""
    every, proved = Counter[str](), Counter[str]()
    for case in cases:
        every[case.code] += 1
        proved[case.code] += bool(case.proof)
    return {
        code: {"cases": number, "proved": proved[code]}
        for code, number in sorted(every.items())
    }
