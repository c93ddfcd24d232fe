"""Every sentence the sandbox says in Smart Gift's name.

The first part is quoted from Smart Gift's documentation, full stops included, and
never edited. The second is the stock wording of Laravel, which Smart Gift is built
on (inferred). The third is invented: the documentation says that the case is a
422 but not in which words, so nobody may rely on these.
"""

# --- Quoted from the documentation -------------------------------------------------

INVALID_VOUCHER = "Sorry, that voucher number is invalid."
INVALID_SITE = "This site number is invalid"
NOT_ENOUGH_BALANCE = (
    "There is not enough balance on this voucher to redeem or the selected "
    "experiences have already been used."
)
ALREADY_HELD = "Voucher is already held"
NOT_HELD = "Voucher is not held"
INVALID_REDEMPTIONS = "Please provide a valid list of redemptions to reverse"
INVALID_DATA = "The given data was invalid."
REDEEMED = "The voucher has been redeemed."
HELD = "Voucher hold successful"
RELEASED = "Voucher hold released"
REVERSED = "Redemption reversal complete"

# --- Laravel's own words (inferred) --------------------------------------------------

REQUIRED = "The {field} field is required."
MUST_BE_STRING = "The {field} field must be a string."
MUST_BE_INTEGER = "The {field} field must be an integer."
MUST_BE_NUMBER = "The {field} field must be a number."
MUST_BE_ARRAY = "The {field} field must be an array."
MUST_BE_EMAIL = "The {field} field must be a valid email address."
TWO_DECIMALS = "The {field} field must have 0-2 decimal places."
AT_LEAST = "The {field} field must be at least {limit}."
AT_MOST = "The {field} field must not be greater than {limit}."
TOO_LONG = "The {field} field must not be greater than {limit} characters."
BETWEEN = "The {field} field must be between {low} and {high}."
MULTIPLE_OF = "The {field} field must be a multiple of {step}."
SELECTED_INVALID = "The selected {field} is invalid."
TAKEN = "The {field} has already been taken."
PROHIBITED = "The {field} field is prohibited."
MORE_ERRORS = " (and {count} more error{s})"
TOO_MANY_ATTEMPTS = "Too Many Attempts."
SERVER_ERROR = "Server Error"
SERVICE_UNAVAILABLE = "Service Unavailable"
NO_ROUTE = "The route {path} could not be found."
NO_METHOD = (
    "The {method} method is not supported for route {path}. "
    "Supported methods: {allowed}."
)

# --- Invented ------------------------------------------------------------------------

BAD_KEY = "The Smart-Auth header is missing or incorrect."
OTHER_COMPANY = "Sorry, that voucher belongs to another company."
EXPIRED = "Sorry, this voucher has expired."
CANCELLED = "Sorry, this voucher has been cancelled."
SPENT = "Sorry, there is nothing left on this voucher."
NONE_AT_THIS_SITE = (
    "None of the experiences on this voucher can be redeemed at this site."
)
NOT_FOR_THESE_FILTERS = "This voucher cannot be redeemed with the filters given."
WRONG_TOKEN = "The hold token is invalid."  # noqa: S105 - a sentence, not a secret
OUT_OF_STOCK = "Sorry, there are not enough of this voucher left."
WRONG_SUBTOTAL = "The totals.subtotal field must match the items."
WRONG_TOTAL = "The totals.total field must match the subtotal and the delivery price."
SOLD = "The order has been created."
