// What a browser can add: progress while a host is looked up, the cursor where it is
// wanted, a word about a username while it is typed. Every page works without it, and
// all words stand in the templates.
"use strict";

(() => {
  const CEILING = 10_000; // milliseconds; a sign-in takes no longer to start or to fail
  const PAUSE = 400;

  // --- one sign-in at a time --------------------------------------------------------

  const progress = document.getElementById("progress");
  let busy = null;

  function settle(words) {
    if (busy === null) return;
    clearTimeout(busy.timer);
    busy.button?.removeAttribute("aria-disabled");
    busy = null;
    progress.textContent = words;
  }

  function start(form, button) {
    // aria-disabled, because a disabled button would drop the keyboard's focus.
    button?.setAttribute("aria-disabled", "true");
    progress.textContent = form.dataset.progress;
    const timer = setTimeout(() => settle(progress.dataset.slow), CEILING);
    busy = { button, timer };
  }

  document.addEventListener("submit", (event) => {
    if (busy !== null) event.preventDefault();
    else if (event.target.dataset.progress) start(event.target, event.submitter);
  });

  // Back from the host by the back button: the page returns as it was left.
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) settle("");
  });

  // --- the cursor, unless an error has the focus or a keyboard would cover the page --

  const field = document.querySelector("[data-autofocus]");
  const roomy = window.matchMedia("(min-width: 40rem) and (pointer: fine)");
  if (field && roomy.matches && !document.querySelector("[autofocus]")) {
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
  }

  // --- a username while it is typed -------------------------------------------------

  const check = document.querySelector("[data-checks]");
  const checked = check && document.getElementById(check.dataset.checks);
  let pause;

  function judge() {
    const { value, validity } = checked;
    if (validity.patternMismatch) check.textContent = check.dataset.wrong;
    else if (!validity.valid) check.textContent = "";
    else check.textContent = `${check.dataset.fine} ${value.toLowerCase()}.`;
  }

  checked?.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(judge, PAUSE);
  });
})();
