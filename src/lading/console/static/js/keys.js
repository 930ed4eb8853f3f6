// One registry of keys: what it holds is handled, and is what the legend shows.
export const registry = [];
let first = null, forget = null;

// `keys` as pressed: "r", "Shift+X", "Mod+k" (Ctrl or Cmd), "g o". `run` answers false to pass.
export function bind(keys, label, run) {
  registry.push({keys, label, run});
}

const FIELDS = 'input:not([type=checkbox], [type=radio], [type=button], [type=submit], [type=reset]), textarea, select, [contenteditable]';

function pressed({key, ctrlKey, metaKey, shiftKey}) {
  if (ctrlKey || metaKey) return `Mod+${key.toLowerCase()}`;
  return shiftKey && /^\p{L}$/u.test(key) ? `Shift+${key.toUpperCase()}` : key;
}

document.addEventListener('keydown', event => {
  if (document.body.dataset.shortcuts === 'off' || event.defaultPrevented || event.altKey || event.isComposing) return;
  if (document.querySelector('dialog[open]')) return;
  let keys = pressed(event);
  if (!keys.startsWith('Mod+') && event.target.closest?.(FIELDS)) return;
  if (first) keys = `${first} ${keys}`;
  first = null;
  clearTimeout(forget);
  if (registry.some(entry => entry.keys.startsWith(`${keys} `))) {
    first = keys;
    forget = setTimeout(() => { first = null; }, 1500);
    return;
  }
  const entry = registry.find(entry => entry.keys === keys);
  if (entry && entry.run(event) !== false) event.preventDefault();
});

// Pages name their own: what is in the menu, and the field that filters.
for (const link of document.querySelectorAll('nav a[data-key]')) {
  bind(`g ${link.dataset.key}`, `Go to ${link.firstChild.textContent.trim()}`, () => link.click());
}
bind('/', 'Go to the filter', () => {
  const field = document.querySelector('[data-filter]');
  field?.focus();
  return Boolean(field);
});
