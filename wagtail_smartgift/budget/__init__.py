"""One key's quota, shared by every process and thread, with lanes and a breaker.

Owns who may call Smart Gift now, and how long a caller waits for it. Refuses to make
calls, to know what they are about, and to let one pass when the database cannot say
whether it may: a key that nobody counts is spent twice.

``docs/explanation/quota.md`` tells why it is built so and what it reaches.
"""

from wagtail_smartgift.budget.breaker import BreakerState
from wagtail_smartgift.budget.gate import gate, observer
from wagtail_smartgift.budget.status import BudgetStatus, status


__all__ = ["BreakerState", "BudgetStatus", "gate", "observer", "status"]
