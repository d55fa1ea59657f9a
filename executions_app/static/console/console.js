// Keeps the page calm: no polling while nobody looks, nothing lost by it, and a word when the server is silent.
"use strict";

(() => {
  const REFRESH = "console:refresh";
  const STALE_MS = 15000;
  const MESSAGE_MS = 9000;
  const byId = (id) => document.getElementById(id);
  const isPanel = (element) => element.classList?.contains("body");
  let heard = null;
  let failing = false;
  let away = false;

  // What a person has done to the page outlives what the server says of it.
  Idiomorph.defaults.callbacks.beforeNodeMorphed = (old) => !(old.nodeType === 1 && old.hasAttribute("data-keep"));
  Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, element) =>
    !(name === "open" && element.tagName === "DETAILS");

  // --- polling ---------------------------------------------------------------------------------------------

  document.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && isPanel(event.target)) event.preventDefault();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) htmx.trigger(document.body, REFRESH);
    say();
  });
  // A poll that gave way to a newer one has not failed.
  const note = (failed) => (event) => {
    if (!isPanel(event.target)) return;
    failing = failed;
    away = event.detail.xhr?.status === 503;
    if (!failed) heard = Date.now();
    say();
  };
  document.addEventListener("htmx:afterOnLoad", note(false));
  for (const name of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) document.addEventListener(name, note(true));

  function say() {
    const now = Date.now();
    const silent = failing || (heard !== null && now - heard > STALE_MS);
    const state = document.hidden ? "paused" : heard === null && !silent ? "starting" : silent ? "silent" : "live";
    const live = byId("live");
    const word = {
      paused: "Paused", starting: "Starting", live: "Live",
      silent: away ? "A database is away; figures are old" : "No answer; figures are old",
    }[state];
    if (live.dataset.live === state && live.lastElementChild.textContent === word) return;
    live.dataset.live = state;
    live.lastElementChild.textContent = word;
    document.body.classList.toggle("stale", state === "silent");
  }
  setInterval(say, 1000);

  // Only pieces that are meant for the page are put into it: no proxy's or login's error page.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr } = event.detail;
    const isPiece = xhr.getResponseHeader("X-Console") === "fragment";
    event.detail.shouldSwap = isPiece;
    if (!isPiece && !isPanel(event.detail.elt) && xhr.status >= 400) {
      tell(xhr.status === 503 ? "A database is away. Try again in a moment." : `The server answered ${xhr.status}. Nothing was done.`);
    }
  });
  document.addEventListener("htmx:sendError", (event) => {
    if (!isPanel(event.detail.elt)) tell("The server does not answer. Whether anything was done is not known.");
  });

  // --- the drawer and the question ---------------------------------------------------------------------------

  document.addEventListener("htmx:afterSwap", (event) => {
    const dialog = event.detail.target.closest?.("dialog");
    if (!dialog) return;
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    if (dialog.id === "question") dialog.querySelector("input:not([type=hidden]), [data-close]")?.focus();
  });
  document.addEventListener("click", (event) => {
    const { target } = event;
    if (target.closest("[data-close]") || target.tagName === "DIALOG") target.closest("dialog").close();
    if (target.closest("[data-dismiss]")) target.closest(".message").remove();
  });
  document.addEventListener("console:done", () => {
    byId("question").close();
    byId("drawer").close();
    htmx.trigger(document.body, REFRESH);
  });

  // --- messages ------------------------------------------------------------------------------------------------

  function tell(text) {
    const message = document.createElement("div");
    message.className = "message error";
    message.setAttribute("role", "alert");
    const [word, told] = [document.createElement("b"), document.createElement("span")];
    [word.textContent, told.textContent] = ["Not done", text];
    message.append(word, told);
    byId("messages").append(message);
  }
  new MutationObserver((changes) => {
    for (const node of changes.flatMap((change) => [...change.addedNodes])) {
      if (node.nodeType === 1 && !node.matches(".error")) setTimeout(() => node.remove(), MESSAGE_MS);
    }
  }).observe(byId("messages"), { childList: true });
})();
