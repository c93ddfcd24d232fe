/* The calls that the page makes. It lists each for whoever looks at this example: its name
   and its answer, never what is in it. */

import { SmartGiftError, request } from "../wagtail_smartgift/smartgift.js";

const root = document.getElementById("headless");

/** Fetch, and show what was asked. */
export async function told(url, options) {
  const line = document.createElement("li");
  const path = new URL(url, location.href).pathname.replace(root.dataset.api, "…/");
  line.textContent = `${options.method} ${path.replace(/[0-9a-f-]{36}/, "…")} `;
  document.getElementById("calls").append(line);
  const answer = document.createElement("b");
  answer.textContent = "no answer";
  try {
    const response = await fetch(url, options);
    answer.textContent = response.status;
    return response;
  } finally {
    line.append(answer);
  }
}

/** Ask the shop's own backend. */
export function shop(url, body) {
  return request(url, {
    fetch: told,
    method: body ? "POST" : "GET",
    safe: !body,
    headers: {
      "Content-Type": "application/json",
      "X-CSRFToken": root.querySelector("[name=csrfmiddlewaretoken]").value,
    },
    body: body && JSON.stringify(body),
    read(response, text) {
      const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
      const answer = isJson ? JSON.parse(text) : {};
      if (response.ok && isJson) return answer;
      const { code = "unexpected", detail } = answer;
      throw new SmartGiftError(code, { status: response.status, detail });
    },
  });
}
