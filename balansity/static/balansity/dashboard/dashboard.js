// The home page refreshes itself: every few seconds it asks for its changing part, and patches what is different.
//
// Patched and not replaced: whoever is reading keeps the focus, the place, what they have marked and unfolded.
"use strict";

const EVERY_MS = 3000;
const SLOWEST_MS = 30000;
const PATIENCE_MS = 10000;

const bar = document.getElementById("home-bar");
const live = document.getElementById("home-live");
const say = { of: document.getElementById("home-of"), state: document.getElementById("home-state") };
const ways = { refresh: document.getElementById("home-refresh"), login: document.getElementById("home-login") };

let etag = `"${bar.dataset.etag}"`;
let failures = 0;
let isOver = false;
let asking = false;
let timer = 0;

async function refresh() {
    if (asking || isOver) {
        return;
    }
    asking = true;
    window.clearTimeout(timer);
    try {
        const answer = await fetch(bar.dataset.now, {
            // Nobody is led to the login page by this: the page says that the session has ended.
            redirect: "manual",
            cache: "no-store",
            credentials: "same-origin",
            headers: { "If-None-Match": etag },
            signal: AbortSignal.timeout(PATIENCE_MS),
        });
        if (answer.type === "opaqueredirect" || answer.status === 403) {
            end();
            return;
        }
        if (answer.status === 200) {
            const fresh = document.createElement("div");
            fresh.innerHTML = await answer.text();
            patch(live, fresh);
            etag = answer.headers.get("ETag");
        } else if (answer.status !== 304) {
            throw new Error(`answered ${answer.status}`);
        }
        failures = 0;
        bar.classList.remove("home-stale");
        live.classList.remove("home-stale");
        tell("");
        say.of.textContent = `${bar.dataset.of} ${answer.headers.get("X-As-Of")}`;
    } catch {
        failures += 1;
        bar.classList.add("home-stale");
        tell(bar.dataset.failed);
    } finally {
        asking = false;
        plan();
    }
}

// Nobody looks at a hidden page, so it asks for nothing; when it is shown again it does so at once.
function plan() {
    window.clearTimeout(timer);
    if (!isOver && !document.hidden) {
        timer = window.setTimeout(refresh, Math.min(EVERY_MS * 2 ** Math.max(failures - 1, 0), SLOWEST_MS));
    }
}

function end() {
    isOver = true;
    bar.classList.add("home-stale");
    live.classList.add("home-stale");
    tell(bar.dataset.over);
    ways.refresh.hidden = true;
    ways.login.hidden = false;
}

function tell(text) {
    if (say.state.textContent !== text) {
        say.state.textContent = text;
    }
}

// Makes `old` like `fresh` with the least changes: elements with a key are found by it, others by their place.
function patch(old, fresh) {
    const keyed = new Map();
    for (const child of old.children) {
        if (child.dataset.key) {
            keyed.set(child.dataset.key, child);
        }
    }
    let here = old.firstChild;
    for (const wanted of Array.from(fresh.childNodes)) {
        const key = wanted.dataset?.key;
        let found = key ? keyed.get(key) : here;
        if (found && (found.nodeName !== wanted.nodeName || (!key && found.dataset?.key))) {
            found = null;
        }
        if (!found) {
            old.insertBefore(wanted, here);
            continue;
        }
        if (found === here) {
            here = here.nextSibling;
        } else {
            old.insertBefore(found, here);
        }
        if (wanted.nodeType === Node.ELEMENT_NODE) {
            patchElement(found, wanted);
        } else if (found.nodeValue !== wanted.nodeValue) {
            found.nodeValue = wanted.nodeValue;
        }
    }
    while (here) {
        const next = here.nextSibling;
        here.remove();
        here = next;
    }
}

function patchElement(old, fresh) {
    for (const { name, value } of Array.from(fresh.attributes)) {
        if (old.getAttribute(name) !== value) {
            old.setAttribute(name, value);
        }
    }
    for (const { name } of Array.from(old.attributes)) {
        // Whoever has unfolded something wants to read it.
        if (!fresh.hasAttribute(name) && !(name === "open" && old.nodeName === "DETAILS")) {
            old.removeAttribute(name);
        }
    }
    patch(old, fresh);
}

document.addEventListener("visibilitychange", () => (document.hidden ? window.clearTimeout(timer) : refresh()));
ways.refresh.addEventListener("click", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.shiftKey) {
        event.preventDefault();
        refresh();
    }
});
plan();
