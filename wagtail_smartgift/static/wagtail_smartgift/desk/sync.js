// Asks again while a catalogue is being read, and shows what came. Without it, the page
// has a link that does so.

const PAUSE = 2000;
const ID = "smartgift-sync";

function replaceAfter(node, fresh) {
  while (node.nextSibling) node.nextSibling.remove();
  while (fresh.nextSibling) node.parentNode.append(fresh.nextSibling);
}

// The live regions stay where they are: of one that is put into the page anew, nothing is
// read out.
function update(shown, fresh) {
  const sections = shown.querySelectorAll("section");
  const others = fresh.querySelectorAll("section");
  if (!sections.length || sections.length !== others.length) {
    shown.replaceWith(fresh);
    return;
  }
  sections.forEach((section, number) => {
    const [status, other] = [section, others[number]].map((one) =>
      one.querySelector("[role=status]"),
    );
    if (status.innerHTML !== other.innerHTML) status.innerHTML = other.innerHTML;
    replaceAfter(status, other);
  });
  replaceAfter(sections[sections.length - 1], others[others.length - 1]);
  for (const name of ["data-smartgift-sync", "data-smartgift-sync-open"]) {
    if (fresh.hasAttribute(name)) shown.setAttribute(name, fresh.getAttribute(name));
    else shown.removeAttribute(name);
  }
}

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
      if (fresh && !shown.contains(document.activeElement)) update(shown, fresh);
      else if (fresh && !fresh.hasAttribute("data-smartgift-sync-open")) location.reload();
    }
  } catch {
    // The network is away for a moment: ask again.
  }
  setTimeout(look, PAUSE);
}

setTimeout(look, PAUSE);
