"""What others would do, and what we do: ``python -m tests.benchmarks.strategies --help``.

A customer pays with a voucher while requests and replies get lost, calls arrive late,
processes die, Smart Gift has outages, and tills move the balance. Each strategy has
the same weather and speaks with the sandbox over real HTTP through the real client;
"ours" is the real services and their sweep. Time is virtual, so minutes cost nothing.
"""

import json
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from typing import Any

from tests.benchmarks import arena


#: What Smart Gift's documentation leaves open, each way.
MODELS = {
    "ends-refused": {"redeem_ends_hold": True, "dead_token_accepted": False},
    "survives-refused": {"redeem_ends_hold": False, "dead_token_accepted": False},
    "ends-accepted": {"redeem_ends_hold": True, "dead_token_accepted": True},
    "survives-accepted": {"redeem_ends_hold": False, "dead_token_accepted": True},
}
WORDS = {
    "ends-refused": "redeem ends hold, dead token refused",
    "survives-refused": "hold survives, dead token refused",
    "ends-accepted": "redeem ends hold, dead token accepted",
    "survives-accepted": "hold survives, dead token accepted",
}
#: Of a voucher over 100.00: a second debit fits, or does not.
AMOUNTS = {"small": "30.00", "full": "100.00"}
STRATEGIES = {"naive": "naive retry ×3", "fail": "fail on timeout", "ours": "**ours**"}
HEAD = (
    "server",
    "amount",
    "strategy",
    "double debit",
    "debited, told “failed”",
    "told “paid”, not debited",
    "to a person",
    "ids lost",
    "paid",
    "calls per paid",
)
COUNTED = ("double", "taken_untold", "untaken_told", "person", "ids_lost", "paid")


def row(order: dict[str, Any], found: dict[str, Any]) -> tuple[object, ...]:
    return (
        WORDS[order["model"]],
        order["amount"],
        STRATEGIES[order["strategy"]],
        *(f"{found[name] / found['trials']:.2%}" for name in COUNTED),
        f"{found['calls'] / max(1, found['paid']):.2f}",
    )


def words(text: str) -> list[str]:
    return text.split(",")


def main(arguments: Sequence[str] | None = None) -> int:
    made = arena.parser(
        "strategies",
        "Compare ways to redeem a voucher over a bad network. Exits with 1 if ours "
        "debited twice, debited and told “failed”, or told “paid” without a debit.",
    )
    made.add_argument("--trials", type=int, help="in a cell; default 2000; quick: 30")
    made.add_argument("--models", type=words, default=list(MODELS), help=str([*MODELS]))
    made.add_argument(
        "--amounts", type=words, default=list(AMOUNTS), help=str([*AMOUNTS])
    )
    made.add_argument(
        "--strategies", type=words, default=list(STRATEGIES), help=str([*STRATEGIES])
    )
    made.add_argument(
        "--rates",
        choices=["awful", "realistic"],
        default="awful",
        help="awful: 2 %% of requests and of replies lost, 1 %% of redeems late, 2 %% "
        "of processes dead, 2 %% outages; realistic: a tenth of a per cent, and less",
    )
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--jobs", type=int, default=2, help="cells at once; default 2")
    options = arena.parse(made, arguments)
    orders = [
        {
            "model": model,
            "amount": amount,
            "strategy": strategy,
            "rates": options.rates,
            "trials": options.trials or (30 if options.quick else 2000),
            "seed": options.seed,
        }
        for model, amount, strategy in product(
            options.models, options.amounts, options.strategies
        )
    ]
    if not options.json:
        print(arena.table(HEAD, []), flush=True)
    wrong, results = False, []
    for kind in options.database:
        with ThreadPoolExecutor(options.jobs) as pool:
            found = pool.map(lambda order, on=kind: _measure(order, on), orders)
            for order, figures in zip(orders, found, strict=True):
                results.append({"database": kind, **order, **figures})
                if not options.json:
                    cells = map(str, row(order, figures))
                    print("| " + " | ".join(cells) + " |", flush=True)
                wrong |= order["strategy"] == "ours" and any(
                    figures[name] for name in COUNTED[:3]
                )
    if options.json:
        print(json.dumps(results, indent=1))
    return int(wrong)


def _measure(order: dict[str, Any], kind: str) -> dict[str, Any]:
    with arena.database(kind) as on:
        found: dict[str, Any] = arena.in_cell("strategies_cell", order, on=on)
    return found


if __name__ == "__main__":
    sys.exit(main())
