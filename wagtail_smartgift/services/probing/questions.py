"""The questions in words: what each answer means, and what follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from wagtail_smartgift.choices import (
    DuplicateCode,
    DuplicateReference,
    HeldUntil,
    OwnCodes,
)


@dataclass(frozen=True)
class Question:
    """One question; ``name`` is the field of the record that holds its answer."""

    name: str
    text: str
    #: What follows, by answer. An answer that is not here has no consequence.
    follows: Mapping[object, str]
    unknown: str
    #: Answers with which vouchers should not be taken, or sold, before somebody looked.
    alarming: frozenset[object] = field(default=frozenset())
    unit: str = ""
    #: What follows from an answer that is not in ``follows``.
    otherwise: str = ""
    #: Nothing goes by the answer; it is for whoever has to understand this Smart Gift.
    for_information: bool = False

    def words(self, answer: object) -> str:
        """Return an answer as it is printed."""
        if answer in (None, ""):
            return "not known"
        if isinstance(answer, bool):
            return "yes" if answer else "no"
        return f"{answer}{self.unit}"

    def consequence(self, answer: object) -> str:
        if answer in (None, ""):
            follows = self.unknown
        else:
            follows = self.follows.get(answer, self.otherwise)
        return (
            f"For information. {follows}".strip() if self.for_information else follows
        )


_WAIT_ON = "After a lost answer 130 seconds (LATE) are waited for, as ever."
_POROUS = (
    "Holds keep nobody out: a balance that falls under one may be somebody else's "
    "doing, so each redemption whose answer is lost goes to a person. Ask Smart Gift."
)
_PERSON = "A sale whose answer is lost and whose number is not found goes to a person."

QUESTIONS: tuple[Question, ...] = (
    Question(
        "check_while_held",
        "Can a held voucher be checked?",
        {
            True: "Balances are read under our hold.",
            False: "No voucher can be taken: its balance under our hold is what "
            "everything rests on. Ask Smart Gift.",
        },
        "Each voucher shows it.",
        alarming=frozenset({False}),
    ),
    Question(
        "held_until",
        "How does a check print the end of a hold?",
        {
            HeldUntil.AWARE: "It is believed where it is earlier than our own reckoning.",
            HeldUntil.NAIVE: "It is believed in the time zone below, if that is known.",
            HeldUntil.ABSENT: "Our own reckoning counts: five minutes from before it "
            "was asked for.",
            HeldUntil.UNREADABLE: "Our own reckoning counts.",
        },
        "Each check shows it.",
        for_information=True,
    ),
    Question(
        "held_until_offset",
        "In which zone is it, where it names none?",
        {},
        "A time without a zone is not believed.",
        unit=" minutes east of UTC",
    ),
    Question(
        "hold_seconds",
        "How long does a hold last?",
        {300: "As documented."},
        "Five minutes, as documented, less five seconds.",
        unit=" seconds",
        otherwise="A hold that lasts less than five minutes is relied on for so long, less "
        "five seconds; no more than five minutes are ever relied on.",
    ),
    Question(
        "second_hold_refused",
        "Is a second hold refused?",
        {True: "A hold is ours alone.", False: _POROUS},
        "It is taken to be refused, as documented.",
        alarming=frozenset({False}),
    ),
    Question(
        "missing_token_refused",
        "Is a redeem without a token refused while the voucher is held?",
        {True: "A balance that falls under our hold is our doing.", False: _POROUS},
        "It is taken to be refused, as documented.",
        alarming=frozenset({False}),
    ),
    Question(
        "old_token_refused",
        "Is a redeem with an earlier hold's token refused while another hold stands?",
        {
            True: "A new hold is a fence against late requests.",
            False: f"{_POROUS} A new hold is no fence against late requests.",
        },
        _WAIT_ON,
        alarming=frozenset({False}),
    ),
    Question(
        "released_token_refused",
        "Is a redeem with the token of a released hold refused?",
        {
            True: "With a fence (above), a lost answer is settled in about 70 seconds "
            "instead of 130.",
            False: f"A late request can still be applied. {_WAIT_ON}",
        },
        _WAIT_ON,
    ),
    Question(
        "redeem_ends_hold",
        "Does a redeem end its hold?",
        {
            True: "A hold that is gone and a balance that is lower prove a redemption.",
            False: "A hold that is gone early was not ended by us: a balance that is "
            "lower then proves nothing, and a person looks.",
        },
        "A balance that is lower while our hold should stand proves a redemption.",
    ),
    Question(
        "used_token_refused",
        "Is a redeem with the token of a hold that a redeem has ended refused?",
        {
            True: "A redeem that arrives twice is applied once.",
            False: "A redeem that arrives twice is applied twice; none is sent twice "
            f"where it could be. A new hold is not trusted as a fence. {_WAIT_ON}",
        },
        "Nothing changes.",
    ),
    Question(
        "expired_token_refused",
        "Is a redeem with the token of a hold that has run out refused?",
        {
            True: "Nothing changes.",
            False: f"A new hold is not trusted as a fence. {_WAIT_ON}",
        },
        "Nothing changes. --wait asks.",
    ),
    Question(
        "second_reversal_refused",
        "Is a second reversal of a redemption refused?",
        {
            True: "A reversal whose answer is lost is asked for again, and the balance "
            "looked at.",
            False: "It may give back twice: after a lost answer the balance is looked at "
            "before a reversal is asked for again.",
        },
        "A reversal whose answer is lost is asked for again.",
    ),
    Question(
        "own_codes",
        "What becomes of a voucher number of our own in a sale?",
        {
            OwnCodes.HONOURED: "A sale whose answer is lost is looked for by it.",
            OwnCodes.IGNORED: "None is sent. Every sale whose answer is lost goes to a "
            "person. Set OWN_VOUCHER_CODES to False.",
            OwnCodes.REFUSED: "None is sent. Every sale whose answer is lost goes to a "
            "person. Set OWN_VOUCHER_CODES to False.",
        },
        f"They are sent. {_PERSON} --sell asks.",
    ),
    Question(
        "code_checkable_at_once",
        "Can a voucher be checked the moment it is sold?",
        {
            True: "A sale whose number is not found after 130 seconds was not made, and "
            "is made again under the same reference and numbers.",
            False: _PERSON,
        },
        f"{_PERSON} --sell asks.",
    ),
    Question(
        "duplicate_reference",
        "What becomes of a second sale of the same reference?",
        {
            DuplicateReference.REFUSED: "A second safety net under sales.",
            DuplicateReference.RENAMED: "It is a second sale. None is made unless "
            "the first is known not to be.",
            DuplicateReference.REPEATED: "A second safety net under sales.",
        },
        "It is taken to be a second sale. --sell asks.",
    ),
    Question(
        "duplicate_code",
        "What becomes of a second voucher of the same number?",
        {
            DuplicateCode.REFUSED: "A second safety net under sales.",
            DuplicateCode.REPLACED: "It would be a second voucher.",
        },
        "It is taken to be a second voucher. --sell asks.",
    ),
    Question(
        "rate_limit",
        "How many calls does a window allow?",
        {},
        "RATE_LIMIT of the settings, until an answer says.",
        unit=" calls",
        otherwise="The quota begins with that, or with RATE_LIMIT where it is lower.",
    ),
    Question(
        "window_seconds",
        "How long is a window?",
        {},
        "A minute, until a refusal teaches otherwise. --quota asks.",
        unit=" seconds",
        otherwise="The quota begins with that, until a refusal teaches otherwise.",
    ),
    Question(
        "refusals_count",
        "Does a refusal (422) use up a call?",
        {
            True: "As the quota reckons.",
            False: "The answers correct the quota by themselves.",
        },
        "It is taken to.",
        for_information=True,
    ),
    Question(
        "reset_always",
        "Does every answer tell when the window ends?",
        {
            True: "It is not needed: the window is reckoned from its first call.",
            False: "The end is learnt from the first call, and from refusals.",
        },
        "The end is learnt from the first call, and from refusals.",
        for_information=True,
    ),
)
