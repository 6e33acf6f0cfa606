// Everything here is comfort: without it pages can be read, and moved through, as well.

const root = document.documentElement;
const make = (name, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
};

// --- theme ------------------------------------------------------------------------------------------------------

const systemDark = matchMedia("(prefers-color-scheme: dark)");
document.querySelector("[data-theme-switch]")?.addEventListener("click", () => {
  const system = systemDark.matches ? "dark" : "light";
  const next = (root.dataset.theme ?? system) === "dark" ? "light" : "dark";
  // who chooses what the system says follows the system from then on
  if (next === system) delete root.dataset.theme;
  else root.dataset.theme = next;
  try {
    if (next === system) localStorage.removeItem("docmill-theme");
    else localStorage.setItem("docmill-theme", next);
  } catch {
    // the choice holds for this page only
  }
});

// --- sidebar and contents -----------------------------------------------------------------------------------------

// on wide screens both are always shown by style; open they are named right for screen readers, too
for (const [query, name] of [["(min-width: 60rem)", ".sidebar"], ["(min-width: 80rem)", ".contents"]]) {
  const details = document.querySelector(name);
  if (details && matchMedia(query).matches) details.open = true;
}

const sidebar = document.querySelector(".sidebar");
const current = sidebar?.querySelector("[aria-current]");
if (current && current.offsetTop > sidebar.clientHeight * 0.7) {
  sidebar.scrollTop = current.offsetTop - sidebar.clientHeight / 2;
}

const contents = new Map();
for (const link of document.querySelectorAll(".contents a")) {
  const heading = document.getElementById(decodeURIComponent(link.hash.slice(1)));
  if (heading) contents.set(heading, link);
}
if (contents.size > 0) {
  const headings = [...contents.keys()];
  let waiting = false;
  const mark = () => {
    waiting = false;
    const above = headings.filter((heading) => heading.getBoundingClientRect().top < 120);
    const active = above.at(-1) ?? headings[0];
    for (const [heading, link] of contents) {
      if (heading === active) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  };
  addEventListener("scroll", () => {
    if (!waiting) requestAnimationFrame(mark);
    waiting = true;
  }, { passive: true });
  mark();
  const details = document.querySelector(".contents");
  details.addEventListener("click", (event) => {
    if (event.target.closest("a") && !matchMedia("(min-width: 80rem)").matches) details.open = false;
  });
}

// --- copying code ---------------------------------------------------------------------------------------------------

const copyText = async (text) => {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = make("textarea", { value: text });
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
};
for (const block of document.querySelectorAll("figure.code")) {
  const code = block.querySelector("code");
  const button = make("button", { type: "button", className: "copy", textContent: "Copy" });
  button.setAttribute("aria-label", `Copy ${block.querySelector("pre").getAttribute("aria-label")}`);
  button.addEventListener("click", async () => {
    const clone = code.cloneNode(true);
    for (const prompt of clone.querySelectorAll(".r")) prompt.remove();
    try {
      await copyText(clone.textContent);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Failed";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  (block.querySelector("figcaption") ?? block).append(button);
}

// --- sources ----------------------------------------------------------------------------------------------------------

// a mark leads to the list at the end of the page; here it opens what stands there beside the words instead
let view;
const buildView = () => {
  const close = make("button", { type: "button", textContent: "Close" });
  const name = make("code");
  const body = make("div");
  const element = make("div", { className: "source-view", popover: "auto", tabIndex: -1 }, make("div", { className: "head" }, name, close), body);
  element.setAttribute("role", "dialog");
  element.addEventListener("toggle", (event) => {
    if (event.newState === "open") return;
    view.mark?.setAttribute("aria-expanded", "false");
    // who closed it with the keyboard goes on reading where they were
    if (element.contains(document.activeElement) || document.activeElement === document.body) view.mark?.focus({ preventScroll: true });
  });
  close.addEventListener("click", () => {
    element.hidePopover();
    view.mark.focus({ preventScroll: true });
  });
  element.addEventListener("keydown", (event) => {
    // it stands at the end of the document: who leaves it by Tab goes on where they were
    const stops = [...element.querySelectorAll("button, [href], [tabindex]")];
    const edge = event.shiftKey ? [element, stops[0]] : [stops.at(-1)];
    if (event.key !== "Escape" && !(event.key === "Tab" && edge.includes(document.activeElement))) return;
    if (event.key === "Tab" && event.shiftKey) event.preventDefault();
    element.hidePopover();
    view.mark.focus({ preventScroll: true });
  });
  document.body.append(element);
  return { element, name, body };
};

const placeView = (mark) => {
  const at = mark.getBoundingClientRect();
  const { element } = view;
  const room = document.documentElement;
  const width = element.offsetWidth;
  const height = element.offsetHeight;
  const left = Math.max(12, Math.min(at.left - 24, room.clientWidth - width - 12));
  const below = at.bottom + 8;
  const fits = below + height < room.clientHeight || at.top < height + 16;
  element.style.left = `${left}px`;
  element.style.top = `${Math.max(8, fits ? Math.min(below, room.clientHeight - height - 8) : at.top - height - 8)}px`;
};

const openSource = (mark) => {
  const source = document.getElementById(mark.hash.slice(1))?.closest(".sources li");
  if (!source) return false;
  view ??= buildView();
  view.mark?.setAttribute("aria-expanded", "false");
  view.mark = mark;
  const copy = source.cloneNode(true);
  view.name.textContent = copy.querySelector("summary code, :scope > code")?.textContent ?? "";
  copy.querySelectorAll("summary, :scope > code, .missing, .back").forEach((part) => part.remove());
  copy.querySelectorAll("[id]").forEach((part) => part.removeAttribute("id"));
  // the box of the list has this name already
  copy.querySelectorAll("pre[aria-label]").forEach((part) => part.setAttribute("aria-label", "Lines of this source"));
  const details = copy.querySelector("details");
  view.body.replaceChildren(...(details ? [...details.childNodes] : []), ...[...copy.childNodes].filter((part) => part !== details));
  view.element.setAttribute("aria-label", mark.getAttribute("aria-label"));
  mark.setAttribute("aria-expanded", "true");
  view.element.showPopover();
  view.element.scrollTop = 0;
  placeView(mark);
  view.element.focus({ preventScroll: true });
  return true;
};

if (HTMLElement.prototype.showPopover) {
  for (const mark of document.querySelectorAll("sup .cite")) {
    mark.setAttribute("aria-expanded", "false");
    mark.setAttribute("aria-haspopup", "dialog");
    mark.addEventListener("click", (event) => {
      // a click that means a new tab is left alone
      if (event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
      if (openSource(mark)) event.preventDefault();
    });
  }
}

// --- search -----------------------------------------------------------------------------------------------------------

const MOST_HITS = 20;
let index;
let loading;

// called by the file with the index, which is a script so that it loads from a folder, too
globalThis.docmillSearch = (data) => {
  const terms = data.t ? data.t.split(" ") : [];
  const mean = data.d.reduce((sum, section) => sum + section[4], 0) / Math.max(1, data.d.length);
  index = { ...data, terms, mean, stop: new Set(data.s) };
};

const loadIndex = () => {
  loading ??= new Promise((resolve, reject) => {
    const script = make("script", { src: root.dataset.search, onload: resolve, onerror: reject });
    document.head.append(script);
  });
  return loading;
};

// whether two words are one insertion, deletion, replacement or swap of neighbours apart
const oneEditApart = (a, b) => {
  if (Math.abs(a.length - b.length) > 1) return false;
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  const tail = (x, y) => a.slice(start + x) === b.slice(start + y);
  return tail(1, 1) || tail(1, 0) || tail(0, 1) ||
    (a[start] === b[start + 1] && a[start + 1] === b[start] && tail(2, 2));
};

// first place in the sorted words that is not before `word`
const lowerBound = (words, word) => {
  let low = 0;
  let high = words.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (words[middle] < word) low = middle + 1;
    else high = middle;
  }
  return low;
};

// the typed word and its other number: `dependency` also means `dependencies`
const formsOf = (word) => {
  if (word.length < 4) return [word];
  if (word.endsWith("ies")) return [word, `${word.slice(0, -3)}y`];
  if (word.endsWith("y")) return [word, `${word.slice(0, -1)}ies`];
  if (word.endsWith("s") && !word.endsWith("ss")) return [word, word.slice(0, -1)];
  if (word.endsWith("ing") && word.length > 6) return [word, word.slice(0, -3)];
  return [word];
};

// places of the words that a typed word means, and how well each of them fits
const matches = (word) => {
  const found = new Map();
  for (const form of formsOf(word)) {
    const most = form === word ? 1 : 0.9;
    for (let at = lowerBound(index.terms, form); index.terms[at]?.startsWith(form) && found.size <= 200; at++) {
      const rest = index.terms[at].length - form.length;
      const fit = most * (rest === 0 ? 1 : 0.85 / (1 + rest / 6));
      found.set(at, Math.max(fit, found.get(at) ?? 0));
    }
  }
  const exact = index.terms[lowerBound(index.terms, word)] === word;
  if (word.length >= 4 && !exact) {
    for (let at = 0; at < index.terms.length; at++) {
      if (!found.has(at) && oneEditApart(word, index.terms[at])) found.set(at, 0.35);
    }
  }
  return found;
};

const isIdeograph = /[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]/;
const wordsOf = (text) => text.toLowerCase().split(/[^\p{L}\p{N}]+/u).filter(Boolean)
  .flatMap((word) => (isIdeograph.test(word) ? [...word] : [word]));

// the best sections for what was typed: those with all words, else those with most
const search = (text) => {
  let words = [...new Set(wordsOf(text))];
  const telling = words.filter((word) => !index.stop.has(word));
  if (telling.length > 0) words = telling;
  const scores = new Map();
  const count = index.d.length;
  for (const word of words.slice(0, 8)) {
    const best = new Map();
    for (const [term, fit] of matches(word)) {
      const places = index.i[term];
      let section = 0;
      for (let at = 0; at < places.length; at += 2) {
        section += places[at];
        const weight = places[at + 1];
        const length = 0.5 + 0.5 * (index.d[section][4] / (index.mean || 1));
        const score = (fit * weight * 5) / (weight + 4 * length);
        if (score > (best.get(section) ?? 0)) best.set(section, score);
      }
    }
    const rarity = Math.log(1 + (count - best.size + 0.5) / (best.size + 0.5));
    for (const [section, score] of best) best.set(section, score * rarity);
    for (const [section, score] of best) {
      const sum = scores.get(section) ?? [0, 0];
      scores.set(section, [sum[0] + 1, sum[1] + score]);
    }
  }
  const most = Math.max(0, ...[...scores.values()].map(([hits]) => hits));
  return [...scores]
    .filter(([, [hits]]) => hits === most)
    .sort(([a, [, x]], [b, [, y]]) => y - x || a - b)
    .map(([section]) => section);
};

// text with the words that begin like the typed ones marked
const marked = (text, forms) => {
  const parts = text.split(/([\p{L}\p{N}]+)/u);
  return parts.filter(Boolean).map((part) => {
    const hit = forms.some((form) => part.toLowerCase().startsWith(form));
    return hit ? make("mark", { textContent: part }) : part;
  });
};

let dialog;
const openSearch = () => {
  dialog ??= buildDialog();
  if (!dialog.element.open) dialog.element.showModal();
  dialog.input.select();
  loadIndex().then(dialog.update, () => { dialog.status.textContent = "The search index could not be loaded"; });
};

const buildDialog = () => {
  const input = make("input", { type: "search", placeholder: "Search the documentation", autocomplete: "off", spellcheck: false });
  input.setAttribute("aria-label", "Search the documentation");
  const close = make("button", { type: "button", textContent: "Esc" });
  close.setAttribute("aria-label", "Esc: close the search");
  const list = make("ul");
  const status = make("p", { className: "status" });
  status.setAttribute("role", "status");
  const element = make("dialog", { className: "search" }, make("div", { className: "search-field" }, input, close), status, list);
  element.setAttribute("aria-label", "Search");
  document.body.append(element);

  const update = () => {
    if (!index) return;
    const words = wordsOf(input.value);
    const forms = words.filter((word) => !index.stop.has(word)).flatMap(formsOf);
    const hits = words.length > 0 ? search(input.value) : [];
    list.replaceChildren(...hits.slice(0, MOST_HITS).map((hit) => {
      const [page, id, heading, snippet] = index.d[hit];
      const [slug, title, group] = index.p[page];
      const path = id ? `${group} › ${title}` : group;
      const link = make("a", { href: `${slug}.html${id ? `#${encodeURIComponent(id)}` : ""}` },
        make("span", { className: "path", textContent: path }),
        make("strong", {}, ...marked(heading, forms)),
        make("span", { className: "snippet" }, ...marked(snippet, forms)));
      return make("li", {}, link);
    }));
    list.scrollTop = 0;
    if (words.length === 0) status.textContent = "";
    else if (hits.length === 0) status.textContent = `Nothing found for “${input.value.trim()}”`;
    else status.textContent = hits.length === 1 ? "1 result" : `${hits.length} results`;
  };
  input.addEventListener("input", update);
  close.addEventListener("click", () => element.close());
  element.addEventListener("click", (event) => {
    if (event.target === element || event.target.closest("a")) element.close();
  });
  element.addEventListener("keydown", (event) => {
    const links = [...list.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      const next = at + (event.key === "ArrowDown" ? 1 : -1);
      (next < 0 ? input : links[Math.min(next, links.length - 1)])?.focus();
    } else if (event.key === "Enter" && document.activeElement === input) {
      event.preventDefault();
      links[0]?.click();
    }
  });
  return { element, input, status, update };
};

document.querySelector("[data-search-open]")?.addEventListener("click", openSearch);
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
  const slash = event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey;
  const command = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey);
  if (slash || command) {
    event.preventDefault();
    openSearch();
  }
});
