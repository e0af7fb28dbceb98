// What a browser can add: progress while a host is looked up, the cursor where it is
// wanted, a word about a username while it is typed, accounts to choose from. Every page
// works without it, and all words stand in the templates.
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

  // --- a link that looks like a button is pressed by the space bar, too ----------------

  document.addEventListener("keydown", (event) => {
    const link = event.target.closest?.("a[role=button]");
    if (event.key !== " " || !link) return;
    event.preventDefault();
    if (!event.repeat) link.click();
  });

  // --- times in the zone of this device; the page has them in UTC -------------------

  const { lang } = document.documentElement;
  const region = navigator.languages.find((tag) => tag.startsWith(lang)) ?? lang;
  const exactly = { dateStyle: "long", timeStyle: "short" };
  const zoned = new Intl.DateTimeFormat(region, exactly);
  for (const time of document.querySelectorAll("time")) {
    const here = zoned.format(new Date(time.dateTime));
    if (time.dataset.zone) time.textContent = here;
    if (time.title) time.title = here;
  }

  // --- the cursor, unless an error has the focus or a keyboard would cover the page --

  const field = document.querySelector("[data-autofocus]");
  const roomy = window.matchMedia("(min-width: 40rem) and (pointer: fine)");
  if (field && roomy.matches && !document.querySelector("[autofocus]")) {
    field.focus();
    field.setSelectionRange(field.value.length, field.value.length);
  }

  // --- asking while one types: the latest question counts, older answers are dropped --

  function asker(address, answered) {
    let timer, asking;
    return {
      stop() {
        clearTimeout(timer);
        asking?.abort();
      },
      ask(fields, pause) {
        this.stop();
        const request = (asking = new AbortController());
        timer = setTimeout(async () => {
          try {
            const response = await fetch(address, {
              method: "POST",
              body: new URLSearchParams(fields),
              headers: { Accept: "application/json" },
              signal: request.signal,
            });
            if (response.status === 200) answered(await response.json());
          } catch {
            // No answer, or one that is not waited for: the form works without it.
          }
        }, pause);
      },
    };
  }

  // --- a username while it is typed -------------------------------------------------

  const check = document.querySelector("[data-checks]");
  const checked = check && document.getElementById(check.dataset.checks);
  const names = asker("/auth/username", ({ username, state }) => {
    if (username !== checked.value.trim().toLowerCase()) return;
    check.textContent = (check.dataset[state] ?? "").replace("{username}", username);
  });

  checked?.addEventListener("input", () => {
    names.stop();
    const { value, validity } = checked;
    check.textContent = validity.patternMismatch ? check.dataset.invalid : "";
    if (!validity.valid) return;
    names.ask({ username: value, login: check.dataset.login }, PAUSE);
  });

  // --- the sign-in field: look up ahead, and accounts to choose from ------------------
  // The combobox pattern of ARIA: the focus stays in the field, and what is typed counts.

  const typed = document.querySelector("[data-lookup]");
  const ahead = typed && asker(typed.dataset.lookup, () => {});

  function lookAhead() {
    ahead.stop();
    const value = typed.value.trim();
    if (/^@?[^\s@:/]+\.[^\s@:/]{2,}$/.test(value)) ahead.ask({ identifier: value }, 700);
  }

  function combobox(field) {
    const list = document.createElement("ul");
    list.id = `${field.id}-accounts`;
    list.className = "suggestions";
    list.hidden = true;
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", document.querySelector(`label[for="${field.id}"]`).textContent);
    field.after(list);
    field.setAttribute("role", "combobox");
    field.setAttribute("aria-autocomplete", "list");
    field.setAttribute("aria-controls", list.id);
    let active = -1;

    function mark(index) {
      list.children[active]?.setAttribute("aria-selected", "false");
      active = index;
      const option = list.children[active];
      option?.setAttribute("aria-selected", "true");
      option?.scrollIntoView({ block: "nearest" });
      if (option) field.setAttribute("aria-activedescendant", option.id);
      else field.removeAttribute("aria-activedescendant");
    }

    function close() {
      mark(-1);
      list.hidden = true;
      list.replaceChildren();
      field.setAttribute("aria-expanded", "false");
    }

    function pick(index) {
      field.value = list.children[index].dataset.handle;
      close();
      accounts.stop();
      lookAhead();
      field.focus();
    }

    // A blank circle without a picture, or when it does not load.
    function picture(address) {
      const circle = document.createElement("span");
      circle.className = "avatar";
      if (!address) return circle;
      const image = document.createElement("img");
      image.alt = "";
      image.addEventListener("error", () => image.remove());
      image.src = address;
      circle.append(image);
      return circle;
    }

    function option({ handle, name, avatar }, index) {
      const row = document.createElement("li");
      row.id = `${list.id}-${index}`;
      row.dataset.handle = handle;
      row.setAttribute("role", "option");
      row.setAttribute("aria-selected", "false");
      const strong = document.createElement("bdi");
      strong.textContent = name || handle;
      const small = document.createElement("small");
      small.textContent = name ? handle : "";
      const words = document.createElement("span");
      words.append(strong, " ", small);
      row.append(picture(avatar), words);
      return row;
    }

    function show(found) {
      close();
      list.append(...found.slice(0, 8).map(option));
      list.hidden = list.children.length === 0;
      field.setAttribute("aria-expanded", String(!list.hidden));
    }

    const accounts = asker(field.dataset.typeahead, (answer) => {
      if (document.activeElement === field) show(answer.accounts ?? []);
    });

    field.addEventListener("input", () => {
      accounts.stop();
      close();
      const q = field.value.trim();
      if (q.length > 1 && !/[:/]|.@/.test(q)) accounts.ask({ q }, 250);
    });
    field.addEventListener("blur", close);
    // Before the blur, which a press on a row would cause first.
    list.addEventListener("pointerdown", (event) => {
      event.preventDefault();
      const row = event.target.closest("[role=option]");
      if (row) pick([...list.children].indexOf(row));
    });
    field.addEventListener("keydown", (event) => {
      const { length } = list.children;
      if (length === 0 || event.isComposing) return;
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) mark((active + step + (active < 0 && step < 0 ? 1 : 0) + length) % length);
      else if (event.key === "Enter" && active >= 0) pick(active);
      else if (event.key === "Escape") close();
      else return;
      event.preventDefault();
    });
    close();
  }

  typed?.addEventListener("input", lookAhead);
  if (typed?.dataset.typeahead) combobox(typed);
})();
