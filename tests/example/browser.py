"""Looking at the shop with a real browser."""

from axe_playwright_python.sync_playwright import Axe


RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
#: A telephone and a desk.
WIDTHS = (360, 1280)

_WATCH_POLICY = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`));
"""


class Windows:
    """Opens windows, each of a visitor of its own, and collects their complaints."""

    def __init__(self, chromium, shop):
        self._chromium = chromium
        self._shop = shop
        self._contexts = []
        self.faults = []

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        for context in self._contexts:
            context.close()

    def open(self, path="/", *, visitor=None, scripts="", **options):
        """Open a page, with the cookies of a ``Visitor``; ``scripts`` run before its own."""
        context = self._chromium.new_context(
            **{
                "base_url": self._shop.url,
                "viewport": {"width": WIDTHS[-1], "height": 900},
                **options,
            }
        )
        self._contexts.append(context)
        context.set_default_timeout(30_000)
        context.add_init_script(_WATCH_POLICY + scripts)
        if visitor is not None:
            context.add_cookies(
                [
                    {"name": name, "value": value, "url": self._shop.url}
                    for name, value in visitor.http.cookies.items()
                ]
            )
        return self.open_tab(context, path)

    def open_tab(self, context, path):
        """Open a page beside those of a context."""
        page = context.new_page()
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self._hear)
        page.goto(path)
        return page

    def _hear(self, message):
        if message.type == "error" and message.text.startswith("policy:"):
            self.faults.append(message.text)


def look(page, *, widths=None, within=None):
    """Nothing sticks out to the side, and axe finds nothing, be it ever so moderate.

    ``within`` confines axe to a part of the page, where the rest is not ours.
    """
    for width in widths or [page.viewport_size["width"]]:
        page.set_viewport_size({**page.viewport_size, "width": width})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        stand_still(page)
        found = Axe().run(page, context=within, options=RULES).response["violations"]
        assert [
            (one["id"], [node["target"] for node in one["nodes"]]) for one in found
        ] == []


def stand_still(page):
    """Wait until nothing fades in any more: half-way there it has little contrast."""
    for _attempt in range(40):
        if page.evaluate(
            """() => document.getAnimations().every(
              (one) => one.playState !== "running"
                || one.effect.getComputedTiming().endTime === Infinity
            )"""
        ):
            return
        page.wait_for_timeout(50)
