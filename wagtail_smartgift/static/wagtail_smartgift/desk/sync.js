// Asks again while a catalogue is being read, and shows what came. Without it, the page
// has a link that does so.

const PAUSE = 2000;
const ID = "smartgift-sync";

async function look() {
  const shown = document.getElementById(ID);
  if (!shown?.hasAttribute("data-smartgift-sync-open")) return;
  try {
    const answer = await fetch(shown.dataset.smartgiftSync, {
      headers: { "X-Requested-With": "XMLHttpRequest" },
    });
    if (answer.ok) {
      const text = await answer.text();
      const fresh = new DOMParser().parseFromString(text, "text/html").getElementById(ID);
      // Whoever is about to press something here is not to lose it.
      if (fresh && !shown.contains(document.activeElement)) shown.replaceWith(fresh);
      else if (fresh && !fresh.hasAttribute("data-smartgift-sync-open")) location.reload();
    }
  } catch {
    // The network is away for a moment: ask again.
  }
  setTimeout(look, PAUSE);
}

setTimeout(look, PAUSE);
