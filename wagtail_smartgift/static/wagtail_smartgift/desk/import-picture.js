// The button "Import Smart Gift's picture" in the editor of a page: has the picture
// imported, and puts the image where an editor would have chosen it. Nothing else of
// the page is touched or saved.

const tell = (button, text) => {
  const place = button.parentElement.querySelector('[role="status"]');
  if (place) place.textContent = text;
};

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-smartgift-import]");
  if (!button) return;
  const token = document.querySelector('[name="csrfmiddlewaretoken"]');
  const failed = button.dataset.smartgiftFailed;
  button.disabled = true;
  tell(button, "");
  try {
    const response = await fetch(button.dataset.smartgiftImport, {
      method: "POST",
      headers: {
        Accept: "application/json",
        "X-CSRFToken": token ? token.value : "",
      },
    });
    const answer = await response.json();
    const chooser = document.getElementById(button.dataset.smartgiftChooser);
    if (answer.image && chooser && chooser.widget) {
      chooser.widget.setStateFromModalData(answer.image);
    }
    tell(button, answer.message || failed);
  } catch {
    // No answer, or a page in place of one: somebody is logged out.
    tell(button, failed);
  } finally {
    button.disabled = false;
  }
});
